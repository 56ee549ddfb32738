//! The sample that `flowaudit generate` makes: reproducible, the same in all forms, and explained by its own rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use arrow_array::{Array, Int32Array, Int64Array, StringArray};
use flowaudit::generate::{DEFAULT_SEED, END, GenerateOptions, START, generate};
use ipnet::IpNet;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use tempfile::TempDir;

type Row = BTreeMap<String, String>;

fn sample(seed: u64) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let options = GenerateOptions { seed, out: folder.path().to_owned(), ..GenerateOptions::default() };
    let summary = generate(&options).expect("a sample");
    let written: usize = summary.files.iter().map(|file| file.bytes).sum();
    let found: usize = files(folder.path()).values().map(Vec::len).sum();
    assert_eq!(written, found, "the summary lists what is there");
    folder
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .map(|entry| entry.expect("a readable folder"))
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let path = entry.path().strip_prefix(folder).expect("inside").to_owned();
            (path, fs::read(entry.path()).expect("a readable file"))
        })
        .collect()
}

fn under(folder: &Path, form: &str) -> Vec<PathBuf> {
    files(folder).into_keys().filter(|path| path.starts_with(form)).map(|path| folder.join(path)).collect()
}

fn table(text: &str) -> Vec<Row> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a header").split(' ').collect();
    lines
        .map(|line| {
            let values: Vec<&str> = line.split(' ').collect();
            assert_eq!(values.len(), names.len(), "{line}");
            names.iter().zip(values).map(|(name, value)| ((*name).to_owned(), value.to_owned())).collect()
        })
        .collect()
}

fn rows(folder: &Path) -> Vec<Row> {
    under(folder, "text").iter().flat_map(|path| table(&fs::read_to_string(path).expect("text"))).collect()
}

fn gzip_rows(folder: &Path) -> Vec<Row> {
    under(folder, "gz")
        .iter()
        .flat_map(|path| {
            let mut text = String::new();
            let file = File::open(path).expect("a file");
            flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("gzip");
            table(&text)
        })
        .collect()
}

fn parquet_rows(folder: &Path) -> Vec<Row> {
    let mut rows = Vec::new();
    for path in under(folder, "parquet") {
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(File::open(path).expect("a file")).expect("Parquet");
        for batch in builder.build().expect("a reader") {
            let batch = batch.expect("a batch");
            let schema = batch.schema();
            for index in 0..batch.num_rows() {
                let values =
                    schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
                        (field.name().replace('_', "-"), value(column.as_ref(), index))
                    });
                rows.push(values.collect());
            }
        }
    }
    rows
}

fn value(column: &dyn Array, index: usize) -> String {
    if column.is_null(index) {
        return "-".to_owned();
    }
    let any = column.as_any();
    if let Some(numbers) = any.downcast_ref::<Int32Array>() {
        numbers.value(index).to_string()
    } else if let Some(numbers) = any.downcast_ref::<Int64Array>() {
        numbers.value(index).to_string()
    } else {
        any.downcast_ref::<StringArray>().expect("text").value(index).to_owned()
    }
}

fn document(folder: &Path, name: &str) -> Value {
    let text = fs::read_to_string(folder.join("snapshot").join(name)).expect("a document");
    serde_json::from_str(&text).expect("JSON")
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Rules and who they are for, as plainly as can be.
struct Snapshot {
    rules: Vec<Value>,
    groups_of: BTreeMap<String, Vec<String>>,
    members: BTreeMap<String, BTreeSet<IpAddr>>,
    office: Vec<IpNet>,
}

impl Snapshot {
    fn read(folder: &Path) -> Self {
        let (mut groups_of, mut members) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<IpAddr>>::new());
        let interfaces = document(folder, "network-interfaces.json");
        for interface in interfaces["NetworkInterfaces"].as_array().expect("interfaces") {
            let groups = interface["Groups"].as_array().expect("groups");
            let groups: Vec<String> = groups.iter().map(|group| word(&group["GroupId"])).collect();
            let address: IpAddr = word(&interface["PrivateIpAddress"]).parse().expect("an address");
            for group in &groups {
                members.entry(group.clone()).or_default().insert(address);
            }
            groups_of.insert(word(&interface["NetworkInterfaceId"]), groups);
        }
        let rules = document(folder, "security-group-rules.json");
        let lists = document(folder, "managed-prefix-lists.json");
        let list = word(&lists["PrefixLists"][0]["PrefixListId"]);
        let entries = document(folder, &format!("{list}.json"));
        let entries = entries["Entries"].as_array().expect("entries");
        Self {
            rules: rules["SecurityGroupRules"].as_array().expect("rules").clone(),
            groups_of,
            members,
            office: entries.iter().map(|entry| word(&entry["Cidr"]).parse().expect("a network")).collect(),
        }
    }

    /// Whether a rule of the interface allows a packet of this kind in this direction.
    fn allows(&self, interface: &str, egress: bool, protocol: &str, peer: IpAddr, port: i64) -> bool {
        let groups = &self.groups_of[interface];
        self.rules.iter().any(|rule| {
            let names = match rule["IpProtocol"].as_str().expect("a protocol") {
                "tcp" => "6",
                "udp" => "17",
                "icmp" => "1",
                other => other,
            };
            let ports = rule["FromPort"].as_i64().expect("a port")..=rule["ToPort"].as_i64().expect("a port");
            rule["IsEgress"] == egress
                && groups.contains(&word(&rule["GroupId"]))
                && (names == "-1" || names == protocol)
                && (names == "-1" || names == "1" || ports.contains(&port))
                && self.peer(rule, peer)
        })
    }

    fn peer(&self, rule: &Value, peer: IpAddr) -> bool {
        let inside = |cidr: &Value| word(cidr).parse::<IpNet>().is_ok_and(|net| net.contains(&peer));
        let group = word(&rule["ReferencedGroupInfo"]["GroupId"]);
        inside(&rule["CidrIpv4"])
            || inside(&rule["CidrIpv6"])
            || (rule["PrefixListId"].is_string() && self.office.iter().any(|net| net.contains(&peer)))
            || self.members.get(&group).is_some_and(|members| members.contains(&peer))
    }

    /// The same for a packet of a record: by a rule of its own direction, and by one of the other, as an answer.
    fn explains(&self, row: &Row) -> (bool, bool) {
        let egress = row["flow-direction"] == "egress";
        let peer = if egress { &row["dstaddr"] } else { &row["srcaddr"] }.parse().expect("an address");
        let (interface, protocol) = (row["interface-id"].as_str(), row["protocol"].as_str());
        let port = |name: &str| row[name].parse().expect("a port");
        (
            self.allows(interface, egress, protocol, peer, port("dstport")),
            self.allows(interface, !egress, protocol, peer, port("srcport")),
        )
    }
}

/// Rows for which every one of these fields has this value.
fn select<'a>(rows: &'a [Row], wanted: &[(&str, &str)]) -> Vec<&'a Row> {
    rows.iter().filter(|row| wanted.iter().all(|(name, value)| row[*name] == *value)).collect()
}

fn sum(rows: &[&Row], name: &str) -> u64 {
    rows.iter().map(|row| row[name].parse::<u64>().expect("a number")).sum()
}

#[test]
fn one_seed_gives_the_same_bytes_twice() {
    assert_eq!(files(sample(7).path()), files(sample(7).path()));
}

#[test]
fn another_seed_gives_other_records_and_ids() {
    let (one, other) = (sample(1), sample(2));
    assert_ne!(rows(one.path()), rows(other.path()));
    assert_ne!(document(one.path(), "security-groups.json"), document(other.path(), "security-groups.json"));
}

/// FNV-1a over path and content of the files under these folders.
fn hash(folder: &Path, forms: &[&str]) -> String {
    let files = files(folder);
    let chosen = files.iter().filter(|(path, _)| forms.iter().any(|form| path.starts_with(form)));
    let hash = chosen.fold(0xcbf2_9ce4_8422_2325_u64, |hash, (path, content)| {
        let path = path.to_string_lossy().replace('\\', "/");
        path.bytes()
            .chain(content.iter().copied())
            .fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    });
    format!("{hash:016x}")
}

#[test]
fn default_seed_gives_these_bytes_on_every_machine() {
    let sample = sample(DEFAULT_SEED);
    assert_eq!(hash(sample.path(), &["text", "snapshot"]), "8d14e4d6c0480185");
    // A new version of zlib-rs or parquet may change these, and nothing else may.
    assert_eq!(hash(sample.path(), &["gz"]), "e4df26d569c3bd01");
    assert_eq!(hash(sample.path(), &["parquet"]), "6e2551522f0edfa8");
}

#[test]
fn all_three_forms_hold_the_same_records() {
    let sample = sample(DEFAULT_SEED);
    let text = rows(sample.path());
    assert!((5_000..=6_000).contains(&text.len()), "{}", text.len());
    assert_eq!(text, gzip_rows(sample.path()));
    assert_eq!(text, parquet_rows(sample.path()));
}

#[test]
fn records_are_sorted_by_end_and_lie_in_the_week() {
    let sample = sample(DEFAULT_SEED);
    let mut last = START;
    for row in rows(sample.path()) {
        let (start, end): (i64, i64) =
            (row["start"].parse().expect("start"), row["end"].parse().expect("end"));
        assert!(START <= start && start <= end && end < END && end - start < 60, "{row:?}");
        assert!(last <= end, "{row:?}");
        last = end;
    }
}

#[test]
fn the_sample_is_small() {
    for seed in [DEFAULT_SEED, 1] {
        let size: usize = files(sample(seed).path()).values().map(Vec::len).sum();
        assert!(size < 1_600_000, "{size}");
    }
}

#[test]
fn every_interface_of_the_logs_is_in_the_snapshot() {
    let sample = sample(DEFAULT_SEED);
    let snapshot = Snapshot::read(sample.path());
    let logged: BTreeSet<String> =
        rows(sample.path()).iter().map(|row| row["interface-id"].clone()).collect();
    let known: BTreeSet<String> = snapshot.groups_of.into_keys().collect();
    assert_eq!(logged, known);
}

#[test]
fn both_documents_of_rules_hold_the_same_rules() {
    let sample = sample(DEFAULT_SEED);
    let groups = document(sample.path(), "security-groups.json");
    let mut from_groups = Vec::new();
    for group in groups["SecurityGroups"].as_array().expect("groups") {
        for (key, egress) in [("IpPermissions", false), ("IpPermissionsEgress", true)] {
            for permission in group[key].as_array().expect("permissions") {
                for (list, name) in [
                    ("IpRanges", "CidrIp"),
                    ("Ipv6Ranges", "CidrIpv6"),
                    ("PrefixListIds", "PrefixListId"),
                    ("UserIdGroupPairs", "GroupId"),
                ] {
                    for entry in permission[list].as_array().expect("entries") {
                        let ports =
                            ["FromPort", "ToPort"].map(|port| permission[port].as_i64().unwrap_or(-1));
                        let words = [
                            &group["GroupId"],
                            &permission["IpProtocol"],
                            &entry[name],
                            &entry["Description"],
                        ];
                        from_groups.push((words.map(word), egress, ports));
                    }
                }
            }
        }
    }
    let rules = Snapshot::read(sample.path()).rules;
    let mut from_rules: Vec<_> = rules
        .iter()
        .map(|rule| {
            let peers = ["CidrIpv4", "CidrIpv6", "PrefixListId"].map(|key| word(&rule[key]));
            let peer = peers.concat() + &word(&rule["ReferencedGroupInfo"]["GroupId"]);
            let ports = ["FromPort", "ToPort"].map(|port| rule[port].as_i64().expect("a port"));
            let words = [word(&rule["GroupId"]), word(&rule["IpProtocol"]), peer, word(&rule["Description"])];
            (words, rule["IsEgress"].as_bool().expect("a direction"), ports)
        })
        .collect();
    from_groups.sort();
    from_rules.sort();
    assert_eq!(from_groups, from_rules);
    let ids: BTreeSet<String> = rules.iter().map(|rule| word(&rule["SecurityGroupRuleId"])).collect();
    assert_eq!(ids.len(), rules.len());
    assert!(ids.iter().all(|id| id.starts_with("sgr-0") && id.len() == 21));
}

#[test]
fn every_accepted_packet_is_explained_by_a_rule() {
    for seed in [DEFAULT_SEED, 1, 2] {
        let sample = sample(seed);
        let snapshot = Snapshot::read(sample.path());
        for row in select(&rows(sample.path()), &[("action", "ACCEPT")]) {
            let own = snapshot.explains(row);
            assert!(own.0 || own.1 || snapshot.groups_of[&row["interface-id"]].is_empty(), "{row:?}");
        }
    }
}

#[test]
fn only_the_acl_and_closed_connections_refuse_what_a_rule_allows() {
    let sample = sample(DEFAULT_SEED);
    let snapshot = Snapshot::read(sample.path());
    let (mut acl, mut late) = (0, 0);
    for row in select(&rows(sample.path()), &[("action", "REJECT")]) {
        if snapshot.explains(row).0 {
            if row["srcaddr"].starts_with("192.0.2.") {
                acl += 1;
            } else {
                assert!(row["tcp-flags"] == "1" || row["tcp-flags"] == "4", "{row:?}");
                late += 1;
            }
        }
    }
    assert_eq!(acl, 70);
    assert!(late >= 10, "{late}");
}

#[test]
fn the_batch_server_is_refused_by_the_database_all_week() {
    let sample = sample(DEFAULT_SEED);
    let rows = rows(sample.path());
    let attempts = [("srcaddr", "10.20.12.90"), ("dstaddr", "10.20.11.201"), ("dstport", "5432")];
    let refused = [&attempts[..], &[("action", "REJECT"), ("flow-direction", "ingress")]].concat();
    let left = [&attempts[..], &[("action", "ACCEPT"), ("flow-direction", "egress")]].concat();
    assert_eq!(select(&rows, &refused).len(), 336);
    assert_eq!(select(&rows, &left).len(), 336);
    assert_eq!(select(&rows, &[("srcaddr", "10.20.11.201"), ("dstaddr", "10.20.12.90")]).len(), 0);
}

#[test]
fn the_intruder_sweeps_then_logs_in_then_takes_gigabytes_out() {
    let sample = sample(DEFAULT_SEED);
    let rows = rows(sample.path());
    let from_intruder = [("srcaddr", "198.51.100.77"), ("dstaddr", "10.20.1.10")];
    let swept = select(&rows, &[&from_intruder[..], &[("action", "REJECT")]].concat());
    let ports: BTreeSet<&str> = swept.iter().map(|row| row["dstport"].as_str()).collect();
    assert!(ports.len() > 40 && !ports.contains("22"), "{ports:?}");

    let login = select(&rows, &[&from_intruder[..], &[("action", "ACCEPT")]].concat());
    assert!(login.iter().all(|row| row["dstport"] == "22" && row["srcport"] == "51337"));
    assert_eq!(login[0]["start"], "1772678832", "2026-03-05T02:47:12Z");
    assert_eq!(login[0]["tcp-flags"], "2");
    assert!(swept.iter().all(|row| row["end"] < login[0]["start"]));
    assert!(!select(&rows, &[("srcaddr", "10.20.1.10"), ("dstaddr", "198.51.100.77")]).is_empty());

    let hop = select(&rows, &[("srcaddr", "10.20.1.10"), ("srcport", "44210"), ("dstport", "22")]);
    assert_eq!(hop[0]["dstaddr"], "10.20.12.27");
    let out = select(&rows, &[("srcaddr", "10.20.12.27"), ("dstaddr", "203.0.113.200"), ("dstport", "443")]);
    assert_eq!(out.len(), 6);
    assert!(sum(&out, "bytes") > 3_000_000_000, "{}", sum(&out, "bytes"));
    assert!(hop[0]["start"] < out[0]["start"]);
}

#[test]
fn planted_rules_are_hit_or_never_hit_as_told() {
    let sample = sample(DEFAULT_SEED);
    let snapshot = Snapshot::read(sample.path());
    let rows = rows(sample.path());
    let accepted: Vec<Row> = select(&rows, &[("action", "ACCEPT")]).into_iter().cloned().collect();
    let hits = |description: &str| {
        let rule = snapshot.rules.iter().find(|rule| word(&rule["Description"]).starts_with(description));
        let one = Snapshot {
            rules: vec![rule.unwrap_or_else(|| panic!("no rule {description}")).clone()],
            groups_of: snapshot.groups_of.clone(),
            members: snapshot.members.clone(),
            office: snapshot.office.clone(),
        };
        accepted.iter().filter(|row| one.explains(row).0).count()
    };
    for unused in ["MySQL", "DR failover", "OpenVPN", "Locust", "node exporter"] {
        assert_eq!(hits(unused), 0, "{unused}");
    }
    for used in
        ["temporary", "SSH from the offices", "app subnet a", "PostgreSQL from", "ping", "HTTPS from the VPC"]
    {
        assert!(hits(used) > 0, "{used}");
    }
}

#[test]
fn quiet_and_lost_intervals_are_there() {
    let sample = sample(DEFAULT_SEED);
    let rows = rows(sample.path());
    assert_eq!(select(&rows, &[("log-status", "NODATA")]).len(), 336);
    assert_eq!(select(&rows, &[("log-status", "SKIPDATA"), ("action", "-"), ("srcport", "-")]).len(), 3);
}

#[test]
fn the_nat_gateway_shows_itself_and_the_packet_addresses_show_the_ends() {
    let sample = sample(DEFAULT_SEED);
    let rows = rows(sample.path());
    let inside = select(&rows, &[("dstaddr", "10.20.1.5"), ("pkt-dstaddr", "203.0.113.200")]);
    let outside = select(&rows, &[("srcaddr", "10.20.1.5"), ("dstaddr", "203.0.113.200")]);
    let back = select(&rows, &[("srcaddr", "10.20.1.5"), ("pkt-srcaddr", "203.0.113.200")]);
    assert_eq!((inside.len(), outside.len(), back.len()), (6, 6, 6));
    assert!(back.iter().all(|row| row["dstaddr"] == "10.20.12.27" && row["instance-id"] == "-"));
}

#[test]
fn keys_are_the_ones_of_s3() {
    let sample = sample(DEFAULT_SEED);
    for (form, suffix) in [("text", ".log"), ("gz", ".log.gz"), ("parquet", ".log.parquet")] {
        let paths = under(sample.path(), form);
        assert_eq!(paths.len(), 14);
        let first =
            paths[0].strip_prefix(sample.path()).expect("inside").to_string_lossy().replace('\\', "/");
        let folder =
            "AWSLogs/123456789012/vpcflowlogs/eu-west-1/2026/03/02/123456789012_vpcflowlogs_eu-west-1_fl-0";
        assert!(first.starts_with(&format!("{form}/{folder}")), "{first}");
        assert!(first.contains("_20260302T0000Z_") && first.ends_with(suffix), "{first}");
    }
}

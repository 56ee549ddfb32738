//! A folder with logs and snapshots, and the built program run in it.
//!
//! A log is rows written as `INTERFACE SRCADDR DSTADDR SRCPORT DSTPORT PROTOCOL ACTION`; a snapshot is a list of small
//! objects, written as describe-* answers, one file per kind.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The columns of the default format.
pub(crate) const HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes \
                                 start end action log-status";
/// 2026-01-01T00:00:00Z, where rows start unless they say otherwise.
pub(crate) const T0: i64 = 1_767_225_600;
pub(crate) const HOUR: i64 = 3600;
/// The account of every row, group and interface that names no other.
pub(crate) const ACCOUNT: &str = "111111111111";

/// A record of the default format that starts at [`T0`].
pub(crate) fn row(flow: &str) -> String {
    row_at(T0, flow)
}

pub(crate) fn row_at(start: i64, flow: &str) -> String {
    let words: Vec<&str> = flow.split_whitespace().collect();
    let [interface, source, destination, source_port, port, protocol, action] = words[..] else {
        panic!("seven words are a flow: {flow}");
    };
    let end = start + 60;
    format!(
        "2 {ACCOUNT} {interface} {source} {destination} {source_port} {port} {protocol} 3 180 {start} {end} {action} OK"
    )
}

/// A NODATA or SKIPDATA record.
pub(crate) fn silence_at(start: i64, interface: &str, status: &str) -> String {
    format!("2 {ACCOUNT} {interface} - - - - - - - {start} {} - {status}", start + 60)
}

/// The rows below a header line.
pub(crate) fn text_with(header: &str, rows: &[String]) -> String {
    format!("{header}\n{}\n", rows.join("\n"))
}

pub(crate) fn text(rows: &[String]) -> String {
    text_with(HEADER, rows)
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// One object of a describe-* answer.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) kind: &'static str,
    pub(crate) value: Value,
}

pub(crate) fn group(id: &str) -> Object {
    let value = json!({
        "GroupId": id, "GroupName": id, "OwnerId": ACCOUNT, "VpcId": "vpc-1",
        "IpPermissions": [], "IpPermissionsEgress": [],
    });
    Object { kind: "SecurityGroups", value }
}

pub(crate) fn interface(id: &str, address: &str, groups: &[&str]) -> Object {
    let groups: Vec<Value> = groups.iter().map(|group| json!({ "GroupId": group })).collect();
    let value = json!({
        "NetworkInterfaceId": id, "InterfaceType": "interface", "OwnerId": ACCOUNT, "VpcId": "vpc-1",
        "SubnetId": "subnet-1", "Groups": groups, "PrivateIpAddress": address,
        "PrivateIpAddresses": [{ "PrivateIpAddress": address, "Primary": true }],
    });
    Object { kind: "NetworkInterfaces", value }
}

/// A network ACL of `subnet-1`.
pub(crate) fn acl(id: &str) -> Object {
    let value = json!({
        "NetworkAclId": id, "OwnerId": ACCOUNT, "VpcId": "vpc-1", "Entries": [],
        "Associations": [{ "NetworkAclId": id, "SubnetId": "subnet-1" }],
    });
    Object { kind: "NetworkAcls", value }
}

pub(crate) fn subnet(id: &str, range: &str) -> Object {
    let value = json!({ "SubnetId": id, "VpcId": "vpc-1", "OwnerId": ACCOUNT, "CidrBlock": range });
    Object { kind: "Subnets", value }
}

pub(crate) fn vpc(range: &str) -> Object {
    Object { kind: "Vpcs", value: json!({ "VpcId": "vpc-1", "OwnerId": ACCOUNT, "CidrBlock": range }) }
}

pub(crate) fn flow_log(resource: &str, traffic_type: &str) -> Object {
    let value = json!({
        "FlowLogId": format!("fl-{resource}"), "ResourceId": resource, "TrafficType": traffic_type,
        "FlowLogStatus": "ACTIVE",
    });
    Object { kind: "FlowLogs", value }
}

pub(crate) fn prefix_list(id: &str, ranges: &[&str]) -> Object {
    Object { kind: "PrefixLists", value: json!({ "PrefixListId": id, "Cidrs": ranges }) }
}

/// One permission with one source, told by its spelling.
fn permission(protocol: &str, from: i64, to: i64, peer: &str) -> Value {
    let (key, source) = match peer {
        _ if peer.starts_with("sg-") => ("UserIdGroupPairs", json!({ "GroupId": peer, "UserId": ACCOUNT })),
        _ if peer.starts_with("pl-") => ("PrefixListIds", json!({ "PrefixListId": peer })),
        _ if peer.contains(':') => ("Ipv6Ranges", json!({ "CidrIpv6": peer })),
        _ => ("IpRanges", json!({ "CidrIp": peer })),
    };
    let mut permission = json!({ "IpProtocol": protocol, key: [source] });
    if protocol != "-1" {
        permission["FromPort"] = from.into();
        permission["ToPort"] = to.into();
    }
    permission
}

impl Object {
    pub(crate) fn ingress(self, protocol: &str, from: i64, to: i64, peer: &str) -> Self {
        self.push("IpPermissions", permission(protocol, from, to, peer))
    }

    pub(crate) fn egress(self, protocol: &str, from: i64, to: i64, peer: &str) -> Self {
        self.push("IpPermissionsEgress", permission(protocol, from, to, peer))
    }

    /// An entry of an ACL for every protocol and port.
    pub(crate) fn entry(self, number: u32, egress: bool, action: &str, range: &str) -> Self {
        let entry = json!({
            "RuleNumber": number, "Egress": egress, "RuleAction": action, "Protocol": "-1", "CidrBlock": range,
        });
        self.push("Entries", entry)
    }

    /// Sets a key.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.value[key] = value.into();
        self
    }

    /// Adds to a list.
    pub(crate) fn push(mut self, key: &str, value: Value) -> Self {
        match &mut self.value[key] {
            Value::Array(list) => list.push(value),
            other => *other = json!([value]),
        }
        self
    }
}

/// The objects as describe-* answers: (kind, document).
pub(crate) fn documents(objects: &[Object]) -> BTreeMap<&'static str, Value> {
    let mut documents = BTreeMap::new();
    for object in objects {
        let document = documents.entry(object.kind).or_insert_with(|| json!({ object.kind: [] }));
        document[object.kind].as_array_mut().unwrap().push(object.value.clone());
    }
    documents
}

/// A folder of its own for one test; the program runs in it, so paths are short.
#[derive(Debug)]
pub(crate) struct Fixture {
    folder: TempDir,
    /// When the next file was written. Each has a second of its own, as deliveries have: files of one name, size and time
    /// are copies of each other, and two writes may fall into one tick of the clock.
    next: Mutex<SystemTime>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let yesterday = SystemTime::now() - Duration::from_secs(86_400);
        Self { folder: TempDir::new().unwrap(), next: Mutex::new(yesterday) }
    }

    /// With the rows as `log` and the objects as `snap`, analyzed at once.
    pub(crate) fn analyzed(objects: &[Object], rows: &[String], options: &[&str]) -> Run {
        let fixture = Self::new();
        fixture.log("log", rows);
        fixture.snapshot("snap", objects);
        fixture.analyze(&[&["log", "--snapshot", "snap"], options].concat()).exit(0)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = File::create(path).unwrap();
        file.write_all(bytes.as_ref()).unwrap();
        let mut next = self.next.lock().unwrap();
        file.set_modified(*next).unwrap();
        *next += Duration::from_secs(1);
    }

    /// A log of the default format.
    pub(crate) fn log(&self, name: &str, rows: &[String]) {
        self.write(name, text(rows));
    }

    /// A folder with one file per kind.
    pub(crate) fn snapshot(&self, name: &str, objects: &[Object]) {
        std::fs::create_dir_all(self.path(name)).unwrap();
        for (kind, document) in documents(objects) {
            self.write(&format!("{name}/{kind}.json"), document.to_string());
        }
    }

    /// `flowaudit` with these arguments, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowaudit"));
        command.args(arguments).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command
    }

    /// `flowaudit analyze … --format json`.
    pub(crate) fn analyze(&self, arguments: &[&str]) -> Run {
        self.run(&[&["analyze"], arguments, &["--format", "json"]].concat())
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(arguments, self.command(arguments).output().unwrap())
    }

    /// The same with something on the standard input.
    pub(crate) fn analyze_piped(&self, arguments: &[&str], input: &[u8]) -> Run {
        let arguments = [&["analyze"], arguments, &["--format", "json"]].concat();
        let mut command = self.command(&arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Run::of(&arguments, child.wait_with_output().unwrap())
    }
}

/// What a run said. Where a test fails, it says so again.
#[derive(Debug)]
pub(crate) struct Run {
    command: String,
    pub(crate) status: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    /// The report; null where there is none.
    pub(crate) json: Value,
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let stdout = String::from_utf8_lossy(&self.stdout);
            eprintln!("$ {}\n--- stdout\n{stdout}\n--- stderr\n{}---", self.command, self.stderr);
        }
    }
}

impl Run {
    fn of(arguments: &[&str], output: std::process::Output) -> Self {
        Self {
            command: format!("flowaudit {}", arguments.join(" ")),
            status: output.status.code(),
            json: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts the exit status; 0, 1 and 3 come with a report, 2 never does.
    #[track_caller]
    pub(crate) fn exit(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status));
        assert_eq!(self.json.is_null(), status == 2, "a report on stdout");
        self
    }

    /// A value by JSON pointer.
    #[track_caller]
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"))
    }

    #[track_caller]
    fn list(&self, pointer: &str) -> &[Value] {
        self.at(pointer).as_array().unwrap()
    }

    /// The rule of this key.
    #[track_caller]
    pub(crate) fn rule(&self, key: &str) -> &Value {
        let mut rules = self.list("/rules").iter().filter(|rule| rule["rule_key"] == key);
        let rule = rules.next().unwrap_or_else(|| panic!("no rule {key}"));
        assert!(rules.next().is_none(), "{key} twice");
        rule
    }

    pub(crate) fn keys(&self) -> Vec<&str> {
        self.list("/rules").iter().map(|rule| rule["rule_key"].as_str().unwrap()).collect()
    }

    #[track_caller]
    pub(crate) fn usage(&self, key: &str, figure: &str) -> u64 {
        self.rule(key)["usage"][figure].as_u64().unwrap_or_else(|| panic!("{key}: {figure} is no number"))
    }

    /// `VERDICT`, `VERDICT confidence`, and the reasons behind it in brackets.
    #[track_caller]
    pub(crate) fn verdict(&self, key: &str) -> String {
        let usage = &self.rule(key)["usage"];
        let mut text = usage["verdict"].as_str().unwrap().to_owned();
        if let Some(confidence) = usage["confidence"].as_str() {
            text = format!("{text} {confidence}");
        }
        let reasons: Vec<&str> =
            usage["reasons"].as_array().unwrap().iter().map(|reason| reason.as_str().unwrap()).collect();
        if reasons.is_empty() { text } else { format!("{text} [{}]", reasons.join(", ")) }
    }

    /// Keys of the rules with this verdict.
    pub(crate) fn with_verdict(&self, verdict: &str) -> Vec<&str> {
        let rules = self.list("/rules").iter().filter(|rule| rule["usage"]["verdict"] == verdict);
        rules.map(|rule| rule["rule_key"].as_str().unwrap()).collect()
    }

    pub(crate) fn findings(&self, kind: &str) -> Vec<&Value> {
        self.list("/findings").iter().filter(|finding| finding["kind"] == kind).collect()
    }

    /// Ids of the findings of a kind, without the kind.
    pub(crate) fn finding_ids(&self, kind: &str) -> Vec<String> {
        let id = |finding: &&Value| finding["id"].as_str().unwrap()[kind.len() + 1..].to_owned();
        self.findings(kind).iter().map(id).collect()
    }

    #[track_caller]
    pub(crate) fn finding(&self, id: &str) -> &Value {
        let found = self.list("/findings").iter().find(|finding| finding["id"] == id);
        found.unwrap_or_else(|| panic!("no finding {id}"))
    }

    #[track_caller]
    pub(crate) fn records(&self, figure: &str) -> u64 {
        self.at("/coverage/records")[figure].as_u64().unwrap()
    }

    #[track_caller]
    pub(crate) fn outcome(&self, figure: &str) -> u64 {
        self.at("/coverage/attribution")[figure].as_u64().unwrap()
    }

    #[track_caller]
    pub(crate) fn basis(&self, basis: &str) -> u64 {
        self.at("/coverage/attribution/basis")[basis].as_u64().unwrap()
    }

    /// `INTERFACE DIRECTION PROTOCOL PORT CAUSE RECORDS` of each blocked row.
    pub(crate) fn blocked(&self) -> Vec<String> {
        let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let columns = ["interface_id", "direction", "protocol", "port", "cause", "records"];
        let text = |row: &Value| columns.map(|column| word(&row[column])).join(" ");
        self.list("/blocked").iter().map(text).collect()
    }

    /// The report without what depends on how the records lay in files.
    pub(crate) fn apart_from_files(&self) -> Value {
        let mut report = self.json.clone();
        let coverage = report["coverage"].as_object_mut().unwrap();
        coverage.remove("files").unwrap();
        coverage.remove("faults").unwrap();
        report
    }
}

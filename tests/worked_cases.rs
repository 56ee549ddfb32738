//! The worked cases of the definition: figures of an independent implementation, which `naive` must give exactly.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on says so")]

#[path = "common/shared.rs"]
mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;

use flowaudit::attribution::naive::{Answer, attribute};
use flowaudit::attribution::{BASES, Cause};
use flowaudit::flow::{Action, Direction, Entry, OwnedFlow, RejectReason, TCP, Traffic};
use flowaudit::rules::load;
use flowaudit::rules::timeline::Timeline;
use serde_json::Value;

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn timeline(folder: &Path, snapshots: &[(&str, &str)]) -> Timeline {
    let arguments: Vec<String> =
        snapshots.iter().map(|(at, name)| format!("{at}{}", folder.join(name).display())).collect();
    Timeline::build(load::load(&arguments).unwrap().snapshots)
}

/// Every record of a log or of a folder of logs, in order.
fn flows(path: &Path) -> Vec<OwnedFlow> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        files = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
    }
    let mut flows = Vec::new();
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let mut text = String::new();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
        } else {
            text = String::from_utf8(bytes).unwrap();
        }
        let mut header = Vec::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            if words.contains(&"log-status") {
                header = words;
            } else {
                flows.push(flow(&header.iter().copied().zip(words).collect()));
            }
        }
    }
    flows
}

fn flow(fields: &BTreeMap<&str, &str>) -> OwnedFlow {
    let text = |name: &str| fields.get(name).copied().filter(|text| *text != "-");
    let number = |name: &str| text(name).map(|text| text.parse::<u64>().unwrap());
    let seconds = |name: &str| number(name).map(|number| i64::try_from(number).unwrap());
    let port = |name: &str| u16::try_from(number(name).unwrap_or(0)).unwrap();
    let address = |name: &str| text(name).map(|text| text.parse().unwrap());
    let bytes = |name: &str| text(name).unwrap_or_default().as_bytes().to_vec();
    let protocol = number("protocol").map(|number| u8::try_from(number).unwrap());
    let entry = match text("log-status") {
        Some("NODATA") => Entry::NoData,
        Some("SKIPDATA") => Entry::SkipData,
        _ => Entry::Traffic(Traffic {
            action: if text("action") == Some("ACCEPT") { Action::Accept } else { Action::Reject },
            direction: text("flow-direction").map(|word| match word {
                "ingress" => Direction::Ingress,
                _ => Direction::Egress,
            }),
            protocol: protocol.unwrap(),
            srcaddr: address("srcaddr").unwrap(),
            dstaddr: address("dstaddr").unwrap(),
            pkt_srcaddr: address("pkt-srcaddr"),
            pkt_dstaddr: address("pkt-dstaddr"),
            srcport: port("srcport"),
            dstport: port("dstport"),
            packets: number("packets").unwrap_or(0),
            bytes: number("bytes").unwrap_or(0),
            tcp_flags: number("tcp-flags")
                .filter(|_| protocol == Some(TCP))
                .map(|flags| u8::try_from(flags).unwrap()),
            ports: flowaudit::flow::PortFields::Logged,
            reject_reason: text("reject-reason").and_then(|word| match word {
                "BPA" => Some(RejectReason::BlockPublicAccess),
                "EC" => Some(RejectReason::EncryptionControl),
                _ => None,
            }),
        }),
    };
    OwnedFlow {
        interface_id: bytes("interface-id"),
        account_id: bytes("account-id"),
        vpc_id: bytes("vpc-id"),
        start: seconds("start"),
        end: seconds("end"),
        entry,
    }
}

/// The answer in the shape of expected.json.
fn written(timeline: &Timeline, answer: &Answer) -> BTreeMap<String, Value> {
    let mut rows = BTreeMap::new();
    let mut put = |key: String, value: Value| assert!(rows.insert(key.clone(), value).is_none(), "{key}");
    let records = &answer.records;
    put("outcome total".to_owned(), records.total.into());
    put("outcome accepted".to_owned(), records.accepted.into());
    put("outcome rejected".to_owned(), records.rejected.into());
    put("outcome no_data".to_owned(), records.no_data.into());
    put("outcome skip_data".to_owned(), records.skip_data.into());
    for (name, count) in &answer.outcomes {
        put(format!("outcome {name}"), (*count).into());
    }
    for basis in BASES {
        let name = serde_json::to_value(basis).unwrap();
        put(format!("basis {}", name.as_str().unwrap()), answer.basis[&basis].into());
    }
    let mut causes: BTreeMap<Cause, u64> = BTreeMap::new();
    for ((interface, direction, protocol, port, cause), blocked) in &answer.blocked {
        *causes.entry(*cause).or_default() += blocked.records;
        let direction = direction.map_or("null", Direction::as_str);
        let key = format!("blocked {interface} {direction} {protocol} {port} {}", cause.as_str());
        put(key, blocked.records.into());
    }
    for (cause, count) in causes {
        put(format!("cause {}", cause.as_str()), count.into());
    }
    let attached: BTreeSet<&String> = timeline
        .states
        .iter()
        .flat_map(|state| state.interfaces.values())
        .flat_map(|interface| &interface.group_ids)
        .collect();
    for (rule, usage) in timeline.rules.iter().zip(&answer.rules) {
        let verdict = match usage {
            used if used.records + used.reply_records > 0 => "used",
            possibly if possibly.possible_records > 0 => "possibly_used",
            _ if !attached.contains(&rule.group_id) => "unattached",
            _ => "not_seen",
        };
        let figures = serde_json::json!({
            "group_id": rule.group_id,
            "direction": rule.direction,
            "verdict": verdict,
            "first_seen": usage.first_seen,
            "last_seen": usage.last_seen,
            "records": usage.records,
            "reply_records": usage.reply_records,
            "possible_records": usage.possible_records,
            "sole_records": usage.sole_records,
            "possible_sole_records": usage.possible_sole_records,
            "bytes": usage.bytes,
            "packets": usage.packets,
        });
        put(format!("rule {}", rule.key()), figures);
    }
    rows.retain(|_, value| *value != 0);
    rows
}

/// expected.json in the same shape.
fn expected(path: &Path) -> BTreeMap<String, Value> {
    let expected = json(path);
    let mut rows: BTreeMap<String, Value> = BTreeMap::new();
    for (part, name) in [("outcome", "outcome"), ("basis", "basis"), ("causes", "cause"), ("rules", "rule")] {
        for (key, value) in expected[part].as_object().unwrap() {
            rows.insert(format!("{name} {key}"), value.clone());
        }
    }
    let mut blocked: BTreeMap<String, u64> = BTreeMap::new();
    for row in expected["blocked"].as_array().unwrap() {
        let word = |at: usize| row[at].as_str().map_or_else(|| row[at].to_string(), str::to_owned);
        let key = format!("blocked {} {} {} {} {}", word(0), word(1), word(2), word(3), word(4));
        *blocked.entry(key).or_default() += row[5].as_u64().unwrap();
    }
    rows.extend(blocked.into_iter().map(|(key, count)| (key, count.into())));
    rows.retain(|_, value| *value != 0);
    rows
}

fn check(folder: &Path, timeline: &Timeline, logs: &str, figures: &str) -> Answer {
    let flows = flows(&folder.join(logs));
    let answer = attribute(timeline, &flows);
    let (ours, theirs) = (written(timeline, &answer), expected(&folder.join(figures)));
    let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let differ: Vec<String> = keys
        .into_iter()
        .filter(|key| ours.get(*key) != theirs.get(*key))
        .map(|key| format!("{key}: ours {:?}, expected {:?}", ours.get(key), theirs.get(key)))
        .collect();
    assert!(differ.is_empty(), "{} figures differ:\n{}", differ.len(), differ.join("\n"));
    answer
}

const TWO: [(&str, &str); 2] = [("2026-01-01T00:00:00Z=", "snap-0"), ("2026-01-01T12:00:00Z=", "snap-1")];

#[test]
fn one_snapshot() {
    for name in ["one-snapshot", "default-format"] {
        let Some(folder) = shared::shared(&format!("cases/{name}")) else { return };
        check(&folder, &timeline(&folder, &[("", "snap-0")]), "logs", "expected.json");
    }
}

#[test]
fn two_snapshots() {
    for name in ["two-snapshots", "default-format-two-snapshots"] {
        let Some(folder) = shared::shared(&format!("cases/{name}")) else { return };
        check(&folder, &timeline(&folder, &TWO), "logs", "expected.json");
    }
}

#[test]
fn believable_traffic_and_the_truth_about_it() {
    let Some(folder) = shared::shared("cases/believable") else { return };
    let timeline = timeline(&folder, &[("", "snap-0")]);
    let truth = json(&folder.join("truth.json"));
    for (log, figures) in [("v2.log", "expected-v2.json"), ("v5.log", "expected-v5.json")] {
        let answer = check(&folder, &timeline, log, figures);
        for (rule, usage) in timeline.rules.iter().zip(&answer.rules) {
            let key = rule.key();
            let really = truth["used"].get(&key).and_then(Value::as_u64).unwrap_or(0) > 0;
            let used = usage.records + usage.reply_records > 0;
            let unused = !used && usage.possible_records == 0;
            assert!(!(really && unused), "{log}: {key} admitted connections and is called unused");
            assert!(really || !used, "{log}: {key} admitted nothing and is called used");
        }
    }
}

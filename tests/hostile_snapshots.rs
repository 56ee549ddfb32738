//! Snapshots come from anywhere: damaged or odd ones are refused or left aside, never a crash.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::fs;
use std::path::Path;

use flowaudit::attribution::index::Index;
use flowaudit::rules::load::load;
use flowaudit::rules::timeline::Timeline;
use proptest::prelude::*;

const DOCUMENTS: [&str; 6] = [
    "security-groups.json",
    "security-group-rules.json",
    "network-interfaces.json",
    "network-acls.json",
    "subnets.json",
    "flow-logs.json",
];

/// One change to a file.
#[derive(Debug, Clone)]
enum Damage {
    Flip(usize, u8),
    Truncate(usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
    /// Puts one JSON value where another stands.
    Value(usize, &'static str),
}

fn damage() -> impl Strategy<Value = Damage> {
    let odd = [
        "null",
        "{}",
        "[]",
        "-1",
        "1e400",
        "99999999999999999999",
        "\"\"",
        "true",
        "65536",
        "\"sg-\\u0000\"",
        "-2",
        "[null]",
        "[{}]",
        "\"10.0.0.0/33\"",
        "\"::/0\"",
        "\"999.1.1.1\"",
    ];
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Flip(at, byte)),
        any::<usize>().prop_map(Damage::Truncate),
        (any::<usize>(), proptest::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (any::<usize>(), 1_usize..400).prop_map(|(at, length)| Damage::Repeat(at, length)),
        (any::<usize>(), proptest::sample::select(odd.to_vec()))
            .prop_map(|(at, value)| Damage::Value(at, value)),
    ]
}

fn damaged(bytes: &[u8], damage: &Damage) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    // Nothing is left to damage of what was cut off at its beginning.
    if bytes.is_empty() {
        return bytes;
    }
    let length = bytes.len();
    match damage {
        Damage::Flip(at, byte) => bytes[at % length] ^= byte,
        Damage::Truncate(at) => bytes.truncate(at % length),
        Damage::Insert(at, inserted) => {
            let at = at % length;
            bytes.splice(at..at, inserted.iter().copied());
        }
        Damage::Repeat(at, count) => {
            let at = at % length;
            let piece = bytes[at..(at + count).min(length)].to_vec();
            bytes.splice(at..at, piece);
        }
        Damage::Value(at, value) => {
            // The value after the next colon, up to the end of its line.
            let from = at % length;
            if let Some(colon) = bytes[from..].iter().position(|byte| *byte == b':') {
                let start = from + colon + 1;
                let end =
                    start + bytes[start..].iter().position(|byte| matches!(byte, b',' | b'\n')).unwrap_or(0);
                bytes.splice(start..end, value.bytes());
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_snapshot_never_crashes(document in 0..DOCUMENTS.len(), changes in proptest::collection::vec(damage(), 1..4)) {
        let names = DOCUMENTS.map(str::to_owned);
        damage_one("sample-logs/snapshot", &names, document, &changes)?;
    }

    #[test]
    fn nor_does_one_of_alibaba_cloud(document in any::<usize>(), changes in proptest::collection::vec(damage(), 1..4)) {
        let folder = "sample-logs/alibaba/snapshot";
        let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        damage_one(folder, &names, document % names.len(), &changes)?;
    }
}

/// Loads a sample of which one document is damaged.
fn damage_one(
    folder: &str,
    names: &[String],
    document: usize,
    changes: &[Damage],
) -> Result<(), TestCaseError> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let folder = tempfile::tempdir().unwrap();
    for (at, name) in names.iter().enumerate() {
        let mut bytes = fs::read(samples.join(name)).unwrap();
        if at == document {
            bytes = changes.iter().fold(bytes, |bytes, change| damaged(&bytes, change));
        }
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    match load(&[folder.path().display().to_string()]) {
        Ok(loaded) => {
            prop_assert_eq!(loaded.documents.len(), names.len());
            let timeline = Timeline::build(loaded.snapshots);
            let _ = Index::build(&timeline);
        }
        Err(error) => prop_assert!(error.to_string().contains(&names[document]), "{}", error),
    }
    Ok(())
}

#[test]
fn broken_json_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sg.json");
    fs::write(&file, "{\"SecurityGroups\": [\n  {\"GroupId\": \"sg-1\",}\n]}").unwrap();
    let error = load(&[folder.path().display().to_string()]).unwrap_err().to_string();
    assert_eq!(error, format!("{}: line 2, column 22: broken JSON: trailing comma", file.display()));
}

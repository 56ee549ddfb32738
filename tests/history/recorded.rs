//! Documents that others recorded, where they are at hand: nothing in them is left unread.

use std::collections::BTreeSet;

use flowaudit::cli::Access;
use flowaudit::rules::load::load;
use flowaudit::rules::state::State;
use flowaudit::rules::timeline::Timeline;
use flowaudit::snapshot::{self, diff};
use flowaudit::time;

use crate::shared::shared;

const GROUP: &str = "sg-04cfb7a4712d75b00";

/// `in tcp 22-22 0.0.0.0/0`; None: there is no such group.
fn rules(timeline: &Timeline, state: &State) -> Option<BTreeSet<String>> {
    let rules = state.groups.get(GROUP)?.rules.iter().map(|rule| timeline.rules[rule.index()].key());
    Some(rules.map(|key| key.trim_start_matches(GROUP).trim_start_matches(':').to_owned()).collect())
}

#[test]
fn a_recorded_trail_yields_the_life_of_its_group() {
    let Some(folder) = shared("data/cloudtrail") else { return };
    let loaded = load(&[folder.display().to_string()]).unwrap();
    assert!(loaded.documents.iter().all(|note| note.left_aside.is_none() && note.missed.is_none()));
    let timeline = Timeline::with_changes(loaded.snapshots, &loaded.trail);
    let world = "egress:-1:-1--1:0.0.0.0/0";
    let all = "egress:-1:-1--1:::/0";
    let (https, ssh) = ("ingress:tcp:443-443:0.0.0.0/0", "ingress:tcp:22-22:0.0.0.0/0");
    let life: [(&str, Option<&[&str]>); 9] = [
        ("12:10:00", None),
        ("12:10:01", Some(&[world])),
        // The default egress is revoked; that of ::/0, which was not there, fails.
        ("12:10:04", Some(&[])),
        ("12:10:05", Some(&[https])),
        ("12:10:06", Some(&[https, world, all])),
        ("12:10:08", Some(&[https, ssh, world, all])),
        ("12:11:00", Some(&[https, ssh, world, all])),
        ("12:11:57", Some(&[https, world, all])),
        ("12:12:06", None),
    ];
    for (at, expected) in life {
        let second = time::parse(&format!("2023-07-10T{at}Z")).unwrap();
        let (state, _) = timeline.at(Some(second)).unwrap();
        let expected = expected.map(|rules| rules.iter().map(|rule| (*rule).to_owned()).collect());
        assert_eq!(rules(&timeline, &timeline.states[state]), expected, "{at}");
    }
}

#[test]
fn recorded_configuration_items_and_plans_are_read_to_the_end() {
    let Some(folder) = shared("data") else { return };
    for kind in ["config", "terraform"] {
        let loaded = load(&[folder.join(kind).display().to_string()]).unwrap();
        for (note, contents) in loaded.documents.iter().zip(&loaded.contents) {
            let said = (note.left_aside.as_ref(), note.missed.as_ref());
            assert_eq!(said, (None, None), "{}", note.file);
            assert!(
                !contents.changes.is_empty()
                    || contents.objects.groups.is_some()
                    || contents.proposed.is_some(),
                "{}",
                note.file
            );
        }
    }
}

#[test]
fn recorded_plans_open_what_their_labels_say() {
    let Some(folder) = shared("data/terraform") else { return };
    let plan = folder.join("ingress_anywhere_ssh_infra.json").display().to_string();
    let history = snapshot::read(&[plan], &Access::default()).unwrap();
    let proposed = diff::proposed(&history).unwrap();
    let added = diff::diff(&history.timeline, &proposed).rules.added;
    assert!(!added.is_empty());
    for line in added {
        let opens = line.rule_key.contains("0.0.0.0/0") || line.rule_key.contains("::/0");
        let open_to_ssh =
            opens && proposed.rules.iter().any(|rule| rule.key() == line.rule_key && rule.allows_port(6, 22));
        let invalid = line.rule_key.contains("invalid_");
        assert_eq!(open_to_ssh, invalid, "{}", line.rule_key);
    }
}

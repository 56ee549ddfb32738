//! Narrower rules in place of wide ones.

use std::collections::BTreeSet;

use super::{Addition, Advice, Ask, Heads, Step};
use crate::findings::wider::{Narrower, Room};
use crate::flow::Direction;
use crate::render::text::figures::closed;
use crate::report::Report;
use crate::rules::timeline::{Label, Timeline};
use crate::rules::{Peer, Rule};

/// What a report advises to make narrower, one rule after the other, in an order in which there is room.
pub(super) fn steps(report: &Report, timeline: &Timeline) -> Vec<Step> {
    let going: BTreeSet<&str> = report.removal_set.rules.iter().map(String::as_str).collect();
    let mut steps = Vec::new();
    let mut added: BTreeSet<&Rule> = BTreeSet::new();
    for narrower in report.narrower() {
        let mut because = format!(
            "wider than used; narrower rules close {} of what was not",
            closed(narrower.over_exposure)
        );
        if narrower.cuts {
            because.push_str("; replies pass by it untracked, so that connections that are open are cut");
        }
        let index = narrower.rule.index();
        let held = held(narrower, &timeline.rules[index], &going);
        let old = &timeline.labels[index];
        // Two wide rules may shrink to the same one. What is held back puts nothing in.
        let new = narrower.by.iter().filter(|rule| held.is_some() || added.insert(rule));
        let label = || Label { rule_id: None, ..old.clone() };
        steps.push(Step {
            added: new.map(|rule| Addition { rule: rule.clone(), label: label() }).collect(),
            removed: vec![Advice { rule: narrower.rule, because, ask: Ask::No }],
            held,
        });
    }
    steps
}

/// Why somebody has to look first.
fn held(narrower: &Narrower, old: &Rule, going: &BTreeSet<&str>) -> Option<&'static str> {
    let is_world = |rule: &Rule| matches!(&rule.peer, Peer::Cidr(net) if net.prefix_len() == 0);
    let closes = is_world(old) && old.direction == Direction::Ingress && !narrower.by.iter().all(is_world);
    match narrower.room {
        _ if narrower.by.iter().any(|rule| going.contains(rule.key().as_str())) => Some(WAITS),
        Room::None => Some(FULL),
        Room::Unknown => Some(LIST),
        Room::Beside => closes.then_some(WORLD),
    }
}

const WAITS: &str = "waits for removal.txt, which takes away what would stand in its place: do that first, then run analyze again";
const FULL: &str = "no room for the new beside the old (quota of rules): take another rule away first, or ask for a larger quota";
const LIST: &str =
    "a list counts as the entries that it may get (MaxEntries): see first that there is room for it twice";
const WORLD: &str = "open to the world so far: ask its owner first whether those who came are all who may";

pub(super) const NARROWING: Heads = Heads {
    apply: "#!/bin/sh
# Made by flowaudit on @MADE@. Nothing has been executed. Read every line before you run any.
#
# Puts narrower rules in, and takes the wide one out then, one rule after the other. They cover what the logs show, and nothing that comes once a year.
# Connections that are open keep working when a rule goes, as they are tracked until they end: what breaks may show
# days later. Take a few groups at a time, and keep narrow-undo.sh at hand.
#
# The first command that fails ends the script.
set -eu
",
    undo: "#!/bin/sh
# Made by flowaudit on @MADE@. Puts back exactly the wide rules that narrow.sh takes out, and takes out then what it puts in.
# A rule that comes back has a new id.
#
# Where a wide rule cannot be put back, or is there already, what took its place stays.
",
    list: "# Made by flowaudit on @MADE@. Rules to take out, and (+) to put in. See what that would do:
#   flowaudit replay LOG... --snapshot PATH --proposed narrow.txt
",
    instead: "make it narrower in the configuration",
};

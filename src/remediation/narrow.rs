//! Narrower rules in place of wide ones.

use std::collections::BTreeSet;

use super::{Addition, Advice, Ask, Heads, Step};
use crate::findings::wider::{Narrower, Room};
use crate::render::text::figures::closed;
use crate::report::Report;
use crate::rules::Rule;
use crate::rules::timeline::{Label, Timeline};

/// What a report advises to make narrower, one rule after the other, in an order in which there is room. What would have to stand
/// on a rule that the removal set takes away waits until that is gone.
pub(super) fn steps(report: &Report, timeline: &Timeline) -> Vec<Step> {
    let removed: BTreeSet<&str> = report.removal_set.rules.iter().map(String::as_str).collect();
    let stays = |narrower: &&Narrower| !narrower.by.iter().any(|rule| removed.contains(rule.key().as_str()));
    let mut steps = Vec::new();
    let mut added: BTreeSet<&Rule> = BTreeSet::new();
    for narrower in report.narrower().filter(stays) {
        let mut because = format!(
            "wider than used; narrower rules close {} of what was not",
            closed(narrower.over_exposure)
        );
        if narrower.cuts {
            because.push_str("; replies pass by it untracked, so that connections that are open are cut");
        }
        let old = &timeline.labels[narrower.rule.index()];
        // Two wide rules may shrink to the same one.
        let new = narrower.by.iter().filter(|rule| added.insert(rule));
        let label = || Label { rule_id: None, ..old.clone() };
        steps.push(Step {
            added: new.map(|rule| Addition { rule: rule.clone(), label: label() }).collect(),
            removed: vec![Advice { rule: narrower.rule, because, ask: Ask::No }],
            held: (narrower.room == Room::None).then_some(FULL),
        });
    }
    steps
}

/// The remedy is with whoever knows the group.
const FULL: &str = "no room for the new beside the old (quota of rules): take another rule away first, or ask for a larger quota";

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

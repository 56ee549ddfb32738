//! Narrower rules in place of wide ones.

use std::collections::BTreeSet;

use super::{Addition, Advice, Ask, Change, Heads};
use crate::findings::wider::Narrower;
use crate::render::text::figures::closed;
use crate::report::Report;
use crate::rules::Rule;
use crate::rules::timeline::{Label, Timeline};

/// What a report advises to make narrower. What would have to stand on a rule that the removal set takes away waits until that is
/// gone.
pub(super) fn change(report: &Report, timeline: &Timeline) -> Change {
    let removed: BTreeSet<&str> = report.removal_set.rules.iter().map(String::as_str).collect();
    let stays = |narrower: &&Narrower| !narrower.by.iter().any(|rule| removed.contains(rule.key().as_str()));
    let mut change = Change::default();
    let mut added: BTreeSet<Rule> = BTreeSet::new();
    for narrower in report.narrower().filter(stays) {
        let because = format!(
            "wider than used; narrower rules close {} of what was not",
            closed(narrower.over_exposure)
        );
        change.removed.push(Advice { rule: narrower.rule, because, ask: Ask::No });
        let old = &timeline.labels[narrower.rule.index()];
        for rule in &narrower.by {
            // Two wide rules may shrink to the same one.
            if added.insert(rule.clone()) {
                let label = Label { rule_id: None, ..old.clone() };
                change.added.push(Addition { rule: rule.clone(), label });
            }
        }
    }
    change
}

pub(super) const NARROWING: Heads = Heads {
    apply: "#!/bin/sh
# Made by flowaudit on @MADE@. Nothing has been executed. Read every line before you run any.
#
# Puts narrower rules in, and takes the wide ones out then. They cover what the logs show, and nothing that comes once a year.
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
# A command that fails because it is done already does no harm; the others go on.
",
    list: "# Made by flowaudit on @MADE@. Rules to take out, and (+) to put in. See what that would do:
#   flowaudit replay LOG... --snapshot PATH --proposed narrow.txt
",
};

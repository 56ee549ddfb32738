//! The changes of one second: a trail does not tell in which order they were made.
//!
//! A rule that is there can only be revoked first and authorized again then; one that is not there must have been
//! authorized, or made by a modification, before it was revoked; and what is revoked can be modified no more. What the
//! groups of an interface came to when they were set twice, nothing tells.

use std::collections::{BTreeMap, BTreeSet};

use super::{Groups, Known, Parts};
use crate::rules::Rule;
use crate::rules::aws::RuleDocument;
use crate::rules::change::{Change, What};

impl Parts {
    /// Does what the changes of one second did.
    pub(in crate::rules) fn apply_all(&mut self, changes: &[&Change], known: Known<'_>) {
        let (late, others) = self.late_revocations(changes, known);
        others.into_iter().chain(late).for_each(|change| self.apply(change, known));
        for id in set_twice(changes) {
            self.interfaces.update(id, |held| held.groups = Groups::Unknown);
        }
    }

    /// Takes back what the changes of one second did.
    pub(in crate::rules) fn undo_all(&mut self, changes: &[&Change], known: Known<'_>) {
        let (late, others) = self.late_revocations(changes, known);
        late.into_iter().chain(others.into_iter().rev()).for_each(|change| self.undo(change, known));
    }

    /// Revocations that come last, of what was made in the same second, and the other changes. The rules are not there
    /// before the second, or not after it, whichever is known.
    fn late_revocations<'a>(
        &self,
        changes: &[&'a Change],
        known: Known<'_>,
    ) -> (Vec<&'a Change>, Vec<&'a Change>) {
        changes.iter().partition(|change| {
            let made: Vec<Made> = changes.iter().filter_map(|other| made(change, other)).collect();
            made.contains(&Made::OfTheSameId) || (!made.is_empty() && !self.holds_one(change, known))
        })
    }

    /// Whether one of the revoked rules is there.
    fn holds_one(&self, revocation: &Change, known: Known<'_>) -> bool {
        let What::RulesRevoked { group_id, rules, rule_ids } = &revocation.what else { return false };
        let Some(held) = self.rules.get(group_id) else { return false };
        let is_there = |rule: &Rule| held.documents.iter().any(|document| document.rule == *rule);
        rules.iter().any(|document| is_there(&document.rule))
            || rule_ids.iter().any(|id| {
                let earlier = || known.rule_ids.strictly_before(id, revocation.at);
                held.labelled(id).is_some() || earlier().is_some_and(is_there)
            })
    }
}

/// How a change made what a revocation took away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// It authorized the rule, or modified another one to be the same.
    Alike,
    /// It modified the rule itself.
    OfTheSameId,
}

fn made(revocation: &Change, change: &Change) -> Option<Made> {
    let What::RulesRevoked { group_id: group, rules, rule_ids } = &revocation.what else { return None };
    let has_id = |id: &str| {
        rule_ids.iter().any(|revoked| revoked == id)
            || rules.iter().any(|revoked| revoked.rule_id.as_deref() == Some(id))
    };
    match &change.what {
        What::RulesAuthorized { group_id, rules: made } if group_id == group => {
            let is_one = |made: &RuleDocument| {
                rules.iter().any(|revoked| revoked.rule == made.rule)
                    || made.rule_id.as_deref().is_some_and(has_id)
            };
            made.iter().any(is_one).then_some(Made::Alike)
        }
        What::RuleModified(made) if made.group_id == *group => {
            let is_same = |revoked: &RuleDocument| revoked.rule == made.directed(revoked.rule.direction);
            if has_id(&made.rule_id) {
                Some(Made::OfTheSameId)
            } else {
                rules.iter().any(is_same).then_some(Made::Alike)
            }
        }
        _ => None,
    }
}

/// Interfaces whose groups were set to different ones in one second.
fn set_twice<'a>(changes: &[&'a Change]) -> impl Iterator<Item = &'a str> {
    let mut sets: BTreeMap<&str, BTreeSet<&[String]>> = BTreeMap::new();
    for change in changes {
        if let What::InterfaceGroups { interface_id, group_ids } = &change.what {
            sets.entry(interface_id).or_default().insert(group_ids);
        }
    }
    sets.into_iter().filter(|(_, sets)| sets.len() > 1).map(|(id, _)| id)
}

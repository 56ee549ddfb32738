//! What other rules and interfaces say of ports where nobody answered.

use std::collections::{BTreeMap, BTreeSet};

use super::used::Claims;
use crate::attribution::judge::Role;
use crate::findings::removal::Case;
use crate::flow::Direction;
use crate::rules::{Rule, RuleIndex};

/// Who opened connections by which rule, and who answers at all.
pub(super) struct Witnesses<'a> {
    going: &'a [RuleIndex],
    /// By rule: interfaces where connections were opened by it.
    opened: BTreeMap<RuleIndex, BTreeSet<u32>>,
    /// By direction: interfaces that show any answer.
    answering: BTreeSet<(Direction, u32)>,
}

impl<'a> Witnesses<'a> {
    pub(super) fn of(case: &Case<'_>, going: &'a [RuleIndex]) -> Self {
        let mut witnesses = Self { going, opened: BTreeMap::new(), answering: BTreeSet::new() };
        for key in case.tally.usage.keys() {
            let rules = case.tally.sets.rules(if key.role == Role::Reply { key.reply } else { key.forward });
            match key.role {
                Role::Forward => {
                    for rule in rules {
                        witnesses.opened.entry(*rule).or_default().insert(key.interface);
                    }
                }
                Role::Reply => {
                    let direction = rules.first().map(|rule| case.timeline.rules[rule.index()].direction);
                    witnesses.answering.extend(direction.map(|direction| (direction, key.interface)));
                }
                Role::Undecided => {}
            }
        }
        witnesses
    }

    /// What speaks for ports of a rule that were hit and never answered.
    pub(super) fn claims(&self, index: RuleIndex, case: &Case<'_>) -> Claims {
        let rule = &case.timeline.rules[index.index()];
        let own = self.opened.get(&index);
        let silent = |slot: &u32| !self.answering.contains(&(rule.direction, *slot));
        let shared = |other: &&RuleIndex| {
            let others = self.opened.get(other);
            **other != index && own.zip(others).is_some_and(|(own, others)| !own.is_disjoint(others))
        };
        let heirs = self.going.iter().filter(shared).map(|other| &case.timeline.rules[other.index()]);
        let heirs = heirs.filter(|other| other.direction == rule.direction);
        Claims {
            answers_elsewhere: own.is_some_and(|own| own.iter().any(silent)),
            heirs: heirs.flat_map(Rule::port_ranges).collect(),
        }
    }
}

//! What other rules and interfaces say of ports where nobody answered.

use std::collections::{BTreeMap, BTreeSet};

use super::used::{Claims, Ports};
use crate::attribution::judge::Role;
use crate::findings::removal::Case;
use crate::flow::{Direction, TCP};
use crate::rules::{RuleIndex, RuleProtocol};

/// Who opened connections by which rule, and who answers at all. Interfaces are known by their slots.
pub(super) struct Witnesses {
    /// By rule: interfaces where connections were opened by it.
    opened: BTreeMap<RuleIndex, BTreeSet<u32>>,
    /// Interfaces that show any answer, of TCP as far as is known, to connections of a direction.
    answering: BTreeSet<(Direction, u32)>,
    /// Rules that are to go, with their ports, where connections were opened by them.
    going: BTreeMap<(Direction, u32), Vec<(RuleIndex, Ports)>>,
}

impl Witnesses {
    pub(super) fn of(case: &Case<'_>, going: &[RuleIndex]) -> Self {
        let mut witnesses =
            Self { opened: BTreeMap::new(), answering: BTreeSet::new(), going: BTreeMap::new() };
        let content = |rule: &RuleIndex| &case.timeline.rules[rule.index()];
        for key in case.tally.usage.keys() {
            match key.role {
                Role::Forward => {
                    for rule in case.tally.sets.rules(key.forward) {
                        witnesses.opened.entry(*rule).or_default().insert(key.interface);
                    }
                }
                Role::Reply => {
                    // An answer by UDP says nothing of TCP; of a rule for all protocols it is not known.
                    let may_be_tcp = |rule: &&RuleIndex| {
                        matches!(content(rule).protocol, RuleProtocol::All | RuleProtocol::Number(TCP))
                    };
                    let rule = case.tally.sets.rules(key.reply).iter().find(may_be_tcp);
                    witnesses.answering.extend(rule.map(|rule| (content(rule).direction, key.interface)));
                }
                Role::Undecided => {}
            }
        }
        for rule in going {
            for slot in witnesses.opened.get(rule).into_iter().flatten() {
                let there = witnesses.going.entry((content(rule).direction, *slot)).or_default();
                there.extend(content(rule).port_ranges().into_iter().map(|ports| (*rule, ports)));
            }
        }
        witnesses
    }

    /// What speaks for ports of a rule that were hit and never answered.
    pub(super) fn claims(&self, index: RuleIndex, case: &Case<'_>) -> Claims {
        let direction = case.timeline.rules[index.index()].direction;
        let slots = || self.opened.get(&index).into_iter().flatten().map(|slot| (direction, *slot));
        let heirs = slots().filter_map(|place| self.going.get(&place)).flatten();
        let heirs: BTreeSet<Ports> =
            heirs.filter(|(rule, _)| *rule != index).map(|(_, ports)| *ports).collect();
        Claims {
            answers_elsewhere: slots().any(|place| !self.answering.contains(&place)),
            heirs: heirs.into_iter().collect(),
        }
    }
}

//! Rules that others make superfluous: by configuration, because others cover all they let through; by traffic, because
//! nothing that was let through needed them.

pub mod cover;
pub mod proof;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde_json::{Map, json};

use super::removal::Case;
use super::{Finding, FindingKind, MOST_NAMED, Severity, counted, managed};
use crate::rules::ranked::RuleAction;
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule, RuleIndex};
use crate::tally::Tally;
use crate::tally::usage::RuleUse;
use cover::{Cover, Covers, Extent};
use proof::Proof;

/// The rules of the newest state that others make superfluous.
#[derive(Debug, Default)]
pub struct Redundant {
    /// By configuration: what covers each.
    pub covered: BTreeMap<RuleIndex, Cover>,
    /// By traffic: matched, and never alone.
    pub never_alone: BTreeSet<RuleIndex>,
}

impl Redundant {
    /// Looks through the newest state. Rules that can never decide, `ineffective`, are told elsewhere.
    pub fn of(
        timeline: &Timeline,
        uses: &[RuleUse],
        ineffective: &BTreeMap<RuleIndex, Vec<RuleIndex>>,
    ) -> Self {
        let Some(newest) = timeline.newest() else { return Self::default() };
        let covers = Covers::of(timeline, newest);
        let groups = newest.groups.values().filter(|group| managed::made_by_service(group).is_none());
        let rules = groups.flat_map(|group| &group.rules).filter(|index| !ineffective.contains_key(index));
        let rules: Vec<(RuleIndex, &Rule)> = rules
            .filter_map(|index| Some((*index, timeline.rules.get(index.index())?)))
            .filter(|(_, rule)| !rule.is_default())
            .collect();
        let covered = rules.par_iter().filter_map(|(index, rule)| {
            let cover = covers.of_rule(*index, rule).filter(|cover| !cover.rules.is_empty())?;
            Some((*index, cover))
        });
        let never_alone = rules.iter().filter(|(index, rule)| {
            rule.action() == RuleAction::Allow && uses.get(index.index()).is_some_and(is_never_alone)
        });
        Self { covered: covered.collect(), never_alone: never_alone.map(|(index, _)| *index).collect() }
    }

    /// One finding per rule, however it is superfluous.
    pub fn findings(&self, case: &Case<'_>) -> Vec<Finding> {
        let beside = Beside::of(case.timeline, case.tally, &self.never_alone, case.proof);
        let rules: BTreeSet<&RuleIndex> = self.covered.keys().chain(&self.never_alone).collect();
        rules.iter().map(|index| self.finding(**index, case, &beside)).collect()
    }

    /// Whether a rule and another one cover each other, each alone: one of them stays.
    pub fn cover_each_other(&self, one: RuleIndex, other: RuleIndex) -> bool {
        let covers = |a, b| self.covered.get(&a).is_some_and(|cover| cover.rules.iter().eq([&b]));
        covers(one, other) && covers(other, one)
    }

    fn finding(&self, index: RuleIndex, case: &Case<'_>, beside: &Beside) -> Finding {
        let Case { timeline, uses, proof, .. } = *case;
        let is_needed = case.is_needed(index);
        let rule = &timeline.rules[index.index()];
        let keys = |rules: &BTreeSet<RuleIndex>| -> Vec<String> {
            rules.iter().map(|other| timeline.rules[other.index()].key()).collect()
        };
        let (cover, never_alone) = (self.covered.get(&index), self.never_alone.contains(&index));
        let mut evidence = Map::new();
        let by: Vec<&str> = [(cover.is_some(), "configuration"), (never_alone, "traffic")]
            .into_iter()
            .filter(|it| it.0)
            .map(|it| it.1)
            .collect();
        evidence.insert("by".into(), json!(by));
        if let Some(cover) = cover {
            let each_other: BTreeSet<RuleIndex> =
                cover.rules.iter().copied().filter(|other| self.cover_each_other(index, *other)).collect();
            evidence.insert("covered_by".into(), json!(keys(&cover.rules)));
            evidence.insert("extent".into(), json!(cover.extent.as_str()));
            evidence.insert("todays_members".into(), json!(cover.todays_members));
            evidence.insert("cover_each_other".into(), json!(keys(&each_other)));
        }
        let own = &uses[index.index()];
        if never_alone {
            let seen = own.records + own.reply_records + own.possible_records;
            let named = beside.named(index);
            evidence.insert("records".into(), json!(seen));
            let with: Vec<_> = named
                .iter()
                .map(|(other, records)| {
                    json!({"rule_key": timeline.rules[other.index()].key(), "records": records})
                })
                .collect();
            evidence.insert("matched_with".into(), json!(with));
        }
        let unproven = cover.map_or_else(|| beside.by_path.contains(&index), |cover| !proof.is_proven(cover));
        evidence.insert("verify_path".into(), json!(unproven));
        evidence.insert("rule_id".into(), json!(timeline.labels[index.index()].rule_id));
        let key = rule.key();
        Finding {
            id: format!("{}/{key}", FindingKind::RedundantRule.as_str()),
            kind: FindingKind::RedundantRule,
            severity: if cover.is_some_and(|cover| certain(cover, proof)) && !is_needed {
                Severity::Low
            } else {
                Severity::Info
            },
            title: format!("{}: {key}", title(cover, never_alone)),
            group_id: Some(rule.group_id.clone()),
            recommendation: if is_needed {
                "It stays all the same: a cloud service needs it, or replies pass by it that are not tracked."
                    .to_owned()
            } else {
                self.advice(index, cover, unproven, timeline)
            },
            rule_key: Some(key),
            interface_id: None,
            evidence,
            suppressed: None,
        }
    }

    fn advice(&self, index: RuleIndex, cover: Option<&Cover>, unproven: bool, timeline: &Timeline) -> String {
        let Some(cover) = cover else {
            let seen = "Every record that it let through, another rule would have let through too. That is what was seen, \
                        not what may come: compare what it is for with what the others are for, before it goes.";
            return if unproven { format!("{seen}{VERIFY}") } else { seen.to_owned() };
        };
        let key = |rule: &RuleIndex| timeline.rules[rule.index()].key();
        let by = match cover.rules.iter().collect::<Vec<_>>().as_slice() {
            [alone] => key(alone),
            several => format!("{} together (see covered_by)", counted(several.len(), "rule")),
        };
        let mut advice = match cover.extent {
            Extent::Group => format!("In its own group {by} says the same or more."),
            Extent::Interfaces => {
                format!(
                    "On every interface that carries the group {by} says the same or more. An interface with this group alone would need it."
                )
            }
        };
        let mutual = cover.rules.iter().any(|other| self.cover_each_other(index, *other));
        if mutual {
            advice.push_str(" They cover each other: one of them must stay.");
        }
        let is_world = |rule: &RuleIndex| matches!(&timeline.rules[rule.index()].peer, Peer::Cidr(range) if range.prefix_len() == 0);
        if !is_world(&index) && cover.rules.iter().any(is_world) {
            advice.push_str(" First see whether what is open to the world should be narrowed: then this one is the one to keep.");
        }
        if cover.todays_members {
            advice.push_str(" That holds for the members and entries of today; they come and go.");
        }
        match (unproven, mutual) {
            (true, _) => advice.push_str(VERIFY),
            (false, false) => advice.push_str(" It can go while what covers it stays."),
            (false, true) => {}
        }
        advice
    }
}

/// A reference to a group that nothing shows to work.
const VERIFY: &str = " Verify the path first: a reference to a group does not work through a middlebox, nor through a \
                      transit gateway without support for it, and no record shows that this one does.";

/// Whether nothing but the configuration of today is needed to know that a rule is covered.
pub fn certain(cover: &Cover, proof: &Proof) -> bool {
    !cover.todays_members && proof.is_proven(cover)
}

/// Matched, but never alone.
pub fn is_never_alone(uses: &RuleUse) -> bool {
    uses.records + uses.reply_records + uses.possible_records > 0
        && uses.sole_records == 0
        && uses.possible_sole_records == 0
}

fn title(cover: Option<&Cover>, never_alone: bool) -> &'static str {
    match (cover.map(|cover| cover.extent), never_alone) {
        (Some(Extent::Group), _) => "rule that others of its group cover",
        (Some(Extent::Interfaces), _) => "rule that others cover on every interface",
        (None, _) => "rule that was never the only one to match",
    }
}

/// With which rules rules were matched.
#[derive(Debug, Default)]
struct Beside {
    /// By rule: others, with how many records of both.
    others: BTreeMap<RuleIndex, BTreeMap<RuleIndex, u64>>,
    /// Rules for addresses that some records matched beside references alone that are not known to work.
    by_path: BTreeSet<RuleIndex>,
}

impl Beside {
    fn of(timeline: &Timeline, tally: &Tally, rules: &BTreeSet<RuleIndex>, proof: &Proof) -> Self {
        let is_reference = |it: &RuleIndex| matches!(timeline.rules[it.index()].peer, Peer::Group(_));
        let mut beside = Self::default();
        for (key, credit) in &tally.usage {
            for set in [key.forward, key.reply].map(|set| tally.sets.rules(set)) {
                for own in set.iter().filter(|own| rules.contains(own)) {
                    let others = beside.others.entry(*own).or_default();
                    for other in set.iter().filter(|other| *other != own) {
                        *others.entry(*other).or_default() += credit.records;
                    }
                    let unproven = |it: &RuleIndex| it == own || is_reference(it) && !proof.holds(*it);
                    if !is_reference(own) && set.iter().all(unproven) {
                        beside.by_path.insert(*own);
                    }
                }
            }
        }
        beside
    }

    /// Those of most records.
    fn named(&self, rule: RuleIndex) -> Vec<(RuleIndex, u64)> {
        let others = self.others.get(&rule).into_iter().flatten();
        let mut named: Vec<_> = others.map(|(other, records)| (*other, *records)).collect();
        named.sort_by_key(|(other, records)| (std::cmp::Reverse(*records), *other));
        named.truncate(MOST_NAMED);
        named
    }
}

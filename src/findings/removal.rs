//! The rules that can go together, with every observed ACCEPT still allowed by a rule that stays.
//!
//! Found from the signatures: of the rules that a record matched, one that matches surely must stay; of an undecided
//! record one of either reading. What the logs could not have shown is no reason to let a rule go, so only rules that
//! were judged, or that others cover by configuration, are looked at.

pub mod fewest;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::attachment::Attachments;
use super::described::Described;
use super::managed;
use super::reason::{Doubt, Reason};
use super::redundant::cover::Extent;
use super::redundant::proof::Proof;
use super::redundant::{Redundant, certain};
use super::verdict::{Bench, Confidence, Judged, Verdict};
use crate::attribution::judge::Role;
use crate::rules::ranked::RuleAction;
use crate::rules::timeline::{Timeline, changed};
use crate::rules::{Peer, Rule, RuleIndex};
use crate::tally::Tally;
use crate::tally::usage::RuleUse;
use fewest::{Method, fewest};

/// Why a rule can go, the least risk first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// Its group is on no interface in any of several snapshots, and the logs speak of nearly all of the time.
    Unattached,
    /// Others decide all that it matches.
    Ineffective,
    /// Not seen, with high confidence.
    NotSeen,
    /// Others cover it, or it was never the only one to match.
    Redundant,
    /// Not seen, with less confidence.
    NotSeenWithDoubt,
    /// Its group is on no interface, as one snapshot alone says, or the logs speak of too little.
    UnattachedWithDoubt,
}

impl Ground {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unattached => "unattached",
            Self::Ineffective => "ineffective",
            Self::NotSeen => "not_seen",
            Self::Redundant => "redundant",
            Self::NotSeenWithDoubt => "not_seen_with_doubt",
            Self::UnattachedWithDoubt => "unattached_with_doubt",
        }
    }
}

/// Rules that can go together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemovalSet {
    /// In the order in which they should go.
    pub steps: Vec<Step>,
    /// How it was found.
    pub method: Method,
}

/// A rule that can go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub rule: RuleIndex,
    /// Why.
    pub ground: Ground,
}

/// What the set is found from.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The states.
    pub timeline: &'a Timeline,
    /// The settled tally.
    pub tally: &'a Tally,
    /// By rule.
    pub uses: &'a [RuleUse],
    /// By rule.
    pub judged: &'a [Judged],
    /// Who judged.
    pub bench: &'a Bench<'a>,
    /// Which interfaces carry which group.
    pub attachments: &'a Attachments<'a>,
    /// Rules that can never decide.
    pub ineffective: &'a BTreeMap<RuleIndex, Vec<RuleIndex>>,
    /// Rules that others make superfluous.
    pub redundant: &'a Redundant,
    /// Which references work.
    pub proof: &'a Proof,
}

/// Of all coverage, so many ten-thousandths must be there for a snapshot to speak for all of the time.
const WELL_COVERED: u64 = 9_900;

impl RemovalSet {
    /// The largest one, where that is found.
    pub fn of(case: &Case<'_>) -> Self {
        let grounds = case.grounds();
        let (demands, kept_for_sure) = case.demands(&grounds);
        // More rules that go come first; of equal numbers those go that are the least risk, and stay that are used most.
        let places = places(case, &grounds);
        let cost = |rule: u32| (1 << 32) + places.get(&RuleIndex(rule)).copied().unwrap_or(0);
        let (mut kept, method) = fewest(demands, &cost);
        kept.extend(kept_for_sure.iter().map(|rule| rule.0));
        let gone = grounds.into_iter().filter(|(rule, _)| !kept.contains(&rule.0));
        let mut steps: Vec<Step> = gone.map(|(rule, ground)| Step { rule, ground }).collect();
        steps.sort_by_key(|step| (step.ground, step.rule));
        Self { steps, method }
    }
}

/// By rule: how little it costs that it stays, from 0 on. What others cover whatever comes is the first to go.
fn places(case: &Case<'_>, grounds: &BTreeMap<RuleIndex, Ground>) -> BTreeMap<RuleIndex, u64> {
    let place = |(rule, ground): (&RuleIndex, &Ground)| {
        let uses = &case.uses[rule.index()];
        let covered = case.redundant.covered.contains_key(rule);
        (Reverse(*ground), covered, Reverse(uses.records + uses.reply_records), *rule)
    };
    let order: BTreeSet<_> = grounds.iter().map(place).collect();
    order.into_iter().map(|(.., rule)| rule).zip(0..).collect()
}

impl Case<'_> {
    /// Rules that may go, as far as each by itself is looked at.
    pub fn grounds(&self) -> BTreeMap<RuleIndex, Ground> {
        let Some(newest) = self.timeline.newest() else { return BTreeMap::new() };
        let rules = newest.groups.values().flat_map(|group| &group.rules).copied();
        let well_covered = self.attachments.covered_by_all().share().unwrap_or(0) >= WELL_COVERED;
        rules.filter_map(|index| Some((index, self.ground(index, well_covered)?))).collect()
    }

    fn ground(&self, index: RuleIndex, well_covered: bool) -> Option<Ground> {
        let rule = self.timeline.rules.get(index.index())?;
        let (uses, judged) = (self.uses.get(index.index())?, self.judged.get(index.index())?);
        let needed = judged.has(Reason::CarriesUntrackedReplies) || judged.has(Reason::RequiredByService);
        // A Drop that goes opens something, which no ACCEPT of the past tells.
        if rule.action() == RuleAction::Deny || needed || self.is_never_removed(rule) {
            return None;
        }
        // What stood in front of it before, and is gone, may have hidden that it is needed now.
        if rule.ranked.is_some() && self.bench.has_changed(index) {
            return None;
        }
        if self.ineffective.contains_key(&index) {
            return Some(Ground::Ineffective);
        }
        let ground = match judged.verdict {
            Verdict::Unattached => self.unattached(rule, judged, well_covered),
            Verdict::NotSeen if judged.confidence == Some(Confidence::High) => Some(Ground::NotSeen),
            Verdict::NotSeen => Some(Ground::NotSeenWithDoubt),
            Verdict::Used | Verdict::PossiblyUsed if self.redundant.never_alone.contains(&index) => {
                self.shown(index, uses).then_some(Ground::Redundant)
            }
            _ => None,
        };
        ground.or_else(|| {
            // The configuration alone tells it, whatever was logged.
            let cover = self.redundant.covered.get(&index)?;
            let free = uses.sole_records + uses.possible_sole_records == 0
                && !self.bench.carries_untracked_replies(rule);
            let group = self.timeline.newest()?.groups.get(&rule.group_id)?;
            // Interfaces that no snapshot knows may carry the group, and none of the others.
            let everywhere = cover.extent == Extent::Group || !self.bench.has_unknown_interfaces(Some(group));
            (certain(cover, self.proof) && free && everywhere).then_some(Ground::Redundant)
        })
    }

    /// Whether a rule never goes, however superfluous it looks: a service needs it, or replies pass by it that are not
    /// tracked.
    pub fn is_needed(&self, index: RuleIndex) -> bool {
        let rule = &self.timeline.rules[index.index()];
        self.is_never_removed(rule) || self.bench.carries_untracked_replies(rule)
    }

    /// Whether a service needs it as it is.
    pub fn is_never_removed(&self, rule: &Rule) -> bool {
        let group = self.timeline.newest().and_then(|newest| newest.groups.get(&rule.group_id));
        let ever: Vec<_> = self.attachments.interfaces(&rule.group_id).into_values().collect();
        managed::is_never_removed(rule, group.map(AsRef::as_ref), &ever)
    }

    fn unattached(&self, rule: &Rule, judged: &Judged, well_covered: bool) -> Option<Ground> {
        if !judged.doubts.is_empty() {
            return None;
        }
        let group = self.timeline.newest()?.groups.get(&rule.group_id)?;
        let snapshots = Described::of(self.timeline).snapshots(&rule.group_id, group)?;
        let sure = snapshots.count > 1 && well_covered;
        Some(if sure { Ground::Unattached } else { Ground::UnattachedWithDoubt })
    }

    /// Whether the logs could have shown that a rule is needed alone, and whether it may go at all.
    fn shown(&self, index: RuleIndex, uses: &RuleUse) -> bool {
        let (forbidding, weakening) = self.bench.doubts(index, uses);
        forbidding.is_empty() && !weakening.iter().any(is_needed)
    }

    /// What must stay: of each of these one, and each of those.
    fn demands(&self, grounds: &BTreeMap<RuleIndex, Ground>) -> (BTreeSet<Vec<u32>>, BTreeSet<RuleIndex>) {
        let mut demands = BTreeSet::new();
        let mut kept = BTreeSet::new();
        let in_force = self.timeline.newest_rules();
        let changed = ChangedPeers::of(self.timeline);
        let mut seen = BTreeSet::new();
        let mut orphans: BTreeSet<u32> = BTreeSet::new();
        for key in self.tally.usage.keys() {
            let readings = match key.role {
                Role::Forward => [Some(key.forward), None],
                Role::Reply => [None, Some(key.reply)],
                Role::Undecided => [Some(key.forward), Some(key.reply)],
            };
            for set in readings.into_iter().flatten() {
                if !seen.insert((key.interface, set)) {
                    continue;
                }
                let matched = self.tally.sets.rules(set);
                let held: Vec<RuleIndex> =
                    matched.iter().copied().filter(|rule| in_force.contains(rule)).collect();
                if held.is_empty() && !matched.is_empty() {
                    orphans.insert(key.interface);
                }
                for held in self.still_applying(key.interface, &held) {
                    match self.staying(&held, &changed) {
                        Staying::All => kept.extend(held),
                        Staying::OneOf(rules) if rules.iter().all(|rule| grounds.contains_key(rule)) => {
                            demands.insert(rules.into_iter().map(|rule| rule.0).collect());
                        }
                        // One that is not asked to go stays anyway.
                        Staying::OneOf(_) => {}
                    }
                }
            }
        }
        kept.extend(self.heirs(&orphans, grounds));
        self.demand_covers(grounds, &mut demands);
        kept.retain(|rule| grounds.contains_key(rule));
        (demands, kept)
    }

    /// Rules that may have taken the place of rules that are gone, which alone let records of these interfaces through:
    /// by the newest rules, it may be they that do.
    fn heirs(&self, orphans: &BTreeSet<u32>, grounds: &BTreeMap<RuleIndex, Ground>) -> BTreeSet<RuleIndex> {
        let names: BTreeSet<String> = orphans.iter().map(|slot| self.tally.slots.name(*slot)).collect();
        if names.is_empty() {
            return BTreeSet::new();
        }
        let may_inherit = |index: &&RuleIndex| {
            let rule = &self.timeline.rules[index.index()];
            let near = self.attachments.interfaces(&rule.group_id).keys().any(|id| names.contains(*id));
            near && (rule.ranked.is_some() || self.bench.has_changed(**index))
        };
        grounds.keys().filter(may_inherit).copied().collect()
    }

    /// Of the rules that a record of an interface matched, those that are on it in the newest state. Where it is gone, or
    /// carries none of them any more, what each group lets through is seen by itself: who takes its place may carry one.
    fn still_applying(&self, slot: u32, held: &[RuleIndex]) -> Vec<Vec<RuleIndex>> {
        let group_of = |rule: &RuleIndex| &self.timeline.rules[rule.index()].group_id;
        let newest = self.timeline.newest();
        let interface = newest.and_then(|newest| newest.interfaces.get(&self.tally.slots.name(slot)));
        let applying: Vec<RuleIndex> = match interface {
            Some(interface) => {
                held.iter().copied().filter(|rule| interface.group_ids.contains(group_of(rule))).collect()
            }
            None => Vec::new(),
        };
        if !applying.is_empty() {
            return vec![applying];
        }
        let mut by_group: BTreeMap<&String, Vec<RuleIndex>> = BTreeMap::new();
        for rule in held {
            by_group.entry(group_of(rule)).or_default().push(*rule);
        }
        by_group.into_values().collect()
    }

    /// Which of the rules that a record matched must stay.
    fn staying(&self, held: &[RuleIndex], changed: &ChangedPeers<'_>) -> Staying {
        let rule = |index: &RuleIndex| &self.timeline.rules[index.index()];
        let sure: Vec<RuleIndex> = held.iter().copied().filter(|it| !rule(it).is_one_icmp_type()).collect();
        if sure.is_empty() {
            // A possible match covers nothing.
            return Staying::All;
        }
        // A reference that is not known to work covers no rule that names addresses.
        let is_path_known =
            |it: &RuleIndex| !matches!(rule(it).peer, Peer::Group(_)) || self.proof.holds(*it);
        // Whom a reference or a list meant then, it may not mean now.
        let is_lasting = |it: &RuleIndex| !changed.holds(&rule(it).peer);
        let known: Vec<RuleIndex> = sure.iter().copied().filter(is_path_known).filter(is_lasting).collect();
        if !known.is_empty() {
            Staying::OneOf(known)
        } else if sure.iter().all(is_lasting) {
            Staying::OneOf(sure)
        } else {
            Staying::All
        }
    }

    /// Two that cover each other never go both; where the configuration is the only ground, no rule of the cover goes.
    fn demand_covers(&self, grounds: &BTreeMap<RuleIndex, Ground>, demands: &mut BTreeSet<Vec<u32>>) {
        for (rule, ground) in grounds {
            let Some(cover) = self.redundant.covered.get(rule) else { continue };
            let by_cover_alone = *ground == Ground::Redundant && !self.redundant.never_alone.contains(rule);
            for other in cover.rules.iter().filter(|other| grounds.contains_key(other)) {
                if by_cover_alone || self.redundant.cover_each_other(*rule, *other) {
                    demands.insert(vec![rule.0.min(other.0), rule.0.max(other.0)]);
                }
            }
        }
    }
}

/// Groups whose members, and lists whose entries, were not always those of the newest state.
struct ChangedPeers<'a> {
    groups: BTreeSet<&'a str>,
    lists: BTreeSet<&'a str>,
}

impl<'a> ChangedPeers<'a> {
    fn of(timeline: &'a Timeline) -> Self {
        let mut peers = Self { groups: BTreeSet::new(), lists: BTreeSet::new() };
        for pair in timeline.states.windows(2) {
            let [before, state] = pair else { continue };
            for (id, now) in changed(&before.interfaces, &state.interfaces) {
                let both = [before.interfaces.get(id), now];
                let groups = both.into_iter().flatten().flat_map(|interface| &interface.group_ids);
                peers.groups.extend(groups.map(String::as_str));
            }
            peers.lists.extend(changed(&before.prefix_lists, &state.prefix_lists).map(|(id, _)| id.as_str()));
        }
        peers
    }

    fn holds(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Group(id) => self.groups.contains(id.as_str()),
            Peer::PrefixList(id) => self.lists.contains(id.as_str()),
            Peer::Cidr(_) | Peer::BadCidr(_) => false,
        }
    }
}

enum Staying {
    All,
    OneOf(Vec<RuleIndex>),
}

/// A reason why a rule never goes.
fn is_needed(doubt: &Doubt) -> bool {
    matches!(doubt.reason(), Reason::CarriesUntrackedReplies | Reason::RequiredByService)
}

//! How many rules a group has, and how many it may have.

use std::collections::BTreeMap;

use crate::findings::space::Family;
use crate::flow::Direction;
use crate::rules::state::State;
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule};

/// Inbound or outbound rules of a group, of either family.
///
/// Source: <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>.
const AWS: usize = 60;
/// Rules of a group in all.
///
/// Source: <https://www.alibabacloud.com/help/en/ecs/user-guide/limits>.
const ALIBABA: usize = 200;

/// What a quota counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Counted<'a> {
    group: &'a str,
    /// None: both.
    direction: Option<Direction>,
    /// None: both.
    family: Option<Family>,
}

impl Counted<'_> {
    fn limit(&self) -> usize {
        if self.direction.is_some() { AWS } else { ALIBABA }
    }
}

/// Rules of groups, as they are and as they become.
#[derive(Debug)]
pub(super) struct Quotas<'a> {
    state: &'a State,
    counts: BTreeMap<Counted<'a>, usize>,
}

/// What a replacement does to a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effect {
    /// Rules allowed, unless the account has asked for more.
    pub(super) limit: usize,
    /// Rules so far.
    pub(super) before: usize,
    /// Rules then.
    pub(super) after: usize,
    /// Whether the new fit in beside the old.
    pub(super) room: Room,
}

/// Whether a group has room for new rules beside the old ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// It has.
    Beside,
    /// It is full: the old one has to go first.
    None,
    /// A list counts as the entries that it may get, which the snapshot does not say.
    Unknown,
}

impl<'a> Quotas<'a> {
    pub(super) fn of(timeline: &'a Timeline, state: &'a State) -> Self {
        let mut quotas = Self { state, counts: BTreeMap::new() };
        let rules = state.groups.values().flat_map(|group| &group.rules);
        for rule in rules.filter_map(|index| timeline.rules.get(index.index())) {
            for family in Family::ALL {
                if let Some(counted) = quotas.counted(rule, family) {
                    *quotas.counts.entry(counted).or_default() += quotas.weight(rule);
                }
            }
        }
        quotas
    }

    /// What counts a rule, of this family: a reference counts for both, and where all are counted, each counts once.
    fn counted(&self, rule: &'a Rule, family: Family) -> Option<Counted<'a>> {
        let group = rule.group_id.as_str();
        if self.state.groups.get(group).is_some_and(|group| group.ecs.is_some()) {
            return (family == Family::V4).then_some(Counted { group, direction: None, family: None });
        }
        let own = match &rule.peer {
            Peer::Cidr(net) => Family::of(net.addr()) == family,
            _ => true,
        };
        own.then_some(Counted { group, direction: Some(rule.direction), family: Some(family) })
    }

    /// A list counts as its entries.
    fn weight(&self, rule: &Rule) -> usize {
        match &rule.peer {
            Peer::PrefixList(list) => {
                self.state.prefix_lists.get(list).map_or(1, |entries| entries.len().max(1))
            }
            _ => 1,
        }
    }

    fn counts(&self, rule: &'a Rule) -> Vec<(Counted<'a>, usize)> {
        let counted = Family::ALL.into_iter().filter_map(|family| self.counted(rule, family));
        counted.map(|counted| (counted, self.counts.get(&counted).copied().unwrap_or(0))).collect()
    }

    /// How many rules may take the place of one, which stands beside them until they are there: one always may. Of a list,
    /// nobody knows how many entries it may get, so that one takes the place of one.
    pub(super) fn room(&self, rule: &'a Rule) -> usize {
        let list = matches!(rule.peer, Peer::PrefixList(_));
        if list { 1 } else { self.beside(rule).max(1) }
    }

    /// How many such rules a group has room for.
    fn beside(&self, rule: &'a Rule) -> usize {
        let weight = self.weight(rule);
        let room =
            |(counted, before): &(Counted<'_>, usize)| counted.limit().saturating_sub(*before) / weight;
        self.counts(rule).iter().map(room).min().unwrap_or(0)
    }

    /// Counts so many rules in place of one; they have the same kind of peer.
    pub(super) fn replace(&mut self, rule: &'a Rule, by: usize) -> Effect {
        let weight = self.weight(rule);
        let room = match &rule.peer {
            Peer::PrefixList(_) => Room::Unknown,
            _ if by <= self.beside(rule) => Room::Beside,
            _ => Room::None,
        };
        let mut effects = Vec::new();
        for (counted, before) in self.counts(rule) {
            let after = before.saturating_sub(weight) + by * weight;
            self.counts.insert(counted, after);
            effects.push(Effect { limit: counted.limit(), before, after, room });
        }
        effects.into_iter().max_by_key(|effect| effect.after).unwrap_or(Effect {
            limit: AWS,
            before: 0,
            after: 0,
            room,
        })
    }
}

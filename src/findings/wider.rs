//! Rules that are wider than what they were used for, each with a few narrower ones that cover all of that.
//!
//! ```text
//! tracks of the rule ─▶ used (ports and peers, as narrow as they may be said) ─▶ replacement (few, at the least over-exposure)
//!                        ▲
//!       places (subnets and groups of peers)
//! ```

mod finding;
mod health_checks;
mod piece;
mod places;
mod quota;
mod replacement;
mod used;
mod witnesses;

use std::collections::BTreeSet;

use ipnet::IpNet;
use rayon::prelude::*;

use super::removal::Case;
use super::services::{self, Service};
use super::settings::Settings;
use super::verdict::{Confidence, Verdict};
use super::{Finding, managed};
use crate::flow::{Direction, has_ports};
use crate::rules::ranked::RuleAction;
use crate::rules::state::State;
use crate::rules::{Peer, Rule, RuleIndex, RuleProtocol};
use crate::tally::tracks::of_rule::RuleTracks;
use piece::{ALL_PORTS, Piece, union_size};
use places::Places;
pub use quota::Room;
use quota::{Effect, Quotas};
use replacement::{Method, replacement};
use used::{Home, Used};
use witnesses::Witnesses;

/// A rule with what may take its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narrower {
    /// The rule.
    pub rule: RuleIndex,
    /// Its key.
    pub key: String,
    /// Those that cover all that it was used for, ascending.
    pub by: Vec<Rule>,
    /// Addresses × ports left open and not used, before and after.
    pub over_exposure: (u64, u64),
    /// Whether the new fit into the group beside the old.
    pub room: Room,
    /// Whether connections that are open when it changes are cut, for replies pass by it that are not tracked.
    pub cuts: bool,
}

/// A rule that is wider than used.
struct Wide<'a> {
    index: RuleIndex,
    rule: &'a Rule,
    confidence: Confidence,
    used: Used,
    pieces: Vec<Piece>,
    method: Method,
    reference: u128,
    effect: Effect,
}

/// What is proposed.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// So many rules take the place of one, at most.
    pub most: usize,
    /// What the logs show of a rule is trusted so far, at least.
    pub confidence: Confidence,
}

impl Bounds {
    /// Never from evidence below medium confidence.
    pub fn of(settings: &Settings) -> Self {
        Self { most: settings.max_rules_per_rule, confidence: Confidence::Medium }
    }
}

/// The findings, and the rules that they propose. `going`: rules that are to be removed.
pub fn wider(
    case: &Case<'_>,
    tracks: &RuleTracks<'_>,
    going: &[RuleIndex],
    bounds: Bounds,
) -> (Vec<Finding>, Vec<Narrower>) {
    let Some(newest) = case.timeline.newest() else { return (Vec::new(), Vec::new()) };
    let places = Places::of(case.timeline);
    let witnesses = Witnesses::of(case, going);
    let mut quotas = Quotas::of(case.timeline, newest);
    let groups = newest.groups.values().filter(|group| managed::made_by_service(group).is_none());
    let rules: Vec<RuleIndex> = groups.flat_map(|group| &group.rules).copied().collect();
    let found = rules.par_iter().filter_map(|index| {
        let room = quotas.room(&case.timeline.rules[index.index()]);
        let bounds = Bounds { most: bounds.most.min(room), ..bounds };
        Wide::of(*index, case, newest, tracks, (&places, &witnesses), bounds)
    });
    let mut found: Vec<Wide<'_>> = found.collect();
    // Where several rules of a group ask for more than there is room for, the one that closes most comes first.
    found.sort_by_cached_key(|wide| (std::cmp::Reverse(wide.saved()), wide.index));
    for wide in &mut found {
        let room = quotas.room(wide.rule);
        if room < wide.pieces.len() {
            (wide.pieces, wide.method) = replacement(&wide.used.pieces, room, wide.reference);
        }
        wide.effect = quotas.replace(wide.rule, wide.pieces.len());
    }
    found.retain(|wide| wide.saved() > 0);
    // In this order there is room for the new beside the old.
    let narrower = found.iter().map(|wide| wide.narrower(case));
    let findings = found.iter().map(|wide| wide.finding(case, newest));
    (findings.collect(), narrower.collect())
}

impl<'a> Wide<'a> {
    /// None: it is not wider, or that is not sure enough.
    fn of(
        index: RuleIndex,
        case: &Case<'a>,
        newest: &State,
        tracks: &RuleTracks<'_>,
        (places, witnesses): (&Places<'_>, &Witnesses),
        bounds: Bounds,
    ) -> Option<Self> {
        let rule = &case.timeline.rules[index.index()];
        let one_list = rule.port_list().is_some();
        let used = case.judged[index.index()].verdict == Verdict::Used;
        if !used
            || rule.is_default()
            || rule.action() == RuleAction::Deny
            || rule.is_one_icmp_type()
            || one_list
        {
            return None;
        }
        if case.ineffective.contains_key(&index) || case.is_never_removed(rule) {
            return None;
        }
        let confidence = case.bench.confidence(index, &case.uses[index.index()])?;
        if confidence < bounds.confidence {
            return None;
        }
        let group = newest.groups.get(&rule.group_id)?;
        // What a group lets out by itself, no rule has to.
        let by_default = group.defaults.iter().map(|index| &case.timeline.rules[index.index()]);
        if by_default.clone().any(|own| own.direction == rule.direction && own.direction == Direction::Egress)
        {
            return None;
        }
        let interfaces = case.attachments.interfaces(&rule.group_id);
        let vpc = Some(group.vpc_id.as_str()).filter(|vpc| !vpc.is_empty());
        let home = Home {
            vpc: vpc
                .or_else(|| interfaces.values().next().map(|own| own.vpc_id.as_str()))
                .unwrap_or_default(),
            balances: interfaces
                .values()
                .any(|own| services::service_of(own) == Some(Service::ElasticLoadBalancing)),
        };
        let used = Used::of(rule, &tracks.seen(index), home, &witnesses.claims(index, case), places);
        let reference = reference(rule, newest);
        let (pieces, method) = replacement(&used.pieces, bounds.most, reference);
        let effect = Effect { limit: 0, before: 0, after: 0, room: Room::Beside };
        let wide = Self { index, rule, confidence, used, pieces, method, reference, effect };
        (!wide.pieces.is_empty() && wide.saved() > 0).then_some(wide)
    }

    /// All that the rule opens.
    fn whole(&self) -> Piece {
        let protocol = match self.rule.protocol {
            RuleProtocol::Number(number) => Some(number),
            RuleProtocol::All | RuleProtocol::Unknown(_) => None,
        };
        let peers = match &self.rule.peer {
            Peer::Cidr(net) => Some(*net),
            _ => None,
        };
        Piece::new(protocol, self.rule.ports(), peers)
    }

    /// Addresses × ports left open and not used: now, and with the replacement.
    fn over_exposure(&self) -> (u128, u128) {
        let left =
            |pieces: &[Piece]| union_size(pieces, self.reference).saturating_sub(self.used.pairs.into());
        (left(&[self.whole()]), left(&self.pieces))
    }

    fn saved(&self) -> u128 {
        let (before, after) = self.over_exposure();
        before.saturating_sub(after)
    }

    /// The rules that take its place.
    fn rules(&self) -> Vec<Rule> {
        let rule = |piece: &Piece| {
            let protocol = piece.protocol.map_or(RuleProtocol::All, RuleProtocol::Number);
            let ports = piece.protocol.filter(|own| has_ports(*own)).map(|_| piece.ports);
            Rule {
                protocol,
                from_port: ports.map(|(from, _)| from),
                to_port: ports.map(|(_, to)| to),
                peer: piece.peers.map_or_else(|| self.rule.peer.clone(), Peer::Cidr),
                ..self.rule.clone()
            }
        };
        let mut rules: Vec<Rule> = self.pieces.iter().map(rule).collect();
        rules.sort();
        rules
    }

    fn narrower(&self, case: &Case<'_>) -> Narrower {
        let (before, after) = self.over_exposure();
        let over_exposure = (number(before), number(after));
        Narrower {
            rule: self.index,
            key: self.rule.key(),
            by: self.rules(),
            over_exposure,
            room: self.effect.room,
            cuts: case.bench.carries_untracked_replies(self.rule),
        }
    }
}

/// More than a report can write is as much as it can.
fn number(size: u128) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

/// Addresses that a rule refers to, as far as the newest state knows them.
fn reference(rule: &Rule, newest: &State) -> u128 {
    let nets: BTreeSet<IpNet> = match &rule.peer {
        Peer::Group(group) => {
            let members = newest.interfaces.values().filter(|own| own.group_ids.contains(group));
            members.flat_map(|own| own.nets().collect::<Vec<_>>()).collect()
        }
        Peer::PrefixList(list) => {
            newest.prefix_lists.get(list).iter().flat_map(|nets| nets.iter().copied()).collect()
        }
        Peer::Cidr(_) | Peer::BadCidr(_) => BTreeSet::new(),
    };
    let pieces: Vec<Piece> = nets.into_iter().map(|net| Piece::new(Some(1), ALL_PORTS, Some(net))).collect();
    union_size(&pieces, 1).max(1)
}

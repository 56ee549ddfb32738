//! Rules that are wider than what they were used for, each with a few narrower ones that cover all of that.
//!
//! ```text
//! tracks of the rule ─▶ used (ports and peers, as narrow as they may be said) ─▶ replacement (few, at the least over-exposure)
//!                        ▲
//!       places (subnets and groups of peers)
//! ```

mod piece;
mod places;
mod quota;
mod replacement;
mod used;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::removal::Case;
use super::services::{self, Service};
use super::settings::Settings;
use super::verdict::{Confidence, Verdict};
use super::{Finding, FindingKind, Severity, managed};
use crate::flow::{has_ports, protocol_name};
use crate::rules::ranked::RuleAction;
use crate::rules::state::State;
use crate::rules::{Peer, Rule, RuleIndex, RuleProtocol};
use crate::tally::tracks::of_rule::RuleTracks;
use piece::{ALL_PORTS, Piece, union_size};
use places::Places;
use quota::{Effect, Quotas};
use replacement::replacement;
use used::{Home, Ports, Used};

/// Ports, peers or members that a finding names of many.
const MOST_LISTED: usize = 50;

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
}

/// A rule that is wider than used.
struct Wide<'a> {
    index: RuleIndex,
    rule: &'a Rule,
    confidence: Confidence,
    used: Used,
    pieces: Vec<Piece>,
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

/// The findings, and the rules that they propose.
pub fn wider(case: &Case<'_>, tracks: &RuleTracks<'_>, bounds: Bounds) -> (Vec<Finding>, Vec<Narrower>) {
    let Some(newest) = case.timeline.newest() else { return (Vec::new(), Vec::new()) };
    let places = Places::of(case.timeline);
    let mut quotas = Quotas::of(case.timeline, newest);
    let groups = newest.groups.values().filter(|group| managed::made_by_service(group).is_none());
    let rules: Vec<RuleIndex> = groups.flat_map(|group| &group.rules).copied().collect();
    let found = rules.par_iter().filter_map(|index| {
        let room = quotas.room(&case.timeline.rules[index.index()]);
        let bounds = Bounds { most: bounds.most.min(room), ..bounds };
        Wide::of(*index, case, newest, tracks, &places, bounds)
    });
    let mut found: Vec<Wide<'_>> = found.collect();
    // Where several rules of a group ask for more than there is room for, the one that closes most comes first.
    found.sort_by_key(|wide| (std::cmp::Reverse(wide.saved()), wide.index));
    for wide in &mut found {
        let room = quotas.room(wide.rule);
        if room < wide.pieces.len() {
            wide.pieces = replacement(&wide.used.pieces, room, wide.reference);
        }
        wide.effect = quotas.replace(wide.rule, wide.pieces.len());
    }
    found.retain(|wide| wide.saved() > 0);
    found.sort_by_key(|wide| wide.index);
    let narrower = found.iter().map(Wide::narrower);
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
        places: &Places<'_>,
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
        let used = Used::of(rule, &tracks.seen(index), home, places);
        let reference = reference(rule, newest);
        let pieces = replacement(&used.pieces, bounds.most, reference);
        let effect = Effect { limit: 0, before: 0, after: 0 };
        let wide = Self { index, rule, confidence, used, pieces, reference, effect };
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

    fn narrower(&self) -> Narrower {
        let (before, after) = self.over_exposure();
        let over_exposure = (number(before), number(after));
        Narrower { rule: self.index, key: self.rule.key(), by: self.rules(), over_exposure }
    }

    fn finding(&self, case: &Case<'_>, newest: &State) -> Finding {
        let key = self.rule.key();
        let (before, after) = self.over_exposure();
        let rules = self.rules();
        let world = matches!(&self.rule.peer, Peer::Cidr(net) if net.prefix_len() == 0);
        let severity = match (after <= before / 2, world) {
            (true, true) => Severity::Medium,
            (true, false) => Severity::Low,
            (false, _) => Severity::Info,
        };
        let Effect { limit, before: rules_before, after: rules_after } = self.effect;
        let mut evidence = Map::new();
        let mut tell = |name: &str, value: Value| evidence.insert(name.to_owned(), value);
        tell("rule_id", json!(case.timeline.labels[self.index.index()].rule_id));
        tell("confidence", json!(self.confidence.as_str()));
        tell("ports", json!(listed(&self.used.ports)));
        tell("ports_unanswered", json!(listed(&self.used.unanswered)));
        tell("peers", json!(self.used.peers.iter().take(MOST_LISTED).map(peer_text).collect::<Vec<_>>()));
        tell("distinct_peers", json!(self.exact_peers().then_some(self.used.peers.len())));
        tell("peers_kept", json!(self.used.kept.iter().map(|kept| kept.as_str()).collect::<Vec<_>>()));
        tell("peer_groups", json!(self.used.groups.iter().take(MOST_LISTED).collect::<Vec<_>>()));
        tell("peers_of_no_subnet", json!(self.used.strangers));
        tell("replacement", Value::Array(rules.iter().map(content).collect()));
        tell("over_exposure", json!({ "before": number(before), "after": number(after) }));
        tell("quota", json!({ "limit": limit, "before": rules_before, "after": rules_after }));
        self.tell_members(newest, &mut tell);
        Finding {
            id: format!("{}/{key}", FindingKind::WiderThanUsed.as_str()),
            kind: FindingKind::WiderThanUsed,
            severity,
            title: format!("rule wider than it was used: {key}"),
            group_id: Some(self.rule.group_id.clone()),
            rule_key: Some(key),
            interface_id: None,
            recommendation: self.advice(rules.len(), case.bench.carries_untracked_replies(self.rule)),
            evidence,
            suppressed: None,
        }
    }

    /// Whether each peer is known by its address.
    fn exact_peers(&self) -> bool {
        self.used.peers.iter().all(|net| net.prefix_len() == net.max_prefix_len())
    }

    /// Members of the group, or entries of the list, that no record came from (or went to).
    fn tell_members(&self, newest: &State, tell: &mut impl FnMut(&str, Value) -> Option<Value>) {
        let met = |net: &IpNet| self.used.peers.iter().any(|peer| net.contains(peer) || peer.contains(net));
        let (name, all, never): (&str, usize, Vec<String>) = match &self.rule.peer {
            Peer::Group(group) => {
                let members = newest.interfaces.values().filter(|own| own.group_ids.contains(group));
                let members: Vec<_> = members.collect();
                let never = members.iter().filter(|own| !own.nets().any(|net| met(&net)));
                ("members", members.len(), never.map(|own| own.id.clone()).collect())
            }
            Peer::PrefixList(list) => {
                let entries =
                    newest.prefix_lists.get(list).map(|entries| entries.as_slice()).unwrap_or_default();
                let never = entries.iter().filter(|net| !met(net));
                ("entries", entries.len(), never.map(ToString::to_string).collect())
            }
            Peer::Cidr(_) | Peer::BadCidr(_) => return,
        };
        let count = never.len();
        let named: Vec<String> = never.into_iter().take(MOST_LISTED).collect();
        let never = self.exact_peers().then(|| json!({ "count": count, "first": named }));
        tell(name, json!({ "count": all, "never_seen": never }));
    }

    fn advice(&self, rules: usize, untracked: bool) -> String {
        let them = if rules == 1 { "One narrower rule covers" } else { "Narrower rules cover" };
        let mut advice = format!(
            "{them} all that was used (see replacement). Put the new in first and take the old out then; replay shows what would be \
             blocked."
        );
        if untracked {
            advice.push_str(
                " Replies pass by this rule that are not tracked (it is open to the world, and so is one the other way): \
                 connections that are open when it changes are cut.",
            );
        }
        if self.used.kept.contains(&used::Kept::SubnetsUnknown) {
            advice.push_str(" Peers are not narrowed: the snapshot lacks the subnets of the VPC (aws ec2 describe-subnets).");
        }
        if !self.used.unanswered.is_empty() {
            advice.push_str(if self.used.is_answered() {
                " Ports where nobody answered do not count as used."
            } else {
                " No answer is on record at any port, so all that were hit count as used."
            });
        }
        if self.used.strangers {
            advice.push_str(
                " Some peers are in no subnet of the snapshot; their neighbours are let in with them.",
            );
        }
        if !self.used.groups.is_empty() {
            advice.push_str(" Where the path is direct, a reference to the groups of the peers (peer_groups) is narrower still.");
        }
        advice
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

/// `tcp/443`, `tcp/8000-8010`, `icmp`.
fn listed(ports: &BTreeMap<u8, Vec<Ports>>) -> Vec<String> {
    let texts = ports.iter().flat_map(|(protocol, ranges)| {
        let name = protocol_name(*protocol);
        ranges.iter().map(move |(from, to)| match (has_ports(*protocol), from == to) {
            (false, _) => name.clone(),
            (true, true) => format!("{name}/{from}"),
            (true, false) => format!("{name}/{from}-{to}"),
        })
    });
    texts.take(MOST_LISTED).collect()
}

fn peer_text(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// A rule as `rules` of the report writes it.
fn content(rule: &Rule) -> Value {
    json!({
        "rule_key": rule.key(),
        "protocol": rule.protocol.report_word(),
        "from_port": rule.from_port,
        "to_port": rule.to_port,
        "peer": { "kind": rule.peer.kind(), "value": rule.peer.to_string() },
    })
}

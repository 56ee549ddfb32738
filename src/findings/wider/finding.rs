//! A rule that is wider than used → what a report says of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::quota::{Effect, Room};
use super::used::{self, Ports};
use super::{Wide, number};
use crate::findings::removal::Case;
use crate::findings::{Finding, FindingKind, Severity};
use crate::flow::{has_ports, protocol_name};
use crate::rules::state::State;
use crate::rules::{Peer, Rule};

/// Ports, peers or members that a finding names of many.
const MOST_LISTED: usize = 50;

impl Wide<'_> {
    pub(super) fn finding(&self, case: &Case<'_>, newest: &State) -> Finding {
        let key = self.rule.key();
        let (before, after) = self.over_exposure();
        let rules = self.rules();
        let world = matches!(&self.rule.peer, Peer::Cidr(net) if net.prefix_len() == 0);
        let severity = match (after <= before / 2, world) {
            (true, true) => Severity::Medium,
            (true, false) => Severity::Low,
            (false, _) => Severity::Info,
        };
        let Effect { limit, before: rules_before, after: rules_after, .. } = self.effect;
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
        tell("method", json!(self.method));
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
            let ask = if self.rule.ranked.is_none() { " (aws ec2 describe-subnets)" } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(advice, " Some peers are not narrowed: the snapshot lacks subnets{ask}.");
        }
        if self.used.unproven {
            advice.push_str(
                " At some ports no answer is on record; they count all the same, for the logs do not show that nobody \
                 listens.",
            );
        } else if !self.used.unanswered.is_empty() {
            advice.push_str(" Ports where nobody answered do not count as used.");
        }
        if self.used.strangers {
            advice.push_str(
                " Some peers are in no subnet of the snapshot; their neighbours are let in with them.",
            );
        }
        if self.used.nobodys {
            advice.push_str(
                " Some peers are on no interface of the snapshots; for them their subnet is let in.",
            );
        }
        if self.effect.room == Room::None {
            advice.push_str(" The group is full: there is no room for the new beside the old.");
        }
        if !self.used.groups.is_empty() {
            advice.push_str(" Where the path is direct, a reference to the groups of the peers (peer_groups) is narrower still.");
        }
        advice
    }
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

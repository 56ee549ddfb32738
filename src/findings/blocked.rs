//! Internal sources that are refused again and again: broken applications, not internet noise.

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::{Finding, FindingKind, Severity};
use crate::attribution::Cause;
use crate::flow::{Direction, protocol_name};
use crate::rules::state::State;
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule};
use crate::tally::Tally;
use crate::tally::blocked::{BlockedKey, Row};
use crate::time;

/// So many refusals of one internal peer are "again and again".
const AGAIN: u64 = 3;
/// Peers named in the evidence.
const MOST_PEERS: usize = 10;

/// One finding per interface, direction, protocol, port and cause with internal peers that keep trying.
pub fn blocked(timeline: &Timeline, tally: &Tally) -> Vec<Finding> {
    let Some(newest) = timeline.newest() else { return Vec::new() };
    let rows = tally.blocked.rows().filter(|(key, ..)| is_attempt(key.cause));
    rows.filter_map(|(key, from, to, row)| finding(timeline, newest, tally, *key, (from, to), row)).collect()
}

/// Causes that refuse a new connection.
fn is_attempt(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::SecurityGroup
            | Cause::SecurityGroupAndNetworkAcl
            | Cause::NetworkAcl
            | Cause::UnknownGroup
            | Cause::NotSecurityGroup
    )
}

fn finding(
    timeline: &Timeline,
    newest: &State,
    tally: &Tally,
    key: BlockedKey,
    ports: (u16, u16),
    row: &Row,
) -> Option<Finding> {
    let direction = key.direction?;
    let mut peers: Vec<(&IpNet, u64)> = row
        .internal
        .iter()
        .filter(|(_, uses)| uses.records >= AGAIN)
        .map(|(net, uses)| (net, uses.records))
        .collect();
    if peers.is_empty() {
        return None;
    }
    peers.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let interface_id = tally.slots.name(key.interface);
    let protocol = protocol_name(key.protocol);
    let records: u64 = peers.iter().map(|(_, records)| records).sum();
    let attempt = Attempt { direction, protocol: key.protocol, port: ports.0, peer: *peers[0].0 };
    let closest = closest_rule(timeline, newest, &interface_id, &attempt);
    let mut evidence = Map::new();
    evidence.insert("cause".into(), json!(key.cause));
    evidence.insert("direction".into(), json!(direction));
    evidence.insert("protocol".into(), json!(protocol));
    evidence.insert("port".into(), json!(ports.0));
    evidence.insert("records".into(), json!(records));
    let named =
        peers.iter().take(MOST_PEERS).map(|(net, records)| json!({"peer": shown(net), "records": records}));
    evidence.insert("peers".into(), Value::Array(named.collect()));
    evidence.insert("first_seen".into(), json!(row.credit.span.first().map(time::format)));
    evidence.insert("last_seen".into(), json!(row.credit.span.last().map(time::format)));
    evidence.insert("closest_rule".into(), json!(closest.as_ref().map(|closest| closest.rule.key())));
    evidence.insert("lacks".into(), json!(closest.as_ref().map(|closest| &closest.lacks)));
    let (kind, recommendation) = advice(key.cause, closest.as_ref(), &attempt);
    let port = if ports.0 == ports.1 { ports.0.to_string() } else { format!("{}-{}", ports.0, ports.1) };
    let who = shown(peers[0].0);
    let others = if peers.len() > 1 { format!(" and {} more", peers.len() - 1) } else { String::new() };
    let (from, to) = match direction {
        Direction::Ingress => (format!("{who}{others}"), interface_id.clone()),
        Direction::Egress => (interface_id.clone(), format!("{who}{others}")),
    };
    Some(Finding {
        id: format!("{}/{interface_id}:{direction}:{protocol}:{port}:{}", kind.as_str(), key.cause.as_str()),
        kind,
        severity: Severity::Medium,
        title: format!("{from} refused {records} times on {protocol}/{port} to {to}"),
        group_id: None,
        rule_key: closest.map(|closest| closest.rule.key()),
        interface_id: Some(interface_id),
        evidence,
        recommendation,
    })
}

/// An address without its full-length prefix, or the prefix.
pub fn shown(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

fn advice(cause: Cause, closest: Option<&Closest<'_>>, attempt: &Attempt) -> (FindingKind, String) {
    let peer = shown(&attempt.peer);
    match cause {
        Cause::NetworkAcl => (
            FindingKind::BlockedByNetworkAcl,
            format!(
                "The security groups let this through; the network ACL of the subnet refuses it. If {peer} should get \
                 through, add an allow entry to the ACL, and one for the replies."
            ),
        ),
        Cause::NotSecurityGroup => (
            FindingKind::BlockedAttempts,
            "The rules in the snapshot allow this. Look at the network ACL, and whether the snapshot is up to date."
                .to_owned(),
        ),
        _ => {
            let lacks = match closest {
                Some(closest) => format!("The closest rule, {}, lacks the {}.", closest.rule.key(), closest.lacks.join(" and the ")),
                None => "No rule of its groups is for this direction.".to_owned(),
            };
            let text = format!(
                "An internal source keeps trying, so an application is probably broken. {lacks} If the connection is \
                 wanted, allow it from the source's security group; if not, stop the source."
            );
            (FindingKind::BlockedAttempts, text)
        }
    }
}

struct Attempt {
    direction: Direction,
    protocol: u8,
    port: u16,
    peer: IpNet,
}

struct Closest<'a> {
    rule: &'a Rule,
    lacks: Vec<&'static str>,
}

/// The rule of the interface's groups that lacks least.
fn closest_rule<'a>(
    timeline: &'a Timeline,
    newest: &State,
    interface_id: &str,
    attempt: &Attempt,
) -> Option<Closest<'a>> {
    let interface = newest.interfaces.get(interface_id)?;
    let groups = interface.group_ids.iter().filter_map(|group| newest.groups.get(group));
    let rules = groups.flat_map(|group| &group.rules).map(|rule| &timeline.rules[rule.index()]);
    let candidates = rules.filter(|rule| rule.direction == attempt.direction).map(|rule| {
        let mut lacks = Vec::new();
        let protocol = match &rule.protocol {
            crate::rules::RuleProtocol::All => true,
            crate::rules::RuleProtocol::Number(number) => *number == attempt.protocol,
            crate::rules::RuleProtocol::Unknown(_) => false,
        };
        if !protocol {
            lacks.push("protocol");
        }
        let (from, to) = rule.ports();
        if rule.protocol.tests_ports() && !(from..=to).contains(&attempt.port) {
            lacks.push("port");
        }
        if !holds(newest, &rule.peer, &attempt.peer) {
            lacks.push("peer");
        }
        Closest { rule, lacks }
    });
    candidates.min_by(|a, b| (a.lacks.len(), &a.lacks, a.rule).cmp(&(b.lacks.len(), &b.lacks, b.rule)))
}

/// Whether the peer of a rule holds all of a range, in this state.
fn holds(state: &State, peer: &Peer, net: &IpNet) -> bool {
    match peer {
        Peer::Cidr(range) => range.contains(net),
        Peer::BadCidr(_) => false,
        Peer::PrefixList(list) => {
            state.prefix_lists.get(list).is_some_and(|nets| nets.iter().any(|range| range.contains(net)))
        }
        Peer::Group(group) => {
            let members = state.interfaces.values().filter(|interface| interface.group_ids.contains(group));
            net.prefix_len() == net.max_prefix_len()
                && members.into_iter().any(|member| member.owns(net.addr()))
        }
    }
}

//! Internal sources that are refused again and again: broken applications, or somebody looking around inside.
//!
//! The source of a refused ingress record is its peer, that of an egress record is the interface itself.

use std::collections::BTreeMap;

use ipnet::IpNet;
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::closest::{Attempt, Closest, closest_rule};
use super::{Finding, FindingKind, MOST_NAMED, Severity};
use crate::attribution::Cause;
use crate::flow::{Direction, protocol_name};
use crate::rules::state::State;
use crate::rules::timeline::Timeline;
use crate::tally::Tally;
use crate::tally::blocked::{BlockedKey, Row};
use crate::tally::peers::PeerUse;
use crate::time;

/// So many refusals of one peer are "again and again".
const AGAIN: u64 = 3;
/// One source refused on so many ports of an interface is looking around, not broken.
const SCANNED_PORTS: usize = 10;

type Rows<'a> = Vec<(&'a BlockedKey, (u16, u16), &'a Row)>;

/// One finding per interface, direction, protocol, port and cause with a source that keeps trying, and one per internal
/// source that tries many ports of an interface.
pub fn blocked(timeline: &Timeline, tally: &Tally) -> Vec<Finding> {
    let Some(newest) = timeline.newest() else { return Vec::new() };
    let rows: Rows<'_> = tally
        .blocked
        .rows()
        .filter(|(key, ..)| is_attempt(key.cause))
        .map(|(key, from, to, row)| (key, (from, to), row))
        .collect();
    let scans = scans(&rows);
    let mut findings: Vec<Finding> = scans.iter().map(|(who, ports)| scan(tally, who, ports)).collect();
    let context = Context { timeline, newest, tally };
    let rows = rows.par_iter();
    findings.par_extend(rows.filter_map(|(key, ports, row)| context.finding(**key, *ports, row, &scans)));
    findings
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

/// Protocols and ports, with their records.
type Tries = BTreeMap<(u8, u16), u64>;

/// Interface slot and internal source → ports it was refused on.
type Scans = BTreeMap<(u32, IpNet), Tries>;

fn scans(rows: &Rows<'_>) -> Scans {
    let mut ingress: Vec<_> =
        rows.iter().filter(|(key, ..)| key.direction == Some(Direction::Ingress)).collect();
    ingress.sort_unstable_by_key(|(key, ports, _)| (key.interface, *ports));
    let interfaces: Vec<_> = ingress.chunk_by(|a, b| a.0.interface == b.0.interface).collect();
    // There may be millions of peers, of which few are scanners: those of each interface are sorted, and seen in groups.
    let scans = interfaces.par_iter().flat_map_iter(|rows| {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (key, (port, _), row) in *rows {
            let port = (key.protocol, *port);
            v4.extend(row.internal.v4_records().map(|(peer, records)| (peer, port, records)));
            v6.extend(row.internal.v6_records().map(|(peer, records)| (peer, port, records)));
        }
        let v4 = scanners(v4).into_iter().map(|(peer, ports)| (peer.net(), ports));
        let interface = rows[0].0.interface;
        v4.chain(scanners(v6)).map(move |(peer, ports)| ((interface, peer), ports))
    });
    scans.collect::<Vec<_>>().into_iter().collect()
}

/// Sources that were refused on many ports, with those.
fn scanners<K: Copy + Ord>(mut tried: Vec<(K, (u8, u16), u64)>) -> Vec<(K, Tries)> {
    tried.sort_unstable();
    let sources = tried.chunk_by(|a, b| a.0 == b.0).filter(|tries| tries.len() >= SCANNED_PORTS);
    let scanners = sources.map(|tries| {
        let mut ports = Tries::new();
        for (.., port, records) in tries {
            *ports.entry(*port).or_default() += records;
        }
        (tries[0].0, ports)
    });
    scanners.filter(|(_, ports)| ports.len() >= SCANNED_PORTS).collect()
}

fn scan(tally: &Tally, (slot, peer): &(u32, IpNet), ports: &Tries) -> Finding {
    let interface_id = tally.slots.name(*slot);
    let records: u64 = ports.values().sum();
    let named = ports.iter().take(MOST_NAMED);
    let named = named.map(|((protocol, port), records)| {
        json!({"protocol": protocol_name(*protocol), "port": port, "records": records})
    });
    let mut evidence = Map::new();
    evidence.insert("peer".into(), json!(shown(peer)));
    evidence.insert("ports".into(), json!(ports.len()));
    evidence.insert("records".into(), json!(records));
    evidence.insert("first_ports".into(), Value::Array(named.collect()));
    let who = shown(peer);
    Finding {
        id: format!("scan/{interface_id}:{who}"),
        kind: FindingKind::Scan,
        severity: Severity::Medium,
        title: format!("{who} was refused on {} ports of {interface_id}", ports.len()),
        group_id: None,
        rule_key: None,
        interface_id: Some(interface_id),
        evidence,
        recommendation:
            "A source inside tries port after port: find out what runs there. A scanner of your own can be \
                         left out by its address; anything else may be an intruder looking around."
                .to_owned(),
        suppressed: None,
    }
}

/// What all findings of this kind look at.
struct Context<'a> {
    timeline: &'a Timeline,
    newest: &'a State,
    tally: &'a Tally,
}

impl Context<'_> {
    fn finding(&self, key: BlockedKey, ports: (u16, u16), row: &Row, scans: &Scans) -> Option<Finding> {
        let direction = key.direction?;
        let peers = persistent(key, direction, row, scans);
        let (first, _) = *peers.first()?;
        let interface_id = self.tally.slots.name(key.interface);
        let protocol = protocol_name(key.protocol);
        let records: u64 = peers.iter().map(|(_, records)| records).sum();
        let attempt = Attempt { direction, protocol: key.protocol, ports, peer: first };
        let closest = match key.cause {
            Cause::NetworkAcl | Cause::NotSecurityGroup => None,
            _ => closest_rule(self.timeline, self.newest, &interface_id, &attempt),
        };
        let port = port_words(key.protocol, ports);
        let others = if peers.len() > 1 { format!(" and {} more", peers.len() - 1) } else { String::new() };
        let far = format!("{}{others}", shown(&first));
        let (from, to) = match direction {
            Direction::Ingress => (far.as_str(), interface_id.as_str()),
            Direction::Egress => (interface_id.as_str(), far.as_str()),
        };
        let kind = if key.cause == Cause::NetworkAcl && self.has_groups(&interface_id) {
            FindingKind::BlockedByNetworkAcl
        } else {
            FindingKind::BlockedAttempts
        };
        Some(Finding {
            id: format!("{}/{interface_id}:{direction}:{port}:{}", kind.as_str(), key.cause.as_str()),
            kind,
            severity: Severity::Medium,
            title: format!("{from} refused {} on {port} to {to}", times(records)),
            group_id: None,
            rule_key: closest.as_ref().map(|closest| closest.rule.key()),
            evidence: evidence(key, direction, &protocol, ports, &peers, row, closest.as_ref()),
            recommendation: self.advice(key.cause, closest.as_ref(), &attempt, &interface_id),
            interface_id: Some(interface_id),
            suppressed: None,
        })
    }

    fn has_groups(&self, interface_id: &str) -> bool {
        let interface = self.newest.interfaces.get(interface_id);
        interface.is_some_and(|interface| !interface.group_ids.is_empty())
    }

    fn advice(
        &self,
        cause: Cause,
        closest: Option<&Closest<'_>>,
        attempt: &Attempt,
        interface_id: &str,
    ) -> String {
        let peer = shown(&attempt.peer);
        match cause {
            Cause::NetworkAcl => format!(
                "The network ACL of the subnet refuses this. If the connection to or from {peer} is wanted, add an allow \
                 entry to the ACL, and one for the replies."
            ),
            Cause::NotSecurityGroup => "The rules in the snapshot allow this. Look at the network ACL, and whether the \
                                        snapshot is of the time of the logs."
                .to_owned(),
            Cause::UnknownGroup => "A group of this interface is in no snapshot, so its rules are not known. Take a \
                                    snapshot that has it and run again."
                .to_owned(),
            _ if !self.newest.interfaces.contains_key(interface_id) => {
                "The interface is not in the newest snapshot, so it may be gone. If the source still tries, it looks \
                 for something that moved."
                    .to_owned()
            }
            _ => Self::missing_rule(closest, attempt),
        }
    }

    fn missing_rule(closest: Option<&Closest<'_>>, attempt: &Attempt) -> String {
        let lacks = match closest {
            Some(closest) => format!(
                "The closest rule, {}, lacks the {}.",
                closest.rule.key(),
                closest.lacks.join(" and the ")
            ),
            None => format!("No {} rule of its groups comes close.", attempt.direction),
        };
        match attempt.direction {
            Direction::Ingress => format!(
                "An internal source keeps trying, so an application is probably broken. {lacks} If the connection is \
                 wanted, allow it from the source's security group; if not, stop the source."
            ),
            Direction::Egress => format!(
                "This interface keeps trying, so what runs on it is probably broken, or should not try. {lacks} If the \
                 connection is wanted, add an egress rule to a group of the interface; if not, stop what tries."
            ),
        }
    }
}

/// Peers with so many refusals that somebody keeps trying; scanners have a finding of their own. The [`MOST_NAMED`] with
/// most of them are first and in order, the others come after them.
fn persistent(key: BlockedKey, direction: Direction, row: &Row, scans: &Scans) -> Vec<(IpNet, u64)> {
    let is_scanner = |net: &IpNet| scans.contains_key(&(key.interface, *net));
    let records = |(net, uses): (IpNet, PeerUse)| (net, uses.records);
    let mut peers: Vec<(IpNet, u64)> = match direction {
        Direction::Ingress => {
            let again = row.internal.iter().map(records).filter(|(_, records)| *records >= AGAIN);
            again.filter(|(net, _)| !is_scanner(net)).collect()
        }
        // What an interface of ours sends is internal wherever it goes.
        Direction::Egress if row.credit.records >= AGAIN => {
            row.internal.iter().chain(row.external.iter()).map(records).collect()
        }
        Direction::Egress => Vec::new(),
    };
    let order = |a: &(IpNet, u64), b: &(IpNet, u64)| b.1.cmp(&a.1).then(a.0.cmp(&b.0));
    if peers.len() > MOST_NAMED {
        peers.select_nth_unstable_by(MOST_NAMED, order);
    }
    let named = peers.len().min(MOST_NAMED);
    peers[..named].sort_by(order);
    peers
}

fn evidence(
    key: BlockedKey,
    direction: Direction,
    protocol: &str,
    ports: (u16, u16),
    peers: &[(IpNet, u64)],
    row: &Row,
    closest: Option<&Closest<'_>>,
) -> Map<String, Value> {
    let named = peers.iter().take(MOST_NAMED);
    let named = named.map(|(net, records)| json!({"peer": shown(net), "records": records}));
    let records: u64 = peers.iter().map(|(_, records)| records).sum();
    let figures = [
        ("cause", json!(key.cause)),
        ("direction", json!(direction)),
        ("protocol", json!(protocol)),
        ("port_range", json!([ports.0, ports.1])),
        ("records", json!(records)),
        ("peers", Value::Array(named.collect())),
        ("first_seen", json!(row.credit.span.first().map(time::format))),
        ("last_seen", json!(row.credit.span.last().map(time::format))),
        ("closest_rule", json!(closest.map(|closest| closest.rule.key()))),
        ("lacks", json!(closest.map(|closest| &closest.lacks))),
    ];
    figures.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// An address without its full-length prefix, or the prefix.
pub fn shown(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// `tcp/22`, `tcp/0-15`, or `icmp`, which has no ports.
fn port_words(protocol: u8, (from, to): (u16, u16)) -> String {
    let name = protocol_name(protocol);
    match (crate::flow::has_ports(protocol), from == to) {
        (false, _) => name,
        (true, true) => format!("{name}/{from}"),
        (true, false) => format!("{name}/{from}-{to}"),
    }
}

fn times(records: u64) -> String {
    if records == 1 { "once".to_owned() } else { format!("{records} times") }
}

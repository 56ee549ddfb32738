//! What an interface never did before: peers and ports that are new to it.
//!
//! New is what came after the interface was seen for a while without it. Where the question leaves some of an interface's records
//! out, only that is told which it cannot have left out.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashSet;
use serde_json::{Value, json};

use super::conversations::{Conversation, Opener};
use super::patterns::{BEACON, LOGINS, MOST_NAMED, Pattern, Technique, Thresholds};
use crate::findings::{Finding, FindingKind, Severity};
use crate::flow::{Action, Seconds, has_ports, protocol_name};
use crate::tally::Tally;
use crate::tally::hours::{HOUR, Hours};
use crate::tally::inquiry::{Connection, Sought};
use crate::tally::scope::{self, PeerScope};
use crate::time;

const REMOTE: Technique = Technique { id: "T1021", name: "Remote Services" };
const EXTERNAL: Technique = Technique { id: "T1133", name: "External Remote Services" };
const PORT: Technique = Technique { id: "T1571", name: "Non-Standard Port" };

/// The first time of something.
#[derive(Clone, Copy)]
struct First<'a> {
    at: Seconds,
    conversation: &'a Conversation<'a>,
}

/// Interface, who opened it, where the peers are, and at which port of ours, where it is one.
type Key<'a> = (&'a str, Opener, PeerScope, String);

/// What came for the first time, in order.
type Firsts<'a> = BTreeMap<Key<'a>, Vec<First<'a>>>;

/// Since when interfaces are watched.
struct Watched<'a> {
    tally: &'a Tally,
    /// Whether only records are asked for of times when an interface had some group.
    of_groups: bool,
    /// The first that was let through, of what was asked for.
    first: BTreeMap<u32, Seconds>,
}

impl Watched<'_> {
    fn since(&self, interface: u32) -> Option<Seconds> {
        if self.of_groups {
            return self.first.get(&interface).copied();
        }
        self.tally.interfaces.get(interface as usize)?.span.first()
    }

    /// Whether what comes now for the first time is new: the interface was seen for so long, and just before as well. After a
    /// time without any record nobody knows what was there.
    fn shows_new(&self, interface: u32, at: Seconds, after: Seconds) -> bool {
        let hours = self.tally.interfaces.get(interface as usize).map(|it| &it.hours);
        let near =
            |hours: &Hours| hours.count((at - after.max(HOUR)).div_euclid(HOUR), at.div_euclid(HOUR)) > 0;
        self.since(interface).is_some_and(|since| at - since >= after) && hours.is_some_and(near)
    }
}

fn service(it: &Conversation<'_>) -> String {
    let port = it.attempt().map_or(0, |attempt| attempt.port);
    format!("{}/{port}", protocol_name(it.connection.protocol))
}

/// Everything new, by interface.
pub(super) fn firsts(
    tally: &Tally,
    sought: &Sought,
    conversations: &[Conversation<'_>],
    thresholds: Thresholds,
) -> Vec<Finding> {
    let names = tally.slots.names();
    // One port alone, or refusals alone, do not show when a peer came first.
    if !sought.ports.is_empty() || sought.action == Some(Action::Reject) {
        return Vec::new();
    }
    let has_all_peers = |it: &Conversation<'_>| {
        let own = it.connection.address;
        sought.addresses.is_empty() || sought.addresses.iter().any(|net| net.contains(&own))
    };
    let mut watched = Watched { tally, of_groups: !sought.groups.is_empty(), first: BTreeMap::new() };
    let mut peers: Firsts<'_> = Firsts::new();
    let mut ports: Firsts<'_> = Firsts::new();
    let (mut met, mut used) = (HashSet::new(), HashSet::new());
    // They come in order of time. Whatever was let through is a sighting, told who opened it or not.
    for it in conversations.iter().filter(|it| it.accepted() > 0) {
        let slot = it.connection.interface;
        let (Some(name), Some(at)) = (names.get(slot as usize), it.first()) else { continue };
        watched.first.entry(slot).or_insert(at);
        let is_new_peer = met.insert((slot, it.connection.peer));
        let (Some(opener), Some(attempt)) = (it.opened_by, it.attempt()) else {
            if has_ports(it.connection.protocol) {
                let Connection { protocol, local_port, peer_port, .. } = it.connection;
                used.insert((slot, Opener::Peer, protocol, local_port));
                used.insert((slot, Opener::Interface, protocol, peer_port));
            }
            continue;
        };
        let is_new_port = used.insert((slot, opener, it.connection.protocol, attempt.port));
        if !it.is_let_in() || !watched.shows_new(slot, at, thresholds.new_after) {
            continue;
        }
        let first = First { at, conversation: it };
        let scope = scope::of(it.connection.peer);
        if is_new_peer {
            // Strangers at one port say nothing of those at another.
            let service = if opener == Opener::Peer { service(it) } else { String::new() };
            peers.entry((name, opener, scope, service)).or_default().push(first);
        }
        if is_new_port && has_all_peers(it) && has_ports(it.connection.protocol) {
            ports.entry((name, opener, scope, String::new())).or_default().push(first);
        }
    }
    let mut findings = Vec::new();
    for (of, all) in [(Of::Peers, peers), (Of::Ports, ports)] {
        for (key, new) in all {
            let since = new.first().and_then(|first| watched.since(first.conversation.connection.interface));
            findings.extend(finding(&key, of, &new, thresholds.new_most, since));
        }
    }
    findings
}

/// What is new.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Peers,
    Ports,
}

fn finding(
    (interface, opener, scope, at): &Key<'_>,
    of: Of,
    new: &[First<'_>],
    most: u64,
    since: Option<Seconds>,
) -> Option<Finding> {
    if new.is_empty() || new.len() as u64 > most {
        return None;
    }
    let words: BTreeSet<String> = new
        .iter()
        .map(|First { conversation: it, .. }| match of {
            Of::Peers => it.connection.peer.to_string(),
            Of::Ports => service(it),
        })
        .collect();
    let named: Vec<&str> = words.iter().take(3).map(String::as_str).collect();
    let more = if words.len() > 3 { format!(" and {} more", words.len() - 3) } else { String::new() };
    let on = if at.is_empty() { String::new() } else { format!(" on {at}") };
    let (noun, way) = match (of, opener) {
        (Of::Peers, Opener::Peer) => (format!("let in{on}, for the first time,"), "let_in"),
        (Of::Peers, Opener::Interface) => ("called, for the first time,".to_owned(), "called"),
        (Of::Ports, Opener::Peer) => ("let in on, for the first time,".to_owned(), "served"),
        (Of::Ports, Opener::Interface) => ("called on, for the first time,".to_owned(), "called_on"),
    };
    let is_internal = *scope == PeerScope::Internal;
    let logs_in =
        |first: &First<'_>| first.conversation.attempt().is_some_and(|it| LOGINS.contains(&it.port));
    let technique = match (of, opener) {
        (Of::Ports, _) if !new.iter().all(logs_in) => PORT,
        (Of::Peers, Opener::Interface) => BEACON,
        _ if is_internal => REMOTE,
        _ => EXTERNAL,
    };
    let rows: Vec<Value> = new
        .iter()
        .take(MOST_NAMED)
        .map(|First { at, conversation: it }| {
            json!({
                "peer": it.connection.peer, "service": service(it), "first_seen": time::format(*at),
                "bytes_in": it.piece.ingress.bytes, "bytes_out": it.piece.egress.bytes,
            })
        })
        .collect();
    let what = if of == Of::Peers { "new_peers" } else { "new_ports" };
    let mut finding = Pattern {
        kind: FindingKind::Investigation,
        severity: Severity::Low,
        subject: format!(
            "{what}/{interface}/{way}{}/{}",
            at_place(at),
            if is_internal { "internal" } else { "internet" }
        ),
        title: format!("{interface} {noun} {}{more}", named.join(", ")),
        technique,
        recommendation: "Find out whether that was meant to be; new is what these logs do not show before.",
    }
    .finding(json!({
        "distinct": words.len(), "first": rows, "first_seen": new.first().map(|first| time::format(first.at)),
        "interface_seen_since": since.map(time::format),
    }));
    finding.interface_id = Some((*interface).to_owned());
    Some(finding)
}

/// `tcp/22` as a part of an id.
fn at_place(service: &str) -> String {
    if service.is_empty() { String::new() } else { format!("/{}", service.replace('/', ":")) }
}

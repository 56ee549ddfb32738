//! What an interface never did before: peers and ports that are new to it.
//!
//! New is what came after the interface was seen for a while without it. Where the question leaves some of an interface's records
//! out, only that is told which it cannot have left out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Value, json};

use super::conversations::{Conversation, Opener};
use super::patterns::{BEACON, MOST_NAMED, Pattern, Technique, Thresholds};
use crate::findings::{Finding, FindingKind, Severity};
use crate::flow::{Action, Seconds, has_ports, protocol_name};
use crate::tally::Tally;
use crate::tally::inquiry::Sought;
use crate::tally::scope::{self, PeerScope};
use crate::time;

const REMOTE: Technique = Technique { id: "T1021", name: "Remote Services" };
const EXTERNAL: Technique = Technique { id: "T1133", name: "External Remote Services" };
const PORT: Technique = Technique { id: "T1571", name: "Non-Standard Port" };

/// The first time of something.
#[derive(Clone, Copy)]
struct First<'a> {
    at: Seconds,
    conversation: &'a Conversation,
}

/// By interface, and who opened it: the first of each.
type Firsts<'a, K> = BTreeMap<(&'a str, Opener), BTreeMap<K, First<'a>>>;

/// Everything new, by interface.
pub(super) fn firsts(
    tally: &Tally,
    sought: &Sought,
    conversations: &[Conversation],
    thresholds: Thresholds,
) -> Vec<Finding> {
    let names = tally.slots.names();
    let since = |interface: u32| tally.interfaces.get(interface as usize)?.span.first();
    // One port alone, or refusals alone, do not show when a peer came first.
    if !sought.ports.is_empty() || sought.action == Some(Action::Reject) {
        return Vec::new();
    }
    let has_all_peers = |it: &Conversation| {
        let own = it.connection.address;
        sought.addresses.is_empty() || sought.addresses.iter().any(|net| net.contains(&own))
    };
    let mut peers: Firsts<'_, IpAddr> = Firsts::new();
    let mut ports: Firsts<'_, (u8, u16)> = Firsts::new();
    let mut seen: BTreeMap<&str, Seconds> = BTreeMap::new();
    // They come in order of time.
    for it in conversations.iter().filter(|it| it.is_let_in()) {
        let slot = it.connection.interface;
        let name = names.get(slot as usize).map(String::as_str);
        let (Some(name), Some(opener), Some(at), Some(since)) = (name, it.opened_by, it.first(), since(slot))
        else {
            continue;
        };
        let Some(attempt) = it.attempt() else { continue };
        seen.insert(name, since);
        let first = First { at, conversation: it };
        peers.entry((name, opener)).or_default().entry(it.connection.peer).or_insert(first);
        if has_all_peers(it) && has_ports(it.connection.protocol) {
            let port = (it.connection.protocol, attempt.port);
            ports.entry((name, opener)).or_default().entry(port).or_insert(first);
        }
    }
    let is_new = |name: &str, first: &First<'_>| {
        seen.get(name).is_some_and(|since| first.at - since >= thresholds.new_after)
    };
    let mut findings = Vec::new();
    for ((name, opener), of) in peers {
        let new: Vec<First<'_>> = of.into_values().filter(|first| is_new(name, first)).collect();
        findings.extend(finding(name, opener, Of::Peers, new, thresholds.new_most, seen.get(name).copied()));
    }
    for ((name, opener), of) in ports {
        let new: Vec<First<'_>> = of.into_values().filter(|first| is_new(name, first)).collect();
        findings.extend(finding(name, opener, Of::Ports, new, thresholds.new_most, seen.get(name).copied()));
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
    interface: &str,
    opener: Opener,
    of: Of,
    mut new: Vec<First<'_>>,
    most: u64,
    since: Option<Seconds>,
) -> Option<Finding> {
    if new.is_empty() || new.len() as u64 > most {
        return None;
    }
    new.sort_by_key(|first| first.at);
    let service = |it: &Conversation| {
        let port = it.attempt().map_or(0, |attempt| attempt.port);
        format!("{}/{port}", protocol_name(it.connection.protocol))
    };
    let words: BTreeSet<String> = new
        .iter()
        .map(|First { conversation: it, .. }| match of {
            Of::Peers => it.connection.peer.to_string(),
            Of::Ports => service(it),
        })
        .collect();
    let named: Vec<&str> = words.iter().take(3).map(String::as_str).collect();
    let more = if words.len() > 3 { format!(" and {} more", words.len() - 3) } else { String::new() };
    let (noun, way) = match (of, opener) {
        (Of::Peers, Opener::Peer) => ("let in, for the first time,", "let_in"),
        (Of::Peers, Opener::Interface) => ("called, for the first time,", "called"),
        (Of::Ports, Opener::Peer) => ("let in on, for the first time,", "served"),
        (Of::Ports, Opener::Interface) => ("called on, for the first time,", "called_on"),
    };
    let is_internal =
        new.iter().all(|first| scope::of(first.conversation.connection.peer) != PeerScope::Internet);
    let technique = match (of, opener) {
        (Of::Ports, _) => PORT,
        (Of::Peers, Opener::Interface) => BEACON,
        (Of::Peers, Opener::Peer) if is_internal => REMOTE,
        (Of::Peers, Opener::Peer) => EXTERNAL,
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
        subject: format!("{what}/{interface}/{way}"),
        title: format!("{interface} {noun} {}{more}", named.join(", ")),
        technique,
        recommendation: "Find out whether that was meant to be; new is what these logs do not show before.",
    }
    .finding(json!({
        "distinct": words.len(), "first": rows, "first_seen": new.first().map(|first| time::format(first.at)),
        "interface_seen_since": since.map(time::format),
    }));
    finding.interface_id = Some(interface.to_owned());
    Some(finding)
}

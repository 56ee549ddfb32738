//! `--follow`: one hop further. Whoever was in contact with what was asked for: who else spoke with them, on the same port,
//! afterwards? So does somebody move who goes from one machine to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::conversations::{Conversation, conversations};
use super::patterns::seen_once;
use super::report::{ConversationRow, Names, row};
use crate::flow::{Seconds, protocol_name};
use crate::report::build::Run;
use crate::report::rows::text;
use crate::tally::inquiry::Sought;

/// So many peers are followed: those in contact first.
const MOST_FOLLOWED: usize = 50;

/// A peer that was in contact, and on which port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Contact {
    /// Since when.
    since: Option<Seconds>,
    peer: IpAddr,
    protocol: u8,
    /// The port of whoever was connected to.
    port: u16,
}

/// Who else spoke with a peer.
#[derive(Debug, Clone, Serialize)]
pub struct Followed {
    /// The peer.
    pub peer: String,
    /// Name or number.
    pub protocol: String,
    /// The port on which it was in contact.
    pub port: u16,
    /// When it first was, RFC 3339.
    pub since: Option<String>,
    /// What came afterwards on this port, with anybody else.
    pub conversations: Vec<ConversationRow>,
}

/// Whoever was let through, from either end, first those in contact first; and how many are left out.
pub(super) fn contacts(conversations: &[Conversation<'_>]) -> (BTreeSet<Contact>, u64) {
    let mut first: BTreeMap<(IpAddr, u8, u16), Option<Seconds>> = BTreeMap::new();
    for it in conversations.iter().filter(|it| it.is_let_in()) {
        let Some(attempt) = it.attempt() else { continue };
        let key = (it.connection.peer, it.connection.protocol, attempt.port);
        // Conversations come in order of time.
        first.entry(key).or_insert(it.first());
    }
    let mut contacts: BTreeSet<Contact> = first
        .into_iter()
        .map(|((peer, protocol, port), since)| Contact { since, peer, protocol, port })
        .collect();
    let all = contacts.len();
    while contacts.len() > MOST_FOLLOWED {
        contacts.pop_last();
    }
    (contacts, (all.saturating_sub(MOST_FOLLOWED)) as u64)
}

/// The question about the peers.
pub(super) fn question(contacts: &BTreeSet<Contact>) -> Sought {
    let peers: BTreeSet<IpNet> = contacts.iter().map(|contact| IpNet::from(contact.peer)).collect();
    Sought { addresses: peers.into_iter().collect(), ..Sought::default() }
}

/// What came of following.
#[derive(Debug, Default)]
pub(super) struct Further {
    pub(super) followed: Vec<Followed>,
    pub(super) touched: Vec<Touched>,
    /// From when on not all was looked at.
    pub(super) until: Option<String>,
    /// Records that were not read, for nothing of it can be among them.
    pub(super) not_read: u64,
}

/// What else a peer went for.
#[derive(Debug, Clone, Serialize)]
pub struct Touched {
    /// The peer.
    pub peer: String,
    /// How many ports at how many targets there are.
    pub distinct_targets: u64,
    /// Those it went for first.
    pub targets: Vec<Target>,
}

/// A port that a peer went for.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// Whose.
    pub target: String,
    /// Name or number.
    pub protocol: String,
    /// The port.
    pub port: u16,
    /// Records let through.
    pub accepted: u64,
    /// Records refused.
    pub rejected: u64,
    /// RFC 3339.
    pub first_seen: Option<String>,
    /// RFC 3339.
    pub last_seen: Option<String>,
}

/// Targets of a peer that are named.
const MOST_TARGETS: usize = 20;

/// Who else spoke with them, and what else they went for: conversations that the question itself did not ask for.
pub(super) fn further(run: &Run<'_>, contacts: &BTreeSet<Contact>, known: &BTreeSet<Known>) -> Further {
    let mut all = conversations(&run.tally.inquiry, &run.tally.slots.names());
    all.retain(|it| !known.contains(&Known::of(it)));
    Further {
        followed: followed(run, contacts, &all),
        touched: touched(contacts, &seen_once(&all)),
        until: text(run.tally.inquiry.cut()),
        not_read: run.tally.inquiry.unread,
    }
}

fn touched(contacts: &BTreeSet<Contact>, all: &[&Conversation<'_>]) -> Vec<Touched> {
    let peers: BTreeSet<IpAddr> = contacts.iter().map(|contact| contact.peer).collect();
    let mut by: BTreeMap<IpAddr, BTreeMap<(IpAddr, u8, u16), Sum>> = BTreeMap::new();
    for it in all {
        let Some(attempt) = it.attempt().filter(|attempt| peers.contains(&attempt.source)) else { continue };
        let key = (attempt.target, it.connection.protocol, attempt.port);
        by.entry(attempt.source).or_default().entry(key).or_default().add(it);
    }
    let rows = by.into_iter().map(|(peer, targets)| {
        let mut targets: Vec<_> = targets.into_iter().collect();
        targets.sort_by_key(|(key, sum)| (sum.first, *key));
        Touched {
            peer: peer.to_string(),
            distinct_targets: targets.len() as u64,
            targets: targets.into_iter().take(MOST_TARGETS).map(|(key, sum)| sum.target(key)).collect(),
        }
    });
    rows.collect()
}

/// What came to one port.
#[derive(Default)]
struct Sum {
    accepted: u64,
    rejected: u64,
    first: Option<Seconds>,
    last: Option<Seconds>,
}

impl Sum {
    fn add(&mut self, it: &Conversation<'_>) {
        self.accepted = self.accepted.saturating_add(it.accepted());
        self.rejected = self.rejected.saturating_add(it.piece.rejected);
        self.first = self.first.into_iter().chain(it.first()).min();
        self.last = self.last.into_iter().chain(it.last()).max();
    }

    fn target(self, (target, protocol, port): (IpAddr, u8, u16)) -> Target {
        Target {
            target: target.to_string(),
            protocol: protocol_name(protocol),
            port,
            accepted: self.accepted,
            rejected: self.rejected,
            first_seen: text(self.first),
            last_seen: text(self.last),
        }
    }
}

fn followed(run: &Run<'_>, contacts: &BTreeSet<Contact>, all: &[Conversation<'_>]) -> Vec<Followed> {
    let names = Names::of(run);
    let follow = |contact: &Contact| {
        let with = |it: &&Conversation<'_>| {
            let connection = &it.connection;
            let is_of = connection.peer == contact.peer || connection.address == contact.peer;
            let same = connection.protocol == contact.protocol
                && it.attempt().is_some_and(|attempt| attempt.port == contact.port);
            is_of && same && it.first() >= contact.since
        };
        let conversations: Vec<ConversationRow> =
            all.iter().filter(with).map(|it| row(run, &names, it)).collect();
        (!conversations.is_empty()).then(|| Followed {
            peer: contact.peer.to_string(),
            protocol: protocol_name(contact.protocol),
            port: contact.port,
            since: text(contact.since),
            conversations,
        })
    };
    contacts.iter().filter_map(follow).collect()
}

/// The ends of a conversation that was asked for, whichever interface saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Known {
    protocol: u8,
    ends: [(IpAddr, u16); 2],
}

impl Known {
    pub(super) fn of(it: &Conversation<'_>) -> Self {
        let connection = &it.connection;
        let mut ends = [(connection.address, connection.local_port), (connection.peer, connection.peer_port)];
        ends.sort_unstable();
        Self { protocol: connection.protocol, ends }
    }
}

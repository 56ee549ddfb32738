//! Who it is that was asked for, with whom, how much, and by which rules.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::conversations::Conversation;
use crate::attribution::judge::Role;
use crate::findings::blocked::shown;
use crate::flow::protocol_name;
use crate::report::build::Run;
use crate::report::rows::text;
use crate::rules::RuleIndex;
use crate::tally::credit::Credit;
use crate::tally::inquiry::{Ending, Sought};
use crate::tally::waiting::End;

/// Rows of each list.
const TOP: usize = 20;

/// The summary.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Interfaces that were asked for, or whose addresses were, as they were.
    pub interfaces: Vec<Who>,
    /// RFC 3339.
    pub first_seen: Option<String>,
    /// RFC 3339.
    pub last_seen: Option<String>,
    /// Records that were let through.
    pub accepted: u64,
    /// Records that were refused.
    pub rejected: u64,
    /// Of the records, those that the interface at the far end saw: where both ends have one, each packet is counted at both.
    pub far_end_records: u64,
    /// To whoever was asked for, or to the interfaces.
    pub ingress: Volume,
    /// From there.
    pub egress: Volume,
    /// In a direction that is not known.
    pub unknown_direction: Volume,
    /// How many peers there are; null where they were widened to prefixes.
    pub distinct_peers: Option<u64>,
    /// Those with most records.
    pub peers: Vec<Peer>,
    /// What was connected to, by the conversations: where most records are.
    pub services: Vec<Service>,
    /// Rules that let it through, or may have.
    pub rules: Vec<RuleCount>,
    /// Why it was refused.
    pub causes: BTreeMap<&'static str, u64>,
    /// Let through, and no rule explains it.
    pub unexplained: u64,
}

/// An interface for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    /// Its id.
    pub interface_id: String,
    /// Since when it was so; null: since before the first snapshot, or always.
    pub from: Option<String>,
    /// Until when; null: it still is.
    pub to: Option<String>,
    /// Its private addresses.
    pub addresses: Vec<String>,
    /// Its public ones.
    pub public_addresses: Vec<String>,
    /// The instance, empty where there is none.
    pub instance_id: String,
    /// Its groups.
    pub group_ids: Vec<String>,
    /// Description.
    pub description: String,
}

/// How much.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Volume {
    /// Records.
    pub records: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl From<&Credit> for Volume {
    fn from(credit: &Credit) -> Self {
        Self { records: credit.records, packets: credit.packets, bytes: credit.bytes }
    }
}

/// A peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// Address, or the prefix it was widened to.
    pub peer: String,
    /// Records let through.
    pub accepted: u64,
    /// Records refused.
    pub rejected: u64,
    /// Bytes from the peer.
    pub bytes_in: u64,
    /// Bytes to the peer.
    pub bytes_out: u64,
    /// RFC 3339.
    pub first_seen: Option<String>,
    /// RFC 3339.
    pub last_seen: Option<String>,
}

/// A port that was connected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Service {
    /// Name or number.
    pub protocol: String,
    /// The port.
    pub port: u16,
    /// Whose: `interface` or `peer`.
    pub of: &'static str,
    /// Conversations.
    pub conversations: u64,
    /// Records let through.
    pub accepted: u64,
    /// Records refused.
    pub rejected: u64,
}

/// A rule that let records through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleCount {
    /// Its key.
    pub rule_key: String,
    /// Records in forward role.
    pub records: u64,
    /// Records in reply role.
    pub reply_records: u64,
    /// Records that it may have let through.
    pub possible_records: u64,
}

/// Makes the summary.
pub fn summary(run: &Run<'_>, sought: &Sought, conversations: &[Conversation<'_>]) -> Summary {
    let inquiry = &run.tally.inquiry;
    let records = &inquiry.records;
    let mut span = records.ingress.span;
    span.merge(records.egress.span);
    span.merge(records.unknown.span);
    let all: Vec<_> = inquiry.peers().collect();
    let exact = all.iter().all(|(net, _)| net.prefix_len() == net.max_prefix_len());
    let distinct_peers = exact.then_some(all.len() as u64);
    let mut peers: Vec<Peer> = all
        .into_iter()
        .map(|(net, sum)| Peer {
            peer: shown(&net),
            accepted: sum.accepted,
            rejected: sum.rejected,
            bytes_in: sum.bytes_in,
            bytes_out: sum.bytes_out,
            first_seen: text(sum.span.first()),
            last_seen: text(sum.span.last()),
        })
        .collect();
    peers.sort_by(|a, b| {
        (b.accepted + b.rejected).cmp(&(a.accepted + a.rejected)).then_with(|| a.peer.cmp(&b.peer))
    });
    peers.truncate(TOP);
    let (mut causes, mut unexplained) = (BTreeMap::new(), 0);
    let mut endings: Vec<_> = inquiry.endings.iter().collect();
    endings.sort();
    for (ending, count) in endings {
        match ending {
            Ending::Refused(_, cause) => *causes.entry(cause.as_str()).or_default() += count,
            Ending::Unexplained(_) => unexplained += count,
            _ => {}
        }
    }
    Summary {
        interfaces: who(run, sought),
        first_seen: text(span.first()),
        last_seen: text(span.last()),
        accepted: records.accepted,
        rejected: records.rejected,
        far_end_records: records.far_end,
        ingress: (&records.ingress).into(),
        egress: (&records.egress).into(),
        unknown_direction: (&records.unknown).into(),
        distinct_peers,
        peers,
        services: services(conversations),
        rules: rules(run),
        causes,
        unexplained,
    }
}

/// Interfaces that the question names, each as it was from time to time.
fn who(run: &Run<'_>, sought: &Sought) -> Vec<Who> {
    let lives = run.timeline.lives();
    let time_of = |state: usize| run.timeline.states.get(state).and_then(|state| state.from);
    let mut all = Vec::new();
    for span in lives.spans() {
        let it = span.interface;
        let own = it.nets().chain(it.public_addresses.iter().copied().map(Into::into));
        let mut own = own.into_iter();
        let asked = sought.interfaces.contains(&it.id)
            || it.group_ids.iter().any(|id| sought.groups.contains(id))
            || own.any(|net: ipnet::IpNet| sought.addresses.iter().any(|asked| asked.contains(&net)));
        if asked {
            all.push(Who {
                interface_id: it.id.clone(),
                from: text(time_of(span.states.start)),
                to: text(time_of(span.states.end)),
                addresses: it.addresses.iter().map(ToString::to_string).collect(),
                public_addresses: it.public_addresses.iter().map(ToString::to_string).collect(),
                instance_id: it.instance_id.clone(),
                group_ids: it.group_ids.clone(),
                description: it.description.clone(),
            });
        }
    }
    all
}

fn services(conversations: &[Conversation<'_>]) -> Vec<Service> {
    let mut sums: BTreeMap<(End, u8, u16), (u64, u64, u64)> = BTreeMap::new();
    for it in conversations {
        let Some(attempt) = it.attempt() else { continue };
        let end = if attempt.target == it.connection.address { End::Local } else { End::Remote };
        let sum = sums.entry((end, it.connection.protocol, attempt.port)).or_default();
        sum.0 += 1;
        sum.1 += it.accepted();
        sum.2 += it.piece.rejected;
    }
    let mut services: Vec<Service> = sums
        .into_iter()
        .map(|((end, protocol, port), (conversations, accepted, rejected))| Service {
            protocol: protocol_name(protocol),
            port,
            of: if end == End::Local { "interface" } else { "peer" },
            conversations,
            accepted,
            rejected,
        })
        .collect();
    // Sorted by end, protocol and port before.
    services.sort_by_key(|service| std::cmp::Reverse(service.accepted + service.rejected));
    services.truncate(TOP);
    services
}

fn rules(run: &Run<'_>) -> Vec<RuleCount> {
    let mut counts: BTreeMap<RuleIndex, [u64; 3]> = BTreeMap::new();
    let mut endings: Vec<_> = run.tally.inquiry.endings.iter().collect();
    endings.sort();
    for (ending, records) in endings {
        let role = match ending {
            Ending::Admitted(admitted, _) => admitted.role,
            _ => Role::Undecided,
        };
        let sets = ending.sets().into_iter();
        let rules: BTreeSet<RuleIndex> =
            sets.flat_map(|set| run.tally.sets.rules(set).iter().copied()).collect();
        for rule in rules {
            counts.entry(rule).or_default()[role as usize] += records;
        }
    }
    let row = |(rule, [records, reply_records, possible_records]): (RuleIndex, [u64; 3])| RuleCount {
        rule_key: run.timeline.rules[rule.index()].key(),
        records,
        reply_records,
        possible_records,
    };
    counts.into_iter().map(row).collect()
}

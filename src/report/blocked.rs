//! Refused records: the rows, and who was refused most.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::rows::text;
use super::{BlockedRow, BlockedSummary, InterfaceCount, PeerCount, PortCount};
use crate::attribution::Cause;
use crate::findings::blocked::shown;
use crate::findings::ports::PortProfile;
use crate::flow::{Direction, protocol_name};
use crate::tally::Tally;
use crate::tally::blocked::{BlockedKey, Row};
use crate::tally::peers::{PeerTable, PeerUse};
use rayon::prelude::*;

/// Peers listed per row.
const TOP_PEERS: usize = 10;
/// Entries of each list of the summary.
const TOP: usize = 20;

/// Every refused record.
pub fn rows(tally: &Tally) -> Vec<BlockedRow> {
    let rows: Vec<_> = tally.blocked.rows().collect();
    let mut rows: Vec<BlockedRow> = rows.par_iter().map(|row| blocked_row(tally, *row)).collect();
    rows.sort_by(|a, b| {
        let place = |row: &BlockedRow| (row.port, row.port_range, row.cause);
        let a_key = (&a.interface_id, a.direction, &a.protocol, place(a));
        a_key.cmp(&(&b.interface_id, b.direction, &b.protocol, place(b)))
    });
    rows
}

fn blocked_row(tally: &Tally, (key, from, to, row): (&BlockedKey, u16, u16, &Row)) -> BlockedRow {
    BlockedRow {
        interface_id: tally.slots.name(key.interface),
        direction: key.direction,
        protocol: protocol_name(key.protocol),
        port: (from == to).then_some(from),
        port_range: (from != to).then_some([from, to]),
        cause: key.cause,
        records: row.credit.records,
        packets: row.credit.packets,
        bytes: row.credit.bytes,
        first_seen: text(row.credit.span.first()),
        last_seen: text(row.credit.span.last()),
        distinct_peers: distinct_peers(row),
        top_peers: top_peers(row),
    }
}

fn distinct_peers(row: &Row) -> Option<u64> {
    (row.internal.is_exact() && row.external.is_exact())
        .then(|| row.internal.len() as u64 + row.external.len() as u64)
}

fn top_peers(row: &Row) -> Vec<PeerCount> {
    let mut peers: Vec<_> = row.internal.iter().chain(row.external.iter()).collect();
    if distinct_peers(row).is_none() {
        // Prefixes wide enough hold internal peers and others.
        peers.sort_by_key(|(net, _)| *net);
        peers.dedup_by(|(other, more), (net, uses)| {
            if other == net {
                uses.merge(more);
            }
            other == net
        });
    }
    let order = |a: &(IpNet, PeerUse), b: &(IpNet, PeerUse)| {
        b.1.records.cmp(&a.1.records).then_with(|| a.0.cmp(&b.0))
    };
    if peers.len() > TOP_PEERS {
        peers.select_nth_unstable_by(TOP_PEERS, order);
        peers.truncate(TOP_PEERS);
    }
    peers.sort_by(order);
    peers.iter().map(|(net, uses)| peer(net, uses)).collect()
}

/// Who was refused most, where.
pub fn summary(tally: &Tally, profile: &PortProfile) -> BlockedSummary {
    let mut internal = Vec::new();
    let mut internet = Vec::new();
    let mut egress = Vec::new();
    let mut ports: BTreeMap<(u8, [u16; 2]), u64> = BTreeMap::new();
    let mut interfaces: BTreeMap<String, u64> = BTreeMap::new();
    for (key, from, to, row) in tally.blocked.rows() {
        if !is_attempt(key.cause, key.protocol, from, to, profile) {
            continue;
        }
        if key.direction == Some(Direction::Egress) {
            egress.extend([&row.internal, &row.external]);
        } else {
            internal.push(&row.internal);
            internet.push(&row.external);
        }
        *ports.entry((key.protocol, [from, to])).or_default() += row.credit.records;
        *interfaces.entry(tally.slots.name(key.interface)).or_default() += row.credit.records;
    }
    BlockedSummary {
        internal_peers: peers(&internal),
        internet_peers: peers(&internet),
        egress_peers: peers(&egress),
        ports: top(ports)
            .map(|((protocol, port_range), records)| PortCount {
                protocol: protocol_name(protocol),
                port_range,
                records,
            })
            .collect(),
        interfaces: top(interfaces)
            .map(|(interface_id, records)| InterfaceCount { interface_id, records })
            .collect(),
    }
}

/// Late packets and replies are no attempts; what may be either is one on a port that somebody would try.
fn is_attempt(cause: Cause, protocol: u8, from: u16, to: u16, profile: &PortProfile) -> bool {
    match cause {
        Cause::LatePacket | Cause::BlockedReply => false,
        Cause::LateReplyOrScan => {
            let sensitive = |(own, port): (u8, u16)| own == protocol && (from..=to).contains(&port);
            from < 1024 || profile.services().into_iter().any(sensitive)
        }
        _ => true,
    }
}

fn top<K: Ord>(sums: BTreeMap<K, u64>) -> impl Iterator<Item = (K, u64)> {
    let mut sums: Vec<(K, u64)> = sums.into_iter().collect();
    sums.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sums.into_iter().take(TOP)
}

/// The peers with the most records over many tables. There may be millions of peers, of which a few are shown: when
/// those were seen is looked up afterwards.
fn peers(tables: &[&PeerTable]) -> Vec<PeerCount> {
    let mut v4: Vec<_> = tables.par_iter().flat_map_iter(|table| table.v4_records()).collect();
    let mut v6: Vec<_> = tables.iter().flat_map(|table| table.v6_records()).collect();
    let v4 = most_seen(&mut v4).into_iter().map(|(peer, records)| (peer.net(), records));
    let mut peers: Vec<(IpNet, u64)> = v4.chain(most_seen(&mut v6)).collect();
    peers.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let shown = peers.into_iter().take(TOP).map(|(net, records)| {
        let mut uses = PeerUse { records, ..PeerUse::default() };
        tables.iter().filter_map(|table| table.seen(&net)).for_each(|span| uses.span.merge(span));
        peer(&net, &uses)
    });
    shown.collect()
}

/// The keys with the largest sums, in no order.
fn most_seen<K: Copy + Ord + Send>(counts: &mut Vec<(K, u64)>) -> Vec<(K, u64)> {
    counts.par_sort_unstable_by_key(|(key, _)| *key);
    counts.dedup_by(|(other, more), (key, records)| {
        if other == key {
            *records += *more;
        }
        other == key
    });
    if counts.len() > TOP {
        counts.select_nth_unstable_by(TOP, |a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        counts.truncate(TOP);
    }
    std::mem::take(counts)
}

fn peer(net: &IpNet, uses: &PeerUse) -> PeerCount {
    PeerCount {
        peer: shown(net),
        records: uses.records,
        first_seen: text(uses.span.first()),
        last_seen: text(uses.span.last()),
    }
}

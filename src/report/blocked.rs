//! Refused records: the rows, and who was refused most.

mod summary;

use ipnet::IpNet;
use rayon::prelude::*;

use super::rows::text;
use super::{BlockedRow, PeerCount};
use crate::findings::blocked::shown;
use crate::flow::protocol_name;
use crate::tally::Tally;
use crate::tally::blocked::{BlockedKey, Row};
use crate::tally::credit::Span;
use crate::tally::peers::V4Prefix;

pub use summary::summary;

/// Peers listed per row.
const TOP_PEERS: usize = 10;

/// Every refused record.
pub fn rows(tally: &Tally) -> Vec<BlockedRow> {
    let mut rows: Vec<_> = tally.blocked.rows().collect();
    let interfaces = ranks((0..).zip(tally.slots.ids()).map(|(slot, _)| tally.slots.name(slot)));
    let protocols = ranks((0..=u8::MAX).map(protocol_name));
    rows.sort_by_key(|(key, from, to, _)| {
        let ports = ((from == to).then_some(*from), (from != to).then_some([*from, *to]));
        let interface = interfaces[key.interface as usize];
        (interface, key.direction, protocols[usize::from(key.protocol)], ports, key.cause)
    });
    rows.par_iter().map(|row| blocked_row(tally, *row)).collect()
}

/// By number of a name: its place among all names.
fn ranks(names: impl Iterator<Item = String>) -> Vec<usize> {
    let names: Vec<String> = names.collect();
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    names.iter().map(|name| sorted.partition_point(|other| *other < name)).collect()
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
    let tables = [&row.internal, &row.external];
    let mut v4 = Vec::with_capacity(row.internal.len() + row.external.len());
    for table in tables {
        v4.extend(table.v4_records());
    }
    let mut v6: Vec<_> = tables.iter().flat_map(|table| table.v6_records()).collect();
    if distinct_peers(row).is_none() {
        // Prefixes wide enough hold internal peers and others.
        sum_up(&mut v4);
        sum_up(&mut v6);
    }
    let peers = most_seen(v4, v6, TOP_PEERS).into_iter().map(|(net, records)| {
        let mut span = Span::default();
        tables.iter().filter_map(|table| table.seen(&net)).for_each(|seen| span.merge(seen));
        peer(&net, records, span)
    });
    peers.collect()
}

/// One count for each key.
fn sum_up<K: Copy + Ord>(counts: &mut Vec<(K, u64)>) {
    counts.sort_unstable_by_key(|(key, _)| *key);
    counts.dedup_by(|(other, more), (key, records)| {
        if other == key {
            *records += *more;
        }
        other == key
    });
}

/// The peers with the most records, most first.
fn most_seen(mut v4: Vec<(V4Prefix, u64)>, mut v6: Vec<(IpNet, u64)>, most: usize) -> Vec<(IpNet, u64)> {
    keep_most(&mut v4, most);
    keep_most(&mut v6, most);
    let v4 = v4.into_iter().map(|(peer, records)| (peer.net(), records));
    let mut peers: Vec<_> = v4.chain(v6).collect();
    peers.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    peers.truncate(most);
    peers
}

/// Keeps the largest, in no order.
fn keep_most<K: Ord>(counts: &mut Vec<(K, u64)>, most: usize) {
    if counts.len() > most {
        counts.select_nth_unstable_by(most, |a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts.truncate(most);
    }
}

fn peer(net: &IpNet, records: u64, span: Span) -> PeerCount {
    PeerCount { peer: shown(net), records, first_seen: text(span.first()), last_seen: text(span.last()) }
}

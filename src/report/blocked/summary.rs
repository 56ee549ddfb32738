//! Who was refused most, where.

use std::collections::BTreeMap;

use hashbrown::HashSet;
use rayon::prelude::*;

use super::{keep_most, most_seen, peer, sum_up};
use crate::attribution::Cause;
use crate::findings::ports::PortProfile;
use crate::flow::{Direction, protocol_name};
use crate::report::{BlockedSummary, InterfaceCount, PeerCount, PortCount};
use crate::tally::Tally;
use crate::tally::credit::Span;
use crate::tally::peers::{PeerTable, V4Count, V4Prefix};

/// Entries of each list of the summary.
const TOP: usize = 20;

/// Who was refused most, where.
pub fn summary(tally: &Tally, profile: &PortProfile) -> BlockedSummary {
    let mut internal = Vec::new();
    let mut internet = Vec::new();
    let mut egress = Vec::new();
    let mut ports: BTreeMap<(u8, [u16; 2]), u64> = BTreeMap::new();
    let mut slots: BTreeMap<u32, u64> = BTreeMap::new();
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
        *slots.entry(key.interface).or_default() += row.credit.records;
    }
    let mut interfaces: BTreeMap<String, u64> = BTreeMap::new();
    for (slot, records) in slots {
        *interfaces.entry(tally.slots.name(slot)).or_default() += records;
    }
    let (internet_peers, (internal_peers, egress_peers)) =
        rayon::join(|| peers(&internet), || rayon::join(|| peers(&internal), || peers(&egress)));
    BlockedSummary {
        internal_peers,
        internet_peers,
        egress_peers,
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
    let v4 = most_seen_v4(tables);
    let wanted: HashSet<V4Prefix> = v4.iter().map(|(peer, _)| *peer).collect();
    let mut v6: Vec<_> = tables.iter().flat_map(|table| table.v6_records()).collect();
    sum_up(&mut v6);
    let peers = most_seen(v4, v6, TOP);
    let mut spans = vec![Span::default(); peers.len()];
    // Most tables have none of them.
    let has_some = |table: &PeerTable| {
        table.v4_records().any(|(peer, _)| wanted.contains(&peer)) || table.v6_records().next().is_some()
    };
    for table in tables.iter().filter(|table| has_some(table)) {
        for ((net, _), span) in peers.iter().zip(&mut spans) {
            table.seen(net).into_iter().for_each(|seen| span.merge(seen));
        }
    }
    peers.iter().zip(spans).map(|((net, records), span)| peer(net, *records, span)).collect()
}

/// The IPv4 peers with the most records, in no order.
fn most_seen_v4(tables: &[&PeerTable]) -> Vec<(V4Prefix, u64)> {
    let mut counts: Vec<V4Count> = Vec::with_capacity(tables.iter().map(|table| table.len()).sum());
    let mut large: BTreeMap<V4Prefix, u64> = BTreeMap::new();
    for table in tables {
        for (peer, records) in table.v4_records() {
            match V4Count::new(peer, records) {
                Some(count) => counts.push(count),
                None => *large.entry(peer).or_default() += records,
            }
        }
    }
    counts.par_sort_unstable();
    let mut most = Vec::new();
    for same in counts.chunk_by(|a, b| a.peer() == b.peer()) {
        let peer = same[0].peer();
        let records: u64 = same.iter().map(|count| count.records()).sum();
        most.push((peer, records + large.remove(&peer).unwrap_or(0)));
        if most.len() > 50 * TOP {
            keep_most(&mut most, TOP);
        }
    }
    most.extend(large);
    keep_most(&mut most, TOP);
    most
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::tally::peers::PeerUse;

    #[test]
    fn the_most_seen_are_those_of_all_tables_together() {
        let mut sums: BTreeMap<String, u64> = BTreeMap::new();
        let mut seed = 1_u32;
        let tables: Vec<PeerTable> = (0..400_u64)
            .map(|number| {
                let mut table = PeerTable::default();
                for host in 0..100_u32 {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let address = Ipv4Addr::from(host << 20 | seed >> 24);
                    // Some do not fit a word with their peer, and some not the table's own.
                    let records = match seed >> 8 & 0xff {
                        0 => (1 << 40) + u64::from(seed & 0xff),
                        1 => (1 << 24) - 1 + number % 3,
                        _ => u64::from(seed & 0xf) + 1,
                    };
                    let uses = PeerUse { records, span: Span::of(Some(number.cast_signed()), Some(500)) };
                    table.restore(ipnet::IpNet::from(std::net::IpAddr::V4(address)), uses).unwrap();
                    *sums.entry(address.to_string()).or_default() += records;
                }
                table
            })
            .collect();
        let tables: Vec<&PeerTable> = tables.iter().collect();
        let mut expected: Vec<(String, u64)> = sums.into_iter().collect();
        let address = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        expected.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| address(&a.0).cmp(&address(&b.0))));
        let peers = peers(&tables);
        let found: Vec<_> = peers.iter().map(|peer| (peer.peer.clone(), peer.records)).collect();
        assert_eq!(found, expected[..TOP]);
        for peer in peers {
            let net = ipnet::IpNet::from(std::net::IpAddr::V4(address(&peer.peer)));
            let first = tables.iter().filter_map(|table| table.seen(&net)?.first()).min();
            assert_eq!(peer.first_seen, first.map(crate::time::format));
        }
    }
}

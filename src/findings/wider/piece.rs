//! Pieces of what a rule opens: a protocol, ports and peers, as one rule could say them; and how much that is.
//!
//! The measure is addresses × ports. A protocol without ports counts as one port, and an IPv6 network of 64 bits, which is
//! what a subnet has, as one address.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::flow::{TCP, UDP, has_ports};

/// Every port.
pub(super) const ALL_PORTS: (u16, u16) = (0, u16::MAX);

/// What one rule could say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Piece {
    /// None: every protocol.
    pub(super) protocol: Option<u8>,
    /// First and last port; all of them where the protocol has none.
    pub(super) ports: (u16, u16),
    /// None: what the rule refers to.
    pub(super) peers: Option<IpNet>,
}

impl Piece {
    /// Of a protocol; ports are those of protocols that have them.
    pub(super) fn new(protocol: Option<u8>, ports: (u16, u16), peers: Option<IpNet>) -> Self {
        let ports = if protocol.is_some_and(has_ports) { ports } else { ALL_PORTS };
        Self { protocol, ports, peers }
    }

    /// The smallest piece that holds both.
    pub(super) fn hull(&self, other: &Self) -> Self {
        let protocol = self.protocol.filter(|own| other.protocol == Some(*own));
        let ports = (self.ports.0.min(other.ports.0), self.ports.1.max(other.ports.1));
        let peers = match (self.peers, other.peers) {
            (Some(own), Some(theirs)) => net_hull(own, theirs),
            _ => None,
        };
        Self::new(protocol, ports, peers)
    }

    /// Whether the other is a part of it.
    pub(super) fn holds(&self, other: &Self) -> bool {
        let protocol = self.protocol.is_none() || self.protocol == other.protocol;
        let ports = self.ports.0 <= other.ports.0 && other.ports.1 <= self.ports.1;
        protocol && ports && holds_net(self.peers, other.peers)
    }

    /// Addresses × ports. `reference`: addresses of what the rule refers to.
    pub(super) fn size(&self, reference: u128) -> u128 {
        addresses(self.peers, reference).saturating_mul(match self.protocol {
            None => PORTS_OF_ALL,
            Some(protocol) if has_ports(protocol) => count(self.ports),
            Some(_) => 1,
        })
    }
}

/// 65,536 of TCP, as many of UDP, and one of each other protocol.
const PORTS_OF_ALL: u128 = (2 << 16) + OTHERS;
const OTHERS: u128 = 254;

fn count((from, to): (u16, u16)) -> u128 {
    u128::from(to.saturating_sub(from)) + 1
}

fn addresses(peers: Option<IpNet>, reference: u128) -> u128 {
    match peers {
        None => reference,
        Some(IpNet::V4(net)) => 1 << (32 - u32::from(net.prefix_len())),
        Some(IpNet::V6(net)) => 1 << (64 - u32::from(net.prefix_len().min(64))),
    }
}

fn holds_net(own: Option<IpNet>, other: Option<IpNet>) -> bool {
    match (own, other) {
        (None, _) => true,
        (Some(own), Some(other)) => own.contains(&other),
        (Some(_), None) => false,
    }
}

/// The smallest network that holds two of the same family. Those of two families are in none, and a rule has but one.
pub(super) fn net_hull(one: IpNet, other: IpNet) -> Option<IpNet> {
    match (one, other) {
        (IpNet::V4(one), IpNet::V4(other)) => {
            let same = (u32::from(one.network()) ^ u32::from(other.network())).leading_zeros();
            let length = u8::try_from(same).ok()?.min(one.prefix_len()).min(other.prefix_len());
            Ipv4Net::new(one.network(), length).ok().map(|net| IpNet::V4(net.trunc()))
        }
        (IpNet::V6(one), IpNet::V6(other)) => {
            let same = (u128::from(one.network()) ^ u128::from(other.network())).leading_zeros();
            let length = u8::try_from(same).ok()?.min(one.prefix_len()).min(other.prefix_len());
            Ipv6Net::new(one.network(), length).ok().map(|net| IpNet::V6(net.trunc()))
        }
        _ => None,
    }
}

/// How much some pieces open together: what several of them open counts once.
pub(super) fn union_size(pieces: &[Piece], reference: u128) -> u128 {
    let named: BTreeSet<u8> = pieces.iter().filter_map(|piece| piece.protocol).collect();
    let of = |protocol: u8| {
        let own = move |piece: &&Piece| piece.protocol.is_none_or(|own| own == protocol);
        pieces.iter().filter(own)
    };
    let mut size: u128 = 0;
    for protocol in [TCP, UDP] {
        size = size.saturating_add(union_of_ports(&of(protocol).collect::<Vec<_>>(), reference));
    }
    let others: Vec<u8> = named.into_iter().filter(|protocol| !has_ports(*protocol)).collect();
    for protocol in &others {
        size = size.saturating_add(union_of_peers(of(*protocol).map(|piece| piece.peers), reference));
    }
    let rest = pieces.iter().filter(|piece| piece.protocol.is_none()).map(|piece| piece.peers);
    let unnamed = OTHERS.saturating_sub(others.len() as u128);
    size.saturating_add(union_of_peers(rest, reference).saturating_mul(unnamed))
}

/// Of one protocol that has ports.
fn union_of_ports(pieces: &[&Piece], reference: u128) -> u128 {
    let mut steps: BTreeSet<u32> = BTreeSet::new();
    for piece in pieces {
        steps.extend([u32::from(piece.ports.0), u32::from(piece.ports.1) + 1]);
    }
    let ends = steps.iter().skip(1);
    steps.iter().zip(ends).fold(0, |size: u128, (from, end)| {
        let open =
            pieces.iter().filter(|it| u32::from(it.ports.0) <= *from && *from <= u32::from(it.ports.1));
        let peers = union_of_peers(open.map(|piece| piece.peers), reference);
        size.saturating_add(peers.saturating_mul(u128::from(end - from)))
    })
}

/// Networks lie in one another or apart.
fn union_of_peers(peers: impl Iterator<Item = Option<IpNet>>, reference: u128) -> u128 {
    let all: BTreeSet<Option<IpNet>> = peers.collect();
    if all.contains(&None) {
        return reference;
    }
    let mut apart: BTreeMap<IpNet, u128> = BTreeMap::new();
    // Ascending: what holds a network comes right before it.
    let mut last: Option<IpNet> = None;
    for net in all.into_iter().flatten() {
        if last.is_some_and(|last| last.contains(&net)) {
            continue;
        }
        last = Some(net);
        apart.insert(net, addresses(Some(net), reference));
    }
    apart.into_values().fold(0, u128::saturating_add)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `tcp/22-23@10.0.0.0/8`, `icmp@…`, `all@…`.
    pub(crate) fn piece(text: &str) -> Piece {
        let (what, peers) = text.split_once('@').unwrap();
        let (protocol, ports) = what.split_once('/').unwrap_or((what, "0-65535"));
        let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
        let protocol = match protocol {
            "all" => None,
            "tcp" => Some(TCP),
            "udp" => Some(UDP),
            other => Some(other.parse().unwrap()),
        };
        Piece::new(protocol, (from.parse().unwrap(), to.parse().unwrap()), Some(peers.parse().unwrap()))
    }

    #[test]
    fn sizes_and_hulls() {
        let cases = [
            ("tcp/22@10.0.0.1/32", "tcp/22@10.0.0.1/32", "tcp/22@10.0.0.1/32", 1),
            ("tcp/22@10.0.0.0/32", "tcp/24@10.0.0.1/32", "tcp/22-24@10.0.0.0/31", 6),
            ("tcp/22@10.0.0.0/24", "udp/22@10.0.0.0/24", "all@10.0.0.0/24", 256 * (131_072 + 254)),
            ("1@10.0.0.0/25", "1@10.0.0.128/25", "1@10.0.0.0/24", 256),
            ("tcp/443@2001:db8::/64", "tcp/443@2001:db8:0:1::/64", "tcp/443@2001:db8::/63", 2),
            ("tcp/1-2@10.0.0.0/8", "tcp/5@10.1.0.0/16", "tcp/1-5@10.0.0.0/8", 5 << 24),
        ];
        for (one, other, hull, size) in cases {
            let (one, other, hull) = (piece(one), piece(other), piece(hull));
            assert_eq!(one.hull(&other), hull);
            assert_eq!(other.hull(&one), hull);
            assert!(hull.holds(&one) && hull.holds(&other));
            assert_eq!(hull.size(1), size);
            assert_eq!(union_size(&[hull], 1), size);
        }
    }

    prop_compose! {
        fn small()(
            protocol in prop::sample::select(vec![None, Some(TCP), Some(UDP), Some(1), Some(50)]),
            from in 0_u16..6,
            length in 0_u16..4,
            peer in 0_u32..8,
            bits in 29_u8..=32,
        ) -> Piece {
            let net = Ipv4Net::new((0x0a00_0000 + peer).into(), bits).unwrap().trunc();
            Piece::new(protocol, (from, from + length), Some(IpNet::V4(net)))
        }
    }

    proptest! {
        #[test]
        fn what_several_open_counts_once(pieces in prop::collection::vec(small(), 0..7)) {
            // By definition, one by one; protocols that no piece names and ports beyond 10 are all alike.
            let named = [TCP, UDP, 1, 50, 99];
            let mut size: u128 = 0;
            for protocol in named {
                let last = if has_ports(protocol) { 10_u16 } else { 0 };
                for port in 0..=last {
                    for peer in 0x0a00_0000_u32..0x0a00_0008 {
                        let peer = IpNet::V4(Ipv4Net::from(std::net::Ipv4Addr::from(peer)));
                        let point = Piece { protocol: Some(protocol), ports: (port, port), peers: Some(peer) };
                        if pieces.iter().any(|piece| piece.holds(&point)) {
                            size += match protocol {
                                TCP | UDP if port == 10 => 65_536 - 10,
                                99 => OTHERS - 2,
                                _ => 1,
                            };
                        }
                    }
                }
            }
            prop_assert_eq!(union_size(&pieces, 7), size);
        }
    }
}

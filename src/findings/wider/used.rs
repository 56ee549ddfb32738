//! What a rule was used for, as narrow as it may be said: never a single address of a subnet, never a single port of those
//! that clients are given.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::piece::Piece;
use super::places::Places;
use crate::flow::has_ports;
use crate::rules::{Peer, Rule, RuleProtocol};
use crate::tally::scope::PeerScope;
use crate::tally::tracks::seen::{Answer, Range};

/// More sources of the internet than this are not listed: they come and go.
const MANY_SOURCES: usize = 16;
/// Of an IPv6 source the network counts: the rest of its address changes.
const SOURCE_V6: u8 = 64;

/// First and last port.
pub(super) type Ports = (u16, u16);

/// Ranges that clients are given ports of, or nodes of a cluster: a rule for one of them is as wide as it must be.
///
/// Sources: <https://docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html>, `ip_local_port_range` of Linux,
/// RFC 6335, <https://kubernetes.io/docs/concepts/services-networking/service/>.
const EPHEMERAL: [Ports; 5] =
    [(30_000, 32_767), (32_768, 60_999), (32_768, 61_000), (32_768, u16::MAX), (49_152, u16::MAX)];
/// `NodePort` of Kubernetes.
const NODE_PORTS: Ports = (30_000, 32_767);
/// Those of Linux.
const LINUX: Ports = (32_768, 60_999);
/// Those of IANA, and of Windows.
const DYNAMIC: Ports = (49_152, u16::MAX);

/// Why peers are not narrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kept {
    /// A reference to a group or a list is as narrow as its members.
    Reference,
    /// Open to the world on a load balancer: that is what it is for.
    LoadBalancer,
    /// Too many sources of the internet.
    ManySources,
    /// No subnet of the VPC is in the snapshots.
    SubnetsUnknown,
}

impl Kept {
    /// As evidence writes it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::LoadBalancer => "load_balancer",
            Self::ManySources => "many_sources",
            Self::SubnetsUnknown => "subnets_unknown",
        }
    }
}

/// What a rule was used for.
#[derive(Debug, Clone, Default)]
pub(super) struct Used {
    /// As narrow as it may be said.
    pub(super) pieces: Vec<Piece>,
    /// By protocol, ascending and apart: ports that were used.
    pub(super) ports: BTreeMap<u8, Vec<Ports>>,
    /// Ports that were hit, and where nobody answered.
    pub(super) unanswered: BTreeMap<u8, Vec<Ports>>,
    /// Peers as they are known.
    pub(super) peers: BTreeSet<IpNet>,
    /// Pairs of port and peer, as they are known.
    pub(super) pairs: u64,
    /// Why peers are not narrowed.
    pub(super) kept: BTreeSet<Kept>,
    /// Groups of peers.
    pub(super) groups: BTreeSet<String>,
    /// Whether peers were widened because they are in no subnet that is known.
    pub(super) strangers: bool,
}

/// What is known of the interfaces that carry a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Home<'a> {
    /// Their VPC, empty where unknown.
    pub(super) vpc: &'a str,
    /// Whether one of them is a load balancer.
    pub(super) balances: bool,
}

impl Used {
    pub(super) fn of(
        rule: &Rule,
        seen: &BTreeSet<(Answer, Range)>,
        home: Home<'_>,
        places: &Places<'_>,
    ) -> Self {
        let clipped: Vec<(Answer, Range)> =
            seen.iter().filter_map(|(answer, range)| Some((*answer, clip(rule, *range)?))).collect();
        let ports_of = |used: bool| {
            let mut ports: BTreeMap<u8, Vec<Ports>> = BTreeMap::new();
            for (_, range) in clipped.iter().filter(|(answer, _)| answer.is_used() == used) {
                ports.entry(range.protocol).or_default().push(range.ports);
            }
            ports.into_iter().map(|(protocol, ports)| (protocol, merged(ports))).collect::<BTreeMap<_, _>>()
        };
        let (answered, hit) = (ports_of(true), ports_of(false));
        // Where nobody answers at all, answers may take another way, or the log may lack them: what was hit counts then.
        let ports = if answered.is_empty() { hit.clone() } else { answered.clone() };
        let mut used = Self { ports, ..Self::default() };
        for (protocol, hit) in hit {
            let left = without(&hit, answered.get(&protocol).map_or(&[], Vec::as_slice));
            if !left.is_empty() {
                used.unanswered.insert(protocol, left);
            }
        }
        let mut pairs: BTreeSet<(PeerScope, u8, Ports, IpNet)> = BTreeSet::new();
        for (answer, range) in &clipped {
            // Ports that were hit count as far as somebody answered there, whoever it was.
            for ports in used.ports.get(&range.protocol).into_iter().flatten() {
                let both = (ports.0.max(range.ports.0), ports.1.min(range.ports.1));
                if both.0 <= both.1 {
                    pairs.insert((answer.scope(), range.protocol, both, range.peers));
                }
            }
        }
        used.take(rule, &pairs, home, places);
        used
    }

    /// Whether somebody answered at any port, or need not.
    pub(super) fn is_answered(&self) -> bool {
        self.ports != self.unanswered
    }

    fn take(
        &mut self,
        rule: &Rule,
        pairs: &BTreeSet<(PeerScope, u8, Ports, IpNet)>,
        home: Home<'_>,
        places: &Places<'_>,
    ) {
        let sources: BTreeSet<IpNet> = pairs
            .iter()
            .filter(|(scope, ..)| *scope == PeerScope::Internet)
            .map(|(.., peers)| *peers)
            .collect();
        let many =
            sources.len() > MANY_SOURCES || sources.iter().any(|net| net.prefix_len() < net.max_prefix_len());
        let stood: BTreeMap<(PeerScope, IpNet), Vec<Option<IpNet>>> = {
            let peers: BTreeSet<(PeerScope, IpNet)> =
                pairs.iter().map(|(scope, .., peers)| (*scope, *peers)).collect();
            peers
                .into_iter()
                .map(|(scope, net)| ((scope, net), self.stand(rule, scope, net, many, home, places)))
                .collect()
        };
        let bounds = if rule.protocol.tests_ports() { rule.ports() } else { super::piece::ALL_PORTS };
        let mut pieces: BTreeSet<Piece> = BTreeSet::new();
        for (scope, protocol, ports, peers) in pairs {
            self.peers.insert(*peers);
            self.pairs += 1;
            let all = self.ports.get(protocol).map_or(&[][..], Vec::as_slice);
            let wide = widened(*ports, all, bounds);
            for net in stood.get(&(*scope, *peers)).into_iter().flatten() {
                pieces.insert(Piece::new(said(rule, *protocol), wide, *net));
            }
        }
        self.pieces = pieces.into_iter().collect();
    }

    /// The networks that a peer stands for, each within the rule's.
    fn stand(
        &mut self,
        rule: &Rule,
        scope: PeerScope,
        peers: IpNet,
        many: bool,
        home: Home<'_>,
        places: &Places<'_>,
    ) -> Vec<Option<IpNet>> {
        let Peer::Cidr(whole) = &rule.peer else {
            self.kept.insert(Kept::Reference);
            return vec![None];
        };
        let kept = match scope {
            _ if home.balances && whole.prefix_len() == 0 => Some(Kept::LoadBalancer),
            PeerScope::Internet => many.then_some(Kept::ManySources),
            PeerScope::Internal => (!places.knows(home.vpc)).then_some(Kept::SubnetsUnknown),
        };
        if let Some(kept) = kept {
            self.kept.insert(kept);
            return vec![Some(*whole)];
        }
        let nets: Vec<IpNet> = match scope {
            PeerScope::Internet if peers.addr().is_ipv4() => vec![peers],
            PeerScope::Internet => vec![IpNet::new(peers.addr(), SOURCE_V6).map_or(peers, |net| net.trunc())],
            PeerScope::Internal => {
                let stand = places.stand(peers, home.vpc);
                self.groups.extend(stand.groups);
                self.strangers |= stand.strangers;
                stand.nets.into_iter().collect()
            }
        };
        nets.into_iter().filter_map(|net| within(net, *whole)).map(Some).collect()
    }
}

/// The part of a network that lies in another one.
fn within(net: IpNet, whole: IpNet) -> Option<IpNet> {
    if whole.contains(&net) { Some(net) } else { net.contains(&whole).then_some(whole) }
}

/// The protocol as a rule can say it: that of the rule, if it names one; and not all have a word of their own on Alibaba Cloud.
fn said(rule: &Rule, protocol: u8) -> Option<u8> {
    if let RuleProtocol::Number(own) = rule.protocol {
        return Some(own);
    }
    let own = rule.ranked.is_none() || matches!(protocol, 1 | 6 | 17 | 47 | 58);
    own.then_some(protocol)
}

/// The part of what was seen that the rule lets through: what is kept is wider, where there is much of it.
fn clip(rule: &Rule, range: Range) -> Option<Range> {
    let peers = match &rule.peer {
        Peer::Cidr(whole) => within(range.peers, *whole)?,
        _ => range.peers,
    };
    let ports = if has_ports(range.protocol) && rule.protocol.tests_ports() {
        let (from, to) = rule.ports();
        (range.ports.0.max(from), range.ports.1.min(to))
    } else {
        range.ports
    };
    (ports.0 <= ports.1).then_some(Range { ports, peers, ..range })
}

/// Ranges, ascending; none touches the next.
fn merged(mut ports: Vec<Ports>) -> Vec<Ports> {
    ports.sort_unstable();
    let mut apart: Vec<Ports> = Vec::new();
    for (from, to) in ports {
        match apart.last_mut() {
            Some((_, last)) if from <= last.saturating_add(1) => *last = to.max(*last),
            _ => apart.push((from, to)),
        }
    }
    apart
}

/// What of some ranges others do not hold; both ascending and apart.
fn without(ports: &[Ports], taken: &[Ports]) -> Vec<Ports> {
    let mut left = Vec::new();
    for (from, to) in ports {
        let (mut from, end) = (u32::from(*from), u32::from(*to));
        for (start, last) in taken.iter().map(|(start, last)| (u32::from(*start), u32::from(*last))) {
            if last < from || start > end {
                continue;
            }
            if start > from {
                left.push((from, start - 1));
            }
            from = last + 1;
        }
        if from <= end {
            left.push((from, end));
        }
    }
    let port = |port: u32| u16::try_from(port).unwrap_or(u16::MAX);
    left.into_iter().map(|(from, to)| (port(from), port(to))).collect()
}

/// A used range as wide as it should be said: of ports that clients are given, several stand for all of them.
fn widened(ports: Ports, used: &[Ports], bounds: Ports) -> Ports {
    if EPHEMERAL.contains(&bounds) {
        return bounds;
    }
    let zones = if in_zone(used, (61_000, u16::MAX)) == 0 {
        [NODE_PORTS, LINUX]
    } else if in_zone(used, (32_768, 49_151)) == 0 {
        [NODE_PORTS, DYNAMIC]
    } else {
        [NODE_PORTS, (32_768, u16::MAX)]
    };
    let meets = |zone: &Ports| ports.0 <= zone.1 && zone.0 <= ports.1;
    let mut wide = ports;
    for zone in zones.iter().filter(|zone| meets(zone) && in_zone(used, **zone) > 1) {
        wide = (wide.0.min(zone.0.max(bounds.0)), wide.1.max(zone.1.min(bounds.1)));
    }
    wide
}

/// How many ports of a zone are among these.
fn in_zone(used: &[Ports], zone: Ports) -> u32 {
    let both = used.iter().map(|(from, to)| (*from.max(&zone.0), *to.min(&zone.1)));
    both.filter(|(from, to)| from <= to).map(|(from, to)| u32::from(to - from) + 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_that_clients_are_given_are_not_told_one_by_one() {
        let all = (0, u16::MAX);
        let cases: [(Ports, &[Ports], Ports, Ports); 12] = [
            ((22, 22), &[(22, 22), (443, 443)], all, (22, 22)),
            ((9_092, 9_092), &[(9_092, 9_092), (27_017, 27_017)], all, (9_092, 9_092)),
            // One high port is a service like any other.
            ((50_051, 50_051), &[(22, 22), (50_051, 50_051)], all, (50_051, 50_051)),
            ((49_664, 49_664), &[(49_664, 49_664), (49_670, 49_670)], all, (32_768, 60_999)),
            ((50_000, 50_000), &[(50_000, 50_000), (61_500, 61_500)], all, (49_152, u16::MAX)),
            ((33_000, 33_000), &[(33_000, 33_000), (61_500, 61_500)], all, (32_768, u16::MAX)),
            ((33_000, 33_000), &[(33_000, 33_000), (40_000, 40_000)], (1_024, 50_000), (32_768, 50_000)),
            ((30_100, 30_100), &[(30_100, 30_100), (31_000, 31_000)], all, (30_000, 32_767)),
            ((30_100, 30_100), &[(30_100, 30_100)], all, (30_100, 30_100)),
            ((30_100, 30_100), &[(30_100, 30_100)], (30_000, 32_767), (30_000, 32_767)),
            ((49_664, 49_664), &[(49_664, 49_664)], (49_152, u16::MAX), (49_152, u16::MAX)),
            ((8_080, 8_080), &[(8_080, 8_080)], (1_024, u16::MAX), (8_080, 8_080)),
        ];
        for (ports, used, bounds, expected) in cases {
            assert_eq!(widened(ports, used, bounds), expected, "{ports:?} of {used:?} in {bounds:?}");
        }
    }

    #[test]
    fn what_is_taken_away_from_ranges_is_gone() {
        let cases: [(&[Ports], &[Ports], &[Ports]); 5] = [
            (&[(1, 10)], &[(3, 4), (9, 20)], &[(1, 2), (5, 8)]),
            (&[(1, 10)], &[(0, u16::MAX)], &[]),
            (&[(0, u16::MAX)], &[(443, 443)], &[(0, 442), (444, u16::MAX)]),
            (&[(0, u16::MAX)], &[(u16::MAX, u16::MAX)], &[(0, 65_534)]),
            (&[(5, 5), (7, 7)], &[(6, 6)], &[(5, 5), (7, 7)]),
        ];
        for (ports, taken, left) in cases {
            assert_eq!(without(ports, taken), left);
        }
        assert_eq!(merged(vec![(5, 6), (1, 2), (3, 3), (9, 9), (9, 12)]), [(1, 3), (5, 6), (9, 12)]);
    }
}

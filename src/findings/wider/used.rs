//! What a rule was used for, as narrow as it may be said: never a single address of a subnet, never a single port of those
//! that clients are given.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::health_checks;
use super::piece::Piece;
use super::places::{Places, Stand};
use crate::flow::{Direction, has_ports};
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
const EPHEMERAL: Ports = (32_768, u16::MAX);
/// `NodePort` of Kubernetes.
const NODE_PORTS: Ports = (30_000, 32_767);
/// Everything that needs no privilege.
const UNPRIVILEGED: Ports = (1_024, u16::MAX);
/// Separate ranges of an unprivileged rule that may still be services, and how many ports such a rule has.
const FEW_RANGES: usize = 3;
const WIDE_RANGE: u16 = 1_000;
/// More separate ranges than this were drawn rather than chosen.
const MANY_RANGES: usize = 16;

/// Why peers are not narrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kept {
    /// A reference to a group or a list is as narrow as its members.
    Reference,
    /// Open to the world on a load balancer: that is what it is for.
    LoadBalancer,
    /// Too many sources of the internet.
    ManySources,
    /// Servers of the internet change their addresses.
    Destinations,
    /// Not all subnets that count are in the snapshots.
    SubnetsUnknown,
}

impl Kept {
    /// As evidence writes it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::LoadBalancer => "load_balancer",
            Self::ManySources => "many_sources",
            Self::Destinations => "destinations",
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
    /// Whether peers were addresses of no interface.
    pub(super) nobodys: bool,
    /// Whether ports count although nobody answered there.
    pub(super) unproven: bool,
}

/// What is known of the interfaces that carry a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Home<'a> {
    /// Their VPC, empty where unknown.
    pub(super) vpc: &'a str,
    /// Whether one of them is a load balancer.
    pub(super) balances: bool,
}

/// What speaks for ports that were hit and never answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims {
    /// On some interface no answer is on record at all, by whatever rule: they may take another way.
    pub(super) answers_elsewhere: bool,
    /// Ports of rules that are to go, whose use then rests on this rule.
    pub(super) heirs: Vec<Ports>,
}

impl Used {
    pub(super) fn of(
        rule: &Rule,
        seen: &BTreeSet<(Answer, Range)>,
        home: Home<'_>,
        claims: &Claims,
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
        let mut used = Self { ports: answered.clone(), ..Self::default() };
        for (protocol, hit) in hit {
            let answered = answered.get(&protocol).map_or(&[][..], Vec::as_slice);
            let left = without(&hit, answered);
            if left.is_empty() {
                continue;
            }
            // Where nobody answers at all, answers may take another way, or the log may lack them: what was hit counts then.
            let counting = if answered.is_empty() || claims.answers_elsewhere {
                left.clone()
            } else {
                common(&left, &claims.heirs)
            };
            used.unproven |= !counting.is_empty();
            let all = used.ports.entry(protocol).or_default();
            all.extend(counting);
            *all = merged(std::mem::take(all));
            // What is kept in ranges does not tell which port was hit.
            let exact = clipped.iter().filter(|(answer, range)| {
                !answer.is_used() && range.protocol == protocol && range.ports.0 == range.ports.1
            });
            let told = without(&merged(exact.map(|(_, range)| range.ports).collect()), answered);
            if !told.is_empty() {
                used.unanswered.insert(protocol, told);
            }
        }
        let mut pairs: BTreeSet<Pair> = BTreeSet::new();
        for (answer, range) in &clipped {
            // Ports that were hit count as far as somebody answered there, whoever it was.
            for ports in used.ports.get(&range.protocol).into_iter().flatten() {
                if let Some(both) = meet(*ports, range.ports) {
                    pairs.insert((answer.scope(), range.protocol, both, range.peers));
                }
            }
        }
        used.take(rule, &pairs, home, places);
        used
    }

    fn take(&mut self, rule: &Rule, pairs: &BTreeSet<Pair>, home: Home<'_>, places: &Places<'_>) {
        // What is ours is no internet, whatever its address looks like.
        let scope = |scope: PeerScope, peers: IpNet| {
            if scope == PeerScope::Internet && places.holds(peers) { PeerScope::Internal } else { scope }
        };
        let peers: BTreeSet<(PeerScope, IpNet)> =
            pairs.iter().map(|(own, .., peers)| (scope(*own, *peers), *peers)).collect();
        let sources = peers.iter().filter(|(scope, _)| *scope == PeerScope::Internet);
        let sources: BTreeSet<IpNet> =
            sources.map(|(_, net)| health_checks::range_of(*net).unwrap_or(*net)).collect();
        let is_wide = |net: &IpNet| net.prefix_len() == 0;
        let many = sources.len() > MANY_SOURCES || sources.iter().any(is_wide);
        let stood: BTreeMap<IpNet, Vec<Option<IpNet>>> = peers
            .iter()
            .map(|(scope, net)| (*net, self.stand(rule, (*scope, *net), many, home, places)))
            .collect();
        let bounds = if rule.protocol.tests_ports() { rule.ports() } else { super::piece::ALL_PORTS };
        let mut high: BTreeMap<u8, BTreeSet<IpNet>> = BTreeMap::new();
        for (_, protocol, _, peers) in pairs.iter().filter(|(.., ports, _)| ports.1 >= EPHEMERAL.0) {
            high.entry(*protocol).or_default().insert(*peers);
        }
        let mut pieces: BTreeSet<Piece> = BTreeSet::new();
        for (_, protocol, ports, peers) in pairs {
            self.peers.insert(*peers);
            self.pairs += 1;
            let all = self.ports.get(protocol).map_or(&[][..], Vec::as_slice);
            let clients = high.get(protocol).map_or(0, BTreeSet::len);
            let wide = widened(*ports, all, clients, bounds);
            for net in stood.get(peers).into_iter().flatten() {
                pieces.insert(said(rule, *protocol, wide, *net));
            }
        }
        self.pieces = pieces.into_iter().collect();
    }

    /// The networks that a peer stands for, each within the rule's.
    fn stand(
        &mut self,
        rule: &Rule,
        (scope, peers): (PeerScope, IpNet),
        many: bool,
        home: Home<'_>,
        places: &Places<'_>,
    ) -> Vec<Option<IpNet>> {
        let Peer::Cidr(whole) = &rule.peer else {
            self.kept.insert(Kept::Reference);
            return vec![None];
        };
        let known = |stand: &Stand| places.knows(home.vpc, peers) && !stand.untold;
        let (kept, nets): (Option<Kept>, Vec<IpNet>) = match scope {
            _ if home.balances && (whole.prefix_len() == 0 || scope == PeerScope::Internet) => {
                (Some(Kept::LoadBalancer), Vec::new())
            }
            PeerScope::Internet if rule.direction == Direction::Egress => {
                (Some(Kept::Destinations), Vec::new())
            }
            PeerScope::Internet if many => (Some(Kept::ManySources), Vec::new()),
            PeerScope::Internet if peers.addr().is_ipv4() => {
                (None, vec![health_checks::range_of(peers).unwrap_or(peers)])
            }
            PeerScope::Internet => {
                (None, vec![IpNet::new(peers.addr(), SOURCE_V6).map_or(peers, |net| net.trunc())])
            }
            PeerScope::Internal => {
                let stand = places.stand(peers, home.vpc);
                self.groups.extend(stand.groups.iter().cloned());
                if known(&stand) {
                    self.strangers |= stand.strangers;
                    self.nobodys |= stand.nobodys && !stand.strangers;
                    (None, stand.nets.into_iter().collect())
                } else {
                    (Some(Kept::SubnetsUnknown), Vec::new())
                }
            }
        };
        if let Some(kept) = kept {
            self.kept.insert(kept);
            return vec![Some(*whole)];
        }
        nets.into_iter().filter_map(|net| within(net, *whole)).map(Some).collect()
    }
}

/// Where a record came from, its protocol, the ports and the peers, as they are kept.
type Pair = (PeerScope, u8, Ports, IpNet);

/// The part of a network that lies in another one.
fn within(net: IpNet, whole: IpNet) -> Option<IpNet> {
    if whole.contains(&net) { Some(net) } else { net.contains(&whole).then_some(whole) }
}

/// A piece as a rule can say it: with the protocol of the rule, if it names one. On Alibaba Cloud not all have a word of their
/// own, and ports begin at 1.
fn said(rule: &Rule, protocol: u8, ports: Ports, peers: Option<IpNet>) -> Piece {
    if let RuleProtocol::Number(own) = rule.protocol {
        return Piece::new(Some(own), ports, peers);
    }
    let ranked = rule.ranked.is_some();
    let lowest = u16::from(ranked);
    let own =
        !ranked || (matches!(protocol, 1 | 6 | 17 | 47 | 58) && !(has_ports(protocol) && ports.1 < lowest));
    Piece::new(own.then_some(protocol), (ports.0.max(lowest), ports.1), peers)
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

/// What two ranges have in common.
fn meet(one: Ports, other: Ports) -> Option<Ports> {
    let both = (one.0.max(other.0), one.1.min(other.1));
    (both.0 <= both.1).then_some(both)
}

/// What of some ranges is in any of others.
fn common(ports: &[Ports], others: &[Ports]) -> Vec<Ports> {
    ports.iter().flat_map(|own| others.iter().filter_map(|other| meet(*own, *other))).collect()
}

/// A used range as wide as it should be said: ports that clients are given stand for all of them, and so do those of a rule that
/// were drawn rather than chosen. `clients`: how many peers came to high ports; one high port that several came to is a service.
fn widened(ports: Ports, used: &[Ports], clients: usize, bounds: Ports) -> Ports {
    let low = used.iter().filter(|(from, _)| *from < EPHEMERAL.0).count();
    let high = in_zone(used, EPHEMERAL);
    let unprivileged = bounds.0 >= UNPRIVILEGED.0 && bounds.1.saturating_sub(bounds.0) >= WIDE_RANGE - 1;
    let drawn = (bounds == UNPRIVILEGED && high > 0) || (unprivileged && low > FEW_RANGES);
    if bounds == NODE_PORTS || bounds.0 >= EPHEMERAL.0 || drawn || low > MANY_RANGES {
        return bounds;
    }
    let is_one = |zone: Ports| in_zone(used, zone) == 1 && (zone != EPHEMERAL || clients > 1);
    let mut wide = ports;
    for zone in [NODE_PORTS, EPHEMERAL] {
        if let Some(zone) = meet(zone, bounds).filter(|_| meet(zone, ports).is_some() && !is_one(zone)) {
            wide = (wide.0.min(zone.0), wide.1.max(zone.1));
        }
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
        let many: Vec<Ports> = (1..=17).map(|at| (at * 1_000, at * 1_000)).collect();
        let five: Vec<Ports> = (10..15).map(|at| (at * 1_001, at * 1_001)).collect();
        let cases: [(Ports, &[Ports], usize, Ports, Ports); 15] = [
            ((10_010, 10_010), &five, 0, (10_000, 20_000), (10_000, 20_000)),
            ((22, 22), &[(22, 22), (443, 443)], 0, all, (22, 22)),
            ((9_092, 9_092), &[(9_092, 9_092), (27_017, 27_017)], 0, all, (9_092, 9_092)),
            // One high port that several came to is a service like any other; one that was drawn is not.
            ((50_051, 50_051), &[(22, 22), (50_051, 50_051)], 2, all, (50_051, 50_051)),
            ((50_051, 50_051), &[(22, 22), (50_051, 50_051)], 1, all, EPHEMERAL),
            ((49_664, 49_664), &[(49_664, 49_664), (49_670, 49_670)], 9, all, EPHEMERAL),
            ((33_000, 33_000), &[(33_000, 33_000), (40_000, 40_000)], 9, (1_000, 50_000), (32_768, 50_000)),
            ((30_100, 30_100), &[(30_100, 30_100), (31_000, 31_000)], 0, all, NODE_PORTS),
            ((30_100, 30_100), &[(30_100, 30_100)], 0, all, (30_100, 30_100)),
            ((30_100, 30_100), &[(30_100, 30_100)], 0, NODE_PORTS, NODE_PORTS),
            ((49_664, 49_664), &[(49_664, 49_664)], 9, (49_152, u16::MAX), (49_152, u16::MAX)),
            ((40_123, 40_123), &[(40_123, 40_123)], 9, (40_000, 50_000), (40_000, 50_000)),
            ((8_080, 8_080), &[(8_080, 8_080)], 0, UNPRIVILEGED, (8_080, 8_080)),
            ((50_123, 50_123), &[(50_123, 50_123)], 9, UNPRIVILEGED, UNPRIVILEGED),
            ((3_000, 3_000), &many, 0, (10, 20_000), (10, 20_000)),
        ];
        for (ports, used, clients, bounds, expected) in cases {
            assert_eq!(
                widened(ports, used, clients, bounds),
                expected,
                "{ports:?} of {used:?} in {bounds:?}"
            );
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

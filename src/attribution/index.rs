//! The states of a timeline, compiled for asking millions of times.
//!
//! Interfaces with the same groups share a *profile*: the rules of all those groups, by direction. An interface that a
//! state lacks is entered with the addresses, groups and subnet of its neighbour, so that a record needs one look-up.

mod compile;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use ipnet::IpNet;

use super::acl::{self, AclVerdict};
use super::address::{AddressClasses, LookUp, PeerIndex};
use super::port_classes::PortClasses;
use crate::flow::{Direction, TCP, UDP};
use crate::rules::state::{Interface, NetworkAcl, Subnet};
use crate::rules::timeline::Timeline;
use crate::rules::{Rule, RuleIndex};

/// Number of an interface that some snapshot knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceNumber(u32);

impl InterfaceNumber {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// So many states get tables of addresses of their own.
const MOST_TABLES: usize = 16;

/// The compiled timeline.
#[derive(Debug)]
pub struct Index {
    numbers: HashMap<Box<[u8]>, InterfaceNumber>,
    pub(super) states: Vec<StateIndex>,
    /// Of all profiles, each once.
    pub(super) port_classes: Vec<PortClasses>,
    /// By interface number.
    may_wait: Vec<MayWait>,
    /// Rules that match possibly, never surely.
    pub(super) possible: Vec<bool>,
    /// Rules that name a specific service.
    pub(super) specific: Vec<bool>,
    own: OwnAddresses,
    /// Ranges of subnets with their VPC.
    subnets: Vec<(IpNet, String)>,
}

/// Whether records of an interface may wait, by protocol.
///
/// They wait only if both readings find rules and both or neither find one for a specific service (line 3). Where the
/// usual group allows specific services in and everything out, that cannot be, and nothing need be kept for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MayWait {
    tcp: bool,
    udp: bool,
}

impl MayWait {
    /// Records of either protocol may: by snapshots that are not known yet.
    pub const ALWAYS: Self = Self { tcp: true, udp: true };

    /// Whether records of this protocol may wait.
    pub fn on(self, protocol: u8) -> bool {
        match protocol {
            TCP => self.tcp,
            UDP => self.udp,
            _ => false,
        }
    }

    fn of(states: &[StateIndex], number: usize, timeline: &Timeline) -> Self {
        let profiles = || states.iter().map(|state| &state.profiles[state.interfaces[number].profile]);
        let may = |protocol| profiles().any(|profile| profile.may_tie(protocol, timeline));
        Self { tcp: may(TCP), udp: may(UDP) }
    }
}

/// One state.
#[derive(Debug)]
pub(super) struct StateIndex {
    pub(super) classes: AddressClasses,
    pub(super) profiles: Vec<Profile>,
    /// By interface number.
    pub(super) interfaces: Vec<Placed>,
    /// By interface number: what the commonest records ask of it.
    pub(super) seats: Vec<Seat>,
    /// Per profile that folds classes, the [`Kin`] of each class.
    pub(super) kin: Vec<u16>,
}

/// An interface as a state has it.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) interface: Arc<Interface>,
    /// Its IPv4 addresses, for the commonest question.
    v4: Vec<u32>,
    pub(super) origin: Origin,
    pub(super) profile: usize,
    pub(super) acl: Option<Arc<NetworkAcl>>,
    pub(super) subnet: Option<Arc<Subnet>>,
}

impl Placed {
    /// Whether the address is one of the interface.
    pub(super) fn owns(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(own) if self.interface.prefixes.is_empty() => self.v4.contains(&u32::from(own)),
            _ => self.interface.owns(address),
        }
    }
}

/// What the commonest records ask of an interface, in half a cache line.
#[derive(Debug)]
pub(super) struct Seat {
    /// Its IPv4 addresses, the first one repeated.
    own: [u32; 4],
    /// Whether those are all.
    own_all: bool,
    profile: Option<u32>,
    pub(super) origin: Origin,
}

impl Seat {
    fn of(placed: &Placed) -> Self {
        let first = placed.v4.first().copied().unwrap_or_default();
        let own = std::array::from_fn(|at| placed.v4.get(at).copied().unwrap_or(first));
        let own_all = (1..=own.len()).contains(&placed.v4.len()) && placed.interface.prefixes.is_empty();
        let has_groups = !placed.interface.group_ids.is_empty();
        Self {
            own,
            own_all,
            profile: u32::try_from(placed.profile).ok().filter(|_| has_groups),
            origin: placed.origin,
        }
    }

    /// The profile; None: no groups.
    #[inline]
    pub(super) fn profile(&self) -> Option<usize> {
        self.profile.map(|profile| profile as usize)
    }
}

impl StateIndex {
    /// The direction that the addresses of a record tell.
    #[inline]
    pub(super) fn direction(&self, number: InterfaceNumber, srcaddr: u32, dstaddr: u32) -> Option<Direction> {
        let seat = &self.seats[number.index()];
        let owns = |address: u32| seat.own.iter().fold(false, |owns, own| owns | (*own == address));
        let owned = if seat.own_all {
            (owns(dstaddr), owns(srcaddr))
        } else {
            let placed = &self.interfaces[number.index()];
            let owns = |address: u32| placed.owns(IpAddr::V4(address.into()));
            (owns(dstaddr), owns(srcaddr))
        };
        // One of two, without a guess which.
        let direction = if owned.0 { Direction::Ingress } else { Direction::Egress };
        (owned.0 != owned.1).then_some(direction)
    }
}

fn v4(address: &IpAddr) -> Option<u32> {
    match address {
        IpAddr::V4(address) => Some(u32::from(*address)),
        IpAddr::V6(_) => None,
    }
}

/// Whether the state itself has the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It has.
    State,
    /// A neighbouring one has.
    Neighbour,
}

/// The rules of a list of groups.
#[derive(Debug, Default)]
pub(super) struct Profile {
    /// Its number among the profiles of all states.
    pub(super) number: usize,
    pub(super) ingress: Vec<CompiledRule>,
    pub(super) egress: Vec<CompiledRule>,
    /// Some group is absent from the state, so some rules are not known.
    pub(super) lacks_group: bool,
    /// Which classes of addresses it cannot tell apart.
    pub(super) kin: Kin,
    /// By direction, then tcp and udp: index into [`Index::port_classes`]. None: its records are judged one by one.
    pub(super) ports: Option<[[u32; 2]; 2]>,
}

/// How a profile names the classes of addresses.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Kin {
    /// By the class itself.
    #[default]
    Class,
    /// Classes that its rules do not tell apart have one number, at this place plus the class in [`StateIndex::kin`].
    Folded(usize),
}

/// So many classes times profiles, over all states, are folded.
const MOST_FOLDED: usize = 1 << 20;

impl Profile {
    /// Whether some record of the protocol may find rules in both readings that line 3 does not tell apart.
    fn may_tie(&self, protocol: u8, timeline: &Timeline) -> bool {
        let has = |direction, specific| {
            let rules = self.rules(direction).iter().filter(|rule| rule.protocols.holds(protocol));
            rules.into_iter().any(|rule| timeline.rules[rule.rule.index()].is_specific() == specific)
        };
        let both = |specific| has(Direction::Ingress, specific) && has(Direction::Egress, specific);
        both(true) || both(false)
    }

    pub(super) fn rules(&self, direction: Direction) -> &[CompiledRule] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

/// One rule, ready to be tested.
#[derive(Debug, Clone, Copy)]
pub(super) struct CompiledRule {
    protocols: Protocols,
    from: u16,
    to: u16,
    peer: PeerIndex,
    pub(super) rule: RuleIndex,
    pub(super) proof: PeerProof,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocols {
    All,
    One(u8),
    None,
}

/// What a packet that fits the rule in all but the peer says about the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PeerProof {
    /// The peer is a group or list that the state does not resolve.
    pub(super) unresolved: bool,
    /// Which peers cast doubt on the rule not being used.
    pub(super) doubt: Doubt,
}

/// Which peers could have used a rule although its peer does not hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Address ranges hold who they hold.
    Nobody,
    /// A group may have had members that no snapshot shows.
    Strangers,
    /// A prefix list may have had other entries; some load balancers keep the client's address.
    Anybody,
}

impl Protocols {
    fn holds(self, protocol: u8) -> bool {
        match self {
            Self::All => true,
            Self::One(own) => own == protocol,
            Self::None => false,
        }
    }
}

impl CompiledRule {
    /// Whether protocol and port fit.
    pub(super) fn allows_port(&self, protocol: u8, port: u16) -> bool {
        self.protocols.holds(protocol) && self.from <= port && port <= self.to
    }

    /// Whether the peer is among the members of an address class.
    pub(super) fn allows_peer(&self, members: &[u64]) -> bool {
        holds(members, self.peer)
    }
}

fn holds(members: &[u64], peer: PeerIndex) -> bool {
    members[peer as usize / 64] >> (peer % 64) & 1 == 1
}

impl Index {
    /// Compiles a timeline.
    pub fn build(timeline: &Timeline) -> Self {
        let ids: BTreeSet<&String> =
            timeline.states.iter().flat_map(|state| state.interfaces.keys()).collect();
        let keepers = groups_that_keep_client_addresses(timeline);
        let own = OwnAddresses::of(timeline);
        let own_ranges = own.ranges();
        let look_up = if timeline.states.len() <= MOST_TABLES { LookUp::Table } else { LookUp::Search };
        let mut states: Vec<StateIndex> = (0..timeline.states.len())
            .map(|at| compile::compile(timeline, at, &ids, &keepers, &own_ranges, look_up))
            .collect();
        let mut port_classes = compile::PortClassTable::default();
        let mut left = MOST_FOLDED;
        let mut number = 0;
        for state in &mut states {
            for profile in &mut state.profiles {
                profile.number = number;
                number += 1;
                profile.ports = port_classes.of_profile(profile);
            }
            state.fold_classes(&mut left);
        }
        let may_wait = (0..ids.len()).map(|number| MayWait::of(&states, number, timeline)).collect();
        let numbers = ids.iter().zip(0..).map(|(id, n)| (id.as_bytes().into(), InterfaceNumber(n))).collect();
        Self {
            numbers,
            states,
            port_classes: port_classes.all,
            may_wait,
            possible: timeline.rules.iter().map(Rule::is_one_icmp_type).collect(),
            specific: timeline.rules.iter().map(Rule::is_specific).collect(),
            own,
            subnets: subnets(timeline),
        }
    }

    /// The number of an interface, if any snapshot has it.
    pub fn number(&self, interface_id: &[u8]) -> Option<InterfaceNumber> {
        self.numbers.get(interface_id).copied()
    }

    /// Whether records of the interface may have to wait for the whole input (lines 5 and 6).
    pub fn may_wait(&self, number: InterfaceNumber) -> MayWait {
        self.may_wait[number.index()]
    }

    /// What the network ACL of the interface's subnet says of a packet (protocol, `dstport`).
    pub fn ask_acl(
        &self,
        state: usize,
        number: InterfaceNumber,
        direction: Direction,
        peer: IpAddr,
        packet: (u8, u16),
    ) -> AclVerdict {
        let placed = &self.states[state].interfaces[number.index()];
        acl::ask(placed.acl.as_deref(), placed.subnet.as_deref(), direction, peer, packet)
    }

    /// The VPC that has the address in one of its subnets.
    pub fn vpc_of(&self, address: IpAddr) -> Option<&str> {
        self.subnets.iter().find(|(range, _)| range.contains(&address)).map(|(_, vpc)| vpc.as_str())
    }

    /// Whether the address is a private address of any interface in any snapshot.
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        self.own.contains(address)
    }
}

fn subnets(timeline: &Timeline) -> Vec<(IpNet, String)> {
    let subnets = timeline.states.iter().flat_map(|state| state.subnets.values());
    let ranges: BTreeSet<(IpNet, String)> = subnets
        .flat_map(|subnet| subnet.ranges.iter().map(|range| (*range, subnet.vpc_id.clone())))
        .filter(|(_, vpc)| !vpc.is_empty())
        .collect();
    ranges.into_iter().collect()
}

fn groups_that_keep_client_addresses(timeline: &Timeline) -> BTreeSet<&str> {
    let interfaces = timeline.states.iter().flat_map(|state| state.interfaces.values());
    let keepers = interfaces.filter(|interface| interface.keeps_client_address());
    keepers.flat_map(|interface| interface.group_ids.iter().map(String::as_str)).collect()
}

/// Private addresses and delegated prefixes of every interface in every snapshot.
#[derive(Debug)]
struct OwnAddresses {
    addresses: HashSet<IpAddr>,
    prefixes: Vec<IpNet>,
}

impl OwnAddresses {
    fn of(timeline: &Timeline) -> Self {
        let interfaces = || timeline.states.iter().flat_map(|state| state.interfaces.values());
        let prefixes: BTreeSet<IpNet> = interfaces().flat_map(|it| it.prefixes.iter().copied()).collect();
        Self {
            addresses: interfaces().flat_map(|it| it.addresses.iter().copied()).collect(),
            prefixes: prefixes.into_iter().collect(),
        }
    }

    fn ranges(&self) -> Vec<IpNet> {
        let addresses = self.addresses.iter().copied().map(IpNet::from);
        addresses.chain(self.prefixes.iter().copied()).collect()
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address) || self.prefixes.iter().any(|prefix| prefix.contains(&address))
    }
}

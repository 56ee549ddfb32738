//! The states of a timeline, compiled for asking millions of times.
//!
//! Interfaces with the same groups share a *profile*: the rules of all those groups, by direction. An interface that a
//! state lacks is entered with the addresses, groups and subnet of its neighbour, so that a record needs one look-up.

mod compile;
mod families;
mod group_sets;
mod interface_ids;
mod peers;
mod profile;
mod seating;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashSet;
use ipnet::IpNet;

use super::acl::{self, AclVerdict};
use super::address::{AddressClasses, Atoms, Members};
use super::port_classes::PortClasses;
use super::seat::Seat;
use crate::flow::{Direction, InterfaceHandle, TCP, UDP};
use crate::rules::Rule;
use crate::rules::state::{Interface, NetworkAcl, State, Subnet};
use crate::rules::timeline::{Lives, Timeline};
use compile::{Compiled, Compiler, Draft};
use interface_ids::InterfaceIds;
pub(super) use profile::{CompiledRule, Doubt, Profile};
use profile::{PeerProof, Protocols};
use seating::Seating;

/// Number of an interface that some snapshot knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceNumber(pub(crate) u32);

impl InterfaceNumber {
    /// The interface that is called by its number.
    #[inline(always)]
    pub fn of(InterfaceHandle(number): InterfaceHandle) -> Self {
        Self(number)
    }

    /// What readers call it.
    pub fn handle(self) -> InterfaceHandle {
        InterfaceHandle(self.0)
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The compiled timeline.
#[derive(Debug)]
pub struct Index {
    ids: InterfaceIds,
    pub(super) states: Vec<StateIndex>,
    /// What interfaces are for a time, or several times.
    pub(super) runs: Vec<Run>,
    /// Runs that are counted together.
    lineages: Vec<Lineage>,
    /// By interface number: its runs, by the state that each begins with.
    spans: Vec<Vec<Span>>,
    /// By run.
    pub(super) seats: Vec<Seat>,
    profiles: usize,
    pub(super) atoms: Atoms,
    /// Of the classes of all states.
    pub(super) members: Members,
    /// Per profile that folds classes of addresses: what the classes are called.
    pub(super) kin: Vec<u16>,
    pub(super) port_classes: PortClasses,
    /// By interface number.
    may_wait: Vec<MayWait>,
    /// Whether any snapshot tells a network ACL of any interface.
    knows_acls: bool,
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
    /// None may.
    pub const NEVER: Self = Self { tcp: false, udp: false };
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

    /// By interface number.
    fn of_all(index: &Index, timeline: &Timeline) -> Vec<Self> {
        let mut ties = vec![None; index.profiles];
        let mut all = vec![Self::NEVER; index.ids.len()];
        for Run { number, placed, .. } in &index.runs {
            let profile = &placed.profile;
            let tie = ties[profile.number].get_or_insert_with(|| Self {
                tcp: profile.may_tie(TCP, timeline),
                udp: profile.may_tie(UDP, timeline),
            });
            let may = &mut all[*number as usize];
            (may.tcp, may.udp) = (may.tcp | tie.tcp, may.udp | tie.udp);
        }
        all
    }
}

/// One state. What is the same as in the state before is shared with it.
#[derive(Debug, Clone)]
pub(super) struct StateIndex {
    pub(super) classes: AddressClasses,
    /// The state that the classes are of since.
    classes_since: usize,
    /// By interface number: its run.
    pub(super) runs: Arc<Vec<u32>>,
}

/// What an interface is while nothing about it changes, and again where a change is taken back.
#[derive(Debug)]
pub(super) struct Run {
    /// The interface.
    pub(super) number: u32,
    /// What it is.
    pub(super) placed: Placed,
    /// What it is counted with.
    pub(super) lineage: LineageNumber,
}

/// Runs of an interface of one origin, whose profiles are of one family. Runs that lie far apart may be of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lineage {
    /// The interface.
    number: u32,
    origin: Origin,
    family: usize,
}

/// A time in which an interface is in one run.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// The state it begins with.
    since: usize,
    run: u32,
}

/// Number of a lineage: what is counted of an interface while its rules change little is counted together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct LineageNumber(pub(super) u32);

impl LineageNumber {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// An interface as a state has it.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) interface: Arc<Interface>,
    /// Its IPv4 addresses, for the commonest question.
    pub(super) v4: Arc<[u32]>,
    pub(super) origin: Origin,
    pub(super) profile: Arc<Profile>,
    pub(super) acl: Option<Arc<NetworkAcl>>,
    pub(super) subnet: Option<Arc<Subnet>>,
}

impl Placed {
    /// Whether nothing is different.
    fn is_same(&self, other: &Self) -> bool {
        fn shared<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
            match (a, b) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                (None, None) => true,
                _ => false,
            }
        }
        Arc::ptr_eq(&self.interface, &other.interface)
            && self.origin == other.origin
            && Arc::ptr_eq(&self.profile, &other.profile)
            && shared(self.acl.as_ref(), other.acl.as_ref())
            && shared(self.subnet.as_ref(), other.subnet.as_ref())
    }

    /// Whether the address is one of the interface.
    pub(super) fn owns(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(own) if self.interface.prefixes.is_empty() => self.v4.contains(&u32::from(own)),
            _ => self.interface.owns(address),
        }
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

/// So many classes times profiles, over all states, are folded, two bytes each.
const MOST_FOLDED: usize = 1 << 24;

impl Index {
    /// Compiles a timeline.
    pub fn build(timeline: &Timeline) -> Self {
        let lives = timeline.lives();
        let keepers = groups_that_keep_client_addresses(&lives);
        let own = OwnAddresses::of(&lives);
        let mut compiler = Compiler::new(timeline, &lives, &keepers, own.ranges());
        let drafts: Vec<Draft> = (0..timeline.states.len()).map(|at| compiler.compile(at)).collect();
        let Compiled { profiles, runs, lineages, spans, addresses } = compiler.finish();
        let (atoms, classes, members) = addresses.finish();
        let state = |Draft { changes, classes_since, runs }| StateIndex {
            classes: AddressClasses::clone(&classes[changes]),
            classes_since,
            runs,
        };
        let Seating { kin, port_classes, seats } = Seating::of(&runs, &profiles, &members);
        let mut index = Self {
            ids: InterfaceIds::of(lives.ids().map(str::as_bytes)),
            states: drafts.into_iter().map(state).collect(),
            knows_acls: runs.iter().any(|run| run.placed.acl.is_some()),
            runs,
            lineages,
            spans,
            seats,
            profiles: profiles.len(),
            atoms,
            members,
            kin,
            port_classes,
            may_wait: Vec::new(),
            possible: timeline.rules.iter().map(Rule::is_one_icmp_type).collect(),
            specific: timeline.rules.iter().map(Rule::is_specific).collect(),
            own,
            subnets: subnets(timeline),
        };
        index.may_wait = MayWait::of_all(&index, timeline);
        index
    }

    /// The number of an interface, if any snapshot has it.
    #[inline]
    pub fn number(&self, interface_id: &[u8]) -> Option<InterfaceNumber> {
        self.ids.number(interface_id).map(InterfaceNumber)
    }

    /// How many interfaces there are: their numbers are below.
    pub fn interfaces(&self) -> usize {
        self.ids.len()
    }

    /// What a state knows of an interface.
    #[inline]
    pub(super) fn placed(&self, state: usize, number: InterfaceNumber) -> &Placed {
        &self.runs[self.states[state].runs[number.index()] as usize].placed
    }

    /// The first of the states up to this one that know the same of the interface and of all addresses.
    pub(super) fn since(&self, state: usize, number: InterfaceNumber) -> usize {
        let spans = &self.spans[number.index()];
        let begun = spans.partition_point(|span| span.since <= state);
        let since = spans[..begun].last().map_or(0, |span| span.since);
        since.max(self.states[state].classes_since)
    }

    /// The groups that an interface has in a state.
    pub(crate) fn group_ids(&self, state: usize, number: InterfaceNumber) -> &[String] {
        &self.placed(state, number).interface.group_ids
    }

    /// Whether the state itself has the interface.
    pub fn origin(&self, state: usize, number: InterfaceNumber) -> Origin {
        self.placed(state, number).origin
    }

    /// How many profiles there are: their numbers are below.
    pub(super) fn profiles(&self) -> usize {
        self.profiles
    }

    /// How many lineages there are: their numbers are below.
    pub fn lineages(&self) -> usize {
        self.lineages.len()
    }

    /// The lineages in order.
    pub fn all_lineages(&self) -> impl Iterator<Item = LineageNumber> {
        (0..).map(LineageNumber).take(self.lineages.len())
    }

    /// The interface of a lineage, and whether it is of the states themselves.
    pub fn lineage(&self, lineage: LineageNumber) -> (InterfaceNumber, Origin) {
        let Lineage { number, origin, .. } = self.lineages[lineage.index()];
        (InterfaceNumber(number), origin)
    }

    /// The number of the family that a lineage's profiles are of.
    pub fn family_of(&self, lineage: LineageNumber) -> usize {
        self.lineages[lineage.index()].family
    }

    /// Which of the two addresses an interface owns.
    #[cold]
    pub(super) fn owns_either(
        &self,
        state: usize,
        number: InterfaceNumber,
        one: u32,
        other: u32,
    ) -> (bool, bool) {
        let placed = self.placed(state, number);
        let owns = |address: u32| placed.owns(IpAddr::V4(address.into()));
        (owns(one), owns(other))
    }

    /// Whether records of the interface may have to wait for the whole input (lines 5 and 6).
    pub fn may_wait(&self, number: InterfaceNumber) -> MayWait {
        self.may_wait[number.index()]
    }

    /// What the network ACL of the interface's subnet says of a packet (protocol, `dstport`).
    #[inline]
    pub fn ask_acl(
        &self,
        state: usize,
        number: InterfaceNumber,
        direction: Direction,
        peer: IpAddr,
        packet: (u8, u16),
    ) -> AclVerdict {
        // Where interfaces are many, what is known of one is far away.
        if !self.knows_acls {
            return AclVerdict::NotKnown;
        }
        let placed = self.placed(state, number);
        acl::ask(placed.acl.as_deref(), placed.subnet.as_deref(), direction, peer, packet)
    }

    /// The VPC that has the address in one of its subnets.
    pub fn vpc_of(&self, address: IpAddr) -> Option<&str> {
        self.subnets.iter().find(|(range, _)| range.contains(&address)).map(|(_, vpc)| vpc.as_str())
    }

    /// Whether the address is a private address of any interface in any snapshot.
    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        self.own.contains(address)
    }
}

fn subnets(timeline: &Timeline) -> Vec<(IpNet, String)> {
    let mut ranges: BTreeSet<(IpNet, String)> = BTreeSet::new();
    let mut last = None;
    for state in &timeline.states {
        if last.is_none_or(|last: &State| !last.subnets.ptr_eq(&state.subnets)) {
            let subnets = state.subnets.values().filter(|subnet| !subnet.vpc_id.is_empty());
            ranges.extend(subnets.flat_map(|it| it.ranges.iter().map(|range| (*range, it.vpc_id.clone()))));
        }
        last = Some(state);
    }
    ranges.into_iter().collect()
}

fn groups_that_keep_client_addresses<'a>(lives: &Lives<'a>) -> BTreeSet<&'a str> {
    let keepers = lives.interfaces().filter(|interface| interface.keeps_client_address());
    keepers.flat_map(|interface| interface.group_ids.iter().map(String::as_str)).collect()
}

/// Private addresses and delegated prefixes of every interface in every snapshot.
#[derive(Debug)]
struct OwnAddresses {
    addresses: HashSet<IpAddr>,
    prefixes: Vec<IpNet>,
}

impl OwnAddresses {
    fn of(lives: &Lives<'_>) -> Self {
        let prefixes: BTreeSet<IpNet> =
            lives.interfaces().flat_map(|it| it.prefixes.iter().copied()).collect();
        Self {
            addresses: lives.interfaces().flat_map(|it| it.addresses.iter().copied()).collect(),
            prefixes: prefixes.into_iter().collect(),
        }
    }

    fn ranges(&self) -> Vec<IpNet> {
        let addresses: BTreeSet<IpAddr> = self.addresses.iter().copied().collect();
        let addresses = addresses.into_iter().map(IpNet::from);
        addresses.chain(self.prefixes.iter().copied()).collect()
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address) || self.prefixes.iter().any(|prefix| prefix.contains(&address))
    }
}

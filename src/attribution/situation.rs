//! What of a record decides how it is judged: records in the same situation are judged once.

use super::address::Class;
use super::index::{Index, InterfaceNumber, LineageNumber};
use super::seat::{Seat, Stand};
use crate::flow::{Action, Direction, TCP, UDP, V4Flow, V4Record};

/// A situation, in one word: the same for all interfaces that have the same groups in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Situation(u64);

impl Situation {
    /// None that is known: the record must be judged by itself.
    pub const NONE: Self = Self(u64::MAX);
    /// To be told.
    const OPEN: Self = Self(0);

    /// The word.
    #[inline(always)]
    pub fn word(self) -> u64 {
        self.0
    }
}

/// A record on an interface that has groups, in a state, with its direction told.
#[derive(Debug, Clone, Copy)]
pub struct Situated {
    /// Everything that its judgement depends on, but for the network ACL.
    pub situation: Situation,
    /// The far side.
    pub peer: u32,
    /// The run of states in which the interface has the profile that it has.
    run: u32,
    /// Those runs that are counted together.
    pub lineage: LineageNumber,
    /// The direction.
    pub direction: Direction,
}

impl Situated {
    /// A record that must be judged by itself.
    pub const ALONE: Self = Self {
        situation: Situation::NONE,
        peer: 0,
        run: 0,
        lineage: LineageNumber(0),
        direction: Direction::Ingress,
    };
}

/// From the highest bit: profile, kin, the classes of both ports, transport, direction, action, flags. No transport is 3,
/// so no situation is all ones.
const PROFILE_SHIFT: u32 = 40;
const KIN_SHIFT: u32 = 29;
const PORT_SHIFT: u32 = 18;
const SMALL_BITS: u32 = 7;
/// What fits; beyond it records are judged one by one. See [`super::port_classes::MOST_CLASSES`] too.
const MOST_KIN: u32 = 1 << (PROFILE_SHIFT - KIN_SHIFT);
const MOST_PROFILES: u32 = 1 << (64 - PROFILE_SHIFT);

/// So many records are situated side by side.
pub const SIDE_BY_SIDE: usize = 64;

impl Index {
    /// The situations of records, up to [`SIDE_BY_SIDE`] of them, in a state. Interfaces are called by their numbers.
    ///
    /// One thing after the other for all of them: each is a walk to another part of memory, and side by side they wait
    /// for it together.
    pub fn situate(&self, state: usize, records: &[V4Record], situated: &mut [Situated; SIDE_BY_SIDE]) {
        let runs = self.states[state].runs.as_slice();
        for (V4Record { interface, flow }, situated) in records.iter().zip(&mut *situated) {
            let number = InterfaceNumber::of(*interface);
            let run = runs[number.index()];
            let seat = &self.seats[run as usize];
            *situated = match self.direction(state, number, seat, flow) {
                Some(direction) if seat.profile < MOST_PROFILES => Situated {
                    situation: Situation::OPEN,
                    peer: flow.peer(direction),
                    run,
                    lineage: seat.lineage,
                    direction,
                },
                _ => Situated::ALONE,
            };
        }
        let situated = &mut situated[..records.len().min(SIDE_BY_SIDE)];
        let mut classes = [Class(0); SIDE_BY_SIDE];
        let peers = situated.iter().map(|situated| situated.peer);
        self.atoms.classes_v4(peers, &self.states[state].classes, &mut classes);
        for ((V4Record { flow, .. }, situated), class) in records.iter().zip(situated).zip(classes) {
            if situated.situation != Situation::NONE {
                let seat = &self.seats[situated.run as usize];
                situated.situation = self.situation(seat, situated.direction, class, flow);
            }
        }
    }

    #[inline(always)]
    fn situation(&self, seat: &Seat, direction: Direction, class: Class, flow: &V4Flow) -> Situation {
        let kin = seat.kin.of(class, &self.kin);
        if kin >= MOST_KIN {
            return Situation::NONE;
        }
        let (transport, ports) = match flow.protocol {
            TCP => (0, self.port_pair(seat, 0, direction, flow)),
            UDP => (1, self.port_pair(seat, 1, direction, flow)),
            // Nothing else has ports; the protocol takes their place.
            other => (2, u64::from(other)),
        };
        // Of the flags only SYN and ACK matter, and whether they are known.
        let flags = flow.tcp_flags.map_or(4, |flags| u64::from(flags >> 1 & 1 | flags >> 3 & 2));
        let refused = u64::from(flow.action == Action::Reject);
        let small = transport << 5 | (direction as u64) << 4 | refused << 3 | flags;
        let profile = u64::from(seat.profile);
        Situation(profile << PROFILE_SHIFT | u64::from(kin) << KIN_SHIFT | ports << SMALL_BITS | small)
    }

    /// The classes of both ports: `dstport` is tested by rules of the record's direction, `srcport` by the others.
    #[inline(always)]
    fn port_pair(&self, seat: &Seat, transport: usize, direction: Direction, flow: &V4Flow) -> u64 {
        let class = |direction, port| {
            u64::from(self.port_classes.class(seat.ports[transport][direction as usize], port))
        };
        let (dst, src) = (class(direction, flow.dstport), class(direction.opposite(), flow.srcport));
        dst << (PORT_SHIFT - SMALL_BITS) | src
    }

    /// The direction that a record or its addresses tell. None too where every record is judged by itself.
    #[inline(always)]
    fn direction(
        &self,
        state: usize,
        number: InterfaceNumber,
        seat: &Seat,
        flow: &V4Flow,
    ) -> Option<Direction> {
        let owned = match seat.stand {
            Stand::Alone => return None,
            _ if flow.direction.is_some() => return flow.direction,
            Stand::Told => seat.owns_either(flow.srcaddr, flow.dstaddr),
            Stand::AddressesElsewhere => self.owns_either(state, number, flow.srcaddr, flow.dstaddr),
        };
        // One of two, without a guess which.
        let direction = if owned.1 { Direction::Ingress } else { Direction::Egress };
        (owned.0 != owned.1).then_some(direction)
    }
}

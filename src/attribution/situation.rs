//! What of a record decides how it is judged: records in the same situation are judged once.

use super::index::{Index, InterfaceNumber};
use super::seat::{Seat, Stand};
use crate::flow::{Action, Direction, TCP, UDP, V4Flow};

/// A situation, in one word: the same for all interfaces that have the same groups in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Situation(u64);

impl Situation {
    /// None that is known: the record must be judged by itself.
    pub const NONE: Self = Self(u64::MAX);

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
    /// The direction.
    pub direction: Direction,
}

impl Situated {
    /// A record that must be judged by itself.
    pub const ALONE: Self = Self { situation: Situation::NONE, peer: 0, direction: Direction::Ingress };
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

impl Index {
    /// The situation of a record on an interface in a state.
    #[inline(always)]
    pub fn situate(&self, state: usize, number: InterfaceNumber, flow: &V4Flow) -> Situated {
        self.find_situation(state, number, flow).unwrap_or(Situated::ALONE)
    }

    #[inline(always)]
    fn find_situation(&self, state: usize, number: InterfaceNumber, flow: &V4Flow) -> Option<Situated> {
        let seat = &self.seats[self.seat_number(state, number)];
        if seat.profile >= MOST_PROFILES || seat.stand == Stand::Alone {
            return None;
        }
        let direction = match flow.direction {
            Some(direction) => direction,
            None => self.direction(state, number, seat, flow)?,
        };
        let peer = flow.peer(direction);
        let classes = &self.states[state].classes;
        let kin = seat.kin.of(classes.class_v4(peer), &self.kin);
        if kin >= MOST_KIN {
            return None;
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
        let word = u64::from(seat.profile) << PROFILE_SHIFT
            | u64::from(kin) << KIN_SHIFT
            | ports << SMALL_BITS
            | small;
        Some(Situated { situation: Situation(word), peer, direction })
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

    /// The direction that the addresses of a record tell.
    #[inline(always)]
    fn direction(
        &self,
        state: usize,
        number: InterfaceNumber,
        seat: &Seat,
        flow: &V4Flow,
    ) -> Option<Direction> {
        let owned = match seat.stand {
            Stand::Told => seat.owns_either(flow.srcaddr, flow.dstaddr),
            _ => self.owns_either(state, number, flow.srcaddr, flow.dstaddr),
        };
        // One of two, without a guess which.
        let direction = if owned.1 { Direction::Ingress } else { Direction::Egress };
        (owned.0 != owned.1).then_some(direction)
    }
}

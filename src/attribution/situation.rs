//! What of a record decides how it is judged: records in the same situation are judged once.

use super::address::Class;
use super::index::{Index, InterfaceNumber, Kin, Origin};
use crate::flow::{Action, Direction, TCP, UDP, V4Flow};

/// A situation, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Situation(u64);

impl Situation {
    /// None that is known: the record must be judged by itself.
    const NONE: Self = Self(u64::MAX);

    /// The word, which is never [`u64::MAX`]. None: the record must be judged by itself.
    #[inline(always)]
    pub fn word(self) -> Option<u64> {
        (self != Self::NONE).then_some(self.0)
    }
}

/// A record on an interface that has groups, in a state, with its direction told.
#[derive(Debug, Clone, Copy)]
pub struct Situated {
    /// Everything that its judgement depends on, but for the network ACL.
    pub situation: Situation,
    /// The direction.
    pub direction: Direction,
    /// The far side.
    pub peer: u32,
    /// Where the interface is known from.
    pub origin: Origin,
}

impl Situated {
    /// A record that must be judged by itself.
    pub const ALONE: Self =
        Self { situation: Situation::NONE, direction: Direction::Ingress, peer: 0, origin: Origin::State };
}

impl Index {
    /// The situation of a record in a state.
    #[inline]
    pub fn situate(&self, state: usize, number: InterfaceNumber, flow: &V4Flow) -> Situated {
        self.find_situation(state, number, flow).unwrap_or(Situated::ALONE)
    }

    #[inline(always)]
    fn find_situation(&self, state: usize, number: InterfaceNumber, flow: &V4Flow) -> Option<Situated> {
        let state = &self.states[state];
        let seat = &state.seats[number.index()];
        let profile = &state.profiles[seat.profile()?];
        let direction = match flow.direction {
            Some(direction) => direction,
            None => state.direction(number, flow.srcaddr, flow.dstaddr)?,
        };
        let peer = flow.peer(direction);
        let Class(class) = state.classes.class_v4(peer);
        let kin = match profile.kin {
            Kin::Folded(from) => u32::from(state.kin[from + class as usize]),
            Kin::Class => class,
        };
        let classes = profile.ports.as_ref()?;
        let (transport, ports) = match flow.protocol {
            TCP => (0, self.port_pair(classes, direction, 0, flow)),
            UDP => (1, self.port_pair(classes, direction, 1, flow)),
            // Nothing else has ports; the protocol takes their place.
            other => (2, u64::from(other)),
        };
        // Of the flags only SYN and ACK matter, and whether they are known.
        let flags = flow.tcp_flags.map_or(4, |flags| u64::from(flags >> 1 & 1 | flags >> 3 & 2));
        let refused = u64::from(flow.action == Action::Reject);
        let small = flags | refused << 3 | (direction as u64) << 4 | transport << 5;
        if kin >= MOST_KIN || profile.number >= MOST_PROFILES {
            return None;
        }
        let situation = (profile.number as u64) << 43 | u64::from(kin) << 31 | ports << 7 | small;
        Some(Situated { situation: Situation(situation), direction, peer, origin: seat.origin })
    }

    /// The classes of both ports: `dstport` is tested by rules of the record's direction, `srcport` by the others.
    #[inline]
    fn port_pair(&self, of: &[[u32; 2]; 2], direction: Direction, transport: usize, flow: &V4Flow) -> u64 {
        let classes = |direction| &self.port_classes[of[direction as usize][transport] as usize];
        let dst = classes(direction).class(flow.dstport);
        let src = classes(direction.opposite()).class(flow.srcport);
        u64::from(dst) << 12 | u64::from(src)
    }
}

/// What fits the bits of a [`Situation`]; beyond it records are judged one by one. Port classes have twelve bits:
/// see [`super::port_classes::MOST_CLASSES`].
const MOST_KIN: u32 = 1 << 12;
const MOST_PROFILES: usize = (1 << 21) - 1;

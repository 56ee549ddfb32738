//! The seats of all interfaces in all states: what the commonest records ask, put together once per change.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;
use rayon::prelude::*;

use super::super::address::{Members, PeerIndex};
use super::super::port_classes::{Intervals, PortClasses, PortSets};
use super::super::seat::{Kin, Seat};
use super::{MOST_FOLDED, Profile, Run};
use crate::flow::{Direction, TCP, UDP};

/// The ports of so many profiles are told side by side.
const SIDE_BY_SIDE: usize = 1024;

/// The seats, and the lists that they point into.
pub(super) struct Seating {
    pub(super) kin: Vec<u16>,
    pub(super) port_classes: PortClasses,
    /// By run.
    pub(super) seats: Vec<Seat>,
}

impl Seating {
    /// Gives every run a seat.
    pub(super) fn of(runs: &[Run], profiles: &[Arc<Profile>], members: &Members) -> Self {
        let folding = Folding::of(members);
        let room = MOST_FOLDED / members.count().max(1);
        let (fold, _) = profiles.split_at(room.min(profiles.len()));
        let folded: Vec<Vec<u16>> = fold.par_iter().map(|profile| folding.fold(profile)).collect();
        let mut port_sets = PortSets::default();
        let mut number = |intervals| port_sets.number(intervals);
        let mut ports: Vec<Option<PortNumbers>> = Vec::with_capacity(profiles.len());
        // Most of them say the same in the end, so that not all are there at once.
        for some in profiles.chunks(SIDE_BY_SIDE) {
            let told: Vec<Option<PortIntervals>> =
                some.par_iter().map(|profile| tell_ports(profile)).collect();
            ports.extend(told.into_iter().map(|of| of.map(|of| of.map(|of| of.map(&mut number)))));
        }
        let kins = (0..folded.len()).map(|number| Kin::folded(number * members.count()));
        let kins: Vec<Kin> = kins.collect();
        let (port_classes, places) = port_sets.build();
        let seat = |run: &Run| {
            let number = run.placed.profile.number;
            let ports = ports[number].map(|of| of.map(|of| of.map(|set| places[set])));
            Seat::of(run, kins.get(number).copied().unwrap_or(Kin::CLASS), ports)
        };
        Self { kin: folded.concat(), port_classes, seats: runs.par_iter().map(seat).collect() }
    }
}

/// Sets of ports by transport and direction.
type PortNumbers = [[usize; 2]; 2];

/// What they tell apart.
type PortIntervals = [[Intervals; 2]; 2];

/// None: its records are judged one by one.
fn tell_ports(profile: &Profile) -> Option<PortIntervals> {
    if profile.asks_more() {
        return None;
    }
    let of = |protocol, direction| {
        let rules = profile.rules(direction).iter().filter(|rule| rule.protocols.holds(protocol));
        let ranges: Vec<(u16, u16)> = rules.map(|rule| (rule.from, rule.to)).collect();
        Intervals::of(&ranges)
    };
    let both = |protocol| Some([of(protocol, Direction::Ingress)?, of(protocol, Direction::Egress)?]);
    Some([both(TCP)?, both(UDP)?])
}

/// Finds the classes of addresses that a profile cannot tell apart.
struct Folding {
    /// By peer: the classes that belong to it.
    classes_of: Vec<Vec<usize>>,
    classes: usize,
    /// Two things that are asked of every address, whatever the rules.
    always: (PeerIndex, PeerIndex),
}

impl Folding {
    fn of(classes: &Members) -> Self {
        let always = classes.last_two_peers();
        let mut classes_of = vec![Vec::new(); always.1 as usize + 1];
        for class in 0..classes.count() {
            for (word, bits) in classes.members_of(class).iter().enumerate() {
                let mut bits = *bits;
                while bits != 0 {
                    classes_of[word * 64 + bits.trailing_zeros() as usize].push(class);
                    bits &= bits - 1;
                }
            }
        }
        Self { classes_of, classes: classes.count(), always }
    }

    /// By class: one number for all that the same peers of the profile hold.
    fn fold(&self, profile: &Profile) -> Vec<u16> {
        let rules = profile.ingress.iter().chain(&profile.egress);
        let peers: BTreeSet<PeerIndex> =
            rules.map(|rule| rule.peer).chain([self.always.0, self.always.1]).collect();
        let peers: Vec<PeerIndex> = peers.into_iter().collect();
        let mut folded = vec![0; self.classes];
        // What the first peers do not tell apart the next ones may.
        for peers in peers.chunks(64) {
            let mut held = vec![0_u64; self.classes];
            for (bit, peer) in peers.iter().enumerate() {
                for class in &self.classes_of[*peer as usize] {
                    held[*class] |= 1 << bit;
                }
            }
            let mut known: HashMap<(u16, u64), u16> = HashMap::new();
            for (number, held) in folded.iter_mut().zip(held) {
                let next = u16::try_from(known.len()).unwrap_or(u16::MAX);
                *number = *known.entry((*number, held)).or_insert(next);
            }
        }
        folded
    }
}

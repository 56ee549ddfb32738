//! The seats of all interfaces in all states: what the commonest records ask, put together once per change.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;
use rayon::prelude::*;

use super::super::address::{AddressClasses, PeerIndex};
use super::super::port_classes::{PortClasses, PortSet, PortSets};
use super::super::seat::{Kin, Seat};
use super::{MOST_FOLDED, Placed, Profile, Run, StateIndex};
use crate::flow::{Direction, TCP, UDP};

/// What all seats point into.
#[derive(Default)]
pub(super) struct Seating {
    pub(super) kin: Vec<u16>,
    pub(super) port_classes: PortClasses,
    pub(super) runs: Vec<Run>,
}

impl Seating {
    /// Gives every interface of every state a seat.
    pub(super) fn of(states: &mut [StateIndex], profiles: usize) -> Self {
        let mut port_sets = PortSets::default();
        let mut kin = Vec::new();
        let mut ports = vec![None; profiles];
        let mut kins = vec![Kin::CLASS; profiles];
        let mut seen = vec![false; profiles];
        let mut folding: Option<(Arc<AddressClasses>, Folding)> = None;
        for state in &*states {
            let fresh =
                state.profiles.iter().filter(|profile| !std::mem::replace(&mut seen[profile.number], true));
            let fresh: Vec<&Arc<Profile>> = fresh.collect();
            if fresh.is_empty() {
                continue;
            }
            let known = folding.take().filter(|(classes, _)| Arc::ptr_eq(classes, &state.classes));
            let (classes, own) =
                known.unwrap_or_else(|| (Arc::clone(&state.classes), Folding::of(&state.classes)));
            let room = (MOST_FOLDED - kin.len()) / classes.count();
            let (fold, _) = fresh.split_at(room.min(fresh.len()));
            let folded: Vec<Vec<u16>> = fold.par_iter().map(|profile| own.fold(profile)).collect();
            for (profile, classes) in fold.iter().zip(folded) {
                kins[profile.number] = Kin::folded(kin.len());
                kin.extend(classes);
            }
            for profile in fresh {
                ports[profile.number] = number_ports(profile, &mut port_sets);
            }
            folding = Some((classes, own));
        }
        let (port_classes, places) = port_sets.build();
        let of_profile = |profile: &Profile| {
            let ports =
                ports[profile.number].map(|of: [[usize; 2]; 2]| of.map(|of| of.map(|set| places[set])));
            (kins[profile.number], ports)
        };
        let mut runs = Vec::new();
        let mut last: Option<StateIndex> = None;
        for (at, state) in states.iter_mut().enumerate() {
            let same = |last: &&StateIndex| {
                Arc::ptr_eq(&last.interfaces, &state.interfaces)
                    && last.profiles.iter().zip(&state.profiles).all(|(a, b)| Arc::ptr_eq(a, b))
            };
            state.seats = match last.as_ref().filter(same) {
                Some(last) => Arc::clone(&last.seats),
                None => Arc::new(seats(at, state, last.as_ref(), &of_profile, &mut runs)),
            };
            last = Some(state.clone());
        }
        Self { kin, port_classes, runs }
    }
}

/// The seats of a state. An interface whose profile is that of the state before goes on with its run.
fn seats(
    at: usize,
    state: &StateIndex,
    last: Option<&StateIndex>,
    of_profile: &impl Fn(&Profile) -> (Kin, Option<[[PortSet; 2]; 2]>),
    runs: &mut Vec<Run>,
) -> Vec<Seat> {
    let since = u32::try_from(at).unwrap_or(u32::MAX);
    let seat = |(number, placed): (u32, &Placed)| {
        let profile = &state.profiles[placed.profile];
        let before = last.map(|last| (&last.interfaces[number as usize], &last.seats[number as usize]));
        let same =
            |(before, seat): &(&Placed, &Seat)| seat.is_of(profile.number) && before.origin == placed.origin;
        let run = before.filter(same).map_or_else(
            || {
                runs.push(Run { number, since, before: before.map(|(_, seat)| seat.run) });
                u32::try_from(runs.len() - 1).unwrap_or(u32::MAX)
            },
            |(_, seat)| seat.run,
        );
        let (kin, ports) = of_profile(profile);
        Seat::of(placed, profile.number, kin, ports, run)
    };
    (0..).zip(state.interfaces.iter()).map(seat).collect()
}

/// By transport and direction. None: its records are judged one by one.
fn number_ports(profile: &Profile, sets: &mut PortSets) -> Option<[[usize; 2]; 2]> {
    let mut numbers = [[0; 2]; 2];
    for (protocol, of_transport) in [TCP, UDP].into_iter().zip(&mut numbers) {
        for direction in [Direction::Ingress, Direction::Egress] {
            let rules = profile.rules(direction).iter().filter(|rule| rule.protocols.holds(protocol));
            let ranges: Vec<(u16, u16)> = rules.map(|rule| (rule.from, rule.to)).collect();
            of_transport[direction as usize] = sets.number(&ranges)?;
        }
    }
    Some(numbers)
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
    fn of(classes: &AddressClasses) -> Self {
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

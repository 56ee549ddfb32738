//! Which peers of the rules an address belongs to, in one look-up.
//!
//! All address ranges that the peers of any state name cut the address space into intervals; every address of an interval
//! belongs to the same peers in a state, its *class* there. There are few classes, whatever the number of ranges.
//! Intervals that are of the same class in every state are one *atom*: an address is looked up once for all states, and
//! a state knows the class of each atom.

mod history;
mod table;

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;

pub(super) use history::{AddressHistory, Ranges};
use table::V4Table;

/// A class of addresses: all belong to the same peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Class(pub(super) u32);

/// Addresses that are of one class in every state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Atom(u32);

/// Index of a peer among those of all states.
pub(super) type PeerIndex = u32;

/// The atoms of all addresses.
#[derive(Debug)]
pub(super) struct Atoms {
    v4: Intervals<u32>,
    /// None: `v4` is searched.
    table: Option<V4Table>,
    v6: Intervals<u128>,
}

/// The classes of the atoms in one state. The same class has the same members in every state.
#[derive(Debug, Clone)]
pub(super) enum AddressClasses {
    /// Nothing ever changes: an atom is called as its class.
    Alike,
    /// By atom.
    OfState(Arc<[Class]>),
}

/// The members of all classes of all states: per class one bit per peer.
#[derive(Debug)]
pub(super) struct Members {
    known: HashMap<Box<[u64]>, Class>,
    bits: Vec<u64>,
    /// Words a class.
    words: usize,
    peers: usize,
}

/// Ascending starts of intervals, each with its atom; the first start is 0.
#[derive(Debug, Default)]
struct Intervals<A> {
    starts: Vec<A>,
    atoms: Vec<Atom>,
}

impl Atoms {
    /// The class of an address in a state.
    pub(super) fn class(&self, address: IpAddr, classes: &AddressClasses) -> Class {
        classes.of(match address {
            IpAddr::V4(address) => {
                let found = self.table.as_ref().and_then(|table| table.atom(address.into()));
                found.unwrap_or_else(|| self.v4.atom(address.into()))
            }
            IpAddr::V6(address) => self.v6.atom(u128::from(address)),
        })
    }

    /// The classes of IPv4 addresses in a state.
    #[inline(always)]
    pub(super) fn classes_v4(
        &self,
        addresses: impl Iterator<Item = u32>,
        of_state: &AddressClasses,
        classes: &mut [Class],
    ) {
        let pairs = addresses.zip(&mut *classes);
        let mut count = 0;
        match &self.table {
            Some(table) => {
                for (address, class) in pairs {
                    *class = Class(table.atom(address).unwrap_or_else(|| self.v4.atom(address)).0);
                    count += 1;
                }
            }
            None => {
                for (address, class) in pairs {
                    *class = Class(self.v4.atom(address).0);
                    count += 1;
                }
            }
        }
        if let AddressClasses::OfState(of_state) = of_state {
            for class in &mut classes[..count] {
                *class = of_state[class.0 as usize];
            }
        }
    }
}

impl AddressClasses {
    fn of(&self, Atom(atom): Atom) -> Class {
        match self {
            Self::Alike => Class(atom),
            Self::OfState(classes) => classes[atom as usize],
        }
    }
}

impl Members {
    /// No class yet, of so many peers.
    fn of(peers: usize) -> Self {
        Self { known: HashMap::new(), bits: Vec::new(), words: peers.div_ceil(64).max(1), peers }
    }

    fn class(&mut self, bits: &[u64]) -> Class {
        if let Some(class) = self.known.get(bits) {
            return *class;
        }
        let class = Class(u32::try_from(self.known.len()).unwrap_or(u32::MAX));
        self.bits.extend_from_slice(bits);
        self.known.insert(bits.into(), class);
        class
    }

    /// The peers a class belongs to, one bit each.
    pub(super) fn members(&self, Class(class): Class) -> &[u64] {
        self.members_of(class as usize)
    }

    /// The peers that the class of this number belongs to.
    pub(super) fn members_of(&self, class: usize) -> &[u64] {
        let at = class * self.words;
        &self.bits[at..at + self.words]
    }

    /// How many classes there are.
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// The numbers of the last two peers given.
    pub(super) fn last_two_peers(&self) -> (PeerIndex, PeerIndex) {
        let number = |back| PeerIndex::try_from(self.peers.saturating_sub(back)).unwrap_or(PeerIndex::MAX);
        (number(2), number(1))
    }
}

impl<A: Ord + Copy> Intervals<A> {
    fn atom(&self, address: A) -> Atom {
        let after = self.starts.partition_point(|start| *start <= address);
        self.atoms[after - 1]
    }
}

//! Which peers of the rules an address belongs to, in one look-up.
//!
//! All address ranges that the peers of a state name cut the address space into intervals; every address of an interval
//! belongs to the same peers, its *class*. There are few classes, whatever the number of ranges.

use std::net::IpAddr;

use hashbrown::HashMap;
use ipnet::IpNet;

/// A class of addresses: all belong to the same peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Class(u32);

/// Index of a peer within one state.
pub(super) type PeerIndex = u32;

/// The classes of one state.
#[derive(Debug, Default)]
pub(super) struct AddressClasses {
    v4: Intervals<u32>,
    v6: Intervals<u128>,
    /// Per class one bit per peer, `words` words a class.
    members: Vec<u64>,
    words: usize,
}

/// Ascending starts of intervals, each with its class; the first start is 0.
#[derive(Debug, Default)]
struct Intervals<A> {
    starts: Vec<A>,
    classes: Vec<Class>,
    /// Per /16 of IPv4: how many starts lie before it. Empty: all starts are searched.
    blocks: Vec<u32>,
}

/// How addresses are looked up: a table costs 256 KiB a state and saves most of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LookUp {
    Table,
    Search,
}

impl AddressClasses {
    /// Builds the classes of peers, each a list of ranges.
    pub(super) fn build(peers: &[Vec<IpNet>], look_up: LookUp) -> Self {
        let words = peers.len().div_ceil(64).max(1);
        let mut interner = ClassInterner { known: HashMap::new(), members: Vec::new() };
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for (peer, nets) in peers.iter().enumerate() {
            for net in nets {
                match net {
                    IpNet::V4(net) => {
                        let last = u32::from(net.broadcast());
                        v4.push((u32::from(net.network()), last.checked_add(1), peer));
                    }
                    IpNet::V6(net) => {
                        let last = u128::from(net.broadcast());
                        v6.push((u128::from(net.network()), last.checked_add(1), peer));
                    }
                }
            }
        }
        let mut v4 = intervals(v4, words, &mut interner);
        if look_up == LookUp::Table {
            v4.tabulate();
        }
        let v6 = intervals(v6, words, &mut interner);
        Self { v4, v6, members: interner.members, words }
    }

    /// The class of an address.
    pub(super) fn class(&self, address: IpAddr) -> Class {
        match address {
            IpAddr::V4(address) => self.v4.class_v4(u32::from(address)),
            IpAddr::V6(address) => self.v6.class(u128::from(address)),
        }
    }

    /// The peers a class belongs to, one bit each.
    pub(super) fn members(&self, class: Class) -> &[u64] {
        let at = class.0 as usize * self.words;
        &self.members[at..at + self.words]
    }
}

impl<A: Ord + Copy> Intervals<A> {
    fn class(&self, address: A) -> Class {
        let after = self.starts.partition_point(|start| *start <= address);
        self.classes[after - 1]
    }
}

impl Intervals<u32> {
    fn tabulate(&mut self) {
        let before = |block: u32| self.starts.partition_point(|start| *start >> 16 < block);
        let blocks = (0..=1 << 16).map(|block| u32::try_from(before(block)).unwrap_or(u32::MAX));
        self.blocks = blocks.collect();
    }

    fn class_v4(&self, address: u32) -> Class {
        let block = (address >> 16) as usize;
        let [from, to] = match self.blocks.get(block..block + 2) {
            Some(bounds) => [bounds[0] as usize, bounds[1] as usize],
            None => return self.class(address),
        };
        let within = self.starts[from..to].partition_point(|start| *start <= address);
        self.classes[from + within - 1]
    }
}

struct ClassInterner {
    known: HashMap<Box<[u64]>, Class>,
    members: Vec<u64>,
}

impl ClassInterner {
    fn class(&mut self, bits: &[u64]) -> Class {
        if let Some(class) = self.known.get(bits) {
            return *class;
        }
        let class = Class(u32::try_from(self.known.len()).unwrap_or(u32::MAX));
        self.members.extend_from_slice(bits);
        self.known.insert(bits.into(), class);
        class
    }
}

/// Sweeps over the bounds of (start, end, peer); an end of None is the end of the address space.
fn intervals<A: Ord + Copy + Default>(
    ranges: Vec<(A, Option<A>, usize)>,
    words: usize,
    interner: &mut ClassInterner,
) -> Intervals<A> {
    let mut bounds: Vec<(A, Bound, usize)> = Vec::with_capacity(ranges.len() * 2);
    for (start, end, peer) in ranges {
        bounds.push((start, Bound::Enter, peer));
        if let Some(end) = end {
            bounds.push((end, Bound::Leave, peer));
        }
    }
    bounds.sort_unstable();
    // Ranges of one peer may overlap: it is left only when all of them are.
    let mut depth = vec![0_u32; words * 64];
    let mut bits = vec![0_u64; words];
    let mut built =
        Intervals { starts: vec![A::default()], classes: vec![interner.class(&bits)], blocks: Vec::new() };
    for (at, bound, peer) in bounds {
        match bound {
            Bound::Enter => depth[peer] += 1,
            Bound::Leave => depth[peer] -= 1,
        }
        let bit = 1_u64 << (peer % 64);
        if depth[peer] > 0 {
            bits[peer / 64] |= bit;
        } else {
            bits[peer / 64] &= !bit;
        }
        let class = interner.class(&bits);
        let last = built.starts.len() - 1;
        if built.starts[last] == at {
            built.classes[last] = class;
        } else {
            built.starts.push(at);
            built.classes.push(class);
        }
    }
    built
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    Enter,
    Leave,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::parse_net;

    #[test]
    fn classes_hold_exactly_the_peers_whose_ranges_contain_the_address() {
        let peers: Vec<Vec<IpNet>> = [
            &["10.0.0.0/8"][..],
            &["10.1.0.0/16", "10.1.2.0/24"],
            &["0.0.0.0/0"],
            &["255.255.255.255/32"],
            &["::/0"],
            &["2001:db8::/32", "2001:db8:1::/48"],
            &[],
        ]
        .iter()
        .map(|nets| nets.iter().map(|net| parse_net(net).unwrap()).collect())
        .collect();
        for look_up in [LookUp::Table, LookUp::Search] {
            assert_classes(&peers, &AddressClasses::build(&peers, look_up));
        }
    }

    fn assert_classes(peers: &[Vec<IpNet>], classes: &AddressClasses) {
        for text in [
            "0.0.0.0",
            "9.255.255.255",
            "10.0.0.0",
            "10.1.2.3",
            "10.1.3.0",
            "10.255.255.255",
            "11.0.0.0",
            "255.255.255.255",
            "255.255.255.254",
            "::",
            "2001:db8::1",
            "2001:db8:1::",
            "2001:db9::",
            "ffff::",
        ] {
            let address: IpAddr = text.parse().unwrap();
            let members = classes.members(classes.class(address));
            for (peer, nets) in peers.iter().enumerate() {
                let expected = nets.iter().any(|net| net.contains(&address));
                assert_eq!(members[peer / 64] >> (peer % 64) & 1 == 1, expected, "{text} {nets:?}");
            }
        }
    }
}

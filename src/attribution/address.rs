//! Which peers of the rules an address belongs to, in one look-up.
//!
//! All address ranges that the peers of a state name cut the address space into intervals; every address of an interval
//! belongs to the same peers, its *class*. There are few classes, whatever the number of ranges.

use std::net::IpAddr;

use hashbrown::HashMap;
use ipnet::IpNet;

/// A class of addresses: all belong to the same peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Class(pub(super) u32);

/// Index of a peer within one state.
pub(super) type PeerIndex = u32;

/// The classes of the addresses in one state. The same class has the same members in every state.
#[derive(Debug, Default)]
pub(super) struct AddressClasses {
    v4: Intervals<u32>,
    /// None: `v4` is searched.
    table: Option<V4Table>,
    v6: Intervals<u128>,
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

/// Ascending starts of intervals, each with its class; the first start is 0.
#[derive(Debug, Default)]
struct Intervals<A> {
    starts: Vec<A>,
    classes: Vec<Class>,
}

/// How IPv4 addresses are looked up: a table costs 128 KiB a state and more, and saves the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LookUp {
    Table,
    Search,
}

impl AddressClasses {
    /// Builds the classes of peers, each a list of ranges.
    pub(super) fn build(peers: &[Vec<IpNet>], look_up: LookUp, members: &mut Members) -> Self {
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
        let v4 = intervals(v4, members);
        let table = (look_up == LookUp::Table).then(|| V4Table::build(&v4)).flatten();
        let v6 = intervals(v6, members);
        Self { v4, table, v6 }
    }

    /// The class of an address.
    pub(super) fn class(&self, address: IpAddr) -> Class {
        match address {
            IpAddr::V4(address) => {
                let found = self.table.as_ref().and_then(|table| table.class(address.into()));
                found.unwrap_or_else(|| self.v4.class(address.into()))
            }
            IpAddr::V6(address) => self.v6.class(u128::from(address)),
        }
    }

    /// The classes of IPv4 addresses.
    #[inline(always)]
    pub(super) fn classes_v4(&self, addresses: impl Iterator<Item = u32>, classes: &mut [Class]) {
        let pairs = addresses.zip(classes);
        match &self.table {
            Some(table) => {
                for (address, class) in pairs {
                    *class = table.class(address).unwrap_or_else(|| self.v4.class(address));
                }
            }
            None => {
                for (address, class) in pairs {
                    *class = self.v4.class(address);
                }
            }
        }
    }
}

impl Members {
    /// No class yet, of so many peers.
    pub(super) fn of(peers: usize) -> Self {
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
    fn class(&self, address: A) -> Class {
        let after = self.starts.partition_point(|start| *start <= address);
        self.classes[after - 1]
    }
}

/// The class of IPv4 addresses in three steps, whatever the address: by their first 16 bits, the next 8, the last 8.
#[derive(Debug)]
struct V4Table {
    /// One bit for each /16 that is not like most others: small enough to stay at hand.
    special: Vec<u64>,
    /// By the first 16 bits, for special ones: which page of `third`. Behind them all, that of the others.
    blocks: Vec<u16>,
    /// Pages of 256: by the next 8 bits, which page of `fourth`.
    third: Vec<u16>,
    /// Pages of 256: by the last 8 bits, the class.
    fourth: Vec<u16>,
}

/// Stands for a class where pages have run out: it must be searched.
const SEARCH: u16 = u16::MAX;
/// So many pages of either kind, half a KiB each, and those that hold a single class.
const MOST_PAGES: usize = 1 << 14;

impl V4Table {
    /// None: more classes than pages can name.
    fn build(intervals: &Intervals<u32>) -> Option<Self> {
        let most = intervals.classes.iter().map(|class| class.0).max().unwrap_or_default();
        if most as usize >= usize::from(SEARCH) - 2 * MOST_PAGES {
            return None;
        }
        let mut pages = Pages::default();
        let mut first = 0;
        let mut blocks = Vec::with_capacity(1 << 16);
        for block in 0..1_u32 << 16 {
            // Intervals that start in the block, and the class at its start.
            let count = intervals.starts[first..].partition_point(|start| *start >> 16 <= block);
            let inside = first..first + count;
            first = inside.end;
            blocks.push(pages.block(block << 16, intervals, inside));
        }
        let mut counts: HashMap<u16, usize> = HashMap::new();
        for page in &blocks {
            *counts.entry(*page).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(page, count)| (*count, *page)).map_or(0, |(page, _)| page);
        let (words, _) = blocks.as_chunks::<64>();
        let bits = |word: &[u16; 64]| word.iter().rfold(0, |bits, page| bits << 1 | u64::from(*page != most));
        let special = words.iter().map(bits).collect();
        blocks.push(most);
        Some(Self { special, blocks, third: pages.third, fourth: pages.fourth })
    }

    /// None: it must be searched.
    #[inline(always)]
    fn class(&self, address: u32) -> Option<Class> {
        let [_, _, third, fourth] = address.to_be_bytes();
        let block = (address >> 16) as usize;
        let special = self.special[block / 64] >> (block % 64) & 1 == 1;
        let page = usize::from(self.blocks[if special { block } else { 1 << 16 }]);
        let page = usize::from(self.third[page << 8 | usize::from(third)]);
        let class = self.fourth[page << 8 | usize::from(fourth)];
        (class != SEARCH).then_some(Class(class.into()))
    }
}

/// Pages in the making. Those that hold one class, or one page, are made once.
#[derive(Default)]
struct Pages {
    third: Vec<u16>,
    fourth: Vec<u16>,
    third_of: HashMap<u16, u16>,
    fourth_of: HashMap<u16, u16>,
}

impl Pages {
    /// The third page of the /16 from here on; `inside` are the intervals that start in it.
    fn block(&mut self, from: u32, intervals: &Intervals<u32>, inside: std::ops::Range<usize>) -> u16 {
        let starts = &intervals.starts[inside.clone()];
        let until = |address: u32| starts.partition_point(|start| *start <= address);
        let class_at = |address: u32| {
            let Class(class) = intervals.classes[inside.start + until(address) - 1];
            u16::try_from(class).unwrap_or(SEARCH)
        };
        let cut = starts.iter().any(|start| *start != from);
        if !cut || self.third.len() / 256 >= MOST_PAGES {
            let page = self.fourth_of(if cut { SEARCH } else { class_at(from) });
            return page_of_one(&mut self.third, &mut self.third_of, page);
        }
        let number = |at: usize| u32::try_from(at).unwrap_or_default();
        let page = std::array::from_fn(|byte| {
            let from = from + (number(byte) << 8);
            if until(from) == until(from + 255) {
                self.fourth_of(class_at(from))
            } else if self.fourth.len() / 256 >= MOST_PAGES {
                self.fourth_of(SEARCH)
            } else {
                add_page(&mut self.fourth, &std::array::from_fn(|last| class_at(from + number(last))))
            }
        });
        add_page(&mut self.third, &page)
    }

    /// The page of addresses that are all of this class.
    fn fourth_of(&mut self, class: u16) -> u16 {
        page_of_one(&mut self.fourth, &mut self.fourth_of, class)
    }
}

fn page_of_one(pages: &mut Vec<u16>, known: &mut HashMap<u16, u16>, value: u16) -> u16 {
    *known.entry(value).or_insert_with(|| add_page(pages, &[value; 256]))
}

/// There are at most [`MOST_PAGES`] and one for each class, which together have numbers of 16 bits.
fn add_page(pages: &mut Vec<u16>, page: &[u16; 256]) -> u16 {
    pages.extend(page);
    u16::try_from(pages.len() / 256 - 1).unwrap_or(SEARCH)
}

/// Sweeps over the bounds of (start, end, peer); an end of None is the end of the address space.
fn intervals<A: Ord + Copy + Default>(
    ranges: Vec<(A, Option<A>, usize)>,
    members: &mut Members,
) -> Intervals<A> {
    let words = members.words;
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
    let mut built = Intervals { starts: vec![A::default()], classes: vec![members.class(&bits)] };
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
        let class = members.class(&bits);
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
            let mut members = Members::of(peers.len());
            let classes = AddressClasses::build(&peers, look_up, &mut members);
            assert_classes(&peers, &classes, &members);
        }
    }

    fn assert_classes(peers: &[Vec<IpNet>], classes: &AddressClasses, all: &Members) {
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
            let members = all.members(classes.class(address));
            for (peer, nets) in peers.iter().enumerate() {
                let expected = nets.iter().any(|net| net.contains(&address));
                assert_eq!(members[peer / 64] >> (peer % 64) & 1 == 1, expected, "{text} {nets:?}");
            }
        }
    }
}

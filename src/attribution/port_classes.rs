//! Which ports a profile cannot tell apart, so that what was decided for one port holds for all of its class.
//!
//! The intervals of ports that the rules of a set tell apart lie in a tree of nodes of eight, which one comparison
//! looks through. The trees of all sets are equally high: whatever set a record asks, the same steps answer.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use wide::i16x8;

/// Ports below this are a service's, where nothing else tells (line 4 of the definition).
pub(super) const LOW_PORTS: u16 = 512;

/// A profile with more classes of ports is judged record by record.
pub(super) const MOST_CLASSES: usize = 1 << 11;

/// The classes of ports that some rules tell apart, in order: where each interval ends, and its class. The last interval
/// ends at the highest port. Intervals that the same rules hold are of one class.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Intervals(Vec<(u16, u16)>);

impl Intervals {
    /// What these port ranges and [`LOW_PORTS`] tell apart. None: too many.
    pub(super) fn of(ranges: &[(u16, u16)]) -> Option<Self> {
        let bounds = ranges.iter().flat_map(|(from, to)| [from.checked_sub(1), Some(*to)]);
        let mut ends: Vec<u16> = bounds.flatten().collect();
        ends.extend([LOW_PORTS - 1, u16::MAX]);
        ends.sort_unstable();
        ends.dedup();
        // Beyond the rules that an interface can have, telling the classes would take more than they save.
        if ends.len() > MOST_CLASSES {
            return None;
        }
        let mut known = BTreeMap::new();
        let intervals = ends.iter().map(|end| {
            let held: Vec<bool> = ranges.iter().map(|(from, to)| (*from..=*to).contains(end)).collect();
            let next = u16::try_from(known.len()).unwrap_or(u16::MAX);
            (*end, *known.entry((held, *end < LOW_PORTS)).or_insert(next))
        });
        Some(Self(intervals.collect()))
    }
}

/// Where the tree of a set of rules is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PortSet {
    /// Its first inner node.
    inner: u32,
    /// Its first leaf.
    leaves: u32,
}

/// Eight intervals.
#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
struct Leaf {
    ends: [i16; 8],
    classes: [u16; 8],
}

/// The trees of all sets of rules.
#[derive(Debug, Default)]
pub(super) struct PortClasses {
    /// By set and level, the highest first: the last ends of the nodes below.
    inner: Vec<[i16; 8]>,
    leaves: Vec<Leaf>,
    /// How many levels lie above the leaves.
    height: u32,
}

impl PortClasses {
    /// The trees of these sets; answers where each of them is, in their order.
    pub(super) fn build(sets: &[Intervals]) -> (Self, Vec<PortSet>) {
        let most = sets.iter().map(|Intervals(all)| all.len()).max().unwrap_or_default();
        let mut classes = Self::default();
        while most > 8 << (3 * classes.height) {
            classes.height += 1;
        }
        let places = sets.iter().map(|set| classes.add(set)).collect();
        (classes, places)
    }

    fn add(&mut self, Intervals(intervals): &Intervals) -> PortSet {
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let place = PortSet { inner: number(self.inner.len()), leaves: number(self.leaves.len()) };
        // Every port is at most the highest one, so nobody looks behind it.
        let filled = |ends: &[i16]| std::array::from_fn(|at| ends.get(at).copied().unwrap_or(i16::MAX));
        for eight in intervals.chunks(8) {
            let ends: Vec<i16> = eight.iter().map(|(end, _)| signed(*end)).collect();
            let classes = std::array::from_fn(|at| eight.get(at).map_or(0, |(_, class)| *class));
            self.leaves.push(Leaf { ends: filled(&ends), classes });
        }
        let mut levels: Vec<Vec<[i16; 8]>> = Vec::new();
        let mut below: Vec<i16> =
            intervals.chunks(8).filter_map(<[_]>::last).map(|(end, _)| signed(*end)).collect();
        for _ in 0..self.height {
            levels.push(below.chunks(8).map(filled).collect());
            below = below.chunks(8).filter_map(<[i16]>::last).copied().collect();
        }
        let mut full = 0;
        for (depth, nodes) in levels.into_iter().rev().enumerate() {
            // A level starts where a full one above would end.
            self.inner.resize(place.inner as usize + full, [i16::MAX; 8]);
            self.inner.extend(nodes);
            full += 1 << (3 * depth);
        }
        place
    }

    /// The class of a port.
    #[inline(always)]
    pub(super) fn class(&self, set: PortSet, port: u16) -> u16 {
        let wanted = i16x8::splat(signed(port));
        // Ends ascend, so those below the port are the first ones.
        let before = |ends: &[i16; 8]| {
            let below = i16x8::new(*ends).simd_lt(wanted).to_bitmask();
            (!below).trailing_zeros() as usize & 7
        };
        let (mut level, mut node) = (set.inner as usize, 0);
        for depth in 0..self.height {
            node = node << 3 | before(&self.inner[level + node]);
            level += 1 << (3 * depth);
        }
        let leaf = &self.leaves[set.leaves as usize + node];
        leaf.classes[before(&leaf.ends)]
    }
}

/// Sets of rules, each once.
#[derive(Default)]
pub(super) struct PortSets {
    known: HashMap<Intervals, usize>,
    all: Vec<Intervals>,
}

impl PortSets {
    /// The number of these classes.
    pub(super) fn number(&mut self, intervals: Intervals) -> usize {
        if let Some(number) = self.known.get(&intervals) {
            return *number;
        }
        let number = self.all.len();
        self.known.insert(intervals.clone(), number);
        self.all.push(intervals);
        number
    }

    /// Their trees, and where the tree of each number is.
    pub(super) fn build(&self) -> (PortClasses, Vec<PortSet>) {
        PortClasses::build(&self.all)
    }
}

/// Ports in the order of signed numbers, which is what the processor compares.
fn signed(port: u16) -> i16 {
    (port ^ 0x8000).cast_signed()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn assert_classes(classes: &PortClasses, set: PortSet, ranges: &[(u16, u16)]) {
        let mut meaning: BTreeMap<u16, _> = BTreeMap::new();
        for port in 0..=u16::MAX {
            let held: Vec<bool> = ranges.iter().map(|(from, to)| (*from..=*to).contains(&port)).collect();
            let means = (held, port < LOW_PORTS);
            let known = meaning.entry(classes.class(set, port)).or_insert_with(|| means.clone());
            assert_eq!(*known, means, "{port}");
        }
        let distinct: BTreeSet<_> = meaning.values().collect();
        assert_eq!(distinct.len(), meaning.len(), "two classes mean the same");
    }

    fn every(step: u16, count: u16) -> Vec<(u16, u16)> {
        (0..count).map(|n| (n * step + 7, n * step + 9)).collect()
    }

    #[test]
    fn ports_of_a_class_lie_in_the_same_ranges_and_no_others_do() {
        let cases: [&[(u16, u16)]; 9] = [
            &[],
            &[(0, 65535)],
            &[(443, 443), (400, 600), (0, 0), (65535, 65535)],
            &[(9, 3)],
            &[(1024, 65535), (1024, 65535)],
            // Seven, eight and nine intervals; sixty-odd; hundreds.
            &every(1000, 3)[..],
            &every(1000, 4)[..],
            &every(700, 31)[..],
            &every(300, 200)[..],
        ];
        // Alone each tree is as high as it must be, together all are as high as the highest.
        for all in cases.iter().map(|case| vec![*case]).chain([cases.to_vec()]) {
            let intervals: Vec<_> = all.iter().map(|ranges| Intervals::of(ranges).unwrap()).collect();
            let (classes, places) = PortClasses::build(&intervals);
            for (ranges, place) in all.iter().zip(places) {
                assert_classes(&classes, place, ranges);
            }
        }
    }

    #[test]
    fn a_set_is_kept_once() {
        let mut sets = PortSets::default();
        let numbers = [&[(22, 22)][..], &[(443, 443)], &[(22, 22)]]
            .map(|ranges| sets.number(Intervals::of(ranges).unwrap()));
        assert_eq!(numbers, [0, 1, 0]);
        assert_eq!(sets.build().1.len(), 2);
    }

    #[test]
    fn thousands_of_ranges_are_too_many() {
        let many: Vec<(u16, u16)> = (0..5000).map(|n| (n * 13, n * 13)).collect();
        assert_eq!(Intervals::of(&many), None);
    }
}

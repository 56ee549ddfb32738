//! Which ports a profile cannot tell apart, so that what was decided for one port holds for all of its class.

use std::collections::BTreeMap;

use wide::i16x8;

/// Ports below this are a service's, where nothing else tells (line 4 of the definition).
pub(super) const LOW_PORTS: u16 = 512;

/// The classes of ports of one protocol under some rules.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PortClasses {
    /// Last ports of all intervals but the last, ascending, filled up with the highest port; eight to a comparison.
    ends: Vec<[i16; 8]>,
    /// The class of each interval. Intervals that the same rules hold are of one class.
    classes: Vec<u16>,
}

/// A profile with more classes of ports is judged record by record.
pub(super) const MOST_CLASSES: usize = 1 << 12;
/// So many comparisons of eight ends are faster than a search.
const MOST_COUNTED: usize = 32;

impl PortClasses {
    /// The classes of ports that these port ranges and [`LOW_PORTS`] tell apart. None: too many.
    pub(super) fn build(ranges: &[(u16, u16)]) -> Option<Self> {
        let bounds = ranges.iter().flat_map(|(from, to)| [from.checked_sub(1), Some(*to)]);
        let mut ends: Vec<u16> = bounds.flatten().collect();
        ends.push(LOW_PORTS - 1);
        ends.sort_unstable();
        ends.dedup();
        ends.retain(|end| *end != u16::MAX);
        // Beyond the rules that an interface can have, telling the classes would take more than they save.
        if ends.len() > MOST_CLASSES {
            return None;
        }
        let firsts = std::iter::once(0).chain(ends.iter().map(|end| end + 1));
        let mut known = BTreeMap::new();
        let classes = firsts
            .map(|port| {
                let held: Vec<bool> = ranges.iter().map(|(from, to)| (*from..=*to).contains(&port)).collect();
                let next = u16::try_from(known.len()).unwrap_or(u16::MAX);
                *known.entry((held, port < LOW_PORTS)).or_insert(next)
            })
            .collect();
        ends.resize(ends.len().next_multiple_of(8), u16::MAX);
        let (eights, _) = ends.as_chunks::<8>();
        let ends = eights.iter().map(|eight| eight.map(signed)).collect();
        (known.len() <= MOST_CLASSES).then_some(Self { ends, classes })
    }

    /// The class of a port.
    #[inline(always)]
    pub(super) fn class(&self, port: u16) -> u16 {
        let before = if self.ends.len() <= MOST_COUNTED {
            let port = i16x8::splat(signed(port));
            let counts = self.ends.iter().map(|ends| {
                // Ends ascend, so those below the port are the first ones.
                let below = i16x8::new(*ends).simd_lt(port).to_bitmask();
                (!below).trailing_zeros()
            });
            counts.sum::<u32>() as usize
        } else {
            let flat = self.ends.as_flattened();
            flat.partition_point(|end| *end < signed(port))
        };
        self.classes[before]
    }
}

/// Ports in the order of signed numbers, which is what the processor compares.
fn signed(port: u16) -> i16 {
    (port ^ 0x8000).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_a_class_lie_in_the_same_ranges_and_no_others_do() {
        let many: Vec<(u16, u16)> = (0..200).map(|n| (n * 300 + 7, n * 300 + 9)).collect();
        let cases: [&[(u16, u16)]; 6] = [
            &[],
            &[(0, 65535)],
            &[(443, 443), (400, 600), (0, 0), (65535, 65535)],
            &[(9, 3)],
            &[(1024, 65535), (1024, 65535)],
            &many,
        ];
        for ranges in cases {
            let classes = PortClasses::build(ranges).unwrap();
            let mut meaning: BTreeMap<u16, _> = BTreeMap::new();
            for port in 0..=u16::MAX {
                let held: Vec<bool> = ranges.iter().map(|(from, to)| *from <= port && port <= *to).collect();
                let means = (held, port < LOW_PORTS);
                assert_eq!(
                    *meaning.entry(classes.class(port)).or_insert_with(|| means.clone()),
                    means,
                    "{port}"
                );
            }
            let distinct: std::collections::BTreeSet<_> = meaning.values().collect();
            assert_eq!(distinct.len(), meaning.len(), "two classes mean the same");
        }
    }

    #[test]
    fn thousands_of_ranges_are_too_many() {
        let many: Vec<(u16, u16)> = (0..5000).map(|n| (n * 13, n * 13)).collect();
        assert_eq!(PortClasses::build(&many), None);
    }
}

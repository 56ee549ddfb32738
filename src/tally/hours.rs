//! Sets of hours: when the logs speak of an interface.

use std::collections::BTreeMap;

use crate::flow::{Flow, Seconds};

/// Seconds of an hour.
pub const HOUR: Seconds = 3600;
/// No flow-log record lasts longer (aggregation is at most ten minutes): a longer one marks its ends only.
const LONGEST_RECORD: Seconds = 2 * HOUR;

/// A set of numbered hours (or other units of time), 64 to a word.
#[derive(Debug, Clone, Default)]
pub struct Hours {
    words: BTreeMap<i64, u64>,
    /// The word last written to, with its bits: records come in order of time, mostly.
    last: (i64, u64),
}

impl PartialEq for Hours {
    fn eq(&self, other: &Self) -> bool {
        self.words == other.words
    }
}

impl Eq for Hours {}

/// Hours met of late, of one word of [`Hours`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecentHours {
    at: i64,
    bits: u64,
}

impl RecentHours {
    /// None yet.
    pub const NONE: Self = Self { at: 0, bits: 0 };

    /// Notes the hour of a record of these times. False: it touches several, or one of another word.
    #[inline(always)]
    pub fn note(&mut self, start: Seconds, end: Seconds) -> bool {
        let hour = start.div_euclid(HOUR);
        let one = end <= (hour + 1) * HOUR;
        let known = one & (hour.div_euclid(64) == self.at);
        self.bits |= u64::from(known) << hour.rem_euclid(64);
        known
    }

    /// Gives them to a set, and turns to the word of this time.
    pub fn turn(&mut self, start: Seconds, hours: &mut Hours) {
        if self.bits != 0 {
            hours.insert_word(self.at, self.bits);
        }
        *self = Self { at: start.div_euclid(HOUR).div_euclid(64), bits: 0 };
    }
}

impl Hours {
    /// Adds the hours a record touches.
    pub fn add(&mut self, flow: &Flow<'_>) {
        if let (Some(start), Some(end)) = (flow.start, flow.end) {
            self.add_times(start, end);
        }
    }

    /// Adds the hours that a record of these times touches.
    pub fn add_times(&mut self, start: Seconds, end: Seconds) {
        // A record that ends on the hour says nothing of the next one.
        let (from, to) = (start.div_euclid(HOUR), (end - 1).max(start).div_euclid(HOUR));
        self.insert(from);
        if to != from {
            self.insert(to);
            if end - start <= LONGEST_RECORD {
                (from + 1..to).for_each(|hour| self.insert(hour));
            }
        }
    }

    /// Adds one hour.
    #[inline]
    pub fn insert(&mut self, hour: i64) {
        let (at, bit) = (hour.div_euclid(64), 1 << hour.rem_euclid(64));
        if self.last.0 != at || self.last.1 & bit == 0 {
            let word = self.words.entry(at).or_default();
            *word |= bit;
            self.last = (at, *word);
        }
    }

    /// The words of the set, ascending: (number, bits), where word N has the hours from 64 N on.
    pub fn words(&self) -> impl Iterator<Item = (i64, u64)> {
        self.words.iter().map(|(at, word)| (*at, *word))
    }

    /// The hours of the set, ascending.
    pub fn members(&self) -> impl Iterator<Item = i64> {
        self.words().flat_map(|(at, word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at * 64 + bit)
        })
    }

    /// Adds the hours of one word.
    pub fn insert_word(&mut self, at: i64, word: u64) {
        *self.words.entry(at).or_default() |= word;
        self.last = (0, 0);
    }

    /// Whether it shares any hour with another set.
    pub fn meets(&self, other: &Self) -> bool {
        self.words.iter().any(|(at, word)| other.words.get(at).is_some_and(|theirs| theirs & word != 0))
    }

    /// Whether it holds the hour (since 1970).
    pub fn contains(&self, hour: i64) -> bool {
        self.words.get(&hour.div_euclid(64)).is_some_and(|word| word >> hour.rem_euclid(64) & 1 == 1)
    }

    /// Takes in other hours.
    pub fn merge(&mut self, other: &Self) {
        for (at, word) in other.words() {
            self.insert_word(at, word);
        }
    }

    /// Those that another set lacks.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let left = self.words().map(|(at, word)| (at, word & !other.words.get(&at).unwrap_or(&0)));
        Self { words: left.filter(|(_, word)| *word != 0).collect(), last: (0, 0) }
    }

    /// How many it holds.
    pub fn len(&self) -> u64 {
        self.words().map(|(_, word)| u64::from(word.count_ones())).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of the hours `from..to` it holds.
    pub fn count(&self, from: i64, to: i64) -> u64 {
        if from >= to {
            return 0;
        }
        let (first, last) = (from.div_euclid(64), (to - 1).div_euclid(64));
        let words = self.words.range(first..=last).map(|(at, word)| {
            let low = if *at == first { u64::MAX << from.rem_euclid(64) } else { u64::MAX };
            let high = if *at == last { u64::MAX >> (63 - (to - 1).rem_euclid(64)) } else { u64::MAX };
            u64::from((word & low & high).count_ones())
        });
        words.sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn hours(of: &BTreeSet<i64>) -> Hours {
        let mut hours = Hours::default();
        for hour in of {
            hours.insert(*hour);
        }
        hours
    }

    proptest! {
        #[test]
        fn hours_are_a_set(
            some in prop::collection::btree_set(-200_i64..200, 0..60),
            others in prop::collection::btree_set(-200_i64..200, 0..60),
            from in -250_i64..250,
            length in 0_i64..300,
        ) {
            let (set, other) = (hours(&some), hours(&others));
            prop_assert_eq!(set.members().collect::<BTreeSet<_>>(), some.clone());
            prop_assert_eq!(set.len(), some.len() as u64);
            prop_assert_eq!(set.is_empty(), some.is_empty());
            prop_assert_eq!(set.count(from, from + length), some.range(from..from + length).count() as u64);
            prop_assert_eq!(set.meets(&other), !some.is_disjoint(&others));
            let left = set.without(&other);
            prop_assert_eq!(&left, &hours(&some.difference(&others).copied().collect()));
            let mut sum = left;
            sum.merge(&other);
            prop_assert_eq!(sum, hours(&some.union(&others).copied().collect()));
        }
    }
}

//! Counts by day, and by longer units of time where there are too many days.
//!
//! One calendar says how long the unit is, for all: a year of days, then seven years of weeks, and so on. It depends on the
//! days that any record fell on and on nothing else, so that no order of records matters.

use std::collections::BTreeMap;

use crate::flow::{Action, Seconds};

/// Seconds of a day.
const DAY: Seconds = 86_400;
/// More different units are not kept.
const MOST_UNITS: usize = 366;
/// Days of a unit, each a multiple of the one before; from weeks on, units begin on Mondays.
const LENGTHS: [i64; 6] = [1, 7, 28, 364, 3_640, 36_400];
/// 1970-01-01 was a Thursday.
const TO_MONDAY: i64 = 3;

/// How long a unit of time is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resolution(u8);

/// A unit of time: a day, or a longer one, by its number since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(i32);

impl Day {
    /// That of 1970-01-01.
    pub const FIRST: Self = Self(0);
}

impl Resolution {
    /// Days.
    pub const DAYS: Self = Self(0);
    #[expect(clippy::cast_possible_truncation, reason = "there are a few")]
    const LONGEST: Self = Self(LENGTHS.len() as u8 - 1);

    /// How many days a unit has.
    pub fn days(self) -> i64 {
        LENGTHS[usize::from(self.0)]
    }

    /// How many seconds a unit has.
    pub fn seconds(self) -> Seconds {
        self.days() * DAY
    }

    /// The unit of so many seconds.
    pub fn of_seconds(seconds: Seconds) -> Option<Self> {
        let at = LENGTHS.iter().position(|length| *length * DAY == seconds)?;
        u8::try_from(at).ok().map(Self)
    }

    fn shift(self) -> i64 {
        if self == Self::DAYS { 0 } else { TO_MONDAY }
    }

    /// The unit that holds a time.
    pub fn day(self, start: Seconds) -> Day {
        let number = (start.div_euclid(DAY) + self.shift()).div_euclid(self.days());
        let clamped = number.clamp(i32::MIN.into(), i32::MAX.into());
        Day(i32::try_from(clamped).unwrap_or_default())
    }

    /// The first second of a unit.
    pub fn start(self, Day(number): Day) -> Seconds {
        (i64::from(number) * self.days() - self.shift()) * DAY
    }

    fn next(self) -> Option<Self> {
        (self < Self::LONGEST).then_some(Self(self.0 + 1))
    }
}

/// Records by unit of time.
#[derive(Debug, Clone, Default)]
pub struct Days {
    resolution: Resolution,
    /// The last one written to: records come in order of time, mostly.
    day: Day,
    records: u64,
    /// The others, ascending.
    rest: Vec<(Day, u64)>,
}

impl Days {
    /// None yet, of units so long.
    pub(super) fn of(resolution: Resolution) -> Self {
        Self { resolution, ..Self::default() }
    }

    /// Takes in records of a unit, which must be of the resolution that these have.
    #[inline(always)]
    pub fn add(&mut self, day: Day, records: u64) {
        if day != self.day {
            self.turn(day);
        }
        self.records += records;
    }

    #[cold]
    fn turn(&mut self, day: Day) {
        if self.records > 0 {
            match self.rest.binary_search_by_key(&self.day, |(day, _)| *day) {
                Ok(at) => self.rest[at].1 += self.records,
                Err(at) => self.rest.insert(at, (self.day, self.records)),
            }
        }
        (self.day, self.records) = (day, 0);
    }

    /// Goes over to longer units.
    pub(super) fn widen(&mut self, resolution: Resolution) {
        if resolution <= self.resolution {
            return;
        }
        let from = std::mem::replace(self, Self { resolution, ..Self::default() });
        for (day, records) in from.iter() {
            self.add(resolution.day(from.resolution.start(day)), records);
        }
    }

    /// Every unit with its records; one of them may come in two parts.
    pub fn iter(&self) -> impl Iterator<Item = (Day, u64)> {
        let last = (self.records > 0).then_some((self.day, self.records));
        self.rest.iter().copied().chain(last)
    }
}

/// What came in a unit of time, whatever became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Volume {
    /// ACCEPT records.
    pub accepted: u64,
    /// REJECT records.
    pub rejected: u64,
    /// Bytes of ACCEPT records.
    pub accepted_bytes: u64,
}

impl Volume {
    /// Takes in one record.
    #[inline(always)]
    pub fn add(&mut self, action: Action, bytes: u64) {
        match action {
            Action::Accept => {
                self.accepted += 1;
                self.accepted_bytes = self.accepted_bytes.saturating_add(bytes);
            }
            Action::Reject => self.rejected += 1,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.accepted_bytes = self.accepted_bytes.saturating_add(other.accepted_bytes);
    }

    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Which units of time there are, and what came in each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    resolution: Resolution,
    volumes: BTreeMap<Day, Volume>,
}

impl Calendar {
    /// How long its units are.
    pub fn resolution(&self) -> Resolution {
        self.resolution
    }

    /// Takes in what came in a unit of its resolution.
    pub fn add(&mut self, day: Day, volume: Volume) {
        if !volume.is_none() {
            self.volumes.entry(day).or_default().merge(&volume);
            self.fit();
        }
    }

    /// Makes room for a unit of its resolution, which may be one too many.
    pub(in crate::tally) fn open(&mut self, day: Day) {
        self.volumes.entry(day).or_default();
        self.fit();
    }

    fn fit(&mut self) {
        while self.volumes.len() > MOST_UNITS {
            let Some(next) = self.resolution.next() else { return };
            self.widen(next);
        }
    }

    /// Goes over to longer units.
    pub(super) fn widen(&mut self, resolution: Resolution) {
        if resolution <= self.resolution {
            return;
        }
        let from = std::mem::replace(self, Self { resolution, volumes: BTreeMap::new() });
        for (day, volume) in from.volumes {
            let day = resolution.day(from.resolution.start(day));
            self.volumes.entry(day).or_default().merge(&volume);
        }
    }

    pub(super) fn merge(&mut self, mut other: Self) {
        self.widen(other.resolution);
        other.widen(self.resolution);
        for (day, volume) in other.volumes {
            // What is left of the other is of the resolution that this one had before it went over to longer units.
            let day = self.resolution.day(other.resolution.start(day));
            self.add(day, volume);
        }
    }

    /// Puts back a unit that a state kept. None: it does not fit the others.
    pub(crate) fn restore(&mut self, resolution: Resolution, day: Day, volume: Volume) -> Option<()> {
        if self.volumes.is_empty() {
            self.resolution = resolution;
        }
        let room = self.volumes.len() < MOST_UNITS || resolution == Resolution::LONGEST;
        let fits = resolution == self.resolution && room && !volume.is_none();
        (fits && self.volumes.insert(day, volume).is_none()).then_some(())
    }

    /// Every unit in which something came, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (Day, &Volume)> {
        self.volumes.iter().map(|(day, volume)| (*day, volume))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_begin_at_midnight_and_weeks_on_mondays() {
        // 2024-01-01 was a Monday.
        let monday = 1_704_067_200;
        for length in LENGTHS {
            let resolution = Resolution::of_seconds(length * DAY).unwrap();
            assert_eq!(resolution.days(), length);
            for time in [monday, monday + 1, monday - 1, 0, -1, 4_102_444_799] {
                let start = resolution.start(resolution.day(time));
                assert!(start <= time && time < start + length * DAY, "{length} {time}");
            }
        }
        let weeks = Resolution::of_seconds(7 * DAY).unwrap();
        assert_eq!(weeks.start(weeks.day(monday + 6 * DAY)), monday);
        assert_ne!(weeks.day(monday + 7 * DAY), weeks.day(monday));
        assert_eq!(Resolution::of_seconds(8 * DAY), None);
    }

    proptest! {
        #[test]
        fn the_unit_and_the_counts_do_not_depend_on_the_order(
            times in prop::collection::vec(0_i64..1_200 * DAY, 1..900),
            parts in 1_usize..5,
        ) {
            let count = |times: &[i64]| {
                let mut calendar = Calendar::default();
                let mut days = Days::default();
                for time in times {
                    let day = calendar.resolution().day(*time);
                    calendar.add(day, Volume { accepted: 1, ..Volume::default() });
                    days.widen(calendar.resolution());
                    days.add(calendar.resolution().day(*time), 1);
                }
                (calendar, days)
            };
            let (mut sum, mut sum_days) = (Calendar::default(), Days::default());
            for part in times.chunks(times.len().div_ceil(parts)) {
                let (calendar, days) = count(part);
                sum.merge(calendar);
                sum_days.widen(sum.resolution());
                for (day, records) in days.iter() {
                    sum_days.add(sum.resolution().day(days.resolution.start(day)), records);
                }
            }
            // By definition: the shortest unit of which there are few enough.
            let units = |resolution: Resolution| -> BTreeMap<Day, u64> {
                let mut units = BTreeMap::new();
                for time in &times {
                    *units.entry(resolution.day(*time)).or_default() += 1;
                }
                units
            };
            let shortest = (0..6).map(Resolution).find(|it| units(*it).len() <= MOST_UNITS).unwrap();
            prop_assert_eq!(sum.resolution(), shortest);
            let expected = units(shortest);
            let volumes: BTreeMap<Day, u64> = sum.iter().map(|(day, volume)| (day, volume.accepted)).collect();
            prop_assert_eq!(&volumes, &expected);
            let mut of_rule = BTreeMap::new();
            for (day, records) in sum_days.iter() {
                *of_rule.entry(day).or_default() += records;
            }
            prop_assert_eq!(of_rule, expected);
        }
    }
}

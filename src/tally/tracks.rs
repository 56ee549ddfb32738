//! Where and when rules were used: for each set of rules that records were credited to, the days, ports and peers of those
//! records.
//!
//! A record of which the role is not known (undecided, or waiting for the whole input) leaves a track with the rules of
//! either reading: more than was used, which is the safe side for whoever makes a rule narrower.

pub mod days;
pub mod of_rule;
mod recent;
pub mod seen;

use hashbrown::HashMap;

use super::bounds::{Bound, Tables};
use crate::attribution::judge::Role;
use crate::attribution::sets::SetId;
use days::{Calendar, Day, Days};
pub use recent::Recent;
use seen::{Answer, Seen, SeenKey};

/// What a track is kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackKey {
    /// The rules. All are of one direction.
    pub set: SetId,
    /// The role that earned the credit.
    pub role: Role,
}

/// Number of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackNumber(u32);

impl TrackNumber {
    /// No track: no rule was credited.
    pub const NONE: Self = Self(u32::MAX);

    /// The track of this number.
    #[inline(always)]
    pub(super) fn numbered(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub(super) fn number(self) -> u32 {
        self.0
    }

    /// As an index into a slice.
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }

    /// The track that has a table at a place.
    #[inline(always)]
    pub(super) fn at(place: usize) -> Self {
        Self(u32::try_from(place / Answer::KINDS).unwrap_or(u32::MAX))
    }

    /// Where its table of one kind of peers and answers is.
    #[inline(always)]
    pub(super) fn place(self, answer: Answer) -> usize {
        self.0 as usize * Answer::KINDS + answer as usize
    }
}

/// Pairs of port and peer that are kept, each of up to 60 bytes: fifteen megabytes.
const SEEN: Bound = Bound { each: &[256, 64, 16, 4, 1], together: 240_000 };

/// All tracks.
#[derive(Debug, Clone)]
pub struct Tracks {
    numbers: HashMap<TrackKey, TrackNumber>,
    keys: Vec<TrackKey>,
    /// By number.
    days: Vec<Days>,
    seen: Tables<SeenKey, ()>,
    /// What came on which day, over all interfaces.
    pub calendar: Calendar,
}

impl Default for Tracks {
    fn default() -> Self {
        Self::within(SEEN)
    }
}

impl Tracks {
    /// No tracks, and at most so many pairs of port and peer.
    pub fn within(seen: Bound) -> Self {
        Self {
            numbers: HashMap::new(),
            keys: Vec::new(),
            days: Vec::new(),
            seen: Tables::new(seen),
            calendar: Calendar::default(),
        }
    }

    /// The number of a track, new or known. Records that no rule let through leave none.
    pub fn number(&mut self, key: TrackKey) -> TrackNumber {
        if key.set == SetId::EMPTY {
            return TrackNumber::NONE;
        }
        let next = TrackNumber(u32::try_from(self.keys.len()).unwrap_or(u32::MAX));
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.keys.push(key);
            self.days.push(Days::of(self.calendar.resolution()));
        }
        number
    }

    /// Takes in that records came on a day.
    #[inline(always)]
    pub fn count(&mut self, number: TrackNumber, day: Day, records: u64) {
        if let Some(days) = self.days.get_mut(number.0 as usize) {
            days.add(day, records);
        }
    }

    /// Takes in a peer and a port; answers the rung on which they are kept.
    pub(super) fn see(&mut self, number: TrackNumber, answer: Answer, seen: Seen) -> u8 {
        let place = number.place(answer);
        self.seen.add(place, |rung| SeenKey::of(answer, &seen, rung), |()| {});
        self.seen.get(place).map_or(0, super::bounds::Table::rung)
    }

    /// Widens the days of all tracks to those of the calendar.
    pub(super) fn keep_to_calendar(&mut self) {
        let resolution = self.calendar.resolution();
        for days in &mut self.days {
            days.widen(resolution);
        }
    }

    /// Takes in other tracks; `sets` says what the other's sets of rules are here.
    pub fn merge(&mut self, other: Self, sets: &[SetId]) {
        self.calendar.merge(other.calendar);
        self.keep_to_calendar();
        let resolution = self.calendar.resolution();
        let mut numbers = Vec::with_capacity(other.keys.len());
        for (key, mut days) in other.keys.into_iter().zip(other.days) {
            let number = self.number(TrackKey { set: sets[key.set.0 as usize], ..key });
            days.widen(resolution);
            for (day, records) in days.iter() {
                self.count(number, day, records);
            }
            numbers.push(number);
        }
        let moved = |place: usize| {
            let number: &TrackNumber = numbers.get(place / Answer::KINDS)?;
            Some(number.place(Answer::ALL[place % Answer::KINDS]))
        };
        self.seen.merge(other.seen, moved, |key| key);
    }

    /// Every track with its days, in no order.
    pub fn days(&self) -> impl Iterator<Item = (TrackKey, &Days)> {
        self.keys.iter().copied().zip(&self.days)
    }

    /// Every pair of port and peer with its track, in no order.
    pub fn seen(&self) -> impl Iterator<Item = SeenRow> {
        let level = self.seen.level();
        self.seen.iter().flat_map(move |(place, table)| {
            let key = self.keys[place / Answer::KINDS];
            let answer = Answer::ALL[place % Answer::KINDS];
            let rung = table.rung();
            let rows = table.iter();
            rows.map(move |(seen, ())| SeenRow {
                key,
                answer,
                bounds: (level, rung),
                seen: seen.seen(answer, rung),
            })
        })
    }

    /// Every set of rules that has a track.
    pub fn sets(&self) -> impl Iterator<Item = SetId> {
        self.keys.iter().map(|key| key.set)
    }
}

/// A pair of port and peer, as states keep it.
#[derive(Debug, Clone, Copy)]
pub struct SeenRow {
    /// Of which track.
    pub key: TrackKey,
    /// How it came to be seen.
    pub answer: Answer,
    /// The level of all tables and the rung of this one.
    pub bounds: (u8, u8),
    /// Ports and peers, as wide as they are kept.
    pub seen: seen::Range,
}

/// What a state kept.
impl Tracks {
    /// Puts back one row that [`Tracks::seen`] gave. None: it does not fit the other rows.
    pub(crate) fn restore_seen(&mut self, row: &SeenRow) -> Option<()> {
        let number = self.number(row.key);
        if number == TrackNumber::NONE {
            return None;
        }
        let key = SeenKey::kept(row.answer, &row.seen, row.bounds.1)?;
        self.seen.restore(number.place(row.answer), row.bounds, key, ())
    }

    /// Puts back the records of a day of the calendar, which must be back already.
    pub(crate) fn restore_day(&mut self, key: TrackKey, day: Day, records: u64) -> Option<()> {
        let number = self.number(key);
        let resolution = self.calendar.resolution();
        let days = self.days.get_mut(number.0 as usize)?;
        days.widen(resolution);
        days.add(day, records);
        Some(())
    }

    /// Holds all bounds again once everything is back.
    pub(crate) fn fit(&mut self) {
        self.seen.fit();
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    const TINY: Bound = Bound { each: &[12, 6, 2, 1], together: 30 };

    fn track(set: u32, role: Role) -> TrackKey {
        TrackKey { set: SetId(set), role }
    }

    fn lines(tracks: &Tracks) -> Vec<String> {
        let mut lines: Vec<String> = tracks.seen().map(|row| format!("{row:?}")).collect();
        lines.sort();
        lines
    }

    prop_compose! {
        fn meeting()(
            set in 1_u32..4,
            role in prop::sample::select(vec![Role::Forward, Role::Reply, Role::Undecided]),
            flags in prop::sample::select(vec![None, Some(2), Some(4), Some(18)]),
            far in any::<bool>(),
            long in prop::bool::weighted(0.2),
            peer in 0_u32..600,
            protocol in prop::sample::select(vec![1_u8, 6, 6, 6, 17]),
            port in prop::sample::select(vec![0_u16, 22, 443, 444, 8_080, 50_000, u16::MAX]),
        ) -> (TrackKey, Answer, Seen) {
            let scope = if far { crate::tally::scope::PeerScope::Internet } else { crate::tally::scope::PeerScope::Internal };
            let peer: IpAddr = match (far, long) {
                (_, true) => std::net::Ipv6Addr::from(0x2600_u128 << 112 | u128::from(peer) << 50).into(),
                (true, _) => std::net::Ipv4Addr::from(0xcb00_0000 + peer * 9_973).into(),
                (false, _) => std::net::Ipv4Addr::from(0x0a00_0000 + peer * 7).into(),
            };
            (track(set, role), Answer::of(role, protocol, flags, scope), Seen { peer, protocol, port })
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_does_not_depend_on_the_order(
            met in prop::collection::vec(meeting(), 0..160),
            deal in prop::collection::vec(0_usize..3, 160),
        ) {
            let mut whole = Tracks::within(TINY);
            let mut parts = vec![Tracks::within(TINY); 3];
            for ((key, answer, seen), part) in met.iter().zip(&deal) {
                let number = whole.number(*key);
                whole.see(number, *answer, *seen);
                let number = parts[*part].number(*key);
                parts[*part].see(number, *answer, *seen);
            }
            let same: Vec<SetId> = (0..4).map(SetId).collect();
            let mut sum = Tracks::within(TINY);
            for part in parts {
                sum.merge(part, &same);
            }
            prop_assert_eq!(lines(&sum), lines(&whole));
            // Whatever was met is within what is kept.
            for (key, answer, seen) in &met {
                let port = if crate::flow::has_ports(seen.protocol) { seen.port } else { 0 };
                let covered = whole.seen().any(|row| {
                    (row.key, row.answer, row.seen.protocol) == (*key, *answer, seen.protocol)
                        && row.seen.peers.contains(&seen.peer)
                        && (row.seen.ports.0..=row.seen.ports.1).contains(&port)
                });
                prop_assert!(covered, "{:?}", seen);
            }
            // What a state kept is the same again.
            let mut back = Tracks::within(TINY);
            for row in whole.seen() {
                prop_assert!(back.restore_seen(&row).is_some());
                let twice = back.clone().restore_seen(&row);
                prop_assert!(twice.is_none(), "twice");
            }
            back.fit();
            prop_assert_eq!(lines(&back), lines(&whole));
        }
    }
}

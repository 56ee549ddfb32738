//! How much is kept of refused records, so that no scan can fill memory.
//!
//! A table (one interface, direction, protocol and cause) stands on a rung of a ladder. On the first every port has a row
//! and every row up to 256 peers; further up rows keep fewer peers, as prefixes, and ports are put together in ranges. A
//! table climbs while it has more rows, or more peers in all, than the level of the run allows; the level rises while all
//! tables together have more than the budget.
//!
//! What decides must not depend on the order in which records come. On a given rung and level, the rows and the peers of
//! a table (a row beyond its bound counting as the bound) only grow with the set of records, and what all tables take
//! (one beyond its bound counting as the bound) does too. So whatever some of the records need, all of them need, and the
//! end is the first rung and the first level that hold them all.

use rayon::prelude::*;

use super::{Blocked, Row, Table};
use crate::tally::peers::MOST_PEERS;

/// Rows keep what they are given and are summed up when so many records have come.
pub(super) const SWEEP: usize = 1 << 20;

/// What all tables may take together, in peers of sixteen bytes.
const BUDGET: usize = 4 << 20;
/// What a row takes besides its peers, in peers.
const ROW: usize = 12;

/// Rungs: ranges of 2^width ports, and most peers of a row.
const RUNGS: [(u32, usize); 8] =
    [(0, MOST_PEERS), (0, 64), (0, 16), (4, 16), (8, 16), (8, 4), (12, 4), (16, 1)];

/// Levels: most rows and most peers of a table.
const LEVELS: [(usize, usize); 6] = [(1024, 16384), (256, 4096), (64, 1024), (16, 256), (4, 64), (1, 16)];

/// Where a table stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rung(u8);

impl Rung {
    pub(super) fn number(self) -> u8 {
        self.0
    }

    pub(super) fn numbered(number: u8) -> Option<Self> {
        (usize::from(number) < RUNGS.len()).then_some(Self(number))
    }

    pub(super) fn width(self) -> u32 {
        RUNGS[usize::from(self.0)].0
    }

    fn most_peers(self) -> usize {
        RUNGS[usize::from(self.0)].1
    }

    /// The number of the range that holds the port.
    pub(super) fn range(self, port: u16) -> u16 {
        port.checked_shr(self.width()).unwrap_or(0)
    }

    /// First and last port of a range.
    pub(super) fn ports(self, range: u16) -> (u16, u16) {
        let from = range.checked_shl(self.width()).unwrap_or(0);
        (from, from | u16::MAX.checked_shr(16 - self.width()).unwrap_or(0))
    }

    pub(super) fn can_climb(self) -> bool {
        usize::from(self.0) + 1 < RUNGS.len()
    }

    pub(super) fn climb(&mut self) {
        self.0 += 1;
    }
}

/// What tables of the run are allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Level(u8);

impl Level {
    /// No table has more rows on any level.
    pub(super) const MOST_ROWS: usize = LEVELS[0].0;

    pub(super) fn number(self) -> u8 {
        self.0
    }

    pub(super) fn numbered(number: u8) -> Option<Self> {
        (usize::from(number) < LEVELS.len()).then_some(Self(number))
    }

    pub(super) fn most_rows(self) -> usize {
        LEVELS[usize::from(self.0)].0
    }

    /// Most peers a row may have on any rung.
    pub(super) fn most_peers(self) -> usize {
        MOST_PEERS
    }

    /// What a table takes at most.
    fn cap(self) -> usize {
        let (rows, peers) = LEVELS[usize::from(self.0)];
        rows * ROW + peers
    }
}

impl Blocked {
    /// Sums up every row and climbs until all bounds hold.
    pub fn fit(&mut self) {
        self.fresh = 0;
        // Whatever the rung, no row keeps more; most of the work is here.
        self.rows.par_iter_mut().for_each(|row| row.fit_peers(MOST_PEERS));
        loop {
            for table in self.tables.values_mut() {
                table.fit(self.level, &mut self.rows, &mut self.free);
            }
            let taken: usize = self.tables.values().map(|table| table.taken(self.level, &self.rows)).sum();
            if taken <= BUDGET || usize::from(self.level.0) + 1 == LEVELS.len() {
                break;
            }
            self.level.0 += 1;
        }
        self.forget_places();
    }
}

impl Table {
    fn fit(&mut self, level: Level, rows: &mut [Row], free: &mut Vec<u32>) {
        let (most_rows, most_peers) = LEVELS[usize::from(level.0)];
        loop {
            let peers: usize = self.rows.values().map(|row| rows[*row as usize].fit(self.rung)).sum();
            if (self.rows.len() <= most_rows && peers <= most_peers) || !self.rung.can_climb() {
                return;
            }
            self.climb(rows, free);
        }
    }

    /// What it takes, or the most it may where it had to give up anything.
    fn taken(&self, level: Level, rows: &[Row]) -> usize {
        if self.rung > Rung::default() {
            return level.cap();
        }
        let peers: usize = self.rows.values().map(|row| rows[*row as usize].peers_counted(self.rung)).sum();
        (peers + self.rows.len() * ROW).min(level.cap())
    }
}

impl Row {
    /// Sums up its peers for a rung; how many they count as.
    fn fit(&mut self, rung: Rung) -> usize {
        self.fit_peers(rung.most_peers());
        self.peers_counted(rung)
    }

    fn fit_peers(&mut self, most: usize) {
        self.internal.fit(most);
        self.external.fit(most);
    }

    /// A table of peers that had to be widened counts as full.
    fn peers_counted(&self, rung: Rung) -> usize {
        let counted = |peers: &super::PeerTable| {
            if peers.is_exact() { peers.len().min(rung.most_peers()) } else { rung.most_peers() }
        };
        counted(&self.internal) + counted(&self.external)
    }
}

//! Refused records by interface, direction, protocol, port and cause, with the peers that were refused.
//!
//! Bounded, whatever the logs hold: see `bounds`. Peers of private networks are kept apart, so that noise from the
//! internet does not blur them.

mod bounds;

use std::net::IpAddr;

use hashbrown::HashMap;
use rayon::prelude::*;

use super::credit::Credit;
use super::peers::{MOST_PEERS, PeerTable};
use super::scope::{self, PeerScope};
use super::unordered;
use crate::attribution::Cause;
use crate::flow::{Direction, Flow, Traffic, V4Flow, has_ports};
use crate::word_table::WordTable;
use bounds::{Level, Limits, Rung};

/// What rows are grouped by before the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockedKey {
    /// Interface slot of the tally.
    pub interface: u32,
    /// None where it cannot be told.
    pub direction: Option<Direction>,
    /// IANA number.
    pub protocol: u8,
    /// Why.
    pub cause: Cause,
}

/// A refused record on its way to its row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused {
    pub(super) key: BlockedKey,
    pub(super) peer: u32,
    pub(super) flow: V4Flow,
}

impl Refused {
    #[inline(always)]
    fn port(&self) -> u16 {
        if has_ports(self.key.protocol) { self.flow.dstport } else { 0 }
    }
}

/// So many refused records are taken in side by side.
pub(super) const GATHERED: usize = 64;

/// Every refused record.
#[derive(Debug, Clone, Default)]
pub struct Blocked {
    limits: &'static Limits,
    level: Level,
    tables: HashMap<BlockedKey, Table>,
    rows: Vec<Row>,
    /// Rows that others have taken in.
    free: Vec<u32>,
    /// Where the row of a port is, for ports met of late: numbers of `rows_of`.
    places: WordTable,
    /// What [`place`] says of a port, and the row.
    rows_of: Vec<(u64, u32)>,
    /// Records since the bounds were last looked at.
    fresh: usize,
}

/// A [`BlockedKey`] and a port, in a word.
#[inline]
fn place(key: BlockedKey, port: u16) -> u64 {
    let direction = key.direction.map_or(0, |direction| direction as u64 + 1);
    let small = u64::from(key.protocol) << 8 | direction << 6 | key.cause as u64;
    u64::from(key.interface) << 32 | u64::from(port) << 16 | small
}

/// The rows of one key by port, or by ranges of ports.
#[derive(Debug, Clone, Default)]
struct Table {
    rung: Rung,
    rows: HashMap<u16, u32>,
}

/// So many places are remembered.
const MOST_PLACES: usize = 1 << 18;

impl Blocked {
    /// Takes in one refused record.
    pub fn add(&mut self, key: BlockedKey, peer: IpAddr, flow: &Flow<'_>, traffic: &Traffic) {
        let port = if has_ports(key.protocol) { traffic.dstport } else { 0 };
        let row = self.row(key, port);
        row.credit.add(flow, traffic);
        row.peers(scope::of(peer)).add(peer, flow);
    }

    /// Takes in refused records, up to [`GATHERED`] of them.
    ///
    /// Step by step for all of them: each step is a walk to another part of memory, and side by side they wait for it
    /// together.
    pub(super) fn add_gathered(&mut self, gathered: &[Refused]) {
        if self.fresh > bounds::SWEEP {
            self.fit();
        }
        let mut rows = [None; GATHERED];
        for (refused, row) in gathered.iter().zip(&mut rows) {
            *row = self.known_row(place(refused.key, refused.port()));
        }
        for (refused, row) in gathered.iter().zip(&rows) {
            if let Some(row) = row {
                self.rows[*row as usize].credit.add_v4(&refused.flow);
            }
        }
        for (refused, row) in gathered.iter().zip(&rows) {
            if let Some(row) = row {
                self.fresh += 1;
                let scope = scope::of(IpAddr::V4(refused.peer.into()));
                self.rows[*row as usize].peers(scope).add_v4(refused.peer, &refused.flow);
            }
        }
        // New rows may put others together, so they come last.
        for (refused, _) in gathered.iter().zip(&rows).filter(|(_, row)| row.is_none()) {
            let Refused { key, peer, flow } = refused;
            let row = self.row(*key, refused.port());
            row.credit.add_v4(flow);
            row.peers(scope::of(IpAddr::V4((*peer).into()))).add_v4(*peer, flow);
        }
    }

    #[inline(always)]
    fn known_row(&self, place: u64) -> Option<u32> {
        let number = self.places.get(place, |number| self.rows_of[number as usize].0 == place)?;
        Some(self.rows_of[number as usize].1)
    }

    fn row(&mut self, key: BlockedKey, port: u16) -> &mut Row {
        self.fresh += 1;
        if self.fresh > bounds::SWEEP {
            self.fit();
        }
        let place = place(key, port);
        let row = self.known_row(place).unwrap_or_else(|| {
            let row = self.find(key, port);
            if self.rows_of.len() >= MOST_PLACES {
                self.forget_places();
            }
            self.places.insert(place, u32::try_from(self.rows_of.len()).unwrap_or(u32::MAX));
            self.rows_of.push((place, row));
            row
        });
        &mut self.rows[row as usize]
    }

    fn forget_places(&mut self) {
        self.places.clear();
        self.rows_of.clear();
    }

    #[cold]
    fn find(&mut self, key: BlockedKey, port: u16) -> u32 {
        let table = self.tables.entry(key).or_default();
        if let Some(row) = table.rows.get(&table.rung.range(port)) {
            return *row;
        }
        let row = self.free.pop().unwrap_or_else(|| {
            self.rows.push(Row::default());
            u32::try_from(self.rows.len() - 1).unwrap_or(u32::MAX)
        });
        table.rows.insert(table.rung.range(port), row);
        let mut climbed = false;
        while table.rows.len() > self.level.most_rows(self.limits) && table.rung.can_climb() {
            table.climb(&mut self.rows, &mut self.free);
            climbed = true;
        }
        let row = table.rows[&table.rung.range(port)];
        if climbed {
            self.forget_places();
        }
        row
    }

    /// Takes in other refused records; `slots` says what the other's interface slots are here.
    /// Call [`Blocked::fit`] when all are in.
    pub fn merge(&mut self, mut other: Self, slots: &[u32]) {
        self.level = self.level.max(other.level);
        self.forget_places();
        // By row here: the row of the other that goes to it. There is one at most, as keys stay different.
        let mut more: Vec<Option<Row>> = Vec::new();
        more.resize_with(self.rows.len(), || None);
        for (mut key, mut theirs) in unordered(std::mem::take(&mut other.tables)) {
            key.interface = slots[key.interface as usize];
            let ours = self.tables.entry(key).or_default();
            while ours.rung < theirs.rung {
                ours.climb(&mut self.rows, &mut self.free);
            }
            while theirs.rung < ours.rung {
                theirs.climb(&mut other.rows, &mut other.free);
            }
            for (range, row) in unordered(theirs.rows) {
                let row = std::mem::take(&mut other.rows[row as usize]);
                if let Some(own) = ours.rows.get(&range) {
                    more[*own as usize] = Some(row);
                } else {
                    ours.rows.insert(range, u32::try_from(self.rows.len()).unwrap_or(u32::MAX));
                    self.rows.push(row);
                }
            }
        }
        self.rows.par_iter_mut().zip(more).for_each(|(row, more)| {
            if let Some(more) = more {
                row.merge(more);
                row.fit_peers(MOST_PEERS);
            }
        });
    }

    /// Every row: (key, first port, last port, row), in no order.
    pub fn rows(&self) -> impl Iterator<Item = (&BlockedKey, u16, u16, &Row)> {
        self.tables.iter().flat_map(move |(key, table)| {
            table.rows.iter().map(move |(range, row)| {
                let (from, to) = table.rung.ports(*range);
                (key, from, to, &self.rows[*row as usize])
            })
        })
    }
}

impl Table {
    /// Goes up one rung: ranges of ports become wider, or peers fewer.
    fn climb(&mut self, rows: &mut [Row], free: &mut Vec<u32>) {
        let before = self.rung;
        self.rung.climb();
        let shift = self.rung.width() - before.width();
        if shift == 0 {
            return;
        }
        for (range, row) in unordered(std::mem::take(&mut self.rows)) {
            match self.rows.entry(range.checked_shr(shift).unwrap_or(0)) {
                hashbrown::hash_map::Entry::Vacant(entry) => {
                    entry.insert(row);
                }
                hashbrown::hash_map::Entry::Occupied(entry) => {
                    let taken = std::mem::take(&mut rows[row as usize]);
                    rows[*entry.get() as usize].merge(taken);
                    free.push(row);
                }
            }
        }
    }
}

/// One row.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// What was refused.
    pub credit: Credit,
    /// Peers in private networks.
    pub internal: PeerTable,
    /// All other peers.
    pub external: PeerTable,
}

impl Row {
    #[inline]
    fn peers(&mut self, scope: PeerScope) -> &mut PeerTable {
        match scope {
            PeerScope::Internal => &mut self.internal,
            PeerScope::Internet => &mut self.external,
        }
    }

    fn merge(&mut self, other: Self) {
        self.credit.merge(&other.credit);
        self.internal.merge(other.internal);
        self.external.merge(other.external);
    }
}

/// Rows that a state kept.
impl Blocked {
    /// Puts back one row that [`Blocked::rows`] gave. None: the ports are no range that rows are widened to, or there
    /// are more rows than are ever kept.
    pub(crate) fn restore(
        &mut self,
        key: BlockedKey,
        bounds: (u8, u8),
        (from, to): (u16, u16),
        row: Row,
    ) -> Option<()> {
        let (level, rung) = (Level::numbered(bounds.0)?, Rung::numbered(bounds.1)?);
        self.level = level;
        let range = rung.range(from);
        let table = self.tables.entry(key).or_insert_with(|| Table { rung, ..Table::default() });
        if table.rung != rung
            || rung.ports(range) != (from, to)
            || table.rows.len() >= level.most_rows(self.limits)
        {
            return None;
        }
        self.rows.push(row);
        table.rows.insert(range, u32::try_from(self.rows.len() - 1).ok()?).is_none().then_some(())
    }

    /// What [`Blocked::restore`] needs of a key besides its rows: the level of all tables and the rung of this one.
    pub(crate) fn bounds(&self, key: BlockedKey) -> (u8, u8) {
        (self.level.number(), self.tables.get(&key).map_or(0, |table| table.rung.number()))
    }
}

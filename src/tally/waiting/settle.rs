//! Lines 5 to 7 of the definition, as far as they can be told of rows whose ports were put together in ranges.
//!
//! Each figure that the lines compare is known as the least and the most it can be, for every port that a row can have.
//! Where the least of one end is above the most of the other, the exact figures lie the same way round, so what is
//! decided here is what would be decided without bounds. What cannot be told so stays undecided. On rung 0 the least
//! and the most are the exact figure, and nothing is left untold.

use hashbrown::HashMap;

use super::ports::{Ports, Row, RowKey, ServiceRange, Shown, range_of};
use super::{End, role_of};
use crate::attribution::Basis;
use crate::attribution::judge::Role;
use crate::tally::bounds::{Key, Table};

/// Line 6 counts different ports up to here.
const MOST_PORTS: u64 = 64;
/// Line 6 decides from so many different ports on.
const ENOUGH_PORTS: u64 = 8;

/// What a figure lies between.
#[derive(Debug, Clone, Copy)]
struct Between {
    least: u64,
    most: u64,
}

/// The end whose figure is surely larger.
fn larger(local: Between, remote: Between) -> Option<End> {
    if local.least > remote.most {
        Some(End::Local)
    } else if remote.least > local.most {
        Some(End::Remote)
    } else {
        None
    }
}

/// Whether the figures surely are the same.
fn are_same(local: Between, remote: Between) -> bool {
    local.least == local.most && remote.least == remote.most && local.least == remote.least
}

/// What the records of one interface and protocol say of its ports.
#[derive(Debug)]
pub(super) struct Evidence {
    rung: u8,
    shown: Services,
    /// By port: how many ports were surely seen with it.
    seen: HashMap<(End, u16), u64>,
    /// By range: how many ports can have been seen with any of its ports.
    possible: HashMap<(End, u16), u64>,
}

impl Evidence {
    pub(super) fn of(rows: &Table<RowKey, Row>, services: Option<&Table<ServiceRange, Shown>>) -> Self {
        let rung = rows.rung();
        let width = RowKey::widest(rung);
        Self {
            rung,
            shown: Services::of(services),
            seen: surely_seen(rows),
            possible: possibly_seen(rows, width),
        }
    }

    /// The role of the records of a row, and why.
    pub(super) fn decide(&self, key: &RowKey, row: &Row) -> (Role, Basis) {
        let ambiguous = (Role::Undecided, Basis::Ambiguous);
        if self.rung == RowKey::HIGHEST {
            // Whose exposure it would be is no longer known.
            return ambiguous;
        }
        let (local, remote) =
            (self.shown.between(End::Local, row.local), self.shown.between(End::Remote, row.remote));
        if let Some(service) = larger(local, remote) {
            return (role_of(service, key.direction), Basis::KnownService);
        }
        if !are_same(local, remote) {
            return ambiguous;
        }
        let (local, remote) = (self.fan(End::Local, row.local), self.fan(End::Remote, row.remote));
        match larger(local, remote) {
            Some(service) if local.least.max(remote.least) >= ENOUGH_PORTS => {
                (role_of(service, key.direction), Basis::FanIn)
            }
            _ => ambiguous,
        }
    }

    /// Different ports seen with any one of these.
    fn fan(&self, end: End, ports: Ports) -> Between {
        // A port that may be any of several was seen with one, that of its record.
        let least = ports.single().and_then(|port| self.seen.get(&(end, port))).map_or(1, |seen| *seen);
        let range = range_of(ports.from, RowKey::widest(self.rung));
        let most = self.possible.get(&(end, range)).map_or(MOST_PORTS, |most| *most);
        Between { least: least.min(MOST_PORTS), most: most.min(MOST_PORTS) }
    }
}

/// How many ports were surely seen with a port.
///
/// Where all records of a row have the same port at one end, that port was seen with the smallest and with the largest
/// at the other. Where neither end has a single port, it is not known which ports go together.
fn surely_seen(rows: &Table<RowKey, Row>) -> HashMap<(End, u16), u64> {
    let mut pairs: Vec<(u16, u16)> = Vec::new();
    for (_, row) in rows.iter() {
        let (local, remote) = (row.local, row.remote);
        if let Some(port) = local.single() {
            pairs.extend([(port, remote.from), (port, remote.to)]);
        } else if let Some(port) = remote.single() {
            pairs.extend([(local.from, port), (local.to, port)]);
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    let mut seen = HashMap::new();
    for (local, remote) in pairs {
        *seen.entry((End::Local, local)).or_default() += 1;
        *seen.entry((End::Remote, remote)).or_default() += 1;
    }
    seen
}

/// How many ports can have been seen with any one port of a range: all that rows of the range can have at the other end.
fn possibly_seen(rows: &Table<RowKey, Row>, width: u32) -> HashMap<(End, u16), u64> {
    let mut others: Vec<((End, u16), Ports)> = Vec::new();
    for (_, row) in rows.iter() {
        others.push(((End::Local, range_of(row.local.from, width)), row.remote));
        others.push(((End::Remote, range_of(row.remote.from, width)), row.local));
    }
    others.sort_unstable();
    let mut possible = HashMap::new();
    for same in others.chunk_by(|(one, _), (next, _)| one == next) {
        let (mut count, mut counted_to) = (0, 0);
        for (_, ports) in same {
            // They come by their first port: what lies beyond those counted is new.
            let (from, to) = (u64::from(ports.from), u64::from(ports.to) + 1);
            count += to.saturating_sub(from.max(counted_to));
            counted_to = to.max(counted_to);
        }
        possible.extend(same.first().map(|(of, _)| (*of, count)));
    }
    possible
}

/// Ports that decided records show as services.
#[derive(Debug, Default)]
struct Services {
    /// Ascending; none overlaps another of the same end.
    local: Vec<(Ports, u64)>,
    remote: Vec<(Ports, u64)>,
}

impl Services {
    fn of(table: Option<&Table<ServiceRange, Shown>>) -> Self {
        let mut services = Self::default();
        for (key, shown) in table.into_iter().flat_map(Table::iter) {
            services.end_mut(key.end).push((shown.ports, shown.records));
        }
        services.local.sort_unstable();
        services.remote.sort_unstable();
        services
    }

    fn end_mut(&mut self, end: End) -> &mut Vec<(Ports, u64)> {
        match end {
            End::Local => &mut self.local,
            End::Remote => &mut self.remote,
        }
    }

    /// How often any one of these ports was shown.
    ///
    /// A port was shown at most as often as all ports of its range together, and not at all outside of what its range
    /// has seen. It was surely shown where its range has seen no other.
    fn between(&self, end: End, ports: Ports) -> Between {
        let shown = match end {
            End::Local => &self.local,
            End::Remote => &self.remote,
        };
        let from = shown.partition_point(|(range, _)| range.to < ports.from);
        let met = shown[from..].iter().take_while(|(range, _)| range.from <= ports.to);
        let most = met.map(|(_, records)| *records).max().unwrap_or(0);
        let least = match (ports.single(), shown.get(from)) {
            (Some(port), Some((range, records))) if range.single() == Some(port) => *records,
            _ => 0,
        };
        Between { least, most }
    }
}

//! Ranges of ports: how wide they are on which rung, and which of their ports were seen.

use super::{End, WaitingKey, WaitingRow};
use crate::attribution::sets::SetId;
use crate::flow::Direction;
use crate::tally::bounds::{Key, Sum};
use crate::tally::credit::Credit;
use crate::tally::watch::Exposure;

/// The smallest and the largest of some ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ports {
    /// The smallest.
    pub from: u16,
    /// The largest.
    pub to: u16,
}

impl Default for Ports {
    /// No port.
    fn default() -> Self {
        Self { from: u16::MAX, to: 0 }
    }
}

impl Ports {
    /// This port alone.
    pub fn one(port: u16) -> Self {
        Self { from: port, to: port }
    }

    /// The port, if there is only one.
    pub fn single(self) -> Option<u16> {
        (self.from == self.to).then_some(self.from)
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
    }

    /// The range of 2^width ports that holds them all, by its number.
    fn range(self, width: u32) -> Option<u16> {
        let range = range_of(self.from, width);
        (self.from <= self.to && range == range_of(self.to, width)).then_some(range)
    }
}

/// The number of the range of 2^width ports that holds the port.
pub(super) fn range_of(port: u16, width: u32) -> u16 {
    port.checked_shr(width).unwrap_or(0)
}

/// Widths of the ranges that ports are put into.
#[derive(Debug, Clone, Copy)]
struct Widths {
    /// Of the lower port of a pair, mostly the service.
    lower: u32,
    /// Of the higher port, mostly one of many that a client uses.
    higher: u32,
}

/// By rung. On the last one nothing is left but what the records will be credited to if they stay undecided.
const WIDTHS: [Widths; 9] = [
    Widths { lower: 0, higher: 0 },
    Widths { lower: 0, higher: 4 },
    Widths { lower: 0, higher: 8 },
    Widths { lower: 0, higher: 11 },
    Widths { lower: 4, higher: 12 },
    Widths { lower: 8, higher: 12 },
    Widths { lower: 8, higher: 13 },
    Widths { lower: 8, higher: 16 },
    Widths { lower: 16, higher: 16 },
];

fn widths(rung: u8) -> Widths {
    WIDTHS[usize::from(rung.min(RowKey::HIGHEST))]
}

/// What rows are grouped by: a [`WaitingKey`] with ranges in place of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowKey {
    pub(super) direction: Direction,
    /// Which port of the exact pair was the higher. It stays when the pair is forgotten, so that a row is widened as its
    /// records would have been.
    pub(super) higher: End,
    local: u16,
    remote: u16,
    pub(super) forward: SetId,
    pub(super) reply: SetId,
    pub(super) exposure: (Exposure, Exposure),
}

/// Two words instead of eight fields: the hash is taken once a record.
impl std::hash::Hash for RowKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let (local, remote) = (u64::from(self.local), u64::from(self.remote));
        let ends = (self.direction as u64) << 1 | self.higher as u64;
        let exposure = u64::from(self.exposure.0.code()) << 8 | u64::from(self.exposure.1.code());
        state.write_u64(local << 48 | remote << 32 | exposure << 8 | ends);
        state.write_u64(u64::from(self.forward.0) << 32 | u64::from(self.reply.0));
    }
}

impl RowKey {
    /// The key of a record on rung 0.
    fn exact(key: &WaitingKey) -> Self {
        Self {
            direction: key.direction,
            higher: if key.local > key.remote { End::Local } else { End::Remote },
            local: key.local,
            remote: key.remote,
            forward: key.forward,
            reply: key.reply,
            exposure: key.exposure,
        }
    }

    /// The key of a record on any rung.
    #[inline]
    pub(super) fn of(key: &WaitingKey, rung: u8) -> Self {
        let exact = Self::exact(key);
        if rung == 0 { exact } else { exact.widened(Widths { lower: 0, higher: 0 }, rung) }
    }

    fn widened(mut self, from: Widths, rung: u8) -> Self {
        let to = widths(rung);
        let (lower, higher) = (to.lower - from.lower, to.higher - from.higher);
        let (local, remote) = if self.higher == End::Local { (higher, lower) } else { (lower, higher) };
        self.local = range_of(self.local, local);
        self.remote = range_of(self.remote, remote);
        if rung == Self::HIGHEST {
            self.higher = End::Remote;
            let exposure = self.exposure.0.without_port();
            self.exposure = (exposure, exposure);
        }
        self
    }

    /// The same with other numbers of sets.
    pub(super) fn renumbered(self, sets: &[SetId]) -> Self {
        let set = |id: SetId| sets[id.0 as usize];
        Self { forward: set(self.forward), reply: set(self.reply), ..self }
    }

    /// Width of the widest ranges on a rung.
    pub(super) fn widest(rung: u8) -> u32 {
        widths(rung).higher
    }

    /// The key of a row that a state kept. None: no row has these ports on this rung.
    pub(super) fn kept(
        key: &WaitingKey,
        higher: End,
        (local, remote): (Ports, Ports),
        rung: u8,
    ) -> Option<Self> {
        let Widths { lower, higher: wide } = widths(rung);
        let (local_width, remote_width) = if higher == End::Local { (wide, lower) } else { (lower, wide) };
        let mut row = Self::exact(key);
        row.local = local.range(local_width)?;
        row.remote = remote.range(remote_width)?;
        if rung == 0 && row.higher != higher {
            return None;
        }
        row.higher = higher;
        // What the highest rung gives up is given up here, whatever the file says.
        Some(if rung == Self::HIGHEST { row.widened(widths(rung), rung) } else { row })
    }
}

impl Key for RowKey {
    #[expect(clippy::cast_possible_truncation, reason = "there are a few")]
    const HIGHEST: u8 = WIDTHS.len() as u8 - 1;

    fn climb(self, rung: u8) -> Self {
        self.widened(widths(rung), rung + 1)
    }
}

/// Records that wait, of one key.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) credit: Credit,
    /// Of the ports in its range, those that it has seen: often there is but one service in a range.
    pub(super) local: Ports,
    pub(super) remote: Ports,
}

impl Row {
    /// The row as it is known outside.
    pub(super) fn named(
        &self,
        key: &RowKey,
        (interface, protocol): (u32, u8),
        bounds: (u8, u8),
    ) -> WaitingRow {
        WaitingRow {
            key: WaitingKey {
                interface,
                protocol,
                direction: key.direction,
                local: self.local.from,
                remote: self.remote.from,
                forward: key.forward,
                reply: key.reply,
                exposure: key.exposure,
            },
            local: self.local,
            remote: self.remote,
            higher: key.higher,
            bounds,
            credit: self.credit,
        }
    }
}

impl Sum for Row {
    fn merge(&mut self, other: &Self) {
        self.credit.merge(&other.credit);
        self.local.merge(other.local);
        self.remote.merge(other.remote);
    }
}

/// Widths of the ranges of ports shown as services, by rung.
const SERVICE_WIDTHS: [u32; 5] = [0, 4, 8, 12, 16];

/// A range of ports shown as services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServiceRange {
    pub(super) end: End,
    range: u16,
}

impl std::hash::Hash for ServiceRange {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.range) << 1 | self.end as u64);
    }
}

impl ServiceRange {
    fn width(rung: u8) -> u32 {
        SERVICE_WIDTHS[usize::from(rung.min(Self::HIGHEST))]
    }

    #[inline]
    pub(super) fn of(end: End, port: u16, rung: u8) -> Self {
        Self { end, range: range_of(port, Self::width(rung)) }
    }

    /// The key of a range that a state kept. None: no range has these ports on this rung.
    pub(super) fn kept(end: End, ports: Ports, rung: u8) -> Option<Self> {
        Some(Self { end, range: ports.range(Self::width(rung))? })
    }
}

impl Key for ServiceRange {
    #[expect(clippy::cast_possible_truncation, reason = "there are a few")]
    const HIGHEST: u8 = SERVICE_WIDTHS.len() as u8 - 1;

    fn climb(self, rung: u8) -> Self {
        Self { range: range_of(self.range, Self::width(rung + 1) - Self::width(rung)), ..self }
    }
}

/// How often decided records show the ports of a range as a service.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shown {
    pub(super) records: u64,
    /// Of the ports in its range, those that were shown.
    pub(super) ports: Ports,
}

impl Sum for Shown {
    fn merge(&mut self, other: &Self) {
        self.records += other.records;
        self.ports.merge(other.ports);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the limits count on; a hash table leaves more than half of its room free right after it has grown.
    #[test]
    fn rows_and_services_are_small() {
        assert_eq!(size_of::<(RowKey, Row)>(), 80);
        assert_eq!(size_of::<(ServiceRange, Shown)>(), 24);
    }

    #[test]
    fn a_row_is_widened_as_its_records_are() {
        for (local, remote) in [(0, 0), (22, 50_000), (50_000, 22), (8_443, 8_443), (u16::MAX, 32_768)] {
            let key = WaitingKey {
                interface: 0,
                protocol: 6,
                direction: Direction::Egress,
                local,
                remote,
                forward: SetId(1),
                reply: SetId(2),
                exposure: (Exposure::INTERNAL, Exposure::OTHER_PORT),
            };
            let mut row = RowKey::of(&key, 0);
            for rung in 0..RowKey::HIGHEST {
                row = row.climb(rung);
                assert_eq!(row, RowKey::of(&key, rung + 1));
                let ports = (Ports::one(local), Ports::one(remote));
                assert_eq!(RowKey::kept(&key, row.higher, ports, rung + 1), Some(row));
            }
            let mut service = ServiceRange::of(End::Local, local, 0);
            for rung in 0..ServiceRange::HIGHEST {
                service = service.climb(rung);
                assert_eq!(service, ServiceRange::of(End::Local, local, rung + 1));
            }
        }
    }
}

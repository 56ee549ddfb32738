//! Refused records by interface, direction, protocol, port and cause, with the peers that were refused.
//!
//! Bounded: a row that meets too many peers keeps prefixes instead of addresses, and an interface probed on too many
//! ports keeps ranges of ports. Both widen by fixed steps until they fit, which ends in the same state whatever the
//! order; counts stay exact at the width shown. Peers of private networks are kept apart, so that noise from the
//! internet does not blur them.

use hashbrown::HashMap;
use std::net::IpAddr;

use super::credit::Credit;
use super::peers::PeerTable;
use super::scope::{self, PeerScope};
use super::unordered;
use crate::attribution::Cause;
use crate::flow::{Direction, Flow, Traffic, has_ports};

/// Distinct ports (or ranges) kept per interface, direction, protocol and cause before they are widened.
const MOST_PORTS: usize = 1024;

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

/// Every refused record.
#[derive(Debug, Clone, Default)]
pub struct Blocked {
    tables: HashMap<BlockedKey, PortTable>,
}

impl Blocked {
    /// Takes in one refused record.
    pub fn add(&mut self, key: BlockedKey, peer: IpAddr, flow: &Flow<'_>, traffic: &Traffic) {
        let port = if has_ports(key.protocol) { traffic.dstport } else { 0 };
        self.tables.entry(key).or_default().row(port).add(peer, flow, traffic);
    }

    /// Takes in other refused records; `slots` says what the other's interface slots are here.
    pub fn merge(&mut self, other: Self, slots: &[u32]) {
        for (mut key, table) in unordered(other.tables) {
            key.interface = slots[key.interface as usize];
            self.tables.entry(key).or_default().merge(table);
        }
    }

    /// Every row: (key, first port, last port, row), in no order.
    pub fn rows(&self) -> impl Iterator<Item = (&BlockedKey, u16, u16, &Row)> {
        self.tables.iter().flat_map(|(key, table)| {
            let span = (1_u32 << table.width) - 1;
            table.rows.iter().map(move |(port, row)| {
                let from = u32::from(*port) << table.width;
                let narrow = |port: u32| u16::try_from(port).unwrap_or(u16::MAX);
                (key, narrow(from), narrow(from + span), row)
            })
        })
    }
}

/// Rows by port, or by ranges of 2^width ports.
#[derive(Debug, Clone, Default)]
struct PortTable {
    width: u32,
    rows: HashMap<u16, Row>,
}

impl PortTable {
    fn row(&mut self, port: u16) -> &mut Row {
        let slot = self.slot(port);
        self.rows.entry(slot).or_default();
        while self.rows.len() > MOST_PORTS {
            self.widen();
        }
        let slot = self.slot(port);
        self.rows.entry(slot).or_default()
    }

    fn slot(&self, port: u16) -> u16 {
        port.checked_shr(self.width).unwrap_or(0)
    }

    fn widen(&mut self) {
        self.width += 4;
        for (port, row) in unordered(std::mem::take(&mut self.rows)) {
            self.rows.entry(port >> 4).or_default().merge(row);
        }
    }

    fn merge(&mut self, mut other: Self) {
        while self.width < other.width {
            self.widen();
        }
        while other.width < self.width {
            other.widen();
        }
        for (slot, row) in unordered(other.rows) {
            self.rows.entry(slot).or_default().merge(row);
        }
        while self.rows.len() > MOST_PORTS {
            self.widen();
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
    fn add(&mut self, peer: IpAddr, flow: &Flow<'_>, traffic: &Traffic) {
        self.credit.add(flow, traffic);
        match scope::of(peer) {
            PeerScope::Internal => self.internal.add(peer, flow),
            PeerScope::Internet => self.external.add(peer, flow),
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
    pub(crate) fn restore(&mut self, key: BlockedKey, from: u16, to: u16, row: Row) -> Option<()> {
        let span = u32::from(to.checked_sub(from)?) + 1;
        let width = span.trailing_zeros();
        let table = self.tables.entry(key).or_insert_with(|| PortTable { width, ..PortTable::default() });
        let slot = table.slot(from);
        let fits = span.is_power_of_two() && width % 4 == 0 && u32::from(from) % span == 0;
        if !fits || width != table.width || table.rows.len() >= MOST_PORTS {
            return None;
        }
        table.rows.insert(slot, row).is_none().then_some(())
    }
}

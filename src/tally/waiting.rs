//! Records that only the whole input can decide, and what may decide them: lines 5 to 7 of the definition.
//!
//! Exact until there is too much of it; then ports are put together in ranges, see `bounds` and `ports`, and what
//! cannot be told any more stays undecided, see `settle`.

mod ports;
mod settle;

use std::net::IpAddr;

pub use super::bounds::Bound;
pub use ports::Ports;

use super::bounds::{Sum, Table, Tables};
use super::credit::Credit;
use super::watch::{Exposure, PortWatch};
use super::{Tally, UsageKey};
use crate::attribution::Basis;
use crate::attribution::judge::Role;
use crate::attribution::sets::SetId;
use crate::flow::{Direction, TCP, Traffic, UDP};
use hashbrown::HashMap;
use ports::{Row, RowKey, ServiceRange, Shown};
use settle::Evidence;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of rows of records that wait: up to 190 bytes each, the room that a hash table leaves free included.
    pub rows: Bound,
    /// Of ports that decided records show as services: up to 60 bytes each.
    pub services: Bound,
}

impl Default for Limits {
    /// Sixty megabytes.
    fn default() -> Self {
        Self {
            rows: Bound { each: &[65_536, 16_384, 4_096, 1_024, 256, 64, 16, 4, 1], together: 240_000 },
            services: Bound { each: &[16_384, 4_096, 1_024, 256, 64, 16, 4, 1], together: 240_000 },
        }
    }
}

/// Which end of a connection, seen from the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// The interface itself.
    Local,
    /// The peer.
    Remote,
}

/// A port that decided records show as a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceKey {
    /// Interface slot.
    pub interface: u32,
    /// 6 or 17.
    pub protocol: u8,
    /// The port.
    pub port: u16,
    /// Whose port.
    pub end: End,
}

/// What waiting records are summed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingKey {
    /// Interface slot.
    pub interface: u32,
    /// 6 or 17.
    pub protocol: u8,
    /// Of the records.
    pub direction: Direction,
    /// The interface's port.
    pub local: u16,
    /// The peer's port.
    pub remote: u16,
    /// Rules of the forward reading.
    pub forward: SetId,
    /// Rules of the reply reading.
    pub reply: SetId,
    /// Whether the peer is on the internet, as the exposure at each end's port: (local, remote).
    pub exposure: (Exposure, Exposure),
}

impl WaitingKey {
    /// The key of a record, seen from its interface.
    pub(crate) fn of(
        interface: u32,
        (forward, reply): (SetId, SetId),
        direction: Direction,
        (peer, traffic): (IpAddr, &Traffic),
        watch: &PortWatch,
    ) -> Self {
        let (local, remote) = match direction {
            Direction::Ingress => (traffic.dstport, traffic.srcport),
            Direction::Egress => (traffic.srcport, traffic.dstport),
        };
        let exposure = |port| watch.exposure(peer, traffic.protocol, port);
        Self {
            interface,
            protocol: traffic.protocol,
            direction,
            local,
            remote,
            forward,
            reply,
            exposure: (exposure(local), exposure(remote)),
        }
    }
}

/// Where the table of an interface and protocol is. None: the protocol has no ports, and its records do not wait.
fn place(interface: u32, protocol: u8) -> Option<usize> {
    match protocol {
        TCP => Some(interface as usize * 2),
        UDP => Some(interface as usize * 2 + 1),
        _ => None,
    }
}

/// Interface slot and protocol of the table there.
fn owner(place: usize) -> (u32, u8) {
    let protocol = if place.is_multiple_of(2) { TCP } else { UDP };
    (u32::try_from(place / 2).unwrap_or(u32::MAX), protocol)
}

/// Where the service of a record in this role is.
pub fn service_end(role: Role, direction: Direction) -> End {
    match (role, direction) {
        (Role::Forward, Direction::Ingress) | (Role::Reply, Direction::Egress) => End::Local,
        _ => End::Remote,
    }
}

/// The role of a record whose service is at this end.
fn role_of(service: End, direction: Direction) -> Role {
    match (service, direction) {
        (End::Local, Direction::Ingress) | (End::Remote, Direction::Egress) => Role::Forward,
        _ => Role::Reply,
    }
}

/// Records that wait, and the ports that decided records show as services.
///
/// Each interface and protocol has a table of either. It stands on a rung, which says how wide its ranges of ports are; the
/// level says how many rows the tables may have before they climb to the next rung.
#[derive(Debug, Clone)]
pub struct Waiting {
    rows: Tables<RowKey, Row>,
    services: Tables<ServiceRange, Shown>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self::within(Limits::default())
    }
}

/// A row of records that wait, as states keep it.
#[derive(Debug, Clone, Copy)]
pub struct WaitingRow {
    /// What its records have in common, with the smallest port of each end.
    pub key: WaitingKey,
    /// Ports of the interface.
    pub local: Ports,
    /// Ports of the peers.
    pub remote: Ports,
    /// Which port of each record was the higher.
    pub higher: End,
    /// The level of all tables and the rung of this one: see [`Waiting`].
    pub bounds: (u8, u8),
    /// The records.
    pub credit: Credit,
}

/// Ports shown as services, as states keep them.
#[derive(Debug, Clone, Copy)]
pub struct ServiceRow {
    /// The smallest.
    pub key: ServiceKey,
    /// The smallest and the largest.
    pub ports: Ports,
    /// The level of all tables and the rung of this one: see [`Waiting`].
    pub bounds: (u8, u8),
    /// How often.
    pub records: u64,
}

impl Waiting {
    /// Nothing, to be kept within these limits.
    pub fn within(limits: Limits) -> Self {
        Self { rows: Tables::new(limits.rows), services: Tables::new(limits.services) }
    }

    /// Takes in a record that waits; `add` adds it to a credit.
    #[inline]
    pub fn add(&mut self, key: &WaitingKey, add: impl FnOnce(&mut Credit)) {
        let Some(place) = place(key.interface, key.protocol) else { return };
        self.rows.add(
            place,
            |rung| RowKey::of(key, rung),
            |row| {
                add(&mut row.credit);
                row.local.merge(Ports::one(key.local));
                row.remote.merge(Ports::one(key.remote));
            },
        );
    }

    /// Takes in that a record shows a service.
    #[inline]
    pub fn show(&mut self, key: ServiceKey) {
        let Some(place) = place(key.interface, key.protocol) else { return };
        self.services.add(
            place,
            |rung| ServiceRange::of(key.end, key.port, rung),
            |shown| shown.merge(&Shown { records: 1, ports: Ports::one(key.port) }),
        );
    }

    /// Takes in another one; `slots` and `sets` say what the other's interface slots and sets of rules are here.
    pub fn merge(&mut self, other: Self, slots: &[u32], sets: &[SetId]) {
        let moved = |place: usize| Some(*slots.get(place / 2)? as usize * 2 + place % 2);
        self.rows.merge(other.rows, moved, |key| key.renumbered(sets));
        self.services.merge(other.services, moved, |key| key);
    }

    /// Every row of records that wait, in no order.
    pub fn rows(&self) -> impl Iterator<Item = WaitingRow> {
        self.rows.iter().flat_map(|(place, table)| {
            let (interface, protocol) = owner(place);
            let bounds = (self.rows.level(), table.rung());
            table.iter().map(move |(key, row)| row.named(key, (interface, protocol), bounds))
        })
    }

    /// Every range of ports shown as services, in no order.
    pub fn services(&self) -> impl Iterator<Item = ServiceRow> {
        self.services.iter().flat_map(|(place, table)| {
            let (interface, protocol) = owner(place);
            let bounds = (self.services.level(), table.rung());
            table.iter().map(move |(key, shown)| ServiceRow {
                key: ServiceKey { interface, protocol, port: shown.ports.from, end: key.end },
                ports: shown.ports,
                bounds,
                records: shown.records,
            })
        })
    }

    /// Decides the records (lines 5 to 7): each row goes to `settled` with its role and why it has it.
    pub fn settle(&self, mut settled: impl FnMut(&WaitingRow, Role, Basis)) {
        for (place, table) in self.rows.iter() {
            let (interface, protocol) = owner(place);
            let evidence = Evidence::of(table, self.services.get(place));
            let bounds = (self.rows.level(), table.rung());
            for (key, row) in table.iter() {
                let (role, basis) = evidence.decide(key, row);
                settled(&row.named(key, (interface, protocol), bounds), role, basis);
            }
        }
    }
}

/// By row of a table: its role, and why it has it.
type Roles = HashMap<RowKey, (Role, Basis)>;

/// What was decided of records that waited.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    /// By place: the rung of its table, and by its rows.
    tables: HashMap<usize, (u8, Roles)>,
}

impl Decisions {
    pub(crate) fn of(waiting: &Waiting) -> Self {
        let table = |(place, table): (usize, &Table<RowKey, Row>)| {
            let evidence = Evidence::of(table, waiting.services.get(place));
            let rows = table.iter().map(|(key, row)| (*key, evidence.decide(key, row)));
            (place, (table.rung(), rows.collect()))
        };
        Self { tables: waiting.rows.iter().map(table).collect() }
    }

    /// The role of a record, and why it has it. None: no such record waited.
    pub(crate) fn of_record(&self, key: &WaitingKey) -> Option<(Role, Basis)> {
        let (rung, rows) = self.tables.get(&place(key.interface, key.protocol)?)?;
        rows.get(&RowKey::of(key, *rung)).copied()
    }
}

/// What a state kept.
impl Waiting {
    /// Puts back one row that [`Waiting::rows`] gave. None: it does not fit the other rows.
    pub(crate) fn restore(&mut self, row: &WaitingRow) -> Option<()> {
        let WaitingRow { key, local, remote, higher, bounds, credit } = *row;
        let row_key = RowKey::kept(&key, higher, (local, remote), bounds.1)?;
        self.rows.restore(place(key.interface, key.protocol)?, bounds, row_key, Row { credit, local, remote })
    }

    /// Puts back one range that [`Waiting::services`] gave. None: it does not fit the others.
    pub(crate) fn restore_service(&mut self, row: &ServiceRow) -> Option<()> {
        let ServiceRow { key, ports, bounds, records } = *row;
        let range = ServiceRange::kept(key.end, ports, bounds.1)?;
        self.services.restore(place(key.interface, key.protocol)?, bounds, range, Shown { records, ports })
    }

    /// Holds all bounds again once everything is back.
    pub(crate) fn fit(&mut self) {
        self.rows.fit();
        self.services.fit();
    }
}

impl Tally {
    /// Decides the waiting records, now that the whole input is known, and credits them.
    pub fn settle(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.changes.settle(&waiting, &mut self.sets);
        self.inquiry.settle(&waiting);
        waiting.settle(|row, role, basis| {
            self.outcomes.add_basis(basis, row.credit.records);
            self.usage.entry(usage_key(&row.key, role)).or_default().merge(&row.credit);
        });
    }
}

/// What records that waited are credited to.
fn usage_key(key: &WaitingKey, role: Role) -> UsageKey {
    let (local, remote) = key.exposure;
    let exposure = match role {
        Role::Undecided => local.without_port(),
        _ if service_end(role, key.direction) == End::Local => local,
        _ => remote,
    };
    let keep = |set, kept: bool| if kept { set } else { SetId::EMPTY };
    UsageKey {
        interface: key.interface,
        role,
        forward: keep(key.forward, role != Role::Reply),
        reply: keep(key.reply, role != Role::Forward),
        exposure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{TCP, UDP};

    #[test]
    fn what_a_state_kept_goes_on_as_if_nothing_had_been() {
        let limits = Limits {
            rows: Bound { each: &[50, 20, 4], together: 70 },
            services: Bound { each: &[20, 5], together: 30 },
        };
        let add = |waiting: &mut Waiting, number: u16| {
            let (interface, port) = (u32::from(number % 3), number.wrapping_mul(40_503));
            let protocol = if number.is_multiple_of(5) { UDP } else { TCP };
            let (forward, reply) = (SetId(1), SetId(2));
            let (direction, exposure) = (Direction::Ingress, (Exposure::INTERNAL, Exposure::INTERNAL));
            let (local, remote) = (8_000 + number % 7, port);
            let key = WaitingKey { interface, protocol, direction, local, remote, forward, reply, exposure };
            waiting.add(&key, |credit| credit.records += 1);
            waiting.show(ServiceKey { interface, protocol, port, end: End::Remote });
        };
        let lines = |waiting: &Waiting| {
            let rows = waiting.rows().map(|row| format!("{row:?}"));
            let mut lines: Vec<_> = rows.chain(waiting.services().map(|row| format!("{row:?}"))).collect();
            lines.sort();
            lines
        };
        let mut waiting = Waiting::within(limits);
        for number in 0..400 {
            add(&mut waiting, number);
            let mut back = Waiting::within(limits);
            assert!(waiting.rows().all(|row| back.restore(&row).is_some()));
            assert!(waiting.services().all(|row| back.restore_service(&row).is_some()));
            back.fit();
            assert_eq!(lines(&back), lines(&waiting));
            if number % 7 == 0 {
                waiting = back;
            }
        }
        assert!(waiting.rows.level() == 2 && waiting.services.level() == 1);
        let mut again = Waiting::within(limits);
        let row = waiting.rows().next().expect("there are rows");
        assert!(again.restore(&row).is_some() && again.restore(&row).is_none(), "twice");
        let bounds = (row.bounds.0, u8::MAX);
        assert!(Waiting::within(limits).restore(&WaitingRow { bounds, ..row }).is_none(), "no such rung");
    }
}

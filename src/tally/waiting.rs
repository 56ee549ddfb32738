//! Records that only the whole input can decide: lines 5 and 6 of the definition.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::credit::Credit;
use super::watch::Exposure;
use super::{Tally, UsageKey};
use crate::attribution::Basis;
use crate::attribution::judge::Role;
use crate::attribution::sets::SetId;
use crate::flow::Direction;

/// Line 6 counts different ports up to here.
const MOST_PORTS: usize = 64;
/// Line 6 decides from so many different ports on.
const ENOUGH_PORTS: usize = 8;

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

impl std::hash::Hash for ServiceKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let small = u64::from(self.protocol) << 24 | u64::from(self.port) << 8 | self.end as u64;
        state.write_u64(u64::from(self.interface) << 32 | small);
    }
}

/// What waiting records are summed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// Different ports seen with one port, up to a bound.
#[derive(Debug, Default)]
struct Fan(HashMap<(u32, u8, End, u16), BTreeSet<u16>>);

impl Fan {
    fn add(&mut self, key: (u32, u8, End, u16), other: u16) {
        let seen = self.0.entry(key).or_default();
        if seen.len() < MOST_PORTS {
            seen.insert(other);
        }
    }

    fn count(&self, key: (u32, u8, End, u16)) -> usize {
        self.0.get(&key).map_or(0, BTreeSet::len)
    }
}

impl Tally {
    /// Decides the waiting records (lines 5 to 7), now that the whole input is known, and credits them.
    pub fn settle(&mut self) {
        let mut fan = Fan::default();
        for key in self.waiting.keys() {
            fan.add((key.interface, key.protocol, End::Local, key.local), key.remote);
            fan.add((key.interface, key.protocol, End::Remote, key.remote), key.local);
        }
        for (key, credit) in super::unordered(std::mem::take(&mut self.waiting)) {
            let (role, basis) = self.decide(&key, &fan);
            self.outcomes.add_basis(basis, credit.records);
            self.credit_settled(&key, role, &credit);
        }
    }

    fn decide(&self, key: &WaitingKey, fan: &Fan) -> (Role, Basis) {
        let shown = |end, port| {
            let service = ServiceKey { interface: key.interface, protocol: key.protocol, port, end };
            self.services.get(&service).copied().unwrap_or(0)
        };
        let (local, remote) = (shown(End::Local, key.local), shown(End::Remote, key.remote));
        if local != remote {
            let service = if local > remote { End::Local } else { End::Remote };
            return (role_of(service, key.direction), Basis::KnownService);
        }
        let local = fan.count((key.interface, key.protocol, End::Local, key.local));
        let remote = fan.count((key.interface, key.protocol, End::Remote, key.remote));
        if local != remote && local.max(remote) >= ENOUGH_PORTS {
            let service = if local > remote { End::Local } else { End::Remote };
            return (role_of(service, key.direction), Basis::FanIn);
        }
        (Role::Undecided, Basis::Ambiguous)
    }

    fn credit_settled(&mut self, key: &WaitingKey, role: Role, credit: &Credit) {
        let (local, remote) = key.exposure;
        let exposure = match role {
            Role::Undecided => local.without_port(),
            _ if service_end(role, key.direction) == End::Local => local,
            _ => remote,
        };
        let keep = |set, kept: bool| if kept { set } else { SetId::EMPTY };
        let usage = UsageKey {
            interface: key.interface,
            role,
            forward: keep(key.forward, role != Role::Reply),
            reply: keep(key.reply, role != Role::Forward),
            exposure,
        };
        self.usage.entry(usage).or_default().merge(credit);
    }
}

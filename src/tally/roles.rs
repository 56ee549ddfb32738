//! The roles of records that waited, once the whole input is known: for what is told of records one by one.

use hashbrown::HashMap;

use super::waiting::{Ports, Waiting};
use crate::attribution::judge::Role;
use crate::attribution::sets::SetId;
use crate::flow::Direction;

/// What tells the role of records that waited, but for their ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Told {
    /// Interface slot.
    pub(super) interface: u32,
    /// 6 or 17.
    pub(super) protocol: u8,
    /// Of the records.
    pub(super) direction: Direction,
    /// Rules of both readings.
    pub(super) sets: (SetId, SetId),
}

/// The roles of records that waited.
#[derive(Default)]
pub(super) struct Roles {
    exact: HashMap<(Told, u16, u16), Role>,
    /// With the ports of either end.
    ranges: HashMap<Told, Vec<(Ports, Ports, Role)>>,
}

impl Roles {
    pub(super) fn of(waiting: &Waiting) -> Self {
        let mut roles = Self::default();
        waiting.settle(|row, role, _| {
            let key = &row.key;
            let told = Told {
                interface: key.interface,
                protocol: key.protocol,
                direction: key.direction,
                sets: (key.forward, key.reply),
            };
            match (row.local.single(), row.remote.single()) {
                (Some(local), Some(remote)) if row.bounds.1 == 0 => {
                    roles.exact.insert((told, local, remote), role);
                }
                _ => roles.ranges.entry(told).or_default().push((row.local, row.remote, role)),
            }
        });
        roles
    }

    /// The role of records with these ports, the interface's first. Where several ranges hold the ports and say different
    /// things, nothing is told.
    pub(super) fn role(&self, told: &Told, (local, remote): (u16, u16)) -> Role {
        if let Some(role) = self.exact.get(&(*told, local, remote)) {
            return *role;
        }
        let within = |ports: Ports, port: u16| ports.from <= port && port <= ports.to;
        let ranges = self.ranges.get(told).into_iter().flatten();
        let mut roles =
            ranges.filter(|(a, b, _)| within(*a, local) && within(*b, remote)).map(|(.., role)| *role);
        let first = roles.next().unwrap_or(Role::Undecided);
        if roles.all(|role| role == first) { first } else { Role::Undecided }
    }
}

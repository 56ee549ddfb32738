//! What a proposed rule set changes for the records read: those that it would block, and refused ones that it would let
//! through.
//!
//! Bounded, whatever the logs hold: where there are too many rows, ports are put together in ranges, and peers of a row
//! in prefixes. What that comes to depends on the set of records alone.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hashbrown::HashMap;

use super::peers::{MOST_PEERS, PeerTable};
use super::roles::{Roles, Told};
use super::unordered;
use super::waiting::Waiting;
use crate::attribution::index::{Index, InterfaceNumber};
use crate::attribution::judge::Role;
use crate::attribution::sets::{SetId, SetTable};
use crate::flow::{Direction, Flow};
use crate::rules::RuleIndex;
use crate::rules::timeline::Timeline;

/// What records are held against besides the rules in force.
#[derive(Debug)]
pub struct Proposed<'a> {
    /// The states as they would be.
    pub timeline: &'a Timeline,
    /// The same, compiled.
    pub index: &'a Index,
    /// By interface number of the states in force: its number here.
    pub numbers: Vec<InterfaceNumber>,
}

impl<'a> Proposed<'a> {
    /// The states as they would be; `now` are those in force.
    pub fn of(timeline: &'a Timeline, index: &'a Index, now: &Timeline) -> Self {
        // Whoever is known now is known then.
        let number = |id: &str| index.number(id.as_bytes()).unwrap_or(InterfaceNumber(0));
        Self { timeline, index, numbers: now.lives().ids().map(number).collect() }
    }
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// Let through, and no rule would.
    Blocked(Certainty),
    /// Refused, and a rule would let it through.
    Opened,
}

/// How sure a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Certainty {
    /// The role of the record is told.
    Sure,
    /// One of its readings loses its rules.
    Possible,
}

impl Certainty {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sure => "sure",
            Self::Possible => "possible",
        }
    }
}

/// What records of a row have in common, but for the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChangeKey {
    /// Interface slot.
    pub interface: u32,
    /// Of the records.
    pub direction: Direction,
    /// IANA number.
    pub protocol: u8,
    /// What becomes of them.
    pub change: Change,
    /// Rules that they lose, or that would let them through.
    pub rules: SetId,
}

/// A record of which the whole input tells the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WaitingChange {
    /// Interface slot.
    pub interface: u32,
    /// Of the record.
    pub direction: Direction,
    /// 6 or 17.
    pub protocol: u8,
    /// The interface's port.
    pub local: u16,
    /// The peer's port.
    pub remote: u16,
    /// Rules of its readings now: those that it waits with.
    pub sets: (SetId, SetId),
    /// Rules that each reading loses, where it would find none.
    pub lost: (Option<SetId>, Option<SetId>),
}

impl WaitingChange {
    fn told(&self) -> Told {
        Told {
            interface: self.interface,
            protocol: self.protocol,
            direction: self.direction,
            sets: self.sets,
        }
    }
}

/// Records of a row.
#[derive(Debug, Clone, Default)]
pub struct ChangedRow {
    /// By peer.
    pub peers: PeerTable,
    /// Those that show the end of their connection, by peer.
    pub closed: PeerTable,
    /// Whether some record shows TCP flags.
    pub with_flags: bool,
}

/// A record that changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Changed<'r> {
    pub(super) peer: IpAddr,
    pub(super) flow: &'r Flow<'r>,
    pub(super) tcp_flags: Option<u8>,
}

/// FIN and RST.
const ENDS: u8 = 0b101;

impl ChangedRow {
    fn add(&mut self, changed: &Changed<'_>) {
        self.peers.add(changed.peer, changed.flow);
        if let Some(flags) = changed.tcp_flags {
            self.with_flags = true;
            if flags & ENDS != 0 {
                self.closed.add(changed.peer, changed.flow);
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.peers.merge(other.peers);
        self.closed.merge(other.closed);
        self.with_flags |= other.with_flags;
    }

    fn fit(&mut self) {
        self.peers.fit(MOST_PEERS);
        self.closed.fit(MOST_PEERS);
    }
}

/// More rows than this are put together.
const MOST_ROWS: usize = 1 << 13;
/// Bits of a port that go with each rung.
const STEP: u32 = 4;
/// No port is left.
const HIGHEST: u32 = 16;

/// Rows by key and port, or by key and range of ports.
#[derive(Debug, Clone)]
struct Rows<K> {
    /// Bits of ports that are put together.
    rung: u32,
    rows: HashMap<(K, u16, u16), ChangedRow>,
}

impl<K> Default for Rows<K> {
    fn default() -> Self {
        Self { rung: 0, rows: HashMap::new() }
    }
}

impl<K: Copy + Eq + std::hash::Hash> Rows<K> {
    fn row(&mut self, key: K, ports: (u16, u16)) -> &mut ChangedRow {
        if self.rows.len() >= MOST_ROWS {
            self.fit();
        }
        let (one, other) = (widened(ports.0, self.rung), widened(ports.1, self.rung));
        self.rows.entry((key, one, other)).or_default()
    }

    fn climb_to(&mut self, rung: u32) {
        if rung <= self.rung {
            return;
        }
        self.rung = rung;
        for ((key, one, other), row) in unordered(std::mem::take(&mut self.rows)) {
            self.rows.entry((key, widened(one, rung), widened(other, rung))).or_default().merge(row);
        }
    }

    /// Puts ports together until there are few enough rows.
    fn fit(&mut self) {
        while self.rows.len() > MOST_ROWS && self.rung < HIGHEST {
            self.climb_to(self.rung + STEP);
        }
    }

    fn merge<L: Copy + Eq + std::hash::Hash>(&mut self, mut other: Rows<L>, key: impl Fn(L) -> K) {
        self.climb_to(other.rung);
        other.climb_to(self.rung);
        for ((theirs, one, two), row) in unordered(other.rows) {
            self.rows.entry((key(theirs), one, two)).or_default().merge(row);
        }
        self.fit();
    }
}

fn widened(port: u16, rung: u32) -> u16 {
    port.checked_shr(rung).unwrap_or(0).checked_shl(rung).unwrap_or(0)
}

/// What a proposal changes.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    rows: Rows<ChangeKey>,
    waiting: Rows<WaitingChange>,
    /// ACCEPTs that no rule would explain.
    pub unexplained: u64,
}

/// A row with its ports.
#[derive(Debug)]
pub struct Row<'a> {
    /// What its records have in common.
    pub key: &'a ChangeKey,
    /// First and last port.
    pub ports: (u16, u16),
    /// Its records.
    pub row: &'a ChangedRow,
}

impl Changes {
    /// Takes in a record that becomes something else, at this port.
    pub(super) fn add(&mut self, key: ChangeKey, port: u16, changed: &Changed<'_>) {
        self.rows.row(key, (port, 0)).add(changed);
    }

    /// Takes in a record that may, as its role turns out.
    pub(super) fn add_waiting(&mut self, key: WaitingChange, changed: &Changed<'_>) {
        // Its ports are in the key of the table, so that they are put together as others are.
        let WaitingChange { local, remote, .. } = key;
        self.waiting.row(WaitingChange { local: 0, remote: 0, ..key }, (local, remote)).add(changed);
    }

    /// Takes in the changes of another worker; `slots` and `sets` say what its numbers are here.
    pub(super) fn merge(&mut self, other: Self, slots: &[u32], sets: &[SetId]) {
        let set = |id: SetId| sets[id.0 as usize];
        self.rows.merge(other.rows, |key| ChangeKey {
            interface: slots[key.interface as usize],
            rules: set(key.rules),
            ..key
        });
        self.waiting.merge(other.waiting, |key| WaitingChange {
            interface: slots[key.interface as usize],
            sets: (set(key.sets.0), set(key.sets.1)),
            lost: (key.lost.0.map(set), key.lost.1.map(set)),
            ..key
        });
        self.unexplained += other.unexplained;
    }

    /// Every row, in no order, with its peers summed up.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let last = |port: u16| port | u16::MAX.checked_shr(16 - self.rows.rung.min(16)).unwrap_or(0);
        self.rows.rows.iter().map(move |((key, port, _), row)| Row { key, ports: (*port, last(*port)), row })
    }

    /// Decides the records that wait, as `waiting` tells their roles. Where ports were put together, the roles are not
    /// told any more, and the change is only possible.
    pub(super) fn settle(&mut self, waiting: &Waiting, sets: &mut SetTable) {
        let told = if self.waiting.rows.is_empty() { Roles::default() } else { Roles::of(waiting) };
        let rows = std::mem::take(&mut self.waiting);
        let exact = rows.rung == 0;
        for ((key, local, remote), row) in unordered(rows.rows) {
            let role = if exact { told.role(&key.told(), (local, remote)) } else { Role::Undecided };
            let (forward, reply) = key.lost;
            let (local_port, remote_port) = match key.direction {
                Direction::Ingress => (local, remote),
                Direction::Egress => (remote, local),
            };
            // Of either reading, the port is that of the end that was connected to.
            let change = match role {
                Role::Forward => forward.map(|lost| (Certainty::Sure, lost, local_port)),
                Role::Reply => reply.map(|lost| (Certainty::Sure, lost, remote_port)),
                Role::Undecided => match (forward, reply) {
                    (Some(lost), None) => Some((Certainty::Possible, lost, local_port)),
                    (Some(one), Some(other)) => {
                        Some((Certainty::Possible, both(sets, one, other), local_port))
                    }
                    (None, Some(lost)) => Some((Certainty::Possible, lost, remote_port)),
                    (None, None) => None,
                },
            };
            let Some((certainty, rules, port)) = change else { continue };
            let WaitingChange { interface, direction, protocol, .. } = key;
            let key = ChangeKey { interface, direction, protocol, change: Change::Blocked(certainty), rules };
            self.rows.row(key, (port, 0)).merge(row);
        }
        self.rows.fit();
        for row in self.rows.rows.values_mut() {
            row.fit();
        }
    }
}

fn both(sets: &mut SetTable, one: SetId, other: SetId) -> SetId {
    let rules: BTreeSet<RuleIndex> = sets.rules(one).iter().chain(sets.rules(other)).copied().collect();
    sets.restore(&rules.into_iter().collect::<Vec<_>>())
}

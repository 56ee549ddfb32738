//! What records add up to. Everything is an integer, a minimum, a maximum or a set; merging is independent of order.
//!
//! ```text
//!   worker 1: flows ─▶ Counter{judge} ─▶ Tally ─┐
//!   worker 2: flows ─▶ Counter{judge} ─▶ Tally ─┼─ merge ─▶ Tally ─▶ usage (lines 5 and 6 of the definition) ─▶ findings
//!   …                                            ┘
//! ```
//!
//! Slots of interfaces and numbers of sets are a worker's own; `merge` translates them.

pub mod blocked;
mod bounds;
mod cells;
pub mod changes;
pub mod counter;
pub mod coverage;
pub mod credit;
pub mod flow_logs;
pub mod hours;
pub mod inquiry;
pub mod peers;
mod roles;
pub mod scope;
pub mod selection;
pub mod tracks;
pub mod usage;
pub mod waiting;
pub mod watch;

use hashbrown::HashMap;

use crate::attribution::judge::{Role, Verdict};
use crate::attribution::sets::{SetId, SetTable};
use crate::attribution::{Basis, Drift};
use crate::rules::RuleIndex;
use blocked::Blocked;
use changes::Changes;
use coverage::{Faults, InterfaceTally, RecordCounts, Slots};
use credit::{Credit, Span};
use inquiry::Inquiry;
use tracks::Tracks;
use waiting::Waiting;
use watch::Exposure;

/// What credits are grouped by: the pair of sets is the *signature*, from which sole use, redundancy and removal follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageKey {
    /// Interface slot.
    pub interface: u32,
    /// The role that earns the credit.
    pub role: Role,
    /// Rules of the forward reading; empty where the role is reply.
    pub forward: SetId,
    /// Rules of the reply reading; empty where the role is forward.
    pub reply: SetId,
    /// Whose traffic it is.
    pub exposure: Exposure,
}

/// Two words instead of five fields: the hash is taken once a record.
impl std::hash::Hash for UsageKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let small = u64::from(self.exposure.code()) << 8 | self.role as u64;
        state.write_u64(u64::from(self.interface) << 32 | u64::from(self.forward.0));
        state.write_u64(u64::from(self.reply.0) << 32 | small);
    }
}

/// How ACCEPT records (and, where said, REJECT records) ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// ACCEPT and REJECT on interfaces of no snapshot.
    pub unknown_interface: u64,
    /// ACCEPT and REJECT on interfaces without groups.
    pub no_group: u64,
    /// ACCEPT that no known rule explains while a group is unknown.
    pub unknown_group: u64,
    /// ACCEPT and REJECT whose direction cannot be told.
    pub unknown_direction: u64,
    /// ACCEPT and REJECT that start before the first snapshot.
    pub before_first_snapshot: u64,
    /// ACCEPT on interfaces that the state in force lacks.
    pub interface_from_neighbour: u64,
    /// ACCEPT without a time.
    pub undated: u64,
    /// ACCEPT that no rule explains.
    pub unexplained: u64,
    /// The same by what may lie behind them.
    pub drift: [u64; 5],
    /// ACCEPT that a neighbouring snapshot explains.
    pub explained_by_neighbour: u64,
    /// ACCEPT by basis; those that wait are not in it yet.
    pub basis: [u64; 8],
}

impl Outcomes {
    /// Counts a basis.
    pub fn add_basis(&mut self, basis: Basis, records: u64) {
        self.basis[basis as usize] += records;
    }

    /// ACCEPTs that no rule explains, by what may lie behind them.
    pub fn drift(&self, drift: Drift) -> u64 {
        self.drift[drift as usize]
    }

    /// ACCEPTs that rules of the state in force explain.
    pub fn explained(&self) -> u64 {
        self.basis.iter().fold(0, |sum, records| sum.saturating_add(*records))
    }

    /// ACCEPTs that were held against rules.
    pub fn matched(&self) -> u64 {
        let others = [self.unexplained, self.explained_by_neighbour, self.unknown_group];
        others.iter().fold(self.explained(), |sum, records| sum.saturating_add(*records))
    }

    /// How far the rules given are those that were in force: explained ACCEPTs of those held against rules, in
    /// ten-thousandths, rounded down. None: nothing was.
    pub fn explained_share(&self) -> Option<u64> {
        let (explained, matched) = (u128::from(self.explained()), u128::from(self.matched()));
        u64::try_from((explained * 10_000).checked_div(matched)?).ok()
    }

    /// Counts ACCEPTs of this verdict, but for what their interface and time say.
    fn add(&mut self, verdict: Verdict, records: u64) {
        match verdict {
            Verdict::UnknownGroup => self.unknown_group += records,
            Verdict::Unexplained(drift) => {
                self.unexplained += records;
                self.drift[drift as usize] += records;
            }
            Verdict::Undecided { basis: None, .. } => self.explained_by_neighbour += records,
            Verdict::Decided { basis, .. } | Verdict::Undecided { basis: Some(basis), .. } => {
                self.add_basis(basis, records);
            }
            _ => {}
        }
    }

    fn merge(&mut self, other: &Self) {
        self.unknown_interface += other.unknown_interface;
        self.no_group += other.no_group;
        self.unknown_group += other.unknown_group;
        self.unknown_direction += other.unknown_direction;
        self.before_first_snapshot += other.before_first_snapshot;
        self.interface_from_neighbour += other.interface_from_neighbour;
        self.undated += other.undated;
        self.unexplained += other.unexplained;
        self.explained_by_neighbour += other.explained_by_neighbour;
        let (ours, theirs) =
            (self.basis.iter_mut().chain(&mut self.drift), other.basis.iter().chain(&other.drift));
        for (ours, theirs) in ours.zip(theirs) {
            *ours += theirs;
        }
    }
}

/// Everything that is kept of the records.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Records by kind.
    pub records: RecordCounts,
    /// When, of ACCEPT and REJECT.
    pub window: Span,
    /// Malformed rows.
    pub faults: Faults,
    /// Lines or rows per (file, part), to resolve first places.
    pub places: std::collections::BTreeMap<(u32, u32), u64>,
    /// Interface ids.
    pub slots: Slots,
    /// By interface slot.
    pub interfaces: Vec<InterfaceTally>,
    /// How records ended.
    pub outcomes: Outcomes,
    /// Sets of rules.
    pub sets: SetTable,
    /// Credits of decided and undecided records.
    pub usage: HashMap<UsageKey, Credit>,
    /// Records that the whole input may decide, and what may decide them.
    pub waiting: Waiting,
    /// Per rule: ACCEPTs that fit it in all but the peer.
    pub near: HashMap<RuleIndex, u64>,
    /// REJECTs.
    pub blocked: Blocked,
    /// On which days, at which ports and from which peers sets of rules were used.
    pub tracks: Tracks,
    /// What a proposed rule set would change.
    pub changes: Changes,
    /// What an investigation asked for.
    pub inquiry: Inquiry,
}

impl Tally {
    /// Takes in another tally of the same run.
    pub fn merge(&mut self, other: Self) {
        self.records.merge(&other.records);
        self.window.merge(other.window);
        for (fault, count) in other.faults {
            coverage::add_fault(&mut self.faults, fault, count);
        }
        self.places.extend(other.places);
        self.outcomes.merge(&other.outcomes);
        let slots: Vec<u32> = other.slots.ids().iter().map(|id| self.slots.slot(id)).collect();
        self.interfaces.resize_with(self.slots.ids().len(), InterfaceTally::default);
        for (slot, interface) in slots.iter().zip(other.interfaces) {
            self.interfaces[*slot as usize].merge(interface);
        }
        let sets = self.sets.merge(other.sets);
        let set = |id: SetId| sets[id.0 as usize];
        for (key, credit) in unordered(other.usage) {
            let interface = slots[key.interface as usize];
            let key = UsageKey { interface, forward: set(key.forward), reply: set(key.reply), ..key };
            self.usage.entry(key).or_default().merge(&credit);
        }
        self.waiting.merge(other.waiting, &slots, &sets);
        self.changes.merge(other.changes, &slots, &sets);
        for (rule, records) in unordered(other.near) {
            *self.near.entry(rule).or_default() += records;
        }
        // What is large, side by side.
        let blocked = || {
            self.blocked.merge(other.blocked, &slots);
            self.blocked.fit();
        };
        let tracks = || self.tracks.merge(other.tracks, &sets);
        rayon::join(|| self.inquiry.merge(other.inquiry, &slots, &sets), || rayon::join(blocked, tracks));
    }
}

/// Sums, minima and sets come out the same in any order; this is the one place that says so to the linter.
pub(crate) fn unordered<K, V>(map: HashMap<K, V>) -> impl Iterator<Item = (K, V)> {
    map.into_iter()
}

/// A share in ten-thousandths as a number from 0 to 1. They are exact enough in a double that the same figures always
/// print the same.
#[expect(clippy::cast_precision_loss, reason = "at most 10,000")]
pub fn fraction(share: u64) -> f64 {
    share as f64 / 10_000.0
}

//! What a run leaves so that its logs need not be read again: a tally with the snapshots, settings and files behind it.
//!
//! ```text
//! run over Monday ──▶ Ledger ─┐ + Snapshots + Terms = State ──▶ monday.state ─┐
//! run over Tuesday ─▶ Ledger ─┘                       State ──▶ tuesday.state ┼─ merge ─▶ State ─▶ settle ─▶ report
//! run over Wednesday, knowing the state so far ────── State ──────────────────┘
//! ```
//!
//! The report of merged states is, byte for byte, that of one run over all their logs with all their snapshots, in any
//! order and grouping. What would break that is refused: the same file twice, other settings, other snapshots for one
//! time, a snapshot that a state lacks although its records start after it, flow logs of which one run would have counted
//! another one.
//!
//! One thing is not as in one run, and cannot be without the logs: a snapshot that comes *after* all records of a state
//! says nothing about them any more. In one run it may still explain a record that no earlier one does, place an interface
//! that the earlier ones lack, or tell that a peer is one of our own; in a state such records stay as they were judged.
//! So give each run a snapshot taken after its logs.
//!
//! A state is one Parquet table; `columns.rs` has its form, `tables/` its rows.

mod columns;
mod deliveries;
pub mod file;
pub mod merge;
pub mod rolling;
pub mod snapshots;
mod tables;
pub mod terms;
mod words;

pub use deliveries::sum as sum_deliveries;
pub use snapshots::Snapshots;
pub use terms::Terms;

use crate::ledger::Ledger;

/// The version of the form of states and of what they mean: states of two versions do not add up. To be raised with every
/// change of either, also when records come to be judged otherwise.
pub const FORMAT: &str = "3";

/// A run, or several, as one can be continued.
#[derive(Debug, Clone)]
pub struct State {
    /// What was counted and judged by, besides logs and snapshots.
    pub terms: Terms,
    /// The snapshots that records were judged by.
    pub snapshots: Snapshots,
    /// What was counted, in which files.
    pub ledger: Ledger,
}

//! flowaudit joins VPC Flow Logs to the security-group rules that were in force, and reports which rules nobody uses, what
//! was blocked and why, and what stands open too wide.
//!
//! ```text
//! arguments, FLOWAUDIT_*, flowaudit.toml ─▶ config::layers ─▶ cli ─▶ config
//!
//! s3:// ─▶ bucket ─┐
//! log files ───────┴▶ ingest ─▶ Flow ─▶ tally::counter ─▶ Tally ─┐  one per worker (pipeline)
//!                                   │    ▲                │
//!                                   ▼    │              merge, settle
//! snapshots ─▶ rules ─▶ Timeline ─▶ attribution           │
//!                          │                              ▼
//!                          └────────────────────────▶ findings ─▶ report ─▶ render ─▶ bytes
//!
//! Tally + files (ledger) + snapshots + settings = State ◀─▶ file;  states ─▶ merge ─▶ the same report
//! ```
//!
//! - [`flow`] and [`rules`] are the nouns: one record, one rule, one state. AWS and log formats end at their borders.
//! - [`attribution`] says which rules explain a record, or what refused it. Its definition in plain loops,
//!   [`attribution::naive`], is the oracle of the fast path.
//! - [`tally`] is what records add up to: integers, minima, maxima and bounded sets, independent of order.
//! - [`findings`] judges the tally against the newest state; [`report`] is the result as a value; [`render`] writes it.
//! - [`export`] writes every record with what was found of it, as a table for databases.
//! - [`investigation`] looks into records one by one: who spoke with whom, in order of time.
//! - [`remediation`] writes the commands that a reviewer may run.
//! - [`followup`] compares with what was found before, or accepted.
//! - [`snapshot`] answers what documents say of the rules, without any log; [`capture`] makes such documents.
//! - [`state`] keeps what was counted as a file, so that runs over parts of the logs add up; [`conclude`] is the way from
//!   either to the report.
//!
//! Work returns values; only `main` prints, and states are written where they are made. The same bytes come out for any
//! number of threads, order or split of the files, and form of the logs.

pub mod analyze;
pub mod attribution;
pub mod beside;
pub mod bucket;
pub mod capture;
pub mod cli;
pub mod conclude;
pub mod config;
pub mod error;
pub mod export;
pub mod findings;
pub mod flow;
pub mod followup;
pub mod generate;
pub mod ingest;
pub mod investigation;
pub mod ledger;
pub mod pipeline;
pub mod progress;
mod reading;
pub mod remediation;
pub mod render;
pub mod replay;
pub mod report;
pub mod rules;
pub mod snapshot;
pub mod state;
pub mod tally;
pub mod time;
mod word_table;

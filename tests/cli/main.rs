//! The program from end to end: logs and snapshots in, JSON report and exit status out.
#![allow(
    clippy::format_collect,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking and says what it skips"
)]

mod blocked;
mod buckets;
mod capture;
mod cases;
mod containers;
mod coverage;
mod drift;
mod errors;
mod evidence;
mod export;
mod fixture;
mod inputs;
mod layers;
mod managed;
#[path = "../common/parquet_log.rs"]
mod parquet_log;
mod reasons;
mod regressions;
mod regressions_traffic;
#[path = "../common/shared.rs"]
mod shared;
mod snapshots;
mod stale;
mod terminal;
mod timeline;
mod unattached;
mod verdicts;

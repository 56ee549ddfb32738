//! Alibaba Cloud from end to end: flow logs as SLS delivers them and answers of ECS in, report out.
#![allow(
    dead_code,
    clippy::format_collect,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking; the fixture is shared with tests that use the rest of it"
)]

#[path = "../cli/fixture.rs"]
mod fixture;
mod guide;
mod kit;
mod logs;
mod mixed;
mod reports;
mod semantics;
mod snapshots;

//! States: what adds up, what is refused, and what a crash or a hostile file can do.
#![allow(
    clippy::format_collect,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking and says what it skips"
)]

#[path = "../common/account.rs"]
mod account;
mod command;
mod crash;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../cli/fixture.rs"]
mod fixture;
mod flow_logs;
mod hostile;
mod laws;
mod made;
mod refusals;
mod rolling;
#[path = "../common/shared.rs"]
mod shared;
mod size;

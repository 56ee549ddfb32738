//! Replay of a proposed rule set.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

#[path = "../common/account.rs"]
mod account;
mod command;
#[path = "../cli/fixture.rs"]
#[allow(dead_code, reason = "other programs use more of it")]
#[allow(clippy::print_stderr, reason = "what failed is said")]
mod fixture;
mod laws;
#[path = "../review/run.rs"]
#[allow(dead_code, reason = "other programs use more of it")]
mod run;

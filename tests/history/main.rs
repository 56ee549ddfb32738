//! Rules in time: whatever tells of a change, each record is judged by the rules that were in force, and no more is
//! claimed than was told.
#![allow(
    clippy::format_collect,
    clippy::needless_pass_by_value,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and documents are written where they are passed"
)]

#[path = "../common/account.rs"]
mod account;
mod backwards;
mod command;
mod course;
mod differences;
mod events;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../cli/fixture.rs"]
mod fixture;
mod forms;
mod items;
mod order;
mod recorded;
mod refused;
mod rule_ids;
#[path = "../common/shared.rs"]
mod shared;
mod show;
mod sides;
mod states;
mod turns;
mod undecided;
mod world;

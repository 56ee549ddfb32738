//! The readers of flow logs, through the library's own door.

#![allow(
    clippy::format_collect,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::wildcard_imports,
    reason = "a test fails by panicking and says what it skips"
)]

mod columns;
mod containers;
mod finding;
mod hostile;
mod objects;
mod parts;
mod quick;
mod quick_hostile;
mod quick_parquet;
mod rows;
#[path = "../common/shared.rs"]
mod shared;
mod support;
mod text;
mod third_party;

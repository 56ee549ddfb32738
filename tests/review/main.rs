//! The rule clean-up review: what is superfluous, and what can go together.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

#[path = "../common/account.rs"]
mod account;
mod covers;
mod exchange;
#[path = "../cli/fixture.rs"]
#[allow(clippy::print_stderr, reason = "what failed is said")]
#[allow(dead_code, reason = "other programs use more of it")]
mod fixture;
mod followup;
mod formats;
mod regressions;
mod remediation;
mod removal;
mod run;
mod series;
mod wider;
mod words;

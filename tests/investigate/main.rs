//! `flowaudit investigate`: who spoke with whom, in order of time.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

#[path = "../cli/fixture.rs"]
#[allow(clippy::print_stderr, reason = "what failed is said")]
#[allow(dead_code, reason = "other programs use more of it")]
mod fixture;

mod conversations;
mod filters;
mod firsts;
#[path = "../common/parquet_log.rs"]
mod parquet_log;
mod patterns;
mod row_groups;
mod sample;

use fixture::Fixture;
use serde_json::Value;

/// The answer to a question about `log` and `snap`.
fn ask(fixture: &Fixture, question: &[&str]) -> Value {
    let arguments = [&["investigate", "log", "--snapshot", "snap", "--format", "json"], question].concat();
    let run = fixture.run(&arguments);
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""), "{question:?}");
    serde_json::from_slice(&run.stdout).unwrap()
}

/// `2026-01-01T00:01:00Z eni-a peer 10.0.0.9:40000 > 10.0.0.5:443 1+1/0`: when, where, who opened it, from whom to whom,
/// accepted in and out, refused.
fn lines(answer: &Value) -> Vec<String> {
    let row = |row: &Value| {
        let text = |key: &str| row[key].as_str().unwrap_or("?").to_owned();
        let own = format!("{}:{}", text("address"), row["local_port"]);
        let peer = format!("{}:{}", text("peer"), row["peer_port"]);
        let (from, to) = if text("opened_by") == "interface" { (own, peer) } else { (peer, own) };
        format!(
            "{} {} {} {from} > {to} {}/{}",
            text("first_seen"),
            text("interface_id"),
            text("opened_by"),
            row["accepted"],
            row["rejected"]
        )
    };
    answer["conversations"].as_array().unwrap().iter().map(row).collect()
}

//! flowaudit: VPC Flow Logs joined to the security-group rules in force.

pub mod attribution;
pub mod error;
pub mod findings;
pub mod flow;
pub mod ingest;
pub mod rules;
pub mod tally;
pub mod time;

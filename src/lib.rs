//! flowaudit: VPC Flow Logs joined to the security-group rules in force.

pub mod flow;
pub mod ingest;

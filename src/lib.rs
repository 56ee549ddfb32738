//! flowaudit joins VPC Flow Logs to the security-group rules in force.
pub mod analyze;
pub mod attribution;
pub mod cli;
pub mod config;
pub mod error;
pub mod findings;
pub mod flow;
pub mod generate;
pub mod ingest;
pub mod pipeline;
pub mod progress;
pub mod render;
pub mod report;
pub mod rules;
pub mod tally;
pub mod time;

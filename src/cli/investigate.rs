//! `flowaudit investigate`.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ipnet::IpNet;

use super::{Color, EXIT_STATUS, FailOn, Input};
use crate::flow::Action;

/// `flowaudit investigate`.
///
/// Of several values of one filter any fits; different filters must all fit.
#[derive(Debug, Args)]
#[command(after_help = EXIT_STATUS)]
pub struct Investigate {
    /// What is read.
    #[command(flatten)]
    pub input: Input,
    /// Records with this address, or one in this range, at either end
    #[arg(long, value_name = "ADDRESS", value_parser = crate::investigation::address)]
    pub address: Vec<IpNet>,
    /// Records of this interface
    #[arg(long, value_name = "ID")]
    pub interface: Vec<String>,
    /// Records of interfaces that had this group
    #[arg(long, value_name = "ID")]
    pub group: Vec<String>,
    /// Records with this port, or one in this range (8000-8099), at either end
    #[arg(long, value_name = "PORT", value_parser = crate::investigation::port)]
    pub port: Vec<RangeInclusive<u16>>,
    /// Records that were let through, or refused
    #[arg(long, value_enum, value_name = "WHAT")]
    pub action: Option<ActionFilter>,
    /// One hop further: who else spoke with those in contact, afterwards, on the same port (reads the logs twice)
    #[arg(long)]
    pub follow: bool,
    /// Leave out row groups of Parquet that cannot hold what is asked for: faster, but who opened a connection, what counts
    /// twice, what is new and the coverage are told by the others (how many records that leaves out is said)
    #[arg(long)]
    pub skip_row_groups: bool,
    /// Also write every matching record with its rules, role and cause, as Parquet for databases (reads the logs twice)
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// A source that tries so many ports of one target scans it
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub scan_ports: u64,
    /// A source that tries one port of so many targets sweeps them
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub sweep_targets: u64,
    /// So many bytes out in one conversation are a large transfer, if they are ten times what is usual too
    #[arg(long, value_name = "BYTES", default_value_t = 100_000_000)]
    pub large_transfer: u64,
    /// So many calls at the same interval are a beacon
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub beacon_times: u64,
    /// A peer or a port is new if the interface was seen for so long without it (such as 1d, 12h)
    #[arg(long, value_name = "PERIOD", default_value = "1d", value_parser = super::period)]
    pub new_after: i64,
    /// Where more than so many peers of an interface are new, new ones are what it is there for
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub new_most: u64,
    /// Options (TOML) [default: flowaudit.toml in the working folder, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How to write the answer
    #[arg(long, value_enum, default_value_t = InvestigationFormat::Text)]
    pub format: InvestigationFormat,
    /// Write the answer to FILE instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Exit with 1 if there is a finding this severe or worse
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// Rows per table in the text (0: all)
    #[arg(long, value_name = "ROWS", default_value_t = 50)]
    pub limit: usize,
    /// No progress and no warnings
    #[arg(long, short)]
    pub quiet: bool,
    /// Colour in the text
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

/// `investigate --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InvestigationFormat {
    /// For people: a summary, then what it looks like, then what came in order of time
    Text,
    /// For programs: everything
    Json,
    /// For spreadsheets: the conversations
    Csv,
    /// For reading: one page that needs no network, with a chart of what came when
    Html,
}

/// `investigate --action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ActionFilter {
    /// Let through
    Accept,
    /// Refused
    Reject,
}

impl From<ActionFilter> for Action {
    fn from(action: ActionFilter) -> Self {
        match action {
            ActionFilter::Accept => Self::Accept,
            ActionFilter::Reject => Self::Reject,
        }
    }
}

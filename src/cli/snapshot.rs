//! `flowaudit snapshot`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Access, AnswerOptions, time};
use crate::rules::state::Cloud;

/// `flowaudit snapshot`.
#[derive(Debug, Args)]
pub struct Snapshot {
    /// What to do.
    #[command(subcommand)]
    pub command: SnapshotCommand,
}

/// What to do with documents.
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// What documents hold, from when to when, and what is missing
    Check {
        /// Documents, each in force since TIME (RFC 3339)
        #[arg(value_name = "[TIME=]PATH", required = true)]
        paths: Vec<String>,
        /// Where and how.
        #[command(flatten)]
        answer: AnswerOptions,
        /// Buckets.
        #[command(flatten)]
        access: Access,
    },
    /// Rules, memberships and more that B has and A has not, and the other way round
    ///
    /// The newest state of each is compared. Of a Terraform plan, A is what is there now and B what is proposed; a plan
    /// alone is compared with itself.
    Diff {
        /// The first; or a Terraform plan
        #[arg(value_name = "A")]
        first: String,
        /// The second
        #[arg(value_name = "B")]
        second: Option<String>,
        /// Where and how.
        #[command(flatten)]
        answer: AnswerOptions,
        /// Buckets.
        #[command(flatten)]
        access: Access,
    },
    /// The state at a time, as the describe-* calls would have answered (JSON)
    Show {
        /// Documents, each in force since TIME (RFC 3339)
        #[arg(value_name = "[TIME=]PATH", required = true)]
        paths: Vec<String>,
        /// When; the newest state if not given
        #[arg(long, value_name = "TIME", value_parser = time)]
        at: Option<i64>,
        /// Write to FILE instead of standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Buckets.
        #[command(flatten)]
        access: Access,
    },
    /// Take a snapshot now, by read-only calls of the installed aws (or aliyun) command
    #[command(after_help = CAPTURE_STATUS)]
    Capture(Capture),
}

const CAPTURE_STATUS: &str = "Exit status: 0 done; 2 could not do the job; 3 done, but some calls had no answer: the manifest says which.";

/// `flowaudit snapshot capture`.
#[derive(Debug, Args)]
pub struct Capture {
    /// Folder in which a new one is made, named by the time
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Profile of the command; several for several accounts
    #[arg(long, value_name = "NAME")]
    pub profile: Vec<String>,
    /// Regions, or all [default: the one that is configured]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub region: Vec<String>,
    /// Roles to take on, one for each account
    #[arg(long, value_name = "ARN", num_args = 1..)]
    pub role: Vec<String>,
    /// Whose command is run
    #[arg(long, value_enum, default_value_t)]
    pub cloud: CaptureCloud,
    /// Show what would be run, and run nothing
    #[arg(long, conflicts_with = "print_policy")]
    pub print_commands: bool,
    /// Show the least policy that allows it
    #[arg(long)]
    pub print_policy: bool,
}

/// Whose rules are captured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum CaptureCloud {
    /// Amazon Web Services, by aws
    #[default]
    Aws,
    /// Alibaba Cloud, by aliyun
    Alibaba,
}

impl From<CaptureCloud> for Cloud {
    fn from(cloud: CaptureCloud) -> Self {
        match cloud {
            CaptureCloud::Aws => Self::Aws,
            CaptureCloud::Alibaba => Self::Alibaba,
        }
    }
}

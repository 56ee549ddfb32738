//! The command line. Doc comments are the help.

mod bucket;
mod investigate;
mod snapshot;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::findings::Severity;
pub use bucket::Access;
pub use investigate::{ActionFilter, Investigate, InvestigationFormat};
pub use snapshot::{Capture, CaptureCloud, Snapshot, SnapshotCommand};

/// Joins VPC Flow Logs to the security-group rules in force: which rules nobody uses, what was blocked and why, what
/// stands open too wide.
#[derive(Debug, Parser)]
#[command(name = "flowaudit", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Report unused rules, blocked attempts and over-broad openings
    Analyze(Box<Analyze>),
    /// What one address, interface, group or port did, in order of time
    Investigate(Box<Investigate>),
    /// What a proposed rule set would have blocked, or opened
    Replay(Box<Replay>),
    /// Report on several states as one run over all their logs would
    Merge(Merge),
    /// Report on states without reading logs or snapshots again
    Report(StateReport),
    /// Which findings of two reports (JSON) are new, fixed, still open
    Diff(Diff),
    /// What snapshots, AWS Config, CloudTrail and Terraform documents say of the rules
    Snapshot(Snapshot),
    /// Make up a small account: flow logs in three forms and their snapshot
    Generate(Generate),
    /// Options from variables and the configuration file
    Config(Configuration),
    /// What a shell completes: a script for it
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// The manual, as man reads it
    Man {
        /// The page of a command (flowaudit man snapshot capture)
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
        /// Write all pages into a folder instead
        #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
        out: Option<PathBuf>,
    },
}

/// `flowaudit config`.
#[derive(Debug, Args)]
pub struct Configuration {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every option with its value, and where that comes from: a variable, a file, or the default
    Show {
        /// The file, instead of flowaudit.toml in the working folder
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Where and how.
        #[command(flatten)]
        answer: AnswerOptions,
    },
}

const EXIT_STATUS: &str = "Exit status: 0 done; 1 done, and a finding at or above --fail-on; 2 could not do the job; \
                           3 done, but part of the input could not be read.";

/// `flowaudit analyze`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_STATUS)]
pub struct Analyze {
    /// What is read.
    #[command(flatten)]
    pub input: Input,
    /// Which ports are sensitive
    #[arg(long, value_name = "NAME", value_parser = crate::findings::ports::PROFILES)]
    pub port_profile: Option<String>,
    /// A rule not seen in a shorter window is trusted less (such as 90d, 12w)
    #[arg(long, value_name = "PERIOD", value_parser = period)]
    pub review_period: Option<i64>,
    /// At most so many narrower rules are proposed in place of one that is wider than it was used [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=60))]
    pub max_rules_per_rule: Option<u64>,
    /// Also write a state: what was counted, to merge it or to report on it again without the logs
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    pub save_state: Option<PathBuf>,
    /// Add the logs to this state, skip those that it has, and report on all of it; a new one if there is none yet
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Write commands that take away the rules of the removal set, and that put them back; nothing is executed
    #[arg(long, value_name = "FOLDER")]
    pub remediation: Option<PathBuf>,
    /// Also write every record with its rules, role and cause, as Parquet for databases (reads the logs twice)
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    pub export: Option<PathBuf>,
    /// The report.
    #[command(flatten)]
    pub report: ReportOptions,
}

/// What a run reads.
#[derive(Debug, Args)]
pub struct Input {
    /// Flow logs: files, folders, globs, or - for standard input; `s3://BUCKET/PREFIX`, `oss://BUCKET/PREFIX`
    #[arg(value_name = "LOG")]
    pub logs: Vec<String>,
    /// Rules: a JSON file or folder as the AWS CLI writes them, optionally in force since TIME (RFC 3339)
    #[arg(long, value_name = "[TIME=]PATH", num_args = 1..)]
    pub snapshot: Vec<String>,
    /// Only records that start at or after TIME (RFC 3339 or a date)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<i64>,
    /// Only records that start before TIME
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<i64>,
    /// Only logs of this account, as far as folders and names of the S3 layout say; it is the account of findings, too,
    /// where no document says one (asff, ocsf)
    #[arg(long, value_name = "ID")]
    pub account: Vec<String>,
    /// Only logs of this region; also of findings where no document says one
    #[arg(long, value_name = "NAME")]
    pub region: Vec<String>,
    /// Columns of log files without a header line, as its `LogFormat` names them
    #[arg(long, value_name = "FORMAT")]
    pub fields: Option<String>,
    /// Where several flow logs deliver the same interface, count this one
    #[arg(long, value_name = "ID")]
    pub flow_log: Vec<String>,
    /// Worker threads (0: one per core)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Buckets.
    #[command(flatten)]
    pub access: Access,
}

/// `flowaudit replay`.
#[derive(Debug, Args)]
#[command(after_help = REPLAY_STATUS)]
pub struct Replay {
    /// What is read.
    #[command(flatten)]
    pub input: Input,
    /// The rules proposed: a snapshot, a Terraform plan (show -json), or a list of rules to remove (a rule key or id per
    /// line, `+ KEY` for a rule to put in; or a report with its removal set)
    #[arg(long, value_name = "PATH")]
    pub proposed: PathBuf,
    /// Options (TOML) [default: flowaudit.toml in the working folder, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How to write the answer
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Write the answer to FILE instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write commands that take away the rules of the list proposed, and that put them back; nothing is executed
    #[arg(long, value_name = "FOLDER")]
    pub remediation: Option<PathBuf>,
    /// Exit with 1 if the proposal would block what was let through, or open what was refused
    #[arg(long, value_enum, value_name = "WHAT")]
    pub fail_on: Option<ReplayFailOn>,
    /// Rows per table in the text (0: all)
    #[arg(long, value_name = "ROWS", default_value_t = 20)]
    pub limit: usize,
    /// No progress and no warnings
    #[arg(long, short)]
    pub quiet: bool,
    /// Colour in the text
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

/// `replay --fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayFailOn {
    /// Some record would be blocked, surely or possibly
    Blocked,
    /// Some record would be blocked, or some refused one let through
    Changed,
}

const REPLAY_STATUS: &str = "Exit status: 0 done; 1 done, and --fail-on says so; 2 could not do the job; 3 done, but part \
                             of the input could not be read.";

/// `flowaudit merge`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_STATUS)]
pub struct Merge {
    /// States that analyze --save-state or --state wrote, in any order
    #[arg(value_name = "STATE", required = true)]
    pub states: Vec<PathBuf>,
    /// Also write the merged state
    #[arg(long, value_name = "FILE")]
    pub save_state: Option<PathBuf>,
    /// Whose findings.
    #[command(flatten)]
    pub owner: Owner,
    /// The report.
    #[command(flatten)]
    pub report: ReportOptions,
}

/// `flowaudit report`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_STATUS)]
pub struct StateReport {
    /// States that analyze --save-state or --state wrote, in any order
    #[arg(value_name = "STATE", required = true)]
    pub states: Vec<PathBuf>,
    /// Whose findings.
    #[command(flatten)]
    pub owner: Owner,
    /// The report.
    #[command(flatten)]
    pub report: ReportOptions,
}

/// Whose findings they are, where no document says it.
#[derive(Debug, Clone, Default, Args)]
pub struct Owner {
    /// Account of findings where no document says it (asff, ocsf)
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Region of findings where no document says it (asff, ocsf)
    #[arg(long, value_name = "NAME")]
    pub region: Option<String>,
}

impl Owner {
    /// That of the logs, if they are of one account and region.
    pub fn of(input: &Input) -> Self {
        let one = |chosen: &[String]| match chosen {
            [one] => Some(one.clone()),
            _ => None,
        };
        Self { account: one(&input.account), region: one(&input.region) }
    }
}

/// `flowaudit diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// The older report
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// The newer report
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// Where and how.
    #[command(flatten)]
    pub answer: AnswerOptions,
}

/// How an answer is written.
#[derive(Debug, Args)]
pub struct AnswerOptions {
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Write it to FILE instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// How a report is written.
#[derive(Debug, Args)]
pub struct ReportOptions {
    /// Settings and options (TOML) [default: flowaudit.toml in the working folder, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How to write the report: text, json, html, markdown, csv=FOLDER, or its findings alone as sarif, ocsf, asff or ndjson;
    /// given several times, each with a place of its own
    #[arg(long, value_name = "FORMAT[=PATH]", value_parser = target)]
    pub format: Vec<Target>,
    /// Write the report to FILE instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Exit with 1 if there is a finding this severe or worse
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// Findings that are accepted, why and until when (TOML: `[[suppress]]` with id or kind, `group_id`,
    /// `rule_key`, `interface_id`; reason; expires)
    #[arg(long, value_name = "FILE")]
    pub suppress: Option<PathBuf>,
    /// Show accepted findings too, marked as such
    #[arg(long, requires = "suppress")]
    pub show_suppressed: bool,
    /// Only findings that this report (JSON) has not, or has as less severe
    #[arg(long, value_name = "REPORT")]
    pub baseline: Option<PathBuf>,
    /// Rows per table in the text report (0: all)
    #[arg(long, value_name = "ROWS", default_value_t = 20)]
    pub limit: usize,
    /// No progress and no warnings
    #[arg(long, short)]
    pub quiet: bool,
    /// Colour in the text report
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

impl ReportOptions {
    /// Files that the report is written to.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        if self.format.is_empty() {
            files.extend(self.output.clone());
        }
        for Target { format, path } in &self.format {
            match (format, path.as_ref().or(self.output.as_ref())) {
                (ReportFormat::Csv, Some(folder)) => {
                    files.extend(crate::render::csv::FILES.iter().map(|(name, _)| folder.join(name)));
                }
                (_, path) => files.extend(path.cloned()),
            }
        }
        files
    }
}

/// `flowaudit generate`.
#[derive(Debug, Args)]
pub struct Generate {
    /// Folder to write into
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// The same seed makes the same bytes
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Whose account to make up
    #[arg(long, value_enum, default_value_t)]
    pub cloud: crate::generate::Cloud,
}

/// How to write a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: a summary, then tables, worst first
    Text,
    /// For programs: everything
    Json,
}

/// How a report is written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// How.
    pub format: ReportFormat,
    /// None: where `--output` says, else to standard output.
    pub path: Option<PathBuf>,
}

/// How to write a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// For people: a summary, then tables, worst first.
    Text,
    /// For programs: everything.
    Json,
    /// For a ticket.
    Markdown,
    /// For spreadsheets: a folder of tables.
    Csv,
    /// For reading: one page that needs no network.
    Html,
    /// For code scanning: SARIF 2.1.0, at the lines of the snapshots.
    Sarif,
    /// For a data lake: OCSF 1.6.0, a finding to a line.
    Ocsf,
    /// For AWS Security Hub: batches of findings, one to a line.
    Asff,
    /// For a log pipeline: the findings of the JSON report, one to a line.
    Ndjson,
}

fn target(text: &str) -> Result<Target, String> {
    let (name, path) = match text.split_once('=') {
        Some((name, path)) if !path.is_empty() => (name, Some(PathBuf::from(path))),
        Some((name, _)) => return Err(format!("expected a path behind {name}=")),
        None => (text, None),
    };
    let format = match name {
        "text" => ReportFormat::Text,
        "json" => ReportFormat::Json,
        "markdown" => ReportFormat::Markdown,
        "csv" => ReportFormat::Csv,
        "html" => ReportFormat::Html,
        "sarif" => ReportFormat::Sarif,
        "ocsf" => ReportFormat::Ocsf,
        "asff" => ReportFormat::Asff,
        "ndjson" => ReportFormat::Ndjson,
        _ => {
            return Err("expected text, json, html, markdown, csv, sarif, ocsf, asff or ndjson, each with =PATH behind \
                        it or not"
                .to_owned());
        }
    };
    Ok(Target { format, path })
}

/// `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the severities by name")]
pub enum FailOn {
    Critical,
    High,
    Medium,
    Low,
    Info,
}

impl From<FailOn> for Severity {
    fn from(level: FailOn) -> Self {
        match level {
            FailOn::Critical => Self::Critical,
            FailOn::High => Self::High,
            FailOn::Medium => Self::Medium,
            FailOn::Low => Self::Low,
            FailOn::Info => Self::Info,
        }
    }
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

fn time(text: &str) -> Result<i64, String> {
    crate::time::parse(text)
        .ok_or_else(|| "expected RFC 3339, such as 2026-01-31T00:00:00Z, or a date".to_owned())
}

/// `90d`, `12w`, `36h`.
pub fn period(text: &str) -> Result<i64, String> {
    let expected =
        || format!("expected a number of days, weeks or hours, such as 90d, 12w or 36h, found \"{text}\"");
    let unit = text.chars().last().ok_or_else(expected)?;
    let seconds = match unit {
        'd' => 86_400,
        'w' => 7 * 86_400,
        'h' => 3600,
        _ => return Err(expected()),
    };
    let number: i64 = text[..text.len() - 1].parse().map_err(|_| expected())?;
    number.checked_mul(seconds).filter(|seconds| *seconds >= 0).ok_or_else(expected)
}

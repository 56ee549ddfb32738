//! `flowaudit analyze`: from arguments to a report.

use std::collections::BTreeSet;
use std::path::Path;

use crate::attribution::index::Index;
use crate::cli::Analyze;
use crate::config::Config;
use crate::error::Error;
use crate::ingest::{self, Layout, ReadOptions, Source};
use crate::pipeline::{self, Outcome};
use crate::progress::{self, Show};
use crate::report::build::{self, Run};
use crate::report::{Failure, Report};
use crate::rules::load::{self, DocumentNote};
use crate::rules::timeline::Timeline;
use crate::tally::counter::{Brief, Progress};
use crate::tally::selection::{Duplicate, Selection};
use crate::tally::watch::PortWatch;

/// Reads the logs and the snapshots and reports on them.
///
/// # Errors
/// See [`Error`]: a missing input, a broken snapshot, or no log that could be read.
pub fn analyze(arguments: &Analyze) -> Result<Report, Error> {
    let config = Config::of(arguments)?;
    require_logs(arguments)?;
    let loaded = load::load(&required_snapshots(arguments)?)?;
    refuse_empty_snapshots(arguments, &loaded.documents)?;
    let timeline = Timeline::build(loaded.snapshots);
    let watch = PortWatch::new(config.settings.profile.services())?;
    let index = Index::build(&timeline);
    let mut found = ingest::find(&arguments.logs).map_err(|failure| Error::Input(failure.to_string()))?;
    leave_out_snapshots(&mut found.sources, &loaded.documents, arguments.output.as_deref());
    let flow_logs = FlowLogs::of(&found.sources);
    let progress = Progress::default();
    let total = found.sources.iter().map(|source| source.bytes).sum();
    let options = ReadOptions { fields: fields(arguments)?, ..ReadOptions::default() };
    let read = |selection: &Selection, pick: fn(&Source) -> bool| {
        let brief = Brief {
            timeline: &timeline,
            index: &index,
            watch: &watch,
            since: arguments.since,
            until: arguments.until,
            selection,
            progress: &progress,
        };
        pipeline::run(&found.sources, pick, &flow_logs.of_source, &options, arguments.threads, &brief)
    };
    let show = if arguments.quiet { Show::Never } else { Show::OnTerminal };
    let preferred = flow_logs.numbers(&arguments.flow_log)?;
    let (mut outcome, duplicates) = progress::follow(show, total, &progress, || {
        read_once_or_twice(&found.sources, &flow_logs, &preferred, read)
    })?;
    outcome.failures.extend(found.failures.into_iter().map(failure));
    outcome.failures.sort();
    refuse_nothing(arguments, &found.sources, &outcome)?;
    outcome.tally.settle();
    let files: Vec<String> = found.sources.iter().map(|source| source.name.clone()).collect();
    Ok(build::report(&Run {
        timeline: &timeline,
        documents: &loaded.documents,
        tally: &outcome.tally,
        files: &files,
        files_read: outcome.files_read,
        failures: &outcome.failures,
        flow_logs: &flow_logs.names,
        duplicates: &duplicates,
        settings: &config.settings,
        watch: &watch,
    }))
}

/// A folder may hold logs and the snapshot: what was read as a snapshot is no log that could not be read.
/// Nor is the last run's report.
fn leave_out_snapshots(sources: &mut Vec<Source>, documents: &[DocumentNote], output: Option<&Path>) {
    let understood = documents.iter().filter(|document| document.left_aside.is_none());
    let documents = understood.map(|document| Path::new(&document.file));
    let paths: BTreeSet<_> =
        documents.chain(output).filter_map(|path| std::fs::canonicalize(path).ok()).collect();
    sources.retain(|source| {
        let path = source.path.as_ref().and_then(|path| std::fs::canonicalize(path).ok());
        path.is_none_or(|path| !paths.contains(&path))
    });
}

fn failure((file, failure): (String, ingest::FileFailure)) -> Failure {
    Failure { file, error: failure.to_string() }
}

/// Where several flow logs deliver the same interface at the same time, a second pass over the files counts one of them.
/// A pipe can be read only once, and its records are of no flow log that is known.
fn read_once_or_twice(
    sources: &[Source],
    flow_logs: &FlowLogs,
    preferred: &[u32],
    read: impl Fn(&Selection, fn(&Source) -> bool) -> Result<Outcome, Error>,
) -> Result<(Outcome, Vec<Duplicate>), Error> {
    let all = Selection::none(flow_logs.differ());
    let mut outcome = read(&all, |source| !source.is_pipe())?;
    let selection = Selection::of(&outcome.tally, preferred);
    if !selection.is_empty() {
        outcome = read(&selection, |source| !source.is_pipe())?;
    }
    if sources.iter().any(Source::is_pipe) {
        outcome.merge(read(&all, Source::is_pipe)?);
    }
    let duplicates = selection.duplicates(&outcome.tally);
    Ok((outcome, duplicates))
}

/// Numbers of the flow logs that the object names tell; 0 is "not known".
#[derive(Debug)]
struct FlowLogs {
    names: Vec<String>,
    of_source: Vec<u32>,
}

impl FlowLogs {
    fn of(sources: &[Source]) -> Self {
        let ids: BTreeSet<&str> = sources.iter().filter_map(|source| source.flow_log.as_deref()).collect();
        let names: Vec<String> = std::iter::once("").chain(ids).map(str::to_owned).collect();
        let number =
            |id: &str| names.iter().zip(0..).find(|(name, _)| *name == id).map_or(0, |(_, number)| number);
        let of_source = sources.iter().map(|source| source.flow_log.as_deref().map_or(0, number)).collect();
        Self { names, of_source }
    }

    /// Whether the files come from more than one flow log, or from one and from files that do not tell.
    fn differ(&self) -> bool {
        self.of_source.iter().any(|number| Some(number) != self.of_source.first())
    }

    fn numbers(&self, chosen: &[String]) -> Result<Vec<u32>, Error> {
        let number = |id: &String| {
            let found = self.names.iter().zip(0..).skip(1).find(|(name, _)| *name == id);
            found.map(|(_, number)| number).ok_or_else(|| {
                let known = if self.names.len() > 1 { self.names[1..].join(", ") } else { "none".to_owned() };
                Error::Usage(format!(
                    "--flow-log {id}: no log file of this flow log; the file names tell: {known}"
                ))
            })
        };
        chosen.iter().map(number).collect()
    }
}

/// `--snapshot` takes every path that follows it, so logs that come after it are taken for snapshots.
fn require_logs(arguments: &Analyze) -> Result<(), Error> {
    if !arguments.logs.is_empty() {
        return Ok(());
    }
    let hint = if arguments.snapshot.len() > 1 {
        "; every path after --snapshot is a snapshot, so give the logs first"
    } else {
        ""
    };
    Err(Error::Usage(format!("no flow logs given: flowaudit analyze LOG... --snapshot PATH{hint}")))
}

fn required_snapshots(arguments: &Analyze) -> Result<Vec<String>, Error> {
    if arguments.snapshot.is_empty() {
        return Err(Error::Usage(
            "no rules given: --snapshot PATH takes a folder with what these commands write:\n  \
             aws ec2 describe-security-groups > security-groups.json\n  \
             aws ec2 describe-network-interfaces --include-managed-resources > network-interfaces.json"
                .to_owned(),
        ));
    }
    Ok(arguments.snapshot.clone())
}

/// Without a single document that was understood there is nothing to judge by.
fn refuse_empty_snapshots(arguments: &Analyze, documents: &[DocumentNote]) -> Result<(), Error> {
    if documents.iter().any(|document| document.left_aside.is_none()) {
        return Ok(());
    }
    let paths = arguments.snapshot.join(", ");
    let shown = documents.iter().take(5).map(|document| {
        let why = document.left_aside.as_deref().unwrap_or_default();
        format!("\n  {}: {why}", document.file)
    });
    let shown: String = shown.collect();
    Err(Error::Input(format!(
        "{paths}: no snapshot; expected the answers of aws ec2 describe-security-groups, \
         describe-network-interfaces and so on{shown}"
    )))
}

fn fields(arguments: &Analyze) -> Result<Option<Layout>, Error> {
    let layout = arguments.fields.as_deref().map(Layout::parse_format).transpose();
    layout.map_err(|error| Error::Usage(format!("--fields: {error}")))
}

/// Nothing to report on is an error, and says what was found instead.
fn refuse_nothing(arguments: &Analyze, sources: &[Source], outcome: &Outcome) -> Result<(), Error> {
    let advice = "expected VPC Flow Logs: text, gz or Parquet as delivered to S3 \
                  (AWSLogs/<account>/vpcflowlogs/…), CloudWatch Logs exports, or Athena CSV";
    if sources.is_empty() && outcome.failures.is_empty() {
        return Err(Error::Input(format!("{}: holds no files; {advice}", arguments.logs.join(", "))));
    }
    let counts = &outcome.tally.records;
    let rows = counts.accepted + counts.rejected + counts.no_data + counts.skip_data + counts.outside_window;
    if outcome.files_read > 0 || rows > 0 {
        return Ok(());
    }
    let shown =
        outcome.failures.iter().take(5).map(|failure| format!("\n  {}: {}", failure.file, failure.error));
    let more = outcome.failures.len().saturating_sub(5);
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    Err(Error::Input(format!("no readable flow log; {advice}:{}{more}", shown.collect::<String>())))
}

//! Logs and the rules to judge them by → what reading them left: shared by all commands over logs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::attribution::index::Index;
use crate::bucket;
use crate::bucket::layout::{Choice, What};
use crate::cli::{Access, Input};
use crate::error::Error;
use crate::export;
use crate::findings::settings::Settings;
use crate::ingest::{self, FileFailure, Found, Layout, LeftOut, Location, ReadOptions, Source};
use crate::ledger::Ledger;
use crate::pipeline::{self, Outcome};
use crate::progress::{self, Show};
use crate::report::Failure;
use crate::rules::load::{self, Loaded};
use crate::rules::timeline::Timeline;
use crate::state::rolling::News;
use crate::state::{Snapshots, Terms, sum_deliveries};
use crate::tally::changes::Proposed;
use crate::tally::counter::{Brief, Progress, Services};
use crate::tally::coverage::{Deliveries, InterfaceTally};
use crate::tally::flow_logs::FlowLogs;
use crate::tally::inquiry::{Asking, Sought};
use crate::tally::selection::{self, Selection};
use crate::tally::waiting::Decisions;
use crate::tally::watch::PortWatch;
use crate::time::Window;

/// What is kept of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The report alone.
    Report,
    /// A state, that other runs may be put beside.
    State,
}

/// Which row groups of Parquet are read where some records are looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowGroups {
    /// All: what is told of a record may depend on any other.
    All,
    /// Those that may hold some of these records.
    Matching,
}

/// What logs are judged by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct By<'a> {
    /// Settings of the run.
    pub(crate) terms: &'a Terms,
    /// The states.
    pub(crate) timeline: &'a Timeline,
    /// The same with the rules that a proposal has in place of theirs.
    pub(crate) proposed: Option<&'a Timeline>,
    /// Which records are looked into one by one.
    pub(crate) sought: Option<&'a Sought>,
    /// Which row groups are read for that.
    pub(crate) row_groups: RowGroups,
    /// Where every record is written to, with what was found of it.
    pub(crate) export: Option<&'a export::Place>,
    /// Whether the progress is shown.
    pub(crate) show: Show,
}

/// What is settled of a run before anything is read.
pub(crate) fn terms(input: &Input, settings: Settings) -> Terms {
    Terms {
        settings,
        since: input.since,
        until: input.until,
        fields: input.fields.clone(),
        flow_logs: input.flow_log.clone(),
    }
}

/// The logs that are chosen: on this machine and in buckets.
///
/// # Errors
/// One that was named and is not there, or cannot be listed.
pub(crate) fn find(input: &Input) -> Result<Found, Error> {
    let wrong = |failure: FileFailure| Error::Input(failure.to_string());
    let choice = Choice {
        accounts: input.account.clone(),
        regions: input.region.clone(),
        window: Window { since: input.since, until: input.until },
        what: What::FlowLogs,
    };
    let (far, near): (Vec<&String>, Vec<&String>) =
        input.logs.iter().partition(|log| bucket::is_address(log));
    let mut found = Found::default();
    if !near.is_empty() {
        let near: Vec<String> = near.into_iter().cloned().collect();
        found = ingest::find(&near).map_err(wrong)?;
        let met = found.sources.len();
        // Times are told by the records: what lies here is read anyway.
        let place = Choice { window: Window::ALL, ..choice.clone() };
        found.sources.retain(|source| place.takes(&source.name));
        found.left_out.files += (met - found.sources.len()) as u64;
    }
    if !far.is_empty() {
        let far: Vec<&str> = far.into_iter().map(String::as_str).collect();
        let Found { sources, failures, left_out } =
            bucket::find(&far, &input.access, &choice).map_err(wrong)?;
        found.sources.extend(sources);
        found.failures.extend(failures);
        found.left_out.merge(left_out);
        found.sources.sort_by(|a, b| a.name.cmp(&b.name));
        // Addresses may overlap.
        found.sources.dedup_by(|a, b| a.name == b.name && matches!(a.location, Location::Object(_)));
    }
    Ok(found)
}

/// A place for `--export`.
///
/// # Errors
/// It cannot be written to, or something else is.
pub(crate) fn export<'a>(
    path: Option<&Path>,
    others: impl IntoIterator<Item = &'a Path>,
) -> Result<Option<export::Place>, Error> {
    let Some(path) = path else { return Ok(None) };
    if others.into_iter().any(|other| other == path) {
        return Err(Error::Usage(format!(
            "--export {}: something else is to be written there",
            path.display()
        )));
    }
    export::Place::open(path).map(Some)
}

const TWICE: &str =
    "--export reads the logs twice, which standard input and pipes cannot be: give files or folders";

/// The documents of these arguments, `[TIME=]PATH` each, on this machine and in buckets.
///
/// # Errors
/// See [`load::load`].
#[cfg(feature = "s3")]
pub(crate) fn documents(arguments: &[String], access: &Access) -> Result<Loaded, Error> {
    let Some(mirror) = bucket::Mirror::of(arguments, access).map_err(Error::Input)? else {
        return load::load(arguments);
    };
    match load::load(&mirror.arguments) {
        Ok(loaded) => Ok(loaded.renamed(|file| mirror.named(file))),
        Err(error) => Err(Error::Input(mirror.named(&error.to_string()))),
    }
}

#[cfg(not(feature = "s3"))]
pub(crate) fn documents(arguments: &[String], _: &Access) -> Result<Loaded, Error> {
    load::load(arguments)
}

/// Reads the logs. `known` is what the state has that the run continues; its flow logs are renumbered.
pub(crate) fn read(
    input: &Input,
    by: By<'_>,
    news: News,
    known: Option<&mut Ledger>,
    kept: Kept,
) -> Result<Ledger, Error> {
    let By { terms, timeline, show, .. } = by;
    let News { sources, identities } = news;
    let ids = sources.iter().filter_map(|source| source.flow_log.as_deref());
    let mut flow_logs = FlowLogs::of(ids);
    let of_several =
        sources.iter().any(|source| Some(&source.flow_log) != sources.first().map(|it| &it.flow_log));
    let known = known.map(|known| {
        flow_logs = flow_logs.union(&known.flow_logs);
        *known = std::mem::take(known).renumbered(&flow_logs);
        &*known
    });
    if kept == Kept::Report {
        refuse_unknown_flow_log(&terms.flow_logs, &flow_logs)?;
    }
    let of_source: Vec<u32> = sources
        .iter()
        .map(|source| source.flow_log.as_deref().and_then(|id| flow_logs.number(id)).unwrap_or(0))
        .collect();
    let index = Index::build(timeline);
    let proposed_index = by.proposed.map(Index::build);
    let proposed = by.proposed.zip(proposed_index.as_ref());
    let proposed = proposed.map(|(timeline, index)| Proposed::of(timeline, index, by.timeline));
    let asking = by.sought.map(|sought| Asking::of(sought, timeline, &index));
    let watch = PortWatch::new(terms.settings.profile.services())?;
    if by.export.is_some() && sources.iter().any(Source::is_pipe) {
        return Err(Error::Usage(TWICE.to_owned()));
    }
    let progress = Progress::default();
    let total = sources.iter().map(|source| source.bytes).sum();
    let window = Window { since: input.since, until: input.until };
    let wanted = || asking.as_ref().map(Asking::wanted);
    let options = ReadOptions {
        fields: fields(input)?,
        window,
        wanted: if by.row_groups == RowGroups::Matching { wanted() } else { None },
        ..ReadOptions::default()
    };
    let services = if kept == Kept::State { Services::Everywhere } else { Services::WhereNeeded };
    let pass = |selection: &Selection, pick: fn(&Source) -> bool| {
        let brief = Brief {
            timeline,
            index: &index,
            watch: &watch,
            window,
            selection,
            services,
            progress: &progress,
            proposed: proposed.as_ref(),
            asking: asking.as_ref(),
        };
        Ok(pipeline::run(&sources, pick, &of_source, &options, &brief))
    };
    let all = Selection::none(kept == Kept::State || of_several);
    let preferred = flow_logs.numbers(&terms.flow_logs);
    let (outcome, first_pass, selection) = progress::follow(show, total, &progress, || {
        read_once_or_twice(&sources, &all, &preferred, known, pass)
    })?;
    if let Some(place) = by.export {
        let decisions = Decisions::of(&outcome.tally.waiting);
        let (tally, asking) = (&outcome.tally, asking.as_ref());
        let known = export::Known {
            timeline,
            index: &index,
            window,
            selection: selection.as_ref().unwrap_or(&all),
            asking,
            tally,
            decisions: &decisions,
            watch: &watch,
        };
        // All that the others tell is known by now. What broke in the middle is read as far as it was, and no further.
        let skips = options.wanted.is_some() || outcome.failures.is_empty();
        let options = ReadOptions { wanted: if skips { wanted() } else { None }, ..options };
        place.write(&sources, &of_source, &options, known)?;
    }
    Ok(Ledger::of(&sources, identities, flow_logs, outcome, first_pass))
}

/// What reading left, what the first pass showed that was delivered, of interfaces where that is something else, and which
/// flow logs counted, where that was a question.
type Passes = (Outcome, BTreeMap<Box<[u8]>, Deliveries>, Option<Selection>);

/// Where several flow logs deliver the same interface at the same time, a second pass over the files counts one of them.
/// A pipe can be read only once, and its records are of no flow log that is known.
fn read_once_or_twice(
    sources: &[Source],
    all: &Selection,
    preferred: &[u32],
    known: Option<&Ledger>,
    pass: impl Fn(&Selection, fn(&Source) -> bool) -> Result<Outcome, Error>,
) -> Result<Passes, Error> {
    let mut outcome = pass(all, |source| !source.is_pipe())?;
    let own = |outcome: &Outcome| -> BTreeMap<Box<[u8]>, Deliveries> {
        selection::deliveries(&outcome.tally)
            .map(|(id, deliveries)| (id.into(), deliveries.clone()))
            .collect()
    };
    let selection = match known {
        None => Selection::of(selection::deliveries(&outcome.tally), preferred),
        Some(known) => {
            let mut sums = sum_deliveries([known]);
            for (id, deliveries) in selection::deliveries(&outcome.tally) {
                let sum = sums.entry(id.into()).or_default();
                for (flow_log, delivery) in deliveries {
                    sum.entry(*flow_log).or_default().merge(delivery);
                }
            }
            Selection::of(sums.iter().map(|(id, sum)| (id.as_ref(), sum)), preferred)
        }
    };
    let pipes = sources.iter().any(Source::is_pipe);
    if selection.is_empty() && !pipes {
        return Ok((outcome, BTreeMap::new(), None));
    }
    let mut first_pass = own(&outcome);
    if !selection.is_empty() {
        outcome = pass(&selection, |source| !source.is_pipe())?;
    }
    if pipes {
        outcome.merge(pass(all, Source::is_pipe)?);
    }
    for (id, counted) in selection::deliveries(&outcome.tally) {
        if first_pass.get(id).is_some_and(|shown| shown == counted) {
            first_pass.remove(id);
        } else {
            // What came through a pipe alone was not shown by the first pass.
            first_pass.entry(id.into()).or_default();
        }
    }
    // Where every record was left to a flow log of the state, the interface is known by that alone.
    for id in first_pass.keys() {
        outcome.tally.slots.slot(id);
    }
    outcome.tally.interfaces.resize_with(outcome.tally.slots.ids().len(), InterfaceTally::default);
    Ok((outcome, first_pass, Some(selection)))
}

/// A folder may hold logs beside the snapshot, the state and the last run's report, which are no logs that could not be
/// read.
pub(crate) fn leave_out<'a>(sources: &mut Vec<Source>, files: impl Iterator<Item = &'a Path>) {
    // Where each of thousands really lies takes long to ask; a link ends as its file does.
    let endings: BTreeSet<_> = sources.iter().filter_map(|it| Some(it.path()?.extension())).collect();
    let files: Vec<&Path> = files.filter(|path| endings.contains(&path.extension())).collect();
    let paths: BTreeSet<_> = files.iter().filter_map(|path| std::fs::canonicalize(path).ok()).collect();
    let endings: BTreeSet<_> = files.iter().map(|path| path.extension()).collect();
    sources.retain(|source| {
        let path = source.path().filter(|path| endings.contains(&path.extension()));
        let path = path.and_then(|path| std::fs::canonicalize(path).ok());
        path.is_none_or(|path| !paths.contains(&path))
    });
}

pub(crate) fn failure((file, failure): (String, ingest::FileFailure)) -> Failure {
    Failure { file, error: failure.to_string() }
}

/// A flow log that no file is of is a typo, unless its files may be in another run's state.
fn refuse_unknown_flow_log(chosen: &[String], flow_logs: &FlowLogs) -> Result<(), Error> {
    let Some(id) = chosen.iter().find(|id| id.is_empty() || flow_logs.number(id).is_none()) else {
        return Ok(());
    };
    let known: Vec<&str> = flow_logs.ids().collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(Error::Usage(format!("--flow-log {id}: no log file of this flow log; the file names tell: {known}")))
}

/// `--snapshot` takes every path that follows it, so logs that come after it are taken for snapshots.
pub(crate) fn require_logs(input: &Input, command: &str) -> Result<(), Error> {
    if !input.logs.is_empty() {
        return Ok(());
    }
    let hint = if input.snapshot.len() > 1 {
        "; every path after --snapshot is a snapshot, so give the logs first"
    } else {
        ""
    };
    Err(Error::Usage(format!("no flow logs given: flowaudit {command} LOG... --snapshot PATH{hint}")))
}

pub(crate) fn require_snapshots(input: &Input) -> Result<(), Error> {
    if input.snapshot.is_empty() {
        return Err(Error::Usage(
            "no rules given: --snapshot PATH takes a folder with what these commands write:\n  \
             aws ec2 describe-security-groups > security-groups.json\n  \
             aws ec2 describe-network-interfaces --include-managed-resources > network-interfaces.json"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Without a single document that was understood there is nothing to judge by.
pub(crate) fn refuse_empty_snapshots(input: &Input, snapshots: &Snapshots) -> Result<(), Error> {
    let documents = &snapshots.documents;
    if documents.iter().any(|document| document.left_aside.is_none()) {
        return Ok(());
    }
    let paths = input.snapshot.join(", ");
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

fn fields(input: &Input) -> Result<Option<Layout>, Error> {
    let layout = input.fields.as_deref().map(Layout::parse_format).transpose();
    layout.map_err(|error| Error::Usage(format!("--fields: {error}")))
}

/// Nothing to report on is an error, and says what was found instead.
pub(crate) fn refuse_nothing(
    input: &Input,
    (met, taken): (usize, usize),
    ledger: &Ledger,
    known: Option<&Ledger>,
) -> Result<(), Error> {
    let advice = "expected VPC Flow Logs: text, gz or Parquet as delivered to S3 \
                  (AWSLogs/<account>/vpcflowlogs/…), CloudWatch Logs exports, Athena CSV, or JSON, CSV and Parquet as SLS \
                  of Alibaba Cloud delivers them";
    if taken == 0 && ledger.failures.is_empty() && !ledger.left_out.is_nothing() {
        let LeftOut { folders, files } = ledger.left_out;
        return Err(Error::Input(format!(
            "{}: nothing is left: --account, --region, --since and --until leave out all that is there (folders: {folders}, \
             files: {files})",
            input.logs.join(", ")
        )));
    }
    if taken == 0 && ledger.failures.is_empty() {
        let holds =
            if met == 0 { "no files" } else { "no other files than the snapshot's and this run's own" };
        return Err(Error::Input(format!("{}: holds {holds}; {advice}", input.logs.join(", "))));
    }
    let speaks = |ledger: &Ledger| {
        let counts = &ledger.tally.records;
        let rows =
            counts.accepted + counts.rejected + counts.no_data + counts.skip_data + counts.outside_window;
        ledger.files_read() > 0 || rows > 0
    };
    if speaks(ledger) || known.is_some_and(speaks) {
        return Ok(());
    }
    let failures = &ledger.failures;
    let shown = failures.iter().take(5).map(|failure| format!("\n  {}: {}", failure.file, failure.error));
    let more = failures.len().saturating_sub(5);
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    Err(Error::Input(format!("no readable flow log; {advice}:{}{more}", shown.collect::<String>())))
}

//! `flowaudit analyze`: from arguments to a report, and to a state where one is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::attribution::index::Index;
use crate::cli::Analyze;
use crate::conclude::conclude;
use crate::config::Config;
use crate::error::Error;
use crate::ingest::{self, Layout, ReadOptions, Source};
use crate::ledger::{Identity, Ledger};
use crate::pipeline::{self, Outcome};
use crate::progress::{self, Show};
use crate::report::{Failure, Report};
use crate::rules::load;
use crate::rules::timeline::Timeline;
use crate::state::merge::Merged;
use crate::state::rolling::{Continue, Keeper, News};
use crate::state::snapshots::Contradiction;
use crate::state::{Snapshots, State, Terms, sum_deliveries};
use crate::tally::counter::{Brief, Progress, Services};
use crate::tally::coverage::{Deliveries, InterfaceTally};
use crate::tally::flow_logs::FlowLogs;
use crate::tally::selection::{self, Selection};
use crate::tally::watch::PortWatch;
use crate::time::{self, Window};

/// What a run came to.
#[derive(Debug)]
pub struct Answer {
    /// The report, of the whole state where the run continued one.
    pub report: Report,
    /// Files that were not read because the state has them.
    pub skipped: usize,
}

/// Reads the logs and the snapshots and reports on them, on the threads of the pool it is called in (see
/// [`pipeline::with_threads`]).
///
/// # Errors
/// See [`Error`]: a missing input, a broken snapshot, no log that could be read, or a state that does not fit.
pub fn analyze(arguments: &Analyze) -> Result<Answer, Error> {
    let terms = terms(arguments)?;
    require_logs(arguments)?;
    let mut keeper = keeper(arguments, &terms)?;
    let snapshots = snapshots(arguments, keeper.as_ref())?;
    let documents = snapshots.documents.clone();
    let (timeline, snapshots) = match keeper {
        Some(_) => (snapshots.timeline(), snapshots),
        None => (snapshots.into_timeline(), Snapshots::default()),
    };
    let mut found = ingest::find(&arguments.logs).map_err(|failure| Error::Input(failure.to_string()))?;
    let files = documents.iter().filter(|document| document.left_aside.is_none());
    let own = arguments.report.output.as_deref().into_iter().chain(keeper.as_ref().map(Keeper::path));
    let met = found.sources.len();
    leave_out(&mut found.sources, files.map(|document| Path::new(&document.file)).chain(own));
    let all = found.sources.len();
    // Taken before the files are read: what is written later is a change.
    let identity = |source: &Source| keeper.as_ref().and_then(|_| Identity::of(source));
    let identities = found.sources.iter().map(identity).collect();
    let mut news = News { sources: found.sources, identities };
    if let Some(keeper) = &keeper {
        news = keeper.news(news)?;
    }
    let skipped = all - news.sources.len();
    let known = keeper.as_mut().and_then(|keeper| keeper.known.as_mut()).map(|state| &mut state.ledger);
    let kept = if keeps_state(arguments) { Kept::State } else { Kept::Report };
    let mut ledger = read(arguments, &terms, &timeline, news, known, kept)?;
    ledger.failures.extend(found.failures.into_iter().map(failure));
    let known = keeper.as_ref().and_then(|keeper| keeper.known.as_ref()).map(|state| &state.ledger);
    refuse_nothing(arguments, (met, all), &ledger, known)?;
    let report = match keeper {
        None => conclude(&timeline, &documents, ledger, &terms)?,
        Some(keeper) => {
            let Merged { state, timeline } = keeper.save(State { terms, snapshots, ledger })?;
            conclude(&timeline, &state.snapshots.documents, state.ledger, &state.terms)?
        }
    };
    Ok(Answer { report, skipped })
}

fn terms(arguments: &Analyze) -> Result<Terms, Error> {
    Ok(Terms {
        settings: Config::of(arguments)?.settings,
        since: arguments.since,
        until: arguments.until,
        fields: arguments.fields.clone(),
        flow_logs: arguments.flow_log.clone(),
    })
}

fn keeps_state(arguments: &Analyze) -> bool {
    arguments.state.is_some() || arguments.save_state.is_some()
}

fn keeper(arguments: &Analyze, terms: &Terms) -> Result<Option<Keeper>, Error> {
    let (path, continued) = match (&arguments.state, &arguments.save_state) {
        (Some(path), _) => (path, Continue::Yes),
        (None, Some(path)) => (path, Continue::No),
        (None, None) => return Ok(None),
    };
    Keeper::open(path, continued, terms).map(Some)
}

/// The snapshots given, beside those of the state that the run continues.
fn snapshots(arguments: &Analyze, keeper: Option<&Keeper>) -> Result<Snapshots, Error> {
    let known = keeper.and_then(|keeper| keeper.known.as_ref());
    if arguments.snapshot.is_empty()
        && let Some(known) = known
    {
        return Ok(known.snapshots.clone());
    }
    require_snapshots(arguments)?;
    let given = Snapshots::of(load::load(&arguments.snapshot)?);
    refuse_empty_snapshots(arguments, &given)?;
    let Some(known) = known else { return Ok(given) };
    given.union(known.snapshots.clone()).map_err(|Contradiction { at }| {
        let path = arguments.state.as_deref().unwrap_or(Path::new("")).display().to_string();
        let (which, remedy) = match at {
            Some(at) => {
                (format!("for {}", time::format(at)), "give that run's snapshot, or a time of its own")
            }
            None => ("without a time".to_owned(), "say since when it is in force with --snapshot TIME=PATH"),
        };
        let message = format!(
            "contradictory snapshots {which}: the state was judged by another one than is given; {remedy}"
        );
        Error::State { path, message }
    })
}

/// What is kept of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// The report alone.
    Report,
    /// A state, that other runs may be put beside.
    State,
}

/// Reads the logs. `known` is what the state has that the run continues; its flow logs are renumbered.
fn read(
    arguments: &Analyze,
    terms: &Terms,
    timeline: &Timeline,
    news: News,
    known: Option<&mut Ledger>,
    kept: Kept,
) -> Result<Ledger, Error> {
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
    let watch = PortWatch::new(terms.settings.profile.services())?;
    let progress = Progress::default();
    let total = sources.iter().map(|source| source.bytes).sum();
    let window = Window { since: arguments.since, until: arguments.until };
    let options = ReadOptions { fields: fields(arguments)?, window, ..ReadOptions::default() };
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
        };
        Ok(pipeline::run(&sources, pick, &of_source, &options, &brief))
    };
    let show = if arguments.report.quiet { Show::Never } else { Show::OnTerminal };
    let all = Selection::none(kept == Kept::State || of_several);
    let preferred = flow_logs.numbers(&terms.flow_logs);
    let (outcome, first_pass) = progress::follow(show, total, &progress, || {
        read_once_or_twice(&sources, &all, &preferred, known, pass)
    })?;
    Ok(Ledger::of(&sources, identities, flow_logs, outcome, first_pass))
}

/// What reading left, and what the first pass showed that was delivered, of interfaces where that is something else.
type Passes = (Outcome, BTreeMap<Box<[u8]>, Deliveries>);

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
        return Ok((outcome, BTreeMap::new()));
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
    Ok((outcome, first_pass))
}

/// A folder may hold logs beside the snapshot, the state and the last run's report, which are no logs that could not be
/// read.
fn leave_out<'a>(sources: &mut Vec<Source>, files: impl Iterator<Item = &'a Path>) {
    // Where each of thousands really lies takes long to ask; a link ends as its file does.
    let endings: BTreeSet<_> = sources.iter().filter_map(|it| Some(it.path.as_ref()?.extension())).collect();
    let files: Vec<&Path> = files.filter(|path| endings.contains(&path.extension())).collect();
    let paths: BTreeSet<_> = files.iter().filter_map(|path| std::fs::canonicalize(path).ok()).collect();
    let endings: BTreeSet<_> = files.iter().map(|path| path.extension()).collect();
    sources.retain(|source| {
        let path = source.path.as_ref().filter(|path| endings.contains(&path.extension()));
        let path = path.and_then(|path| std::fs::canonicalize(path).ok());
        path.is_none_or(|path| !paths.contains(&path))
    });
}

fn failure((file, failure): (String, ingest::FileFailure)) -> Failure {
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

fn require_snapshots(arguments: &Analyze) -> Result<(), Error> {
    if arguments.snapshot.is_empty() {
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
fn refuse_empty_snapshots(arguments: &Analyze, snapshots: &Snapshots) -> Result<(), Error> {
    let documents = &snapshots.documents;
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
fn refuse_nothing(
    arguments: &Analyze,
    (met, taken): (usize, usize),
    ledger: &Ledger,
    known: Option<&Ledger>,
) -> Result<(), Error> {
    let advice = "expected VPC Flow Logs: text, gz or Parquet as delivered to S3 \
                  (AWSLogs/<account>/vpcflowlogs/…), CloudWatch Logs exports, Athena CSV, or JSON, CSV and Parquet as SLS \
                  of Alibaba Cloud delivers them";
    if taken == 0 && ledger.failures.is_empty() {
        let holds =
            if met == 0 { "no files" } else { "no other files than the snapshot's and this run's own" };
        return Err(Error::Input(format!("{}: holds {holds}; {advice}", arguments.logs.join(", "))));
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

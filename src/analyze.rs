//! `flowaudit analyze`: from arguments to a report, and to a state where one is asked for.

use std::path::{Path, PathBuf};

use crate::cli::Analyze;
use crate::conclude::conclude;
use crate::config::Config;
use crate::error::Error;
use crate::ingest::Source;
use crate::ledger::Identity;
use crate::progress::Show;
use crate::reading::{
    self, By, Kept, RowGroups, failure, leave_out, refuse_empty_snapshots, refuse_nothing, require_logs,
    require_snapshots,
};
use crate::remediation;
use crate::report::Report;
use crate::rules::terraform::Written;
use crate::rules::timeline::Timeline;
use crate::state::merge::Merged;
use crate::state::rolling::{Continue, Keeper, News};
use crate::state::snapshots::Contradiction;
use crate::state::{Snapshots, State, Terms};
use crate::time;

/// What a run came to.
#[derive(Debug)]
pub struct Answer {
    /// The report, of the whole state where the run continued one.
    pub report: Report,
    /// Files that were not read because the state has them.
    pub skipped: usize,
    /// The states that the report is about.
    pub timeline: Timeline,
    /// Which Terraform resource writes a group or a rule.
    pub written: Vec<Written>,
}

/// Reads the logs and the snapshots and reports on them, on the threads of the pool it is called in (see
/// [`crate::pipeline::with_threads`]).
///
/// # Errors
/// See [`Error`]: a missing input, a broken snapshot, no log that could be read, or a state that does not fit.
pub fn analyze(arguments: &Analyze) -> Result<Answer, Error> {
    let terms = terms(arguments)?;
    require_logs(&arguments.input, "analyze")?;
    let places = arguments.report.files();
    let others = places.iter().map(PathBuf::as_path).chain(arguments.save_state.as_deref());
    let export = reading::export(arguments.export.as_deref(), others)?;
    let mut keeper = keeper(arguments, &terms)?;
    let (snapshots, written) = snapshots(arguments, keeper.as_ref())?;
    let documents = snapshots.documents.clone();
    let (timeline, snapshots) = match keeper {
        Some(_) => (snapshots.timeline(), snapshots),
        None => (snapshots.into_timeline(), Snapshots::default()),
    };
    let mut found = reading::find(&arguments.input)?;
    let files = documents.iter().filter(|document| document.left_aside.is_none());
    let mut reports = arguments.report.files();
    reports.extend(
        arguments.remediation.iter().flat_map(|folder| remediation::FILES.map(|name| folder.join(name))),
    );
    let own = reports.iter().map(PathBuf::as_path).chain(keeper.as_ref().map(Keeper::path));
    let own = own.chain(arguments.export.as_deref());
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
    let show = if arguments.report.quiet { Show::Never } else { Show::OnTerminal };
    let by = By {
        terms: &terms,
        timeline: &timeline,
        proposed: None,
        sought: None,
        row_groups: RowGroups::All,
        export: export.as_ref(),
        show,
    };
    let mut ledger = reading::read(&arguments.input, by, news, known, kept)?;
    ledger.failures.extend(found.failures.into_iter().map(failure));
    ledger.left_out = found.left_out;
    let known = keeper.as_ref().and_then(|keeper| keeper.known.as_ref()).map(|state| &state.ledger);
    refuse_nothing(&arguments.input, (met, all), &ledger, known)?;
    if let Some(export) = export {
        export.commit()?;
    }
    let (report, timeline) = match keeper {
        None => (conclude(&timeline, &documents, ledger, &terms)?, timeline),
        Some(keeper) => {
            let Merged { state, timeline } = keeper.save(State { terms, snapshots, ledger })?;
            let report = conclude(&timeline, &state.snapshots.documents, state.ledger, &state.terms)?;
            (report, timeline)
        }
    };
    Ok(Answer { report, skipped, timeline, written })
}

fn terms(arguments: &Analyze) -> Result<Terms, Error> {
    Ok(reading::terms(&arguments.input, Config::of(arguments)?.settings))
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
fn snapshots(arguments: &Analyze, keeper: Option<&Keeper>) -> Result<(Snapshots, Vec<Written>), Error> {
    let known = keeper.and_then(|keeper| keeper.known.as_ref());
    if arguments.input.snapshot.is_empty()
        && let Some(known) = known
    {
        return Ok((known.snapshots.clone(), Vec::new()));
    }
    require_snapshots(&arguments.input)?;
    let loaded = reading::documents(&arguments.input.snapshot, &arguments.input.access)?;
    let written = loaded.contents.iter().flat_map(|contents| contents.written.clone()).collect();
    let given = Snapshots::of(loaded);
    refuse_empty_snapshots(&arguments.input, &given)?;
    let Some(known) = known else { return Ok((given, written)) };
    let both = given.union(known.snapshots.clone());
    both.map(|both| (both, written)).map_err(|Contradiction { at }| {
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

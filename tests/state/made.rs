//! Runs made up without files: flows straight to the counter, and what they leave as states and reports.

use std::collections::BTreeMap;
use std::path::PathBuf;

use flowaudit::attribution::index::Index;
use flowaudit::conclude::conclude;
use flowaudit::findings::ports::PortProfile;
use flowaudit::findings::settings::{DAY, RARE_WORDS, Settings};
use flowaudit::flow::OwnedFlow;
use flowaudit::ingest::{Location, Place, RowFault, Sink, Source};
use flowaudit::ledger::{Identity, Ledger};
use flowaudit::pipeline::Outcome;
use flowaudit::render;
use flowaudit::report::Failure;
use flowaudit::rules::load::{DocumentNote, Loaded};
use flowaudit::rules::timeline::Snapshot;
use flowaudit::state::merge::{Counted, Merged, Part, merge};
use flowaudit::state::{Snapshots, State, Terms, file};
use flowaudit::tally::counter::{Brief, Counter, Progress, Services};
use flowaudit::tally::flow_logs::FlowLogs;
use flowaudit::tally::selection::Selection;
use flowaudit::tally::watch::PortWatch;
use flowaudit::time::Window;
use tempfile::TempDir;

/// A file of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    pub(crate) name: String,
    pub(crate) delivered_by: Option<&'static str>,
    pub(crate) flows: Vec<OwnedFlow>,
    /// Lines that are no records.
    pub(crate) faults: Vec<(RowFault, u64)>,
    /// Whether it broke off.
    pub(crate) failure: Option<&'static str>,
}

pub(crate) fn terms() -> Terms {
    let profile = PortProfile::named("default").unwrap();
    let settings = Settings::new(90 * DAY, &RARE_WORDS, profile);
    Terms { settings, since: None, until: None, fields: None, flow_logs: Vec::new() }
}

pub(crate) fn snapshots(of: &[Snapshot]) -> Snapshots {
    let note = |snapshot: &Snapshot| DocumentNote {
        at: snapshot.at,
        file: format!("snapshots/{:?}.json", snapshot.at),
        left_aside: None,
        missed: None,
    };
    let documents = of.iter().map(note).collect();
    Snapshots::of(Loaded { snapshots: of.to_vec(), documents, ..Loaded::default() })
}

/// What a run over these logs leaves. With [`Services::WhereNeeded`], as a run does that saves no state.
pub(crate) fn run(snapshots: &Snapshots, logs: &[Log], services: Services) -> State {
    let timeline = snapshots.timeline();
    let index = Index::build(&timeline);
    let terms = terms();
    let watch = PortWatch::new(terms.settings.profile.services()).unwrap();
    let flow_logs = FlowLogs::of(logs.iter().filter_map(|log| log.delivered_by));
    let watching = services == Services::Everywhere
        || logs.iter().any(|log| Some(log.delivered_by) != logs.first().map(|log| log.delivered_by));
    let (selection, progress) = (Selection::none(watching), Progress::default());
    let brief = Brief {
        timeline: &timeline,
        index: &index,
        watch: &watch,
        window: Window::ALL,
        selection: &selection,
        services,
        progress: &progress,
        proposed: None,
        asking: None,
    };
    let mut logs: Vec<&Log> = logs.iter().collect();
    logs.sort_by_key(|log| &log.name);
    let mut counter = Counter::new(&brief);
    let mut outcome = Outcome::default();
    for (number, log) in (0..).zip(&logs) {
        let flow_log = log.delivered_by.and_then(|id| flow_logs.number(id)).unwrap_or(0);
        counter.begin(number, 0, flow_log);
        log.flows.iter().for_each(|flow| counter.flow(&flow.borrow()));
        log.faults.iter().for_each(|(fault, line)| counter.fault((*fault).into(), Place::Line(*line)));
        counter.end(1000);
        if let Some(error) = log.failure {
            outcome.failures.push(Failure { file: log.name.clone(), error: error.to_owned() });
        }
    }
    outcome.tally = counter.finish();
    let sources: Vec<Source> = logs
        .iter()
        .map(|log| Source {
            name: log.name.clone(),
            location: Location::File(PathBuf::from(&log.name)),
            bytes: 1,
            flow_log: log.delivered_by.map(str::to_owned),
        })
        .collect();
    let identity = |log: &&Log| {
        Some(Identity { path: format!("/logs/{}", log.name), bytes: 7, modified: 1, etag: None })
    };
    let identities = logs.iter().map(identity).collect();
    let ledger = Ledger::of(&sources, identities, flow_logs, outcome, BTreeMap::new());
    State { terms, snapshots: snapshots.clone(), ledger }
}

/// The JSON report of a state.
pub(crate) fn report(state: &State) -> String {
    let timeline = state.snapshots.timeline();
    let report = conclude(&timeline, &state.snapshots.documents, state.ledger.clone(), &state.terms).unwrap();
    let mut bytes = Vec::new();
    render::json::render(&report, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The state as a file.
pub(crate) fn bytes(state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    file::write(state, &state.snapshots.timeline(), &mut bytes).unwrap();
    bytes
}

/// The state as it comes back from a file.
pub(crate) fn through_a_file(state: &State) -> State {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.state");
    std::fs::write(&path, bytes(state)).unwrap();
    file::read(&path).unwrap()
}

/// States of runs that did not know of each other, merged.
pub(crate) fn merged(states: Vec<State>) -> State {
    try_merged(states).unwrap()
}

pub(crate) fn try_merged(states: Vec<State>) -> Result<State, String> {
    let name = |(number, state)| Part { name: format!("{number}.state"), state, counted: Counted::Alone };
    let parts = (1..).zip(states).map(name).collect();
    merge(parts).map(|Merged { state, .. }| state).map_err(|error| error.to_string())
}

#[track_caller]
pub(crate) fn assert_same_text(got: &str, want: &str) {
    if let Some((got, want)) = got.lines().zip(want.lines()).find(|(got, want)| got != want) {
        panic!("reports differ:\n  got {got}\n want {want}");
    }
    assert_eq!(got.len(), want.len());
}

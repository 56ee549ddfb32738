//! The end that all commands share: what was counted becomes a report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::findings::cadence;
use crate::ledger::Ledger;
use crate::report::build::{self, Run};
use crate::report::{Failure, Report};
use crate::rules::load::DocumentNote;
use crate::rules::timeline::Timeline;
use crate::state::file::{self, Pending};
use crate::state::merge::{self, Counted, Merged, Part};
use crate::state::{State, Terms};
use crate::tally::coverage::FaultCount;
use crate::tally::watch::PortWatch;
use crate::time::Window;

/// Decides what had to wait for the whole input, and reports.
///
/// # Errors
/// More sensitive ports than can be kept apart.
pub fn conclude(
    timeline: &Timeline,
    documents: &BTreeSet<DocumentNote>,
    ledger: Ledger,
    terms: &Terms,
) -> Result<Report, Error> {
    conclude_with(timeline, documents, ledger, terms, build::report)
}

/// Decides what had to wait for the whole input, and makes something of it.
pub(crate) fn conclude_with<T>(
    timeline: &Timeline,
    documents: &BTreeSet<DocumentNote>,
    mut ledger: Ledger,
    terms: &Terms,
    make: impl FnOnce(&Run<'_>) -> T,
) -> Result<T, Error> {
    let watch = PortWatch::new(terms.settings.profile.services())?;
    let duplicates = ledger.selection(&terms.flow_logs).duplicates(&ledger.tally);
    let paths = ledger.inputs.iter().map(|input| input.name.as_str());
    let cadences = cadence::cadences(paths, Window { since: terms.since, until: terms.until });
    let files = put_faults_back(&mut ledger);
    ledger.tally.settle();
    let documents: Vec<DocumentNote> = documents.iter().cloned().collect();
    let failures: Vec<Failure> = ledger.failures.iter().cloned().collect();
    Ok(make(&Run {
        timeline,
        documents: &documents,
        tally: &ledger.tally,
        files: &files,
        files_read: ledger.files_read(),
        failures: &failures,
        left_out: ledger.left_out,
        flow_logs: ledger.flow_logs.names(),
        duplicates: &duplicates,
        cadences: &cadences,
        settings: &terms.settings,
        watch: &watch,
    }))
}

/// Gives the tally its faults by number of file; answers the names of those files.
fn put_faults_back(ledger: &mut Ledger) -> Vec<String> {
    let faults = std::mem::take(&mut ledger.faults);
    let names: BTreeSet<String> = faults.values().map(|fault| fault.first.0.clone()).collect();
    let numbers: BTreeMap<&String, u32> = names.iter().zip(0..).collect();
    ledger.tally.faults = faults
        .iter()
        .map(|(fault, named)| {
            let (file, place) = &named.first;
            let first = (numbers.get(file).copied().unwrap_or_default(), 0, *place);
            (*fault, FaultCount { count: named.count, first })
        })
        .collect();
    names.into_iter().collect()
}

/// Reports on states as one run over all their logs would; with `save`, also writes them as one state.
///
/// # Errors
/// A state that cannot be read, or states that do not add up.
pub fn states(paths: &[PathBuf], save: Option<&Path>) -> Result<Report, Error> {
    let pending = save.map(Pending::new).transpose()?;
    let mut seen = BTreeSet::new();
    let mut parts = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        if !seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
            return Err(Error::State { path: name, message: "given twice; a state counts once".to_owned() });
        }
        parts.push(Part { name, state: file::read(path)?, counted: Counted::Alone });
    }
    let Merged { state, timeline } = merge::merge(parts)?;
    if let Some(pending) = pending {
        pending.commit(&state, &timeline)?;
    }
    let State { terms, snapshots, ledger } = state;
    conclude(&timeline, &snapshots.documents, ledger, &terms)
}

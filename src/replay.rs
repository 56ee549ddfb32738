//! `flowaudit replay`: logs, the rules in force and those proposed → what the proposal would have blocked or opened.

use std::path::{Path, PathBuf};

use crate::cli::Replay;
use crate::conclude::conclude_with;
use crate::config;
use crate::error::Error;
use crate::progress::Show;
use crate::reading::{
    self, By, Kept, RowGroups, failure, leave_out, refuse_empty_snapshots, refuse_nothing, require_logs,
    require_snapshots,
};
use crate::remediation::{Addition, FILES, Remediation, of_decided};
use crate::report::replay::{self, ReplayReport};
use crate::rules::proposal;
use crate::rules::proposal::Proposal;
use crate::rules::terraform::Written;
use crate::state::Snapshots;
use crate::state::rolling::News;

/// What a replay came to.
#[derive(Debug)]
pub struct Answer {
    /// What would change.
    pub report: ReplayReport,
    /// Commands that make the change, where one was asked for and a list of rules was given.
    pub remediation: Option<Remediation>,
}

/// Holds every record against both rule sets, on the threads of the pool it is called in.
///
/// # Errors
/// A missing input, a broken snapshot or proposal, or no log that could be read.
pub fn replay(arguments: &Replay) -> Result<Answer, Error> {
    let input = &arguments.input;
    require_logs(input, "replay")?;
    require_snapshots(input)?;
    let terms = reading::terms(input, config::default_settings());
    let loaded = reading::documents(&input.snapshot, &input.access)?;
    let written: Vec<Written> =
        loaded.contents.iter().flat_map(|contents| contents.written.clone()).collect();
    let snapshots = Snapshots::of(loaded);
    refuse_empty_snapshots(input, &snapshots)?;
    let documents = snapshots.documents.clone();
    let Proposal { now, proposed, removed, added, warnings } =
        proposal::load(&arguments.proposed, snapshots)?;
    if arguments.remediation.is_some() && removed.is_empty() && added.is_empty() {
        return Err(Error::Usage(
            "--remediation: commands are made for a list of rules to remove; --proposed names another rule set, or none"
                .to_owned(),
        ));
    }
    let mut found = reading::find(input)?;
    let files = documents.iter().filter(|document| document.left_aside.is_none());
    let met = found.sources.len();
    let mut own = files_of(&arguments.proposed);
    let folders = arguments.remediation.as_deref().into_iter().chain(arguments.proposed.parent());
    own.extend(folders.flat_map(|folder| FILES.map(|name| folder.join(name))));
    let others = own.iter().map(PathBuf::as_path).chain(arguments.output.as_deref());
    leave_out(&mut found.sources, files.map(|document| Path::new(&document.file)).chain(others));
    let all = found.sources.len();
    let identities = found.sources.iter().map(|_| None).collect();
    let news = News { sources: found.sources, identities };
    let show = if arguments.quiet { Show::Never } else { Show::OnTerminal };
    let by = By {
        terms: &terms,
        timeline: &now,
        proposed: Some(&proposed),
        sought: None,
        row_groups: RowGroups::All,
        export: None,
        show,
    };
    let mut ledger = reading::read(input, by, news, None, Kept::Report)?;
    ledger.failures.extend(found.failures.into_iter().map(failure));
    ledger.left_out = found.left_out;
    refuse_nothing(input, (met, all), &ledger, None)?;
    let report =
        conclude_with(&now, &documents, ledger, &terms, |run| replay::report(run, &proposed, warnings))?;
    let wanted = arguments.remediation.is_some();
    let remediation = wanted.then(|| {
        let added = added.iter().map(|index| Addition {
            rule: now.rules[index.index()].clone(),
            label: now.labels[index.index()].clone(),
        });
        of_decided(&now, &removed, added.collect(), &written)
    });
    Ok(Answer { report, remediation })
}

/// Files of a proposal are no logs, should they lie beside them.
fn files_of(path: &Path) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(path).into_iter().filter_map(Result::ok);
    files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

//! A finished run → its report.

use rayon::prelude::*;

use super::owners::Owners;
use super::{Coverage, Failure, Files, Generator, Records, Report, SnapshotFile, Window, rows};
use crate::findings::attachment::Attachments;
use crate::findings::cadence::Cadence;
use crate::findings::described::Described;
use crate::findings::redundant::Redundant;
use crate::findings::redundant::proof::Proof;
use crate::findings::references::References;
use crate::findings::removal::{self, RemovalSet};
use crate::findings::settings::Settings;
use crate::findings::verdict::{Bench, Judged, Unread};
use crate::findings::wider::Narrower;
use crate::findings::{
    self, Finding, blocked, default_group, delivery, drift, gaps, identical, ineffective, managed_inbound,
    over_broad, stale, unattached, unused, wider,
};
use crate::ingest::LeftOut;
use crate::rules::RuleIndex;
use crate::rules::load::DocumentNote;
use crate::rules::timeline::Timeline;
use crate::tally::Tally;
use crate::tally::selection::Duplicate;
use crate::tally::tracks::of_rule::RuleTracks;
use crate::tally::usage::RuleUse;
use crate::tally::watch::PortWatch;
use crate::time;

/// What a finished run leaves to report on.
#[derive(Debug)]
pub struct Run<'a> {
    /// The states.
    pub timeline: &'a Timeline,
    /// Files of the snapshots.
    pub documents: &'a [DocumentNote],
    /// The settled tally.
    pub tally: &'a Tally,
    /// Names of the log files, by number.
    pub files: &'a [String],
    /// Files that were read to the end.
    pub files_read: u64,
    /// Files that could not be read to the end.
    pub failures: &'a [Failure],
    /// What was not read.
    pub left_out: LeftOut,
    /// Ids of the flow logs, by number.
    pub flow_logs: &'a [String],
    /// Flow logs whose records another one delivered too.
    pub duplicates: &'a [Duplicate],
    /// What the names of the log files tell of files that are missing.
    pub cadences: &'a [Cadence],
    /// What findings are judged by.
    pub settings: &'a Settings,
    /// Ports whose exposure was kept apart.
    pub watch: &'a PortWatch,
}

/// Makes the report of a run.
pub fn report(run: &Run<'_>) -> Report {
    let (timeline, tally) = (run.timeline, run.tally);
    let uses = tally.rule_uses(&timeline.rules, run.watch);
    let attachments = Attachments::of(timeline, tally);
    let unread = Unread { failed_files: run.failures.len() as u64, cadences: run.cadences };
    let bench = Bench::new(timeline, tally, &attachments, run.settings, unread);
    let each = |(at, uses)| bench.judge(RuleIndex(u32::try_from(at).unwrap_or(u32::MAX)), uses);
    let judged: Vec<Judged> = uses.par_iter().enumerate().map(each).collect();
    let tracks = RuleTracks::of(tally, &timeline.rules);
    let blocked = || {
        rayon::join(
            || super::blocked::rows(tally),
            || (super::blocked::summary(tally, &run.settings.profile), Owners::of(timeline)),
        )
    };
    let figures = || {
        rayon::join(
            || rows::rules(timeline, tally, &uses, &judged),
            || (coverage(run, &attachments), super::series::time_series(timeline, tally, &tracks)),
        )
    };
    let (found, ((blocked_rows, (blocked_summary, owners)), (rules, (coverage, time_series)))) = rayon::join(
        || findings(run, &uses, &judged, &bench, &attachments, &tracks),
        || rayon::join(blocked, figures),
    );
    let Found { findings, removal_set, narrower } = found;
    Report {
        schema_version: "1",
        generator: Generator::OURS,
        window: Window::of(tally.window),
        coverage,
        rules,
        blocked: blocked_rows,
        blocked_summary,
        findings,
        removal_set: rows::removal_set(timeline, &removal_set),
        narrower,
        owners,
        time_series,
        suppressed: Vec::new(),
        known: Vec::new(),
    }
}

/// What there is to act on.
struct Found {
    findings: Vec<Finding>,
    removal_set: RemovalSet,
    narrower: Vec<Narrower>,
}

fn findings(
    run: &Run<'_>,
    uses: &[RuleUse],
    judged: &[Judged],
    bench: &Bench<'_>,
    attachments: &Attachments<'_>,
    tracks: &RuleTracks<'_>,
) -> Found {
    let (timeline, tally) = (run.timeline, run.tally);
    let ineffective = ineffective::ineffective(timeline);
    let redundant = Redundant::of(timeline, uses, &ineffective);
    let proof = Proof::of(timeline, uses);
    let case = removal::Case {
        timeline,
        tally,
        uses,
        judged,
        bench,
        attachments,
        ineffective: &ineffective,
        redundant: &redundant,
        proof: &proof,
    };
    let removal_set = RemovalSet::of(&case);
    let (described, references) = (Described::of(timeline), References::of(timeline));
    let mut findings = over_broad::over_broad(timeline, uses, &run.settings.profile);
    findings.extend(unused::unused(timeline, judged));
    findings.extend(unattached::unattached(timeline, bench, attachments, described, &references));
    findings.extend(default_group::default_groups(timeline, attachments, described));
    findings.extend(identical::identical(timeline, &references));
    findings.extend(ineffective::findings(timeline, &ineffective));
    findings.extend(redundant.findings(&case));
    let going: Vec<RuleIndex> = removal_set.steps.iter().map(|step| step.rule).collect();
    let (wide, narrower) = wider::wider(&case, tracks, &going, wider::Bounds::of(run.settings));
    findings.extend(wide);
    findings.extend(managed_inbound::managed_inbound(timeline, uses, judged, attachments));
    findings.extend(blocked::blocked(timeline, tally));
    findings.extend(stale::stale(timeline, uses, attachments, described));
    findings.extend(drift::drift(tally));
    findings.extend(gaps::gaps(timeline, tally, run.duplicates, run.flow_logs));
    findings.extend(delivery::delivery(timeline, attachments.recorders(), run.cadences));
    findings::sort(&mut findings);
    Found { findings, removal_set, narrower }
}

pub(crate) fn coverage(run: &Run<'_>, attachments: &Attachments<'_>) -> Coverage {
    let tally = run.tally;
    let counts = &tally.records;
    let snapshots = run.documents.iter().map(|document| SnapshotFile {
        in_force_from: document.at.map(time::format),
        file: document.file.clone(),
        left_aside: document.left_aside.clone(),
        missed: document.missed.clone(),
    });
    Coverage {
        files: Files {
            read: run.files_read,
            failed: run.failures.len() as u64,
            failures: run.failures.to_vec(),
            left_out: run.left_out,
            deliveries: super::coverage::deliveries(run.cadences),
            gaps: super::coverage::gaps(run.cadences),
        },
        records: Records {
            total: counts.accepted + counts.rejected + counts.no_data + counts.skip_data,
            accepted: counts.accepted,
            rejected: counts.rejected,
            no_data: counts.no_data,
            skip_data: counts.skip_data,
            malformed: tally.faults.values().map(|fault| fault.count).sum(),
            outside_window: counts.outside_window,
            duplicate: counts.duplicate,
        },
        faults: super::coverage::faults(tally, run.files),
        interfaces: super::coverage::interfaces(tally, attachments),
        attribution: rows::attribution(tally),
        snapshots: snapshots.collect(),
        flow_logs: super::coverage::flow_logs(run.timeline),
    }
}

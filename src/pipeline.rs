//! Sources → parts → one fold per worker → one tally. The only place that knows about threads.
//!
//! A part is a whole file, a byte range of plain text or a row group: workers take the next part that nobody has, so the
//! order differs from run to run and the tally does not.

mod ahead;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::error::Error;
use crate::ingest::{self, FileFailure, Inflate, Part, ReadOptions, Source, Split};
use crate::report::Failure;
use crate::tally::Tally;
use crate::tally::counter::{Brief, Counter};
use ahead::Ahead;

/// More threads than this only cost memory.
const MOST_THREADS: usize = 256;

/// What reading left.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Everything that was counted. Not settled yet.
    pub tally: Tally,
    /// Files that could not be read to the end, in order.
    pub failures: Vec<Failure>,
}

impl Outcome {
    /// Takes in what reading other sources of the same run left.
    pub fn merge(&mut self, other: Self) {
        self.tally.merge(other.tally);
        self.failures.extend(other.failures);
    }
}

/// One piece of work.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) file: u32,
    pub(crate) part: Part,
}

/// Does a piece of work with so many threads (0: one per core), which all that is parallel in it shares.
///
/// # Errors
/// The threads cannot be started.
pub fn with_threads<T: Send>(
    threads: usize,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.min(MOST_THREADS))
        .build()
        .map_err(|error| Error::Usage(format!("--threads {threads}: {error}")))?;
    pool.install(work)
}

/// Reads every source that is picked and tallies it under the brief, with one worker per thread.
///
/// Files may be read again for what they show only in the middle, so pipes are read in a run of their own.
pub fn run(
    sources: &[Source],
    pick: impl Fn(&Source) -> bool + Sync,
    flow_logs: &[u32],
    options: &ReadOptions,
    brief: &Brief<'_>,
) -> Outcome {
    let mut whole = BTreeSet::new();
    loop {
        let plan = plan(sources, &pick, options, &whole);
        let (tally, ends) = fold(sources, flow_logs, options, brief, &plan.tasks);
        // A header that changes in mid-file governs what follows, which a part further on cannot know.
        let changed: BTreeSet<u32> =
            ends.iter().filter(|end| end.layout_changed).map(|end| end.file).collect();
        if changed.is_empty() {
            return outcome(sources, tally, plan.failures, &ends);
        }
        whole.extend(changed);
    }
}

/// So many sources are looked at together: what is far away is fetched for all of them at once.
const LOOKS: usize = 256;

struct Plan {
    tasks: Vec<Task>,
    failures: Vec<(u32, FileFailure)>,
}

fn plan(
    sources: &[Source],
    pick: impl Fn(&Source) -> bool + Sync,
    options: &ReadOptions,
    whole: &BTreeSet<u32>,
) -> Plan {
    let picked: Vec<(usize, &Source)> = sources.iter().enumerate().filter(|(_, it)| pick(it)).collect();
    let mut planned = Vec::with_capacity(picked.len());
    for some in picked.chunks(LOOKS) {
        ahead::expect_looks(some.iter().map(|(_, source)| *source), options);
        planned.par_extend(some.par_iter().map(|(at, source)| {
            let file = u32::try_from(*at).unwrap_or(u32::MAX);
            let split = if whole.contains(&file) { Split::Whole } else { options.split };
            (file, ingest::plan(source, &ReadOptions { split, ..options.clone() }))
        }));
    }
    let mut plan = Plan { tasks: Vec::new(), failures: Vec::new() };
    for (file, parts) in planned {
        match parts {
            Ok(parts) => plan.tasks.extend(parts.into_iter().map(|part| Task { file, part })),
            Err(failure) => plan.failures.push((file, failure)),
        }
    }
    // Big files first, so that no worker starts the longest one last.
    plan.tasks.sort_by_key(|task| std::cmp::Reverse(size(&sources[task.file as usize], &task.part)));
    plan
}

fn size(source: &Source, part: &Part) -> u64 {
    match part {
        Part::Bytes { start, end, .. } => end - start,
        Part::Whole | Part::RowGroup { .. } => source.bytes,
    }
}

/// Logs of about so many bytes, as stored, are read by one worker after the other where their order matters.
const BUNDLE: u64 = 32 << 20;

/// The parts of all sources in order, in bundles that depend on nothing but the sources.
pub(crate) fn bundles(sources: &[Source], options: &ReadOptions, whole: &BTreeSet<u32>) -> Vec<Vec<Task>> {
    let mut tasks = plan(sources, |_| true, options, whole).tasks;
    tasks.sort_by_key(|task| (task.file, task.part.index()));
    let mut bundles: Vec<Vec<Task>> = Vec::new();
    let mut bytes = 0;
    for task in tasks {
        let more = size(&sources[task.file as usize], &task.part);
        match bundles.last_mut() {
            Some(bundle) if bytes + more <= BUNDLE => bundle.push(task),
            _ => {
                bundles.push(vec![task]);
                bytes = 0;
            }
        }
        bytes += more;
    }
    bundles
}

/// Does something with every bundle, on all threads, the first ones first; what that came to, together.
pub(crate) fn in_order<T: Ord + Send>(
    sources: &[Source],
    options: &ReadOptions,
    bundles: &[Vec<Task>],
    work: impl Fn(usize, &[Task]) -> BTreeSet<T> + Sync,
) -> BTreeSet<T> {
    let all = Ahead::of(sources, options, bundles.iter().map(Vec::as_slice).collect()).run(|turns| {
        rayon::broadcast(|_| {
            let mut all = BTreeSet::new();
            while let Some(turn) = turns.take() {
                all.extend(work(turn, &bundles[turn]));
                turns.done(turn);
            }
            all
        })
    });
    all.into_iter().flatten().collect()
}

/// How one part ended.
struct End {
    file: u32,
    failure: Option<FileFailure>,
    layout_changed: bool,
}

fn fold(
    sources: &[Source],
    flow_logs: &[u32],
    options: &ReadOptions,
    brief: &Brief<'_>,
    tasks: &[Task],
) -> (Tally, Vec<End>) {
    // With fewer files than threads, the others would have nothing to do.
    let inflate = if tasks.len() < rayon::current_num_threads() { Inflate::Ahead } else { Inflate::Here };
    let options = &ReadOptions { inflate, ..options.clone() };
    let ends = Mutex::new(Vec::new());
    let tallies = Ahead::of(sources, options, tasks.chunks(1).collect()).run(|turns| {
        rayon::broadcast(|_| {
            let mut counter = Counter::new(brief);
            let mut own = Vec::new();
            while let Some(turn) = turns.take() {
                let task = &tasks[turn];
                own.push(read(&mut counter, &sources[task.file as usize], flow_logs, options, task));
                turns.done(turn);
            }
            ends.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
            counter.finish()
        })
    });
    let tally = tallies.into_par_iter().reduce_with(|mut sum, tally| {
        sum.merge(tally);
        sum
    });
    (tally.unwrap_or_default(), ends.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn read(
    counter: &mut Counter<'_>,
    source: &Source,
    flow_logs: &[u32],
    options: &ReadOptions,
    task: &Task,
) -> End {
    let part = task.part.index();
    counter.begin(task.file, part, flow_logs[task.file as usize]);
    match ingest::read(source, &task.part, options, counter) {
        Ok(summary) => {
            counter.end(summary.places);
            End { file: task.file, failure: None, layout_changed: summary.layout_changed }
        }
        Err(failure) => End { file: task.file, failure: Some(failure), layout_changed: false },
    }
}

fn outcome(sources: &[Source], tally: Tally, unplanned: Vec<(u32, FileFailure)>, ends: &[End]) -> Outcome {
    let broken = ends.iter().filter_map(|end| Some((end.file, end.failure.clone()?)));
    let failed: BTreeSet<(u32, String)> =
        unplanned.into_iter().chain(broken).map(|(file, failure)| (file, failure.to_string())).collect();
    let failures: BTreeSet<Failure> = failed
        .iter()
        .map(|(file, error)| Failure { file: sources[*file as usize].name.clone(), error: error.clone() })
        .collect();
    Outcome { tally, failures: failures.into_iter().collect() }
}

//! Objects of a bucket are fetched before their turn comes: many at once, and no more than a certain number of bytes.
//!
//! A thread of its own walks ahead of the workers, for the chunks of a Parquet file are known only once its footer is.
//! Where nothing is far away there is no such thread, and a turn is a number.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Task;
use crate::ingest::source::Location;
use crate::ingest::{self, Part, ReadOptions, Source};

/// So many bytes are fetched, or being fetched, before their turn.
const MOST_BYTES: u64 = 64 << 20;
/// So many tasks further on, footers are asked for.
const ENDS: usize = 32;
/// For so many tasks.
const MOST_TASKS: usize = 64;

/// The turns of a run, of one task or several each, and who fetches what for them.
pub(super) struct Ahead<'a> {
    sources: &'a [Source],
    options: &'a ReadOptions,
    tasks: Vec<&'a [Task]>,
    turns: Turns,
}

/// Hands out turns in order.
pub(super) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
    count: usize,
}

#[derive(Debug, Default)]
struct State {
    /// Turns before this one have been taken.
    taken: usize,
    /// Of turns expected and not done yet: which, and how many bytes.
    expected: Vec<(usize, u64)>,
    over: bool,
}

impl<'a> Ahead<'a> {
    pub(super) fn of(sources: &'a [Source], options: &'a ReadOptions, tasks: Vec<&'a [Task]>) -> Self {
        let turns = Turns { state: Mutex::default(), changed: Condvar::new(), count: tasks.len() };
        Self { sources, options, tasks, turns }
    }

    /// Runs the workers.
    pub(super) fn run<T>(&self, work: impl FnOnce(&Turns) -> T) -> T {
        let source = |task: &Task| &self.sources[task.file as usize];
        if !self
            .tasks
            .iter()
            .copied()
            .flatten()
            .any(|task| matches!(source(task).location, Location::Object(_)))
        {
            return work(&self.turns);
        }
        std::thread::scope(|scope| {
            scope.spawn(|| self.walk());
            let _over = Over(&self.turns);
            work(&self.turns)
        })
    }

    fn walk(&self) {
        let tasks = self.tasks.iter().enumerate();
        let all: Vec<(usize, &Task)> =
            tasks.flat_map(|(turn, tasks)| tasks.iter().map(move |task| (turn, task))).collect();
        let mut looked = 0;
        for (at, (turn, task)) in all.iter().enumerate() {
            // Footers of the next files, so that they come together.
            let next = &all[looked..all.len().min(at + ENDS + 1)];
            looked += next.len();
            for (_, task) in next.iter().filter(|(_, task)| matches!(task.part, Part::RowGroup { index: 0 }))
            {
                if let Location::Object(object) = &self.sources[task.file as usize].location {
                    object.expect_tail();
                }
            }
            let source = &self.sources[task.file as usize];
            let Location::Object(object) = &source.location else { continue };
            let Some(free) = self.turns.wait(*turn) else { return };
            if *turn < free.taken {
                continue;
            }
            drop(free);
            // May take a look at a footer, so it is done while nobody waits.
            let ranges = ingest::ahead(source, &task.part, self.options);
            let bytes = ranges.iter().map(|range| range.end - range.start).sum();
            let mut state = self.turns.lock();
            if *turn >= state.taken {
                for range in ranges {
                    object.fetch.expect(range);
                }
                state.expected.push((*turn, bytes));
            }
        }
    }
}

/// Ends the walk, whatever ends the work.
struct Over<'a>(&'a Turns);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.lock().over = true;
        self.0.changed.notify_all();
    }
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next turn. None: all have been taken.
    pub(super) fn take(&self) -> Option<usize> {
        let mut state = self.lock();
        let turn = state.taken;
        state.taken = (turn + 1).min(self.count);
        self.changed.notify_all();
        (turn < self.count).then_some(turn)
    }

    /// A turn is done.
    pub(super) fn done(&self, turn: usize) {
        self.lock().expected.retain(|(expected, _)| *expected != turn);
        self.changed.notify_all();
    }

    /// Waits until there is room to fetch for this turn, or it is taken. None: the run is over.
    fn wait(&self, turn: usize) -> Option<MutexGuard<'_, State>> {
        let mut state = self.lock();
        loop {
            if state.over {
                return None;
            }
            let bytes: u64 = state.expected.iter().map(|(_, bytes)| bytes).sum();
            if turn < state.taken || (bytes < MOST_BYTES && state.expected.len() < MOST_TASKS) {
                return Some(state);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Begins to fetch what planning looks at.
pub(super) fn expect_looks<'a>(sources: impl Iterator<Item = &'a Source>, options: &ReadOptions) {
    for source in sources.filter(|source| ingest::needs_a_look(source, options)) {
        if let Location::Object(object) = &source.location {
            object.expect_head();
            if ingest::is_called_parquet(source) {
                object.expect_tail();
            }
        }
    }
}

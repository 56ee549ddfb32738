//! Records wait until there are enough that one state judges.
//!
//! Capture windows last up to ten minutes, and logs are not in order of their starts: where rules change often, records of
//! several states come by turns.

use super::{Counter, Now};
use crate::attribution::situation::SIDE_BY_SIDE;
use crate::flow::{Seconds, V4Record};
use crate::ingest::Sink;
use crate::rules::timeline::Placement;
use crate::time::Window;

/// So many states have records that wait, at most.
const MOST_STATES: usize = 16;

/// Records that wait, by the states that judge them.
#[derive(Debug, Default)]
pub(super) struct Queues {
    /// States with their times. Every record is looked for among them, so they stand together.
    states: Vec<Now>,
    /// The records of each.
    records: Vec<Vec<V4Record>>,
    /// The one that makes room when there are too many.
    oldest: usize,
}

impl Queues {
    /// The place of the state that judges records of this start. All are looked at: where records of several states come by
    /// turns, a branch would be guessed wrong for every other one.
    fn place(&self, start: Seconds) -> Option<usize> {
        let mut place = usize::MAX;
        for (at, state) in self.states.iter().enumerate() {
            place = if state.holds(start) { at } else { place };
        }
        (place != usize::MAX).then_some(place)
    }
}

impl Counter<'_> {
    /// Takes in a record that may be of another state than the one before.
    pub(super) fn gather(&mut self, record: &V4Record) {
        let start = record.flow.start;
        let Some(at) = self.queues.place(start).or_else(|| self.open(start)) else { return };
        let records = &mut self.queues.records[at];
        records.push(*record);
        if records.len() == SIDE_BY_SIDE {
            self.credit_queue(at);
        }
    }

    /// The place of a queue for records of this start. None: it is outside, and counted as that.
    #[cold]
    fn open(&mut self, start: Seconds) -> Option<usize> {
        if self.is_outside(start) {
            self.outside(1);
            return None;
        }
        let now = self.now_at(start);
        if self.queues.states.len() < MOST_STATES {
            self.queues.states.push(now);
            self.queues.records.push(Vec::with_capacity(SIDE_BY_SIDE));
            return Some(self.queues.states.len() - 1);
        }
        let at = self.queues.oldest;
        self.queues.oldest = (at + 1) % MOST_STATES;
        self.credit_queue(at);
        self.queues.states[at] = now;
        Some(at)
    }

    /// The state that judges records of this start.
    fn now_at(&self, start: Seconds) -> Now {
        let Window { since, until } = self.brief.window;
        let Some((state, placement)) = self.brief.timeline.at(Some(start)) else { return Now::NEVER };
        let from = |state: usize| self.brief.timeline.states.get(state).and_then(|state| state.from);
        let (state_from, state_until) = match placement {
            Placement::BeforeFirst => (None, from(0)),
            _ => (from(state), from(state + 1)),
        };
        Now {
            from: state_from.max(since).unwrap_or(Seconds::MIN),
            until: state_until.into_iter().chain(until).min().unwrap_or(Seconds::MAX),
            state,
            placement,
        }
    }

    /// Judges and credits all records that wait.
    pub(super) fn credit_queues(&mut self) {
        for at in 0..self.queues.states.len() {
            self.credit_queue(at);
        }
    }

    /// The same of one state, which is the present one from then on.
    fn credit_queue(&mut self, at: usize) {
        let mut waiting = std::mem::take(&mut self.queues.records[at]);
        self.now = self.queues.states[at];
        self.credit_together(&waiting);
        waiting.clear();
        self.queues.records[at] = waiting;
    }
}

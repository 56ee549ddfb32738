//! The snapshots a run judged by, and whether those of two runs can be one history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::flow::Seconds;
use crate::rules::RuleIndex;
use crate::rules::aws::Objects;
use crate::rules::change::Trail;
use crate::rules::load::{DocumentNote, Loaded};
use crate::rules::state::State;
use crate::rules::timeline::{Snapshot, Timeline, by_time};

/// Snapshots by the time since when they are in force (None: always), and the files they came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshots {
    /// What the documents of each time hold, in an order of its own.
    pub by_time: BTreeMap<Option<Seconds>, Arc<Objects>>,
    /// What changed between them.
    pub trail: Trail,
    /// Every file met.
    pub documents: BTreeSet<DocumentNote>,
}

/// What a history has that another lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// The snapshot of this time; None: without a time.
    Snapshot(Option<Seconds>),
    /// A change at this time.
    Change(Seconds),
}

/// Two snapshots of one time say different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contradiction {
    /// The time; None: always.
    pub at: Option<Seconds>,
}

impl Snapshots {
    /// What was loaded from files.
    pub fn of(loaded: Loaded) -> Self {
        let snapshots = by_time(loaded.snapshots).into_iter();
        Self {
            by_time: snapshots.map(|snapshot| (snapshot.at, snapshot.objects)).collect(),
            trail: loaded.trail,
            documents: loaded.documents.into_iter().collect(),
        }
    }

    /// Both histories as one.
    ///
    /// # Errors
    /// They say different things of one time.
    pub fn union(mut self, other: Self) -> Result<Self, Contradiction> {
        for (at, objects) in other.by_time {
            match self.by_time.get(&at) {
                Some(known) if *known != objects => return Err(Contradiction { at }),
                Some(_) => {}
                None => {
                    self.by_time.insert(at, objects);
                }
            }
        }
        self.trail.add_up(other.trail);
        self.documents.extend(other.documents);
        Ok(self)
    }

    /// What these have and the other ones lack.
    pub fn beyond<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Beyond> {
        let snapshots = self.by_time.keys().filter(|at| !other.by_time.contains_key(*at));
        let changes = self.trail.changes.difference(&other.trail.changes);
        let changes = changes.map(|change| Beyond::Change(change.at));
        snapshots.map(|at| Beyond::Snapshot(*at)).chain(changes)
    }

    /// The states in force.
    pub fn timeline(&self) -> Timeline {
        self.clone().into_timeline()
    }

    /// The states in force, where the snapshots are not needed any more.
    pub fn into_timeline(self) -> Timeline {
        let snapshots = self.by_time.into_iter().map(|(at, objects)| Snapshot { at, objects });
        Timeline::with_changes(snapshots.collect(), &self.trail)
    }

    /// The states in force, and the one that one more snapshot after all of them comes to.
    pub fn into_timeline_with(self, objects: Objects) -> (Timeline, State) {
        let snapshots = self.by_time.into_iter().map(|(at, objects)| Snapshot { at, objects });
        let last = Snapshot { at: Some(AFTER_ALL), objects: Arc::new(objects) };
        Timeline::with_changes(snapshots.chain([last]).collect(), &self.trail).parted(AFTER_ALL)
    }
}

/// A time after all others, far from the last number.
const AFTER_ALL: Seconds = Seconds::MAX / 4;

/// Where each rule of a catalogue stands in a larger one that has all of them. None: it lacks one.
pub fn moved(rules: &Timeline, whole: &Timeline) -> Option<Vec<RuleIndex>> {
    let place = |rule| {
        let at = whole.rules.binary_search(rule).ok()?;
        u32::try_from(at).ok().map(RuleIndex)
    };
    rules.rules.iter().map(place).collect()
}

/// The first state that judges otherwise in a longer history. Snapshots fill in what others leave out (the account of a
/// VPC), and with it, which documents take the place of which.
pub fn judged_otherwise(part: &Timeline, whole: &Timeline, moved: &[RuleIndex]) -> Option<Option<Seconds>> {
    let same = |state: &State| {
        let other = whole.at(state.from).map(|(at, _)| &whole.states[at]);
        other.is_some_and(|other| judge_alike(state, other, moved))
    };
    part.states.iter().find(|state| !same(state)).map(|state| state.from)
}

fn judge_alike(a: &State, b: &State, moved: &[RuleIndex]) -> bool {
    let groups = a.groups.len() == b.groups.len()
        && a.groups.iter().zip(&b.groups).all(|((a_id, a), (b_id, b))| {
            let moved =
                |rules: &[RuleIndex]| rules.iter().map(|rule| moved[rule.index()]).collect::<Vec<_>>();
            a_id == b_id && moved(&a.rules) == b.rules && moved(&a.defaults) == b.defaults
        });
    groups
        && a.interfaces == b.interfaces
        && a.prefix_lists == b.prefix_lists
        && a.acls == b.acls
        && a.subnets == b.subnets
}

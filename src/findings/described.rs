//! Which snapshots describe the interfaces of an account and region: "on no interface" says no more than these do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::flow::Seconds;
use crate::rules::state::{Group, State};
use crate::rules::timeline::Timeline;
use crate::time;

/// Account and region; empty where unknown.
type Scope<'a> = (&'a str, &'a str);

/// The states in which interfaces were described anew, by account and region.
#[derive(Debug)]
pub struct Described<'a> {
    timeline: &'a Timeline,
    /// Ascending.
    states: BTreeMap<Scope<'a>, Vec<usize>>,
}

/// The snapshots that could have shown something of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshots {
    /// How many; at least one.
    pub count: usize,
    /// Since when the first one is in force; None: always.
    pub first: Option<Seconds>,
    /// The same of the last one.
    pub last: Option<Seconds>,
}

impl<'a> Described<'a> {
    /// Looks through every state.
    pub fn of(timeline: &'a Timeline) -> Self {
        let mut states: BTreeMap<Scope<'_>, Vec<usize>> = BTreeMap::new();
        let mut previous = None;
        for (at, state) in timeline.states.iter().enumerate() {
            for scope in described_anew(state, previous) {
                states.entry(scope).or_default().push(at);
            }
            previous = Some(state);
        }
        Self { timeline, states }
    }

    /// The snapshots that have the group and describe interfaces where it is. None: no snapshot does, so nobody knows
    /// where the group is attached.
    pub fn snapshots(&self, group_id: &str, group: &Group) -> Option<Snapshots> {
        let fits = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
        let near = self
            .states
            .iter()
            .filter(|((account, region), _)| fits(account, &group.owner_id) && fits(region, &group.region));
        let states: BTreeSet<usize> = near.flat_map(|(_, states)| states).copied().collect();
        let has_group = |at: &&usize| {
            let state = self.timeline.states.get(**at);
            state.is_some_and(|state| state.groups.contains_key(group_id))
        };
        let states: Vec<usize> = states.iter().filter(has_group).copied().collect();
        let from = |at: &usize| self.timeline.states.get(*at).and_then(|state| state.from);
        let (first, last) = (states.first()?, states.last()?);
        Some(Snapshots { count: states.len(), first: from(first), last: from(last) })
    }
}

/// Where a state has interfaces that are not those of the state before: documents that stay in force are shared by
/// states, so what is told of another account is no second look at this one.
fn described_anew<'a>(state: &'a State, previous: Option<&'a State>) -> BTreeSet<Scope<'a>> {
    let mut anew = BTreeSet::new();
    let mut before = previous.into_iter().flat_map(|state| &state.interfaces).peekable();
    for (id, interface) in &state.interfaces {
        while before.next_if(|(known, _)| *known < id).is_some() {}
        let same = before.next_if(|(known, _)| *known == id);
        if !same.is_some_and(|(_, known)| Arc::ptr_eq(known, interface)) {
            anew.insert((interface.owner_id.as_str(), interface.region.as_str()));
        }
    }
    anew
}

impl Snapshots {
    /// The figures, into the evidence.
    pub fn record(&self, evidence: &mut Map<String, Value>) {
        evidence.insert("snapshots".into(), json!(self.count));
        evidence.insert("first_snapshot".into(), json!(self.first.map(time::format)));
        evidence.insert("last_snapshot".into(), json!(self.last.map(time::format)));
    }
}

/// Behind "not": `at T`, or `in any of N snapshots from A to B`.
impl fmt::Display for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.last.map(time::format);
        match (self.count, self.first.map(time::format), last) {
            (1, _, Some(last)) => write!(f, "at {last}"),
            (1, _, None) => f.write_str("in the one snapshot given"),
            (count, Some(first), Some(last)) => {
                write!(f, "in any of {count} snapshots from {first} to {last}")
            }
            (count, None, Some(last)) => write!(f, "in any of {count} snapshots up to {last}"),
            (count, _, None) => write!(f, "in any of {count} snapshots"),
        }
    }
}

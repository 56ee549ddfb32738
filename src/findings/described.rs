//! Which snapshots describe the interfaces of an account and region: "on no interface" says no more than these do.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::flow::Seconds;
use crate::rules::state::Group;
use crate::rules::timeline::{Look, Timeline};
use crate::time;

/// Which snapshots describe interfaces.
#[derive(Debug, Clone, Copy)]
pub struct Described<'a> {
    timeline: &'a Timeline,
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
    /// Those of a timeline.
    pub fn of(timeline: &'a Timeline) -> Self {
        Self { timeline }
    }

    /// The snapshots that have the group and describe interfaces where it is. None: no snapshot does, so nobody knows
    /// where the group is attached.
    pub fn snapshots(self, group_id: &str, group: &Group) -> Option<Snapshots> {
        let near = |look: &&Look| look.is_of(&group.owner_id, &group.region);
        let has_group = |look: &&Look| {
            let state = self.timeline.at(look.at).and_then(|(at, _)| self.timeline.states.get(at));
            state.is_some_and(|state| state.groups.contains_key(group_id))
        };
        let looks: Vec<&Look> = self.timeline.looks.iter().filter(near).filter(has_group).collect();
        let (first, last) = (looks.first()?, looks.last()?);
        Some(Snapshots { count: looks.len(), first: first.at, last: last.at })
    }
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

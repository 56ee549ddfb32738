//! Snapshots in order of time → the states in force.
//!
//! The state in force is put together per account, region and kind of document: a snapshot of another account, or one in
//! which a kind is missing, leaves the older one in force. A rule is its content; its id is a label, known everywhere
//! once it is known somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::aws::Objects;
use super::parts::{Parts, Scopes};
use super::state::{FlowLog, Interface, State};
use super::{Rule, RuleIndex};
use crate::flow::Seconds;

/// What one snapshot says, and since when it is in force (None: always).
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Since when.
    pub at: Option<Seconds>,
    /// What its documents hold.
    pub objects: Objects,
}

/// What labels a rule without being part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Label {
    /// `sgr-…`, where known.
    pub rule_id: Option<String>,
    /// Description, the newest known.
    pub description: Option<String>,
    /// Tags of the rule itself.
    pub tags: Vec<(String, String)>,
    /// `PeeringStatus` of the peering that the referenced group is reached by, the newest known.
    pub peering_status: Option<String>,
}

/// All states of a run, oldest first, with the catalogue of every rule in any of them.
#[derive(Debug, Default)]
pub struct Timeline {
    /// States by ascending `from`; empty only when no snapshot was given.
    pub states: Vec<State>,
    /// Every rule of every state, ascending, once.
    pub rules: Vec<Rule>,
    /// Labels, parallel to `rules`.
    pub labels: Vec<Label>,
    /// Flow logs described in any snapshot, sorted.
    pub flow_logs: Vec<FlowLog>,
    /// Ranges of the VPCs described in any snapshot.
    pub vpcs: BTreeMap<String, BTreeSet<ipnet::IpNet>>,
}

/// How a record's time lies to the states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// A state was in force.
    InForce,
    /// The record starts before the first state, which judges it.
    BeforeFirst,
    /// The record has no time; the first state judges it.
    Undated,
}

impl Timeline {
    /// Builds the states of these snapshots, in any order; snapshots of one time add up.
    pub fn build(snapshots: Vec<Snapshot>) -> Self {
        let mut snapshots = by_time(snapshots);
        let scopes = Scopes::of(&snapshots);
        let flow_logs: BTreeSet<FlowLog> = snapshots
            .iter_mut()
            .flat_map(|snapshot| std::mem::take(&mut snapshot.objects.flow_logs))
            .collect();
        let mut vpcs: BTreeMap<String, BTreeSet<ipnet::IpNet>> = BTreeMap::new();
        for (id, ranges) in snapshots.iter_mut().flat_map(|snapshot| snapshot.objects.vpcs.drain(..)) {
            vpcs.entry(id).or_default().extend(ranges);
        }
        let (rules, labels) = catalogue(&snapshots);
        let mut parts = Parts::default();
        let mut states: Vec<State> = Vec::new();
        for snapshot in snapshots {
            parts.replace(snapshot.objects, &scopes);
            states.push(parts.state(snapshot.at, &rules));
        }
        Self { states, rules, labels, flow_logs: flow_logs.into_iter().collect(), vpcs }
    }

    /// The state that judges a record of this start. None only without snapshots.
    pub fn at(&self, start: Option<Seconds>) -> Option<(usize, Placement)> {
        let first = self.states.first()?;
        let Some(start) = start else { return Some((0, Placement::Undated)) };
        if first.from.is_some_and(|from| start < from) {
            return Some((0, Placement::BeforeFirst));
        }
        let after = self.states.partition_point(|state| state.from.is_none_or(|from| from <= start));
        Some((after - 1, Placement::InForce))
    }

    /// The newest state: findings are about it only.
    pub fn newest(&self) -> Option<&State> {
        self.states.last()
    }

    /// The interface as the state has it, or else as the next state that has it, or else as the last one before.
    pub fn interface(&self, state: usize, id: &str) -> Option<(usize, &Arc<Interface>)> {
        let later = self.states.iter().enumerate().skip(state);
        let earlier = self.states.iter().enumerate().take(state).rev();
        later.chain(earlier).find_map(|(index, state)| Some((index, state.interfaces.get(id)?)))
    }

    /// First and last state (by index) that hold the rule, whatever lies between.
    pub fn life(&self, rule: RuleIndex) -> Option<(usize, usize)> {
        let holds = |state: &State| {
            state
                .groups
                .get(&self.rules[rule.index()].group_id)
                .is_some_and(|group| group.rules.binary_search(&rule).is_ok())
        };
        let first = self.states.iter().position(holds)?;
        let last = self.states.iter().rposition(holds)?;
        Some((first, last))
    }
}

/// Rule indices are 32 bits: a catalogue beyond that would not fit in memory first.
pub(super) fn rule_index(index: usize) -> RuleIndex {
    RuleIndex(u32::try_from(index).unwrap_or(u32::MAX))
}

fn catalogue(snapshots: &[Snapshot]) -> (Vec<Rule>, Vec<Label>) {
    let mut known: BTreeMap<&Rule, Label> = BTreeMap::new();
    for document in snapshots.iter().flat_map(|snapshot| &snapshot.objects.rules) {
        let label = known.entry(&document.rule).or_default();
        if let Some(id) = &document.rule_id {
            label.rule_id = Some(id.clone());
        }
        if let Some(description) = &document.description {
            label.description = Some(description.clone());
        }
        if !document.tags.is_empty() {
            label.tags.clone_from(&document.tags);
        }
        if let Some(status) = &document.peering_status {
            label.peering_status = Some(status.clone());
        }
    }
    known.into_iter().map(|(rule, label)| (rule.clone(), label)).unzip()
}

/// One snapshot per time, oldest first, each with its objects in an order of their own: documents of one time may
/// contradict each other, and which of them counts must not depend on the order they were given in.
pub fn by_time(snapshots: Vec<Snapshot>) -> Vec<Snapshot> {
    let mut sums: BTreeMap<Option<Seconds>, Objects> = BTreeMap::new();
    for snapshot in snapshots {
        sums.entry(snapshot.at).or_default().add_up(snapshot.objects);
    }
    let sorted = sums.into_iter().map(|(at, mut objects)| {
        objects.sort();
        Snapshot { at, objects }
    });
    sorted.collect()
}

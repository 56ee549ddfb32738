//! Snapshots and changes in order of time → the states in force.
//!
//! The state in force is put together per account, region and kind of document: a snapshot of another account, or one in
//! which a kind is missing, leaves the older one in force. A rule is its content; its id is a label, known everywhere
//! once it is known somewhere.

mod backwards;
mod history;
mod lives;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::aws::{Objects, RuleDocument};
use super::change::{Trail, Unapplied};
use super::state::{FlowLog, Group, Interface, State};
use super::{Rule, RuleIndex};
use crate::flow::Seconds;
pub(crate) use backwards::QUIET;
pub use lives::{Lives, Span};
pub(crate) use lives::{changed, told_groups};

/// What one snapshot says, and since when it is in force (None: always).
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Since when.
    pub at: Option<Seconds>,
    /// What its documents hold. The same as that of the snapshot before where both hold the same.
    pub objects: Arc<Objects>,
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
    /// The account of the group that is referred to, where it is another one, the newest known.
    pub peer_owner: Option<String>,
}

impl Label {
    /// Takes over what a newer document says.
    fn learn(&mut self, document: &RuleDocument) {
        if let Some(id) = &document.rule_id {
            self.rule_id = Some(id.clone());
        }
        if let Some(description) = &document.description {
            self.description = Some(description.clone());
        }
        if !document.tags.is_empty() {
            self.tags.clone_from(&document.tags);
        }
        if let Some(status) = &document.peering_status {
            self.peering_status = Some(status.clone());
        }
        if let Some(owner) = &document.peer_owner {
            self.peer_owner = Some(owner.clone());
        }
    }
}

/// A snapshot that describes interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Its time; None: always.
    pub at: Option<Seconds>,
    /// Accounts and regions of the interfaces.
    pub scopes: Arc<BTreeSet<(String, String)>>,
}

impl Look {
    /// Whether it describes interfaces of an account and region; an empty part is unknown and fits any.
    pub fn is_of(&self, account: &str, region: &str) -> bool {
        let fits = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
        self.scopes
            .iter()
            .any(|(its_account, its_region)| fits(its_account, account) && fits(its_region, region))
    }
}

/// All states of a run, oldest first, with the catalogue of every rule in any of them.
#[derive(Debug, Default)]
pub struct Timeline {
    /// States by ascending `from`; empty only when no snapshot was given. Snapshots that show the same, one after the
    /// other, are one state.
    pub states: Vec<State>,
    /// How many snapshots, each of another time.
    pub snapshots: usize,
    /// Every rule of every state, ascending, once.
    pub rules: Vec<Rule>,
    /// Labels, parallel to `rules`.
    pub labels: Vec<Label>,
    /// By rule: the states that hold it, in order.
    held: Vec<Vec<Range<usize>>>,
    /// Snapshots that describe interfaces, by time.
    pub looks: Vec<Look>,
    /// Flow logs described in any snapshot, sorted.
    pub flow_logs: Vec<FlowLog>,
    /// Ranges of the VPCs described in any snapshot.
    pub vpcs: BTreeMap<String, BTreeSet<ipnet::IpNet>>,
    /// Changes of which something is missing to apply them.
    pub unapplied: Unapplied,
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
        Self::with_changes(snapshots, &Trail::default())
    }

    /// Builds the states of these snapshots and of what changed before, between and after them.
    pub fn with_changes(snapshots: Vec<Snapshot>, trail: &Trail) -> Self {
        let snapshots = by_time(snapshots);
        let mut flow_logs: BTreeSet<FlowLog> = BTreeSet::new();
        let mut vpcs: BTreeMap<String, BTreeSet<ipnet::IpNet>> = BTreeMap::new();
        for objects in distinct(&snapshots) {
            flow_logs.extend(objects.flow_logs.iter().cloned());
            for (id, ranges) in &objects.vpcs {
                vpcs.entry(id.clone()).or_default().extend(ranges);
            }
        }
        let taken = snapshots.len();
        let history::History { states, rules, labels, looks, unapplied } = history::of(&snapshots, trail);
        // A thousand of them are not taken apart while others wait.
        rayon::spawn(move || drop(snapshots));
        Self {
            snapshots: taken,
            held: lives::held(&states, rules.len()),
            states,
            rules,
            labels,
            looks,
            flow_logs: flow_logs.into_iter().collect(),
            vpcs,
            unapplied,
        }
    }

    /// The same history with other states, at the same times: what holds which rule is found anew.
    #[must_use]
    pub fn with_states(&self, state: impl Fn(&State) -> State) -> Self {
        let states: Vec<State> = self.states.iter().map(state).collect();
        Self {
            snapshots: self.snapshots,
            held: lives::held(&states, self.rules.len()),
            states,
            rules: self.rules.clone(),
            labels: self.labels.clone(),
            looks: self.looks.clone(),
            flow_logs: self.flow_logs.clone(),
            vpcs: self.vpcs.clone(),
            unapplied: self.unapplied,
        }
    }

    /// The history before a time at which one more snapshot was added, and the state that it comes to. The catalogue has
    /// the rules of both.
    pub(crate) fn parted(mut self, at: Seconds) -> (Self, State) {
        let last = self.states.last().cloned().unwrap_or_default();
        if last.from == Some(at) {
            self.states.pop();
        } else if let Some(state) = self.states.last_mut()
            && state.confirmed == Some(at)
        {
            // The snapshot shows the same; so did those before it.
            let before = self.looks.iter().rev().filter_map(|look| look.at).find(|look| *look < at);
            state.confirmed = before.filter(|before| state.from.is_none_or(|from| *before > from));
        }
        self.looks.retain(|look| look.at != Some(at));
        self.snapshots = self.snapshots.saturating_sub(1);
        self.held = lives::held(&self.states, self.rules.len());
        (self, last)
    }

    /// Where a rule stands in the catalogue.
    pub fn index_of(&self, rule: &Rule) -> Option<RuleIndex> {
        let at = self.rules.binary_search(rule).ok()?;
        u32::try_from(at).ok().map(RuleIndex)
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

    /// Every rule of the newest state, those that nobody wrote with them.
    pub fn newest_rules(&self) -> BTreeSet<RuleIndex> {
        self.newest()
            .into_iter()
            .flat_map(|state| state.groups.values())
            .flat_map(|group| group.all_rules())
            .collect()
    }

    /// Every interface of any state, with the states that have it.
    pub fn lives(&self) -> Lives<'_> {
        Lives::of(self)
    }

    /// The interface as the state has it, or else as the next state that has it, or else as the last one before.
    pub fn interface(&self, state: usize, id: &str) -> Option<(usize, &Arc<Interface>)> {
        let later = self.states.iter().enumerate().skip(state);
        let earlier = self.states.iter().enumerate().take(state).rev();
        later.chain(earlier).find_map(|(index, state)| Some((index, state.interfaces.get(id)?)))
    }

    /// First and last state (by index) that hold the rule, whatever lies between.
    pub fn life(&self, rule: RuleIndex) -> Option<(usize, usize)> {
        let spans = &self.held[rule.index()];
        Some((spans.first()?.start, spans.last()?.end - 1))
    }

    /// The states that hold the rule, in order: spans with others between them.
    pub fn held(&self, rule: RuleIndex) -> &[Range<usize>] {
        &self.held[rule.index()]
    }

    /// Every group of any state, by id, as it was last.
    pub fn newest_groups(&self) -> BTreeMap<&str, &Group> {
        let mut newest = BTreeMap::new();
        for (id, group) in lives::told_groups(&self.states) {
            newest.insert(id, group);
        }
        newest
    }
}

/// One snapshot per time, oldest first, each with its objects in an order of their own: documents of one time may
/// contradict each other, and which of them counts must not depend on the order they were given in.
pub fn by_time(snapshots: Vec<Snapshot>) -> Vec<Snapshot> {
    let mut sums: BTreeMap<Option<Seconds>, Vec<Arc<Objects>>> = BTreeMap::new();
    for snapshot in snapshots {
        sums.entry(snapshot.at).or_default().push(snapshot.objects);
    }
    let mut last: Option<Snapshot> = None;
    let mut sorted = Vec::with_capacity(sums.len());
    for (at, mut parts) in sums {
        let objects = match (parts.pop(), &last) {
            // What is shared has been sorted once.
            (Some(alone), Some(last)) if parts.is_empty() && Arc::ptr_eq(&alone, &last.objects) => alone,
            (Some(alone), _) if parts.is_empty() && alone.is_sorted() => alone,
            (first, _) => {
                let mut sum = Objects::default();
                first.into_iter().chain(parts).for_each(|part| sum.add_up(Arc::unwrap_or_clone(part)));
                sum.sort();
                Arc::new(sum)
            }
        };
        let snapshot = Snapshot { at, objects };
        last = Some(snapshot.clone());
        sorted.push(snapshot);
    }
    sorted
}

/// What the snapshots hold, each once of those that are shared.
pub(super) fn distinct(snapshots: &[Snapshot]) -> impl Iterator<Item = &Objects> {
    let mut last: Option<&Arc<Objects>> = None;
    snapshots.iter().filter_map(move |snapshot| {
        let same = last.is_some_and(|last| Arc::ptr_eq(last, &snapshot.objects));
        last = Some(&snapshot.objects);
        (!same).then_some(&*snapshot.objects)
    })
}

//! Which rules refer to which group: a group that is referred to is more than its rules.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::MOST_NAMED;
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, RuleIndex};

/// Rules of the newest state whose peer is a group, by that group. What a group says of itself is not among them.
#[derive(Debug)]
pub struct References<'a> {
    timeline: &'a Timeline,
    by_peer: BTreeMap<&'a str, Vec<RuleIndex>>,
}

impl<'a> References<'a> {
    /// Looks through the newest state.
    pub fn of(timeline: &'a Timeline) -> Self {
        let mut by_peer: BTreeMap<&str, Vec<RuleIndex>> = BTreeMap::new();
        let groups = timeline.newest().into_iter().flat_map(|state| state.groups.values());
        for index in groups.flat_map(|group| &group.rules) {
            if let Some(rule) = timeline.rules.get(index.index())
                && let Peer::Group(peer) = &rule.peer
                && *peer != rule.group_id
            {
                by_peer.entry(peer).or_default().push(*index);
            }
        }
        Self { timeline, by_peer }
    }

    /// The rules of other groups that refer to this one.
    pub fn to(&self, group: &str) -> &[RuleIndex] {
        self.by_peer.get(group).map_or(&[], Vec::as_slice)
    }

    /// How many rules of other groups refer to these groups, and the first of them, into the evidence.
    pub fn record(&self, groups: &[&str], evidence: &mut Map<String, Value>) -> usize {
        let rules = || groups.iter().flat_map(|group| self.to(group));
        let keys = rules().filter_map(|rule| self.timeline.rules.get(rule.index()));
        let keys: Vec<String> = keys.take(MOST_NAMED).map(crate::rules::Rule::key).collect();
        evidence.insert("referring_rules".into(), json!(rules().count()));
        evidence.insert("first_referring_rules".into(), json!(keys));
        rules().count()
    }
}

//! Which references to groups are known to work: they do not through a middlebox, nor through a transit gateway without
//! support for them.
//!
//! Source: <https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html>.

use std::collections::{BTreeMap, BTreeSet};

use super::cover::Cover;
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, RuleIndex};
use crate::tally::usage::RuleUse;

/// References by which alone records came, from the only subnet that the members of the group are in.
#[derive(Debug, Default)]
pub struct Proof {
    proven: BTreeSet<RuleIndex>,
}

impl Proof {
    /// Of the rules of the newest state.
    pub fn of(timeline: &Timeline, uses: &[RuleUse]) -> Self {
        let Some(newest) = timeline.newest() else { return Self::default() };
        let mut subnets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for interface in newest.interfaces.values() {
            for group in &interface.group_ids {
                subnets.entry(group).or_default().insert(&interface.subnet_id);
            }
        }
        let in_one_subnet = |group: &str| {
            subnets.get(group).is_some_and(|subnets| subnets.len() == 1 && !subnets.contains(""))
        };
        let rules = newest.groups.values().flat_map(|group| &group.rules).copied();
        let proven = rules.filter(|index| {
            let alone = uses.get(index.index()).is_some_and(|uses| uses.sole_records > 0);
            let peer = timeline.rules.get(index.index()).map(|rule| &rule.peer);
            alone && matches!(peer, Some(Peer::Group(group)) if in_one_subnet(group))
        });
        Self { proven: proven.collect() }
    }

    /// Whether a reference is known to work.
    pub fn holds(&self, reference: RuleIndex) -> bool {
        self.proven.contains(&reference)
    }

    /// Whether every reference of a cover is.
    pub fn is_proven(&self, cover: &Cover) -> bool {
        cover.references.iter().all(|reference| self.holds(*reference))
    }
}

//! Whose the groups and interfaces are that findings name: other systems file a finding under its account and region.

use std::collections::{BTreeMap, BTreeSet};

use crate::rules::state::Cloud;
use crate::rules::timeline::Timeline;

/// Whose something is.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// In which cloud.
    pub cloud: Cloud,
    /// The account, empty where no document says so.
    pub account: String,
    /// The region, empty where no document says so.
    pub region: String,
}

/// The owners of all groups and interfaces, as they were last.
#[derive(Debug, Clone, Default)]
pub struct Owners {
    by_id: BTreeMap<String, Owner>,
    common: Owner,
}

impl Owners {
    /// Of every state.
    pub fn of(timeline: &Timeline) -> Self {
        let groups = timeline.newest_groups().into_iter().map(|(id, group)| {
            let cloud = if group.ecs.is_some() { Cloud::Alibaba } else { Cloud::Aws };
            let owner = Owner { cloud, account: group.owner_id.clone(), region: group.region.clone() };
            (id.to_owned(), owner)
        });
        let lives = timeline.lives();
        let interfaces = lives.interfaces().map(|interface| {
            let (account, region) = (interface.owner_id.clone(), interface.region.clone());
            (interface.id.clone(), Owner { cloud: interface.cloud, account, region })
        });
        let by_id: BTreeMap<String, Owner> = groups.chain(interfaces).collect();
        Self { common: common(&by_id), by_id }
    }

    /// Whose a group or an interface is; None: no document has it.
    pub fn get(&self, id: &str) -> Option<&Owner> {
        self.by_id.get(id)
    }

    /// Whose all of them are; what is not the same of all that is known is left empty.
    pub fn common(&self) -> &Owner {
        &self.common
    }
}

fn common(owners: &BTreeMap<String, Owner>) -> Owner {
    let only = |part: fn(&Owner) -> &str| {
        let known: BTreeSet<&str> = owners.values().map(part).filter(|part| !part.is_empty()).collect();
        if known.len() == 1 { known.into_iter().collect() } else { String::new() }
    };
    let clouds: BTreeSet<Cloud> = owners.values().map(|owner| owner.cloud).collect();
    let cloud = if clouds.len() == 1 { clouds.first().copied() } else { None };
    Owner {
        cloud: cloud.unwrap_or_default(),
        account: only(|owner| &owner.account),
        region: only(|owner| &owner.region),
    }
}

//! ACCEPTs on interfaces that no snapshot has: they may use rules that nothing else uses.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::rules::state::Group;
use crate::rules::timeline::{Timeline, told_groups};
use crate::tally::Tally;
use crate::tally::coverage;

/// Strays that may carry a group: how many interfaces, with how many ACCEPTs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StrayCount {
    /// Interfaces.
    pub interfaces: u64,
    /// Their ACCEPTs.
    pub records: u64,
}

/// The strays of a run, counted for every VPC and account of a group.
#[derive(Debug)]
pub struct Strays<'a> {
    all: StrayCount,
    /// By the group's VPC and account.
    near: BTreeMap<(&'a str, &'a str), StrayCount>,
}

impl<'a> Strays<'a> {
    /// Counts them.
    pub fn of(timeline: &'a Timeline, tally: &Tally) -> Self {
        let strays = tally.interfaces.iter().filter(|interface| {
            !interface.strays.vpc_ids.is_empty() || !interface.strays.account_ids.is_empty()
        });
        let strays: Vec<_> = strays.map(|interface| (&interface.strays, interface.accepted)).collect();
        let count = |fits: &dyn Fn(&coverage::Strays) -> bool| {
            strays.iter().filter(|(strays, _)| fits(strays)).fold(
                StrayCount::default(),
                |sum, (_, records)| StrayCount {
                    interfaces: sum.interfaces + 1,
                    records: sum.records + records,
                },
            )
        };
        let mut near = BTreeMap::new();
        for (_, group) in told_groups(&timeline.states) {
            let key = (group.vpc_id.as_str(), group.owner_id.as_str());
            near.entry(key).or_insert_with(|| count(&|strays| may_carry(strays, key)));
        }
        Self { all: count(&|_| true), near }
    }

    /// Those in the group's VPC, or, where that cannot be told, in its account; of a group that is not known (None), all.
    pub fn near(&self, group: Option<&Group>) -> StrayCount {
        let Some(group) = group else { return self.all };
        let key = (group.vpc_id.as_str(), group.owner_id.as_str());
        self.near.get(&key).copied().unwrap_or(self.all)
    }
}

/// Whether one stray may be where a group of this VPC and account is; what is not known fits.
fn may_carry(strays: &coverage::Strays, (vpc_id, owner_id): (&str, &str)) -> bool {
    let in_vpc = strays.vpc_ids.iter().any(|id| vpc_id.is_empty() || id == vpc_id);
    let in_account = |account: &String| {
        owner_id.is_empty() || account == owner_id || matches!(account.as_str(), "" | "unknown")
    };
    in_vpc || strays.account_ids.iter().any(in_account)
}

//! What one answer says of the objects of another: types of groups, and ports of lists.

use std::collections::BTreeMap;

use crate::rules::aws::{GroupDocument, List, Objects, RuleDocument};
use crate::rules::ranked::PortList;

impl Objects {
    /// Tells groups their types and rules their ports, where the answers that say so are there too.
    pub(in crate::rules) fn settle(&mut self) {
        self.settle_groups();
        self.settle_ports();
    }

    fn settle_groups(&mut self) {
        let kinds: BTreeMap<&str, _> =
            self.listings.iter().map(|listing| (listing.id.as_str(), listing)).collect();
        let tell = |group: &mut GroupDocument| {
            if let (Some(ecs), Some(listing)) = (&mut group.ecs, kinds.get(group.id.as_str())) {
                ecs.kind = ecs.kind.or(listing.kind);
                ecs.service_managed |= listing.service_managed;
            }
        };
        if let Some(groups) = self.groups.as_mut().filter(|_| !kinds.is_empty()) {
            change(groups, tell);
        }
    }

    fn settle_ports(&mut self) {
        // Pages of one list add up.
        let mut lists: BTreeMap<&str, Vec<(u16, u16)>> = BTreeMap::new();
        for (id, ranges) in &self.port_lists {
            lists.entry(id).or_default().extend(ranges);
        }
        let lists: BTreeMap<&str, Vec<(u16, u16)>> =
            lists.into_iter().map(|(id, ranges)| (id, apart(ranges))).collect();
        let tell = |document: &mut RuleDocument| {
            let list = document.rule.ranked.as_mut().and_then(|ranked| ranked.port_list.as_mut());
            if let Some(PortList { id, ranges }) = list
                && let Some(known) = lists.get(id.as_str())
            {
                *ranges = Some(known.clone());
            }
        };
        if !lists.is_empty() {
            change(&mut self.rules, tell);
        }
    }
}

fn change<T: Clone + Ord>(list: &mut List<T>, tell: impl Fn(&mut T)) {
    let mut items = std::mem::take(list).into_vec();
    items.iter_mut().for_each(tell);
    *list = List::from(items);
}

/// Ranges of ports, ascending, without overlaps and gaps of nothing.
fn apart(mut ranges: Vec<(u16, u16)>) -> Vec<(u16, u16)> {
    ranges.retain(|(from, to)| from <= to);
    ranges.sort_unstable();
    let mut apart: Vec<(u16, u16)> = Vec::with_capacity(ranges.len());
    for (from, to) in ranges {
        match apart.last_mut() {
            Some((_, end)) if from <= end.saturating_add(1) => *end = to.max(*end),
            _ => apart.push((from, to)),
        }
    }
    apart
}

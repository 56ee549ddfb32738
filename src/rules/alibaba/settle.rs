//! What one answer says of the objects of another: types of groups, and ports of lists.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;

use super::defaults::defaults;
use crate::rules::aws::{GroupDocument, List, RuleDocument};
use crate::rules::parts::{GroupContent, Scopes};
use crate::rules::ranked::{EcsGroup, Pages, PortList};

/// Ranges of ports.
type Ranges = Vec<(u16, u16)>;

/// The lists of ports in force. A list that is not given again stays as it was.
#[derive(Debug, Clone, Default)]
pub(in crate::rules) struct PortLists(OrdMap<String, Arc<Ranges>>);

impl PortLists {
    /// Takes over what a snapshot says. Pages of one list add up. Answers the lists that have changed.
    pub(in crate::rules) fn replace(&mut self, given: &[(String, Ranges)]) -> BTreeSet<String> {
        let mut lists: BTreeMap<&String, Ranges> = BTreeMap::new();
        for (id, ranges) in given {
            lists.entry(id).or_default().extend(ranges);
        }
        let mut changed = BTreeSet::new();
        for (id, ranges) in lists {
            let ranges = apart(ranges);
            if self.0.get(id).is_none_or(|known| **known != ranges) {
                self.0.insert(id.clone(), Arc::new(ranges));
                changed.insert(id.clone());
            }
        }
        changed
    }

    /// What others know, where nothing is known.
    pub(in crate::rules) fn take_in(&mut self, others: Self) {
        for (id, ranges) in others.0 {
            self.0.entry(id).or_insert(ranges);
        }
    }
}

/// Tells the pages of groups whose last page is there as well that it is.
pub(in crate::rules) fn join_pages(groups: &mut List<GroupDocument>) {
    let lacks_more = |group: &GroupDocument| group.ecs.is_some_and(|ecs| ecs.pages == Pages::More);
    if !groups.iter().any(|group| lacks_more(group)) {
        return;
    }
    let last = groups.iter().filter(|group| group.ecs.is_some() && !lacks_more(group));
    let whole: BTreeSet<String> = last.map(|group| group.id.clone()).collect();
    let join = |group: &Arc<GroupDocument>| {
        let mut group = Arc::clone(group);
        if lacks_more(&group) && whole.contains(&group.id) {
            let document = Arc::make_mut(&mut group);
            document.ecs = document.ecs.map(|ecs| EcsGroup { pages: Pages::All, ..ecs });
        }
        group
    };
    *groups = groups.iter().map(join).collect();
}

/// A group with what other answers say of it, and with what it allows by itself.
pub(in crate::rules) fn settled(
    mut content: GroupContent,
    port_lists: &PortLists,
    scopes: &Scopes,
) -> GroupContent {
    let Some(document) = &mut content.document else { return content };
    let Some(mut ecs) = document.ecs else { return content };
    if let Some(listing) = scopes.listing(&document.id) {
        ecs.kind = ecs.kind.or(listing.kind);
        ecs.service_managed |= listing.service_managed;
    }
    if document.ecs != Some(ecs) {
        Arc::make_mut(document).ecs = Some(ecs);
    }
    content.defaults = defaults(document);
    let mut resolved = false;
    for rule in &mut content.rules {
        let list = rule.rule.port_list().and_then(|list| port_lists.0.get(&list.id));
        if let Some(ranges) = list.map(Arc::clone) {
            tell_ports(Arc::make_mut(rule), &ranges);
            resolved = true;
        }
    }
    if resolved {
        content.rules.sort();
    }
    content
}

fn tell_ports(document: &mut RuleDocument, known: &Ranges) {
    let list = document.rule.ranked.as_mut().and_then(|ranked| ranked.port_list.as_mut());
    if let Some(PortList { ranges, .. }) = list {
        *ranges = Some(known.clone());
    }
}

/// Ranges of ports, ascending, without overlaps and gaps of nothing.
fn apart(mut ranges: Ranges) -> Ranges {
    ranges.retain(|(from, to)| from <= to);
    ranges.sort_unstable();
    let mut apart: Ranges = Vec::with_capacity(ranges.len());
    for (from, to) in ranges {
        match apart.last_mut() {
            Some((_, end)) if from <= end.saturating_add(1) => *end = to.max(*end),
            _ => apart.push((from, to)),
        }
    }
    apart
}

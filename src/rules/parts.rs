//! The documents in force, kind by kind, per account and region.
//!
//! A snapshot of another account, or one in which a kind is missing, leaves the older documents in force. What is the
//! same as before stays the same object, so that states can share it.

mod apply;
mod kind;
mod replace;
mod scopes;
mod second;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;
use ipnet::IpNet;

use super::alibaba::settle::{PortLists, settled};
use super::aws::{GroupDocument, RuleDocument};
use super::change::{ResourceKind, Unapplied};
use super::state::{Interface, NetworkAcl, Subnet};

pub(super) use apply::{Known, RuleIds};
use kind::{Kind, Placed};
pub(super) use replace::speak_of_the_same;
pub(super) use scopes::{Scope, Scopes};

/// The rules of a group, as documents say them: several may say the same rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct HeldRules {
    pub(super) documents: Vec<Arc<RuleDocument>>,
    /// Ids of rules that it holds besides, and nobody says what they are: the rules of the group are not known then.
    unknown: BTreeSet<String>,
}

/// An interface, and whether its groups are those written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HeldInterface {
    interface: Arc<Interface>,
    groups: Groups,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Groups {
    Known,
    Unknown,
}

/// What a state is made of, before rules have numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    pub(super) groups: OrdMap<String, Arc<GroupContent>>,
    pub(super) interfaces: OrdMap<String, Arc<Interface>>,
    pub(super) prefix_lists: OrdMap<String, Arc<Vec<IpNet>>>,
    /// By subnet.
    pub(super) acls: OrdMap<String, Arc<NetworkAcl>>,
    pub(super) subnets: OrdMap<String, Arc<Subnet>>,
}

impl Content {
    /// Whether nothing has changed: what is the same is shared.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.groups.ptr_eq(&other.groups)
            && self.interfaces.ptr_eq(&other.interfaces)
            && self.prefix_lists.ptr_eq(&other.prefix_lists)
            && self.acls == other.acls
            && self.subnets.ptr_eq(&other.subnets)
    }
}

/// A group with its rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct GroupContent {
    pub(super) scope: Scope,
    /// None: known from its rules alone.
    pub(super) document: Option<Arc<GroupDocument>>,
    pub(super) rules: Vec<Arc<RuleDocument>>,
    /// What it allows by itself.
    pub(super) defaults: Vec<Arc<RuleDocument>>,
}

/// The documents in force.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    groups: Kind<GroupDocument>,
    /// By group.
    rules: Kind<HeldRules>,
    interfaces: Kind<HeldInterface>,
    acls: Kind<NetworkAcl>,
    subnets: Kind<Subnet>,
    prefix_lists: OrdMap<String, Arc<Vec<IpNet>>>,
    /// Ports of lists that rules name in place of ports.
    port_lists: PortLists,
    content: Content,
    /// Changes that tell something of what is not known.
    pub(super) unapplied: Unapplied,
}

impl Parts {
    /// Entries come one list per answer, so a list that is not given again stays as it was. Pages add up.
    fn replace_prefix_lists(&mut self, given: &[(String, Vec<IpNet>)]) {
        let mut lists: BTreeMap<&String, Vec<IpNet>> = BTreeMap::new();
        for (id, nets) in given {
            lists.entry(id).or_default().extend(nets);
        }
        for (id, nets) in lists {
            self.put_prefix_list(id, nets);
        }
    }

    /// The same for lists of ports; the groups whose rules name them are made anew.
    fn replace_port_lists(&mut self, given: &[(String, Vec<(u16, u16)>)]) {
        let changed = self.port_lists.replace(given);
        if changed.is_empty() {
            return;
        }
        let names_one =
            |rule: &Arc<RuleDocument>| rule.rule.port_list().is_some_and(|list| changed.contains(&list.id));
        let groups = self.rules.all.iter().filter(|(_, held)| held.object.documents.iter().any(names_one));
        let ids: Vec<String> = groups.map(|(id, _)| id.clone()).collect();
        self.rules.touched.extend(ids);
    }

    fn put_prefix_list(&mut self, id: &str, mut nets: Vec<IpNet>) {
        nets.sort_unstable();
        nets.dedup();
        if self.prefix_lists.get(id).is_none_or(|old| **old != nets) {
            self.prefix_lists.insert(id.to_owned(), Arc::new(nets));
        }
    }

    /// What others know, where nothing is known.
    pub(super) fn take_in(&mut self, others: Self) {
        self.groups.take_in(others.groups);
        self.rules.take_in(others.rules);
        self.interfaces.take_in(others.interfaces);
        self.acls.take_in(others.acls);
        self.subnets.take_in(others.subnets);
        for (id, nets) in others.prefix_lists {
            self.prefix_lists.entry(id).or_insert(nets);
        }
        self.port_lists.take_in(others.port_lists);
    }

    /// Only what lies in these scopes, kind by kind; prefix lists have none and stay.
    pub(super) fn retain(&mut self, scopes: &BTreeSet<(ResourceKind, Scope)>) {
        let of = |kind: ResourceKind| -> Vec<&Scope> {
            scopes.iter().filter(|(of, _)| *of == kind).map(|(_, scope)| scope).collect()
        };
        self.groups.retain(&of(ResourceKind::Group));
        self.rules.retain(&of(ResourceKind::Group));
        self.interfaces.retain(&of(ResourceKind::Interface));
        self.acls.retain(&of(ResourceKind::Acl));
        self.subnets.retain(&of(ResourceKind::Subnet));
    }

    /// What the documents in force amount to. What is the same as the last time is shared with that.
    pub(super) fn content(&mut self, scopes: &Scopes) -> Content {
        let mut groups = std::mem::take(&mut self.groups.touched);
        groups.append(&mut self.rules.touched);
        for id in groups {
            let group = self.group_content(&id, scopes).map(Arc::new);
            share(&mut self.content.groups, id, group);
        }
        for id in std::mem::take(&mut self.interfaces.touched) {
            let held = self.interfaces.get(&id).filter(|held| held.groups == Groups::Known);
            let interface = held.map(|held| Arc::clone(&held.interface));
            share(&mut self.content.interfaces, id, interface);
        }
        for id in std::mem::take(&mut self.subnets.touched) {
            let subnet = self.subnets.all.get(&id).map(|placed| Arc::clone(&placed.object));
            share(&mut self.content.subnets, id, subnet);
        }
        if !std::mem::take(&mut self.acls.touched).is_empty() {
            let acls = self.acls.all.values().map(|placed| &placed.object);
            let by_subnet =
                acls.flat_map(|acl| acl.subnet_ids.iter().map(|id| (id.clone(), Arc::clone(acl))));
            self.content.acls = by_subnet.collect();
        }
        self.content.prefix_lists.clone_from(&self.prefix_lists);
        self.content.clone()
    }

    /// None: it is not there, or not all of its rules are known: then nothing can be said of it.
    fn group_content(&self, id: &str, scopes: &Scopes) -> Option<GroupContent> {
        let document = self.groups.all.get(id);
        let rules = self.rules.all.get(id);
        if rules.is_some_and(|rules| !rules.object.unknown.is_empty()) {
            return None;
        }
        let content = GroupContent {
            scope: document.map(|it| &it.scope).or(rules.map(|it| &it.scope))?.clone(),
            document: document.map(|placed| Arc::clone(&placed.object)),
            rules: rules.map(|placed| placed.object.documents.clone()).unwrap_or_default(),
            defaults: Vec::new(),
        };
        Some(settled(content, &self.port_lists, scopes))
    }
}

/// Puts a value in a map or takes it out; one that is equal stays.
fn share<T: PartialEq>(map: &mut OrdMap<String, Arc<T>>, id: String, value: Option<Arc<T>>) {
    match value {
        None => {
            map.remove(&id);
        }
        Some(value) if map.get(&id).is_some_and(|old| **old == *value) => {}
        Some(value) => {
            map.insert(id, value);
        }
    }
}

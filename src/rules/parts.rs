//! The documents in force, kind by kind, per account and region.
//!
//! A snapshot of another account, or one in which a kind is missing, leaves the older documents in force. What is the
//! same as before stays the same object, so that states can share it.

mod apply;
mod kind;
mod replace;
mod second;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;
use ipnet::IpNet;

use super::alibaba::defaults::defaults;
use super::aws::{GroupDocument, List, Objects, RuleDocument};
use super::change::{Change, Resource, ResourceKind, Unapplied, What};
use super::state::{Interface, NetworkAcl, Subnet};
use super::timeline::{Snapshot, distinct};

pub(super) use apply::{Known, RuleIds};
use kind::{Kind, Placed};
pub(super) use replace::speak_of_the_same;

/// Account and region; an empty part is unknown and fits any.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scope {
    pub(super) account: String,
    pub(super) region: String,
}

impl Scope {
    /// Where a change was made.
    pub(super) fn of(change: &Change) -> Self {
        Self { account: change.owner_id.clone(), region: change.region.clone() }
    }

    pub(super) fn fits(&self, other: &Self) -> bool {
        let part = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
        part(&self.account, &other.account) && part(&self.region, &other.region)
    }
}

/// Where a VPC lies, learnt from every object that says so: older answers leave the account or the region out.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    vpcs: BTreeMap<String, Scope>,
}

impl Scopes {
    pub(super) fn of(snapshots: &[Snapshot], changes: &BTreeSet<Change>) -> Self {
        let mut scopes = Self::default();
        let mut last = &Objects::default();
        for objects in distinct(snapshots) {
            beyond(objects.groups.as_ref(), last.groups.as_ref()).for_each(|group| scopes.learn_group(group));
            beyond(objects.interfaces.as_ref(), last.interfaces.as_ref())
                .for_each(|it| scopes.learn_interface(it));
            beyond(objects.acls.as_ref(), last.acls.as_ref())
                .for_each(|acl| scopes.learn(&acl.vpc_id, &acl.owner_id, ""));
            beyond(objects.subnets.as_ref(), last.subnets.as_ref())
                .for_each(|it| scopes.learn(&it.vpc_id, &it.owner_id, ""));
            last = objects;
        }
        for change in changes {
            let What::Is(_, resource) = &change.what else { continue };
            match &**resource {
                Resource::Group(group, _) => scopes.learn_group(group),
                Resource::Interface(interface) => scopes.learn_interface(interface),
                Resource::Acl(NetworkAcl { vpc_id, .. }) | Resource::Subnet(Subnet { vpc_id, .. }) => {
                    scopes.learn(vpc_id, &change.owner_id, &change.region);
                }
                Resource::PrefixList(..) => {}
            }
        }
        scopes
    }

    fn learn_group(&mut self, group: &GroupDocument) {
        self.learn(&group.vpc_id, &group.owner_id, &group.region);
    }

    /// Interfaces may be owned by another account than their (shared) VPC; only the region is the VPC's.
    fn learn_interface(&mut self, interface: &Interface) {
        self.learn(&interface.vpc_id, "", &interface.region);
    }

    fn learn(&mut self, vpc: &str, account: &str, region: &str) {
        if vpc.is_empty() {
            return;
        }
        let known = self.vpcs.contains_key(vpc);
        if !known {
            self.vpcs.insert(vpc.to_owned(), Scope::default());
        }
        let Some(scope) = self.vpcs.get_mut(vpc) else { return };
        if scope.account.is_empty() {
            account.clone_into(&mut scope.account);
        }
        if scope.region.is_empty() {
            region.clone_into(&mut scope.region);
        }
    }

    /// The accounts and regions that a snapshot speaks of, by the kind of what it names there.
    pub(super) fn of_objects<'a>(
        &'a self,
        objects: &'a Objects,
    ) -> impl Iterator<Item = (ResourceKind, Scope)> {
        let groups = objects.groups.iter().flatten();
        let groups = groups.map(|it| self.scope(&it.vpc_id, &it.owner_id, &it.region));
        let rules = objects.rules.iter().map(|it| self.scope(&it.vpc_id, &it.owner_id, &it.region));
        let groups = groups.chain(rules).map(|scope| (ResourceKind::Group, scope));
        let interfaces = objects.interfaces.iter().flatten();
        let interfaces =
            interfaces.map(|it| (ResourceKind::Interface, self.scope(&it.vpc_id, &it.owner_id, &it.region)));
        let acls = objects.acls.iter().flatten();
        let acls = acls.map(|it| (ResourceKind::Acl, self.scope(&it.vpc_id, &it.owner_id, "")));
        let subnets = objects.subnets.iter().flatten();
        let subnets = subnets.map(|it| (ResourceKind::Subnet, self.scope(&it.vpc_id, &it.owner_id, "")));
        groups.chain(interfaces).chain(acls).chain(subnets)
    }

    /// Account and region of an interface.
    pub(super) fn of_interface(&self, interface: &Interface) -> (String, String) {
        let scope = self.scope(&interface.vpc_id, &interface.owner_id, &interface.region);
        (scope.account, scope.region)
    }

    fn scope(&self, vpc: &str, account: &str, region: &str) -> Scope {
        let known = self.vpcs.get(vpc);
        let or = |said: &str, known: Option<&String>| match known {
            Some(known) if said.is_empty() => known.clone(),
            _ => said.to_owned(),
        };
        Scope {
            account: or(account, known.map(|scope| &scope.account)),
            region: or(region, known.map(|scope| &scope.region)),
        }
    }
}

/// What a list holds beyond that of the snapshot before.
fn beyond<'a, T: Ord>(
    new: Option<&'a List<T>>,
    old: Option<&'a List<T>>,
) -> impl Iterator<Item = &'a Arc<T>> {
    let (some, all) = match (new, old) {
        (Some(new), Some(old)) => (old.difference(new).1, None),
        (new, _) => (Vec::new(), new),
    };
    some.into_iter().chain(all.into_iter().flatten())
}

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
    pub(super) fn content(&mut self) -> Content {
        let mut groups = std::mem::take(&mut self.groups.touched);
        groups.append(&mut self.rules.touched);
        for id in groups {
            let group = self.group_content(&id).map(Arc::new);
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
    fn group_content(&self, id: &str) -> Option<GroupContent> {
        let document = self.groups.all.get(id);
        let rules = self.rules.all.get(id);
        if rules.is_some_and(|rules| !rules.object.unknown.is_empty()) {
            return None;
        }
        Some(GroupContent {
            scope: document.map(|it| &it.scope).or(rules.map(|it| &it.scope))?.clone(),
            document: document.map(|placed| Arc::clone(&placed.object)),
            defaults: document.map(|placed| defaults(&placed.object)).unwrap_or_default(),
            rules: rules.map(|placed| placed.object.documents.clone()).unwrap_or_default(),
        })
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

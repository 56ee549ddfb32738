//! The documents in force, kind by kind, per account and region.
//!
//! A snapshot of another account, or one in which a kind is missing, leaves the older documents in force.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;

use super::Rule;
use super::aws::{GroupDocument, Objects, RuleDocument};
use super::state::{Group, Interface, NetworkAcl, State, Subnet};
use super::timeline::{Snapshot, rule_index};
use crate::flow::Seconds;

/// Account and region; an empty part is unknown and fits any.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scope {
    account: String,
    region: String,
}

impl Scope {
    fn fits(&self, other: &Self) -> bool {
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
    pub(super) fn of(snapshots: &[Snapshot]) -> Self {
        let mut scopes = Self::default();
        for objects in snapshots.iter().map(|snapshot| &snapshot.objects) {
            for group in objects.groups.iter().flatten() {
                scopes.learn(&group.vpc_id, &group.owner_id, &group.region);
            }
            for interface in objects.interfaces.iter().flatten() {
                // Interfaces may be owned by another account than their (shared) VPC; only the region is the VPC's.
                scopes.learn(&interface.vpc_id, "", &interface.region);
            }
            for acl in objects.acls.iter().flatten() {
                scopes.learn(&acl.vpc_id, &acl.owner_id, "");
            }
            for subnet in objects.subnets.iter().flatten() {
                scopes.learn(&subnet.vpc_id, &subnet.owner_id, "");
            }
        }
        scopes
    }

    fn learn(&mut self, vpc: &str, account: &str, region: &str) {
        if vpc.is_empty() {
            return;
        }
        let scope = self.vpcs.entry(vpc.to_owned()).or_default();
        if scope.account.is_empty() {
            account.clone_into(&mut scope.account);
        }
        if scope.region.is_empty() {
            region.clone_into(&mut scope.region);
        }
    }

    fn scope(&self, vpc: &str, account: &str, region: &str) -> Scope {
        let known = self.vpcs.get(vpc).cloned().unwrap_or_default();
        let or = |said: &str, known: String| if said.is_empty() { known } else { said.to_owned() };
        Scope { account: or(account, known.account), region: or(region, known.region) }
    }
}

/// Objects of one kind by scope.
#[derive(Debug)]
struct Kind<T>(BTreeMap<Scope, Vec<T>>);

impl<T> Default for Kind<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Kind<T> {
    /// The new objects replace the older ones of every scope they speak of; an empty answer speaks of what the rest of
    /// its snapshot speaks of.
    fn replace(&mut self, given: Option<Vec<(Scope, T)>>, snapshot_scopes: &BTreeSet<Scope>) {
        let Some(new) = given else { return };
        let spoken: BTreeSet<Scope> = new.iter().map(|(scope, _)| scope.clone()).collect();
        let spoken = if spoken.is_empty() { snapshot_scopes } else { &spoken };
        self.0.retain(|old, _| !spoken.is_empty() && !spoken.iter().any(|scope| scope.fits(old)));
        for (scope, object) in new {
            self.0.entry(scope).or_default().push(object);
        }
    }

    fn all(&self) -> impl Iterator<Item = &T> {
        self.0.values().flatten()
    }

    fn scoped(&self) -> impl Iterator<Item = (&Scope, &T)> {
        self.0.iter().flat_map(|(scope, objects)| objects.iter().map(move |object| (scope, object)))
    }
}

/// The documents in force, per kind and scope.
#[derive(Debug, Default)]
pub(super) struct Parts {
    groups: Kind<Arc<GroupDocument>>,
    rules: Kind<Arc<RuleDocument>>,
    interfaces: Kind<Arc<Interface>>,
    acls: Kind<Arc<NetworkAcl>>,
    subnets: Kind<Arc<Subnet>>,
    prefix_lists: BTreeMap<String, Arc<Vec<ipnet::IpNet>>>,
}

impl Parts {
    /// The documents of one snapshot take the place of the older ones of their kind, account and region.
    pub(super) fn replace(&mut self, objects: Objects, scopes: &Scopes) {
        let rules_given = objects.groups.is_some() || objects.rules_described;
        let mut homes: BTreeMap<String, Scope> = BTreeMap::new();
        let groups = objects.groups.map(|groups| {
            let place = |group: GroupDocument| {
                let scope = scopes.scope(&group.vpc_id, &group.owner_id, &group.region);
                homes.insert(group.id.clone(), scope.clone());
                (scope, Arc::new(group))
            };
            groups.into_iter().map(place).collect::<Vec<_>>()
        });
        let place = |rule: RuleDocument| {
            let own = || scopes.scope(&rule.vpc_id, &rule.owner_id, &rule.region);
            let scope = homes.get(&rule.rule.group_id).cloned().unwrap_or_else(own);
            (scope, Arc::new(rule))
        };
        let rules: Vec<_> = objects.rules.into_iter().map(place).collect();
        let interfaces = placed(objects.interfaces, |it| scopes.scope(&it.vpc_id, &it.owner_id, &it.region));
        let acls = placed(objects.acls, |it| scopes.scope(&it.vpc_id, &it.owner_id, ""));
        let subnets = placed(objects.subnets, |it| scopes.scope(&it.vpc_id, &it.owner_id, ""));
        let mut spoken: BTreeSet<Scope> = rules.iter().map(|(scope, _)| scope.clone()).collect();
        spoken.extend(groups.iter().flatten().map(|(scope, _)| scope.clone()));
        spoken.extend(interfaces.iter().flatten().map(|(scope, _)| scope.clone()));
        spoken.extend(acls.iter().flatten().map(|(scope, _)| scope.clone()));
        spoken.extend(subnets.iter().flatten().map(|(scope, _)| scope.clone()));
        if spoken.is_empty() {
            spoken.insert(Scope::default());
        }
        // Either answer holds all rules; a group that the answers about groups do not name again is gone.
        self.rules.replace(rules_given.then_some(rules), &spoken);
        self.groups.replace(groups, &spoken);
        self.interfaces.replace(interfaces, &spoken);
        self.acls.replace(acls, &spoken);
        self.subnets.replace(subnets, &spoken);
        self.replace_prefix_lists(objects.prefix_lists);
    }

    /// Entries come one list per answer, so a list that is not given again stays as it was. Pages add up.
    fn replace_prefix_lists(&mut self, given: Vec<(String, Vec<IpNet>)>) {
        let mut lists: BTreeMap<String, Vec<IpNet>> = BTreeMap::new();
        for (id, nets) in given {
            lists.entry(id).or_default().extend(nets);
        }
        self.prefix_lists.extend(lists.into_iter().map(|(id, mut nets)| {
            nets.sort_unstable();
            nets.dedup();
            (id, Arc::new(nets))
        }));
    }

    /// The state that the documents in force make.
    pub(super) fn state(&self, from: Option<Seconds>, catalogue: &[Rule]) -> State {
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        for (scope, document) in self.groups.scoped() {
            let group = groups.entry(document.id.clone()).or_default();
            group.name.clone_from(&document.name);
            group.description.clone_from(&document.description);
            group.vpc_id.clone_from(&document.vpc_id);
            group.owner_id.clone_from(&scope.account);
            group.region.clone_from(&scope.region);
            group.tags.clone_from(&document.tags);
        }
        for (scope, document) in self.rules.scoped() {
            let group = groups.entry(document.rule.group_id.clone()).or_insert_with(|| Group {
                owner_id: scope.account.clone(),
                region: scope.region.clone(),
                ..Group::default()
            });
            group.rules.extend(catalogue.binary_search(&document.rule).ok().map(rule_index));
        }
        for group in groups.values_mut() {
            group.rules.sort_unstable();
            group.rules.dedup();
        }
        let by_subnet = |acl: &Arc<NetworkAcl>| {
            acl.subnet_ids.iter().map(|subnet| (subnet.clone(), Arc::clone(acl))).collect::<Vec<_>>()
        };
        State {
            from,
            groups,
            interfaces: self.interfaces.all().map(|it| (it.id.clone(), Arc::clone(it))).collect(),
            prefix_lists: self.prefix_lists.clone(),
            acls: self.acls.all().flat_map(by_subnet).collect(),
            subnets: self.subnets.all().map(|it| (it.id.clone(), Arc::clone(it))).collect(),
        }
    }
}

fn placed<T>(given: Option<Vec<T>>, scope: impl Fn(&T) -> Scope) -> Option<Vec<(Scope, Arc<T>)>> {
    Some(given?.into_iter().map(|object| (scope(&object), Arc::new(object))).collect())
}

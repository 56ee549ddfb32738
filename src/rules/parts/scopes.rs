//! Where things lie: cloud, account and region of VPCs, groups and interfaces.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::rules::alibaba::GroupListing;
use crate::rules::aws::{GroupDocument, List, Objects, RuleDocument};
use crate::rules::change::{Change, Resource, ResourceKind, What};
use crate::rules::state::{Cloud, Interface, NetworkAcl, Subnet};
use crate::rules::timeline::{Snapshot, distinct};

/// Cloud, account and region; an empty part is unknown and fits any.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::rules) struct Scope {
    pub(in crate::rules) cloud: Cloud,
    pub(in crate::rules) account: String,
    pub(in crate::rules) region: String,
}

impl Scope {
    /// Where a change was made: trails are of AWS.
    pub(in crate::rules) fn of(change: &Change) -> Self {
        Self { cloud: Cloud::Aws, account: change.owner_id.clone(), region: change.region.clone() }
    }

    pub(in crate::rules) fn fits(&self, other: &Self) -> bool {
        let part = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
        self.cloud == other.cloud && part(&self.account, &other.account) && part(&self.region, &other.region)
    }
}

/// Where a VPC lies, learnt from every object that says so: older answers leave the account or the region out, and those of
/// Alibaba Cloud about groups say neither account nor type.
#[derive(Debug, Default)]
pub(in crate::rules) struct Scopes {
    /// By cloud.
    vpcs: [BTreeMap<String, Scope>; 2],
    /// Accounts of groups, by those of the interfaces that carry them.
    owners: BTreeMap<String, String>,
    /// Accounts of groups that stood in a snapshot whose interfaces are all of one.
    neighbours: BTreeMap<String, String>,
    /// What groups are listed as; it never changes.
    listings: BTreeMap<String, GroupListing>,
}

impl Scopes {
    pub(in crate::rules) fn of(snapshots: &[Snapshot], changes: &BTreeSet<Change>) -> Self {
        let mut scopes = Self::default();
        let mut last = &Objects::default();
        for objects in distinct(snapshots) {
            beyond(objects.groups.as_ref(), last.groups.as_ref()).for_each(|group| scopes.learn_group(group));
            beyond(objects.interfaces.as_ref(), last.interfaces.as_ref())
                .for_each(|it| scopes.learn_interface(it));
            beyond(objects.acls.as_ref(), last.acls.as_ref())
                .for_each(|acl| scopes.learn(Cloud::Aws, &acl.vpc_id, &acl.owner_id, ""));
            beyond(objects.subnets.as_ref(), last.subnets.as_ref())
                .for_each(|it| scopes.learn(Cloud::Aws, &it.vpc_id, &it.owner_id, ""));
            objects.listings.iter().for_each(|listing| scopes.learn_listing(listing));
            scopes.learn_neighbours(objects, last);
            last = objects;
        }
        for change in changes {
            let What::Is(_, resource) = &change.what else { continue };
            match &**resource {
                Resource::Group(group, _) => scopes.learn_group(group),
                Resource::Interface(interface) => scopes.learn_interface(interface),
                Resource::Acl(NetworkAcl { vpc_id, .. }) | Resource::Subnet(Subnet { vpc_id, .. }) => {
                    scopes.learn(Cloud::Aws, vpc_id, &change.owner_id, &change.region);
                }
                Resource::PrefixList(..) => {}
            }
        }
        scopes
    }

    fn learn_group(&mut self, group: &GroupDocument) {
        self.learn(group.cloud(), &group.vpc_id, &group.owner_id, &group.region);
    }

    /// Interfaces may be owned by another account than their (shared) VPC; only the region is the VPC's. Groups of Alibaba
    /// Cloud are of the account of the interfaces that carry them, and where none does, mostly of the VPC's other interfaces.
    fn learn_interface(&mut self, interface: &Interface) {
        let Interface { cloud, vpc_id, owner_id, region, .. } = interface;
        match cloud {
            Cloud::Aws => self.learn(*cloud, vpc_id, "", region),
            Cloud::Alibaba => {
                self.learn(*cloud, vpc_id, owner_id, region);
                for group in interface.group_ids.iter().filter(|_| !owner_id.is_empty()) {
                    self.owners.entry(group.clone()).or_insert_with(|| owner_id.clone());
                }
            }
        }
    }

    /// Groups whose account no answer says and no interface tells are of the account that the rest of the snapshot is of.
    fn learn_neighbours(&mut self, objects: &Objects, last: &Objects) {
        let of_no_account = |group: &&Arc<GroupDocument>| group.ecs.is_some() && group.owner_id.is_empty();
        let groups = beyond(objects.groups.as_ref(), last.groups.as_ref()).filter(of_no_account);
        let ids: Vec<&String> = groups.map(|group| &group.id).collect();
        if let Some(account) = ids.first().and_then(|_| only_account(objects)) {
            for id in ids {
                self.neighbours.entry(id.clone()).or_insert_with(|| account.to_owned());
            }
        }
    }

    fn learn_listing(&mut self, listing: &GroupListing) {
        match self.listings.get_mut(&listing.id) {
            Some(known) => {
                known.kind = known.kind.or(listing.kind);
                known.service_managed |= listing.service_managed;
            }
            None => _ = self.listings.insert(listing.id.clone(), listing.clone()),
        }
    }

    /// What a group is listed as in any snapshot.
    pub(in crate::rules) fn listing(&self, group: &str) -> Option<&GroupListing> {
        self.listings.get(group)
    }

    fn learn(&mut self, cloud: Cloud, vpc: &str, account: &str, region: &str) {
        if vpc.is_empty() {
            return;
        }
        let vpcs = &mut self.vpcs[cloud as usize];
        let known = vpcs.contains_key(vpc);
        if !known {
            vpcs.insert(vpc.to_owned(), Scope { cloud, ..Scope::default() });
        }
        let Some(scope) = vpcs.get_mut(vpc) else { return };
        if scope.account.is_empty() {
            account.clone_into(&mut scope.account);
        }
        if scope.region.is_empty() {
            region.clone_into(&mut scope.region);
        }
    }

    /// The accounts and regions that a snapshot speaks of, by the kind of what it names there.
    pub(in crate::rules) fn of_objects<'a>(
        &'a self,
        objects: &'a Objects,
    ) -> impl Iterator<Item = (ResourceKind, Scope)> {
        let groups = objects.groups.iter().flatten().map(|it| self.of_group(it));
        let rules = objects.rules.iter().map(|it| self.of_rule(it));
        let groups = groups.chain(rules).map(|scope| (ResourceKind::Group, scope));
        let interfaces = objects.interfaces.iter().flatten();
        let interfaces = interfaces.map(|it| (ResourceKind::Interface, self.of_interface(it)));
        let acls = objects.acls.iter().flatten();
        let acls = acls.map(|it| (ResourceKind::Acl, self.of_vpc(&it.vpc_id, &it.owner_id)));
        let subnets = objects.subnets.iter().flatten();
        let subnets = subnets.map(|it| (ResourceKind::Subnet, self.of_vpc(&it.vpc_id, &it.owner_id)));
        groups.chain(interfaces).chain(acls).chain(subnets)
    }

    /// Where a group lies.
    pub(in crate::rules) fn of_group(&self, group: &GroupDocument) -> Scope {
        self.scope(group.cloud(), &group.vpc_id, self.owner(&group.id, &group.owner_id), &group.region)
    }

    /// Where the group of a rule lies.
    pub(in crate::rules) fn of_rule(&self, document: &RuleDocument) -> Scope {
        let RuleDocument { rule, vpc_id, owner_id, region, .. } = document;
        let cloud = if rule.ranked.is_some() { Cloud::Alibaba } else { Cloud::Aws };
        self.scope(cloud, vpc_id, self.owner(&rule.group_id, owner_id), region)
    }

    /// Where an interface lies.
    pub(in crate::rules) fn of_interface(&self, interface: &Interface) -> Scope {
        self.scope(interface.cloud, &interface.vpc_id, &interface.owner_id, &interface.region)
    }

    /// Where an ACL or a subnet of AWS lies.
    pub(in crate::rules) fn of_vpc(&self, vpc: &str, account: &str) -> Scope {
        self.scope(Cloud::Aws, vpc, account, "")
    }

    fn owner<'a>(&'a self, group: &str, said: &'a str) -> &'a str {
        if !said.is_empty() {
            return said;
        }
        self.owners.get(group).or(self.neighbours.get(group)).map_or("", String::as_str)
    }

    pub(in crate::rules) fn scope(&self, cloud: Cloud, vpc: &str, account: &str, region: &str) -> Scope {
        let known = self.vpcs[cloud as usize].get(vpc);
        let or = |said: &str, known: Option<&String>| match known {
            Some(known) if said.is_empty() => known.clone(),
            _ => said.to_owned(),
        };
        Scope {
            cloud,
            account: or(account, known.map(|scope| &scope.account)),
            region: or(region, known.map(|scope| &scope.region)),
        }
    }
}

/// The account of the interfaces of Alibaba Cloud, if they are of one.
fn only_account(objects: &Objects) -> Option<&str> {
    let interfaces = objects.interfaces.iter().flatten().filter(|it| it.cloud == Cloud::Alibaba);
    let mut accounts = interfaces.map(|it| it.owner_id.as_str()).filter(|account| !account.is_empty());
    let first = accounts.next()?;
    accounts.all(|account| account == first).then_some(first)
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

//! Snapshots in order of time → the states in force.
//!
//! The state in force is put together per account, region and kind of document: a snapshot of another account, or one in
//! which a kind is missing, leaves the older one in force. A rule is its content; its id is a label, known everywhere
//! once it is known somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::aws::{GroupDocument, Objects, RuleDocument};
use super::state::{FlowLog, Group, Interface, NetworkAcl, State, Subnet};
use super::{Rule, RuleIndex};
use crate::flow::Seconds;

/// What one snapshot says, and since when it is in force (None: always).
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Since when.
    pub at: Option<Seconds>,
    /// What its documents hold.
    pub objects: Objects,
}

/// What labels a rule without being part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Label {
    /// `sgr-…`, where known.
    pub rule_id: Option<String>,
    /// Description, the newest known.
    pub description: Option<String>,
    /// Tags of the rule itself.
    pub tags: Vec<(String, String)>,
}

/// All states of a run, oldest first, with the catalogue of every rule in any of them.
#[derive(Debug, Default)]
pub struct Timeline {
    /// States by ascending `from`; empty only when no snapshot was given.
    pub states: Vec<State>,
    /// Every rule of every state, ascending, once.
    pub rules: Vec<Rule>,
    /// Labels, parallel to `rules`.
    pub labels: Vec<Label>,
    /// Flow logs described in any snapshot, sorted.
    pub flow_logs: Vec<FlowLog>,
    /// Ranges of the VPCs described in any snapshot.
    pub vpcs: BTreeMap<String, BTreeSet<ipnet::IpNet>>,
}

/// How a record's time lies to the states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// A state was in force.
    InForce,
    /// The record starts before the first state, which judges it.
    BeforeFirst,
    /// The record has no time; the first state judges it.
    Undated,
}

impl Timeline {
    /// Builds the states of these snapshots, in any order; snapshots of one time add up.
    pub fn build(mut snapshots: Vec<Snapshot>) -> Self {
        snapshots.sort_by_key(|snapshot| snapshot.at);
        let scopes = Scopes::of(&snapshots);
        let flow_logs: BTreeSet<FlowLog> = snapshots
            .iter_mut()
            .flat_map(|snapshot| std::mem::take(&mut snapshot.objects.flow_logs))
            .collect();
        let mut vpcs: BTreeMap<String, BTreeSet<ipnet::IpNet>> = BTreeMap::new();
        for (id, ranges) in snapshots.iter_mut().flat_map(|snapshot| snapshot.objects.vpcs.drain(..)) {
            vpcs.entry(id).or_default().extend(ranges);
        }
        let (rules, labels) = catalogue(&snapshots);
        let mut parts = Parts::default();
        let mut states: Vec<State> = Vec::new();
        for group in snapshots.chunk_by_mut(|a, b| a.at == b.at) {
            let at = group[0].at;
            let objects = add_up(group.iter_mut().map(|snapshot| std::mem::take(&mut snapshot.objects)));
            parts.replace(objects, &scopes);
            states.push(parts.state(at, &rules));
        }
        Self { states, rules, labels, flow_logs: flow_logs.into_iter().collect(), vpcs }
    }

    /// The state that judges a record of this start. None only without snapshots.
    pub fn at(&self, start: Option<Seconds>) -> Option<(usize, Placement)> {
        let first = self.states.first()?;
        let Some(start) = start else { return Some((0, Placement::Undated)) };
        if first.from.is_some_and(|from| start < from) {
            return Some((0, Placement::BeforeFirst));
        }
        let after = self.states.partition_point(|state| state.from.is_none_or(|from| from <= start));
        Some((after - 1, Placement::InForce))
    }

    /// The newest state: findings are about it only.
    pub fn newest(&self) -> Option<&State> {
        self.states.last()
    }

    /// The interface as the state has it, or else as the next state that has it, or else as the last one before.
    pub fn interface(&self, state: usize, id: &str) -> Option<(usize, &Arc<Interface>)> {
        let later = self.states.iter().enumerate().skip(state);
        let earlier = self.states.iter().enumerate().take(state).rev();
        later.chain(earlier).find_map(|(index, state)| Some((index, state.interfaces.get(id)?)))
    }

    /// The index of a rule by content.
    pub fn find(&self, rule: &Rule) -> Option<RuleIndex> {
        self.rules.binary_search(rule).ok().map(rule_index)
    }

    /// First and last state (by index) that hold the rule, whatever lies between.
    pub fn life(&self, rule: RuleIndex) -> Option<(usize, usize)> {
        let holds = |state: &State| {
            state
                .groups
                .get(&self.rules[rule.index()].group_id)
                .is_some_and(|group| group.rules.binary_search(&rule).is_ok())
        };
        let first = self.states.iter().position(holds)?;
        let last = self.states.iter().rposition(holds)?;
        Some((first, last))
    }
}

/// Rule indices are 32 bits: a catalogue beyond that would not fit in memory first.
fn rule_index(index: usize) -> RuleIndex {
    RuleIndex(u32::try_from(index).unwrap_or(u32::MAX))
}

fn catalogue(snapshots: &[Snapshot]) -> (Vec<Rule>, Vec<Label>) {
    let mut known: BTreeMap<&Rule, Label> = BTreeMap::new();
    for document in snapshots.iter().flat_map(|snapshot| &snapshot.objects.rules) {
        let label = known.entry(&document.rule).or_default();
        if let Some(id) = &document.rule_id {
            label.rule_id = Some(id.clone());
        }
        if let Some(description) = &document.description {
            label.description = Some(description.clone());
        }
        if !document.tags.is_empty() {
            label.tags.clone_from(&document.tags);
        }
    }
    known.into_iter().map(|(rule, label)| (rule.clone(), label)).unzip()
}

fn add_up(all: impl Iterator<Item = Objects>) -> Objects {
    fn extend<T>(into: &mut Option<Vec<T>>, from: Option<Vec<T>>) {
        if let Some(from) = from {
            into.get_or_insert_with(Vec::new).extend(from);
        }
    }
    let mut sum = Objects::default();
    for objects in all {
        extend(&mut sum.groups, objects.groups);
        extend(&mut sum.interfaces, objects.interfaces);
        extend(&mut sum.acls, objects.acls);
        extend(&mut sum.subnets, objects.subnets);
        sum.rules.extend(objects.rules);
        sum.rules_described |= objects.rules_described;
        sum.prefix_lists.extend(objects.prefix_lists);
    }
    sum
}

/// Account and region; an empty part is unknown and fits any.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Scope {
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
struct Scopes {
    vpcs: BTreeMap<String, Scope>,
}

impl Scopes {
    fn of(snapshots: &[Snapshot]) -> Self {
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
    fn replace(&mut self, new: Vec<(Scope, T)>, snapshot_scopes: &BTreeSet<Scope>) {
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
}

#[derive(Debug, Clone)]
enum GroupPart {
    Group(Arc<GroupDocument>),
    Rule(Arc<RuleDocument>),
}

/// The documents in force, per kind and scope.
#[derive(Debug, Default)]
struct Parts {
    groups: Kind<GroupPart>,
    interfaces: Kind<Arc<Interface>>,
    acls: Kind<Arc<NetworkAcl>>,
    subnets: Kind<Arc<Subnet>>,
    prefix_lists: BTreeMap<String, Arc<Vec<ipnet::IpNet>>>,
}

impl Parts {
    fn replace(&mut self, objects: Objects, scopes: &Scopes) {
        let has_groups = objects.groups.is_some() || objects.rules_described;
        let mut vpc_of = BTreeMap::new();
        for group in objects.groups.iter().flatten() {
            vpc_of.insert(
                group.id.clone(),
                (group.vpc_id.clone(), group.owner_id.clone(), group.region.clone()),
            );
        }
        let rules = objects.rules.into_iter().map(|rule| {
            let known = vpc_of.get(&rule.rule.group_id).cloned().unwrap_or_default();
            let (vpc, owner, region) = (known.0, or(&rule.owner_id, known.1), or(&rule.region, known.2));
            (scopes.scope(&vpc, &owner, &region), GroupPart::Rule(Arc::new(rule)))
        });
        let mut groups: Vec<_> = rules.collect();
        groups.extend(objects.groups.into_iter().flatten().map(|group| {
            let scope = scopes.scope(&group.vpc_id, &group.owner_id, &group.region);
            (scope, GroupPart::Group(Arc::new(group)))
        }));
        let scoped = |vpc: &str, owner: &str, region: &str| scopes.scope(vpc, owner, region);
        let interfaces = objects.interfaces.map(|all| {
            let all = all.into_iter().map(Arc::new);
            all.map(|it| (scoped(&it.vpc_id, &it.owner_id, &it.region), it)).collect::<Vec<_>>()
        });
        let acls = objects.acls.map(|all| {
            let all = all.into_iter().map(Arc::new);
            all.map(|it| (scoped(&it.vpc_id, &it.owner_id, ""), it)).collect::<Vec<_>>()
        });
        let subnets = objects.subnets.map(|all| {
            let all = all.into_iter().map(Arc::new);
            all.map(|it| (scoped(&it.vpc_id, &it.owner_id, ""), it)).collect::<Vec<_>>()
        });
        let mut spoken: BTreeSet<Scope> = groups.iter().map(|(scope, _)| scope.clone()).collect();
        spoken.extend(interfaces.iter().flatten().map(|(scope, _)| scope.clone()));
        spoken.extend(acls.iter().flatten().map(|(scope, _)| scope.clone()));
        spoken.extend(subnets.iter().flatten().map(|(scope, _)| scope.clone()));
        if spoken.is_empty() {
            spoken.insert(Scope::default());
        }
        if has_groups {
            self.groups.replace(groups, &spoken);
        }
        if let Some(interfaces) = interfaces {
            self.interfaces.replace(interfaces, &spoken);
        }
        if let Some(acls) = acls {
            self.acls.replace(acls, &spoken);
        }
        if let Some(subnets) = subnets {
            self.subnets.replace(subnets, &spoken);
        }
        // Entries come one list per answer, so a list that is not given again stays as it was. Pages add up.
        let mut lists: BTreeMap<String, Vec<ipnet::IpNet>> = BTreeMap::new();
        for (id, nets) in objects.prefix_lists {
            lists.entry(id).or_default().extend(nets);
        }
        self.prefix_lists.extend(lists.into_iter().map(|(id, mut nets)| {
            nets.sort_unstable();
            nets.dedup();
            (id, Arc::new(nets))
        }));
    }

    fn state(&self, from: Option<Seconds>, catalogue: &[Rule]) -> State {
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        for part in self.groups.all() {
            match part {
                GroupPart::Group(document) => {
                    let group = groups.entry(document.id.clone()).or_default();
                    group.name.clone_from(&document.name);
                    group.description.clone_from(&document.description);
                    group.vpc_id.clone_from(&document.vpc_id);
                    group.owner_id.clone_from(&document.owner_id);
                    group.tags.clone_from(&document.tags);
                }
                GroupPart::Rule(document) => {
                    let group = groups.entry(document.rule.group_id.clone()).or_default();
                    group.rules.extend(catalogue.binary_search(&document.rule).ok().map(rule_index));
                }
            }
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

fn or(said: &str, known: String) -> String {
    if said.is_empty() { known } else { said.to_owned() }
}

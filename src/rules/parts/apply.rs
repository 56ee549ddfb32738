//! Changes, applied forwards and undone backwards.
//!
//! Forwards a change is done to what is known. Backwards it is undone where it tells what was before: an authorized rule
//! was not there, a revoked one was. Where it does not tell, the resource is not known before, rather than guessed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;

use super::{Groups, HeldInterface, HeldRules, Parts, Placed, Scopes};
use crate::flow::Direction;
use crate::rules::Rule;
use crate::rules::aws::RuleDocument;
use crate::rules::change::{Change, Life, ModifiedRule, Resource, ResourceKind, What};
use crate::rules::state::{Cloud, Interface};

/// What the ids of rules are known to have meant, by time.
#[derive(Debug, Default)]
pub(in crate::rules) struct RuleIds {
    contents: BTreeMap<String, BTreeSet<(Option<i64>, Rule)>>,
}

impl RuleIds {
    pub(in crate::rules) fn note(&mut self, at: Option<i64>, document: &RuleDocument) {
        if let Some(id) = &document.rule_id {
            self.contents.entry(id.clone()).or_default().insert((at, document.rule.clone()));
        }
    }

    /// A modification tells no direction: it is that of whatever else the id is known to have meant.
    pub(in crate::rules) fn note_modified(&mut self, at: i64, modified: &ModifiedRule) {
        if let Some(said) = self.contents.get_mut(&modified.rule_id)
            && let Some(direction) = said.first().map(|(_, rule)| rule.direction)
        {
            said.insert((Some(at), modified.directed(direction)));
        }
    }

    /// The newest id of every rule of which any is said.
    pub(in crate::rules) fn by_rule(&self) -> BTreeMap<&Rule, &str> {
        let mut newest: BTreeMap<&Rule, (Option<i64>, &str)> = BTreeMap::new();
        for (id, said) in &self.contents {
            for (at, rule) in said {
                let known = newest.entry(rule).or_insert((*at, id));
                *known = (*known).max((*at, id));
            }
        }
        newest.into_iter().map(|(rule, (_, id))| (rule, id)).collect()
    }

    /// The direction of a rule, wherever it is said.
    fn direction(&self, id: &str) -> Option<Direction> {
        self.contents.get(id)?.first().map(|(_, rule)| rule.direction)
    }

    /// What the id meant just before a time, else what it meant first.
    fn before(&self, id: &str, at: i64) -> Option<&Rule> {
        let first = || self.contents.get(id)?.first().map(|(_, rule)| rule);
        self.strictly_before(id, at).or_else(first)
    }

    /// What the id meant just before a time, by what was said before it alone.
    pub(super) fn strictly_before(&self, id: &str, at: i64) -> Option<&Rule> {
        let said = self.contents.get(id)?.iter().rev();
        said.into_iter().find(|(when, _)| when.is_none_or(|when| when < at)).map(|(_, rule)| rule)
    }
}

/// What applying needs besides the parts.
#[derive(Debug, Clone, Copy)]
pub(in crate::rules) struct Known<'a> {
    pub(in crate::rules) scopes: &'a Scopes,
    pub(in crate::rules) rule_ids: &'a RuleIds,
}

impl Parts {
    /// Does to the parts what a change did.
    pub(super) fn apply(&mut self, change: &Change, known: Known<'_>) {
        let applied = match &change.what {
            What::Is(_, resource) => {
                self.put(resource, change, known.scopes);
                true
            }
            What::Gone(kind, id) => {
                self.remove(*kind, id);
                true
            }
            // What it is now is not told, so nothing is known of it until somebody says.
            What::AclChanged(id) => {
                self.remove(ResourceKind::Acl, id);
                true
            }
            What::RulesAuthorized { group_id, rules } => self.rules.update(group_id, |held| held.add(rules)),
            What::RulesRevoked { group_id, rules, rule_ids } => {
                let by_id = |id: &String| known.rule_ids.before(id, change.at).cloned();
                let mut unknown = 0;
                let applied = self.rules.update(group_id, |held| {
                    held.remove(rules.iter().map(|document| document.rule.clone()));
                    for id in rule_ids {
                        if !held.unknown.remove(id) {
                            let meant = held.labelled(id).cloned().or_else(|| by_id(id));
                            // It stays: too many rules never make one look unused that is not.
                            unknown += u64::from(meant.is_none());
                            held.remove(meant.into_iter());
                        }
                    }
                });
                self.unapplied.unknown_rule += unknown;
                applied
            }
            What::RuleModified(modified) => self.modify(modified, change, known),
            What::InterfaceGroups { interface_id, group_ids } => {
                self.interfaces.update(interface_id, |held| held.join(group_ids))
            }
            What::InstanceGroups { instance_id, group_ids } => {
                let interfaces = self.interfaces_of(instance_id);
                if let [only] = interfaces.as_slice() {
                    self.interfaces.update(only, |held| held.join(group_ids))
                } else {
                    self.forget_groups(&interfaces);
                    false
                }
            }
            What::InterfaceAddresses { interface_id, added, removed } => {
                self.interfaces.update(interface_id, |held| held.readdress(added, removed))
            }
            What::PrefixListEntries { prefix_list_id, added, removed } => {
                self.with_prefix_list(prefix_list_id, added, removed)
            }
        };
        self.unapplied.unknown_resource += u64::from(!applied);
    }

    /// Takes back what a change did.
    pub(super) fn undo(&mut self, change: &Change, known: Known<'_>) {
        match &change.what {
            What::Is(Life::GoesOn, resource) => self.put(resource, change, known.scopes),
            What::Is(Life::Begins, resource) => {
                let (kind, id) = resource.id();
                self.remove(kind, id);
            }
            // What it was like nobody says.
            What::Gone(..) => {}
            What::RulesAuthorized { group_id, rules } => {
                self.rules.update(group_id, |held| held.remove(rules.iter().map(|it| it.rule.clone())));
            }
            What::RulesRevoked { group_id, rules, rule_ids } => {
                let by_id = |id: &String| known.rule_ids.before(id, change.at);
                self.rules.update(group_id, |held| {
                    held.add(rules);
                    for id in rule_ids {
                        match by_id(id) {
                            Some(rule) => held.add(&[RuleDocument::labelled(rule.clone(), id.clone())]),
                            None => {
                                held.unknown.insert(id.clone());
                            }
                        }
                    }
                });
            }
            What::RuleModified(modified) => {
                let id = modified.rule_id.as_str();
                let old = known.rule_ids.strictly_before(id, change.at);
                self.rules.update(&modified.group_id, |held| {
                    // A snapshot of that second may show what it was, beside what it was made to be.
                    let labelled = held.documents.iter().filter(|it| it.rule_id.as_deref() == Some(id));
                    let mut made: Vec<Rule> = labelled.map(|document| document.rule.clone()).collect();
                    if made.is_empty() {
                        made.extend(
                            known.rule_ids.direction(id).map(|direction| modified.directed(direction)),
                        );
                    }
                    held.remove(made.into_iter());
                    match old {
                        Some(old) => held.add(&[RuleDocument::labelled(old.clone(), id.to_owned())]),
                        None => {
                            held.unknown.insert(id.to_owned());
                        }
                    }
                });
            }
            What::AclChanged(id) => self.remove(ResourceKind::Acl, id),
            What::InterfaceGroups { interface_id, .. } => {
                self.interfaces.update(interface_id, |held| held.groups = Groups::Unknown);
            }
            What::InstanceGroups { instance_id, .. } => self.forget_groups(&self.interfaces_of(instance_id)),
            What::InterfaceAddresses { interface_id, added, removed } => {
                self.interfaces.update(interface_id, |held| held.readdress(removed, added));
            }
            What::PrefixListEntries { prefix_list_id, added, removed } => {
                self.with_prefix_list(prefix_list_id, removed, added);
            }
        }
    }

    fn put(&mut self, resource: &Resource, change: &Change, scopes: &Scopes) {
        let or = |said: &str, told: &str| if said.is_empty() { told.to_owned() } else { said.to_owned() };
        let scope = |vpc: &str, owner: &str, region: &str| {
            scopes.scope(Cloud::Aws, vpc, &or(owner, &change.owner_id), &or(region, &change.region))
        };
        match resource {
            Resource::Group(group, rules) => {
                let scope = scope(&group.vpc_id, &group.owner_id, &group.region);
                let documents = rules.iter().cloned().map(Arc::new).collect();
                let held = Arc::new(HeldRules::told(documents));
                self.rules.put(&group.id, Placed { scope: scope.clone(), object: held });
                self.groups.put(&group.id, Placed { scope, object: Arc::new(group.clone()) });
            }
            Resource::Interface(interface) => {
                let scope = scope(&interface.vpc_id, &interface.owner_id, &interface.region);
                let mut interface = interface.clone();
                // The answer to a call may leave out what a description says.
                if let Some(known) = self.interfaces.get(&interface.id).map(|held| &held.interface) {
                    let fill = |field: &mut String, known: &String| {
                        if field.is_empty() {
                            field.clone_from(known);
                        }
                    };
                    fill(&mut interface.description, &known.description);
                    fill(&mut interface.requester_id, &known.requester_id);
                    fill(&mut interface.interface_type, &known.interface_type);
                    interface.requester_managed = interface.requester_managed.or(known.requester_managed);
                    // Configuration items have no prefixes.
                    if interface.prefixes.is_empty() {
                        interface.prefixes.clone_from(&known.prefixes);
                    }
                }
                let id = interface.id.clone();
                let held = Arc::new(HeldInterface::told(Arc::new(interface)));
                self.interfaces.put(&id, Placed { scope, object: held });
            }
            Resource::Acl(acl) => {
                let scope = scope(&acl.vpc_id, &acl.owner_id, "");
                self.acls.put(&acl.id, Placed { scope, object: Arc::new(acl.clone()) });
            }
            Resource::Subnet(subnet) => {
                let scope = scope(&subnet.vpc_id, &subnet.owner_id, "");
                self.subnets.put(&subnet.id, Placed { scope, object: Arc::new(subnet.clone()) });
            }
            Resource::PrefixList(id, nets) => self.put_prefix_list(id, nets.clone()),
        }
    }

    fn remove(&mut self, kind: ResourceKind, id: &str) {
        match kind {
            ResourceKind::Group => {
                self.groups.remove(id);
                self.rules.remove(id);
            }
            ResourceKind::Interface => self.interfaces.remove(id),
            ResourceKind::Acl => self.acls.remove(id),
            ResourceKind::Subnet => self.subnets.remove(id),
            ResourceKind::PrefixList => {
                self.prefix_lists.remove(id);
            }
        }
    }

    fn with_prefix_list(&mut self, id: &str, added: &[IpNet], removed: &[IpNet]) -> bool {
        let Some(nets) = self.prefix_lists.get(id) else { return false };
        let kept = nets.iter().filter(|net| !removed.contains(net)).copied();
        let nets = kept.chain(added.iter().copied()).collect();
        self.put_prefix_list(id, nets);
        true
    }

    /// The new content takes the place of the old one: of that with the id, else of what the id is known to have meant.
    fn modify(&mut self, modified: &ModifiedRule, change: &Change, known: Known<'_>) -> bool {
        let id = modified.rule_id.as_str();
        let mut found = true;
        let applied = self.rules.update(&modified.group_id, |held| {
            let meant = || known.rule_ids.before(id, change.at).cloned();
            let old = held.labelled(id).cloned().or_else(meant);
            let direction = old.as_ref().map(|old| old.direction).or(known.rule_ids.direction(id));
            let was_unknown = held.unknown.remove(id);
            let held_before = old.filter(|old| held.documents.iter().any(|document| document.rule == *old));
            // Where nobody says what it was, the old one stays beside the new one: too many rules never make one look
            // unused that is not.
            found = direction.is_some() && (held_before.is_some() || was_unknown);
            held.remove(held_before.into_iter());
            if let Some(direction) = direction {
                let mut new = RuleDocument::labelled(modified.directed(direction), id.to_owned());
                new.description.clone_from(&modified.description);
                held.add(&[new]);
            } else {
                held.unknown.insert(id.to_owned());
            }
        });
        self.unapplied.unknown_rule += u64::from(applied && !found);
        applied
    }

    fn interfaces_of(&self, instance: &str) -> Vec<String> {
        let all = self.interfaces.all.values().map(|placed| &placed.object.interface);
        all.filter(|it| it.instance_id == instance).map(|it| it.id.clone()).collect()
    }

    /// Where an instance has several interfaces, the groups of one of them changed, and nobody says which.
    fn forget_groups(&mut self, interfaces: &[String]) {
        for id in interfaces {
            self.interfaces.update(id, |held| held.groups = Groups::Unknown);
        }
    }
}

impl HeldRules {
    /// All of them are told.
    pub(super) fn told(documents: Vec<Arc<RuleDocument>>) -> Self {
        Self { documents, unknown: BTreeSet::new() }
    }

    /// The content of the rule with this id, where a document says so.
    pub(super) fn labelled(&self, id: &str) -> Option<&Rule> {
        let labelled = |document: &&Arc<RuleDocument>| document.rule_id.as_deref() == Some(id);
        self.documents.iter().find(labelled).map(|document| &document.rule)
    }

    pub(super) fn add(&mut self, rules: &[RuleDocument]) {
        for rule in rules {
            let mut same = self.documents.iter().filter(|known| known.rule == rule.rule);
            let said = same.any(|known| known.rule_id == rule.rule_id || rule.rule_id.is_none());
            if !said {
                self.documents.push(Arc::new(rule.clone()));
            }
        }
        self.documents.sort();
    }

    fn remove(&mut self, rules: impl Iterator<Item = Rule>) {
        let gone: BTreeSet<Rule> = rules.collect();
        self.documents.retain(|document| !gone.contains(&document.rule));
    }
}

impl HeldInterface {
    /// Its groups are those written.
    pub(super) fn told(interface: Arc<Interface>) -> Self {
        Self { interface, groups: Groups::Known }
    }

    fn join(&mut self, group_ids: &[String]) {
        let mut interface = (*self.interface).clone();
        interface.group_ids = group_ids.to_vec();
        *self = Self::told(Arc::new(interface));
    }

    fn readdress(&mut self, added: &[IpNet], removed: &[IpNet]) {
        let mut interface = (*self.interface).clone();
        interface.addresses.retain(|address| !removed.contains(&IpNet::from(*address)));
        interface.prefixes.retain(|prefix| !removed.contains(prefix));
        for net in added {
            let address = net.addr();
            if net.prefix_len() == net.max_prefix_len() {
                if !interface.addresses.contains(&address) {
                    interface.addresses.push(address);
                }
            } else if !interface.prefixes.contains(net) {
                interface.prefixes.push(*net);
            }
        }
        self.interface = Arc::new(interface);
    }
}

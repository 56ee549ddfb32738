//! A snapshot → what was known of its kinds, accounts and regions is replaced by what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::kind::{Document, Held, Kind, Placed, Spoken, placed};
use super::{Groups, HeldInterface, HeldRules, Parts, Scope, Scopes};
use crate::rules::aws::{Extent, GroupDocument, List, Objects, RuleDocument};
use crate::rules::state::{Interface, NetworkAcl, Subnet};

impl Document for GroupDocument {
    fn id(&self) -> &str {
        &self.id
    }

    fn scope(&self, scopes: &Scopes) -> Scope {
        scopes.of_group(self)
    }
}

impl Document for Interface {
    fn id(&self) -> &str {
        &self.id
    }

    fn scope(&self, scopes: &Scopes) -> Scope {
        scopes.of_interface(self)
    }
}

impl Document for NetworkAcl {
    fn id(&self) -> &str {
        &self.id
    }

    fn scope(&self, scopes: &Scopes) -> Scope {
        scopes.of_vpc(&self.vpc_id, &self.owner_id)
    }
}

impl Document for Subnet {
    fn id(&self) -> &str {
        &self.id
    }

    fn scope(&self, scopes: &Scopes) -> Scope {
        scopes.of_vpc(&self.vpc_id, &self.owner_id)
    }
}

impl Held<Interface> for HeldInterface {
    fn says(&self, document: &Interface) -> bool {
        self.groups == Groups::Known && *self.interface == *document
    }

    fn of(document: &Arc<Interface>) -> Arc<Self> {
        Arc::new(Self::told(Arc::clone(document)))
    }
}

impl Parts {
    /// The documents of one snapshot take the place of the older ones of their kind, account and region. `shown`: what
    /// the last snapshot said, if nothing has changed since; what it said alike need not be looked at again.
    pub(in crate::rules) fn replace(&mut self, objects: &Objects, shown: Option<&Objects>, scopes: &Scopes) {
        // What is not named in a part is not gone, so that nothing follows from what two of them have alike.
        let whole = |of: &&Objects| of.extent == Extent::Whole && objects.extent == Extent::Whole;
        let shown = shown.filter(whole);
        let mut all = Spoken::by(objects, scopes);
        if !shown.is_some_and(|shown| self.renew_groups(objects, shown, scopes)) {
            let groups = objects.groups.as_ref().map(|groups| placed(groups, &self.groups, scopes));
            if objects.groups.is_some() || objects.rules_described {
                // Either answer holds all rules; a group that the answers about groups do not name again is gone.
                let rules = self.rules_by_group(objects, groups.as_ref(), scopes);
                self.rules.replace(rules, &mut all);
            }
            if let Some(groups) = groups {
                self.groups.replace(groups, &mut all);
            }
        }
        let last = |of: fn(&Objects) -> Option<&List<_>>| shown.and_then(of);
        self.interfaces.take(objects.interfaces.as_ref(), last(|of| of.interfaces.as_ref()), &mut all);
        self.acls.take(objects.acls.as_ref(), shown.and_then(|of| of.acls.as_ref()), &mut all);
        self.subnets.take(objects.subnets.as_ref(), shown.and_then(|of| of.subnets.as_ref()), &mut all);
        self.replace_prefix_lists(&objects.prefix_lists);
        self.replace_port_lists(&objects.port_lists);
    }

    /// The rules of every group that a snapshot speaks of. Rules lie where their group lies.
    fn rules_by_group(
        &self,
        objects: &Objects,
        groups: Option<&BTreeMap<String, Placed<GroupDocument>>>,
        scopes: &Scopes,
    ) -> BTreeMap<String, Placed<HeldRules>> {
        let mut said: BTreeMap<&String, (Scope, &[Arc<RuleDocument>])> = BTreeMap::new();
        for (id, group) in groups.into_iter().flatten() {
            said.insert(id, (group.scope.clone(), &[]));
        }
        // Sorted, the rules of a group stand together.
        for rules in objects.rules.chunk_by(|a, b| a.rule.group_id == b.rule.group_id) {
            let [first, ..] = rules else { continue };
            let own = || (scopes.of_rule(first), rules);
            said.entry(&first.rule.group_id).or_insert_with(own).1 = rules;
        }
        let described = |id: &String| groups.is_some_and(|groups| groups.contains_key(id));
        let place = |(id, (scope, documents)): (&String, (Scope, &[Arc<RuleDocument>]))| {
            // Of a group that Terraform does not describe, these are some of its rules.
            if let (Extent::Part, false, Some(known)) = (objects.extent, described(id), self.rules.get(id)) {
                let mut held = known.clone();
                for rule in documents {
                    held.add(std::slice::from_ref(rule));
                }
                return (id.clone(), Placed { scope, object: Arc::new(held) });
            }
            (id.clone(), self.placed_rules(id, scope, documents))
        };
        said.into_iter().map(place).collect()
    }

    /// The rules of a group; what is known already is taken as it is.
    fn placed_rules(&self, id: &str, scope: Scope, documents: &[Arc<RuleDocument>]) -> Placed<HeldRules> {
        let is_same = |held: &HeldRules| held.unknown.is_empty() && held.documents == documents;
        self.rules.known_or(id, scope, is_same, || Arc::new(HeldRules::told(documents.to_vec())))
    }

    /// Takes over groups and rules where only some are otherwise than the last snapshot said. False: that cannot be told
    /// from those, and nothing was done.
    fn renew_groups(&mut self, objects: &Objects, shown: &Objects, scopes: &Scopes) -> bool {
        let (Some(groups), Some(last)) = (&objects.groups, &shown.groups) else {
            let none = objects.groups.is_none() && shown.groups.is_none();
            return none && objects.rules.is_shared_with(&shown.rules);
        };
        let Some(mut ids) = renewed(last, groups, scopes) else { return false };
        let (gone, come) = shown.rules.difference(&objects.rules);
        ids.extend(gone.into_iter().chain(come).map(|document| document.rule.group_id.as_str()));
        // Whose rules those of a group nobody describes are, is told by all of them.
        let nobodys = |id: &&str| {
            (newest(groups, id).is_none() && !rules_of(objects, id).is_empty())
                || (newest(last, id).is_none() && !rules_of(shown, id).is_empty())
        };
        if objects.rules_described != shown.rules_described || ids.iter().any(nobodys) {
            return false;
        }
        for id in ids {
            if let Some(group) = newest(groups, id) {
                let rules = self.placed_rules(id, group.scope(scopes), rules_of(objects, id));
                self.rules.put(id, rules);
                let group = self.groups.placed(group, scopes);
                self.groups.put(id, group);
            } else {
                self.rules.remove(id);
                self.groups.remove(id);
            }
        }
        true
    }
}

impl<T: PartialEq + Clone> Kind<T> {
    /// Takes over what a snapshot says of a kind, and what it does not say any more.
    fn take<D: Document>(&mut self, new: Option<&List<D>>, last: Option<&List<D>>, snapshot: &mut Spoken<'_>)
    where
        T: Held<D>,
    {
        let Some(new) = new else { return };
        let Some(ids) = last.and_then(|last| renewed(last, new, snapshot.of)) else {
            return self.replace(placed(new, self, snapshot.of), snapshot);
        };
        for id in ids {
            if let Some(document) = newest(new, id) {
                let placed = self.placed(document, snapshot.of);
                self.put(id, placed);
            } else {
                self.remove(id);
            }
        }
    }
}

/// Whether two answers are seen to speak of the same accounts and regions.
pub(in crate::rules) fn speak_of_the_same(
    last: &List<Interface>,
    new: &List<Interface>,
    scopes: &Scopes,
) -> bool {
    renewed(last, new, scopes).is_some()
}

/// Where more is otherwise, a whole answer is compared as fast.
const MOST_RENEWED: usize = 64;

/// Ids of objects that only one of two answers holds as they are. None: the whole answers must be compared, for they speak
/// of different accounts or regions, and so of the objects that lie there.
fn renewed<'a, D: Document>(
    last: &'a List<D>,
    new: &'a List<D>,
    scopes: &Scopes,
) -> Option<BTreeSet<&'a str>> {
    let (gone, come) = last.difference(new);
    if gone.len() + come.len() > MOST_RENEWED {
        return None;
    }
    let otherwise = || gone.iter().chain(&come);
    let mut places: BTreeSet<Scope> = otherwise().map(|document| document.scope(scopes)).collect();
    let mut come = come.iter().peekable();
    for document in new {
        if places.is_empty() {
            break;
        }
        // Both are in order.
        if come.next_if(|next| Arc::ptr_eq(next, document)).is_none() {
            places.remove(&document.scope(scopes));
        }
    }
    places.is_empty().then(|| otherwise().map(|document| document.id()).collect())
}

/// The object with this id; of several, the one that counts.
fn newest<'a, D: Document>(documents: &'a List<D>, id: &str) -> Option<&'a Arc<D>> {
    let after = documents.partition_point(|document| document.id() <= id);
    documents[..after].last().filter(|document| document.id() == id)
}

/// The rules of a group: sorted, they stand together.
fn rules_of<'a>(objects: &'a Objects, id: &str) -> &'a [Arc<RuleDocument>] {
    let start = objects.rules.partition_point(|document| document.rule.group_id.as_str() < id);
    let rules = &objects.rules[start..];
    &rules[..rules.partition_point(|document| document.rule.group_id == id)]
}

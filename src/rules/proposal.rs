//! `--proposed PATH` → the states as they would be, had the rules proposed been in force all the time.
//!
//! What is proposed is a snapshot, a Terraform plan, or a list of rules to remove and to add. Interfaces, their groups and addresses,
//! and prefix lists stay those of the time of each record, unless the proposal brings its own.

mod list;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::aws::{Extent, Objects};
use super::load;
use super::state::{Group, State};
use super::terraform::{Lack, Unknown};
use super::timeline::Timeline;
use super::{Rule, RuleIndex};
use crate::error::Error;
use crate::state::Snapshots;
use list::List;

/// The rules as they were, and as they would be. Both timelines have the same states at the same times, and one catalogue.
#[derive(Debug)]
pub struct Proposal {
    /// As they were.
    pub now: Timeline,
    /// As they would be.
    pub proposed: Timeline,
    /// Rules that a list takes away, ascending.
    pub removed: Vec<RuleIndex>,
    /// Rules that a list puts in, ascending.
    pub added: Vec<RuleIndex>,
    /// What of the proposal is not known, or may not be meant.
    pub warnings: Vec<String>,
}

/// What a path holds.
enum Content {
    /// Rules to remove and to add.
    List(List),
    /// What is there then.
    Objects(Box<Replacement>),
}

/// Objects, and those that they take the place of, where it is said.
struct Replacement {
    objects: Objects,
    before: Objects,
    /// What a plan does not know yet.
    unknown: Vec<Unknown>,
    /// Groups of which it does not know the rules.
    open: BTreeSet<String>,
}

/// Reads what is proposed in place of the newest of these states.
///
/// # Errors
/// It cannot be read, says nothing of security groups, more than one state, or names a rule that is not there.
pub fn load(path: &Path, snapshots: Snapshots) -> Result<Proposal, Error> {
    match read(path)? {
        Content::List(list) => list.proposal(snapshots),
        Content::Objects(replacement) => {
            let Replacement { objects, before, unknown, open } = *replacement;
            let mut proposal = Proposal::with(snapshots, objects, &before, &open);
            let unknown = unknown.iter().map(|it| {
                format!(
                    "{}: {} is not known before the plan is applied, and not replayed",
                    it.address, it.attribute
                )
            });
            proposal.warnings.extend(unknown);
            Ok(proposal)
        }
    }
}

impl Proposal {
    /// The newest rules but for some of them.
    pub fn without(now: Timeline, removed: &BTreeSet<RuleIndex>) -> Self {
        Self::changed(now, removed, &BTreeSet::new())
    }

    /// The newest rules without some of them, and with others of the catalogue in their groups.
    pub fn changed(now: Timeline, removed: &BTreeSet<RuleIndex>, added: &BTreeSet<RuleIndex>) -> Self {
        let newest = now.newest().cloned().unwrap_or_default();
        let mut groups = without(&newest, removed);
        for index in added {
            if let Some(group) = groups.get(&now.rules[index.index()].group_id) {
                let mut rules: BTreeSet<RuleIndex> = group.rules.iter().copied().collect();
                rules.insert(*index);
                let group = Group { rules: rules.into_iter().collect(), ..Group::clone(group) };
                groups.insert(now.rules[index.index()].group_id.clone(), Arc::new(group));
            }
        }
        let proposed = now.with_states(|state| State { groups: groups.clone(), ..state.clone() });
        let list = |rules: &BTreeSet<RuleIndex>| rules.iter().copied().collect();
        Self { now, proposed, removed: list(removed), added: list(added), warnings: Vec::new() }
    }

    /// What these objects say in place of what they are about; rules that stand in `before` and not in them are gone.
    /// Groups of `open` keep theirs.
    pub fn with(snapshots: Snapshots, objects: Objects, before: &Objects, open: &BTreeSet<String>) -> Self {
        let (own, described) = (Own::of(&objects), objects.clone());
        let (now, then) = snapshots.into_timeline_with(objects);
        let mut groups = without(&then, &gone(before, &described, &now));
        let newest = now.newest().cloned().unwrap_or_default();
        for id in open {
            if let Some(group) = newest.groups.get(id) {
                groups.insert(id.clone(), Arc::clone(group));
            }
        }
        let warnings = lacking(&newest, &groups);
        let proposed =
            now.with_states(|state| State { groups: groups.clone(), ..own.put_into(state, &then) });
        Self { now, proposed, removed: Vec::new(), added: Vec::new(), warnings }
    }
}

/// Says which groups a proposal does not have any more: it may be meant, or be a part of an answer.
fn lacking(newest: &State, groups: &imbl::OrdMap<String, Arc<Group>>) -> Vec<String> {
    let lacking: Vec<&str> =
        newest.groups.keys().filter(|id| !groups.contains_key(*id)).map(String::as_str).collect();
    if lacking.is_empty() {
        return Vec::new();
    }
    let named = lacking.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    let more = if lacking.len() > 5 { format!(" and {} more", lacking.len() - 5) } else { String::new() };
    vec![format!(
        "the proposal lacks {} of {} security groups, so all their rules count as gone: {named}{more}; a proposal is all \
         groups of its account and region",
        lacking.len(),
        newest.groups.len()
    )]
}

/// What a proposal says of interfaces and prefix lists.
struct Own {
    interfaces: BTreeSet<String>,
    lists: BTreeSet<String>,
}

impl Own {
    fn of(objects: &Objects) -> Self {
        let interfaces = objects.interfaces.iter().flatten();
        Self {
            interfaces: interfaces.map(|interface| interface.id.clone()).collect(),
            lists: objects.prefix_lists.iter().map(|(id, _)| id.clone()).collect(),
        }
    }

    /// A state with what the proposal says in place of what it had.
    fn put_into(&self, state: &State, then: &State) -> State {
        let mut state = state.clone();
        for id in &self.interfaces {
            if let Some(interface) = then.interfaces.get(id) {
                state.interfaces.insert(id.clone(), Arc::clone(interface));
            }
        }
        for (id, nets) in &then.prefix_lists {
            if self.lists.contains(id) || !state.prefix_lists.contains_key(id) {
                state.prefix_lists.insert(id.clone(), Arc::clone(nets));
            }
        }
        state
    }
}

/// The groups of a state without some of their rules.
fn without(state: &State, removed: &BTreeSet<RuleIndex>) -> imbl::OrdMap<String, Arc<Group>> {
    let mut groups = state.groups.clone();
    for (id, group) in &state.groups {
        if group.rules.iter().any(|rule| removed.contains(rule)) {
            let rules = group.rules.iter().copied().filter(|rule| !removed.contains(rule)).collect();
            groups.insert(id.clone(), Arc::new(Group { rules, ..Group::clone(group) }));
        }
    }
    groups
}

/// Rules that a plan takes away: those it knows of now and not then.
fn gone(before: &Objects, then: &Objects, now: &Timeline) -> BTreeSet<RuleIndex> {
    let stays: BTreeSet<&Rule> = then.rules.iter().map(|document| &document.rule).collect();
    let known = before.rules.iter().map(|document| &document.rule).filter(|rule| !stays.contains(rule));
    known.filter_map(|rule| now.index_of(rule)).collect()
}

fn read(path: &Path) -> Result<Content, Error> {
    if !path.exists() {
        return Err(Error::Input(format!(
            "{}: no such file or folder; --proposed takes a snapshot, a Terraform plan (show -json) or a list of rules to \
             remove",
            path.display()
        )));
    }
    let unusable = |message: String| Error::Input(format!("{}: {message}", path.display()));
    if !path.is_dir() {
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        if bytes.trim_ascii().is_empty() {
            return Err(unusable(
                "an empty file; --proposed takes a snapshot, a plan or a list of rules".to_owned(),
            ));
        }
        if let Some(list) = list::read(path, &bytes) {
            return Ok(Content::List(list));
        }
    }
    let loaded = load::load(&[path.display().to_string()])?;
    let plans = loaded.contents.iter().filter_map(|contents| Some((contents, contents.proposed.as_ref()?)));
    let plans: Vec<_> = plans.collect();
    if let Some((contents, proposed)) = plans.first() {
        let others = loaded.contents.iter().filter(|it| it.proposed.is_none() && it.left_aside.is_none());
        if plans.len() > 1 || others.count() > 0 {
            return Err(unusable(
                "a Terraform plan beside other documents; replay takes one proposal".to_owned(),
            ));
        }
        let open = contents.unplanned.iter().filter(|unknown| unknown.lack == Lack::Inline);
        let written = |unknown: &Unknown| {
            let group = contents.written.iter().filter(|it| it.rule.is_none());
            group.filter(|it| it.address == unknown.address).map(|it| it.group_id.clone()).collect::<Vec<_>>()
        };
        return Ok(Content::Objects(Box::new(Replacement {
            objects: (*proposed).clone(),
            before: contents.objects.clone(),
            open: open.flat_map(written).collect(),
            unknown: contents.unplanned.clone(),
        })));
    }
    let mut objects = match loaded.snapshots.as_slice() {
        [snapshot] if speaks_of_rules(&snapshot.objects) => Objects::clone(&snapshot.objects),
        [] | [_] => {
            return Err(unusable(
                "nothing that tells of security groups; expected answers of aws ec2 describe-*, a Terraform plan (show \
                 -json), or a list of rules to remove"
                    .to_owned(),
            ));
        }
        several => {
            return Err(unusable(format!("{} snapshots; replay takes one proposed state", several.len())));
        }
    };
    // One answer of Alibaba Cloud is one group: where no list says which there are, the others stay.
    if objects.listings.is_empty() && objects.groups.iter().flatten().any(|group| group.ecs.is_some()) {
        objects.extent = Extent::Part;
    }
    let (before, unknown, open) = (Objects::default(), Vec::new(), BTreeSet::new());
    Ok(Content::Objects(Box::new(Replacement { objects, before, unknown, open })))
}

/// Whether it can change what rules let through.
fn speaks_of_rules(objects: &Objects) -> bool {
    objects.groups.is_some()
        || objects.rules_described
        || !objects.rules.is_empty()
        || objects.interfaces.is_some()
        || !objects.prefix_lists.is_empty()
}

//! `--proposed PATH` → the states as they would be, had the rules proposed been in force all the time.
//!
//! What is proposed is a snapshot, a Terraform plan, or a list of rules to remove. Interfaces, their groups and addresses,
//! and prefix lists stay those of the time of each record, unless the proposal brings its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::aws::Objects;
use super::load;
use super::state::{Group, State};
use super::timeline::Timeline;
use super::{Rule, RuleIndex};
use crate::error::Error;
use crate::state::Snapshots;

/// The rules as they were, and as they would be. Both timelines have the same states at the same times, and one catalogue.
#[derive(Debug)]
pub struct Proposal {
    /// As they were.
    pub now: Timeline,
    /// As they would be.
    pub proposed: Timeline,
    /// Rules that a list takes away, in its order.
    pub removed: Vec<RuleIndex>,
}

/// What a path holds.
enum Content {
    /// Rules to remove, as named, each with where it is named.
    Removal(Vec<(String, String)>),
    /// What is there then.
    Objects(Box<Replacement>),
}

/// Objects, and those that they take the place of, where it is said.
struct Replacement {
    objects: Objects,
    before: Objects,
}

/// Reads what is proposed in place of the newest of these states.
///
/// # Errors
/// It cannot be read, says nothing of security groups, more than one state, or names a rule that is not there.
pub fn load(path: &Path, snapshots: Snapshots) -> Result<Proposal, Error> {
    match read(path)? {
        Content::Removal(named) => {
            let now = snapshots.into_timeline();
            let removed = rules_named(&now, &named)?;
            Ok(Proposal::without(now, &removed))
        }
        Content::Objects(replacement) => {
            let Replacement { objects, before } = *replacement;
            Ok(Proposal::with(snapshots, objects, &before))
        }
    }
}

impl Proposal {
    /// The newest rules but for some of them.
    pub fn without(now: Timeline, removed: &BTreeSet<RuleIndex>) -> Self {
        let newest = now.newest().cloned().unwrap_or_default();
        let groups = without(&newest, removed);
        let proposed = now.with_states(|state| State { groups: groups.clone(), ..state.clone() });
        Self { now, proposed, removed: removed.iter().copied().collect() }
    }

    /// What these objects say in place of what they are about; rules that stand in `before` and not in them are gone.
    pub fn with(snapshots: Snapshots, objects: Objects, before: &Objects) -> Self {
        let (own, described) = (Own::of(&objects), objects.clone());
        let (now, then) = snapshots.into_timeline_with(objects);
        let groups = without(&then, &gone(before, &described, &now));
        let proposed =
            now.with_states(|state| State { groups: groups.clone(), ..own.put_into(state, &then) });
        Self { now, proposed, removed: Vec::new() }
    }
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
    if path.is_file() {
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        if let Some(named) = named(path, &bytes) {
            return Ok(Content::Removal(named));
        }
    }
    let unusable = |message: String| Error::Input(format!("{}: {message}", path.display()));
    let loaded = load::load(&[path.display().to_string()])?;
    let mut plans =
        loaded.contents.iter().filter_map(|contents| Some((contents, contents.proposed.as_ref()?)));
    if let Some((contents, proposed)) = plans.next() {
        if plans.next().is_some() {
            return Err(unusable("several Terraform plans; replay takes one".to_owned()));
        }
        let (objects, before) = (proposed.clone(), contents.objects.clone());
        return Ok(Content::Objects(Box::new(Replacement { objects, before })));
    }
    let objects = match loaded.snapshots.as_slice() {
        [snapshot] if !snapshot.objects.is_empty() => Objects::clone(&snapshot.objects),
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
    Ok(Content::Objects(Box::new(Replacement { objects, before: Objects::default() })))
}

/// The rules that a removal file names: one per line (`#` begins a comment), or a report with its `removal_set`, or a
/// list of keys in JSON. None: it is no such file.
fn named(path: &Path, bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}');
    let place = |what: String| format!("{}:{what}", path.display());
    if text.trim_start().starts_with(['{', '[']) {
        let rules = listed(text)?.into_iter().zip(1..);
        return Some(rules.map(|(rule, at): (_, usize)| (rule, place(format!(" rule {at}")))).collect());
    }
    let lines = text.lines().zip(1..).filter_map(|(line, number)| {
        let name = line.split(" #").next().unwrap_or_default().trim();
        (!name.is_empty() && !name.starts_with('#')).then(|| (name.to_owned(), place(number.to_string())))
    });
    Some(lines.collect())
}

/// What of a report names rules to remove. A report is long, and nothing else of it is looked at.
#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow)]
    removal_set: Option<&'a RawValue>,
    #[serde(borrow)]
    rules: Option<&'a RawValue>,
}

/// The keys that a document lists. None: it is about something else.
fn listed(text: &str) -> Option<Vec<String>> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).ok();
    }
    let listing: Listing<'_> = serde_json::from_str(text).ok()?;
    if let Some(set) = listing.removal_set {
        let set: Listing<'_> = serde_json::from_str(set.get()).ok()?;
        return serde_json::from_str(set.rules?.get()).ok();
    }
    serde_json::from_str(listing.rules?.get()).ok()
}

/// The rules of the newest state that are named by key or id.
fn rules_named(now: &Timeline, named: &[(String, String)]) -> Result<BTreeSet<RuleIndex>, Error> {
    let groups = now.newest().into_iter().flat_map(|state| state.groups.values());
    let mut known: BTreeMap<String, RuleIndex> = BTreeMap::new();
    for index in groups.flat_map(|group| &group.rules) {
        known.insert(now.rules[index.index()].key(), *index);
        if let Some(id) = &now.labels[index.index()].rule_id {
            known.insert(id.clone(), *index);
        }
    }
    let find = |(name, place): &(String, String)| {
        known.get(name).copied().ok_or_else(|| {
            Error::Input(format!(
                "{place}: no rule {name} in the newest state; expected a rule key (GROUP:DIRECTION:PROTOCOL:FROM-TO:PEER) \
                 or a rule id (sgr-…), one per line"
            ))
        })
    };
    named.iter().map(find).collect()
}

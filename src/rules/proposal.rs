//! `--proposed PATH` → the states as they would be, had the rules proposed been in force all the time.
//!
//! What is proposed is a snapshot, a Terraform plan, or a list of rules to remove. Interfaces, their groups and addresses,
//! and prefix lists stay those of the time of each record, unless the proposal brings its own.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::aws::{Extent, Objects};
use super::load;
use super::state::{Group, State};
use super::terraform::{Lack, Unknown};
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
    /// Rules that a list takes away, ascending.
    pub removed: Vec<RuleIndex>,
    /// What of the proposal is not known, or may not be meant.
    pub warnings: Vec<String>,
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
        Content::Removal(named) => {
            let now = snapshots.into_timeline();
            let removed = rules_named(&now, &named)?;
            Ok(Proposal::without(now, &removed))
        }
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
        let newest = now.newest().cloned().unwrap_or_default();
        let groups = without(&newest, removed);
        let proposed = now.with_states(|state| State { groups: groups.clone(), ..state.clone() });
        Self { now, proposed, removed: removed.iter().copied().collect(), warnings: Vec::new() }
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
        Self { now, proposed, removed: Vec::new(), warnings }
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
        if let Some(named) = named(path, &bytes) {
            return Ok(Content::Removal(named));
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

/// The rules that a removal file names: one per line (`#` begins a comment), or a report with its `removal_set`, or a
/// list of keys in JSON. None: it is no such file.
fn named(path: &Path, bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let text = text_of(bytes)?;
    let text = text.trim_start_matches('\u{feff}');
    let place = |what: String| format!("{}:{what}", path.display());
    if text.trim_start().starts_with(['{', '[']) {
        let rules = listed(text)?.into_iter().zip(1..);
        return Some(rules.map(|(rule, at): (_, usize)| (rule, place(format!(" rule {at}")))).collect());
    }
    let lines = text.lines().zip(1..).filter_map(|(line, number)| {
        let comment = line.find([' ', '\t']).filter(|at| line[*at..].trim_start().starts_with('#'));
        let name = line[..comment.unwrap_or(line.len())].trim();
        (!name.is_empty() && !name.starts_with('#')).then(|| (name.to_owned(), place(number.to_string())))
    });
    Some(lines.collect())
}

/// UTF-8, or UTF-16 with its mark, as `>` of `PowerShell` writes it. None: it is no text.
fn text_of(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let number: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
    };
    let (pairs, []) = bytes.as_chunks::<2>() else { return None };
    String::from_utf16(&pairs.iter().map(|pair| number(*pair)).collect::<Vec<_>>()).ok().map(Cow::Owned)
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

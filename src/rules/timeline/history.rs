//! One walk through time: snapshots replace, changes change, and what is in force after each moment is a state.
//!
//! Where a trail begins before the first snapshot of its account and region, a walk backwards undoes what it tells first,
//! and the walk forwards takes in what was there when the trail began.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;
use imbl::OrdMap;

use super::lives::changed;
use super::{Label, Look, Snapshot, backwards};
use crate::flow::Seconds;
use crate::rules::aws::{List, Objects, RuleDocument};
use crate::rules::change::{Change, Resource, Trail, Unapplied, What};
use crate::rules::parts::{Content, GroupContent, Known, Parts, RuleIds, Scope, Scopes, speak_of_the_same};
use crate::rules::state::{Group, Interface, State};
use crate::rules::{Rule, RuleIndex};

/// States, and the rules in them.
pub(super) struct History {
    pub(super) states: Vec<State>,
    pub(super) rules: Vec<Rule>,
    pub(super) labels: Vec<Label>,
    pub(super) looks: Vec<Look>,
    pub(super) unapplied: Unapplied,
}

/// What happens at one time. A snapshot shows what is there, so changes of its second come after it; one that it shows
/// already changes nothing.
#[derive(Default)]
pub(super) struct Moment<'a> {
    pub(super) snapshot: Option<&'a Snapshot>,
    pub(super) changes: Vec<&'a Change>,
}

/// A time in which nothing changed.
struct Span {
    from: Option<Seconds>,
    /// The last snapshot that shows the same.
    confirmed: Option<Seconds>,
    content: Content,
}

pub(super) type Moments<'a> = BTreeMap<Option<Seconds>, Moment<'a>>;

/// The history of these snapshots (by time) and changes.
pub(super) fn of(snapshots: &[Snapshot], trail: &Trail) -> History {
    let scopes = Scopes::of(snapshots, &trail.changes);
    let rule_ids = rule_ids(snapshots, trail);
    let known = Known { scopes: &scopes, rule_ids: &rule_ids };
    let mut moments: Moments<'_> = BTreeMap::new();
    for snapshot in snapshots {
        moments.entry(snapshot.at).or_default().snapshot = Some(snapshot);
    }
    for change in &trail.changes {
        moments.entry(Some(change.at)).or_default().changes.push(change);
    }
    let mut before = backwards::before(&moments, trail, known);
    for since in before.keys() {
        moments.entry(Some(*since)).or_default();
    }
    let mut contents: Vec<Span> = Vec::new();
    let mut parts = Parts::default();
    let mut shown: Option<&Arc<Objects>> = None;
    for (at, moment) in &moments {
        if let Some(then) = at.and_then(|at| before.remove(&at)) {
            parts.take_in(then);
            shown = None;
        }
        if let Some(snapshot) = moment.snapshot {
            // What has been shown, with nothing changed since, changes nothing.
            if shown.is_none_or(|shown| !Arc::ptr_eq(shown, &snapshot.objects)) {
                parts.replace(&snapshot.objects, shown.map(AsRef::as_ref), known.scopes);
            }
            shown = Some(&snapshot.objects);
        }
        if !moment.changes.is_empty() {
            shown = None;
        }
        parts.apply_all(&moment.changes, known);
        let content = parts.content(known.scopes);
        match contents.last_mut() {
            Some(last) if last.content.is_same(&content) => {
                if moment.snapshot.is_some() {
                    last.confirmed = *at;
                }
            }
            _ => contents.push(Span { from: *at, confirmed: None, content }),
        }
    }
    let (rules, labels) = catalogue(&contents, &rule_ids);
    let looks = looks(snapshots, known.scopes);
    History { states: states(&contents, &rules), rules, labels, looks, unapplied: parts.unapplied }
}

fn place(Scope { account, region, .. }: Scope) -> (String, String) {
    (account, region)
}

/// Which snapshots describe interfaces, and of which accounts and regions.
fn looks(snapshots: &[Snapshot], scopes: &Scopes) -> Vec<Look> {
    let mut looks: Vec<Look> = Vec::new();
    let mut last: Option<&List<Interface>> = None;
    for Snapshot { at, objects } in snapshots {
        let Some(interfaces) = &objects.interfaces else { continue };
        let scopes = match looks.last() {
            Some(look) if last.is_some_and(|last| speak_of_the_same(last, interfaces, scopes)) => {
                Arc::clone(&look.scopes)
            }
            _ => Arc::new(interfaces.iter().map(|it| place(scopes.of_interface(it))).collect()),
        };
        last = Some(interfaces);
        looks.push(Look { at: *at, scopes });
    }
    looks
}

/// What the ids of rules mean, wherever it is said.
fn rule_ids(snapshots: &[Snapshot], trail: &Trail) -> RuleIds {
    let mut ids = RuleIds::default();
    if trail.changes.is_empty() {
        return ids;
    }
    for snapshot in snapshots {
        snapshot.objects.rules.iter().for_each(|document| ids.note(snapshot.at, document));
    }
    for Change { at, what, .. } in &trail.changes {
        match what {
            What::Is(_, resource) => {
                if let Resource::Group(_, rules) = &**resource {
                    for document in rules {
                        ids.note(Some(*at), document);
                    }
                }
            }
            // What they were in that second; just before it they may have been something else.
            What::RulesAuthorized { rules, .. } | What::RulesRevoked { rules, .. } => {
                for document in rules {
                    ids.note(Some(*at), document);
                }
            }
            _ => {}
        }
    }
    for Change { at, what, .. } in &trail.changes {
        if let What::RuleModified(modified) = what {
            ids.note_modified(*at, modified);
        }
    }
    ids
}

/// Every rule of every state, with the newest label: that of its documents, or else what a call said.
fn catalogue(contents: &[Span], rule_ids: &RuleIds) -> (Vec<Rule>, Vec<Label>) {
    let mut known: BTreeMap<&Rule, Label> = BTreeMap::new();
    let mut last = &OrdMap::new();
    for Span { content, .. } in contents {
        for (id, group) in changed(last, &content.groups) {
            let before = last.get(id).map(|group| group.rules.as_slice()).unwrap_or_default();
            for document in group.into_iter().flat_map(|group| told_otherwise(before, &group.rules)) {
                known.entry(&document.rule).or_default().learn(document);
            }
            for document in group.into_iter().flat_map(|group| &group.defaults) {
                known.entry(&document.rule).or_default();
            }
        }
        last = &content.groups;
    }
    let told = rule_ids.by_rule();
    for (rule, label) in known.iter_mut().filter(|(_, label)| label.rule_id.is_none()) {
        label.rule_id = told.get(rule).map(|id| (*id).to_owned());
    }
    known.into_iter().map(|(rule, label)| (rule.clone(), label)).unzip()
}

/// The documents of a group whose rules it had not before, or otherwise documented. Both are in order of rules.
fn told_otherwise<'a>(
    before: &'a [Arc<RuleDocument>],
    now: &'a [Arc<RuleDocument>],
) -> impl Iterator<Item = &'a Arc<RuleDocument>> {
    let of_one_rule = |a: &Arc<RuleDocument>, b: &Arc<RuleDocument>| a.rule == b.rule;
    let mut before = before.chunk_by(of_one_rule).peekable();
    let new = now.chunk_by(of_one_rule).filter(move |now| {
        let [first, ..] = now else { return false };
        while before.next_if(|old| old.first().is_some_and(|old| old.rule < first.rule)).is_some() {}
        let is_same = |old: &&[Arc<RuleDocument>]| {
            old.len() == now.len() && old.iter().zip(*now).all(|(old, now)| Arc::ptr_eq(old, now))
        };
        !before.peek().is_some_and(is_same)
    });
    new.flatten()
}

/// The contents with their rules as numbers of the catalogue.
fn states(contents: &[Span], catalogue: &[Rule]) -> Vec<State> {
    // The same content comes again where a change is taken back.
    let mut numbered: HashMap<*const GroupContent, Arc<Group>> = HashMap::new();
    let mut numbers = Numbers::of_catalogue(catalogue);
    let (mut groups, mut last) = (OrdMap::new(), &OrdMap::new());
    let mut states = Vec::with_capacity(contents.len());
    for Span { from, confirmed, content } in contents {
        for (id, value) in changed(last, &content.groups) {
            match value {
                None => groups.remove(id),
                Some(value) => {
                    let group =
                        numbered.entry(Arc::as_ptr(value)).or_insert_with(|| group(value, &mut numbers));
                    groups.insert(id.clone(), Arc::clone(group))
                }
            };
        }
        last = &content.groups;
        states.push(State {
            from: *from,
            confirmed: *confirmed,
            groups: groups.clone(),
            interfaces: content.interfaces.clone(),
            prefix_lists: content.prefix_lists.clone(),
            acls: content.acls.clone(),
            subnets: content.subnets.clone(),
        });
    }
    states
}

/// Which rule of the catalogue a document is about.
struct Numbers<'a> {
    by_rule: HashMap<&'a Rule, RuleIndex>,
    /// By document: those of the contents, which outlive this.
    known: HashMap<*const RuleDocument, RuleIndex>,
}

impl<'a> Numbers<'a> {
    fn of_catalogue(catalogue: &'a [Rule]) -> Self {
        // Rule indices are 32 bits: a catalogue beyond that would not fit in memory first.
        let by_rule = catalogue.iter().zip((0..).map(RuleIndex)).collect();
        Self { by_rule, known: HashMap::new() }
    }

    fn of(&mut self, document: &Arc<RuleDocument>) -> Option<RuleIndex> {
        if let Some(number) = self.known.get(&Arc::as_ptr(document)) {
            return Some(*number);
        }
        let number = *self.by_rule.get(&document.rule)?;
        self.known.insert(Arc::as_ptr(document), number);
        Some(number)
    }
}

fn group(content: &GroupContent, numbers: &mut Numbers<'_>) -> Arc<Group> {
    let mut ascending = |documents: &[Arc<RuleDocument>]| {
        let mut rules: Vec<RuleIndex> =
            documents.iter().filter_map(|document| numbers.of(document)).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    };
    let (rules, defaults) = (ascending(&content.rules), ascending(&content.defaults));
    let mut group = Group {
        owner_id: content.scope.account.clone(),
        region: content.scope.region.clone(),
        rules,
        defaults,
        ecs: content.document.as_ref().and_then(|document| document.ecs),
        ..Group::default()
    };
    if let Some(document) = &content.document {
        group.name.clone_from(&document.name);
        group.description.clone_from(&document.description);
        group.vpc_id.clone_from(&document.vpc_id);
        group.tags.clone_from(&document.tags);
    }
    Arc::new(group)
}

//! The walk backwards: what was there when a trail began, before any snapshot shows it.
//!
//! A trail tells every change from its beginning to its end. So what a snapshot shows was there all along since the trail
//! began, but for what the trail says has changed, which is undone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Snapshot;
use super::history::Moments;
use crate::flow::Seconds;
use crate::rules::aws::Objects;
use crate::rules::change::{Change, Life, ResourceKind, Trail, What};
use crate::rules::parts::{Known, Parts, Scope};
use crate::rules::state::Cloud;

/// What a kind of resource is known of, in an account and region.
type Field = (ResourceKind, Scope);

/// What lies in accounts and regions. Prefix lists lie wherever something else does.
const KINDS: [ResourceKind; 4] =
    [ResourceKind::Group, ResourceKind::Interface, ResourceKind::Acl, ResourceKind::Subnet];

/// A trail that ends no longer than this before a snapshot reaches it: an account may be quiet for a day.
pub(crate) const QUIET: Seconds = 86_400;

/// What was there when trails began, of what no snapshot describes by then, by when that was.
pub(super) fn before(moments: &Moments<'_>, trail: &Trail, known: Known<'_>) -> BTreeMap<Seconds, Parts> {
    let mut before: BTreeMap<Seconds, Parts> = BTreeMap::new();
    if trail.changes.is_empty() && trail.watched.is_empty() {
        return before;
    }
    let described = Described::by(moments, known);
    let mut sinces = sinces(moments, trail, &described);
    let Some(first) = sinces.first_key_value().map(|(since, _)| *since) else { return before };
    let last = described.last_needed(sinces.values().flatten());
    let mut parts = Parts::default();
    let keep = |parts: &Parts, since: Seconds, fields: &BTreeSet<Field>, before: &mut BTreeMap<_, _>| {
        let mut then = parts.clone();
        then.retain(fields);
        before.insert(since, then);
    };
    for (at, moment) in moments.range(Some(first)..).rev().skip_while(|(at, _)| **at > last) {
        while let Some((since, fields)) = sinces.last_key_value().filter(|(since, _)| Some(**since) > *at) {
            keep(&parts, *since, fields, &mut before);
            sinces.pop_last();
        }
        if let Some(snapshot) = moment.snapshot {
            parts.replace(&snapshot.objects, None, known.scopes);
        }
        // After the snapshot of their second: it may show them already, and if not, there is nothing to undo.
        parts.undo_all(&moment.changes, known);
    }
    for (since, fields) in &sinces {
        keep(&parts, *since, fields, &mut before);
    }
    before
}

/// When something is first described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum First {
    /// None: always.
    At(Option<Seconds>),
    Never,
}

/// When snapshots first describe what.
struct Described {
    fields: BTreeMap<Field, Option<Seconds>>,
    /// The newest first look at a prefix list.
    lists: Option<Seconds>,
    /// The last moment of all.
    end: Option<Seconds>,
}

impl Described {
    fn by(moments: &Moments<'_>, known: Known<'_>) -> Self {
        let end = moments.last_key_value().and_then(|(at, _)| *at);
        let mut described = Self { fields: BTreeMap::new(), lists: None, end };
        let mut lists: BTreeSet<&str> = BTreeSet::new();
        let mut shown: Option<&Arc<Objects>> = None;
        for (at, moment) in moments {
            let Some(Snapshot { objects, .. }) = moment.snapshot else { continue };
            if shown.is_some_and(|shown| Arc::ptr_eq(shown, objects)) {
                continue;
            }
            shown = Some(objects);
            for (id, _) in &objects.prefix_lists {
                if lists.insert(id) {
                    described.lists = *at;
                }
            }
            for field in known.scopes.of_objects(objects) {
                described.fields.entry(field).or_insert(*at);
            }
            // An answer that there is none describes it too, wherever the rest of its snapshot lies.
            let none = [
                (ResourceKind::Group, objects.groups.as_ref().is_some_and(|all| all.is_empty())),
                (ResourceKind::Interface, objects.interfaces.as_ref().is_some_and(|all| all.is_empty())),
                (ResourceKind::Acl, objects.acls.as_ref().is_some_and(|all| all.is_empty())),
                (ResourceKind::Subnet, objects.subnets.as_ref().is_some_and(|all| all.is_empty())),
            ];
            for (kind, _) in none.into_iter().filter(|(_, none)| *none) {
                for (_, scope) in known.scopes.of_objects(objects) {
                    described.fields.entry((kind, scope)).or_insert(*at);
                }
            }
        }
        described
    }

    fn first(&self, kind: ResourceKind, scope: &Scope) -> First {
        let fits = |of: &Field| (of.0 == kind || kind == ResourceKind::PrefixList) && of.1.fits(scope);
        let all = self.fields.iter().filter(|(field, _)| fits(field));
        all.map(|(_, at)| First::At(*at)).min().unwrap_or(First::Never)
    }

    /// The moment from which backwards all of this is told.
    fn last_needed<'a>(&self, fields: impl Iterator<Item = &'a Field>) -> Option<Seconds> {
        match fields.map(|(kind, scope)| self.first(*kind, scope)).max() {
            Some(First::At(at)) => at.max(self.lists),
            _ => self.end,
        }
    }
}

/// What trails tell of before any snapshot describes it, by the time since when every change is told.
fn sinces(moments: &Moments<'_>, trail: &Trail, described: &Described) -> BTreeMap<Seconds, BTreeSet<Field>> {
    let mut early = early(moments, described);
    for ((account, region), (first, last)) in &trail.watched {
        let scope = Scope { cloud: Cloud::Aws, account: account.clone(), region: region.clone() };
        for kind in KINDS {
            if let First::At(Some(at)) = described.first(kind, &scope)
                && *first < at
                && last.saturating_add(QUIET) >= at
            {
                early.entry((kind, scope.clone())).or_default();
            }
        }
    }
    let mut sinces: BTreeMap<Seconds, BTreeSet<Field>> = BTreeMap::new();
    for ((kind, scope), just_before) in early {
        let place = (scope.account.clone(), scope.region.clone());
        let watched = trail.watched.get(&place).map(|(since, _)| *since);
        if let Some(since) = watched.into_iter().chain(just_before).min() {
            sinces.entry(since).or_default().insert((kind, scope));
        }
    }
    sinces
}

/// What changes before any snapshot describes it, and when it was there, just before the first change to it.
fn early(moments: &Moments<'_>, described: &Described) -> BTreeMap<Field, Option<Seconds>> {
    let mut firsts: BTreeMap<Field, First> = BTreeMap::new();
    let mut early: BTreeMap<Field, Option<Seconds>> = BTreeMap::new();
    // What a resource is from some time on says nothing of the time before.
    let is_told = |change: &&&Change| !matches!(change.what, What::Is(Life::GoesOn, _));
    for change in moments.values().flat_map(|moment| &moment.changes).filter(is_told) {
        let field = (change.kind(), Scope::of(change));
        let first = firsts.entry(field.clone()).or_insert_with(|| described.first(field.0, &field.1));
        if *first <= First::At(Some(change.at)) {
            continue;
        }
        // What a first change was made to was there just before.
        let told = !matches!(change.what, What::Is(..) | What::Gone(..));
        let just_before = told.then(|| change.at.saturating_sub(1));
        let since = early.entry(field).or_default();
        *since = since.or(just_before);
    }
    early
}

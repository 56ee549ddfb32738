//! Objects of one kind by id, each with its account and region: what a snapshot speaks of takes the place of what was known
//! there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;

use super::{Scope, Scopes};
use crate::rules::aws::{Extent, List, Objects};
use crate::rules::state::Cloud;

/// A document and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed<T> {
    pub(super) scope: Scope,
    pub(super) object: Arc<T>,
}

/// Objects of one kind, by id.
#[derive(Debug, Clone)]
pub(super) struct Kind<T> {
    pub(super) all: OrdMap<String, Placed<T>>,
    /// Ids of those that have changed since the content was last made.
    pub(super) touched: BTreeSet<String>,
}

impl<T> Default for Kind<T> {
    fn default() -> Self {
        Self { all: OrdMap::new(), touched: BTreeSet::new() }
    }
}

impl<T: PartialEq + Clone> Kind<T> {
    /// The new objects replace the older ones of every scope they speak of; an empty answer speaks of what the rest of
    /// its snapshot speaks of.
    pub(super) fn replace(&mut self, new: BTreeMap<String, Placed<T>>, snapshot: &mut Spoken<'_>) {
        let extent = snapshot.objects.extent;
        let mut spoken: BTreeSet<Scope> = new.values().map(|placed| placed.scope.clone()).collect();
        // Answers about groups of Alibaba Cloud do not say their account: where it is told for some, the others, for which
        // nothing tells it, do not speak of every account.
        let is_ecs = |scope: &Scope| scope.cloud == Cloud::Alibaba;
        if spoken.iter().any(|scope| is_ecs(scope) && !scope.account.is_empty()) {
            spoken.retain(|scope| !is_ecs(scope) || !scope.account.is_empty());
        }
        let spoken = if spoken.is_empty() { snapshot.scopes() } else { &spoken };
        let is_gone =
            |old: &Placed<T>| extent == Extent::Whole && spoken.iter().any(|scope| scope.fits(&old.scope));
        let old = self.all.iter().filter(|(id, old)| !new.contains_key(*id) && is_gone(old));
        let gone: Vec<String> = old.map(|(id, _)| id.clone()).collect();
        for id in &gone {
            self.remove(id);
        }
        for (id, placed) in new {
            self.put(&id, placed);
        }
    }

    /// Puts an object in; one that is the same stays what it is.
    pub(super) fn put(&mut self, id: &str, placed: Placed<T>) {
        if self.all.get(id) != Some(&placed) {
            self.touched.insert(id.to_owned());
            self.all.insert(id.to_owned(), placed);
        }
    }

    pub(super) fn remove(&mut self, id: &str) {
        if self.all.remove(id).is_some() {
            self.touched.insert(id.to_owned());
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&T> {
        self.all.get(id).map(|placed| &*placed.object)
    }

    /// Changes an object that is there. False: it is not.
    pub(super) fn update(&mut self, id: &str, change: impl FnOnce(&mut T)) -> bool {
        let Some(Placed { scope, object }) = self.all.get(id).cloned() else { return false };
        let mut object = T::clone(&object);
        change(&mut object);
        self.put(id, Placed { scope, object: Arc::new(object) });
        true
    }

    /// What is known of it where that is the same, so that states share it; else the new one.
    pub(super) fn known_or(
        &self,
        id: &str,
        scope: Scope,
        is_same: impl FnOnce(&T) -> bool,
        new: impl FnOnce() -> Arc<T>,
    ) -> Placed<T> {
        match self.all.get(id) {
            Some(known) if known.scope == scope && is_same(&known.object) => known.clone(),
            _ => Placed { scope, object: new() },
        }
    }

    /// A document with its place; what is known already is taken as it is.
    pub(super) fn placed<D: Document>(&self, document: &Arc<D>, scopes: &Scopes) -> Placed<T>
    where
        T: Held<D>,
    {
        let is_same = |known: &T| known.says(document);
        self.known_or(document.id(), document.scope(scopes), is_same, || T::of(document))
    }

    /// What others know, where nothing is known.
    pub(super) fn take_in(&mut self, others: Self) {
        for (id, placed) in others.all {
            if !self.all.contains_key(&id) {
                self.put(&id, placed);
            }
        }
    }

    /// Only what lies in these scopes.
    pub(super) fn retain(&mut self, scopes: &[&Scope]) {
        let outside = |placed: &Placed<T>| !scopes.iter().any(|scope| scope.fits(&placed.scope));
        let gone: Vec<String> =
            self.all.iter().filter(|(_, it)| outside(it)).map(|(id, _)| id.clone()).collect();
        for id in &gone {
            self.remove(id);
        }
    }
}

/// An object of an answer; answers are in order of ids.
pub(super) trait Document: Ord {
    fn id(&self) -> &str;
    fn scope(&self, scopes: &Scopes) -> Scope;
}

/// What is kept of a document.
pub(super) trait Held<D> {
    /// Whether it is what the document says.
    fn says(&self, document: &D) -> bool;
    fn of(document: &Arc<D>) -> Arc<Self>;
}

/// Mostly, the document itself.
impl<D: PartialEq> Held<D> for D {
    fn says(&self, document: &D) -> bool {
        self == document
    }

    fn of(document: &Arc<D>) -> Arc<D> {
        Arc::clone(document)
    }
}

/// Objects with their places, by id.
pub(super) fn placed<D: Document, T: Held<D> + PartialEq + Clone>(
    given: &List<D>,
    known: &Kind<T>,
    scopes: &Scopes,
) -> BTreeMap<String, Placed<T>> {
    given.iter().map(|document| (document.id().to_owned(), known.placed(document, scopes))).collect()
}

/// The scopes that a snapshot speaks of, looked for only where an answer is empty.
pub(super) struct Spoken<'a> {
    scopes: BTreeSet<Scope>,
    objects: &'a Objects,
    pub(super) of: &'a Scopes,
}

impl<'a> Spoken<'a> {
    pub(super) fn by(objects: &'a Objects, of: &'a Scopes) -> Self {
        Self { scopes: BTreeSet::new(), objects, of }
    }

    pub(super) fn scopes(&mut self) -> &BTreeSet<Scope> {
        if self.scopes.is_empty() {
            self.scopes = self.of.of_objects(self.objects).map(|(_, scope)| scope).collect();
        }
        if self.scopes.is_empty() {
            self.scopes.insert(Scope::default());
        }
        &self.scopes
    }
}

//! A list that snapshots share: what two of them hold alike is there once.

use std::ops::Deref;
use std::sync::Arc;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(Arc<Vec<T>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        Self(Arc::new(items))
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(Arc::new(items.into_iter().collect()))
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Clone> List<T> {
    /// Adds one.
    pub fn push(&mut self, item: T) {
        Arc::make_mut(&mut self.0).push(item);
    }

    /// Adds those of another list.
    pub fn add_up(&mut self, other: Self) {
        if self.0.is_empty() {
            *self = other;
        } else if !other.0.is_empty() {
            Arc::make_mut(&mut self.0).extend(Arc::unwrap_or_clone(other.0));
        }
    }

    /// The items, on their own.
    pub fn into_vec(self) -> Vec<T> {
        Arc::unwrap_or_clone(self.0)
    }
}

impl<T: Ord + Clone> List<T> {
    /// Ascending, each once.
    pub fn tidy(&mut self) {
        if !self.is_tidy() {
            let items = Arc::make_mut(&mut self.0);
            items.sort();
            items.dedup();
        }
    }

    /// Whether they are.
    pub fn is_tidy(&self) -> bool {
        self.0.is_sorted_by(|a, b| a < b)
    }
}

impl<T> List<T> {
    /// Whether it is the same list, without a look inside.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

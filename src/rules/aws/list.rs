//! A list that snapshots share: what two of them hold alike is there once.

use std::ops::Deref;
use std::sync::Arc;

/// See the module.
#[derive(Debug, Clone)]
pub struct List<T> {
    items: Arc<Vec<T>>,
    order: Order,
}

/// Whether the items are known to be ascending, each once: looked at once, as lists are large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Any,
    Tidy,
}

impl<T: Eq> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items
    }
}

impl<T: Eq> Eq for List<T> {}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Arc::default(), order: Order::Any }
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items: Arc::new(items), order: Order::Any }
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        items.into_iter().collect::<Vec<T>>().into()
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<T: Clone> List<T> {
    /// Adds one.
    pub fn push(&mut self, item: T) {
        self.order = Order::Any;
        Arc::make_mut(&mut self.items).push(item);
    }

    /// Adds those of another list.
    pub fn add_up(&mut self, other: Self) {
        if self.items.is_empty() {
            *self = other;
        } else if !other.items.is_empty() {
            self.order = Order::Any;
            Arc::make_mut(&mut self.items).extend(Arc::unwrap_or_clone(other.items));
        }
    }

    /// The items, on their own.
    pub fn into_vec(self) -> Vec<T> {
        Arc::unwrap_or_clone(self.items)
    }
}

impl<T: Ord + Clone> List<T> {
    /// Ascending, each once.
    pub fn tidy(&mut self) {
        if !self.is_tidy() {
            let items = Arc::make_mut(&mut self.items);
            items.sort();
            items.dedup();
        }
        self.order = Order::Tidy;
    }

    /// Whether they are.
    pub fn is_tidy(&self) -> bool {
        self.order == Order::Tidy || self.items.is_sorted_by(|a, b| a < b)
    }
}

impl<T> List<T> {
    /// Whether it is the same list, without a look inside.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.items, &other.items)
    }
}

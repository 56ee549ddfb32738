//! A list that snapshots share: what two of them hold alike is there once, the list as well as each item.

use std::cmp::Ordering;
use std::ops::Deref;
use std::sync::Arc;

use hashbrown::HashSet;

/// So many items that another list has besides are walked over.
const MOST_LEFT_OUT: usize = 8;

/// See the module.
#[derive(Debug)]
pub struct List<T> {
    items: Arc<Vec<Arc<T>>>,
    order: Order,
}

/// Whether the items are known to be ascending, each once: looked at once, as lists are large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Any,
    Tidy,
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        Self { items: Arc::clone(&self.items), order: self.order }
    }
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
    type Target = [Arc<T>];

    fn deref(&self) -> &[Arc<T>] {
        &self.items
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        items.into_iter().collect()
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self { items: Arc::new(items.into_iter().map(Arc::new).collect()), order: Order::Any }
    }
}

impl<T> FromIterator<Arc<T>> for List<T> {
    fn from_iter<I: IntoIterator<Item = Arc<T>>>(items: I) -> Self {
        Self { items: Arc::new(items.into_iter().collect()), order: Order::Any }
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a Arc<T>;
    type IntoIter = std::slice::Iter<'a, Arc<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<T> List<T> {
    /// Adds one.
    pub fn push(&mut self, item: T) {
        self.order = Order::Any;
        Arc::make_mut(&mut self.items).push(Arc::new(item));
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

    /// Takes the items of another list in place of those that are equal to them. Both are walked along once: what stands
    /// elsewhere is left as it is.
    pub fn share(&mut self, other: &Self)
    where
        T: PartialEq,
    {
        let mut others = other.items.as_slice();
        for item in Arc::make_mut(&mut self.items) {
            if let Some(at) = others.iter().take(MOST_LEFT_OUT).position(|other| other == item) {
                *item = Arc::clone(&others[at]);
                others = &others[at + 1..];
            }
        }
    }

    /// Whether it is the same list, without a look inside.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.items, &other.items)
    }
}

impl<T: Clone> List<T> {
    /// The items, on their own.
    pub fn into_vec(self) -> Vec<T> {
        Arc::unwrap_or_clone(self.items).into_iter().map(Arc::unwrap_or_clone).collect()
    }
}

impl<T: Ord> List<T> {
    /// Ascending, each once.
    pub fn tidy(&mut self) {
        if !self.is_tidy() {
            let items = Arc::make_mut(&mut self.items);
            items.sort();
            items.dedup();
        }
        self.order = Order::Tidy;
    }

    /// Whether nothing has been added since they were put in order.
    pub fn is_known_tidy(&self) -> bool {
        self.order == Order::Tidy
    }

    /// Whether they are.
    pub fn is_tidy(&self) -> bool {
        self.order == Order::Tidy || self.items.is_sorted_by(|a, b| a < b)
    }

    /// The tidy list without some of its items, and with others. None: it is not known to be tidy, lacks one of those that
    /// go, has one of those that come, or one of these is there twice.
    pub fn exchanged(&self, gone: &[Arc<T>], new: &[Arc<T>]) -> Option<Self> {
        if self.order != Order::Tidy {
            return None;
        }
        if gone.is_empty() && new.is_empty() {
            return Some(self.clone());
        }
        // What both have stays. What one of them has twice would not be seen to be there twice.
        let of = |items: &[Arc<T>]| items.iter().map(Arc::as_ptr).collect::<HashSet<_>>();
        let (going, coming) = (of(gone), of(new));
        if going.len() != gone.len() || coming.len() != new.len() {
            return None;
        }
        let mut items: Vec<Arc<T>> = Vec::with_capacity(self.items.len() + new.len());
        items.extend(self.items.iter().map(Arc::clone));
        // What goes or comes together mostly stands together.
        let mut near = 0;
        for item in gone.iter().filter(|item| !coming.contains(&Arc::as_ptr(item))) {
            near = search(&items, item, near).ok()?;
            items.remove(near);
        }
        for item in new.iter().filter(|item| !going.contains(&Arc::as_ptr(item))) {
            near = search(&items, item, near).err()?;
            items.insert(near, Arc::clone(item));
        }
        Some(Self { items: Arc::new(items), order: Order::Tidy })
    }

    /// What one tidy list has and the next one lacks, and the other way round, each ascending.
    pub fn difference<'a>(&'a self, next: &'a Self) -> (Vec<&'a Arc<T>>, Vec<&'a Arc<T>>) {
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        if self.is_shared_with(next) {
            return (gone, new);
        }
        let (mut olds, mut news) = (self.items.as_slice(), next.items.as_slice());
        while let ([old, later_olds @ ..], [now, later_news @ ..]) = (olds, news) {
            match compare(old, now) {
                Ordering::Equal => (olds, news) = (later_olds, later_news),
                Ordering::Less => {
                    gone.push(old);
                    olds = later_olds;
                }
                Ordering::Greater => {
                    new.push(now);
                    news = later_news;
                }
            }
        }
        gone.extend(olds);
        new.extend(news);
        (gone, new)
    }
}

/// What is shared is equal, without a look inside.
fn compare<T: Ord>(one: &Arc<T>, other: &Arc<T>) -> Ordering {
    if Arc::ptr_eq(one, other) { Ordering::Equal } else { one.cmp(other) }
}

/// Where an item stands in a tidy list, or should; looked for around a place first.
fn search<T: Ord>(items: &[Arc<T>], item: &Arc<T>, near: usize) -> Result<usize, usize> {
    let compare = |other: &Arc<T>| compare(other, item);
    let (mut start, mut end) = (near.min(items.len()), near.min(items.len()));
    let mut step = 1;
    while start > 0 && compare(&items[start - 1]) != Ordering::Less {
        start = start.saturating_sub(step);
        step *= 2;
    }
    step = 1;
    while end < items.len() && compare(&items[end]) != Ordering::Greater {
        end = items.len().min(end + step);
        step *= 2;
    }
    items[start..end].binary_search_by(compare).map(|at| start + at).map_err(|at| start + at)
}

//! How much is kept, whatever the logs hold, of what is counted by many keys: records that wait, and what each set of rules
//! let through.
//!
//! A table (of records that wait: one interface and protocol) stands on a rung of a ladder, where the higher the rung, the
//! fewer keys there are. It climbs while it has more of them than the level of the run allows; the level
//! rises while all tables together have more than the bound.
//!
//! What decides must not depend on the order in which records come. Only two figures do: the keys of a table on a given
//! rung, which only grow with the set of records; and the keys that a table would have on rung 0, counting at most what
//! the level allows, which grow with it too. The latter is known of a table that has left rung 0 as well: it had more than
//! some level allowed, and later levels allow less. So whatever some of the records need, all of them need, and the end is
//! the first rung and the first level that hold them all.

use hashbrown::HashMap;

use crate::tally::unordered;

/// How many keys tables may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Each, by level, descending. A table on the highest rung may have more.
    pub each: &'static [usize],
    /// All together.
    pub together: usize,
}

/// What a table is keyed by.
pub(super) trait Key: Copy + Eq + std::hash::Hash {
    /// The highest rung.
    const HIGHEST: u8;

    /// What a key of a table on this rung becomes on the next one.
    fn climb(self, rung: u8) -> Self;
}

/// What is kept by a key. The default is neutral.
pub(super) trait Sum: Default {
    fn merge(&mut self, other: &Self);
}

/// One table.
#[derive(Debug, Clone)]
pub(super) struct Table<K, V> {
    rung: u8,
    sums: HashMap<K, V>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rung: 0, sums: HashMap::default() }
    }
}

impl<K: Key, V: Sum> Table<K, V> {
    pub(super) fn rung(&self) -> u8 {
        self.rung
    }

    /// All that it holds, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.sums.iter()
    }

    fn climb(&mut self) {
        for (key, sum) in unordered(std::mem::take(&mut self.sums)) {
            self.sums.entry(key.climb(self.rung)).or_default().merge(&sum);
        }
        self.rung += 1;
    }

    /// Climbs until it has as many keys as allowed, or can climb no more.
    fn fit(&mut self, most: usize) {
        while self.sums.len() > most && self.rung < K::HIGHEST {
            self.climb();
        }
    }

    /// The keys that it would have on rung 0, at most as many as allowed.
    fn taken(&self, most: usize) -> usize {
        if self.rung > 0 { most } else { self.sums.len().min(most) }
    }

    fn merge(&mut self, mut other: Self, translate: impl Fn(K) -> K, most: usize) {
        while self.rung < other.rung {
            self.climb();
        }
        while other.rung < self.rung {
            other.climb();
        }
        for (key, sum) in unordered(other.sums) {
            self.sums.entry(rise(translate(key), other.rung, self.rung)).or_default().merge(&sum);
            if self.sums.len() > most {
                self.fit(most);
            }
        }
    }
}

/// A key of one rung on a higher one.
fn rise<K: Key>(key: K, from: u8, to: u8) -> K {
    (from..to).fold(key, Key::climb)
}

/// All tables of one kind.
#[derive(Debug, Clone)]
pub(super) struct Tables<K, V> {
    bound: Bound,
    level: u8,
    /// What all tables would have on rung 0, each at most as many as the level allows.
    taken: usize,
    places: Vec<Option<Box<Table<K, V>>>>,
}

impl<K: Key, V: Sum> Tables<K, V> {
    pub(super) fn new(bound: Bound) -> Self {
        Self { bound, level: 0, taken: 0, places: Vec::new() }
    }

    pub(super) fn level(&self) -> u8 {
        self.level
    }

    fn most(&self) -> usize {
        self.bound.each.get(usize::from(self.level)).copied().unwrap_or(1)
    }

    fn table(&mut self, place: usize) -> &mut Table<K, V> {
        if self.places.len() <= place {
            self.places.resize_with(place + 1, || None);
        }
        self.places[place].get_or_insert_default()
    }

    /// Adds to the sum of a key, which depends on the rung.
    #[inline]
    pub(super) fn add(&mut self, place: usize, key: impl FnOnce(u8) -> K, add: impl FnOnce(&mut V)) {
        let table = self.table(place);
        let before = table.sums.len();
        add(table.sums.entry(key(table.rung)).or_default());
        if table.sums.len() > before {
            self.check(place);
        }
    }

    /// Holds the bounds after a key was added to a table.
    #[cold]
    fn check(&mut self, place: usize) {
        let most = self.most();
        let table = self.table(place);
        let exact = table.rung == 0 && table.sums.len() <= most;
        table.fit(most);
        // Beyond that the table counted as full before.
        self.taken += usize::from(exact);
        if self.taken > self.bound.together {
            self.fit();
        }
    }

    /// Climbs until all bounds hold.
    pub(super) fn fit(&mut self) {
        loop {
            let most = self.most();
            self.taken = 0;
            for table in self.places.iter_mut().flatten() {
                table.fit(most);
                self.taken += table.taken(most);
            }
            if self.taken <= self.bound.together || usize::from(self.level) + 1 >= self.bound.each.len() {
                return;
            }
            self.level += 1;
        }
    }

    /// Takes in other tables; `moved` says where the other's places are here, and `translate` the same of keys.
    pub(super) fn merge(
        &mut self,
        other: Self,
        moved: impl Fn(usize) -> Option<usize>,
        translate: impl Fn(K) -> K,
    ) {
        self.level = self.level.max(other.level);
        let most = self.most();
        for (place, table) in other.places.into_iter().enumerate() {
            let (Some(table), Some(place)) = (table, moved(place)) else { continue };
            self.table(place).merge(*table, &translate, most);
        }
        self.fit();
    }

    /// Every table with its place.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Table<K, V>)> {
        self.places.iter().enumerate().filter_map(|(place, table)| Some((place, table.as_deref()?)))
    }

    /// The table of a place, if it holds anything.
    pub(super) fn get(&self, place: usize) -> Option<&Table<K, V>> {
        self.places.get(place)?.as_deref()
    }

    /// Puts back what a state kept. None: it does not fit what was put back before. Call [`Tables::fit`] when all is in.
    pub(super) fn restore(&mut self, place: usize, (level, rung): (u8, u8), key: K, sum: V) -> Option<()> {
        let first = self.places.is_empty();
        if rung > K::HIGHEST || usize::from(level) >= self.bound.each.len() || (!first && self.level != level)
        {
            return None;
        }
        self.level = level;
        let most = self.most();
        let table = self.table(place);
        if table.sums.is_empty() {
            table.rung = rung;
        }
        let fits = table.rung == rung && (table.sums.len() < most || rung == K::HIGHEST);
        (fits && table.sums.insert(key, sum).is_none()).then_some(())
    }
}

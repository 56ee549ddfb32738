//! Words to small numbers, in one step.
//!
//! Every record is looked up in a few of these. An entry is eight bytes, the number and half of a hash, so that tables
//! stay where the processor has them at hand; whether the key is the right one shows where the number leads to, which is
//! looked at next anyway. A third of the instructions and of the memory of a general hash table.

/// A hash table whose keys are kept elsewhere, by their numbers.
#[derive(Debug, Clone)]
pub(super) struct WordTable {
    /// A power of two of them.
    entries: Vec<Entry>,
    /// The highest bits of a mark are the place of its entry.
    shift: u32,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    mark: u32,
    number: u32,
}

impl Entry {
    const FREE: Self = Self { mark: 0, number: u32::MAX };
}

const SMALLEST: usize = 64;

impl Default for WordTable {
    fn default() -> Self {
        Self::with_entries(SMALLEST)
    }
}

impl WordTable {
    fn with_entries(count: usize) -> Self {
        Self { entries: vec![Entry::FREE; count], shift: 32 - count.trailing_zeros(), len: 0 }
    }

    /// The number of a key; `is` says whether it is that of the number.
    #[inline(always)]
    pub(super) fn get(&self, key: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let last = self.entries.len() - 1;
        let mark = mark(key);
        let mut place = (mark >> self.shift) as usize;
        loop {
            let entry = self.entries[place & last];
            if entry.mark == mark && entry.number != u32::MAX && is(entry.number) {
                return Some(entry.number);
            }
            if entry.number == u32::MAX {
                return None;
            }
            place += 1;
        }
    }

    /// Adds a key that is not there, with a number below [`u32::MAX`].
    pub(super) fn insert(&mut self, key: u64, number: u32) {
        if self.len * 8 >= self.entries.len() * 5 {
            let mut larger = Self::with_entries(self.entries.len() * 2);
            for entry in self.entries.iter().filter(|entry| entry.number != u32::MAX) {
                larger.put(*entry);
            }
            *self = larger;
        }
        self.put(Entry { mark: mark(key), number });
    }

    fn put(&mut self, entry: Entry) {
        let mask = self.entries.len() - 1;
        let mut place = (entry.mark >> self.shift) as usize;
        while self.entries[place & mask].number != u32::MAX {
            place += 1;
        }
        self.entries[place & mask] = entry;
        self.len += 1;
    }

    /// Forgets all keys.
    pub(super) fn clear(&mut self) {
        self.entries.fill(Entry::FREE);
        self.len = 0;
    }
}

/// The keys are our own packed numbers: one multiplication spreads them well enough.
#[inline(always)]
fn mark(key: u64) -> u32 {
    let spread = (key ^ key >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The highest bits of the product depend on all bits of the key.
    (spread >> 32) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn keeps_what_it_is_given() {
        let (mut table, mut keys) = (WordTable::default(), Vec::new());
        let mut expected = HashMap::new();
        for n in 0..5_000_u64 {
            // Keys as they come: small, shifted, and far apart.
            for key in [n, n << 32, n << 43 | 7, n.wrapping_mul(0x1234_5678_9abc_def1)] {
                let found = table.get(key, |number| keys[number as usize] == key);
                assert_eq!(found, expected.get(&key).copied());
                if found.is_none() {
                    let number = u32::try_from(keys.len()).unwrap();
                    expected.insert(key, number);
                    keys.push(key);
                    table.insert(key, number);
                }
            }
        }
        table.clear();
        assert_eq!(table.get(1, |_| true), None);
    }
}

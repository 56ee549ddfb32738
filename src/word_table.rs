//! Words to small numbers, in one step.
//!
//! Every record is looked up in a few of these. A bucket holds four numbers with half a hash each, which are compared at
//! once: where keys share a bucket, no branch has to be guessed. Whether the key is the right one shows where the number
//! leads to, which is looked at next anyway.

use wide::u32x4;

/// A hash table whose keys are kept elsewhere, by their numbers.
#[derive(Debug, Clone)]
pub(crate) struct WordTable {
    /// A power of two of them. A bucket is filled from the front; what does not fit goes to the next one.
    buckets: Vec<Bucket>,
    /// The highest bits of a mark are the place of its bucket.
    shift: u32,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
struct Bucket {
    marks: [u32; 4],
    numbers: [u32; 4],
}

impl Bucket {
    const FREE: Self = Self { marks: [NO_MARK; 4], numbers: [FREE; 4] };
}

/// The number where there is none.
const FREE: u32 = u32::MAX;
/// The mark of no key.
const NO_MARK: u32 = 0;
const SMALLEST: usize = 16;

impl Default for WordTable {
    fn default() -> Self {
        Self::with_buckets(SMALLEST)
    }
}

impl WordTable {
    fn with_buckets(count: usize) -> Self {
        Self { buckets: vec![Bucket::FREE; count], shift: 32 - count.trailing_zeros(), len: 0 }
    }

    /// The number of a key; `is` says whether it is that of the number.
    #[inline(always)]
    pub(crate) fn get(&self, key: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let last = self.buckets.len() - 1;
        let mark = mark(key);
        let mut place = (mark >> self.shift) as usize;
        loop {
            let bucket = &self.buckets[place & last];
            let mut equal = u32x4::new(bucket.marks).simd_eq(u32x4::splat(mark)).to_bitmask();
            while equal != 0 {
                let number = bucket.numbers[equal.trailing_zeros() as usize & 3];
                if is(number) {
                    return Some(number);
                }
                equal &= equal - 1;
            }
            if bucket.numbers[3] == FREE {
                return None;
            }
            place += 1;
        }
    }

    /// Adds a key that is not there, with a number below [`u32::MAX`].
    pub(crate) fn insert(&mut self, key: u64, number: u32) {
        // Less than three of four places are taken, so that few buckets are full.
        if self.len >= self.buckets.len() * 3 {
            let mut larger = Self::with_buckets(self.buckets.len() * 2);
            for bucket in &self.buckets {
                let entries = bucket.marks.iter().zip(bucket.numbers);
                entries.filter(|(_, number)| *number != FREE).for_each(|(mark, it)| larger.put(*mark, it));
            }
            *self = larger;
        }
        self.put(mark(key), number);
    }

    fn put(&mut self, mark: u32, number: u32) {
        let last = self.buckets.len() - 1;
        let mut place = (mark >> self.shift) as usize;
        loop {
            let bucket = &mut self.buckets[place & last];
            if let Some(free) = bucket.numbers.iter().position(|number| *number == FREE) {
                (bucket.marks[free], bucket.numbers[free]) = (mark, number);
                self.len += 1;
                return;
            }
            place += 1;
        }
    }

    /// Forgets all keys.
    pub(crate) fn clear(&mut self) {
        self.buckets.fill(Bucket::FREE);
        self.len = 0;
    }
}

/// The keys are our own packed numbers: one multiplication spreads them well enough.
#[inline(always)]
fn mark(key: u64) -> u32 {
    let spread = (key ^ key >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The highest bits of the product depend on all bits of the key; the lowest one sets the mark apart from none.
    (spread >> 32) as u32 | 1
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

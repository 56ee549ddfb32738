//! Interface ids → their numbers: what every record is asked first.

use hashbrown::HashMap;

use crate::word_table::WordTable;

/// Ids, numbered in the order given.
#[derive(Debug, Default)]
pub(super) struct InterfaceIds {
    /// Ids as long as AWS makes them, by a mark of their bytes.
    short: WordTable,
    /// By number.
    words: Vec<ShortId>,
    /// All others.
    long: HashMap<Box<[u8]>, u32>,
}

/// An id of as many bytes as AWS makes them (`eni-` and 17 digits), as three words that overlap; zeros for any other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct ShortId([u64; 3]);

impl ShortId {
    #[inline(always)]
    fn of(id: &[u8]) -> Option<Self> {
        let id: &[u8; 21] = id.try_into().ok()?;
        let (words, _) = id.as_chunks::<8>();
        Some(Self([
            u64::from_le_bytes(words[0]),
            u64::from_le_bytes(words[1]),
            u64::from_le_bytes(*id.last_chunk()?),
        ]))
    }

    /// Two ids may have one mark; it says where to look.
    #[inline(always)]
    fn mark(self) -> u64 {
        let [first, second, third] = self.0;
        first ^ second.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ third
    }
}

impl InterfaceIds {
    pub(super) fn of<'a>(ids: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut all = Self::default();
        for (id, number) in ids.zip(0..) {
            let short = ShortId::of(id);
            all.words.push(short.unwrap_or_default());
            if let Some(short) = short {
                all.short.insert(short.mark(), number);
            } else {
                all.long.insert(id.into(), number);
            }
        }
        all
    }

    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    #[inline(always)]
    pub(super) fn number(&self, id: &[u8]) -> Option<u32> {
        match ShortId::of(id) {
            Some(short) => self.short.get(short.mark(), |number| self.words[number as usize] == short),
            None => self.long.get(id).copied(),
        }
    }
}

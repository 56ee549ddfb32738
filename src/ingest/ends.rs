//! Where the columns of a text row end.

use std::ops::ControlFlow;

use super::byte_masks;

/// Rows end at most so far behind the byte before them; longer ones are left to the slow parser.
pub(super) const ROW: usize = 7 * CHUNK;
/// Bytes looked at in one go.
const CHUNK: usize = 64;
/// Columns that usually end in a chunk that is all of one row, and in the last one of a row.
const USUAL: usize = 7;
const USUAL_LAST: usize = 10;

/// Where the columns of the row at hand end, counted from the byte before the row, which is the first of them. There is
/// room for whatever column may be asked for; behind the last column of the row stands anything.
#[derive(Debug, Clone)]
pub(super) struct Ends([u32; 257]);

/// How far a search has come.
struct Progress {
    /// Ends found, with the byte before the row.
    found: usize,
    /// One if the last byte was a separator: another one would end an empty column.
    before: u64,
}

impl Ends {
    /// Room for the ends of any row.
    pub(super) fn new() -> Self {
        Self([0; 257])
    }

    /// The separators before and behind a column.
    #[inline(always)]
    pub(super) fn around(&self, column: u8) -> (u32, u32) {
        (self.0[usize::from(column)], self.0[usize::from(column) + 1])
    }

    /// Finds them in a row of so many columns behind the first byte; the last one, that of the newline, is the answer.
    /// None: not exactly one space between columns, not as many columns as there should be, or a row that is too long.
    #[inline(always)]
    pub(super) fn find(&mut self, columns: u8, row: &[u8; ROW]) -> Option<u32> {
        let (chunks, _) = row.as_chunks::<CHUNK>();
        let (first, others) = chunks.split_first()?;
        let mut progress = Progress { found: 1, before: 0 };
        if let ControlFlow::Break(end) = self.chunk::<1>(columns, first, 0, &mut progress) {
            return end;
        }
        for (chunk, base) in others.iter().zip((64..).step_by(CHUNK)) {
            if let ControlFlow::Break(end) = self.chunk::<0>(columns, chunk, base, &mut progress) {
                return end;
            }
        }
        None
    }

    /// Finds those in one chunk. Of the first one, the lowest bit stands for the byte before the row: that is a separator
    /// whatever it is, and has been found.
    #[inline(always)]
    fn chunk<const KNOWN: u64>(
        &mut self,
        columns: u8,
        chunk: &[u8; CHUNK],
        base: u32,
        progress: &mut Progress,
    ) -> ControlFlow<Option<u32>> {
        let (quarters, _) = chunk.as_chunks::<16>();
        let (mut spaces, mut separators) = (0, 0);
        for (quarter, shift) in quarters.iter().zip([0, 16, 32, 48]) {
            let (space, separator) = byte_masks::spaces_and_separators(quarter);
            spaces |= space << shift;
            separators |= separator << shift;
        }
        let controls = separators & !spaces & !KNOWN;
        // The first separator that is no space must be the newline; nothing behind it matters.
        let mask = (separators | KNOWN) & (controls ^ controls.wrapping_sub(1));
        if mask & (mask << 1 | progress.before) != 0 {
            return ControlFlow::Break(None);
        }
        let fresh = mask & !KNOWN;
        if controls == 0 {
            if self.store::<USUAL>(progress.found, base, fresh).is_none() {
                return ControlFlow::Break(None);
            }
            progress.found += fresh.count_ones() as usize;
            progress.before = mask >> 63;
            return ControlFlow::Continue(());
        }
        let behind = self.store::<USUAL_LAST>(progress.found, base, fresh);
        let newline = controls.trailing_zeros();
        let right = behind.is_some_and(|behind| usize::from(columns) < behind)
            & (self.0[usize::from(columns)] == base + newline)
            & (chunk[newline as usize % CHUNK] == b'\n');
        ControlFlow::Break(right.then_some(base + newline))
    }

    /// Stores where the bits of a mask are, which starts at `base`, as ends from `at` on, and behind them some that lie
    /// behind the mask. The answer is where nothing was stored.
    ///
    /// No fewer are stored than are usual: how many there are differs from row to row, and would be guessed wrong.
    #[inline(always)]
    fn store<const USUAL: usize>(&mut self, at: usize, base: u32, mask: u64) -> Option<usize> {
        let mut mask = mask;
        let usual: &mut [u32; USUAL] = self.0.get_mut(at..)?.first_chunk_mut()?;
        for end in usual {
            *end = base + mask.trailing_zeros();
            mask &= mask.wrapping_sub(1);
        }
        let mut behind = at + USUAL;
        while mask != 0 {
            *self.0.get_mut(behind)? = base + mask.trailing_zeros();
            behind += 1;
            mask &= mask - 1;
        }
        Some(behind)
    }
}

//! Bytes → whole lines, a block at a time, in one buffer that is filled again and again.
//!
//! A line that does not fit the buffer is dropped as it is read and reported as one [`Chunk::TooLong`], so memory stays
//! bounded whatever the input. After an error the line it broke is not handed out.

use std::io::{ErrorKind, Read, Result};

use super::quick;

/// Longest line that may be a record; the longest real ones, with every field and tag, are a tenth of it.
pub(super) const MAX_LINE: usize = 64 * 1024;
/// Small enough to stay in the processor's second cache beside what is tallied.
const BLOCK: usize = 128 * 1024;

/// Bytes before the lines.
pub(super) const FRONT: usize = quick::BEFORE;
/// Bytes behind the lines.
pub(super) const BEHIND: usize = 1024;

/// Some lines, or what stands for one that was dropped.
pub(super) enum Chunk<'a> {
    /// Whole lines, each with its newline except perhaps the last of the input.
    Lines {
        /// Where they start.
        offset: u64,
        /// The lines.
        bytes: &'a [u8],
        /// The lines with [`FRONT`] bytes before and [`BEHIND`] bytes behind them, which mean nothing: so that whoever
        /// looks at a row may look past its ends.
        around: &'a [u8],
    },
    /// One line longer than the buffer.
    TooLong {
        /// Where it starts.
        offset: u64,
    },
}

/// Reads blocks of lines.
pub(super) struct Blocks<R> {
    inner: R,
    /// What is read lies between [`FRONT`] and [`BEHIND`] bytes.
    buffer: Vec<u8>,
    /// What of the buffer has been handed out.
    taken: usize,
    filled: usize,
    /// Where the buffer starts in the input.
    offset: u64,
    /// Where the line starts that is being dropped.
    dropping: Option<u64>,
    /// Whether what is left in the buffer may hold newlines.
    mixed: bool,
}

impl<R: Read> Blocks<R> {
    /// Lines from here on; `offset` is where the reader stands.
    pub(super) fn new(inner: R, offset: u64) -> Self {
        Self {
            inner,
            buffer: vec![0; FRONT + BLOCK + BEHIND],
            taken: 0,
            filled: 0,
            offset,
            dropping: None,
            mixed: false,
        }
    }

    /// The next lines. None: the input has ended.
    pub(super) fn next(&mut self) -> Result<Option<Chunk<'_>>> {
        self.buffer.copy_within(FRONT + self.taken..FRONT + self.filled, FRONT);
        self.filled -= self.taken;
        self.offset += self.taken as u64;
        self.taken = 0;
        // What is left of a block of lines is the start of one; what is left behind a dropped line may be anything.
        let mut searched = if self.mixed { 0 } else { self.filled };
        self.mixed = false;
        loop {
            let fresh = &self.buffer[FRONT + searched..FRONT + self.filled];
            if let Some(offset) = self.dropping {
                if let Some(newline) = memchr::memchr(b'\n', fresh) {
                    self.taken = searched + newline + 1;
                    self.mixed = true;
                    self.dropping = None;
                    return Ok(Some(Chunk::TooLong { offset }));
                }
                self.forget();
            } else if let Some(newline) = memchr::memrchr(b'\n', fresh) {
                self.taken = searched + newline + 1;
                return Ok(Some(self.lines()));
            } else if self.filled == BLOCK {
                self.dropping = Some(self.offset);
                self.forget();
            }
            searched = self.filled;
            if !self.fill()? {
                break;
            }
        }
        if let Some(offset) = self.dropping.take() {
            return Ok(Some(Chunk::TooLong { offset }));
        }
        if self.filled == 0 {
            return Ok(None);
        }
        self.taken = self.filled;
        Ok(Some(self.lines()))
    }

    fn lines(&self) -> Chunk<'_> {
        let end = FRONT + self.taken;
        Chunk::Lines {
            offset: self.offset,
            bytes: &self.buffer[FRONT..end],
            around: &self.buffer[..end + BEHIND],
        }
    }

    /// Reads once. False: the input has ended.
    fn fill(&mut self) -> Result<bool> {
        loop {
            match self.inner.read(&mut self.buffer[FRONT + self.filled..FRONT + BLOCK]) {
                Ok(count) => {
                    self.filled += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn forget(&mut self) {
        self.offset += self.filled as u64;
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(input: &[u8]) -> (Vec<u8>, Vec<u64>) {
        let (mut lines, mut long) = (Vec::new(), Vec::new());
        let mut blocks = Blocks::new(input, 0);
        while let Some(chunk) = blocks.next().unwrap() {
            match chunk {
                Chunk::Lines { offset, bytes, around } => {
                    assert_eq!(around[FRONT..around.len() - BEHIND], *bytes);
                    assert_eq!(input[usize::try_from(offset).unwrap()..][..bytes.len()], *bytes);
                    lines.extend_from_slice(bytes);
                }
                Chunk::TooLong { offset } => long.push(offset),
            }
        }
        (lines, long)
    }

    #[test]
    fn lines_come_whole_and_the_last_needs_no_newline() {
        for input in ["", "a", "a\n", "a\nb", "\n\n", "a\n\nb\n"] {
            assert_eq!(chunks(input.as_bytes()), (input.as_bytes().to_vec(), vec![]), "{input:?}");
        }
    }

    #[test]
    fn a_line_longer_than_the_buffer_is_one_chunk() {
        let mut input = b"first\n".to_vec();
        input.resize(6 + 3 * BLOCK, b'x');
        assert_eq!(chunks(&input), (b"first\n".to_vec(), vec![6]));
        input.extend_from_slice(b"\nnext\nlast");
        assert_eq!(chunks(&input), (b"first\nnext\nlast".to_vec(), vec![6]));
    }
}

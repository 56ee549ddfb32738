//! Keeps a JSON reader within bounds: no token longer than 1 MiB, no nesting deeper than 100.
//!
//! The parser behind it would hold a string of any length in memory; this stops the bytes before it can.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Error, Read, Result};
use std::rc::Rc;

const MAX_TOKEN: u32 = 1 << 20;
const MAX_DEPTH: u32 = 100;

/// Where in a document reading stands, shared with the one who reads.
#[derive(Debug, Clone, Default)]
pub(super) struct Position(Rc<Cell<u32>>);

impl Position {
    /// Whether no document is open.
    pub(super) fn is_between_documents(&self) -> bool {
        self.0.get() == 0
    }
}

pub(super) struct Guard<R> {
    inner: BufReader<R>,
    position: Position,
    depth: u32,
    token: u32,
    in_string: bool,
    escaped: bool,
}

impl<R: Read> Guard<R> {
    pub(super) fn new(inner: R, position: Position) -> Self {
        let inner = BufReader::with_capacity(64 * 1024, inner);
        Self { inner, position, depth: 0, token: 0, in_string: false, escaped: false }
    }

    #[inline]
    fn pass(&mut self, byte: u8) -> Result<()> {
        self.token += 1;
        if self.in_string {
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
                self.token = 0;
            }
        } else {
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'-' | b'.') {
                self.token = 0;
            }
            self.position.0.set(self.depth);
        }
        if self.token > MAX_TOKEN {
            return Err(Error::other("JSON: a value longer than 1 MiB"));
        }
        if self.depth > MAX_DEPTH {
            return Err(Error::other("JSON: nested too deeply"));
        }
        Ok(())
    }
}

impl<R: Read> Read for Guard<R> {
    /// Hands out one byte at a time, as the parser asks: what it has not asked for is not judged.
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let (Some(slot), Some(byte)) = (buffer.first_mut(), self.inner.fill_buf()?.first().copied()) else {
            return Ok(0);
        };
        self.inner.consume(1);
        self.pass(byte)?;
        *slot = byte;
        Ok(1)
    }
}

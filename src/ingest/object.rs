//! An object of a bucket, as readers see it: bytes by range, asked for ahead of their turn.
//!
//! Who fetches them is not known here: a bucket on the network, or memory in tests.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::Part;
use super::stream::PEEK;

/// Fetches ranges of one object. All ranges are of one version of it: if it changes, the rest is an error.
pub trait Fetch: fmt::Debug + Send + Sync {
    /// Begins to fetch a range that will be asked for.
    fn expect(&self, range: Range<u64>);
    /// The bytes of a range; waits for them.
    ///
    /// # Errors
    /// They cannot be had, and why.
    fn range(&self, range: Range<u64>) -> io::Result<Bytes>;
    /// Gives up a range that was expected.
    fn forget(&self, range: Range<u64>);
}

/// An object of a bucket.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its bytes.
    pub fetch: Arc<dyn Fetch>,
    /// How many there are.
    pub bytes: u64,
    /// What tells its versions apart, as the bucket says it.
    pub etag: Option<String>,
    /// When it was last written, in nanoseconds since 1970.
    pub modified: i64,
    /// Its beginning, while it is being looked at or its parts read.
    head: Arc<Mutex<Option<Bytes>>>,
    /// Its end, while it is being read; of a small one, all of it.
    tail: Arc<Mutex<Option<Bytes>>>,
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.fetch, &other.fetch)
    }
}

impl Eq for Object {}

/// So much is fetched at once: enough that the way there and back is little of the time.
pub(crate) const PIECE: u64 = 8 << 20;
/// So many pieces are fetched ahead of the one that is read.
const AHEAD: usize = 3;
/// The last line of a part ends beyond it, but not far.
const STEP: u64 = 64 << 10;
/// Where the footer of a Parquet file lies, nearly always.
const TAIL: u64 = 64 << 10;
/// No footer comes near this size.
const MOST_TAIL: u64 = 16 << 20;

impl Object {
    /// An object of so many bytes.
    pub fn new(fetch: Arc<dyn Fetch>, bytes: u64, etag: Option<String>, modified: i64) -> Self {
        Self { fetch, bytes, etag, modified, head: Arc::default(), tail: Arc::default() }
    }

    /// The bytes at its beginning that tell what it is.
    pub(super) fn head(&self) -> io::Result<Bytes> {
        kept(&self.head, || self.fetch.range(self.head_range()))
    }

    fn head_range(&self) -> Range<u64> {
        0..(PEEK as u64).min(self.bytes)
    }

    /// Begins to fetch its beginning.
    pub(crate) fn expect_head(&self) {
        self.fetch.expect(self.head_range());
    }

    /// Begins to fetch its end.
    pub(crate) fn expect_tail(&self) {
        if lock(&self.tail).is_none() {
            self.fetch.expect(self.tail_range());
        }
    }

    /// Thousands of beginnings would take more room than anything else.
    pub(super) fn forget_head(&self) {
        *lock(&self.head) = None;
    }

    /// The bytes at its end, which the footer of a Parquet file is in.
    pub(super) fn tail(&self) -> io::Result<Bytes> {
        kept(&self.tail, || {
            let tail = self.fetch.range(self.tail_range())?;
            // As many as the last eight bytes say, where that is more.
            let footer = tail
                .last_chunk()
                .map_or(0, |[a, b, c, d, ..]: &[u8; 8]| u32::from_le_bytes([*a, *b, *c, *d]));
            let needed = u64::from(footer) + 8;
            if !tail.ends_with(b"PAR1") || needed <= tail.len() as u64 || needed > self.bytes.min(MOST_TAIL) {
                return Ok(tail);
            }
            self.fetch.range(self.bytes - needed..self.bytes)
        })
    }

    /// All of it, where that is fetched in one piece anyway.
    fn tail_range(&self) -> Range<u64> {
        if self.is_small() { 0..self.bytes } else { self.bytes - TAIL..self.bytes }
    }

    fn is_small(&self) -> bool {
        self.bytes <= PIECE
    }

    /// Fetches a small one whole, to be looked at and read as often as necessary.
    ///
    /// # Errors
    /// It cannot be had.
    pub(super) fn hold(&self) -> io::Result<()> {
        if self.is_small() {
            self.tail()?;
        }
        Ok(())
    }

    /// Thousands of ends would take more room than anything else.
    pub(super) fn forget_tail(&self) {
        *lock(&self.tail) = None;
    }

    /// What is read first of a part. None: that takes a look at the object.
    pub(crate) fn first(&self, part: &Part) -> Option<Range<u64>> {
        let (from, until) = match part {
            Part::Whole => (0, self.bytes),
            Part::Bytes { start, end, .. } => (start.saturating_sub(1), *end),
            Part::RowGroup { .. } => return None,
        };
        Some(piece(from, until, self.bytes)).filter(|range| !range.is_empty())
    }

    /// Reads all of it.
    pub(crate) fn reader(&self) -> ObjectReader {
        ObjectReader::new(self, 0, self.bytes)
    }

    /// Reads from a byte on: up to another one ahead of time, beyond it in small steps.
    pub(super) fn read_from(&self, from: u64, until: u64) -> ObjectReader {
        ObjectReader::new(self, from, until)
    }
}

fn lock(of: &Mutex<Option<Bytes>>) -> MutexGuard<'_, Option<Bytes>> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is kept, or is from now on.
fn kept(of: &Mutex<Option<Bytes>>, fetch: impl FnOnce() -> io::Result<Bytes>) -> io::Result<Bytes> {
    if let Some(known) = lock(of).clone() {
        return Ok(known);
    }
    let bytes = fetch()?;
    *lock(of) = Some(bytes.clone());
    Ok(bytes)
}

/// The range that is fetched for the bytes from here on.
fn piece(from: u64, until: u64, bytes: u64) -> Range<u64> {
    let end = if from < until { (from + PIECE).min(until) } else { from + STEP };
    from..end.min(bytes)
}

/// The bytes of an object, in order.
pub(crate) struct ObjectReader {
    object: Object,
    until: u64,
    /// What was fetched and is not read yet.
    piece: Bytes,
    /// Ranges that are being fetched, in order.
    expected: VecDeque<Range<u64>>,
    /// The first byte that nobody fetches yet.
    next: u64,
}

impl ObjectReader {
    fn new(object: &Object, from: u64, until: u64) -> Self {
        let until = until.min(object.bytes);
        let held = lock(&object.tail).clone().filter(|held| held.len() as u64 == object.bytes);
        if let (Some(piece), 0) = (held, from) {
            let expected = VecDeque::new();
            return Self { object: object.clone(), until, piece, expected, next: object.bytes };
        }
        let mut reader = Self {
            object: object.clone(),
            until,
            piece: Bytes::new(),
            expected: VecDeque::new(),
            next: from.min(object.bytes),
        };
        reader.look_ahead();
        reader
    }

    fn look_ahead(&mut self) {
        while self.next < self.until && self.expected.len() < AHEAD {
            self.expect();
        }
    }

    fn expect(&mut self) {
        let range = piece(self.next, self.until, self.object.bytes);
        self.next = range.end;
        self.object.fetch.expect(range.clone());
        self.expected.push_back(range);
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            if self.expected.is_empty() && self.next < self.object.bytes {
                self.expect();
            }
            let Some(range) = self.expected.pop_front() else { return Ok(0) };
            self.piece = self.object.fetch.range(range)?;
            self.look_ahead();
        }
        let count = self.piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

impl Drop for ObjectReader {
    fn drop(&mut self) {
        for range in self.expected.drain(..) {
            self.object.fetch.forget(range);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// An object in memory that notes what it is asked for.
    #[derive(Debug, Default)]
    struct Memory {
        bytes: Bytes,
        waiting: Mutex<Vec<Range<u64>>>,
        most: Mutex<usize>,
    }

    impl Fetch for Memory {
        fn expect(&self, range: Range<u64>) {
            let mut waiting = self.waiting.lock().unwrap();
            waiting.push(range);
            let mut most = self.most.lock().unwrap();
            *most = (*most).max(waiting.len());
        }

        fn range(&self, range: Range<u64>) -> io::Result<Bytes> {
            self.forget(range.clone());
            let at = |byte: u64| usize::try_from(byte).unwrap();
            Ok(self.bytes.slice(at(range.start)..at(range.end)))
        }

        fn forget(&self, range: Range<u64>) {
            self.waiting.lock().unwrap().retain(|it| *it != range);
        }
    }

    fn object(length: u64) -> (Arc<Memory>, Object, Vec<u8>) {
        let bytes: Vec<u8> = (0..length).map(|at| (at % 251).to_le_bytes()[0]).collect();
        let memory = Arc::new(Memory { bytes: bytes.clone().into(), ..Memory::default() });
        let fetch: Arc<dyn Fetch> = memory.clone();
        (memory, Object::new(fetch, length, None, 0), bytes)
    }

    #[test]
    fn all_bytes_come_in_order_whatever_the_length() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 6 * PIECE + 5] {
            let (memory, object, expected) = object(length);
            let mut read = Vec::new();
            object.reader().read_to_end(&mut read).unwrap();
            assert!(read == expected, "{length}");
            assert!(memory.waiting.lock().unwrap().is_empty(), "{length}");
            assert!(*memory.most.lock().unwrap() <= AHEAD, "{length}");
        }
    }

    #[test]
    fn beyond_the_end_of_a_part_it_goes_on_in_small_steps() {
        let (memory, object, expected) = object(3 * PIECE);
        let mut reader = object.read_from(10, 20);
        let mut read = vec![0; 30];
        reader.read_exact(&mut read).unwrap();
        assert_eq!(read, expected[10..40]);
        assert!(memory.waiting.lock().unwrap().is_empty());
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert!(rest == expected[40..]);
    }

    #[test]
    fn what_is_not_read_any_more_is_given_up() {
        let (memory, object, _) = object(9 * PIECE);
        let mut reader = object.reader();
        reader.read_exact(&mut [0; 10]).unwrap();
        assert_eq!(memory.waiting.lock().unwrap().len(), AHEAD);
        drop(reader);
        assert!(memory.waiting.lock().unwrap().is_empty());
    }

    #[test]
    fn the_first_piece_of_a_part_is_what_its_reader_asks_for() {
        let (memory, object, _) = object(9 * PIECE);
        let cases = [
            (Part::Whole, object.reader()),
            (
                Part::Bytes { index: 1, start: PIECE, end: PIECE + 100 },
                object.read_from(PIECE - 1, PIECE + 100),
            ),
        ];
        for (part, reader) in cases {
            assert_eq!(object.first(&part), reader.expected.front().cloned(), "{part:?}");
        }
        assert_eq!(object.first(&Part::RowGroup { index: 0 }), None);
        assert!(memory.waiting.lock().unwrap().is_empty());
    }
}

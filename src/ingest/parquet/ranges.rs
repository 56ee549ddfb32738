//! An object of a bucket as the Parquet reader wants it: the chunks of columns that are read, and nothing else.

use std::io::{self, Cursor, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::ingest::object::{Object, PIECE};

/// A gap between chunks that is fetched with them: asking twice takes longer.
const GAP: u64 = 1 << 20;
/// What is fetched where nothing was prepared: damaged files alone come to that.
const STEP: u64 = 64 << 10;

/// An object and what is held of it.
#[derive(Debug, Clone)]
pub(crate) struct Ranges {
    object: Object,
    /// By their first byte, ascending.
    held: Arc<Mutex<Vec<(u64, Bytes)>>>,
}

impl Ranges {
    /// An object, with the bytes that its footer is in.
    pub(super) fn open(object: &Object) -> io::Result<Self> {
        let tail = object.tail()?;
        let held = vec![(object.bytes - tail.len() as u64, tail)];
        Ok(Self { object: object.clone(), held: Arc::new(Mutex::new(held)) })
    }

    pub(super) fn size(&self) -> u64 {
        self.object.bytes
    }

    /// Holds these ranges, and no other ones any more.
    pub(super) fn hold(&self, ranges: &[Range<u64>]) -> io::Result<()> {
        if self.holds_all() {
            return Ok(());
        }
        self.set(Vec::new());
        for range in ranges {
            self.object.fetch.expect(range.clone());
        }
        let mut held = Vec::with_capacity(ranges.len());
        for (at, range) in ranges.iter().enumerate() {
            match self.object.fetch.range(range.clone()) {
                Ok(bytes) => held.push((range.start, bytes)),
                Err(error) => {
                    for range in &ranges[at + 1..] {
                        self.object.fetch.forget(range.clone());
                    }
                    return Err(error);
                }
            }
        }
        self.set(held);
        Ok(())
    }

    /// Whether the object is so small that it was fetched whole.
    fn holds_all(&self) -> bool {
        self.get().iter().any(|(start, bytes)| *start == 0 && bytes.len() as u64 == self.object.bytes)
    }

    /// The bytes from here on that lie in one piece.
    fn from(&self, start: u64) -> io::Result<Bytes> {
        let known = {
            let held = self.get();
            let after = held.partition_point(|(first, _)| *first <= start);
            held[..after].last().and_then(|(first, bytes)| {
                let skipped = usize::try_from(start - first).ok()?;
                (skipped < bytes.len()).then(|| bytes.slice(skipped..))
            })
        };
        match known {
            Some(bytes) => Ok(bytes),
            None if start >= self.object.bytes => Ok(Bytes::new()),
            None => self.object.fetch.range(start..(start + STEP).min(self.object.bytes)),
        }
    }

    /// So many bytes from here on.
    pub(super) fn bytes(&self, start: u64, length: usize) -> io::Result<Bytes> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.object.bytes);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let first = self.from(start)?;
        if first.len() >= length {
            return Ok(first.slice(..length));
        }
        let mut all = Vec::with_capacity(length);
        let mut next = first;
        while all.len() < length {
            all.extend_from_slice(&next[..next.len().min(length - all.len())]);
            if all.len() < length {
                next = self.from(end - (length - all.len()) as u64)?;
            }
        }
        Ok(all.into())
    }

    /// Reads from here on.
    pub(super) fn reader(&self, start: u64) -> RangesReader {
        RangesReader { ranges: self.clone(), next: start, piece: Cursor::new(Bytes::new()) }
    }

    fn get(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Bytes)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, held: Vec<(u64, Bytes)>) {
        *self.get() = held;
    }
}

/// The pieces to fetch for these chunks.
pub(super) fn pieces(mut chunks: Vec<Range<u64>>) -> Vec<Range<u64>> {
    chunks.sort_by_key(|chunk| chunk.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for chunk in chunks {
        match joined.last_mut() {
            Some(last) if chunk.start <= last.end.saturating_add(GAP) => last.end = last.end.max(chunk.end),
            _ => joined.push(chunk),
        }
    }
    let step = usize::try_from(PIECE).unwrap_or(usize::MAX);
    let cut = |range: Range<u64>| {
        let end = range.end;
        range.step_by(step).map(move |start| start..(start + PIECE).min(end))
    };
    joined.into_iter().flat_map(cut).collect()
}

/// Reads what is held.
#[derive(Debug)]
pub(crate) struct RangesReader {
    ranges: Ranges,
    next: u64,
    piece: Cursor<Bytes>,
}

impl Read for RangesReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.piece.position() == self.piece.get_ref().len() as u64 {
            self.piece = Cursor::new(self.ranges.from(self.next)?);
            self.next += self.piece.get_ref().len() as u64;
        }
        self.piece.read(into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_that_lie_close_are_fetched_together_in_pieces_of_some_size() {
        type Spans = &'static [(u64, u64)];
        let cases: [(Spans, Spans); 4] = [
            (&[], &[]),
            (&[(100, 200), (0, 50)], &[(0, 200)]),
            (&[(0, 10), (10 + GAP + 1, 20 + GAP)], &[(0, 10), (10 + GAP + 1, 20 + GAP)]),
            (&[(5, PIECE + 6)], &[(5, PIECE + 5), (PIECE + 5, PIECE + 6)]),
        ];
        for (chunks, expected) in cases {
            let found = pieces(chunks.iter().map(|(start, end)| *start..*end).collect());
            let found: Vec<(u64, u64)> = found.into_iter().map(|piece| (piece.start, piece.end)).collect();
            assert_eq!(found, expected, "{chunks:?}");
        }
    }
}

//! One file as a stream of text bytes: inflated, its beginning looked at, its stored bytes counted.
//!
//! What was inflated before a break is handed out before the error is, and the error says how far reading came.

use std::fs::File;
use std::io::{BufReader, Cursor, Error, Read, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ahead::Ahead;
use super::gunzip::{self, Gunzip};
use super::source::Location;
use super::{FileFailure, Inflate, Source, snappy};

/// How much of a file is looked at to tell what it is.
pub(super) const PEEK: usize = 64 * 1024;
const INFLATE_INPUT: usize = 64 * 1024;

/// Stored bytes that have been read and not yet reported.
#[derive(Debug, Clone, Default)]
pub(super) struct Counter(Arc<AtomicU64>);

impl Counter {
    /// The bytes since this was last asked.
    pub(super) fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }

    /// Counts what is read.
    pub(super) fn count<R: Read>(&self, inner: R) -> impl Read + use<R> {
        Counting { inner, counter: self.clone() }
    }
}

struct Counting<R> {
    inner: R,
    counter: Counter,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.inner.read(buffer)?;
        self.counter.0.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// A stream whose beginning is known before it is read.
pub(super) struct Stream {
    head: Vec<u8>,
    taken: usize,
    inner: Box<dyn Read + Send>,
    broken: Option<Error>,
    /// What errors call the stream.
    what: &'static str,
    read: u64,
}

impl Stream {
    fn new(inner: Box<dyn Read + Send>, what: &'static str) -> Self {
        let mut head = Vec::new();
        let mut inner = inner;
        // On an error, what came before it is in the head all the same.
        let broken = inner.by_ref().take(PEEK as u64).read_to_end(&mut head).err();
        Self { head, taken: 0, inner, broken, what, read: 0 }
    }

    /// The beginning: [`PEEK`] bytes, or fewer if the stream ends or breaks before that.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// What the stream was packed as, if it was.
    pub(super) fn packing(&self) -> Option<&'static str> {
        Some(self.what).filter(|what| *what != READING)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let rest = &self.head[self.taken..];
        let result = if !rest.is_empty() {
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            self.taken += count;
            Ok(count)
        } else if let Some(error) = self.broken.take() {
            Err(error)
        } else {
            self.inner.read(buffer)
        };
        match result {
            Ok(count) => {
                self.read += count as u64;
                Ok(count)
            }
            // Nothing of it could be had: the reason says it all.
            Err(error) if self.read == 0 && self.what == READING => Err(error),
            Err(error) => {
                Err(Error::new(error.kind(), format!("{}: {error} after {} bytes", self.what, self.read)))
            }
        }
    }
}

/// What errors call a stream that is not packed.
const READING: &str = "reading";

/// A gz smaller than this is inflated before another thread would be at work.
const WORTH_A_THREAD: u64 = 4 << 20;

/// Opens a source, unpacking it if it is gzip or snappy.
pub(super) fn open(source: &Source, inflate: Inflate) -> std::result::Result<(Stream, Counter), FileFailure> {
    let counter = Counter::default();
    let raw: Box<dyn Read + Send> = match &source.location {
        Location::StandardInput => Box::new(std::io::stdin()),
        Location::File(path) => Box::new(File::open(path).map_err(|error| FileFailure(error.to_string()))?),
        Location::Object(object) => Box::new(object.reader()),
    };
    unpacked(raw, counter, source, inflate)
}

/// The same, of its beginning alone where reading more of it would cost something.
pub(super) fn peek(source: &Source) -> std::result::Result<(Stream, Counter), FileFailure> {
    let Location::Object(object) = &source.location else { return open(source, Inflate::Here) };
    let head = object.head().map_err(|error| FileFailure(error.to_string()))?;
    unpacked(Box::new(Cursor::new(head)), Counter::default(), source, Inflate::Here)
}

fn unpacked(
    raw: Box<dyn Read + Send>,
    counter: Counter,
    source: &Source,
    inflate: Inflate,
) -> std::result::Result<(Stream, Counter), FileFailure> {
    let stream = Stream::new(Box::new(Counting { inner: raw, counter: counter.clone() }), READING);
    if let Some(packing) = snappy::Packing::of(&stream.head, source.bytes) {
        let unpacked = packing.unpack(stream).map_err(|error| FileFailure(format!("snappy: {error}")))?;
        return Ok((Stream::new(unpacked, "snappy"), counter));
    }
    if !stream.head.starts_with(gunzip::MAGIC) {
        return Ok((stream, counter));
    }
    let inflated = Gunzip::new(BufReader::with_capacity(INFLATE_INPUT, stream));
    let mut stream = Stream::new(Box::new(inflated), "gzip");
    if inflate == Inflate::Ahead && source.bytes >= WORTH_A_THREAD {
        let inner = std::mem::replace(&mut stream.inner, Box::new(std::io::empty()));
        stream.inner = Box::new(Ahead::start(inner).map_err(|error| FileFailure(error.to_string()))?);
    }
    Ok((stream, counter))
}

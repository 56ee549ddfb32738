//! One file → the text of its JSON, unpacked and decoded, or why it is no document.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Mutex;

use flate2::bufread::MultiGzDecoder;

use crate::error::Error;

/// No document comes near this size; a compressed one that unpacks to more is refused.
const LARGEST_DOCUMENT: usize = 1 << 30;
/// The first room for a document; twice as much whenever it is full.
const CHUNK: usize = 64 * 1024;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Document {
    /// It begins as JSON does.
    Json,
    LeftAside(&'static str),
}

impl Document {
    /// Reads a document, unpacked, in place of what was in `bytes`, and compares it with a text that it may be. What does
    /// not begin as JSON is not read to its end: a log may lie beside the snapshot.
    pub(super) fn read(path: &Path, bytes: &mut Buffer, beside: &[u8]) -> Result<Self, Error> {
        let unreadable = |source| Error::Read { path: path.to_owned(), source };
        (bytes.filled, bytes.alike) = (0, 0);
        let mut file = File::open(path).map_err(unreadable)?;
        let mut head = bytes.read_some(&mut file, beside);
        let mut rest: Box<dyn Read> = Box::new(file);
        if bytes.bytes().starts_with(&[0x1f, 0x8b]) {
            let packed = Cursor::new(bytes.bytes().to_vec()).chain(rest);
            rest = Box::new(Unpacked(MultiGzDecoder::new(BufReader::new(packed))));
            (bytes.filled, bytes.alike) = (0, 0);
            head = bytes.read_some(&mut rest, beside);
        }
        match first(bytes.bytes()) {
            Some('{' | '[') => {}
            Some(_) => return Ok(Self::LeftAside("not JSON")),
            None if head.is_ok() => return Ok(Self::LeftAside("empty")),
            None => {}
        }
        let mut end = head.map_err(unreadable)?;
        while end == End::NotYet && bytes.filled < LARGEST_DOCUMENT {
            end = bytes.read_some(&mut rest, beside).map_err(unreadable)?;
        }
        if bytes.filled >= LARGEST_DOCUMENT {
            let message =
                format!("expected a snapshot of less than {} MiB, found more", LARGEST_DOCUMENT >> 20);
            return Err(Error::Snapshot { path: path.display().to_string(), message });
        }
        Ok(Self::Json)
    }
}

/// A file that was packed; its errors say so.
struct Unpacked<R>(MultiGzDecoder<R>);

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let damaged = |error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("gzip: {error}; expected a whole file, packed as it was written"),
            )
        };
        self.0.read(room).map_err(damaged)
    }
}

/// Room for one document after the other.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    room: Vec<u8>,
    filled: usize,
    /// So many bytes are those of the text beside it.
    alike: usize,
}

/// Buffers that are not in use: fresh memory costs more than what is read into it.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Vec<Buffer>>);

impl Buffers {
    pub(super) fn take(&self) -> Buffer {
        self.0.lock().map_or_else(|_| None, |mut free| free.pop()).unwrap_or_default()
    }

    pub(super) fn put(&self, buffer: Buffer) {
        if let Ok(mut free) = self.0.lock() {
            free.push(buffer);
        }
    }
}

/// Whether all has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Reached,
    NotYet,
}

impl Buffer {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.room[..self.filled]
    }

    /// Whether what was read is the text beside it.
    pub(super) fn is(&self, beside: &[u8]) -> bool {
        self.alike == self.filled && self.filled == beside.len()
    }

    /// Fills the room that there is; makes some first where it is full. What has just been read is in the innermost cache,
    /// so it is compared at once.
    fn read_some(&mut self, reader: &mut impl Read, beside: &[u8]) -> io::Result<End> {
        if self.filled == self.room.len() {
            self.room.resize((self.filled * 2).max(CHUNK), 0);
        }
        while self.filled < self.room.len() {
            let end = self.room.len().min(self.filled + CHUNK);
            match reader.read(&mut self.room[self.filled..end]) {
                Ok(0) => return Ok(End::Reached),
                Ok(count) => {
                    let read = self.filled..self.filled + count;
                    self.filled = read.end;
                    if self.alike == read.start && beside.get(read.clone()) == Some(&self.room[read.clone()])
                    {
                        self.alike = read.end;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(End::NotYet)
    }
}

/// The text of a document that has been read, known to be UTF-8 where it is.
#[derive(Debug)]
pub(super) enum Text {
    Utf8(String),
    Other(Vec<u8>),
}

impl Text {
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|not| Self::Other(not.into_bytes()), Self::Utf8)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Utf8(text) => text.as_bytes(),
            Self::Other(bytes) => bytes,
        }
    }

    /// As [`text_of`] reads it.
    pub(super) fn read(&self) -> Cow<'_, str> {
        match self {
            Self::Utf8(text) => Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text)),
            Self::Other(bytes) => text_of(bytes),
        }
    }
}

/// Without the byte-order mark of UTF-8.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// UTF-8 with or without a byte-order mark, or the UTF-16 that PowerShell's `>` writes.
pub(super) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    let wide = |read: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
        Cow::Owned(
            char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect(),
        )
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => text_of(rest),
        // Nearly always it is, and that is seen many times faster than what is not.
        _ => str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed),
    }
}

/// The first character that is no space.
fn first(bytes: &[u8]) -> Option<char> {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => text_of(bytes).trim_start().chars().next(),
        [0xef, 0xbb, 0xbf, rest @ ..] => first(rest),
        _ => bytes.trim_ascii_start().first().map(|byte| char::from(*byte)),
    }
}

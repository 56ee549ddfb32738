//! One file → the text of its JSON, unpacked and decoded, or why it is no document.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::Error;

/// No document comes near this size; a compressed one that unpacks to more is refused.
const LARGEST_DOCUMENT: u64 = 1 << 30;
/// How much of a file is looked at at once.
const CHUNK: usize = 16 * 1024;
/// How much of a file is read to tell what it is.
const HEAD: u64 = 64 * 1024;

/// The bytes of a file that may be JSON, or why it is left aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Document {
    Json(Vec<u8>),
    LeftAside(&'static str),
}

impl Document {
    /// Reads a document, unpacked. What does not begin as JSON is not read to its end: a log may lie beside the snapshot.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Read { path: path.to_owned(), source };
        let mut reader = open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        let head = reader.by_ref().take(HEAD).read_to_end(&mut bytes);
        match first(&bytes) {
            Some('{' | '[') => {}
            Some(_) => return Ok(Self::LeftAside("not JSON")),
            None if head.is_ok() => return Ok(Self::LeftAside("empty")),
            None => {}
        }
        head.and_then(|_| reader.take(LARGEST_DOCUMENT).read_to_end(&mut bytes)).map_err(unreadable)?;
        if bytes.len() as u64 >= LARGEST_DOCUMENT {
            let message =
                format!("expected a snapshot of less than {} MiB, found more", LARGEST_DOCUMENT >> 20);
            return Err(Error::Snapshot { path: path.display().to_string(), message });
        }
        Ok(Self::Json(bytes))
    }

    /// Whether a file holds this document: looked at piece by piece, so that nothing is kept of it. An unreadable one
    /// does not.
    pub(super) fn is_in(&self, path: &Path) -> bool {
        let Self::Json(bytes) = self else { return false };
        let (Ok(mut reader), mut rest) = (open(path), bytes.as_slice()) else { return false };
        let mut chunk = [0; CHUNK];
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => return rest.is_empty(),
                Ok(count) => match rest.split_at_checked(count) {
                    Some((same, behind)) if *same == chunk[..count] => rest = behind,
                    _ => return false,
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }
}

/// A file, unpacked.
fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = BufReader::with_capacity(CHUNK, File::open(path)?);
    let packed = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
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

//! Snappy, as SLS of Alibaba Cloud packs what it ships to OSS: one block without any magic number. And in frames, as the
//! common tools write it.
//!
//! Source: <https://www.alibabacloud.com/help/en/sls/decompression-tools-for-snappy-compressed-files>.

use std::io::{Cursor, Error, ErrorKind, Read, Result};

use snap::raw::Decoder;
use snap::read::FrameDecoder;

use super::sniff;

/// How frames begin.
const FRAMES: &[u8] = b"\xff\x06\0\0sNaPpY";

/// A copy of 64 bytes takes three: no block says more than that many times its size.
const MOST: u64 = 22;

/// The kind of a tag, in its two lowest bits.
const LITERAL: u8 = 0;

/// Smaller texts are not looked for: what begins with a length of one byte may be a text itself.
const LEAST: u64 = 128;

/// How text is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Block,
    Frames,
}

impl Packing {
    /// How a stream of so many bytes (0: nobody knows) is packed that begins like this.
    pub(super) fn of(head: &[u8], bytes: u64) -> Option<Self> {
        if head.starts_with(FRAMES) {
            return Some(Self::Frames);
        }
        is_block(head, bytes).then_some(Self::Block)
    }

    /// The text in a stream.
    pub(super) fn unpack(self, packed: impl Read + Send + 'static) -> Result<Box<dyn Read + Send>> {
        match self {
            Self::Block => Ok(Box::new(Cursor::new(block(packed)?))),
            Self::Frames => Ok(Box::new(FrameDecoder::new(packed))),
        }
    }
}

/// Whether these are the length of a text, of a size that may be, and some characters of its beginning.
fn is_block(head: &[u8], bytes: u64) -> bool {
    // Text with a byte-order mark might be taken for a length.
    let Ok(length) = snap::raw::decompress_len(head) else { return false };
    if head.starts_with(sniff::BOM) {
        return false;
    }
    let length = length as u64;
    if length < LEAST || (bytes > 0 && length > bytes.saturating_mul(MOST)) {
        return false;
    }
    let tag_at = head.iter().take_while(|byte| **byte >= 0x80).count() + 1;
    let Some(tag) = head.get(tag_at) else { return false };
    // A literal of up to 60 bytes says its size in the tag, a longer one in up to four bytes behind it.
    let size_bytes = usize::from((tag >> 2).saturating_sub(59));
    let first = head.get(tag_at + 1 + size_bytes..).unwrap_or_default();
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    tag % 4 == LITERAL && first.len() >= 4 && first.iter().take(4).all(is_text)
}

/// A block is unpacked as a whole.
fn block(mut packed: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    packed.read_to_end(&mut bytes)?;
    let invalid = |error: snap::Error| Error::new(ErrorKind::InvalidData, error.to_string());
    let length = snap::raw::decompress_len(&bytes).map_err(invalid)? as u64;
    if length > (bytes.len() as u64).saturating_mul(MOST) {
        let text = format!("{length} bytes are more than {} can hold; the file is cut off", bytes.len());
        return Err(Error::new(ErrorKind::InvalidData, text));
    }
    Decoder::new().decompress_vec(&bytes).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_told_from_texts_and_other_files() {
        let text = "{\"__time__\":\"1\",\"eni-id\":\"eni-1\"}\n".repeat(100);
        let packed = snap::raw::Encoder::new().compress_vec(text.as_bytes()).unwrap();
        assert!(is_block(&packed, packed.len() as u64) && is_block(&packed, 0));
        // More than a file of that size can hold.
        assert!(!is_block(b"\xff\xff\xff\xff\x0f\xf0\xff{\"__time__\"", 1000));
        let others: [&[u8]; 8] = [
            b"",
            b"2 123456789012 eni-1 10.0.0.1",
            b"version account-id",
            b"\xef\xbb\xbf2 123456789012 eni-1",
            b"\xef\xbb\xbf{\"events\":[]}",
            b"\x89PNG\r\n\x1a\n\0\0\0",
            b"\x80\x80\x80\x80\x80\x80",
            "\u{e9}t\u{e9} 2026".as_bytes(),
        ];
        for other in others {
            assert!(!is_block(other, 0) && !is_block(other, 1 << 30), "{}", String::from_utf8_lossy(other));
        }
    }
}

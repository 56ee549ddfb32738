//! The pages of one column of a row group, unpacked and cut into levels and values.

use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding};
use ::parquet::column::page::{Page, PageReader};
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::serialized_reader::SerializedPageReader;

use super::inflate::inflate;
use super::runs::Runs;
use super::{Finite, guarded};

/// Whether a column may have rows without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Required,
    Optional,
}

/// Who unpacks the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unpack {
    /// The Parquet reader.
    Reader,
    /// [`inflate`]: it is faster where gzip is all that there is to do.
    Here,
}

/// Reads pages one by one.
pub(super) struct Pages {
    reader: SerializedPageReader<Finite>,
    unpack: Unpack,
    presence: Presence,
    /// The bytes that all pages are said to have between them: no page has more.
    most: usize,
}

/// The bytes of a page.
#[derive(Debug)]
pub(super) enum Stored {
    /// Unpacked here; so many bytes count.
    Inflated(Vec<u8>, usize),
    /// As the Parquet reader gave them.
    Read(Box<Page>),
}

impl Default for Stored {
    fn default() -> Self {
        Self::Inflated(Vec::new(), 0)
    }
}

impl Stored {
    /// The space it takes, to be used again. Large space is given back.
    pub(super) fn into_space(self) -> Vec<u8> {
        const KEPT: usize = 4 << 20;
        match self {
            Self::Inflated(bytes, _) if bytes.len() <= KEPT => bytes,
            Self::Inflated(..) | Self::Read(_) => Vec::new(),
        }
    }

    /// What the page holds.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Inflated(bytes, size) => bytes.get(..*size).unwrap_or_default(),
            Self::Read(page) => page.buffer(),
        }
    }

    /// The same and some bytes behind it that mean nothing, where there are any.
    pub(super) fn with_slack(&self) -> &[u8] {
        match self {
            Self::Inflated(bytes, _) => bytes,
            Self::Read(page) => page.buffer(),
        }
    }
}

/// How the values of a page are written.
#[derive(Debug)]
pub(super) enum Values {
    /// One after the other from this byte on.
    Plain(usize),
    /// As keys of the dictionary.
    Keys(Runs),
}

/// What a page is.
pub(super) enum Content {
    /// So many values for keys to mean.
    Dictionary(usize),
    /// Rows.
    Rows {
        count: usize,
        /// One for each row with a value, zero for others. None: every row has one.
        levels: Option<Runs>,
        values: Values,
    },
}

impl Pages {
    /// None: the file says something impossible.
    pub(super) fn new(
        file: &Arc<Finite>,
        column: &ColumnChunkMetaData,
        rows: usize,
        presence: Presence,
    ) -> Option<Self> {
        let most = usize::try_from(column.uncompressed_size()).ok()?;
        let (unpack, column) = match column.compression() {
            // Asked for pages that are not compressed, the reader hands them out as they are.
            Compression::GZIP(_) => {
                let raw = column.clone().into_builder().set_compression(Compression::UNCOMPRESSED);
                (Unpack::Here, raw.build().ok()?)
            }
            _ => (Unpack::Reader, column.clone()),
        };
        let reader = guarded(|| SerializedPageReader::new(Arc::clone(file), &column, rows, None)).ok()?;
        Some(Self { reader, unpack, presence, most })
    }

    /// The next page; its bytes are in `stored` then. None: there is none, or nothing that can be read here.
    pub(super) fn next(&mut self, stored: &mut Stored) -> Option<Content> {
        let page = guarded(|| self.reader.get_next_page()).ok()??;
        let layout = Layout::of(&page)?;
        if self.unpack == Unpack::Here {
            let (mut bytes, packed) = match (std::mem::take(stored), page.buffer()) {
                (Stored::Inflated(bytes, _), packed) => (bytes, packed),
                (Stored::Read(_), packed) => (Vec::new(), packed),
            };
            let plain = layout.plain_bytes(packed.len())?;
            bytes.splice(..plain.min(bytes.len()), packed.get(..plain)?.iter().copied());
            let size = inflate(packed.get(plain..)?, &mut bytes, plain, self.most)?;
            *stored = Stored::Inflated(bytes, size);
        } else {
            *stored = Stored::Read(Box::new(page));
        }
        layout.content(stored.bytes(), self.presence)
    }
}

/// What the header of a page says.
enum Layout {
    Dictionary { values: usize },
    First { rows: usize, encoding: Encoding, levels: Encoding },
    Second { rows: usize, encoding: Encoding, levels: usize, is_compressed: bool },
}

impl Layout {
    fn of(page: &Page) -> Option<Self> {
        let rows = usize::try_from(page.num_values()).ok()?;
        Some(match page {
            Page::DictionaryPage { encoding: Encoding::PLAIN | Encoding::PLAIN_DICTIONARY, .. } => {
                Self::Dictionary { values: rows }
            }
            Page::DataPage { encoding, def_level_encoding, .. } => {
                Self::First { rows, encoding: *encoding, levels: *def_level_encoding }
            }
            Page::DictionaryPage { .. } | Page::DataPageV2 { rep_levels_byte_len: 1.., .. } => return None,
            Page::DataPageV2 { encoding, def_levels_byte_len, is_compressed, .. } => Self::Second {
                rows,
                encoding: *encoding,
                levels: usize::try_from(*def_levels_byte_len).ok()?,
                is_compressed: *is_compressed,
            },
        })
    }

    /// How many bytes of a packed page are not packed: levels of the second version never are.
    fn plain_bytes(&self, size: usize) -> Option<usize> {
        let plain = match self {
            Self::Dictionary { .. } | Self::First { .. } => 0,
            Self::Second { levels, is_compressed: true, .. } => *levels,
            Self::Second { .. } => size,
        };
        (plain <= size).then_some(plain)
    }

    fn content(self, page: &[u8], presence: Presence) -> Option<Content> {
        // Places in a page are kept in 32 bits.
        if u32::try_from(page.len()).is_err() {
            return None;
        }
        let (count, encoding, levels, at) = match self {
            Self::Dictionary { values } => return Some(Content::Dictionary(values)),
            Self::First { rows, encoding, .. } if presence == Presence::Required => (rows, encoding, None, 0),
            Self::First { rows, encoding, levels: Encoding::RLE } => {
                let size = u32::from_le_bytes(*page.first_chunk()?);
                let end = usize::try_from(size).ok()?.checked_add(4)?;
                (rows, encoding, Some(Runs::new(4, end, 1)?), end)
            }
            Self::First { .. } => return None,
            Self::Second { rows, encoding, levels, .. } => {
                let runs = match presence {
                    Presence::Required => None,
                    Presence::Optional => Some(Runs::new(0, levels, 1)?),
                };
                (rows, encoding, runs, levels)
            }
        };
        if at > page.len() {
            return None;
        }
        let values = match encoding {
            Encoding::PLAIN => Values::Plain(at),
            // A page in which no row has a value need not say how long keys are.
            Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY => {
                let width = page.get(at).copied().unwrap_or_default();
                Values::Keys(Runs::new((at + 1).min(page.len()), page.len(), width)?)
            }
            _ => return None,
        };
        Some(Content::Rows { count, levels, values })
    }
}

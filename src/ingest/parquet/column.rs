//! One column of a row group, some rows at a time: where their cells are, and what they mean to a quick row.

use arrow_schema::DataType;

use super::codes::{self, Role, SLOW};
use super::dictionary::{Dictionary, text_at};
use super::pages::{Content, Pages, Stored, Values};
use super::runs::Runs;
use crate::ingest::cells::Number;
use crate::ingest::dotted;

/// So many rows are looked at side by side: all their codes are in the innermost cache.
pub(super) const BLOCK: usize = 256;
/// The place of a cell without a value.
const NOWHERE: u32 = u32::MAX;

/// How a value is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Physical {
    Int32,
    Uint32,
    Int64,
    Uint64,
    Text,
}

impl Physical {
    /// How columns of a type are stored. None: they are left to the slow reading.
    pub(super) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
                Self::Int32
            }
            DataType::UInt32 => Self::Uint32,
            DataType::Int64 => Self::Int64,
            DataType::UInt64 => Self::Uint64,
            DataType::Utf8 | DataType::Binary => Self::Text,
            _ => return None,
        })
    }

    /// How long a number is. None: it is a text.
    fn width(self) -> Option<usize> {
        match self {
            Self::Int32 | Self::Uint32 => Some(4),
            Self::Int64 | Self::Uint64 => Some(8),
            Self::Text => None,
        }
    }

    /// The number at this place, negative ones as those of 64 bits, and the place after it. None: there is no number.
    pub(super) fn number(self, page: &[u8], at: usize) -> Option<(u64, usize)> {
        let bytes = page.get(at..)?;
        Some(match self {
            Self::Int32 => (from_int32(*bytes.first_chunk()?), at + 4),
            Self::Uint32 => (from_uint32(*bytes.first_chunk()?), at + 4),
            Self::Int64 | Self::Uint64 => (u64::from_le_bytes(*bytes.first_chunk()?), at + 8),
            Self::Text => return None,
        })
    }

    fn is_signed(self) -> bool {
        matches!(self, Self::Int32 | Self::Int64)
    }
}

#[inline]
fn from_int32(bytes: [u8; 4]) -> u64 {
    i64::from(i32::from_le_bytes(bytes)).cast_unsigned()
}

#[inline]
fn from_uint32(bytes: [u8; 4]) -> u64 {
    u32::from_le_bytes(bytes).into()
}

/// Where the cells of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Places {
    /// Numbers one after the other from this byte on.
    Row(usize),
    /// Each at its own: a byte of the page, or a key.
    Each,
    /// The same, and their codes are known.
    Encoded,
}

/// A cell of the block.
pub(super) enum Cell<'a> {
    Absent,
    Text(&'a [u8]),
    Number(Number),
}

/// Space for what is unpacked of a column. Taken anew for every row group, it would have to be cleared every time.
#[derive(Debug, Default)]
pub(super) struct Space {
    page: Vec<u8>,
    dictionary: Vec<u8>,
}

/// A column of a row group.
pub(super) struct Column {
    physical: Physical,
    role: Role,
    pages: Pages,
    dictionary: Dictionary,
    page: Stored,
    /// Rows left in the page.
    left: usize,
    /// Which rows of the page have a value.
    levels: Option<Runs>,
    values: Values,
    places: Places,
    each: Box<[u32; BLOCK]>,
    present: Box<[u32; BLOCK]>,
    codes: Box<[u64; BLOCK]>,
}

impl Column {
    /// A column that has these pages and uses this space.
    pub(super) fn new(physical: Physical, role: Role, pages: Pages, space: Space) -> Self {
        Self {
            physical,
            role,
            pages,
            dictionary: Dictionary::new(space.dictionary),
            page: Stored::Inflated(space.page, 0),
            left: 0,
            levels: None,
            values: Values::Plain(0),
            places: Places::Each,
            each: Box::new([NOWHERE; BLOCK]),
            present: Box::new([0; BLOCK]),
            codes: Box::new([SLOW; BLOCK]),
        }
    }

    /// The space it takes.
    pub(super) fn into_space(self) -> Space {
        Space { page: self.page.into_space(), dictionary: self.dictionary.into_space() }
    }

    /// How many rows are left in the page, which is turned where there are none. None: there is no further page.
    pub(super) fn available(&mut self) -> Option<usize> {
        while self.left == 0 {
            match self.pages.next(&mut self.page)? {
                Content::Dictionary(values) => {
                    self.dictionary.load(&mut self.page, values, self.physical, self.role)?;
                }
                Content::Rows { count, levels, values } => {
                    (self.left, self.levels, self.values) = (count, levels, values);
                }
            }
        }
        Some(self.left)
    }

    /// How many values the dictionary has.
    pub(super) fn dictionary_len(&self) -> usize {
        self.dictionary.len()
    }

    /// Turns to the next rows, no more than are left in the page. None: they are not all there.
    pub(super) fn advance(&mut self, rows: usize) -> Option<()> {
        let rows = rows.min(BLOCK).min(self.left);
        let values = match &mut self.levels {
            None => rows,
            Some(levels) => {
                levels.read(self.page.bytes(), &mut self.present[..rows])?;
                self.present[..rows].iter().filter(|level| **level != 0).count()
            }
        };
        self.find(values, rows)?;
        if values < rows {
            self.spread(values, rows);
        }
        self.left -= rows;
        self.encode(rows);
        Some(())
    }

    /// Finds the next values, of all rows or of some.
    fn find(&mut self, values: usize, rows: usize) -> Option<()> {
        let page = self.page.bytes();
        let each = &mut self.each[..values];
        self.places = Places::Each;
        match (&mut self.values, self.physical.width()) {
            (Values::Keys(keys), _) => {
                keys.read(page, each)?;
                let most = each.iter().copied().max();
                (most.is_none_or(|most| (most as usize) < self.dictionary.len())).then_some(())
            }
            (Values::Plain(at), Some(width)) => {
                let start = *at;
                *at = start.checked_add(values * width).filter(|end| *end <= page.len())?;
                if values == rows {
                    self.places = Places::Row(start);
                    return Some(());
                }
                for (place, at) in each.iter_mut().zip((start..).step_by(width)) {
                    *place = u32::try_from(at).ok()?;
                }
                Some(())
            }
            (Values::Plain(at), None) if self.role.is_address() && values == rows => {
                // Side by side: the next address is found while this one is read.
                let with_slack = self.page.with_slack();
                for (place, code) in each.iter_mut().zip(self.codes.iter_mut()) {
                    *place = u32::try_from(*at).ok()?;
                    let length = u32::from_le_bytes(*page.get(*at..)?.first_chunk()?);
                    *code = address(page, with_slack, *at, self.role);
                    *at += 4 + length as usize;
                }
                self.places = Places::Encoded;
                (*at <= page.len()).then_some(())
            }
            (Values::Plain(at), None) => {
                for place in each {
                    *place = u32::try_from(*at).ok()?;
                    let length = u32::from_le_bytes(*page.get(*at..)?.first_chunk()?);
                    *at += 4 + length as usize;
                }
                (*at <= page.len()).then_some(())
            }
        }
    }

    /// Moves the places of the values to their rows.
    fn spread(&mut self, values: usize, rows: usize) {
        let mut left = values;
        for row in (0..rows).rev() {
            self.each[row] = if self.present[row] == 0 {
                NOWHERE
            } else {
                left = left.saturating_sub(1);
                self.each[left]
            };
        }
    }

    fn encode(&mut self, rows: usize) {
        if self.role == Role::Uncoded || self.places == Places::Encoded {
            return;
        }
        let codes = &mut self.codes[..rows];
        let each = &self.each[..rows];
        match (&self.values, self.places) {
            (Values::Keys(_), _) => {
                let absent = self.role.without_value();
                for (code, key) in codes.iter_mut().zip(each) {
                    *code = if *key == NOWHERE { absent } else { self.dictionary.code(*key) };
                }
            }
            (Values::Plain(_), Places::Row(at)) => {
                let page = self.page.bytes().get(at..).unwrap_or_default();
                match self.physical {
                    Physical::Int32 => copy(codes, page, from_int32),
                    Physical::Uint32 => copy(codes, page, from_uint32),
                    Physical::Int64 | Physical::Uint64 => copy(codes, page, u64::from_le_bytes),
                    Physical::Text => codes.fill(SLOW),
                }
                self.role.encode_numbers(codes);
            }
            (Values::Plain(_), Places::Each | Places::Encoded) => {
                encode_each(codes, each, &self.page, self.physical, self.role);
            }
        }
    }

    /// The codes of the block.
    pub(super) fn codes(&self) -> &[u64; BLOCK] {
        &self.codes
    }

    /// The key of a cell of the block. None: it has no value, or the value stands there itself.
    #[inline]
    pub(super) fn key(&self, row: usize) -> Option<u32> {
        let key = *self.each.get(row)?;
        (matches!(self.values, Values::Keys(_)) && key != NOWHERE).then_some(key)
    }

    /// A cell of the block.
    pub(super) fn cell(&self, row: usize) -> Cell<'_> {
        let place = self.each.get(row).copied().filter(|place| *place != NOWHERE);
        let found = match (&self.values, self.places, place) {
            (Values::Plain(_), Places::Row(at), _) => {
                Some((self.page.bytes(), at + row * self.physical.width().unwrap_or(0)))
            }
            (_, _, None) => None,
            (Values::Keys(_), _, Some(key)) => self.dictionary.place(key),
            (Values::Plain(_), _, Some(at)) => Some((self.page.bytes(), at as usize)),
        };
        let Some((page, at)) = found else { return Cell::Absent };
        if self.physical == Physical::Text {
            return text_at(page, at).map_or(Cell::Absent, Cell::Text);
        }
        match self.physical.number(page, at) {
            None => Cell::Absent,
            // A negative one.
            Some((SLOW.., _)) if self.physical.is_signed() => Cell::Number(Number::Bad),
            Some((number, _)) => Cell::Number(Number::Value(number)),
        }
    }
}

fn copy<const N: usize>(codes: &mut [u64], page: &[u8], number: impl Fn([u8; N]) -> u64) {
    for (code, bytes) in codes.iter_mut().zip(page.as_chunks().0) {
        *code = number(*bytes);
    }
}

fn encode_each(codes: &mut [u64], each: &[u32], page: &Stored, physical: Physical, role: Role) {
    let (page, with_slack) = (page.bytes(), page.with_slack());
    for (code, place) in codes.iter_mut().zip(each) {
        let at = *place as usize;
        if *place == NOWHERE {
            *code = role.without_value();
        } else if physical != Physical::Text {
            *code = physical.number(page, at).map_or(SLOW, |(number, _)| role.encode_number(number));
        } else if role.is_address() {
            *code = address(page, with_slack, at, role);
        } else {
            *code = text_at(page, at).map_or(SLOW, |text| role.encode_text(text));
        }
    }
}

/// The code of the address whose length stands at this place.
#[inline]
fn address(page: &[u8], with_slack: &[u8], at: usize, role: Role) -> u64 {
    if let Some(window) = with_slack.get(at..).and_then(<[u8]>::first_chunk::<{ dotted::WINDOW }>) {
        let length = u32::from_le_bytes(*window.first_chunk().unwrap_or(&[0; 4]));
        let code = codes::address(window, length as usize);
        if code & SLOW == 0 {
            return code;
        }
    }
    text_at(page, at).map_or(SLOW, |text| role.encode_text(text))
}

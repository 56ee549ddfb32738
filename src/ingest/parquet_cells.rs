//! The cells of a batch of Parquet rows, whatever types its columns have.
//!
//! A flow log written by AWS has 32- and 64-bit integers and strings; other writers give other widths, strings for
//! numbers, or timestamps. Null, empty, `-` and `None` are no value.

use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, FixedSizeBinaryArray, LargeBinaryArray,
    LargeStringArray, PrimitiveArray, StringArray,
};

use super::cells::{self, Cells, Number};
use crate::flow::Field;
use crate::flow::field::FIELDS;

/// One column of a batch.
#[derive(Clone, Copy, Default)]
enum Column<'a> {
    /// There is none, or it is of a type that says nothing.
    #[default]
    None,
    Text(&'a StringArray),
    LargeText(&'a LargeStringArray),
    Binary(&'a BinaryArray),
    LargeBinary(&'a LargeBinaryArray),
    FixedBinary(&'a FixedSizeBinaryArray),
    Int8(&'a PrimitiveArray<Int8Type>),
    Int16(&'a PrimitiveArray<Int16Type>),
    Int32(&'a PrimitiveArray<Int32Type>),
    Int64(&'a PrimitiveArray<Int64Type>),
    UInt8(&'a PrimitiveArray<UInt8Type>),
    UInt16(&'a PrimitiveArray<UInt16Type>),
    UInt32(&'a PrimitiveArray<UInt32Type>),
    UInt64(&'a PrimitiveArray<UInt64Type>),
    Seconds(&'a PrimitiveArray<TimestampSecondType>),
    Milliseconds(&'a PrimitiveArray<TimestampMillisecondType>),
    Microseconds(&'a PrimitiveArray<TimestampMicrosecondType>),
    Nanoseconds(&'a PrimitiveArray<TimestampNanosecondType>),
}

macro_rules! first_of {
    ($array:expr, $($variant:ident),*) => {
        $(if let Some(array) = $array.as_any().downcast_ref() { return Column::$variant(array); })*
    };
}

impl<'a> Column<'a> {
    fn new(array: &'a ArrayRef) -> Self {
        first_of!(
            array,
            Text,
            Int32,
            Int64,
            LargeText,
            Binary,
            LargeBinary,
            FixedBinary,
            Int8,
            Int16,
            UInt8,
            UInt16,
            UInt32,
            UInt64,
            Seconds,
            Milliseconds,
            Microseconds,
            Nanoseconds
        );
        Self::None
    }

    #[inline]
    fn text(self, row: usize) -> Option<&'a [u8]> {
        let text = match self {
            Self::Text(array) if array.is_valid(row) => array.value(row).as_bytes(),
            Self::LargeText(array) if array.is_valid(row) => array.value(row).as_bytes(),
            Self::Binary(array) if array.is_valid(row) => array.value(row),
            Self::LargeBinary(array) if array.is_valid(row) => array.value(row),
            Self::FixedBinary(array) if array.is_valid(row) => array.value(row),
            _ => return None,
        };
        match text {
            b"" | b"-" | b"None" => None,
            text => Some(text),
        }
    }

    #[inline]
    fn number(self, row: usize) -> Number {
        match self {
            Self::None => Number::Absent,
            Self::Int32(array) => number_at(array, row, 1),
            Self::Int64(array) => number_at(array, row, 1),
            Self::Int8(array) => number_at(array, row, 1),
            Self::Int16(array) => number_at(array, row, 1),
            Self::UInt8(array) => number_at(array, row, 1),
            Self::UInt16(array) => number_at(array, row, 1),
            Self::UInt32(array) => number_at(array, row, 1),
            Self::UInt64(array) => number_at(array, row, 1),
            Self::Seconds(array) => number_at(array, row, 1),
            Self::Milliseconds(array) => number_at(array, row, 1000),
            Self::Microseconds(array) => number_at(array, row, 1_000_000),
            Self::Nanoseconds(array) => number_at(array, row, 1_000_000_000),
            Self::Text(_)
            | Self::LargeText(_)
            | Self::Binary(_)
            | Self::LargeBinary(_)
            | Self::FixedBinary(_) => self.text(row).map_or(Number::Absent, cells::number),
        }
    }
}

#[inline]
fn number_at<T>(array: &PrimitiveArray<T>, row: usize, unit: u64) -> Number
where
    T: ArrowPrimitiveType,
    T::Native: TryInto<u64>,
{
    if array.is_null(row) {
        return Number::Absent;
    }
    array.value(row).try_into().map_or(Number::Bad, |value| Number::Value(value / unit))
}

/// The columns of a batch by field.
pub(super) struct Columns<'a>([Column<'a>; FIELDS.len()]);

impl Default for Columns<'_> {
    fn default() -> Self {
        Self([Column::None; FIELDS.len()])
    }
}

impl<'a> Columns<'a> {
    /// Takes the column of a field.
    pub(super) fn set(&mut self, field: Field, array: &'a ArrayRef) {
        self.0[field as usize] = Column::new(array);
    }
}

/// One row of a batch.
pub(super) struct BatchRow<'a, 'b> {
    pub(super) columns: &'b Columns<'a>,
    pub(super) row: usize,
}

impl<'a> Cells<'a> for BatchRow<'a, '_> {
    #[inline]
    fn text(&self, field: Field) -> Option<&'a [u8]> {
        self.columns.0[field as usize].text(self.row)
    }

    #[inline]
    fn number(&self, field: Field) -> Number {
        self.columns.0[field as usize].number(self.row)
    }
}

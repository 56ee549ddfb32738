//! The cells of a batch of Parquet rows, whatever types its columns have.
//!
//! A flow log written by AWS has 32- and 64-bit integers and strings; other writers give other widths, strings for
//! numbers, or timestamps. Null, empty, `-` and `None` are no value.

use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, FixedSizeBinaryArray, LargeBinaryArray,
    LargeStringArray, PrimitiveArray, StringArray,
};

use crate::ingest::FileFailure;
use crate::ingest::cells::{self, Cells, Number};
use arrow_schema::DataType;

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
    Float32(&'a PrimitiveArray<Float32Type>),
    Float64(&'a PrimitiveArray<Float64Type>),
    Decimal(&'a PrimitiveArray<Decimal128Type>),
}

macro_rules! first_of {
    ($array:expr, $($variant:ident),*) => {
        $(if let Some(array) = $array.as_any().downcast_ref() { return Some(Column::$variant(array)); })*
    };
}

impl<'a> Column<'a> {
    /// None: the type can hold no field of a flow log.
    fn new(array: &'a ArrayRef) -> Option<Self> {
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
            Nanoseconds,
            Float32,
            Float64,
            Decimal
        );
        (*array.data_type() == DataType::Null).then_some(Self::None)
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
        super::value(text)
    }

    #[inline]
    fn number(self, row: usize) -> Number {
        match self {
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
            Self::Float32(array) if array.is_valid(row) => whole(f64::from(array.value(row))),
            Self::Float64(array) if array.is_valid(row) => whole(array.value(row)),
            Self::Decimal(array) if array.is_valid(row) => unscaled(array.value(row), array.scale()),
            Self::None | Self::Float32(_) | Self::Float64(_) | Self::Decimal(_) => Number::Absent,
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

/// The largest number up to which every whole one is a float of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Data frames turn whole numbers into floats as soon as one is missing, and the missing ones into NaN.
fn whole(value: f64) -> Number {
    if value.is_nan() {
        return Number::Absent;
    }
    if value.fract() != 0.0 || !(0.0..=EXACT).contains(&value) {
        return Number::Bad;
    }
    format!("{value:.0}").parse().map_or(Number::Bad, Number::Value)
}

/// The whole number that a decimal of this scale is.
fn unscaled(value: i128, scale: i8) -> Number {
    let power = u32::from(scale.unsigned_abs());
    let Some(factor) = 10_i128.checked_pow(power) else { return Number::Bad };
    let number = match scale {
        0.. if value % factor == 0 => Some(value / factor),
        0.. => None,
        _ => value.checked_mul(factor),
    };
    number.and_then(|number| u64::try_from(number).ok()).map_or(Number::Bad, Number::Value)
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
    pub(super) fn set(&mut self, field: Field, array: &'a ArrayRef) -> Result<(), FileFailure> {
        let column = Column::new(array);
        self.0[field as usize] = column.ok_or_else(|| {
            let (name, found) = (field.name(), array.data_type());
            FileFailure(format!(
                "Parquet: column {name}: expected a number, a string or a time, found {found}"
            ))
        })?;
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_and_decimals_are_numbers_where_they_are_whole() {
        let floats = [
            (22.0, Number::Value(22)),
            (0.0, Number::Value(0)),
            (9_007_199_254_740_992.0, Number::Value(1 << 53)),
            (22.5, Number::Bad),
            (-1.0, Number::Bad),
            (1e300, Number::Bad),
            (f64::INFINITY, Number::Bad),
            (f64::NAN, Number::Absent),
        ];
        for (value, number) in floats {
            assert_eq!(whole(value), number, "{value}");
        }
        let decimals = [
            ((2200, 2), Number::Value(22)),
            ((2250, 2), Number::Bad),
            ((22, 0), Number::Value(22)),
            ((22, -2), Number::Value(2200)),
            ((-1, 0), Number::Bad),
            ((i128::MAX, -38), Number::Bad),
            ((1, 100), Number::Bad),
        ];
        for ((value, scale), number) in decimals {
            assert_eq!(unscaled(value, scale), number, "{value} {scale}");
        }
    }
}

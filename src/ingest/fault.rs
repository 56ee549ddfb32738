//! What can be wrong with one row, and how it is counted.

use std::fmt;

use crate::flow::{Field, Seconds};

/// A row that is not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misread {
    /// Why not.
    pub fault: RowFault,
    /// `start`, where the row says it: nobody asks what else is wrong with a row outside `--since` and `--until`.
    pub start: Option<Seconds>,
}

impl From<RowFault> for Misread {
    fn from(fault: RowFault) -> Self {
        Self { fault, start: None }
    }
}

/// Why a row is not a record. Rows are never dropped: each becomes a flow or a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowFault {
    /// The row has fewer columns than its layout.
    TooFewFields,
    /// The row has more columns than its layout.
    TooManyFields,
    /// The row is longer than any record can be.
    TooLong,
    /// The column is not a number of the range it must have.
    NotANumber(Field),
    /// The column is not an IP address.
    NotAnAddress(Field),
    /// The column is none of the words it must be.
    UnknownWord(Field),
    /// The column has no value, and the record says nothing without it.
    NoValue(Field),
    /// A JSON event that carries no message, or a message that is not text.
    NoMessage,
    /// The line is no JSON, where lines are.
    NotJson,
    /// Rows before the first header line of a file whose layout nobody gave.
    NoLayout,
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewFields => f.write_str("fewer fields than the header names"),
            Self::TooManyFields => f.write_str("more fields than the header names"),
            Self::TooLong => f.write_str("line is longer than any record"),
            Self::NotANumber(field) => write!(f, "{}: not a number in range", field.name()),
            Self::NotAnAddress(field) => write!(f, "{}: not an IP address", field.name()),
            Self::UnknownWord(field) => write!(f, "{}: unknown word", field.name()),
            Self::NoValue(field) => write!(f, "{}: no value", field.name()),
            Self::NoMessage => f.write_str("event without a message"),
            Self::NotJson => f.write_str("line is not a JSON object"),
            Self::NoLayout => f.write_str("no header line says what the columns are"),
        }
    }
}

/// Where in a file a row stands, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A line of a text file (of the uncompressed text).
    Line(u64),
    /// A row of a table, or an event of a JSON document.
    Row(u64),
}

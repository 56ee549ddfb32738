//! Bytes → flows. Every reader translates its format into [`Flow`] at once and hands it to a [`Sink`].
//!
//! ```text
//! inputs ─▶ source (walk, sort, same file once) ─▶ sniff (what it is, by content)
//!                                                    ├─ text     plain or gz, headers, CloudWatch export
//!                                                    ├─ json     CloudWatch events, Firehose lines, subscriptions
//!                                                    ├─ csv      Athena, Logs Insights
//!                                                    └─ parquet  columns by name
//! ```
//!
//! A row that is not a record is a [`RowFault`]; a file that is not a flow log is a [`FileFailure`]. What was read
//! before a break stays read.

pub mod fault;

use crate::flow::Flow;

pub use fault::{Place, RowFault};

/// Takes what a reader finds, in file order.
pub trait Sink {
    /// One well-formed entry.
    fn flow(&mut self, flow: &Flow<'_>);
    /// One row that is not a record. `place` counts from the start of the chunk being read.
    fn fault(&mut self, fault: RowFault, place: Place);
    /// So many more bytes of the file (as stored) have been consumed.
    fn consumed(&mut self, bytes: u64);
}

/// Why a file, or the rest of it, could not be read. Displayed in `coverage.files.failures`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FileFailure(pub String);

//! Errors that end a run. A file or a row that cannot be read is not one of them: it is counted and the run goes on.

use std::path::PathBuf;

/// Why the job could not be done. Every message says where, what was expected and what was found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An input that was asked for is not there.
    #[error("{0}")]
    Input(String),
    /// A snapshot file that is no JSON.
    #[error("{path}: line {line}, column {column}: broken JSON: {message}")]
    BrokenJson {
        /// The file.
        path: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser expected.
        message: String,
    },
    /// A snapshot file that is JSON of a known kind with a value that cannot be.
    #[error("{path}: {message}")]
    Snapshot {
        /// The file.
        path: String,
        /// The object, the key, what was expected and what was found.
        message: String,
    },
    /// A state that cannot be used, or not together with another.
    #[error("{path}: {message}")]
    State {
        /// The file.
        path: String,
        /// What was expected, what was found, and what to do.
        message: String,
    },
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The report could not be written.
    #[error("{path}: cannot write: {source}")]
    Write {
        /// The file, or `standard output`.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// An option or the configuration file says something that cannot be.
    #[error("{0}")]
    Usage(String),
}

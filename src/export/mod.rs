//! `--export FILE`: every record with what was found of it, as a table that databases read.
//!
//! ```text
//! first pass ─▶ roles, duplicates ─┐
//! logs, once more ─▶ Recorder ─────┴▶ Rows ─▶ row groups ─▶ Spool: in the order of the logs ─▶ FILE
//! ```
//!
//! What a record is credited to may depend on all others, so the logs are read twice. The rows come in the order of the files
//! and of the records in each, whatever the number of threads.

mod columns;
mod recorder;
mod rows;
mod spool;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Seek};
use std::path::{Path, PathBuf};

use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use ::parquet::file::metadata::ParquetMetaData;
use tempfile::NamedTempFile;

use crate::attribution::index::Index;
use crate::beside;
use crate::error::Error;
use crate::ingest::{self, Part, ReadOptions, Source, guarded};
use crate::pipeline;
use crate::rules::timeline::Timeline;
use crate::tally::Tally;
use crate::tally::inquiry::Asking;
use crate::tally::selection::Selection;
use crate::tally::waiting::Decisions;
use crate::tally::watch::PortWatch;
use crate::time::Window;
pub use columns::{COLUMNS, Kind, ddl};
use recorder::Recorder;
use spool::Spool;

/// What marks a file as written by this: no other file is replaced.
const FORMAT_KEY: &str = "flowaudit.export";
const FORMAT: &str = "1";

/// A place for the table. Opened before the work, so that a typo does not cost an hour.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    file: NamedTempFile,
}

/// What records are judged by, and what a first pass found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) timeline: &'a Timeline,
    pub(crate) index: &'a Index,
    pub(crate) window: Window,
    pub(crate) selection: &'a Selection,
    /// None: all records.
    pub(crate) asking: Option<&'a Asking<'a>>,
    /// Not settled yet.
    pub(crate) tally: &'a Tally,
    pub(crate) decisions: &'a Decisions,
    pub(crate) watch: &'a PortWatch,
}

impl Place {
    /// Opens a place beside what is there.
    ///
    /// # Errors
    /// It cannot be written to, or what is there already is something else.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        // Behind a link, the file is replaced and not the link.
        let given = path;
        let unwritable = |source| Error::Write { path: given.display().to_string(), source };
        let path = &match path.symlink_metadata() {
            Ok(metadata) if metadata.is_symlink() => path.canonicalize().map_err(unwritable)?,
            _ => path.to_owned(),
        };
        if [given, path].iter().any(|path| path.starts_with("/dev") || path.starts_with("/proc")) {
            return Err(Error::Usage(format!(
                "--export {}: expected a file, for a table is written from both ends",
                given.display()
            )));
        }
        if let Ok(metadata) = path.metadata()
            && (!metadata.is_file() || metadata.len() > 0 && !is_export(path))
        {
            return Err(Error::Usage(format!(
                "--export {}: something is there that is no export, and would be lost; name another file",
                path.display()
            )));
        }
        let file = beside::open(path).map_err(unwritable)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Reads the logs once more and writes the table.
    ///
    /// # Errors
    /// It cannot be written, or the logs are not what they were.
    pub(crate) fn write(
        &self,
        sources: &[Source],
        flow_logs: &[u32],
        options: &ReadOptions,
        known: Known<'_>,
    ) -> Result<(), Error> {
        let unwritable = |source| Error::Write { path: self.path.display().to_string(), source };
        let mut file = self.file.as_file();
        let mut whole = BTreeSet::new();
        loop {
            let bundles = pipeline::bundles(sources, options, &whole);
            file.set_len(0).map_err(unwritable)?;
            file.rewind().map_err(unwritable)?;
            let spool = Spool::open(BufWriter::new(file)).map_err(unwritable)?;
            let changed = pipeline::in_order(sources, options, &bundles, |turn, tasks| {
                let mut changed = BTreeSet::new();
                // What failed once is not read to its end.
                if spool.has_failed() {
                    return changed;
                }
                let mut recorder = Recorder::new(known, &spool, turn);
                for task in tasks {
                    let source = &sources[task.file as usize];
                    recorder.begin(&source.name, flow_logs[task.file as usize]);
                    // What cannot be read was told of the first time.
                    let summary = ingest::read(source, &task.part, options, &mut recorder);
                    if summary.is_ok_and(|summary| summary.layout_changed) && task.part != Part::Whole {
                        changed.insert(task.file);
                    }
                }
                recorder.finish();
                changed
            });
            let rows = spool.close().map_err(unwritable)?;
            if !changed.is_empty() {
                whole.extend(changed);
                continue;
            }
            let expected = match known.asking {
                Some(_) => known.tally.inquiry.records.accepted + known.tally.inquiry.records.rejected,
                None => known.tally.records.accepted + known.tally.records.rejected,
            };
            if rows != expected {
                return Err(Error::Input(format!(
                    "--export {}: {rows} records, where there were {expected} a moment ago: the logs change while they are \
                     read; run it again when nobody writes them",
                    self.path.display()
                )));
            }
            return Ok(());
        }
    }

    /// Puts what was written in its place.
    ///
    /// # Errors
    /// The system does not let it.
    pub(crate) fn commit(self) -> Result<(), Error> {
        let unwritable = |source| Error::Write { path: self.path.display().to_string(), source };
        self.file.persist(&self.path).map_err(|error| unwritable(error.error))?;
        Ok(())
    }
}

/// Whether a file was written by this.
fn is_export(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let metadata = guarded(|| {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        ArrowReaderMetadata::load(&file, options)
    });
    metadata.is_ok_and(|metadata| is_marked(metadata.metadata()))
}

/// Whether a table is one of these.
pub(crate) fn is_marked(metadata: &ParquetMetaData) -> bool {
    let pairs = metadata.file_metadata().key_value_metadata();
    pairs.is_some_and(|pairs| pairs.iter().any(|pair| pair.key == FORMAT_KEY))
}

//! States as files. A file takes the place of the old one only when it is whole and on the disk; reading one trusts
//! nothing in it.

use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use tempfile::NamedTempFile;

use super::columns::{Budget, Rows, Sheet, schema};
use super::tables::{self, Loading};
use super::terms::Terms;
use super::{FORMAT, State};
use crate::beside::{self, folder};
use crate::error::Error;
use crate::findings::ports::PortProfile;
use crate::ingest::{Finite, guarded};
use crate::rules::timeline::Timeline;

/// Keys of the file's own metadata.
const FORMAT_KEY: &str = "flowaudit.state";
const GENERATOR_KEY: &str = "flowaudit.version";
const TERMS_KEY: &str = "flowaudit.settings";

/// Rows decoded at once.
const BATCH: usize = 4096;
/// Row groups are decoded one by one; none that this program writes comes near this size.
const LARGEST_GROUP: u64 = 2 << 30;
/// A file of so many bytes holds at most so many rows for each, beside those that any file may have: what a few bytes
/// can declare must not fill the memory.
const ROWS_PER_BYTE: u64 = 16;
const ROWS_OF_ANY: u64 = 1 << 20;

/// What to do with a state that cannot be read.
const REMEDY: &str = "make it again from the logs with analyze --save-state";

fn unusable(path: &Path, message: impl Into<String>) -> Error {
    Error::State { path: path.display().to_string(), message: message.into() }
}

/// Reads a state.
///
/// # Errors
/// No state, one of another version, or a damaged one.
pub fn read(path: &Path) -> Result<State, Error> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let no_state = "expected a state that flowaudit wrote (analyze --save-state), found";
    let metadata = guarded(|| {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        ArrowReaderMetadata::load(&file, options)
    })
    .map_err(|failure| unusable(path, format!("{no_state} something else, or a part of one: {failure}")))?;
    let terms = terms(metadata.metadata()).map_err(|why| unusable(path, why.message(no_state)))?;
    let state = rows(&file, &metadata, size, terms);
    state.map_err(|why| unusable(path, format!("damaged: {why}; {REMEDY}")))
}

/// Why the metadata is not that of a state that can be read.
enum Foreign {
    NoState,
    Version { format: String, generator: String },
    Terms(String),
}

impl Foreign {
    fn message(&self, no_state: &str) -> String {
        match self {
            Self::NoState => format!("{no_state} another Parquet file"),
            Self::Version { format, generator } => format!(
                "expected a state of version {FORMAT}, found version {format}, written by flowaudit {generator}; read \
                 it with that flowaudit, or {REMEDY}"
            ),
            Self::Terms(why) => format!("damaged: settings: {why}; {REMEDY}"),
        }
    }
}

fn terms(metadata: &ParquetMetaData) -> Result<Terms, Foreign> {
    let pairs = metadata.file_metadata().key_value_metadata().map(Vec::as_slice).unwrap_or_default();
    let value = |key| {
        let mut found = pairs.iter().filter(|pair| pair.key == key);
        found.next().and_then(|pair| pair.value.as_deref())
    };
    let format = value(FORMAT_KEY).ok_or(Foreign::NoState)?;
    if format != FORMAT {
        let generator = value(GENERATOR_KEY).unwrap_or("of another kind");
        return Err(Foreign::Version { format: format.to_owned(), generator: generator.to_owned() });
    }
    let terms = value(TERMS_KEY).ok_or_else(|| Foreign::Terms("missing".to_owned()))?;
    let mut terms: Terms = serde_json::from_str(terms).map_err(|error| Foreign::Terms(error.to_string()))?;
    let PortProfile { name, services } = terms.settings.profile;
    terms.settings.profile = PortProfile::custom(&name, services);
    Ok(terms)
}

fn rows(file: &File, metadata: &ArrowReaderMetadata, size: u64, terms: Terms) -> Result<State, String> {
    let groups = metadata.metadata().row_groups();
    let declared = |count: i64| u64::try_from(count).unwrap_or(u64::MAX);
    let rows = groups.iter().fold(0, |sum: u64, group| sum.saturating_add(declared(group.num_rows())));
    if rows > ROWS_OF_ANY.saturating_add(size.saturating_mul(ROWS_PER_BYTE)) {
        return Err(format!("{rows} rows declared in {size} bytes"));
    }
    if let Some(group) = groups.iter().find(|group| declared(group.total_byte_size()) > LARGEST_GROUP) {
        return Err(format!("a row group of {} bytes declared", group.total_byte_size()));
    }
    let names = schema();
    let columns = metadata.schema().fields().iter().map(|field| field.name());
    if !names.fields().iter().map(|field| field.name()).eq(columns) {
        return Err("the columns are not those of a state".to_owned());
    }
    let budget = Budget::default();
    let mut loading = Loading::new(terms)?;
    for group in 0..groups.len() {
        let mut place = 0;
        let mut reader = guarded(|| {
            let file = Finite::File(file.try_clone()?);
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
                .with_row_groups(vec![group])
                .with_batch_size(BATCH)
                .build()
        })
        .map_err(|failure| failure.to_string())?;
        while let Some(batch) = guarded(|| reader.next().transpose().map_err(ParquetError::from))
            .map_err(|why| why.to_string())?
        {
            let rows = Rows::of(&batch, &budget)?;
            for at in 0..batch.num_rows() {
                let read = loading.read(rows.row(at));
                read.map_err(|why| format!("row group {group}, row {}: {why}", place + at))?;
            }
            place += batch.num_rows();
        }
    }
    loading.finish()
}

/// A state about to be written. It is made before the work, so that a typo does not cost an hour.
#[derive(Debug)]
pub struct Pending {
    path: PathBuf,
    /// Of the file that is there already: to see that nobody else wrote it meanwhile.
    before: Option<(u64, SystemTime)>,
    file: NamedTempFile,
}

impl Pending {
    /// Opens a place for the new file beside the old one.
    ///
    /// # Errors
    /// The folder cannot be written to, or what is there already is no state.
    pub fn new(path: &Path) -> Result<Self, Error> {
        // Behind a link, the file is replaced and not the link.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let before = match path.metadata() {
            Ok(metadata) if !metadata.is_file() => return Err(unusable(&path, "expected a file")),
            Ok(metadata) => {
                // An empty file is what mktemp leaves.
                if metadata.len() > 0 && !is_state(&path) {
                    return Err(unusable(
                        &path,
                        "a file is there that is no state, and would be lost; name another one",
                    ));
                }
                Some(written(&metadata))
            }
            Err(_) => None,
        };
        let file = beside::open(&path).map_err(|source| unwritable(&path, source))?;
        Ok(Self { path, before, file })
    }

    /// Writes the state and puts it in the place of the old one; a crash at any moment leaves one of the two, whole.
    ///
    /// # Errors
    /// It cannot be written, or somebody else wrote the file meanwhile.
    pub fn commit(self, state: &State, timeline: &Timeline) -> Result<(), Error> {
        let Self { path, before, mut file } = self;
        let failed = |source| unwritable(&path, source);
        write(state, timeline, file.as_file_mut()).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        // Held until the new one is in its place: between a look and a rename another run may do both.
        let _alone = alone(folder(&path)).map_err(failed)?;
        let now = path.metadata().ok().map(|metadata| written(&metadata));
        if now != before {
            return Err(unusable(&path, "another run wrote it meanwhile; run this one again"));
        }
        file.persist(&path).map_err(|error| failed(error.error))?;
        sync_folder(folder(&path)).map_err(failed)
    }
}

fn unwritable(path: &Path, source: io::Error) -> Error {
    Error::Write { path: path.display().to_string(), source }
}

fn written(metadata: &Metadata) -> (u64, SystemTime) {
    (metadata.len(), metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH))
}

/// A lock on a folder, where there are locks on folders. It ends with the process, too.
fn alone(folder: &Path) -> io::Result<Option<File>> {
    if !cfg!(unix) {
        return Ok(None);
    }
    let folder = File::open(folder)?;
    match folder.lock() {
        Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(error),
        _ => Ok(Some(folder)),
    }
}

/// The new name is on the disk only when its folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Whether a file is a state of any version.
fn is_state(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let metadata = guarded(|| {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        ArrowReaderMetadata::load(&file, options)
    });
    metadata.is_ok_and(|metadata| !matches!(terms(metadata.metadata()), Err(Foreign::NoState)))
}

/// Writes a state. `timeline` is that of its snapshots.
///
/// # Errors
/// What the sink says.
pub fn write(state: &State, timeline: &Timeline, sink: impl Write + Send) -> io::Result<()> {
    let pair = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    let metadata = vec![
        pair(FORMAT_KEY, FORMAT.to_owned()),
        pair(GENERATOR_KEY, env!("CARGO_PKG_VERSION").to_owned()),
        pair(TERMS_KEY, serde_json::to_string(&state.terms)?),
    ];
    let written = |error: ParquetError| match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    };
    let mut sheet = Sheet::new(BufWriter::new(sink), metadata).map_err(written)?;
    tables::write(state, timeline, &mut sheet).map_err(written)?;
    sheet.finish().map_err(written)?.flush()
}

//! Bytes → flows. Every reader translates its format into [`Flow`] at once and hands it to a [`Sink`].
//!
//! ```text
//! inputs ─▶ source (walk, sort, same file once) ─▶ sniff (what it is, by content)
//!                                                    ├─ text     plain, gz or snappy, headers, CloudWatch export
//!                                                    ├─ json     CloudWatch events, Firehose lines, subscriptions, lines of SLS
//!                                                    ├─ csv      Athena, Logs Insights
//!                                                    └─ parquet  columns by name
//! ```
//!
//! A row that is not a record is a [`RowFault`]; a file that is not a flow log is a [`FileFailure`]. What was read
//! before a break stays read.

mod ahead;
mod byte_masks;
mod cells;
mod csv;
mod decimal;
mod dotted;
mod ends;
pub mod fault;
mod gunzip;
mod head;
mod json;
mod json_guard;
mod json_lines;
mod json_row;
pub mod layout;
mod lines;
mod messages;
pub mod object;
pub mod object_name;
mod parquet;
pub mod plain;
pub mod quick;
mod snappy;
mod sniff;
pub mod source;
mod stream;
pub mod text;
mod wanted;

use std::fs::File;
use std::io::{Error, Read, Seek, SeekFrom};
use std::path::Path;

use crate::flow::{Flow, InterfaceHandle, V4Record};
use crate::time::Window;

pub use fault::{Misread, Place, RowFault};
pub use layout::Layout;
pub(crate) use parquet::{Finite, guarded};
use sniff::Kind;
pub use source::{Found, LeftOut, Location, Source, find};
pub use wanted::Wanted;

/// Takes what a reader finds, in file order.
pub trait Sink {
    /// One well-formed entry.
    fn flow(&mut self, flow: &Flow<'_>);
    /// What to call an interface in [`Sink::v4`]. None: its records must come by [`Sink::flow`]. While one part is read,
    /// the answer for one interface must stay the same: readers may ask only once.
    fn interface(&mut self, _interface_id: &[u8]) -> Option<InterfaceHandle> {
        None
    }
    /// Well-formed entries of the commonest kind.
    fn v4(&mut self, _records: &[V4Record]) {}
    /// One row that is not a record. `place` counts from the start of the part being read.
    fn fault(&mut self, misread: Misread, place: Place);
    /// So many rows that start outside [`ReadOptions::window`] and were not looked at.
    fn outside(&mut self, rows: u64);
    /// So many rows that are not [`ReadOptions::wanted`] and were not looked at.
    fn unwanted(&mut self, _rows: u64) {}
    /// So many more bytes of the file (as stored) have been consumed.
    fn consumed(&mut self, bytes: u64);
}

/// Readers hand out so many records at once, where they can.
const TOGETHER: usize = 64;

/// Why a file, or the rest of it, could not be read. Displayed in `coverage.files.failures`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FileFailure(pub String);

/// Whether plain text may be cut into parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Split {
    /// Parts of [`ReadOptions::part_bytes`].
    #[default]
    Parts,
    /// One part, whatever the size.
    Whole,
}

/// Where gz is inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Inflate {
    /// On the thread that parses its rows: there are other files for other threads.
    #[default]
    Here,
    /// On a thread of its own, if the file is large.
    Ahead,
}

/// How files are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// The layout of files without a header line (`--fields`). None: the default format.
    pub fields: Option<Layout>,
    /// Plain text larger than this is cut into parts of this size.
    pub part_bytes: u64,
    /// Whether it is cut at all.
    pub split: Split,
    /// Where gz is inflated.
    pub inflate: Inflate,
    /// Rows that start outside need not be looked at.
    pub window: Window,
    /// Nor others than these. None: all are wanted.
    pub wanted: Option<Wanted>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            fields: None,
            part_bytes: 32 << 20,
            split: Split::Parts,
            inflate: Inflate::Here,
            window: Window::ALL,
            wanted: None,
        }
    }
}

/// What of a file is read in one go. The parts of a file have all of its records between them, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// The lines that start in this range of plain text.
    Bytes {
        /// Its place among the parts of the file.
        index: u32,
        /// The first byte.
        start: u64,
        /// The byte after the last.
        end: u64,
    },
    /// One row group of a Parquet file.
    RowGroup {
        /// Its place in the file.
        index: u32,
    },
}

impl Part {
    /// Its place among the parts of the file, from 0.
    pub fn index(&self) -> u32 {
        match self {
            Self::Whole => 0,
            Self::Bytes { index, .. } | Self::RowGroup { index } => *index,
        }
    }
}

/// What was read besides what the sink got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadSummary {
    /// Lines, rows or events in the part: what places in later parts must be moved by.
    pub places: u64,
    /// A header line differs from the layout of the file, so that parts cannot be read alone. Reading stopped there;
    /// the file must be read whole.
    pub layout_changed: bool,
}

/// The parts a file is best read in.
///
/// # Errors
///
/// The file cannot be opened, or is no flow log.
pub fn plan(source: &Source, options: &ReadOptions) -> Result<Vec<Part>, FileFailure> {
    if !needs_a_look(source, options) {
        return Ok(vec![Part::Whole]);
    }
    let (stream, _) = stream::peek(source)?;
    let kind = sniff::kind(stream.head())?;
    if kind == Kind::Text {
        head::find(stream.head(), options)?;
    }
    let size = match &source.location {
        Location::File(path) => std::fs::metadata(path).map_err(|error| unreadable(&error))?.len(),
        Location::Object(_) | Location::StandardInput => source.bytes,
    };
    let is_cut = stream.packing().is_none() && options.split == Split::Parts && size > options.part_bytes;
    if let (Location::Object(object), false) =
        (&source.location, is_cut && matches!(kind, Kind::Text | Kind::JsonLines))
    {
        object.forget_head();
    }
    match kind {
        Kind::Parquet if stream.packing().is_none() => parquet::plan(&source.location),
        Kind::Text | Kind::JsonLines if is_cut => Ok(cut(size, options.part_bytes)),
        _ => Ok(vec![Part::Whole]),
    }
}

/// Whether a name says that it is a table.
pub(crate) fn is_called_parquet(source: &Source) -> bool {
    Path::new(&source.name).extension().is_some_and(|it| it.eq_ignore_ascii_case("parquet"))
}

/// A small object is held while it is read: what it is, and its footer, are looked at first.
struct Held<'a>(Option<&'a object::Object>);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(object) = self.0 {
            object.forget_tail();
        }
    }
}

/// Whether a source has to be looked at to tell its parts.
pub(crate) fn needs_a_look(source: &Source, options: &ReadOptions) -> bool {
    match &source.location {
        // Most logs are thousands of small files, which are looked at once, when they are read.
        Location::File(path) => source.bytes > SMALL.min(options.part_bytes) && path.is_file(),
        // What is packed has one part; a look at each of thousands would take its time.
        Location::Object(_) => {
            source.bytes > object::PIECE.min(options.part_bytes)
                && Path::new(&source.name).extension().is_none_or(|it| !it.eq_ignore_ascii_case("gz"))
        }
        // A pipe can be read only once, so nothing of it is looked at here.
        Location::StandardInput => false,
    }
}

/// Files up to this size are read in one piece, unless the parts asked for are smaller still.
const SMALL: u64 = 1 << 20;

fn cut(size: u64, part_bytes: u64) -> Vec<Part> {
    // An index is 32 bits; a smaller part would only cost time.
    let step = part_bytes.max(size / u64::from(u32::MAX) + 1);
    let starts = (0..size).step_by(usize::try_from(step).unwrap_or(usize::MAX));
    (0..)
        .zip(starts)
        .map(|(index, start)| Part::Bytes { index, start, end: (start + step).min(size) })
        .collect()
}

/// What is fetched first of an object to read a part of it.
pub(crate) fn ahead(source: &Source, part: &Part, options: &ReadOptions) -> Vec<std::ops::Range<u64>> {
    match (&source.location, part) {
        (Location::Object(object), Part::Whole | Part::Bytes { .. }) => {
            object.first(part).into_iter().collect()
        }
        (location, part) => parquet::ahead(location, part, options),
    }
}

/// Reads one part of a file into the sink.
///
/// # Errors
///
/// The file, or the rest of it, cannot be read. The sink has what came before.
pub fn read<S: Sink>(
    source: &Source,
    part: &Part,
    options: &ReadOptions,
    sink: &mut S,
) -> Result<ReadSummary, FileFailure> {
    let whole = match (&source.location, part) {
        (location, Part::RowGroup { .. }) => return parquet::read(location, part, options, sink),
        (Location::Object(object), Part::Whole) => {
            object.hold().map_err(|error| unreadable(&error))?;
            Held(Some(object))
        }
        _ => Held(None),
    };
    // The rest of it is read from elsewhere.
    let (mut stream, counter) = match part {
        Part::Whole => stream::open(source, options.inflate)?,
        Part::Bytes { .. } | Part::RowGroup { .. } => stream::peek(source)?,
    };
    let kind = sniff::kind(stream.head())?;
    let summary = match kind {
        Kind::Parquet => match (&source.location, stream.packing()) {
            (_, Some(packing)) => Err(FileFailure(format!("Parquet inside {packing}: unpack it first"))),
            (location, None) if !source.is_pipe() => {
                drop(stream);
                parquet::read(location, part, options, sink)
            }
            _ => Err(FileFailure("Parquet cannot be read from a pipe; give the file".to_owned())),
        },
        Kind::Json => json::read(stream, &counter, options, sink),
        Kind::Csv => csv::read(stream, &counter, options, sink),
        Kind::JsonLines => match Stretch::of(source, part)? {
            Some((stretch, lines)) => {
                counter.take();
                json_lines::read(counter.count(stretch), &counter, lines, sink)
            }
            None => json_lines::read(&mut stream, &counter, text::Lines::All, sink),
        },
        Kind::Text => {
            let head = head::find(stream.head(), options)?;
            match Stretch::of(source, part)? {
                Some((stretch, lines)) => {
                    counter.take();
                    text::read(counter.count(stretch), &counter, &head, lines, sink)
                }
                None => text::read(&mut stream, &counter, &head, text::Lines::All, sink),
            }
        }
    };
    drop(whole);
    summary
}

fn unreadable(error: &Error) -> FileFailure {
    FileFailure(error.to_string())
}

/// A range of a file, and what follows in small steps: the last line of a part ends beyond it, but not far.
enum Stretch {
    File(FileStretch),
    Object(object::ObjectReader),
}

impl Stretch {
    /// What is read of a part, and which lines of it; None: the part is all of the source.
    fn of(source: &Source, part: &Part) -> Result<Option<(Self, text::Lines)>, FileFailure> {
        let Part::Bytes { start, end, .. } = *part else { return Ok(None) };
        let stretch = match &source.location {
            Location::File(path) => {
                Self::File(FileStretch::open(path, start, end).map_err(|error| unreadable(&error))?)
            }
            Location::Object(object) => Self::Object(object.read_from(start.saturating_sub(1), end)),
            Location::StandardInput => return Ok(None),
        };
        Ok(Some((stretch, text::Lines::StartingIn(start, end))))
    }
}

impl Read for Stretch {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Object(object) => object.read(buffer),
        }
    }
}

struct FileStretch {
    file: File,
    left: u64,
}

impl FileStretch {
    const STEP: usize = 4096;

    fn open(path: &Path, start: u64, end: u64) -> std::io::Result<Self> {
        let mut file = File::open(path)?;
        let from = start.saturating_sub(1);
        file.seek(SeekFrom::Start(from))?;
        Ok(Self { file, left: end - from })
    }
}

impl Read for FileStretch {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).max(Self::STEP).min(buffer.len());
        let count = self.file.read(&mut buffer[..most])?;
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

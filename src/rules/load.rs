//! `--snapshot [TIME=]PATH` → snapshots and changes: finds the files, reads them, says which were understood.
//!
//! A snapshot of every night says nearly the same every night: a file that holds the same bytes as its namesake in the
//! folder before is read, and not parsed again.

mod contents;
mod document;
pub mod lines;
pub mod manifest;
mod pieces;

use std::fs::DirEntry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hashbrown::HashMap;
use rayon::prelude::*;

use super::aws::Objects;
use super::change::{Trail, What};
use super::timeline::Snapshot;
use crate::error::Error;
use crate::flow::Seconds;
use crate::time;
pub use contents::{Contents, Origin};
use document::{Buffer, Buffers, Document, Text, text_of, without_mark};
use pieces::Pieces;

/// One file of a snapshot and whether it was understood.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DocumentNote {
    /// Since when its snapshot is in force (None: always).
    pub at: Option<Seconds>,
    /// The file.
    pub file: String,
    /// Why it was left aside; None: it was understood.
    pub left_aside: Option<String>,
    /// Which part of it should have been understood, and was not.
    pub missed: Option<String>,
}

/// Snapshots, what changed, and the list of their files.
#[derive(Debug, Default)]
pub struct Loaded {
    /// What the documents say was there.
    pub snapshots: Vec<Snapshot>,
    /// What they say has changed.
    pub trail: Trail,
    /// Every file met.
    pub documents: Vec<DocumentNote>,
    /// What each file holds, in the order of `documents`.
    pub contents: Vec<Arc<Contents>>,
}

/// Loads every `[TIME=]PATH`. A folder whose subfolders are named by times holds one snapshot each; a lone path without
/// a time is in force always.
///
/// # Errors
/// A path that is not there, a file that cannot be read, JSON that is broken, a value that cannot be.
pub fn load(arguments: &[String]) -> Result<Loaded, Error> {
    let mut found = Found::default();
    for argument in arguments {
        let (at, path) = split(argument);
        if !path.exists() {
            return Err(Error::Input(format!(
                "{}: no such file or folder; --snapshot takes a JSON file or a folder of them, as the AWS CLI writes them",
                path.display()
            )));
        }
        if at.is_none() && holds_dated_folders(&path, 0)? {
            found.add_dated(&path)?;
        } else {
            found.add(at, &path)?;
        }
    }
    let loaded = found.read()?;
    refuse_changes_to_undated(&loaded)?;
    Ok(loaded)
}

/// Whether a document can be read: what it is called matters, for lists are named by their files.
///
/// # Errors
/// What reading it would say.
pub fn understand(path: &Path, text: &str) -> Result<(), Error> {
    Contents::read(path, text).map(|_| ())
}

/// `TIME=PATH`, or a path that may itself hold an equals sign (`year=2026/`).
fn split(argument: &str) -> (Option<Seconds>, PathBuf) {
    let (at, path) = split_text(argument);
    (at.and_then(time::parse), PathBuf::from(path))
}

/// The same, as it is written.
pub(crate) fn split_text(argument: &str) -> (Option<&str>, &str) {
    match argument.split_once('=') {
        Some((left, right)) if time::parse(left).is_some() => (Some(left), right),
        _ => (None, argument),
    }
}

/// A call tells what was done to a snapshot: before or after it, is told by its time.
fn refuse_changes_to_undated(loaded: &Loaded) -> Result<(), Error> {
    let undated = |snapshot: &Snapshot| snapshot.at.is_none() && !snapshot.objects.is_empty();
    let in_full = |what: &What| matches!(what, What::Is(..) | What::Gone(..));
    if !loaded.snapshots.iter().any(undated)
        || loaded.trail.changes.iter().all(|change| in_full(&change.what))
    {
        return Ok(());
    }
    let mut documents = loaded.documents.iter().zip(&loaded.contents);
    let is_undated = |(note, contents): &(&DocumentNote, &Arc<Contents>)| {
        note.at.is_none() && !contents.objects.is_empty()
    };
    let file = documents.find(is_undated).map(|(note, _)| note.file.as_str()).unwrap_or_default();
    Err(Error::Input(format!(
        "{file}: a snapshot without a time, beside CloudTrail, which tells what changed before and after it; say when it \
         was taken: --snapshot TIME=PATH"
    )))
}

/// Folders of accounts and regions may lie above those named by times, but not deeper than this.
const DEEPEST: usize = 6;

/// Whether folders named by times lie in a folder, at any depth.
fn holds_dated_folders(path: &Path, depth: usize) -> Result<bool, Error> {
    if depth > DEEPEST || !path.is_dir() {
        return Ok(false);
    }
    let mut others = Vec::new();
    // Where it does, the first one mostly tells.
    for entry in unordered_entries(path)? {
        let entry = entry?;
        if folder_time(&entry).is_none() {
            others.push(entry);
        } else if entry.is_dir() {
            return Ok(true);
        }
    }
    for other in in_name_order(others) {
        if holds_dated_folders(&other, depth + 1)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn folder_time(path: &Path) -> Option<Seconds> {
    path.file_name().and_then(|name| name.to_str()).and_then(time::parse)
}

/// What lies in a folder, in name order, without what is hidden.
fn entries(path: &Path) -> Result<Vec<PathBuf>, Error> {
    unordered_entries(path)?.collect::<Result<_, Error>>().map(in_name_order)
}

/// Entries of one folder, by their names: they have all else in common.
fn in_name_order(mut entries: Vec<PathBuf>) -> Vec<PathBuf> {
    entries.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    entries
}

fn unordered_entries(path: &Path) -> Result<impl Iterator<Item = Result<PathBuf, Error>>, Error> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let entries = std::fs::read_dir(path).map_err(unreadable)?;
    let is_hidden = |entry: &DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
    let entries = entries.filter(move |entry| !entry.as_ref().is_ok_and(is_hidden));
    Ok(entries.map(move |entry| entry.map(|entry| entry.path()).map_err(unreadable)))
}

/// A snapshot to be read: a file, or a folder with all its files.
struct Folder {
    at: Option<Seconds>,
    /// Each with its path within the folder.
    files: Vec<(PathBuf, PathBuf)>,
}

/// Everything that was found.
#[derive(Default)]
struct Found {
    folders: Vec<Folder>,
    /// Files that belong to no snapshot.
    beside: Vec<PathBuf>,
}

/// By path within their folder: what the files of the last folder held.
type Namesakes = HashMap<PathBuf, Namesake>;

/// A file of the last folder.
struct Namesake {
    text: Text,
    contents: Arc<Contents>,
    /// None: it is read as a whole.
    pieces: Option<Pieces>,
}

/// A file that has been read, and what it is as a namesake, where it is another one.
struct FileRead {
    contents: Arc<Contents>,
    namesake: Option<Namesake>,
}

/// So many folders are read side by side.
const SIDE_BY_SIDE: usize = 64;

impl Found {
    /// Adds the folders named by times below a folder, each as a snapshot. What lies beside them belongs to none, unless
    /// it tells of changes, which have times of their own.
    fn add_dated(&mut self, path: &Path) -> Result<(), Error> {
        let find = |entry: PathBuf| {
            let mut found = Self::default();
            match folder_time(&entry).filter(|_| entry.is_dir()) {
                Some(at) => found.add(Some(at), &entry)?,
                None if holds_dated_folders(&entry, 0)? => found.add_dated(&entry)?,
                None => found.beside = files(&entry)?,
            }
            Ok(found)
        };
        let found: Vec<Self> = entries(path)?.into_par_iter().map(find).collect::<Result<_, Error>>()?;
        for Self { folders, beside } in found {
            self.folders.extend(folders);
            self.beside.extend(beside);
        }
        Ok(())
    }

    fn add(&mut self, at: Option<Seconds>, path: &Path) -> Result<(), Error> {
        let within = |file: PathBuf| (file.strip_prefix(path).unwrap_or(&file).to_owned(), file);
        let files = files(path)?.into_iter().map(within).collect();
        self.folders.push(Folder { at, files });
        Ok(())
    }

    fn read(self) -> Result<Loaded, Error> {
        let mut loaded = Loaded::default();
        let mut namesakes = Namesakes::new();
        let mut last: Option<Shared> = None;
        let buffers = Buffers::default();
        let mut folders = self.folders.as_slice();
        // The first one alone, so that the next ones have namesakes.
        let mut step = 1;
        while !folders.is_empty() {
            let (now, later) = folders.split_at(step.min(folders.len()));
            // Of those read side by side, the last one is the one that the next are compared with.
            let is_last =
                |at: usize| if at + 1 == now.len() && !later.is_empty() { Keep::It } else { Keep::Nothing };
            let files: Vec<_> =
                (0..).zip(now).flat_map(|(at, it)| it.files.iter().map(move |file| (at, file))).collect();
            let read: Vec<FileRead> = files
                .into_par_iter()
                .map(|(at, file)| {
                    let mut buffer = buffers.take();
                    let read = read_file(file, &namesakes, is_last(at), &mut buffer);
                    buffers.put(buffer);
                    read
                })
                .collect::<Result<_, Error>>()?;
            let mut read = read.into_iter();
            for folder in now {
                let files = read.by_ref().take(folder.files.len()).collect();
                last = Some(loaded.add_folder(folder, files, last.take(), &mut namesakes));
            }
            (folders, step) = (later, (step * 2).min(SIDE_BY_SIDE));
        }
        for path in self.beside {
            let file = (PathBuf::new(), path.clone());
            let file = read_file(&file, &Namesakes::new(), Keep::Nothing, &mut Buffer::default())?;
            let mut contents = Arc::unwrap_or_clone(file.contents);
            if !contents.objects.is_empty() || contents.origins.is_empty() {
                contents = Contents::left_aside("beside folders named by times, so in none of them");
            }
            loaded.note(None, &path, &Arc::new(contents));
        }
        Ok(loaded.sorted())
    }
}

/// What the files of a folder hold, and what they add up to.
struct Shared {
    contents: Vec<Arc<Contents>>,
    objects: Arc<Objects>,
}

impl Loaded {
    /// The same with other names for the files.
    #[cfg(feature = "s3")]
    pub(crate) fn renamed(mut self, name: impl Fn(&str) -> String) -> Self {
        for note in &mut self.documents {
            note.file = name(&note.file);
        }
        self.sorted()
    }

    fn sorted(mut self) -> Self {
        let mut all: Vec<_> = self.documents.into_iter().zip(self.contents).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        (self.documents, self.contents) = all.into_iter().unzip();
        self
    }

    fn add_folder(
        &mut self,
        folder: &Folder,
        files: Vec<FileRead>,
        last: Option<Shared>,
        namesakes: &mut Namesakes,
    ) -> Shared {
        for ((_, path), file) in folder.files.iter().zip(&files) {
            self.note(folder.at, path, &file.contents);
        }
        let contents: Vec<Arc<Contents>> = files.iter().map(|file| Arc::clone(&file.contents)).collect();
        for ((within, _), file) in folder.files.iter().zip(files) {
            if let Some(namesake) = file.namesake {
                namesakes.insert(within.clone(), namesake);
            }
        }
        let same = |last: &Shared| {
            last.contents.len() == contents.len()
                && last.contents.iter().zip(&contents).all(|(a, b)| Arc::ptr_eq(a, b))
        };
        let objects = match last {
            Some(last) if same(&last) => last.objects,
            _ => {
                let mut objects = Objects::default();
                for contents in &contents {
                    objects.add_up(contents.objects.clone());
                }
                objects.sort();
                Arc::new(objects)
            }
        };
        // What only tells of changes is no snapshot.
        if !objects.is_empty() || contents.iter().any(|it| it.origins.contains(&Origin::Describe)) {
            self.snapshots.push(Snapshot { at: folder.at, objects: Arc::clone(&objects) });
        }
        Shared { contents, objects }
    }

    fn note(&mut self, at: Option<Seconds>, path: &Path, contents: &Arc<Contents>) {
        let trail = Trail { changes: contents.changes.clone(), watched: contents.watched.clone() };
        self.trail.add_up(trail);
        let missed = contents.oddities.first().map(|first| match contents.odd {
            1 => format!("1 entry not understood: {first}"),
            odd => format!("{odd} entries not understood, the first: {first}"),
        });
        self.documents.push(DocumentNote {
            at,
            file: path.display().to_string(),
            left_aside: contents.left_aside.clone(),
            missed,
        });
        self.contents.push(Arc::clone(contents));
    }
}

/// Every file below a path, or the path itself, in name order, without what is hidden.
fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let hidden = |entry: &walkdir::DirEntry| {
        entry.depth() > 0 && entry.file_name().to_str().is_some_and(|name| name.starts_with('.'))
    };
    let walk = walkdir::WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter();
    let mut files = Vec::new();
    for entry in walk.filter_entry(|entry| !hidden(entry)) {
        let entry = entry.map_err(|error| {
            let at = error.path().unwrap_or(path).to_owned();
            Error::Read { path: at, source: error.into() }
        })?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

/// Whether a file is kept to compare the next ones with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    It,
    Nothing,
}

/// Reads a file.
fn read_file(
    (within, path): &(PathBuf, PathBuf),
    namesakes: &Namesakes,
    keep: Keep,
    buffer: &mut Buffer,
) -> Result<FileRead, Error> {
    let known = namesakes.get(within);
    let beside = known.map_or(&[][..], |known| known.text.bytes());
    if let Document::LeftAside(why) = Document::read(path, buffer, beside)? {
        return Ok(FileRead { contents: Arc::new(Contents::left_aside(why)), namesake: None });
    }
    if let Some(known) = known.filter(|_| buffer.is(beside)) {
        return Ok(FileRead { contents: Arc::clone(&known.contents), namesake: None });
    }
    let text = || text_of(buffer.bytes());
    let next =
        known.and_then(|known| known.pieces.as_ref()?.next(&known.text.read(), without_mark(buffer.bytes())));
    let pieces = next.or_else(|| Pieces::of(&text()));
    let contents = match &pieces {
        Some(pieces) => Contents::described(pieces.objects.clone()),
        None => Contents::read(path, &text())?,
    };
    let contents = Arc::new(contents);
    let namesake = (keep == Keep::It).then(|| Namesake {
        text: Text::of(buffer.bytes().to_vec()),
        contents: Arc::clone(&contents),
        pieces,
    });
    Ok(FileRead { contents, namesake })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_front_is_told_from_a_path_with_an_equals_sign() {
        let cases = [
            ("2026-01-01T00:00:00Z=snap", Some(1_767_225_600), "snap"),
            ("2026-01-01=snap", Some(1_767_225_600), "snap"),
            ("year=2026/snap", None, "year=2026/snap"),
            ("snap", None, "snap"),
        ];
        for (argument, at, path) in cases {
            assert_eq!(split(argument), (at, PathBuf::from(path)), "{argument}");
        }
    }
}

//! `--snapshot [TIME=]PATH` → snapshots: finds the files, reads them, says which were understood.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use serde_json::Value;

use super::aws::{Objects, Recognised};
use super::change::Trail;
use super::timeline::Snapshot;
use crate::error::Error;
use crate::flow::Seconds;
use crate::time;

/// No snapshot document comes near this size; a compressed one that unpacks to more is refused.
const LARGEST_DOCUMENT: u64 = 1 << 30;

/// One file of a snapshot and whether it was understood.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DocumentNote {
    /// Since when its snapshot is in force (None: always).
    pub at: Option<Seconds>,
    /// The file.
    pub file: String,
    /// Why it was left aside; None: it was understood.
    pub left_aside: Option<String>,
}

/// Snapshots and the list of their files.
#[derive(Debug, Default)]
pub struct Loaded {
    /// What the documents say.
    pub snapshots: Vec<Snapshot>,
    /// What they say has changed.
    pub trail: Trail,
    /// Every file met.
    pub documents: Vec<DocumentNote>,
}

/// Loads every `[TIME=]PATH`. A folder whose subfolders are named by times holds one snapshot each; a lone path without
/// a time is in force always.
///
/// # Errors
/// A path that is not there, a file that cannot be read, JSON that is broken, a value that cannot be.
pub fn load(arguments: &[String]) -> Result<Loaded, Error> {
    let mut loaded = Loaded::default();
    for argument in arguments {
        let (at, path) = split(argument);
        if !path.exists() {
            return Err(Error::Input(format!(
                "{}: no such file or folder; --snapshot takes a JSON file or a folder of them, as the AWS CLI writes them",
                path.display()
            )));
        }
        if at.is_none() && holds_dated_folders(&path, 0)? {
            loaded.add_dated(&path)?;
        } else {
            loaded.add(at, &path)?;
        }
    }
    loaded.documents.sort();
    Ok(loaded)
}

/// `TIME=PATH`, or a path that may itself hold an equals sign (`year=2026/`).
fn split(argument: &str) -> (Option<Seconds>, PathBuf) {
    match argument.split_once('=') {
        Some((left, right)) => match time::parse(left) {
            Some(at) => (Some(at), PathBuf::from(right)),
            None => (None, PathBuf::from(argument)),
        },
        None => (None, PathBuf::from(argument)),
    }
}

/// Folders of accounts and regions may lie above those named by times, but not deeper than this.
const DEEPEST: usize = 6;

/// Whether folders named by times lie in a folder, at any depth.
fn holds_dated_folders(path: &Path, depth: usize) -> Result<bool, Error> {
    if depth > DEEPEST || !path.is_dir() {
        return Ok(false);
    }
    for entry in entries(path)? {
        if entry.is_dir() && (folder_time(&entry).is_some() || holds_dated_folders(&entry, depth + 1)?) {
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
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

impl Loaded {
    /// Adds the folders named by times below a folder, each as a snapshot. What lies beside them belongs to none.
    fn add_dated(&mut self, path: &Path) -> Result<(), Error> {
        for entry in entries(path)? {
            match folder_time(&entry).filter(|_| entry.is_dir()) {
                Some(at) => self.add(Some(at), &entry)?,
                None if holds_dated_folders(&entry, 0)? => self.add_dated(&entry)?,
                None => {
                    let left_aside = Some("beside folders named by times, so in none of them".to_owned());
                    self.documents.push(DocumentNote {
                        at: None,
                        file: entry.display().to_string(),
                        left_aside,
                    });
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, at: Option<Seconds>, path: &Path) -> Result<(), Error> {
        let mut snapshot = Snapshot { at, objects: Objects::default() };
        let hidden = |entry: &walkdir::DirEntry| {
            entry.depth() > 0 && entry.file_name().to_str().is_some_and(|name| name.starts_with('.'))
        };
        let walk = walkdir::WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter();
        for entry in walk.filter_entry(|entry| !hidden(entry)) {
            let entry = entry.map_err(|error| {
                let at = error.path().unwrap_or(path).to_owned();
                Error::Read { path: at, source: error.into() }
            })?;
            if entry.file_type().is_file() {
                let left_aside = add_file(&mut snapshot.objects, entry.path())?;
                let file = entry.path().display().to_string();
                self.documents.push(DocumentNote { at, file, left_aside });
            }
        }
        self.snapshots.push(snapshot);
        Ok(())
    }
}

/// Reads one file into the objects; answers why it was left aside, if it was.
fn add_file(objects: &mut Objects, path: &Path) -> Result<Option<String>, Error> {
    let bytes = match read_document(path)? {
        Document::Json(bytes) => bytes,
        Document::LeftAside(why) => return Ok(Some(why.to_owned())),
    };
    let text = text_of(&bytes);
    let list_id = path.file_name().and_then(|name| name.to_str()).and_then(prefix_list_id);
    let mut recognised = Recognised::No;
    // Pages written one after the other into one file are a stream of documents.
    for document in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
        let document = document.map_err(|error| broken(path, &error))?;
        let added = objects
            .add(&document, list_id)
            .map_err(|message| Error::Snapshot { path: path.display().to_string(), message })?;
        if added == Recognised::Yes {
            recognised = Recognised::Yes;
        }
    }
    Ok(match recognised {
        Recognised::Yes => None,
        Recognised::No => Some("JSON of no kind this reads".to_owned()),
    })
}

fn broken(path: &Path, error: &serde_json::Error) -> Error {
    Error::BrokenJson {
        path: path.display().to_string(),
        line: error.line(),
        column: error.column(),
        message: without_position(&error.to_string()),
    }
}

/// The parser appends " at line L column C"; the error says that in front.
fn without_position(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

enum Document {
    Json(Vec<u8>),
    LeftAside(&'static str),
}

/// How much of a file is read to tell what it is.
const HEAD: u64 = 64 * 1024;

/// Reads a document, unpacked. What does not begin as JSON is not read to its end: a log may lie beside the snapshot.
fn read_document(path: &Path) -> Result<Document, Error> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    let packed = file.fill_buf().map_err(unreadable)?.starts_with(&[0x1f, 0x8b]);
    let mut reader: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut bytes = Vec::new();
    let head = reader.by_ref().take(HEAD).read_to_end(&mut bytes);
    match text_of(&bytes).trim_start().chars().next() {
        Some('{' | '[') => {}
        Some(_) => return Ok(Document::LeftAside("not JSON")),
        None if head.is_ok() => return Ok(Document::LeftAside("empty")),
        None => {}
    }
    head.and_then(|_| reader.take(LARGEST_DOCUMENT).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 >= LARGEST_DOCUMENT {
        let message = format!("expected a snapshot of less than {} MiB, found more", LARGEST_DOCUMENT >> 20);
        return Err(Error::Snapshot { path: path.display().to_string(), message });
    }
    Ok(Document::Json(bytes))
}

/// UTF-8 with or without a byte-order mark, or the UTF-16 that PowerShell's `>` writes.
fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    let wide = |read: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
        Cow::Owned(
            char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect(),
        )
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        _ => String::from_utf8_lossy(bytes),
    }
}

/// The `pl-…` id in a file name: the entries of a list hold no id themselves.
fn prefix_list_id(name: &str) -> Option<&str> {
    let start = name.find("pl-").filter(|&at| at == 0 || !name.as_bytes()[at - 1].is_ascii_alphanumeric())?;
    let rest = &name[start + 3..];
    let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
    (end > 0).then(|| &name[start..start + 3 + end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_list_ids_are_found_in_file_names() {
        let cases = [
            ("pl-0aee530c6c63c686f.json", Some("pl-0aee530c6c63c686f")),
            ("entries-pl-0a1b.json", Some("pl-0a1b")),
            ("sample-entries.json", None),
            ("pl-.json", None),
        ];
        for (name, id) in cases {
            assert_eq!(prefix_list_id(name), id, "{name}");
        }
    }

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

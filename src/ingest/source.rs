//! Inputs → the files to read: folders walked, patterns expanded, every file once, in name order.
//!
//! What the user named and is not there is an error; what cannot be read inside a folder is a failure of that file.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use walkdir::{DirEntry, WalkDir};

use super::object::Object;
use super::{FileFailure, object_name};

/// Where bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// The standard input.
    StandardInput,
    /// A file, or a pipe that has a path.
    File(PathBuf),
    /// An object of a bucket.
    Object(Object),
}

/// One file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as the user gave it, with `/` between its parts; `-` for the standard input; the address of an object.
    pub name: String,
    /// Where it is.
    pub location: Location,
    /// Its size as stored; 0 if that is not known.
    pub bytes: u64,
    /// `fl-…`, where the file has the name AWS gives.
    pub flow_log: Option<String>,
}

impl Source {
    fn file(path: PathBuf, bytes: u64) -> Self {
        let flow_log = path
            .file_name()
            .and_then(|name| object_name::flow_log(&name.to_string_lossy()).map(str::to_owned));
        Self { name: shown(&path), location: Location::File(path), bytes, flow_log }
    }

    /// An object, by its address.
    pub fn object(address: String, object: Object) -> Self {
        let flow_log = address.rsplit('/').next().and_then(object_name::flow_log).map(str::to_owned);
        Self { name: address, bytes: object.bytes, location: Location::Object(object), flow_log }
    }

    /// The file, where it is one.
    pub fn path(&self) -> Option<&Path> {
        match &self.location {
            Location::File(path) => Some(path),
            Location::StandardInput | Location::Object(_) => None,
        }
    }

    /// Whether it can be read only once: the standard input, a pipe.
    pub fn is_pipe(&self) -> bool {
        match &self.location {
            Location::StandardInput => true,
            Location::File(path) => !path.is_file(),
            Location::Object(_) => false,
        }
    }

    fn stdin() -> Self {
        Self { name: "-".to_owned(), location: Location::StandardInput, bytes: 0, flow_log: None }
    }
}

/// The files behind the inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Files to read, in name order.
    pub sources: Vec<Source>,
    /// What lies in a folder and cannot be read, by name.
    pub failures: Vec<(String, FileFailure)>,
    /// What was there and is not read.
    pub left_out: LeftOut,
}

/// Logs of other accounts, regions or times, as their folders and names say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Folders that were not looked into.
    pub folders: u64,
    /// Files or objects in others.
    pub files: u64,
}

impl LeftOut {
    /// Whether everything was read.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Both.
    pub fn merge(&mut self, other: Self) {
        self.folders += other.folders;
        self.files += other.files;
    }
}

/// The files behind these inputs: files, folders, glob patterns, `-` for the standard input.
///
/// # Errors
///
/// An input that does not exist, or a pattern that matches nothing.
pub fn find(inputs: &[String]) -> Result<Found, FileFailure> {
    let mut found = Found::default();
    for input in inputs {
        if input == "-" {
            found.sources.push(Source::stdin());
            continue;
        }
        let path = Path::new(input);
        match path.metadata() {
            Ok(metadata) => add(&mut found, path.to_path_buf(), &metadata),
            Err(error) => expand(&mut found, input, &error)?,
        }
    }
    found.sources.sort_by(|a, b| a.name.cmp(&b.name));
    found.failures.sort_by(|a, b| a.0.cmp(&b.0));
    found.failures.dedup();
    let mut seen = HashSet::new();
    found.sources.retain(|source| {
        let identity = source.path().map(|path| path.canonicalize().unwrap_or_else(|_| path.to_owned()));
        seen.insert(identity)
    });
    Ok(found)
}

fn add(found: &mut Found, path: PathBuf, metadata: &std::fs::Metadata) {
    if metadata.is_dir() {
        walk(found, &path);
    } else {
        found.sources.push(Source::file(path, metadata.len()));
    }
}

fn expand(found: &mut Found, input: &str, error: &std::io::Error) -> Result<(), FileFailure> {
    if !input.contains(['*', '?', '[']) {
        return Err(FileFailure(format!("{input}: {error}")));
    }
    let paths = glob::glob(input).map_err(|error| FileFailure(format!("{input}: {error}")))?;
    let mut any = false;
    for path in paths {
        any = true;
        match path.map_err(|error| (shown(error.path()), error.to_string())).and_then(|path| {
            let metadata = path.metadata().map_err(|error| (shown(&path), error.to_string()))?;
            Ok((path, metadata))
        }) {
            Ok((path, metadata)) => add(found, path, &metadata),
            Err((name, error)) => found.failures.push((name, FileFailure(error))),
        }
    }
    if any { Ok(()) } else { Err(FileFailure(format!("{input}: no file matches"))) }
}

fn walk(found: &mut Found, folder: &Path) {
    let visible =
        |entry: &DirEntry| entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".");
    for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter().filter_entry(visible)
    {
        let failure = match entry {
            Ok(entry) if entry.file_type().is_file() => match entry.metadata() {
                Ok(metadata) => {
                    found.sources.push(Source::file(entry.into_path(), metadata.len()));
                    continue;
                }
                Err(error) => error,
            },
            Ok(_) => continue,
            Err(error) => error,
        };
        // A link back to a folder above: its files are read where they are.
        if failure.loop_ancestor().is_some() {
            continue;
        }
        let name = shown(failure.path().unwrap_or(folder));
        let text = failure.io_error().map_or_else(|| failure.to_string(), ToString::to_string);
        found.failures.push((name, FileFailure(text)));
    }
}

fn shown(path: &Path) -> String {
    let name = path.to_string_lossy();
    if std::path::MAIN_SEPARATOR == '/' {
        name.into_owned()
    } else {
        name.replace(std::path::MAIN_SEPARATOR, "/")
    }
}

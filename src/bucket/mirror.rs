//! Documents in a bucket → files of the same names for the loader, for as long as it reads them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::address::{Address, is_address};
use super::layout::Choice;
use super::list;
use crate::cli::Access;
use crate::ingest::source::Location;
use crate::ingest::{Part, Source};
use crate::rules::load;

/// So many objects are fetched ahead of the one that is written.
const AHEAD: usize = 32;

/// Copies of what lies in buckets, gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Mirror {
    /// `[TIME=]PATH`, all of them on this machine.
    pub(crate) arguments: Vec<String>,
    /// What each copied folder or file is really called.
    names: Vec<(PathBuf, String)>,
    folder: TempDir,
}

impl Mirror {
    /// Copies what lies in buckets. None: nothing does.
    ///
    /// # Errors
    /// What cannot be had, and why.
    pub(crate) fn of(arguments: &[String], access: &Access) -> Result<Option<Self>, String> {
        if !arguments.iter().any(|argument| is_address(load::split_text(argument).1)) {
            return Ok(None);
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix("flowaudit-");
        // What documents say is for those who asked for it.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder.tempdir();
        let folder = folder.map_err(|error| format!("a folder for what lies in buckets: {error}"))?;
        let mut mirror = Self { arguments: Vec::new(), names: Vec::new(), folder };
        for (number, argument) in arguments.iter().enumerate() {
            let (time, path) = load::split_text(argument);
            let copy = if is_address(path) { mirror.copy(number, path, access)? } else { path.to_owned() };
            mirror.arguments.push(match time {
                Some(time) => format!("{time}={copy}"),
                None => copy,
            });
        }
        Ok(Some(mirror))
    }

    /// Copies an object or a folder; where it is then.
    fn copy(&mut self, number: usize, address: &str, access: &Access) -> Result<String, String> {
        let root = Address::parse(address)?;
        let root = root.with_key(root.literal().0.trim_end_matches('/')).to_string();
        let found = list::find(&[address], access, &Choice::DOCUMENTS).map_err(|why| why.to_string())?;
        let target = self.folder.path().join(format!("{number:06}"));
        if let Some((odd, why)) = found.failures.first() {
            return Err(format!("{odd}: {why}"));
        }
        let folders: BTreeSet<&str> = found.sources.iter().flat_map(|it| above(&it.name)).collect();
        let mut next = 0;
        for (at, source) in found.sources.iter().enumerate() {
            while next < found.sources.len().min(at + AHEAD) {
                expect(&found.sources[next]);
                next += 1;
            }
            let within = source.name.strip_prefix(&root).unwrap_or(&source.name).trim_start_matches('/');
            let alone = within.is_empty();
            let within = if alone { source.name.rsplit('/').next().unwrap_or_default() } else { within };
            // An object may be called as a folder is; a file may not.
            let is_folder = alone && found.sources.len() > 1 || folders.contains(source.name.as_str());
            let path = target.join(if is_folder { format!("{within}~") } else { within.to_owned() });
            write(source, &path).map_err(|error| format!("{}: {error}", source.name))?;
            if is_folder || alone {
                self.names.push((path.clone(), source.name.clone()));
            }
            if alone && found.sources.len() == 1 {
                return Ok(path.display().to_string());
            }
        }
        self.names.push((target.clone(), root));
        Ok(target.display().to_string())
    }

    /// A text with what was copied called by its address.
    pub(crate) fn named(&self, text: &str) -> String {
        let name =
            |text: String, (path, name): &(PathBuf, String)| text.replace(&path.display().to_string(), name);
        self.names.iter().fold(text.to_owned(), name)
    }
}

/// The folders that a key is in.
fn above(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}

fn expect(source: &Source) {
    if let Location::Object(object) = &source.location
        && let Some(first) = object.first(&Part::Whole)
    {
        object.fetch.expect(first);
    }
}

fn write(source: &Source, path: &Path) -> io::Result<()> {
    let Location::Object(object) = &source.location else { return Ok(()) };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    io::copy(&mut object.reader(), &mut fs::File::create(path)?)?;
    Ok(())
}

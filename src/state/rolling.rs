//! The state that a run writes, and the one it continues: `--save-state` and `--state`.

use std::path::{Path, PathBuf};

use hashbrown::{HashMap, HashSet};

use super::file::{self, Pending};
use super::merge::{self, Counted, Merged, Part, check_terms};
use super::{State, Terms};
use crate::error::Error;
use crate::ingest::Source;
use crate::ledger::Identity;

/// What messages call the run that is going on.
const THIS_RUN: &str = "this run";

/// Where the state of a run goes, and what is there so far.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    continued: Continue,
    /// The state that the run continues.
    pub known: Option<State>,
    pending: Pending,
}

/// Whether a run continues the state that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continue {
    /// `--state`.
    Yes,
    /// `--save-state`: what is there is replaced.
    No,
}

/// Sources that are not in the state yet, each with its identity.
#[derive(Debug, Default)]
pub struct News {
    /// To be read.
    pub sources: Vec<Source>,
    /// Theirs, in the same order.
    pub identities: Vec<Option<Identity>>,
}

impl Keeper {
    /// Opens the place of the state; with [`Continue::Yes`], reads what is there.
    ///
    /// # Errors
    /// The state cannot be read or written, or was made with other settings.
    pub fn open(path: &Path, continued: Continue, terms: &Terms) -> Result<Self, Error> {
        let pending = Pending::new(path)?;
        let there = continued == Continue::Yes && path.metadata().is_ok_and(|metadata| metadata.len() > 0);
        let known = if there { Some(file::read(path)?) } else { None };
        if let Some(known) = &known {
            check_terms(&path.display().to_string(), &known.terms, THIS_RUN, terms)?;
        }
        Ok(Self { path: path.to_owned(), continued, known, pending })
    }

    /// Where it goes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves out the files that are in the state.
    ///
    /// # Errors
    /// A file that has changed since, or a pipe that nobody could tell from the one of yesterday.
    pub fn news(&self, found: News) -> Result<News, Error> {
        let refused = |message: String| Error::State { path: self.path.display().to_string(), message };
        let inputs = self.known.iter().flat_map(|state| &state.ledger.inputs);
        let known = inputs.filter_map(|input| input.identity.as_ref());
        let paths: HashMap<&str, &Identity> =
            known.clone().map(|identity| (identity.path.as_str(), identity)).collect();
        let copies: HashSet<_> = known.map(Identity::likeness).collect();
        let mut news = News::default();
        for (source, identity) in found.sources.into_iter().zip(found.identities) {
            let Some(own) = &identity else {
                if self.continued == Continue::Yes {
                    return Err(refused(format!(
                        "{} is a pipe, and a state cannot tell whether it has a pipe's records already; give the files, \
                         or write a state of its own with --save-state and merge it",
                        source.name
                    )));
                }
                news.sources.push(source);
                news.identities.push(identity);
                continue;
            };
            match paths.get(own.path.as_str()) {
                Some(known) if known.has_changed(own) => {
                    return Err(refused(format!(
                        "{} has changed since it was counted ({} bytes then, {} now); its records cannot be taken out \
                         again, so make the state again from all logs",
                        source.name, known.bytes, own.bytes
                    )));
                }
                Some(_) => {}
                None if copies.contains(&own.likeness()) => {}
                None => {
                    news.sources.push(source);
                    news.identities.push(identity);
                }
            }
        }
        Ok(news)
    }

    /// Puts what the run counted beside what was known, and writes it. The run's state has the snapshots of both.
    ///
    /// # Errors
    /// The two do not add up, or the file cannot be written.
    pub fn save(self, fresh: State) -> Result<Merged, Error> {
        let Self { path, known, pending, .. } = self;
        let name = path.display().to_string();
        let nothing_new = known.as_ref().is_some_and(|known| {
            fresh.ledger.inputs.is_empty()
                && fresh.ledger.failures.is_subset(&known.ledger.failures)
                && fresh.snapshots == known.snapshots
        });
        let known = known.map(|state| Part { name, state, counted: Counted::Alone });
        let fresh = Part { name: THIS_RUN.to_owned(), state: fresh, counted: Counted::KnowingAll };
        let merged = merge::merge(known.into_iter().chain([fresh]).collect())?;
        if !nothing_new {
            pending.commit(&merged.state, &merged.timeline)?;
        }
        Ok(merged)
    }
}

//! What a run, or several runs together, counted, and in which files: all that a report needs besides rules and settings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::ingest::object::Object;
use crate::ingest::source::Location;
use crate::ingest::{LeftOut, Place, RowFault, Source};
use crate::pipeline::Outcome;
use crate::report::Failure;
use crate::tally::Tally;
use crate::tally::coverage::{Deliveries, FaultCount};
use crate::tally::flow_logs::FlowLogs;
use crate::tally::selection::{self, Selection};

/// What was counted, of which files. Records that wait for the whole input still wait.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Log files, by name.
    pub inputs: Vec<Input>,
    /// What could not be read, or not to its end.
    pub failures: BTreeSet<Failure>,
    /// Malformed rows: how many, and where the first stands. Those of the tally are empty.
    pub faults: BTreeMap<RowFault, NamedFault>,
    /// The flow logs that the tally numbers.
    pub flow_logs: FlowLogs,
    /// What each flow log delivered by the first pass over the files, of interfaces where that is not what was counted.
    pub first_pass: BTreeMap<Box<[u8]>, Deliveries>,
    /// What this run did not read. A state does not say it: another run may have.
    pub left_out: LeftOut,
    /// Everything else. Not settled.
    pub tally: Tally,
}

/// One log file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// The path as the user gave it.
    pub name: String,
    /// What tells it from other files; None: a pipe.
    pub identity: Option<Identity>,
    /// How reading ended.
    pub reading: Reading,
}

/// What tells a file from other files, and from itself after a change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// Absolute, without links.
    pub path: String,
    /// Size as stored.
    pub bytes: u64,
    /// When it was last written, in nanoseconds since 1970.
    pub modified: i64,
    /// Of an object in a store.
    pub etag: Option<String>,
}

/// How reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    /// At the end of the file.
    Whole,
    /// Before it, or it never began.
    Failed,
}

/// Malformed rows of one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFault {
    /// How often.
    pub count: u64,
    /// Where first: the file, and the place in it.
    pub first: (String, Place),
}

/// Base name, size, time and, of an object, its version.
pub type Likeness<'a> = (&'a str, u64, i64, Option<&'a str>);

impl Identity {
    /// The identity of the file behind a source, as it is now.
    pub fn of(source: &Source) -> Option<Self> {
        if let Location::Object(Object { bytes, etag, modified, .. }) = &source.location {
            let path = source.name.clone();
            return Some(Self { path, bytes: *bytes, modified: *modified, etag: etag.clone() });
        }
        let path = source.path().filter(|_| !source.is_pipe())?;
        let metadata = path.metadata().ok();
        let modified = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
        let since_1970 = modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
        Some(Self {
            path: path.canonicalize().as_deref().unwrap_or(path).to_string_lossy().into_owned(),
            bytes: metadata.map_or(source.bytes, |metadata| metadata.len()),
            modified: since_1970.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0),
            etag: None,
        })
    }

    /// Name, size and time: what a copy keeps. Objects have times of whole seconds, and something better.
    pub fn likeness(&self) -> Likeness<'_> {
        let name = Path::new(&self.path).file_name().and_then(|name| name.to_str()).unwrap_or(&self.path);
        (name, self.bytes, self.modified, self.etag.as_deref())
    }

    /// Whether it was written again since it was looked at as `other`.
    pub fn has_changed(&self, other: &Self) -> bool {
        match (&self.etag, &other.etag) {
            // Its storage may change, and its time with it; what is in it does not.
            (Some(own), Some(other_etag)) => (self.bytes, own) != (other.bytes, other_etag),
            _ => (self.bytes, self.modified, &self.etag) != (other.bytes, other.modified, &other.etag),
        }
    }
}

impl Ledger {
    /// What reading these sources left. `identities` are theirs from before they were read, `first_pass` is what the
    /// first pass showed.
    pub fn of(
        sources: &[Source],
        identities: Vec<Option<Identity>>,
        flow_logs: FlowLogs,
        outcome: Outcome,
        first_pass: BTreeMap<Box<[u8]>, Deliveries>,
    ) -> Self {
        let failed: BTreeSet<&str> = outcome.failures.iter().map(|failure| failure.file.as_str()).collect();
        let input = |(source, identity): (&Source, Option<Identity>)| Input {
            name: source.name.clone(),
            identity,
            reading: if failed.contains(source.name.as_str()) { Reading::Failed } else { Reading::Whole },
        };
        let mut inputs: Vec<Input> = sources.iter().zip(identities).map(input).collect();
        inputs.sort();
        let mut tally = outcome.tally;
        let faults = std::mem::take(&mut tally.faults);
        let places = std::mem::take(&mut tally.places);
        let name = |file: u32| sources.get(file as usize).map(|source| source.name.clone());
        let named = |(fault, count): (RowFault, FaultCount)| {
            let (file, part, place) = count.first;
            let before: u64 = places.range((file, 0)..(file, part)).map(|(_, places)| places).sum();
            let place = match place {
                Place::Line(line) => Place::Line(before + line),
                Place::Row(row) => Place::Row(before + row),
            };
            (fault, NamedFault { count: count.count, first: (name(file).unwrap_or_default(), place) })
        };
        let faults = faults.into_iter().map(named).collect();
        let failures = outcome.failures.into_iter().collect();
        Self { inputs, failures, faults, flow_logs, first_pass, left_out: LeftOut::default(), tally }
    }

    /// Files that were read to the end.
    pub fn files_read(&self) -> u64 {
        self.inputs.iter().filter(|input| input.reading == Reading::Whole).count() as u64
    }

    /// What each flow log delivered of each interface by the first pass over the files.
    pub fn deliveries(&self) -> impl Iterator<Item = (&[u8], &Deliveries)> {
        let counted = selection::deliveries(&self.tally);
        counted.map(|(id, counted)| (id, self.first_pass.get(id).unwrap_or(counted)))
    }

    /// Which flow log counts where several deliver the same interface; `preferred` are ids, best first.
    pub fn selection(&self, preferred: &[String]) -> Selection {
        Selection::of(self.deliveries(), &self.flow_logs.numbers(preferred))
    }

    /// Numbers the flow logs as these do, which have all of them.
    #[must_use]
    pub fn renumbered(mut self, flow_logs: &FlowLogs) -> Self {
        let number = |old: u32| flow_logs.number(self.flow_logs.name(old)).unwrap_or(0);
        let moved = |deliveries: Deliveries| -> Deliveries {
            deliveries.into_iter().map(|(old, delivery)| (number(old), delivery)).collect()
        };
        for interface in &mut self.tally.interfaces {
            interface.deliveries = moved(std::mem::take(&mut interface.deliveries));
            let left_out = std::mem::take(&mut interface.left_out);
            interface.left_out = left_out.into_iter().map(|(old, records)| (number(old), records)).collect();
        }
        self.first_pass =
            std::mem::take(&mut self.first_pass).into_iter().map(|(id, old)| (id, moved(old))).collect();
        self.flow_logs = flow_logs.clone();
        self
    }

    /// Takes in what was counted in other files, by the same rules and settings and under the same numbers.
    pub fn merge(&mut self, other: Self) {
        self.merge_first_pass(&other);
        self.inputs.extend(other.inputs);
        self.inputs.sort();
        self.failures.extend(other.failures);
        for (fault, theirs) in other.faults {
            match self.faults.get_mut(&fault) {
                Some(ours) => {
                    ours.count += theirs.count;
                    if theirs.first < ours.first {
                        ours.first = theirs.first;
                    }
                }
                None => {
                    self.faults.insert(fault, theirs);
                }
            }
        }
        self.tally.merge(other.tally);
    }

    /// Where either side's first pass showed something else than was counted, both sides' say what it showed.
    fn merge_first_pass(&mut self, other: &Self) {
        let ids: BTreeSet<Box<[u8]>> =
            self.first_pass.keys().chain(other.first_pass.keys()).cloned().collect();
        if ids.is_empty() {
            return;
        }
        let of = |ledger: &Self| -> BTreeMap<Box<[u8]>, Deliveries> {
            let known = ledger.deliveries().filter(|(id, _)| ids.contains(*id));
            known.map(|(id, deliveries)| (id.into(), deliveries.clone())).collect()
        };
        let mut sums = of(self);
        for (id, deliveries) in of(other) {
            let sum = sums.entry(id).or_default();
            for (flow_log, delivery) in deliveries {
                sum.entry(flow_log).or_default().merge(&delivery);
            }
        }
        self.first_pass = sums;
    }
}

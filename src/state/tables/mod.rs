//! The rows of a state, table by table: each file here writes some of them and reads them back.
//!
//! Everything that is numbered within a run is written as what the number stands for, or renumbered in an order of its
//! own, and rows are sorted: the same state is the same bytes, whichever runs it came from.

mod blocked;
mod coverage;
mod rules;
mod sources;
mod tracks;
mod usage;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use hashbrown::HashMap;
use parquet::errors::ParquetError;

use super::State;
use super::columns::{Row, Sheet, Text};
use super::terms::Terms;
use super::words::{id_bytes, id_text};
use crate::attribution::sets::SetId;
use crate::ledger::Ledger;
use crate::rules::timeline::Timeline;
use crate::tally::Tally;
use crate::tally::coverage::InterfaceTally;
use crate::tally::watch::{Exposure, PortWatch};

/// Writes every row of a state. `timeline` is that of its snapshots.
pub(super) fn write<W: Write + Send>(
    state: &State,
    timeline: &Timeline,
    sheet: &mut Sheet<W>,
) -> Result<(), ParquetError> {
    let names = Names::of(state);
    rules::write(state, timeline, &names, sheet)?;
    sources::write(&state.ledger, sheet)?;
    coverage::write(&state.ledger, &names, sheet)?;
    usage::write(&state.ledger.tally, &names, sheet)?;
    tracks::write(&state.ledger.tally, &names, sheet)?;
    blocked::write(&state.ledger.tally, &names, sheet)
}

/// What the numbers of a run are called in its state.
struct Names {
    /// Interface slots, by id.
    slots: Vec<u32>,
    /// By slot: the id as text.
    interfaces: Vec<String>,
    /// Sets that are in use, by their rules.
    sets: Vec<SetId>,
    /// By set: its number in the state. The empty one is 0.
    set_numbers: HashMap<SetId, i64>,
    exposures: BTreeMap<Exposure, String>,
}

impl Names {
    fn of(state: &State) -> Self {
        let tally = &state.ledger.tally;
        let ids = tally.slots.ids();
        let mut slots: Vec<u32> = (0..).zip(ids).map(|(slot, _)| slot).collect();
        slots.sort_by_key(|slot| &ids[*slot as usize]);
        let usage = tally.usage.keys().flat_map(|key| [key.forward, key.reply]);
        let waiting = tally.waiting.rows().flat_map(|row| [row.key.forward, row.key.reply]);
        let tracks = tally.tracks.sets();
        let used: BTreeSet<SetId> =
            usage.chain(waiting).chain(tracks).filter(|set| *set != SetId::EMPTY).collect();
        let mut sets: Vec<SetId> = used.into_iter().collect();
        sets.sort_by_key(|set| tally.sets.rules(*set));
        let numbers = sets.iter().copied().zip(1..).chain([(SetId::EMPTY, 0)]);
        // The terms were checked when they came in; a watch that cannot be has no names.
        let exposures = PortWatch::new(state.terms.settings.profile.services());
        Self {
            slots,
            interfaces: ids.iter().map(|id| id_text(id).into_owned()).collect(),
            set_numbers: numbers.collect(),
            sets,
            exposures: exposures.map(|watch| watch.exposures().collect()).unwrap_or_default(),
        }
    }

    fn interface(&self, slot: u32) -> &str {
        &self.interfaces[slot as usize]
    }

    fn set(&self, set: SetId) -> i64 {
        self.set_numbers.get(&set).copied().unwrap_or_default()
    }

    fn exposure(&self, exposure: Exposure) -> &str {
        self.exposures.get(&exposure).map(String::as_str).unwrap_or_default()
    }
}

/// A state that is being read, row by row.
#[derive(Debug)]
pub(super) struct Loading {
    terms: Terms,
    exposures: HashMap<String, Exposure>,
    rules: rules::Loading,
    blocked: blocked::Loading,
    ledger: Ledger,
}

impl Loading {
    /// A state of these terms, without a row so far.
    pub(super) fn new(terms: Terms) -> Result<Self, String> {
        let watch = PortWatch::new(terms.settings.profile.services()).map_err(|error| error.to_string())?;
        Ok(Self {
            terms,
            exposures: watch.exposures().map(|(exposure, name)| (name, exposure)).collect(),
            rules: rules::Loading::default(),
            blocked: blocked::Loading::default(),
            ledger: Ledger::default(),
        })
    }

    /// Takes in one row.
    pub(super) fn read(&mut self, row: Row<'_>) -> Result<(), String> {
        let table = row.text(Text::Table)?;
        let read = match table {
            "snapshot" => self.rules.snapshot(row),
            "object" => self.rules.object(row),
            "watched" => self.rules.watched(row),
            "change" => self.rules.change(row),
            "document" => self.rules.document(row),
            "rule" => self.rules.rule(row),
            "set" => self.rules.set(row),
            "near" => self.near(row),
            "input" => self.input(row),
            "failure" => self.failure(row),
            "fault" => self.fault(row),
            "flow_log" => self.flow_log(row),
            "count" => self.count(row),
            "interface" => self.interface(row),
            "hours" => self.hours(row),
            "stray" => self.stray(row),
            "left_out" => self.left_out(row),
            "delivery" => self.delivery(row),
            "delivery_time" => self.delivery_time(row),
            "usage" => self.usage(row),
            "waiting" => self.waiting(row),
            "service" => self.service(row),
            "volume" => self.volume(row),
            "day" => self.day(row),
            "seen" => self.seen(row),
            "blocked" => self.blocked(row),
            "peer" => self.blocked.peer(row),
            _ => return Err(row.unknown(Text::Table)),
        };
        read.map_err(|why| format!("table {table}: {why}"))
    }

    /// The state, once every row is in.
    pub(super) fn finish(mut self) -> Result<State, String> {
        let tally = &mut self.ledger.tally;
        self.blocked.finish(&mut tally.blocked)?;
        tally.waiting.fit();
        tally.tracks.fit();
        let snapshots = self.rules.finish(tally)?;
        Ok(State { terms: self.terms, snapshots, ledger: self.ledger })
    }

    /// The slot of the interface that a row is about.
    fn slot(&self, row: Row<'_>) -> Result<u32, String> {
        let text = row.text(Text::Interface)?;
        let slot = id_bytes(text).and_then(|id| self.ledger.tally.slots.known(&id));
        slot.ok_or_else(|| format!("interface: \"{text}\" is not in the table of interfaces"))
    }

    fn tally_of(&mut self, row: Row<'_>) -> Result<&mut InterfaceTally, String> {
        let slot = self.slot(row)?;
        Ok(&mut self.ledger.tally.interfaces[slot as usize])
    }

    fn exposure(&self, row: Row<'_>, column: Text) -> Result<Exposure, String> {
        self.exposures.get(row.text(column)?).copied().ok_or_else(|| row.unknown(column))
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.ledger.tally
    }
}

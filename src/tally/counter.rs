//! The sink of the product: takes flows from a reader, has them judged, and tallies them.
//!
//! Nearly every record is between IPv4 addresses, on a known interface, and in a situation that was met before: it is
//! credited by what was judged then (`Counter::v4`). All others are judged one by one (`Counter::alone`).

mod alone;
mod by_situation;
mod by_state;
mod inquire;
mod replay;
mod today;

use std::sync::atomic::{AtomicU64, Ordering};

use super::Tally;
use super::blocked::{self, Refused};
use super::cells::{Cells, KindNumber, usage_key};
use super::changes::Proposed;
use super::coverage::{Delivery, FaultCount, InterfaceTally, add_fault};
use super::credit::Span;
use super::hours::RecentHours;
use super::inquiry::{Asking, EndingNumber};
use super::selection::Selection;
use super::tracks::Recent;
use super::watch::{Exposure, PortWatch};
use crate::attribution::index::{Index, InterfaceNumber, MayWait, Origin};
use crate::attribution::judge::{Judge, Role};
use crate::attribution::refusal::Refusal;
use crate::attribution::sets::SetId;
use crate::attribution::situation::{SIDE_BY_SIDE, Situation};
use crate::flow::{Flow, InterfaceHandle, Seconds, V4Flow, V4Record};
use crate::ingest::{Misread, Place, Sink};
use crate::rules::timeline::{Placement, Timeline};
use crate::time::Window;
use crate::word_table::WordTable;
use by_state::Queues;
use replay::Replay;
use today::{Today, TrackPair, TrackWord};

/// What a run judges by: shared by all workers.
#[derive(Debug)]
pub struct Brief<'a> {
    /// The states.
    pub timeline: &'a Timeline,
    /// The states, compiled.
    pub index: &'a Index,
    /// Ports whose exposure is kept apart.
    pub watch: &'a PortWatch,
    /// Records that start outside do not count.
    pub window: Window,
    /// Which flow log counts where several deliver the same interface.
    pub selection: &'a Selection,
    /// Which services are counted.
    pub services: Services,
    /// Bytes and records so far, for the progress bar.
    pub progress: &'a Progress,
    /// What the records are held against besides.
    pub proposed: Option<&'a Proposed<'a>>,
    /// Which records are looked into one by one.
    pub asking: Option<&'a Asking<'a>>,
}

/// Where the ports that decided records show as services are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Services {
    /// On interfaces where, by the snapshots at hand, records may wait for them.
    WhereNeeded,
    /// On all: the tally may be merged with one that knows another snapshot.
    Everywhere,
}

/// How far a run is; only ever shown.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes as stored.
    pub bytes: AtomicU64,
    /// Records.
    pub records: AtomicU64,
}

/// What was found of the records of a situation.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// ACCEPTs: how they are credited.
    Credit {
        kind: KindNumber,
        exposure: Exposure,
        /// The role that tells the service port, where the exposure depends on it: some records are of another kind then.
        exposed_by: Option<Role>,
        /// The same, where that port is shown as a service (line 5).
        shows: Option<Role>,
        tracks: TrackWord,
    },
    /// ACCEPTs that wait for the whole input: the place of their two sets in [`Counter::waiting`].
    Waiting(u32),
    /// REJECTs, but for the network ACL.
    Refused(Refusal),
    /// Other states have to be asked, and they may know the interface in other ways.
    Alone,
}

/// What records that wait have in common.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    forward: SetId,
    reply: SetId,
    tracks: TrackPair,
}

/// What is kept of an interface of the snapshots where every record finds it.
#[derive(Debug, Clone)]
struct Seen {
    /// [`NO_SLOT`]: no record has come yet.
    slot: u32,
    may_wait: MayWait,
    /// Hours covered of late.
    hours: RecentHours,
}

/// Records of an interface of the snapshots that no cell holds. They are few, so that they stand apart.
#[derive(Debug, Clone, Copy, Default)]
struct Uncelled {
    accepted: u64,
    rejected: u64,
    span: Span,
}

const NO_SLOT: u32 = u32::MAX;

impl Seen {
    const NOTHING: Self = Self { slot: NO_SLOT, may_wait: MayWait::NEVER, hours: RecentHours::NONE };
}

/// The state that judges records of some time, as far as `--since` and `--until` let them.
#[derive(Debug, Clone, Copy)]
struct Now {
    from: Seconds,
    until: Seconds,
    state: usize,
    placement: Placement,
}

impl Now {
    /// No time at all.
    const NEVER: Self = Self { from: 0, until: 0, state: 0, placement: Placement::Undated };

    #[inline(always)]
    fn holds(&self, start: Seconds) -> bool {
        (self.from <= start) & (start < self.until)
    }
}

/// One worker's tally in the making.
#[derive(Debug)]
pub struct Counter<'a> {
    brief: &'a Brief<'a>,
    judge: Judge<'a>,
    tally: Tally,
    /// Situations met before: their places in `known`.
    situations: WordTable,
    known: Vec<(Situation, Known)>,
    waiting: Vec<Waiting>,
    /// Tracks of situations that are undecided: see [`TrackWord`].
    undecided: Vec<TrackPair>,
    /// By place in `known`: how the records end, of which an investigation asked for some.
    endings: Vec<Option<EndingNumber>>,
    cells: Cells,
    now: Now,
    today: Today,
    recent: Recent,
    /// By number.
    seen: Vec<Seen>,
    /// By number.
    uncelled: Vec<Uncelled>,
    /// By number: whether it has a slot. Asked of every record, so it is kept small.
    listed: Vec<bool>,
    /// By slot. None: no snapshot has the interface.
    numbers: Vec<Option<InterfaceNumber>>,
    /// Records yet to be judged.
    queues: Queues,
    /// Refused ones, judged and yet to be counted.
    refused: Vec<Refused>,
    /// Whether records may come by [`Sink::v4`].
    quick: bool,
    /// By slot: what came by [`Sink::v4`] from the present flow log, where that is asked.
    delivered: Vec<Delivery>,
    file: u32,
    part: u32,
    flow_log: u32,
    unshown: u64,
    replay: Option<Box<Replay<'a>>>,
}

impl<'a> Counter<'a> {
    /// An empty counter.
    pub fn new(brief: &'a Brief<'a>) -> Self {
        Self {
            brief,
            judge: Judge::new(brief.timeline, brief.index),
            tally: Tally::default(),
            situations: WordTable::default(),
            known: Vec::new(),
            waiting: Vec::new(),
            undecided: Vec::new(),
            endings: Vec::new(),
            cells: Cells::of(brief.index),
            now: Now::NEVER,
            today: Today::NEVER,
            recent: Recent::default(),
            seen: vec![Seen::NOTHING; brief.index.interfaces()],
            uncelled: vec![Uncelled::default(); brief.index.interfaces()],
            listed: vec![false; brief.index.interfaces()],
            numbers: Vec::new(),
            queues: Queues::default(),
            refused: Vec::with_capacity(blocked::GATHERED),
            quick: brief.selection.is_empty(),
            delivered: Vec::new(),
            file: 0,
            part: 0,
            flow_log: 0,
            unshown: 0,
            replay: brief.proposed.map(|proposed| Box::new(Replay::new(proposed))),
        }
    }

    /// What follows is part `part` of file `file`, delivered by flow log `flow_log` (0: not known).
    pub fn begin(&mut self, file: u32, part: u32, flow_log: u32) {
        if flow_log != self.flow_log {
            self.credit_queues();
            self.note_deliveries();
        }
        (self.file, self.part, self.flow_log) = (file, part, flow_log);
    }

    /// The part has so many lines or rows.
    pub fn end(&mut self, places: u64) {
        self.tally.places.insert((self.file, self.part), places);
    }

    /// The tally.
    pub fn finish(mut self) -> Tally {
        self.credit_queues();
        self.note_refused();
        self.note_deliveries();
        self.end_day();
        self.empty_cells();
        let met = self.seen.iter_mut().zip(&self.uncelled).filter(|(seen, _)| seen.slot != NO_SLOT);
        for (seen, Uncelled { accepted, rejected, span }) in met {
            let interface = &mut self.tally.interfaces[seen.slot as usize];
            seen.hours.turn(0, &mut interface.hours);
            interface.accepted += accepted;
            interface.rejected += rejected;
            interface.span.merge(*span);
            self.tally.records.accepted += accepted;
            self.tally.records.rejected += rejected;
            self.tally.window.merge(*span);
        }
        self.tally.blocked.fit();
        self.tally.inquiry.finish();
        self.tally.sets = std::mem::take(&mut self.judge.sets);
        self.tally
    }

    /// What cells hold goes to the tally.
    fn empty_cells(&mut self) {
        let (brief, tally, sets, seen) = (self.brief, &mut self.tally, &self.judge.sets, &self.seen);
        self.cells.empty(brief.index, |lineage, kind, credit| {
            let (number, origin) = brief.index.lineage(lineage);
            for rule in sets.rules(kind.near) {
                *tally.near.entry(*rule).or_default() += credit.records;
            }
            tally.outcomes.add(kind.verdict, credit.records);
            if origin == Origin::Neighbour {
                tally.outcomes.interface_from_neighbour += credit.records;
            }
            let slot = seen[number.index()].slot;
            let interface = &mut tally.interfaces[slot as usize];
            interface.accepted += credit.records;
            interface.span.merge(credit.span);
            tally.records.accepted += credit.records;
            tally.window.merge(credit.span);
            if let Some(key) = usage_key(slot, kind.verdict, kind.exposure) {
                tally.usage.entry(key).or_default().merge(&credit);
            }
        });
    }

    /// What the present flow log delivered goes to its interfaces.
    fn note_deliveries(&mut self) {
        for (delivery, interface) in self.delivered.iter_mut().zip(&mut self.tally.interfaces) {
            if delivery.records() > 0 {
                let deliveries = interface.deliveries.entry(self.flow_log).or_default();
                deliveries.merge(&std::mem::take(delivery));
            }
        }
    }

    fn is_outside(&self, start: Seconds) -> bool {
        self.brief.window.excludes(start, start)
    }

    fn slot(&mut self, id: &[u8]) -> u32 {
        let slot = self.tally.slots.slot(id);
        if slot as usize == self.numbers.len() {
            let number = self.brief.index.number(id);
            if let Some(number) = number {
                self.listed[number.index()] = true;
                let seen = &mut self.seen[number.index()];
                seen.slot = slot;
                seen.may_wait = match self.brief.services {
                    Services::WhereNeeded => self.brief.index.may_wait(number),
                    Services::Everywhere => MayWait::ALWAYS,
                };
            }
            self.numbers.push(number);
            self.tally.interfaces.push(InterfaceTally::default());
        }
        slot
    }
}

impl Sink for Counter<'_> {
    fn flow(&mut self, flow: &Flow<'_>) {
        if let Some(v4) = V4Flow::of(flow)
            && let Some(interface) = self.interface(flow.interface_id)
        {
            self.gather(&V4Record { interface, flow: v4 });
            return;
        }
        if flow.start.is_some_and(|start| self.is_outside(start)) {
            self.outside(1);
        } else {
            self.unshown += 1;
            self.alone(flow);
        }
    }

    #[inline]
    fn interface(&mut self, interface_id: &[u8]) -> Option<InterfaceHandle> {
        if !self.quick {
            return None;
        }
        // An interface that no snapshot has is listed only if a record of it counts.
        let number = self.brief.index.number(interface_id)?;
        if !self.listed[number.index()] {
            self.slot(interface_id);
        }
        Some(number.handle())
    }

    #[inline]
    fn v4(&mut self, records: &[V4Record]) {
        for records in records.chunks(SIDE_BY_SIDE) {
            if records.iter().fold(true, |all, record| all & self.now.holds(record.flow.start)) {
                self.credit_together(records);
            } else {
                for record in records {
                    self.gather(record);
                }
            }
        }
    }

    fn fault(&mut self, Misread { fault, start }: Misread, place: Place) {
        if start.is_some_and(|start| self.is_outside(start)) {
            self.outside(1);
            return;
        }
        let first = (self.file, self.part, place);
        add_fault(&mut self.tally.faults, fault, FaultCount { count: 1, first });
    }

    fn outside(&mut self, rows: u64) {
        self.unshown += rows;
        self.tally.records.outside_window += rows;
    }

    fn unwanted(&mut self, rows: u64) {
        self.unshown += rows;
        self.tally.inquiry.unread += rows;
    }

    fn consumed(&mut self, bytes: u64) {
        self.brief.progress.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.brief.progress.records.fetch_add(std::mem::take(&mut self.unshown), Ordering::Relaxed);
    }
}

//! The sink of the product: takes flows from a reader, has them judged, and tallies them.

use std::sync::atomic::{AtomicU64, Ordering};

use super::blocked::BlockedKey;
use super::coverage::{FaultCount, InterfaceTally, add_fault, note};
use super::selection::Selection;
use super::waiting::{ServiceKey, WaitingKey, service_end};
use super::watch::PortWatch;
use super::{Tally, UsageKey};
use crate::attribution::Basis;
use crate::attribution::index::{Index, InterfaceNumber, MayWait};
use crate::attribution::judge::{Judge, Judgement, Role, Verdict};
use crate::attribution::sets::SetId;
use crate::flow::{Action, Entry, Flow, Seconds, Traffic};
use crate::ingest::{Place, RowFault, Sink};
use crate::rules::timeline::{Placement, Timeline};

/// What a run judges by: shared by all workers.
#[derive(Debug)]
pub struct Brief<'a> {
    /// The states.
    pub timeline: &'a Timeline,
    /// The states, compiled.
    pub index: &'a Index,
    /// Ports whose exposure is kept apart.
    pub watch: &'a PortWatch,
    /// `--since`: records that start earlier are outside.
    pub since: Option<Seconds>,
    /// `--until`: records that start then or later are outside.
    pub until: Option<Seconds>,
    /// Which flow log counts where several deliver the same interface.
    pub selection: &'a Selection,
    /// Which services are counted.
    pub services: Services,
    /// Bytes and records so far, for the progress bar.
    pub progress: &'a Progress,
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

/// One worker's tally in the making.
#[derive(Debug)]
pub struct Counter<'a> {
    brief: &'a Brief<'a>,
    judge: Judge<'a>,
    tally: Tally,
    /// By slot: the number the index knows the interface by.
    numbers: Vec<Option<InterfaceNumber>>,
    /// By slot: whether its records may wait, so that services must be counted.
    may_wait: Vec<MayWait>,
    file: u32,
    part: u32,
    flow_log: u32,
    unshown: u64,
}

impl<'a> Counter<'a> {
    /// An empty counter.
    pub fn new(brief: &'a Brief<'a>) -> Self {
        Self {
            brief,
            judge: Judge::new(brief.timeline, brief.index),
            tally: Tally::default(),
            numbers: Vec::new(),
            may_wait: Vec::new(),
            file: 0,
            part: 0,
            flow_log: 0,
            unshown: 0,
        }
    }

    /// What follows is part `part` of file `file`, delivered by flow log `flow_log` (0: not known).
    pub fn begin(&mut self, file: u32, part: u32, flow_log: u32) {
        (self.file, self.part, self.flow_log) = (file, part, flow_log);
    }

    /// The part has so many lines or rows.
    pub fn end(&mut self, places: u64) {
        self.tally.places.insert((self.file, self.part), places);
    }

    /// The tally.
    pub fn finish(mut self) -> Tally {
        self.tally.sets = std::mem::take(&mut self.judge.sets);
        self.tally
    }

    fn is_outside(&self, flow: &Flow<'_>) -> bool {
        let Some(start) = flow.start else { return false };
        self.brief.since.is_some_and(|since| start < since)
            || self.brief.until.is_some_and(|until| start >= until)
    }

    fn slot(&mut self, id: &[u8]) -> u32 {
        let slot = self.tally.slots.slot(id);
        if slot as usize == self.numbers.len() {
            let number = self.brief.index.number(id);
            self.numbers.push(number);
            self.may_wait.push(match (number, self.brief.services) {
                (None, _) => MayWait::default(),
                (Some(number), Services::WhereNeeded) => self.brief.index.may_wait(number),
                (Some(_), Services::Everywhere) => MayWait::ALWAYS,
            });
            self.tally.interfaces.push(InterfaceTally::default());
        }
        slot
    }

    fn traffic(&mut self, slot: u32, flow: &Flow<'_>, traffic: &Traffic) {
        let number = self.numbers[slot as usize];
        let judgement = self.judge.judge(number, flow, traffic);
        let refused = traffic.action == Action::Reject;
        self.count_outcome(number, &judgement, refused);
        if let Verdict::Refused(cause) = judgement.verdict {
            let (direction, protocol) = (judgement.direction, traffic.protocol);
            let key = BlockedKey { interface: slot, direction, protocol, cause };
            self.tally.blocked.add(key, judgement.peer, flow, traffic);
        } else {
            if number.is_none() {
                self.note_stray(slot, flow, traffic);
            }
            for rule in &self.judge.near {
                *self.tally.near.entry(*rule).or_default() += 1;
            }
            self.credit(slot, &judgement, flow, traffic);
        }
    }

    fn count_outcome(&mut self, number: Option<InterfaceNumber>, judgement: &Judgement, refused: bool) {
        let outcomes = &mut self.tally.outcomes;
        let placement = judgement.placement;
        outcomes.before_first_snapshot += u64::from(placement == Some(Placement::BeforeFirst));
        outcomes.unknown_interface += u64::from(number.is_none());
        if judgement.no_group {
            outcomes.no_group += 1;
        } else if number.is_some() && judgement.direction.is_none() {
            outcomes.unknown_direction += 1;
        }
        if !refused {
            outcomes.undated += u64::from(placement == Some(Placement::Undated));
            outcomes.interface_from_neighbour += u64::from(judgement.from_neighbour);
            match judgement.verdict {
                Verdict::UnknownGroup => outcomes.unknown_group += 1,
                Verdict::Unexplained => outcomes.unexplained += 1,
                Verdict::Undecided { basis: None, .. } => outcomes.explained_by_neighbour += 1,
                Verdict::Decided { basis, .. } | Verdict::Undecided { basis: Some(basis), .. } => {
                    outcomes.add_basis(basis, 1);
                }
                _ => {}
            }
        }
    }

    fn credit(&mut self, slot: u32, judgement: &Judgement, flow: &Flow<'_>, traffic: &Traffic) {
        let Some(direction) = judgement.direction else { return };
        let watch = self.brief.watch;
        let exposure = |port| watch.exposure(judgement.peer, traffic.protocol, port);
        let key = match judgement.verdict {
            Verdict::Decided { role, set, basis } => {
                let (port, forward, reply) = match role {
                    Role::Forward => (traffic.dstport, set, SetId::EMPTY),
                    _ => (traffic.srcport, SetId::EMPTY, set),
                };
                let shows = matches!(basis, Basis::TcpFlags | Basis::Rules);
                if shows && self.may_wait[slot as usize].on(traffic.protocol) {
                    let end = service_end(role, direction);
                    let service = ServiceKey { interface: slot, protocol: traffic.protocol, port, end };
                    *self.tally.services.entry(service).or_default() += 1;
                }
                UsageKey { interface: slot, role, forward, reply, exposure: exposure(port) }
            }
            Verdict::Undecided { forward, reply, .. } => {
                let exposure = exposure(traffic.dstport).without_port();
                UsageKey { interface: slot, role: Role::Undecided, forward, reply, exposure }
            }
            Verdict::Waiting { forward, reply } => {
                let (local, remote) = match direction {
                    crate::flow::Direction::Ingress => (traffic.dstport, traffic.srcport),
                    crate::flow::Direction::Egress => (traffic.srcport, traffic.dstport),
                };
                let key = WaitingKey {
                    interface: slot,
                    protocol: traffic.protocol,
                    direction,
                    local,
                    remote,
                    forward,
                    reply,
                    exposure: (exposure(local), exposure(remote)),
                };
                self.tally.waiting.entry(key).or_default().add(flow, traffic);
                return;
            }
            _ => return,
        };
        self.tally.usage.entry(key).or_default().add(flow, traffic);
    }

    /// Where an interface that no snapshot knows may be, for the rules whose use it may hide.
    fn note_stray(&mut self, slot: u32, flow: &Flow<'_>, traffic: &Traffic) {
        let strays = &mut self.tally.interfaces[slot as usize].strays;
        if !flow.vpc_id.is_empty() {
            note(&mut strays.vpc_ids, flow.vpc_id);
            return;
        }
        let ends = [traffic.srcaddr, traffic.dstaddr];
        let mut found = false;
        for vpc in ends.iter().filter_map(|address| self.brief.index.vpc_of(*address)) {
            found = true;
            note(&mut strays.vpc_ids, vpc.as_bytes());
        }
        if !found {
            note(&mut strays.account_ids, flow.account_id);
        }
    }
}

impl Sink for Counter<'_> {
    fn flow(&mut self, flow: &Flow<'_>) {
        self.unshown += 1;
        if self.is_outside(flow) {
            self.tally.records.outside_window += 1;
            return;
        }
        let brief = self.brief;
        if brief.selection.leaves_out(flow, self.flow_log) {
            self.tally.records.duplicate += 1;
            if let Entry::Traffic(_) = flow.entry {
                let slot = self.slot(flow.interface_id);
                *self.tally.interfaces[slot as usize].left_out.entry(self.flow_log).or_default() += 1;
            }
            return;
        }
        let slot = self.slot(flow.interface_id);
        let interface = &mut self.tally.interfaces[slot as usize];
        interface.add(flow);
        if brief.selection.watches() {
            interface.deliveries.entry(self.flow_log).or_default().add(flow);
        }
        match &flow.entry {
            Entry::NoData => self.tally.records.no_data += 1,
            Entry::SkipData => self.tally.records.skip_data += 1,
            Entry::Traffic(traffic) => {
                match traffic.action {
                    Action::Accept => self.tally.records.accepted += 1,
                    Action::Reject => self.tally.records.rejected += 1,
                }
                self.tally.window.add(flow);
                self.traffic(slot, flow, traffic);
            }
        }
    }

    fn fault(&mut self, fault: RowFault, place: Place) {
        let first = (self.file, self.part, place);
        add_fault(&mut self.tally.faults, fault, FaultCount { count: 1, first });
    }

    fn consumed(&mut self, bytes: u64) {
        self.brief.progress.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.brief.progress.records.fetch_add(std::mem::take(&mut self.unshown), Ordering::Relaxed);
    }
}

//! Records in situations that were met before are credited by what was judged then.

use std::net::IpAddr;

use super::replay::{self, Asked, Case, Pair};
use super::{Counter, Known, Seen, Waiting};
use crate::attribution::index::{InterfaceNumber, Origin};
use crate::attribution::judge::{Role, Verdict};
use crate::attribution::refusal::{Packet, Refusal};
use crate::attribution::situation::{SIDE_BY_SIDE, Situated, Situation};
use crate::flow::{Action, V4Flow, V4Record};
use crate::rules::timeline::Placement;
use crate::tally::blocked::{self, BlockedKey, Refused};
use crate::tally::cells::{Added, CellPlace, Flags, Kind, KindNumber, denied_key, shows};
use crate::tally::coverage::Delivery;
use crate::tally::scope::{self, PeerScope};

/// Situations remembered, at most; then all are forgotten, which costs time and nothing else.
const MOST_SITUATIONS: usize = 1 << 20;

/// Which of the gathered records go to which cells.
struct Credits {
    all: [(usize, KindNumber, CellPlace); SIDE_BY_SIDE],
    len: usize,
}

impl Default for Credits {
    fn default() -> Self {
        Self { all: [Default::default(); SIDE_BY_SIDE], len: 0 }
    }
}

impl Credits {
    #[inline(always)]
    fn push(&mut self, at: usize, kind: KindNumber, place: CellPlace) {
        if let Some(next) = self.all.get_mut(self.len) {
            *next = (at, kind, place);
            self.len += 1;
        }
    }
}

impl Counter<'_> {
    /// Judges and credits records of the present state, up to [`SIDE_BY_SIDE`] of them.
    ///
    /// One thing after the other for all of them: each look-up is a walk to another part of memory, and side by side
    /// they wait for it together.
    pub(super) fn credit_together(&mut self, records: &[V4Record]) {
        if records.is_empty() {
            return;
        }
        if self.known.len() >= MOST_SITUATIONS {
            self.situations.clear();
            self.known.clear();
            self.waiting.clear();
            self.undecided.clear();
            self.endings.clear();
        }
        if self.cells.are_full() {
            self.empty_cells();
        }
        self.unshown += records.len() as u64;
        let mut situated = [Situated::ALONE; SIDE_BY_SIDE];
        self.brief.index.situate(self.now.state, records, &mut situated);
        let mut found = [None; SIDE_BY_SIDE];
        for (situated, found) in situated[..records.len()].iter().zip(&mut found) {
            *found = self.place(situated.situation);
        }
        let mut credits = Credits::default();
        for (at, V4Record { interface, flow }) in records.iter().enumerate() {
            let number = InterfaceNumber::of(*interface);
            let known = match found[at] {
                Some(found) => self.known[found as usize].1,
                None => self.find_out(number, &situated[at], flow),
            };
            if let Some(kind) = self.settle(number, flow, &situated[at], known) {
                let lineage = situated[at].lineage;
                let place = self.cells.place(lineage, kind).unwrap_or_else(|| {
                    // Cells are about to move.
                    self.add(records, &situated, &std::mem::take(&mut credits));
                    self.cells.grow(self.brief.index, lineage, kind)
                });
                credits.push(at, kind, place);
            }
        }
        self.add(records, &situated, &credits);
        if self.replay.is_some() {
            self.replay_together(records, &situated);
        }
        if let Some(asking) = self.brief.asking {
            self.inquire_together(asking, records, &situated, &found);
        }
    }

    /// Holds records against the proposal too, as far as they have a situation.
    fn replay_together(&mut self, records: &[V4Record], situated: &[Situated; SIDE_BY_SIDE]) {
        let Some(mut replay) = self.replay.take() else { return };
        let state = self.now.state;
        let mut then = [Situated::ALONE; SIDE_BY_SIDE];
        replay.situate(state, records, &mut then);
        for ((record, now), then) in records.iter().zip(situated).zip(&then) {
            let same_way = then.direction == now.direction;
            let then = if same_way { then.situation } else { Situation::NONE };
            let pair = Pair { now: now.situation, then };
            if now.situation == Situation::NONE || replay.changes_nothing(pair) {
                continue;
            }
            let number = InterfaceNumber::of(record.interface);
            let Some(judged) = self.judged(now) else { continue };
            let (flow, traffic) = (record.flow.flow(), record.flow.traffic());
            let case = Case {
                slot: self.seen[number.index()].slot,
                number,
                state,
                direction: now.direction,
                peer: IpAddr::V4(now.peer.into()),
                flow: &flow,
                traffic: &traffic,
            };
            let mut asked = Asked {
                index: self.brief.index,
                sets: &mut self.judge.sets,
                changes: &mut self.tally.changes,
            };
            replay.take(pair, judged, &case, &mut asked);
        }
        self.replay = Some(replay);
    }

    /// What was found of a situation; None: its records are judged one by one.
    pub(super) fn judged(&self, situated: &Situated) -> Option<replay::Now> {
        let place = self.place(situated.situation)?;
        Some(match self.known[place as usize].1 {
            Known::Credit { kind, .. } => {
                let family = self.brief.index.family_of(situated.lineage);
                replay::Now::Verdict(self.cells.verdict(family, kind))
            }
            Known::Waiting(sets) => {
                let Waiting { forward, reply, .. } = self.waiting[sets as usize];
                replay::Now::Verdict(Verdict::Waiting { forward, reply })
            }
            Known::Refused(refusal) => replay::Now::Refused(refusal),
            Known::Alone => return None,
        })
    }

    /// Adds records to their cells.
    #[inline(always)]
    fn add(&mut self, records: &[V4Record], situated: &[Situated], credits: &Credits) {
        for (at, kind, place) in &credits.all[..credits.len] {
            let flow = &records[*at].flow;
            if self.cells.add(*place, flow) == Added::DoesNotFit {
                self.cells.spill(self.brief.index, situated[*at].lineage, *kind, *place, flow);
            }
        }
    }

    #[inline(always)]
    pub(super) fn place(&self, situation: Situation) -> Option<u32> {
        self.situations.get(situation.word(), |place| self.known[place as usize].0 == situation)
    }

    /// Counts a record; the kind of an ACCEPT that is to be credited.
    #[inline(always)]
    fn settle(
        &mut self,
        number: InterfaceNumber,
        flow: &V4Flow,
        situated: &Situated,
        known: Known,
    ) -> Option<KindNumber> {
        let Seen { slot, may_wait, .. } = self.seen[number.index()];
        let mut credited = None;
        self.turn_to_day(flow.start);
        match known {
            Known::Credit { mut kind, exposure, exposed_by, shows, tracks } => {
                if let Some(role) = exposed_by {
                    let ports = (flow.srcport, flow.dstport);
                    let own = self.brief.watch.exposure_of(PeerScope::Internet, role, flow.protocol, ports);
                    if own != exposure {
                        let family = self.brief.index.family_of(situated.lineage);
                        kind = self.cells.exposed(family, kind, own);
                    }
                }
                if let Some(role) = shows
                    && may_wait.on(flow.protocol)
                {
                    let port = if role == Role::Forward { flow.dstport } else { flow.srcport };
                    self.show_service(slot, role, situated.direction, flow.protocol, port);
                }
                let scope = if exposure.is_internet() { PeerScope::Internet } else { PeerScope::Internal };
                self.leave_known_track(tracks, scope, situated.peer, flow);
                credited = Some(kind);
            }
            Known::Waiting(at) => self.wait(number, slot, self.waiting[at as usize], situated, flow),
            Known::Refused(refusal) => self.refuse(number, slot, refusal, situated, flow),
            Known::Alone => {
                self.v4_alone(number, flow);
                return None;
            }
        }
        self.count(number, slot, flow);
        credited
    }

    /// What is counted of every record, whatever the rules say.
    #[inline(always)]
    fn count(&mut self, number: InterfaceNumber, slot: u32, flow: &V4Flow) {
        self.count_today(flow);
        let before_first = self.now.placement == Placement::BeforeFirst;
        self.tally.outcomes.before_first_snapshot += u64::from(before_first);
        if self.brief.selection.watches() {
            self.note_delivery(slot, flow);
        }
        if !self.seen[number.index()].hours.note(flow.start, flow.end) {
            self.cover(number, slot, flow);
        }
    }

    #[cold]
    fn cover(&mut self, number: InterfaceNumber, slot: u32, flow: &V4Flow) {
        let hours = &mut self.tally.interfaces[slot as usize].hours;
        hours.add_times(flow.start, flow.end);
        self.seen[number.index()].hours.turn(flow.start, hours);
    }

    /// Refused records that have been gathered go to their rows.
    pub(super) fn note_refused(&mut self) {
        self.tally.blocked.add_gathered(&self.refused);
        self.refused.clear();
    }

    fn note_delivery(&mut self, slot: u32, flow: &V4Flow) {
        if self.delivered.len() <= slot as usize {
            self.delivered.resize_with(self.numbers.len(), Delivery::default);
        }
        self.delivered[slot as usize].add_v4(flow);
    }

    /// Judges the first record of a situation, for all that follow.
    #[cold]
    fn find_out(&mut self, number: InterfaceNumber, situated: &Situated, flow: &V4Flow) -> Known {
        let situation = situated.situation;
        if situation == Situation::NONE {
            return Known::Alone;
        }
        // The same situation may have come twice among those gathered.
        if let Some(place) = self.place(situation) {
            return self.known[place as usize].1;
        }
        let traffic = flow.traffic();
        let known = match flow.action {
            Action::Reject => {
                Known::Refused(self.judge.refuse(number, self.now.state, situated.direction, &traffic))
            }
            Action::Accept => {
                let (state, direction) = (self.now.state, situated.direction);
                let verdict = self.judge.accept(number, state, direction, flow.start, &traffic);
                self.remember(verdict, situated, flow)
            }
        };
        self.situations.insert(situation.word(), u32::try_from(self.known.len()).unwrap_or(u32::MAX));
        self.known.push((situation, known));
        known
    }

    fn remember(&mut self, verdict: Verdict, situated: &Situated, flow: &V4Flow) -> Known {
        let other_states = self.brief.timeline.states.len() > 1;
        match verdict {
            Verdict::Waiting { forward, reply } => {
                let tracks = self.tracks_of(verdict);
                self.waiting.push(Waiting { forward, reply, tracks });
                Known::Waiting(u32::try_from(self.waiting.len() - 1).unwrap_or(u32::MAX))
            }
            // Also because what lies behind them may be the one interface that a state lacks.
            Verdict::Unexplained(_) | Verdict::Undecided { basis: None, .. } if other_states => Known::Alone,
            _ => {
                let near = std::mem::take(&mut self.judge.near);
                let near = self.judge.sets.intern(&near, self.brief.index);
                let role = match verdict {
                    Verdict::Decided { role, .. } => role,
                    _ => Role::Undecided,
                };
                let scope = scope::of(IpAddr::V4(situated.peer.into()));
                let ports = (flow.srcport, flow.dstport);
                let exposure = self.brief.watch.exposure_of(scope, role, flow.protocol, ports);
                let exposed = scope == PeerScope::Internet && role != Role::Undecided;
                let family = self.brief.index.family_of(situated.lineage);
                let kind = Kind { verdict, near, flags: Flags::of(flow.tcp_flags), exposure };
                Known::Credit {
                    kind: self.cells.kind(family, kind),
                    exposure,
                    exposed_by: exposed.then_some(role),
                    shows: shows(verdict),
                    tracks: self.track_word(verdict),
                }
            }
        }
    }

    fn wait(
        &mut self,
        number: InterfaceNumber,
        slot: u32,
        Waiting { forward, reply, tracks }: Waiting,
        situated: &Situated,
        flow: &V4Flow,
    ) {
        let peer = IpAddr::V4(situated.peer.into());
        self.leave_track(tracks, scope::of(peer), situated.peer, flow);
        let key = self.waiting_key(slot, (forward, reply), situated.direction, peer, &flow.traffic());
        self.tally.waiting.add(&key, |credit| credit.add_v4(flow));
        let neighbour = self.brief.index.origin(self.now.state, number) == Origin::Neighbour;
        self.tally.outcomes.interface_from_neighbour += u64::from(neighbour);
        let uncelled = &mut self.uncelled[number.index()];
        uncelled.accepted += 1;
        uncelled.span.add_times(flow.start, flow.end);
    }

    fn refuse(
        &mut self,
        number: InterfaceNumber,
        slot: u32,
        refusal: Refusal,
        situated: &Situated,
        flow: &V4Flow,
    ) {
        let V4Flow { protocol, srcport, dstport, tcp_flags, .. } = *flow;
        let (direction, peer) = (situated.direction, IpAddr::V4(situated.peer.into()));
        let acl = self.brief.index.ask_acl(self.now.state, number, direction, peer, (protocol, dstport));
        let cause = refusal.cause(acl, Packet { protocol, srcport, dstport, tcp_flags });
        let denied = refusal.denied_for(cause);
        if !denied.is_none() {
            let exposure = self.exposure_of_denied(peer, &flow.traffic());
            let key = denied_key(slot, denied, exposure);
            self.tally.usage.entry(key).or_default().add_v4(flow);
            self.leave_denied(&key, Some(flow.start));
        }
        let key = BlockedKey { interface: slot, direction: Some(direction), protocol, cause };
        self.refused.push(Refused { key, peer: situated.peer, flow: *flow });
        if self.refused.len() == blocked::GATHERED {
            self.note_refused();
        }
        let uncelled = &mut self.uncelled[number.index()];
        uncelled.rejected += 1;
        uncelled.span.add_times(flow.start, flow.end);
    }
}

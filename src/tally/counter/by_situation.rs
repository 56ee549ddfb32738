//! Records in situations that were met before are credited by what was judged then.

use std::net::IpAddr;

use super::{Counter, GATHERED, Known, Now};
use crate::attribution::acl::AclVerdict;
use crate::attribution::index::Origin;
use crate::attribution::judge::{Judgement, Role, Verdict};
use crate::attribution::refusal::{Packet, Refusal};
use crate::attribution::sets::SetId;
use crate::attribution::situation::Situated;
use crate::flow::{Action, Seconds, V4Flow};
use crate::rules::timeline::Placement;
use crate::tally::blocked::{self, BlockedKey, Refused};
use crate::tally::cells::{CellKey, Flags, Kind, shows};
use crate::tally::coverage::{Delivery, HOUR};
use crate::tally::scope;

/// Situations remembered, at most; then all are forgotten, which costs time and nothing else.
const MOST_SITUATIONS: usize = 1 << 17;

impl Counter<'_> {
    /// The state that judges a record of this start, with how long it does.
    #[cold]
    pub(super) fn turn_to(&mut self, start: Seconds) {
        let Some((state, placement)) = self.brief.timeline.at(Some(start)) else { return };
        let from = |state: usize| self.brief.timeline.states.get(state).and_then(|state| state.from);
        let (from, until) = match placement {
            Placement::BeforeFirst => (None, from(0)),
            _ => (from(state), from(state + 1)),
        };
        let (from, until) = (from.unwrap_or(Seconds::MIN), until.unwrap_or(Seconds::MAX));
        self.now = Now { from, until, state, placement };
    }

    /// Judges and credits the records that have been gathered.
    ///
    /// One thing after the other for all of them: each look-up is a walk to another part of memory, and side by side
    /// they wait for it together.
    pub(super) fn credit_gathered(&mut self) {
        if self.known.len() >= MOST_SITUATIONS {
            self.situations.clear();
            self.known.clear();
        }
        let gathered = std::mem::take(&mut self.gathered);
        let mut situated = [Situated::ALONE; GATHERED];
        for ((slot, flow), situated) in gathered.iter().zip(&mut situated) {
            if let Some(number) = self.seen[*slot as usize].number {
                *situated = self.brief.index.situate(self.now.state, number, flow);
            }
        }
        let mut found = [None; GATHERED];
        for (situated, found) in situated[..gathered.len()].iter().zip(&mut found) {
            *found = situated.situation.word().and_then(|word| self.situation(word));
        }
        let mut cells = [CellKey::NONE; GATHERED];
        for (at, (slot, flow)) in gathered.iter().enumerate() {
            cells[at] = self.judge_gathered(*slot, flow, &situated[at], found[at]);
        }
        let mut places = [0; GATHERED];
        for (cell, place) in cells[..gathered.len()].iter().zip(&mut places) {
            *place = self.cells.place(*cell);
        }
        for (place, (_, flow)) in places.iter().zip(&gathered) {
            self.cells.add(*place, flow);
        }
        self.gathered = gathered;
        self.gathered.clear();
    }

    /// The cell that a record is credited to; [`CellKey::NONE`] if it was counted otherwise.
    #[inline]
    fn judge_gathered(
        &mut self,
        slot: u32,
        flow: &V4Flow,
        situated: &Situated,
        found: Option<u32>,
    ) -> CellKey {
        if situated.situation.word().is_none() {
            self.v4_alone(slot, flow);
            return CellKey::NONE;
        }
        let known = match found {
            Some(found) => self.known[found as usize].1,
            None => self.find_out(slot, situated, flow),
        };
        let mut cell = CellKey::NONE;
        match known {
            Known::Credit { kind, role, scope, shows } => {
                let V4Flow { protocol, srcport, dstport, .. } = *flow;
                let exposure = self.brief.watch.exposure_of(scope, role, protocol, srcport, dstport);
                cell = CellKey::of(slot, kind, exposure);
                if shows && self.seen[slot as usize].may_wait.on(protocol) {
                    let port = if role == Role::Forward { dstport } else { srcport };
                    self.show_service(slot, role, situated.direction, protocol, port);
                }
            }
            Known::Waiting(forward, reply) => self.wait(slot, (forward, reply), situated, flow),
            Known::Refused(refusal) => self.refuse(slot, refusal, situated, flow),
            Known::Alone => {
                self.v4_alone(slot, flow);
                return CellKey::NONE;
            }
        }
        self.count(slot, situated.origin, flow);
        cell
    }

    #[inline(always)]
    fn situation(&self, word: u64) -> Option<u32> {
        self.situations.get(word, |number| self.known[number as usize].0 == word)
    }

    /// What is counted of every record, whatever the rules say.
    #[inline]
    fn count(&mut self, slot: u32, origin: Origin, flow: &V4Flow) {
        let outcomes = &mut self.tally.outcomes;
        outcomes.before_first_snapshot += u64::from(self.now.placement == Placement::BeforeFirst);
        let accepted = flow.action == Action::Accept;
        outcomes.interface_from_neighbour += u64::from(accepted && origin == Origin::Neighbour);
        if self.brief.selection.watches() {
            self.note_delivery(slot, flow);
        }
        let seen = &mut self.seen[slot as usize];
        let hour_end = seen.hour.saturating_add(HOUR);
        let covered = flow.start >= seen.hour && flow.start < hour_end && flow.end <= hour_end;
        if !covered {
            seen.hour = flow.start.div_euclid(HOUR) * HOUR;
            self.tally.interfaces[slot as usize].hours.add_times(flow.start, flow.end);
        }
    }

    /// Refused records that have been gathered go to their rows.
    pub(super) fn note_refused(&mut self) {
        self.tally.blocked.add_gathered(&self.refused);
        self.refused.clear();
    }

    fn note_delivery(&mut self, slot: u32, flow: &V4Flow) {
        if self.delivered.len() <= slot as usize {
            self.delivered.resize_with(self.seen.len(), Delivery::default);
        }
        self.delivered[slot as usize].add_v4(flow);
    }

    /// Judges the first record of a situation, for all that follow.
    #[cold]
    fn find_out(&mut self, slot: u32, situated: &Situated, flow: &V4Flow) -> Known {
        let Some(number) = self.seen[slot as usize].number else { return Known::Alone };
        let traffic = flow.traffic();
        let known = match flow.action {
            Action::Reject => {
                Known::Refused(self.judge.refuse(number, self.now.state, situated.direction, &traffic))
            }
            Action::Accept => {
                let judgement = self.judge.judge(Some(number), &flow.flow(), &traffic);
                self.remember(&judgement, flow)
            }
        };
        // The same situation may have come twice among those gathered.
        if let Some(word) = situated.situation.word()
            && self.situation(word).is_none()
        {
            self.situations.insert(word, u32::try_from(self.known.len()).unwrap_or(u32::MAX));
            self.known.push((word, known));
        }
        known
    }

    fn remember(&mut self, judgement: &Judgement, flow: &V4Flow) -> Known {
        let verdict = judgement.verdict;
        let other_states = self.brief.timeline.states.len() > 1;
        match verdict {
            Verdict::Waiting { forward, reply } => Known::Waiting(forward, reply),
            Verdict::Unexplained | Verdict::Undecided { basis: None, .. } if other_states => Known::Alone,
            _ => {
                let near = std::mem::take(&mut self.judge.near);
                let near = self.judge.sets.intern(&near, self.brief.index);
                let role = match verdict {
                    Verdict::Decided { role, .. } => role,
                    _ => Role::Undecided,
                };
                let scope = scope::of(judgement.peer);
                let shows = shows(verdict).is_some();
                let kind = self.cells.kind(Kind { verdict, near, flags: Flags::of(flow.tcp_flags) });
                kind.map_or(Known::Alone, |kind| Known::Credit { kind, role, scope, shows })
            }
        }
    }

    fn wait(&mut self, slot: u32, sets: (SetId, SetId), situated: &Situated, flow: &V4Flow) {
        let peer = IpAddr::V4(situated.peer.into());
        let key = self.waiting_key(slot, sets, situated.direction, peer, &flow.traffic());
        self.tally.waiting.add(&key, |credit| credit.add_v4(flow));
        let seen = &mut self.seen[slot as usize];
        seen.accepted += 1;
        seen.span.add_times(flow.start, flow.end);
    }

    fn refuse(&mut self, slot: u32, refusal: Refusal, situated: &Situated, flow: &V4Flow) {
        let V4Flow { protocol, srcport, dstport, tcp_flags, .. } = *flow;
        let (direction, peer) = (situated.direction, IpAddr::V4(situated.peer.into()));
        let acl = match self.seen[slot as usize].number {
            Some(number) => {
                self.brief.index.ask_acl(self.now.state, number, direction, peer, (protocol, dstport))
            }
            None => AclVerdict::NotKnown,
        };
        let cause = refusal.cause(acl, Packet { protocol, srcport, dstport, tcp_flags });
        let key = BlockedKey { interface: slot, direction: Some(direction), protocol, cause };
        self.refused.push(Refused { key, peer: situated.peer, flow: *flow });
        if self.refused.len() == blocked::GATHERED {
            self.note_refused();
        }
        let seen = &mut self.seen[slot as usize];
        seen.rejected += 1;
        seen.span.add_times(flow.start, flow.end);
    }
}

//! Records that are judged one by one: IPv6, unknown interfaces, no direction, several states to ask.

use std::net::IpAddr;

use super::Counter;
use super::replay::{Asked, Case};
use crate::attribution::index::InterfaceNumber;
use crate::attribution::judge::{Judgement, Role, Verdict};
use crate::attribution::sets::SetId;
use crate::flow::{Action, Direction, Entry, Flow, Traffic, V4Flow};
use crate::rules::timeline::Placement;
use crate::tally::blocked::BlockedKey;
use crate::tally::cells::{denied_key, shows, usage_key};
use crate::tally::coverage::note;
use crate::tally::scope;
use crate::tally::waiting::{ServiceKey, WaitingKey, service_end};
use crate::tally::watch::Exposure;

impl Counter<'_> {
    /// A record of a known interface that no situation tells.
    #[cold]
    pub(super) fn v4_alone(&mut self, number: InterfaceNumber, flow: &V4Flow) {
        // The account and the VPC matter for unknown interfaces only.
        self.alone_on(self.seen[number.index()].slot, &flow.flow());
    }

    /// A record inside the window.
    pub(super) fn alone(&mut self, flow: &Flow<'_>) {
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
        self.alone_on(slot, flow);
    }

    /// A record that counts.
    fn alone_on(&mut self, slot: u32, flow: &Flow<'_>) {
        let interface = &mut self.tally.interfaces[slot as usize];
        interface.add(flow);
        if self.brief.selection.watches() {
            interface.deliveries.entry(self.flow_log).or_default().add(flow);
        }
        match &flow.entry {
            Entry::NoData => self.tally.records.no_data += 1,
            Entry::SkipData => self.tally.records.skip_data += 1,
            Entry::Traffic(traffic) => self.traffic(slot, flow, traffic),
        }
    }

    fn traffic(&mut self, slot: u32, flow: &Flow<'_>, traffic: &Traffic) {
        match traffic.action {
            Action::Accept => self.tally.records.accepted += 1,
            Action::Reject => self.tally.records.rejected += 1,
        }
        self.tally.window.add(flow);
        self.note_day(flow, traffic);
        let number = self.numbers[slot as usize];
        let judgement = self.judge.judge(number, flow, traffic);
        self.count_outcome(number, &judgement, traffic.action);
        if self.replay.is_some() {
            self.replay_alone(slot, &judgement, flow, traffic);
        }
        self.inquire(slot, &judgement, flow, traffic);
        if let Verdict::Refused(cause) = judgement.verdict {
            let (direction, protocol) = (judgement.direction, traffic.protocol);
            let key = BlockedKey { interface: slot, direction, protocol, cause };
            self.tally.blocked.add(key, judgement.peer, flow, traffic);
            if !judgement.denied.is_none() {
                let exposure = self.exposure_of_denied(judgement.peer, traffic);
                let key = denied_key(slot, judgement.denied, exposure);
                self.tally.usage.entry(key).or_default().add(flow, traffic);
                self.leave_denied(&key, flow.start);
            }
            return;
        }
        if number.is_none() {
            self.note_stray(slot, flow, traffic);
        }
        for rule in &self.judge.near {
            *self.tally.near.entry(*rule).or_default() += 1;
        }
        self.tally.outcomes.add(judgement.verdict, 1);
        self.credit(slot, &judgement, flow, traffic);
    }

    /// Holds a record that was judged by itself against the proposal.
    fn replay_alone(&mut self, slot: u32, judgement: &Judgement, flow: &Flow<'_>, traffic: &Traffic) {
        let (Some(number), Some(direction)) = (self.numbers[slot as usize], judgement.direction) else {
            return;
        };
        let Some((state, _)) = self.brief.timeline.at(flow.start) else { return };
        let Some(replay) = &mut self.replay else { return };
        let case = Case { slot, number, state, direction, peer: judgement.peer, flow, traffic };
        let mut asked =
            Asked { index: self.brief.index, sets: &mut self.judge.sets, changes: &mut self.tally.changes };
        replay.take_alone(judgement, &case, &mut asked);
    }

    fn count_outcome(&mut self, number: Option<InterfaceNumber>, judgement: &Judgement, action: Action) {
        let outcomes = &mut self.tally.outcomes;
        let placement = judgement.placement;
        outcomes.before_first_snapshot += u64::from(placement == Some(Placement::BeforeFirst));
        outcomes.unknown_interface += u64::from(number.is_none());
        if judgement.no_group {
            outcomes.no_group += 1;
        } else if number.is_some() && judgement.direction.is_none() {
            outcomes.unknown_direction += 1;
        }
        if action == Action::Accept {
            outcomes.undated += u64::from(placement == Some(Placement::Undated));
            outcomes.interface_from_neighbour += u64::from(judgement.from_neighbour);
        }
    }

    fn credit(&mut self, slot: u32, judgement: &Judgement, flow: &Flow<'_>, traffic: &Traffic) {
        let Some(direction) = judgement.direction else { return };
        let verdict = judgement.verdict;
        self.leave_track_alone(verdict, judgement.peer, flow, traffic);
        if let Verdict::Waiting { forward, reply } = verdict {
            let key = self.waiting_key(slot, (forward, reply), direction, judgement.peer, traffic);
            self.tally.waiting.add(&key, |credit| credit.add(flow, traffic));
            return;
        }
        if let Some(role) = shows(verdict)
            && let Some(number) = self.numbers[slot as usize]
            && self.seen[number.index()].may_wait.on(traffic.protocol)
        {
            let port = if role == Role::Forward { traffic.dstport } else { traffic.srcport };
            self.show_service(slot, role, direction, traffic.protocol, port);
        }
        let role = match verdict {
            Verdict::Decided { role, .. } => role,
            _ => Role::Undecided,
        };
        let scope = scope::of(judgement.peer);
        let Traffic { protocol, srcport, dstport, .. } = *traffic;
        let exposure = self.brief.watch.exposure_of(scope, role, protocol, (srcport, dstport));
        if let Some(key) = usage_key(slot, verdict, exposure) {
            self.tally.usage.entry(key).or_default().add(flow, traffic);
        }
    }

    pub(super) fn exposure_of_denied(&self, peer: IpAddr, traffic: &Traffic) -> Exposure {
        let ports = (traffic.srcport, traffic.dstport);
        self.brief.watch.exposure_of(scope::of(peer), Role::Forward, traffic.protocol, ports)
    }

    pub(super) fn show_service(
        &mut self,
        slot: u32,
        role: Role,
        direction: Direction,
        protocol: u8,
        port: u16,
    ) {
        let key = ServiceKey { interface: slot, protocol, port, end: service_end(role, direction) };
        self.tally.waiting.show(key);
    }

    pub(super) fn waiting_key(
        &self,
        interface: u32,
        (forward, reply): (SetId, SetId),
        direction: Direction,
        peer: IpAddr,
        traffic: &Traffic,
    ) -> WaitingKey {
        WaitingKey::of(interface, (forward, reply), direction, (peer, traffic), self.brief.watch)
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

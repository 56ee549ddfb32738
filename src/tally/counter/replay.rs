//! Each record is held against a proposed rule set too, in the role that the rules in force gave it.
//!
//! Records that are in the same situation under both rule sets change alike, so that each pair of situations is looked
//! into once.

use std::net::IpAddr;

use crate::attribution::Cause;
use crate::attribution::index::{Index, InterfaceNumber};
use crate::attribution::judge::{Judge, Judgement, Role, Verdict};
use crate::attribution::refusal::{Packet, Refusal};
use crate::attribution::sets::{SetId, SetTable};
use crate::attribution::situation::{SIDE_BY_SIDE, Situated, Situation};
use crate::flow::{Direction, Flow, Traffic, V4Record, has_ports};
use crate::rules::RuleIndex;
use crate::tally::changes::{Certainty, Change, ChangeKey, Changed, Changes, Proposed, WaitingChange};
use crate::word_table::WordTable;

/// Pairs of situations remembered, at most.
const MOST_PAIRS: usize = 1 << 20;

/// What a proposal changes of records in one situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Nothing.
    Same,
    /// They are blocked.
    Blocked { certainty: Certainty, service: Role, lost: SetId },
    /// They are blocked as their role turns out.
    Waiting { sets: (SetId, SetId), lost: (Option<SetId>, Option<SetId>) },
    /// They are let through, where the groups alone refused them.
    Opened { rules: SetId, refusal: Refusal },
}

/// What is found of a pair of situations.
#[derive(Debug, Clone, Copy)]
struct Found {
    outcome: Outcome,
    explained: Explained,
}

/// Whether a rule of the proposal explains an ACCEPT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Explained {
    Yes,
    No,
    /// Other states have to be asked for each record.
    Ask,
}

/// The situations of a record under the rules in force and under those proposed. `then` is none that is known where the
/// record must be looked into by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) now: Situation,
    pub(super) then: Situation,
}

impl Pair {
    fn key(self) -> u64 {
        self.now.word() ^ self.then.word().rotate_left(29).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// A worker's own part of a replay.
#[derive(Debug)]
pub(super) struct Replay<'a> {
    proposed: &'a Proposed<'a>,
    judge: Judge<'a>,
    pairs: WordTable,
    found: Vec<(Pair, Found)>,
}

/// What the rules in force say of a record.
#[derive(Debug, Clone, Copy)]
pub(super) enum Now {
    Verdict(Verdict),
    Refused(Refusal),
}

/// A record with its place among the states.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'r> {
    pub(super) slot: u32,
    pub(super) number: InterfaceNumber,
    pub(super) state: usize,
    pub(super) direction: Direction,
    pub(super) peer: IpAddr,
    pub(super) flow: &'r Flow<'r>,
    pub(super) traffic: &'r Traffic,
}

impl<'a> Replay<'a> {
    pub(super) fn new(proposed: &'a Proposed<'a>) -> Self {
        Self {
            proposed,
            judge: Judge::new(proposed.timeline, proposed.index),
            pairs: WordTable::default(),
            found: Vec::new(),
        }
    }

    /// The situations that the same records are in under the proposal.
    pub(super) fn situate(
        &self,
        state: usize,
        records: &[V4Record],
        situated: &mut [Situated; SIDE_BY_SIDE],
    ) {
        let mut renamed = [V4Record::BLANK; SIDE_BY_SIDE];
        for (record, renamed) in records.iter().zip(&mut renamed) {
            let number = self.proposed.numbers[InterfaceNumber::of(record.interface).index()];
            *renamed = V4Record { interface: number.handle(), flow: record.flow };
        }
        self.proposed.index.situate(state, &renamed[..records.len()], situated);
    }

    /// Whether it is known that nothing becomes of records in this pair of situations.
    #[inline(always)]
    pub(super) fn changes_nothing(&self, pair: Pair) -> bool {
        self.known(pair)
            .is_some_and(|found| found.outcome == Outcome::Same && found.explained == Explained::Yes)
    }

    #[inline(always)]
    fn known(&self, pair: Pair) -> Option<&Found> {
        let place = self.pairs.get(pair.key(), |place| self.found[place as usize].0 == pair)?;
        Some(&self.found[place as usize].1)
    }

    /// What becomes of a record in this pair of situations.
    pub(super) fn take(&mut self, pair: Pair, now: Now, case: &Case<'_>, asked: &mut Asked<'_>) {
        let found = match self.known(pair) {
            Some(found) => *found,
            None => self.find_out(now, case, asked),
        };
        if pair.then != Situation::NONE && self.known(pair).is_none() {
            if self.found.len() >= MOST_PAIRS {
                self.pairs.clear();
                self.found.clear();
            }
            self.pairs.insert(pair.key(), u32::try_from(self.found.len()).unwrap_or(u32::MAX));
            self.found.push((pair, found));
        }
        self.note(found, case, asked);
    }

    /// What becomes of a record that is judged by itself. `explained_at`: the state whose rules explain it.
    pub(super) fn take_alone(&mut self, judgement: &Judgement, case: &Case<'_>, asked: &mut Asked<'_>) {
        let now = match judgement.verdict {
            Verdict::Refused(why) => {
                if why == Cause::SecurityGroup {
                    let (forward, _) = self.readings(case, case.state);
                    if forward != SetId::EMPTY {
                        let rules = asked.intern(self.judge.sets.rules(forward));
                        note_change(Change::Opened, rules, Role::Forward, case, asked);
                    }
                }
                return;
            }
            verdict => verdict,
        };
        let own = self.readings(case, case.state);
        let readings = match judgement.explained_at {
            Some(at) => self.readings(case, at),
            None => own,
        };
        let outcome = self.outcome(now, readings, asked);
        self.note(Found { outcome, explained: self.explained(now, own, case) }, case, asked);
    }

    fn note(&mut self, found: Found, case: &Case<'_>, asked: &mut Asked<'_>) {
        match found.explained {
            Explained::Yes => {}
            Explained::No => asked.changes.unexplained += 1,
            Explained::Ask => {
                let number = self.proposed.numbers[case.number.index()];
                // Direction and peer stay as first told, whatever addresses the interface has then.
                let told = Traffic { direction: Some(case.direction), ..*case.traffic };
                let verdict = self.judge.judge(Some(number), case.flow, &told).verdict;
                asked.changes.unexplained += u64::from(matches!(verdict, Verdict::Unexplained(_)));
            }
        }
        match found.outcome {
            Outcome::Same => {}
            Outcome::Blocked { certainty, service, lost } => {
                note_change(Change::Blocked(certainty), lost, service, case, asked);
            }
            Outcome::Waiting { sets, lost } => {
                let Traffic { srcport, dstport, protocol, .. } = *case.traffic;
                let (local, remote) = match case.direction {
                    Direction::Ingress => (dstport, srcport),
                    Direction::Egress => (srcport, dstport),
                };
                let key = WaitingChange {
                    interface: case.slot,
                    direction: case.direction,
                    protocol,
                    local,
                    remote,
                    sets,
                    lost,
                };
                asked.changes.add_waiting(key, &changed(case));
            }
            Outcome::Opened { rules, refusal } => {
                let Traffic { srcport, dstport, protocol, tcp_flags, .. } = *case.traffic;
                let packet = (protocol, dstport);
                let acl = asked.index.ask_acl(case.state, case.number, case.direction, case.peer, packet);
                let why = refusal.cause(acl, Packet { protocol, srcport, dstport, tcp_flags });
                if why == Cause::SecurityGroup {
                    note_change(Change::Opened, rules, Role::Forward, case, asked);
                }
            }
        }
    }

    fn readings(&mut self, case: &Case<'_>, state: usize) -> (SetId, SetId) {
        let number = self.proposed.numbers[case.number.index()];
        self.judge.readings_at(number, state, (case.direction, case.peer), case.traffic)
    }

    #[cold]
    fn find_out(&mut self, now: Now, case: &Case<'_>, asked: &mut Asked<'_>) -> Found {
        let (forward, reply) = self.readings(case, case.state);
        match now {
            Now::Refused(refusal) => {
                let outcome = if forward == SetId::EMPTY {
                    Outcome::Same
                } else {
                    Outcome::Opened { rules: asked.intern(self.judge.sets.rules(forward)), refusal }
                };
                Found { outcome, explained: Explained::Yes }
            }
            Now::Verdict(verdict) => Found {
                outcome: self.outcome(verdict, (forward, reply), asked),
                explained: self.explained(verdict, (forward, reply), case),
            },
        }
    }

    /// Whether the proposal explains an ACCEPT whose readings find these rules.
    fn explained(&self, verdict: Verdict, (forward, reply): (SetId, SetId), case: &Case<'_>) -> Explained {
        match verdict {
            Verdict::UnknownInterface | Verdict::NoGroup | Verdict::UnknownDirection => Explained::Yes,
            _ if forward != SetId::EMPTY || reply != SetId::EMPTY => Explained::Yes,
            _ if self.proposed.timeline.states.len() == 1 => {
                let number = self.proposed.numbers[case.number.index()];
                if self.judge.leaves_open(number, case.state) { Explained::Yes } else { Explained::No }
            }
            _ => Explained::Ask,
        }
    }

    /// What becomes of an ACCEPT whose readings find these rules.
    fn outcome(&self, verdict: Verdict, (forward, reply): (SetId, SetId), asked: &mut Asked<'_>) -> Outcome {
        let blocked = |certainty, service, lost| Outcome::Blocked { certainty, service, lost };
        match verdict {
            Verdict::Decided { role, set, .. } => {
                let after = if role == Role::Reply { reply } else { forward };
                let lost = self.lost(set, after, asked);
                lost.map_or(Outcome::Same, |lost| blocked(Certainty::Sure, role, lost))
            }
            Verdict::Undecided { forward: one, reply: other, .. } => {
                // A reading is lost when it finds nothing at all.
                let finds_none = |after, lost: Option<SetId>| lost.filter(|_| after == SetId::EMPTY);
                let one = finds_none(forward, self.lost(one, forward, asked));
                let other = finds_none(reply, self.lost(other, reply, asked));
                match (one, other) {
                    (Some(one), Some(other)) => {
                        blocked(Certainty::Possible, Role::Forward, asked.both(one, other))
                    }
                    (Some(one), None) => blocked(Certainty::Possible, Role::Forward, one),
                    (None, Some(other)) => blocked(Certainty::Possible, Role::Reply, other),
                    (None, None) => Outcome::Same,
                }
            }
            Verdict::Waiting { forward: one, reply: other } => {
                match (self.lost(one, forward, asked), self.lost(other, reply, asked)) {
                    (None, None) => Outcome::Same,
                    lost => Outcome::Waiting { sets: (one, other), lost },
                }
            }
            _ => Outcome::Same,
        }
    }

    /// What a reading loses that found rules and would find none, or only such as may match where one surely did.
    fn lost(&self, before: SetId, after: SetId, asked: &mut Asked<'_>) -> Option<SetId> {
        if before == SetId::EMPTY {
            return None;
        }
        let rules = &self.proposed.timeline.rules;
        let sure = |set: &[RuleIndex]| set.iter().any(|rule| !rules[rule.index()].is_one_icmp_type());
        let (before, after) = (asked.sets.rules(before), self.judge.sets.rules(after));
        if !after.is_empty() && (sure(after) || !sure(before)) {
            return None;
        }
        let lost: Vec<RuleIndex> = before.iter().copied().filter(|rule| !after.contains(rule)).collect();
        Some(asked.intern(&lost))
    }
}

/// Where the answers go.
#[derive(Debug)]
pub(super) struct Asked<'c> {
    /// Of the states in force.
    pub(super) index: &'c Index,
    /// The sets of the worker's tally.
    pub(super) sets: &'c mut SetTable,
    pub(super) changes: &'c mut Changes,
}

impl Asked<'_> {
    fn intern(&mut self, rules: &[RuleIndex]) -> SetId {
        self.sets.intern(rules, self.index)
    }

    fn both(&mut self, one: SetId, other: SetId) -> SetId {
        let mut rules: Vec<RuleIndex> =
            self.sets.rules(one).iter().chain(self.sets.rules(other)).copied().collect();
        rules.sort_unstable();
        rules.dedup();
        self.intern(&rules)
    }
}

fn note_change(change: Change, rules: SetId, service: Role, case: &Case<'_>, asked: &mut Asked<'_>) {
    let Traffic { srcport, dstport, protocol, .. } = *case.traffic;
    let port = match service {
        _ if !has_ports(protocol) => 0,
        Role::Reply => srcport,
        Role::Forward | Role::Undecided => dstport,
    };
    let key = ChangeKey { interface: case.slot, direction: case.direction, protocol, change, rules };
    asked.changes.add(key, port, &changed(case));
}

fn changed<'r>(case: &Case<'r>) -> Changed<'r> {
    Changed { peer: case.peer, flow: case.flow, tcp_flags: case.traffic.tcp_flags }
}

//! The definition of the join in plain loops: every record is held against every rule of its interface, one by one.
//!
//! Slow on purpose. The fast path shares no code with it beyond the nouns, and property tests hold the two equal.
//! Sections and line numbers in comments are those of the definition:
//!
//! ```text
//! record ─▶ place (1) ─▶ F and R (2, 3) ─▶ ACCEPT: accept (4), neighbours (7) ─▶ rules
//!                                       └▶ REJECT: reject (5)                 ─▶ blocked
//! ```

mod accept;
mod place;
mod reject;
pub mod replay;
pub mod track;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{BASES, Basis, Cause, DRIFTS, Drift};
use crate::flow::{Action, Direction, Entry, OwnedFlow, Seconds, Traffic, has_ports};
use crate::rules::timeline::{Placement, Timeline};
use crate::rules::{Rule, RuleIndex};
use accept::{Accept, Evidence, Fate};
use place::{Case, Place, SYN_ACK};
use track::RuleTrack;

/// Names of the counters of [`Answer::outcomes`], as reports write them.
pub const OUTCOMES: [&str; 9] = [
    "unknown_interface",
    "no_group",
    "unknown_group",
    "unknown_direction",
    "before_first_snapshot",
    "interface_from_neighbour",
    "undated",
    "unexplained",
    "explained_by_neighbour",
];

/// How many records there were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// All of them.
    pub total: u64,
    /// ACCEPT.
    pub accepted: u64,
    /// REJECT.
    pub rejected: u64,
    /// NODATA.
    pub no_data: u64,
    /// SKIPDATA.
    pub skip_data: u64,
}

/// What the records show of one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleUse {
    /// Records in forward role.
    pub records: u64,
    /// Records in reply role.
    pub reply_records: u64,
    /// Those of `reply_records` with SYN-ACK flags.
    pub answered_records: u64,
    /// Whether any credited record has tcp flags.
    pub flags_seen: bool,
    /// Records of undecided role, or that match possibly.
    pub possible_records: u64,
    /// Decided records that this rule alone explains, surely.
    pub sole_records: u64,
    /// Records that perhaps this rule alone explains.
    pub possible_sole_records: u64,
    /// Records that match in all but the peer, where the peer is not proven to be another.
    pub near_records: u64,
    /// Packets of credited records.
    pub packets: u64,
    /// Bytes of credited records.
    pub bytes: u64,
    /// Smallest start of a credited record.
    pub first_seen: Option<Seconds>,
    /// Largest end of a credited record.
    pub last_seen: Option<Seconds>,
    /// Interfaces of credited records.
    pub interfaces: BTreeSet<String>,
}

/// Interface id, direction where known, protocol, `dstport` (0 where the protocol has none), cause.
pub type BlockedKey = (String, Option<Direction>, u8, u16, Cause);

/// REJECT records of one [`BlockedKey`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockedUse {
    /// How many.
    pub records: u64,
    /// Their packets.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Smallest start.
    pub first_seen: Option<Seconds>,
    /// Largest end.
    pub last_seen: Option<Seconds>,
    /// Records by peer; by source where the direction is unknown.
    pub peers: BTreeMap<IpAddr, u64>,
}

/// Everything the join says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// How many records there were.
    pub records: Records,
    /// Every name of [`OUTCOMES`], 0 where it did not occur.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Every basis, 0 where it did not occur.
    pub basis: BTreeMap<Basis, u64>,
    /// Every drift, 0 where it did not occur.
    pub drift: BTreeMap<Drift, u64>,
    /// Parallel to [`Timeline::rules`].
    pub rules: Vec<RuleUse>,
    /// Parallel to [`Timeline::rules`].
    pub tracks: Vec<RuleTrack>,
    /// REJECT records.
    pub blocked: BTreeMap<BlockedKey, BlockedUse>,
}

/// Joins the records to the rules in force.
pub fn attribute(timeline: &Timeline, flows: &[OwnedFlow]) -> Answer {
    let mut answer = Answer {
        outcomes: OUTCOMES.map(|name| (name, 0)).into(),
        basis: BASES.map(|basis| (basis, 0)).into(),
        drift: DRIFTS.map(|drift| (drift, 0)).into(),
        rules: vec![RuleUse::default(); timeline.rules.len()],
        tracks: vec![RuleTrack::default(); timeline.rules.len()],
        ..Answer::default()
    };
    // Lines 5 and 6 of section 4 need the whole input: ACCEPTs are credited when all have been seen.
    let mut accepts = Vec::new();
    for flow in flows {
        add(&mut answer.records.total, 1);
        match &flow.entry {
            Entry::NoData => add(&mut answer.records.no_data, 1),
            Entry::SkipData => add(&mut answer.records.skip_data, 1),
            Entry::Traffic(traffic) => accepts.extend(answer.take(timeline, flow, traffic)),
        }
    }
    let evidence = Evidence::of(&accepts);
    for accept in &accepts {
        answer.credit(timeline, accept, &evidence);
        answer.leave_track(timeline, accept);
    }
    answer
}

impl Answer {
    /// Counts a record, and blocks it if it is a REJECT. Answers an ACCEPT that waits for its credit.
    fn take<'a>(
        &mut self,
        timeline: &'a Timeline,
        flow: &'a OwnedFlow,
        traffic: &'a Traffic,
    ) -> Option<Accept<'a>> {
        let accepted = traffic.action == Action::Accept;
        add(if accepted { &mut self.records.accepted } else { &mut self.records.rejected }, 1);
        match timeline.at(flow.start) {
            Some((_, Placement::BeforeFirst)) => self.count("before_first_snapshot"),
            _ if flow.start.is_none() && accepted => self.count("undated"),
            _ => {}
        }
        let place = place::of(timeline, flow, traffic);
        match &place {
            Place::UnknownInterface(_) => self.count("unknown_interface"),
            Place::NoGroup(_) => self.count("no_group"),
            Place::UnknownDirection => self.count("unknown_direction"),
            Place::Known(_) => {}
        }
        if accepted && place::interface_from_neighbour(timeline, flow) {
            self.count("interface_from_neighbour");
        }
        if !accepted {
            self.block(flow, traffic, &place);
            return None;
        }
        let Place::Known(case) = place else { return None };
        Some(self.judge(case))
    }

    /// An ACCEPT whose interface, groups and direction are known.
    fn judge<'a>(&mut self, case: Case<'a>) -> Accept<'a> {
        let accept = Accept::of(case);
        for near in accept.near_rules() {
            add(&mut self.rules[near.index()].near_records, 1);
        }
        match accept.fate {
            Fate::UnknownGroup => self.count("unknown_group"),
            Fate::Unexplained => {
                self.count("unexplained");
                add(self.drift.entry(accept.drift()).or_default(), 1);
            }
            Fate::ExplainedByNeighbour => self.count("explained_by_neighbour"),
            Fate::Waits | Fate::Told(..) => {}
        }
        accept
    }

    /// Section 4, credit.
    fn credit(&mut self, timeline: &Timeline, accept: &Accept<'_>, evidence: &Evidence) {
        let (role, basis) = match accept.fate {
            Fate::UnknownGroup | Fate::Unexplained => return,
            Fate::ExplainedByNeighbour => (None, None),
            Fate::Told(role, basis) => (role, Some(basis)),
            Fate::Waits => {
                let (role, basis) = evidence.tell(accept);
                (role, Some(basis))
            }
        };
        if let Some(basis) = basis {
            add(self.basis.entry(basis).or_default(), 1);
        }
        let (flow, traffic) = (accept.case.flow, accept.case.traffic);
        let flags = place::known_flags(traffic);
        for index in accept.credited(role) {
            let possible_match = timeline.rules[index.index()].is_one_icmp_type();
            let alone = accept.is_alone(index, role);
            let usage = &mut self.rules[index.index()];
            match role {
                Some(_) if possible_match => add(&mut usage.possible_records, 1),
                Some(accept::Role::Forward) => add(&mut usage.records, 1),
                Some(accept::Role::Reply) => {
                    add(&mut usage.reply_records, 1);
                    if flags.is_some_and(|flags| flags & SYN_ACK == SYN_ACK) {
                        add(&mut usage.answered_records, 1);
                    }
                }
                None => add(&mut usage.possible_records, 1),
            }
            match role {
                Some(_) if alone && !possible_match => add(&mut usage.sole_records, 1),
                _ if alone => add(&mut usage.possible_sole_records, 1),
                _ => {}
            }
            usage.flags_seen |= flags.is_some();
            add(&mut usage.packets, traffic.packets);
            add(&mut usage.bytes, traffic.bytes);
            see(&mut usage.first_seen, &mut usage.last_seen, flow);
            usage.interfaces.insert(accept.case.interface_id.clone());
        }
    }

    /// Section 5.
    fn block(&mut self, flow: &OwnedFlow, traffic: &Traffic, place: &Place<'_>) {
        let direction = place.direction();
        let port = if has_ports(traffic.protocol) { traffic.dstport } else { 0 };
        let cause = reject::cause(place, traffic);
        let key = (place::interface_id(flow), direction, traffic.protocol, port, cause);
        let blocked = self.blocked.entry(key).or_default();
        add(&mut blocked.records, 1);
        add(&mut blocked.packets, traffic.packets);
        add(&mut blocked.bytes, traffic.bytes);
        see(&mut blocked.first_seen, &mut blocked.last_seen, flow);
        add(blocked.peers.entry(place::peer(traffic, direction)).or_default(), 1);
        // Reasons of their own come before groups.
        let elsewhere =
            traffic.reject_reason.is_some() || matches!(cause, Cause::NetworkAcl | Cause::BlockedReply);
        if let (Place::Known(case), false) = (place, elsewhere)
            && case.forward_in_play()
            && let Some(index) = case.denied_by()
        {
            self.credit_denial(case, index);
        }
    }

    /// Section 8: a REJECT that a rule decides credits that rule; possibly, where one in front of it may have decided.
    fn credit_denial(&mut self, case: &Case<'_>, index: RuleIndex) {
        let before = case.forward_but_peer(case.state(), case.interface);
        let mut before = before.iter().map(|other| case.rule(*other));
        let may_decide = |other: &Rule| {
            other.rank() < case.rule(index).rank() && place::is_unresolvable(&other.peer, case.state())
        };
        let surely = !case.has_unknown_group() && !before.any(may_decide);
        self.tracks[index.index()].count(case.flow.start, Some(accept::Role::Forward), surely);
        let usage = &mut self.rules[index.index()];
        add(if surely { &mut usage.records } else { &mut usage.possible_records }, 1);
        add(if surely { &mut usage.sole_records } else { &mut usage.possible_sole_records }, 1);
        usage.flags_seen |= place::known_flags(case.traffic).is_some();
        add(&mut usage.packets, case.traffic.packets);
        add(&mut usage.bytes, case.traffic.bytes);
        see(&mut usage.first_seen, &mut usage.last_seen, case.flow);
        usage.interfaces.insert(case.interface_id.clone());
    }

    fn count(&mut self, outcome: &'static str) {
        add(self.outcomes.entry(outcome).or_default(), 1);
    }
}

fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

fn see(first: &mut Option<Seconds>, last: &mut Option<Seconds>, flow: &OwnedFlow) {
    *first = first.iter().copied().chain(flow.start).min();
    *last = last.iter().copied().chain(flow.end).max();
}

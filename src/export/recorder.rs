//! A worker's part of the second pass: judges each record once more, in the light of all of them.

use std::io::Write;
use std::net::IpAddr;

use ::parquet::arrow::arrow_writer::{ArrowColumnWriter, compute_leaves};
use ::parquet::errors::ParquetError;
use hashbrown::HashMap;

use super::Known;
use super::rows::{Row, Rows};
use super::spool::{Group, Spool};
use crate::attribution::Basis;
use crate::attribution::judge::{Judge, Judgement, Role, Verdict};
use crate::attribution::sets::SetId;
use crate::flow::{Direction, Entry, Flow, Traffic};
use crate::ingest::{Misread, Place, Sink};
use crate::rules::RuleIndex;
use crate::tally::waiting::WaitingKey;

/// Rows of a row group: what databases skip, and share out among threads, at once.
const GROUP: u64 = 131_072;

/// Records of one bundle of logs, in order.
pub(super) struct Recorder<'a, W: Write + Send> {
    known: Known<'a>,
    spool: &'a Spool<W>,
    turn: usize,
    judge: Judge<'a>,
    /// By number of a set of rules here: the number that the first pass gave it, where it met it.
    first: HashMap<SetId, Option<SetId>>,
    /// By rule.
    keys: Vec<Option<String>>,
    rows: Rows,
    packing: Vec<ArrowColumnWriter>,
    packed: u64,
    log_file: &'a str,
    flow_log: u32,
    end: End,
}

/// Whether all of a turn was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    NotYet,
    Reached,
}

/// Others wait for this turn: it ends, whatever ends it.
impl<W: Write + Send> Drop for Recorder<'_, W> {
    fn drop(&mut self) {
        if self.end == End::NotYet {
            self.spool.fail(std::io::Error::other("a thread ended in the middle of its work"));
            self.spool.done(self.turn);
        }
    }
}

impl<'a, W: Write + Send> Recorder<'a, W> {
    pub(super) fn new(known: Known<'a>, spool: &'a Spool<W>, turn: usize) -> Self {
        Self {
            known,
            spool,
            turn,
            judge: Judge::new(known.timeline, known.index),
            first: HashMap::new(),
            keys: vec![None; known.timeline.rules.len()],
            rows: Rows::new(spool.schema().clone()),
            packing: Vec::new(),
            packed: 0,
            log_file: "",
            flow_log: 0,
            end: End::NotYet,
        }
    }

    /// What follows is of this file, which this flow log delivered.
    pub(super) fn begin(&mut self, log_file: &'a str, flow_log: u32) {
        (self.log_file, self.flow_log) = (log_file, flow_log);
    }

    /// There is no more.
    pub(super) fn finish(mut self) {
        self.pack();
        self.put();
        self.spool.done(self.turn);
        self.end = End::Reached;
    }

    fn record(&mut self, flow: &Flow<'_>, traffic: &Traffic) {
        let Known { timeline, index, asking, .. } = self.known;
        let number = index.number(flow.interface_id);
        if asking.is_some_and(|asking| !asking.wants(flow.interface_id, number, flow.start, traffic)) {
            return;
        }
        let judgement = self.judge.judge(number, flow, traffic);
        let found = self.found(&judgement, flow, traffic);
        let at = timeline.at(flow.start).map(|(at, _)| at);
        let group_ids = match (number, at) {
            (Some(number), Some(at)) => index.group_ids(at, number),
            _ => &[],
        };
        let text = |bytes: &'_ [u8]| String::from_utf8_lossy(bytes).into_owned();
        let (account_id, interface_id) = (text(flow.account_id), text(flow.interface_id));
        for rule in found.rules.iter().chain(&found.denied_by) {
            let key = &mut self.keys[rule.index()];
            if key.is_none() {
                *key = Some(timeline.rules[rule.index()].key());
            }
        }
        let keys = &self.keys;
        let named = |rules: &[RuleIndex]| -> Vec<&str> {
            rules.iter().map(|rule| keys[rule.index()].as_deref().unwrap_or_default()).collect()
        };
        let (rules, denied_by) = (named(&found.rules), named(&found.denied_by));
        self.rows.push(&Row {
            log_file: self.log_file,
            account_id: &account_id,
            interface_id: &interface_id,
            start: flow.start,
            end: flow.end,
            srcaddr: traffic.srcaddr,
            dstaddr: traffic.dstaddr,
            pkt_srcaddr: traffic.pkt_srcaddr,
            pkt_dstaddr: traffic.pkt_dstaddr,
            srcport: traffic.srcport,
            dstport: traffic.dstport,
            protocol: traffic.protocol,
            packets: traffic.packets,
            bytes: traffic.bytes,
            action: traffic.action,
            tcp_flags: traffic.tcp_flags,
            rules_since: at.and_then(|at| timeline.states[at].from),
            group_ids,
            direction: judgement.direction.map_or("", Direction::as_str),
            peer: judgement.peer,
            outcome: found.outcome,
            role: found.role,
            basis: found.basis,
            rules: &rules,
            cause: found.cause,
            denied_by: &denied_by,
            drift: found.drift,
        });
        if self.rows.is_full() {
            self.pack();
            if self.packed >= GROUP {
                self.put();
            }
        }
    }

    /// What a judgement comes to.
    fn found(&mut self, judgement: &Judgement, flow: &Flow<'_>, traffic: &Traffic) -> Found {
        let mut found =
            Found { denied_by: self.judge.sets.rules(judgement.denied.by).to_vec(), ..Found::default() };
        let explained = |found: &mut Found, role, basis: Basis| {
            (found.outcome, found.role, found.basis) = ("explained", word(role), basis.as_str());
        };
        match judgement.verdict {
            Verdict::UnknownInterface => found.outcome = "unknown_interface",
            Verdict::NoGroup => found.outcome = "no_group",
            Verdict::UnknownDirection => found.outcome = "unknown_direction",
            Verdict::UnknownGroup => found.outcome = "unknown_group",
            Verdict::Unexplained(drift) => (found.outcome, found.drift) = ("unexplained", drift.as_str()),
            Verdict::Refused(cause) => (found.outcome, found.cause) = ("refused", cause.as_str()),
            Verdict::Decided { role, set, basis } => {
                explained(&mut found, role, basis);
                found.rules = self.judge.sets.rules(set).to_vec();
            }
            Verdict::Undecided { forward, reply, basis } => {
                if let Some(basis) = basis {
                    explained(&mut found, Role::Undecided, basis);
                } else {
                    (found.outcome, found.role) = ("explained_by_neighbour", word(Role::Undecided));
                }
                found.rules = self.either(forward, reply);
            }
            Verdict::Waiting { forward, reply } => {
                let (role, basis) =
                    self.settled(flow, judgement.direction, (forward, reply), (judgement.peer, traffic));
                explained(&mut found, role, basis);
                found.rules = match role {
                    Role::Forward => self.judge.sets.rules(forward).to_vec(),
                    Role::Reply => self.judge.sets.rules(reply).to_vec(),
                    Role::Undecided => self.either(forward, reply),
                };
            }
        }
        found
    }

    /// Rules of either set.
    fn either(&self, forward: SetId, reply: SetId) -> Vec<RuleIndex> {
        let mut rules = [self.judge.sets.rules(forward), self.judge.sets.rules(reply)].concat();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// The role of a record that waited, as the first pass found it.
    fn settled(
        &mut self,
        flow: &Flow<'_>,
        direction: Option<Direction>,
        (forward, reply): (SetId, SetId),
        (peer, traffic): (IpAddr, &Traffic),
    ) -> (Role, Basis) {
        let unknown = (Role::Undecided, Basis::Ambiguous);
        let tally = self.known.tally;
        let sets = &self.judge.sets;
        let mut first = |set| *self.first.entry(set).or_insert_with(|| tally.sets.find(sets.rules(set)));
        let (Some(forward), Some(reply)) = (first(forward), first(reply)) else { return unknown };
        let (Some(direction), Some(interface)) = (direction, tally.slots.known(flow.interface_id)) else {
            return unknown;
        };
        let key = WaitingKey::of(interface, (forward, reply), direction, (peer, traffic), self.known.watch);
        self.known.decisions.of_record(&key).unwrap_or(unknown)
    }

    fn pack(&mut self) {
        if self.rows.count() == 0 {
            return;
        }
        let count = self.rows.count() as u64;
        if let Err(error) = self.try_pack() {
            self.spool.fail(std::io::Error::other(error));
        }
        self.packed += count;
    }

    fn try_pack(&mut self) -> Result<(), ParquetError> {
        if self.packing.is_empty() {
            self.packing = self.spool.columns().map_err(|error| ParquetError::External(Box::new(error)))?;
        }
        let batch = self.rows.take()?;
        let mut packing = self.packing.iter_mut();
        for (field, column) in self.spool.schema().fields().iter().zip(batch.columns()) {
            for leaf in compute_leaves(field, column)? {
                if let Some(writer) = packing.next() {
                    writer.write(&leaf)?;
                }
            }
        }
        Ok(())
    }

    fn put(&mut self) {
        if self.packed == 0 {
            return;
        }
        let columns = std::mem::take(&mut self.packing).into_iter().map(ArrowColumnWriter::close);
        match columns.collect::<Result<_, _>>() {
            Ok(columns) => self.spool.put(self.turn, Group { columns, rows: self.packed }),
            Err(error) => self.spool.fail(std::io::Error::other(error)),
        }
        self.packed = 0;
    }
}

/// What a judgement comes to, in words.
#[derive(Default)]
struct Found {
    outcome: &'static str,
    role: &'static str,
    basis: &'static str,
    rules: Vec<RuleIndex>,
    cause: &'static str,
    denied_by: Vec<RuleIndex>,
    drift: &'static str,
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Forward => "forward",
        Role::Reply => "reply",
        Role::Undecided => "undecided",
    }
}

impl<W: Write + Send> Sink for Recorder<'_, W> {
    fn flow(&mut self, flow: &Flow<'_>) {
        let Entry::Traffic(traffic) = &flow.entry else { return };
        let is_outside = flow.start.is_some_and(|start| self.known.window.excludes(start, start));
        if !is_outside && !self.known.selection.leaves_out(flow, self.flow_log) {
            self.record(flow, traffic);
        }
    }

    fn fault(&mut self, _: Misread, _: Place) {}
    fn outside(&mut self, _: u64) {}
    fn consumed(&mut self, _: u64) {}
}

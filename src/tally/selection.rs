//! Two flow logs on one interface deliver every record twice: which one counts, hour by hour.
//!
//! A first pass over the files finds interfaces whose deliveries overlap; a second one, made only then, leaves out what a
//! preferred flow log delivers too. Flow logs that follow each other (a new format needs a new flow log) are both kept,
//! and so are an ACCEPT-only and a REJECT-only one.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::Tally;
use super::coverage::{Delivery, HOUR, Hours, kind_index};
use super::credit::Span;
use crate::flow::{Flow, Seconds};

/// Deliveries may touch for this long and still follow each other: the longest aggregation interval.
const TOUCH: i64 = 600;

/// Which flow log counts.
#[derive(Debug, Default)]
pub struct Selection {
    watching: bool,
    /// Per interface: flow logs in order of preference.
    ranked: HashMap<Box<[u8]>, Vec<Ranked>>,
}

/// What one flow log delivered of an interface: hours by kind of record, from its first record to its last.
#[derive(Debug)]
struct Ranked {
    flow_log: u32,
    span: Span,
    hours: [Hours; 4],
}

impl Ranked {
    /// Whether it delivered records of the kind at about this time. It has not begun before its first record: what
    /// another one delivered earlier in that hour would be lost.
    fn speaks_of(&self, kind: usize, start: Seconds) -> bool {
        self.span.first().is_some_and(|first| first <= start)
            && self.span.last().is_some_and(|last| start <= last)
            && self.hours[kind].contains(start.div_euclid(HOUR))
    }
}

/// One interface whose records came from several flow logs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Overlap {
    /// Interface id.
    pub interface_id: String,
    /// The flow log that counts.
    pub kept: u32,
    /// Flow logs whose records were left out where they overlap.
    pub left_out: Vec<u32>,
}

impl Selection {
    /// Leaves nothing out. `flow_logs` is how many different flow logs the run reads: one needs no watching.
    pub fn none(flow_logs: usize) -> Self {
        Self { watching: flow_logs > 1, ranked: HashMap::new() }
    }

    /// Whether deliveries must be recorded per flow log.
    pub fn watches(&self) -> bool {
        self.watching
    }

    /// What a first pass shows to overlap. `preferred` are the flow logs the user chose, best first; after them the one
    /// with more records counts, then the smaller number.
    pub fn of(tally: &Tally, preferred: &[u32]) -> (Self, Vec<Overlap>) {
        let mut selection = Self { watching: true, ranked: HashMap::new() };
        let mut overlaps = Vec::new();
        for (id, interface) in tally.slots.ids().iter().zip(&tally.interfaces) {
            let deliveries = &interface.deliveries;
            let conflict = deliveries
                .iter()
                .any(|(a, first)| deliveries.range(a + 1..).any(|(_, second)| overlap(first, second)));
            if !conflict {
                continue;
            }
            let ranked = rank(deliveries, preferred);
            let left_out = left_out(&ranked);
            if !left_out.is_empty() {
                let interface_id = String::from_utf8_lossy(id).into_owned();
                overlaps.push(Overlap { interface_id, kept: ranked[0].flow_log, left_out });
            }
            selection.ranked.insert(id.clone(), ranked);
        }
        overlaps.sort();
        (selection, overlaps)
    }

    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.ranked.is_empty()
    }

    /// Whether a preferred flow log delivered such records of the interface in the hour.
    pub fn leaves_out(&self, flow: &Flow<'_>, flow_log: u32) -> bool {
        if self.ranked.is_empty() || flow_log == 0 {
            return false;
        }
        let (Some(ranked), Some(start)) = (self.ranked.get(flow.interface_id), flow.start) else {
            return false;
        };
        let mut better = ranked.iter().take_while(|other| other.flow_log != flow_log);
        better.any(|other| other.speaks_of(kind_index(&flow.entry), start))
    }
}

/// Whether two deliveries speak of the same time rather than one following the other.
fn overlap(a: &Delivery, b: &Delivery) -> bool {
    let ends = (a.span.first(), a.span.last(), b.span.first(), b.span.last());
    let (Some(a0), Some(a1), Some(b0), Some(b1)) = ends else { return false };
    let shared = a1.min(b1) - a0.max(b0);
    let shorter = (a1 - a0).min(b1 - b0);
    shared >= 0 && (shared > TOUCH || shared * 2 >= shorter)
}

/// Flow logs that deliver traffic which a preferred one delivers too: not an ACCEPT-only one beside a REJECT-only one.
fn left_out(ranked: &[Ranked]) -> Vec<u32> {
    let share = |a: &Ranked, b: &Ranked| a.hours[..2].iter().zip(&b.hours).any(|(a, b)| a.meets(b));
    let twice = |(at, it): &(usize, &Ranked)| ranked[..*at].iter().any(|better| share(better, it));
    ranked.iter().enumerate().filter(twice).map(|(_, it)| it.flow_log).collect()
}

fn rank(deliveries: &BTreeMap<u32, Delivery>, preferred: &[u32]) -> Vec<Ranked> {
    let mut order: Vec<(usize, std::cmp::Reverse<u64>, u32)> = deliveries
        .iter()
        .map(|(flow_log, delivery)| {
            let choice = preferred.iter().position(|chosen| chosen == flow_log).unwrap_or(preferred.len());
            (choice, std::cmp::Reverse(delivery.records()), *flow_log)
        })
        .collect();
    order.sort_unstable();
    let ranked = |flow_log: u32| {
        let delivery = &deliveries[&flow_log];
        Ranked { flow_log, span: delivery.span, hours: delivery.kinds.clone().map(|(_, hours)| hours) }
    };
    order.into_iter().map(|(_, _, flow_log)| ranked(flow_log)).collect()
}

//! Two flow logs on one interface deliver every record twice: which one counts, hour by hour.
//!
//! A first pass over the files finds interfaces whose deliveries overlap; a second one, made only then, leaves out what a
//! preferred flow log delivers too. Flow logs that follow each other (a new format needs a new flow log) are both kept,
//! and so are an ACCEPT-only and a REJECT-only one.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::Tally;
use super::coverage::{Delivery, HOUR, Hours, kind_index};
use crate::flow::Flow;

/// Deliveries may touch for this long and still follow each other: the longest aggregation interval.
const TOUCH: i64 = 600;

/// Which flow log counts.
#[derive(Debug, Default)]
pub struct Selection {
    watching: bool,
    /// Per interface: flow logs in order of preference with the hours each delivered.
    ranked: HashMap<Box<[u8]>, Vec<(u32, [Hours; 4])>>,
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
                overlaps.push(Overlap { interface_id, kept: ranked[0].0, left_out });
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
        let hour = start.div_euclid(HOUR);
        let better = ranked.iter().take_while(|(other, _)| *other != flow_log);
        better.into_iter().any(|(_, hours)| hours[kind_index(&flow.entry)].contains(hour))
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
fn left_out(ranked: &[(u32, [Hours; 4])]) -> Vec<u32> {
    let twice = |(at, (_, [accepts, rejects, ..])): &(usize, &(u32, [Hours; 4]))| {
        let mut better = ranked[..*at].iter();
        better.any(|(_, [others, refused, ..])| others.meets(accepts) || refused.meets(rejects))
    };
    ranked.iter().enumerate().filter(twice).map(|(_, (flow_log, _))| *flow_log).collect()
}

fn rank(deliveries: &BTreeMap<u32, Delivery>, preferred: &[u32]) -> Vec<(u32, [Hours; 4])> {
    let mut order: Vec<(usize, std::cmp::Reverse<u64>, u32)> = deliveries
        .iter()
        .map(|(flow_log, delivery)| {
            let choice = preferred.iter().position(|chosen| chosen == flow_log).unwrap_or(preferred.len());
            (choice, std::cmp::Reverse(delivery.records()), *flow_log)
        })
        .collect();
    order.sort_unstable();
    let hours = |flow_log: u32| deliveries[&flow_log].kinds.clone().map(|(_, hours)| hours);
    order.into_iter().map(|(_, _, flow_log)| (flow_log, hours(flow_log))).collect()
}

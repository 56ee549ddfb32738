//! Whether runs over parts of the logs left out the records that one run over all of them leaves out.
//!
//! Where several flow logs deliver the same interface, a run counts one of them, ten minutes by ten minutes. What the
//! other delivered may lie in another run's files, and which one counts may depend on all of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::Ledger;
use crate::tally::coverage::{DELIVERY, Deliveries, Delivery};
use crate::tally::flow_logs::FlowLogs;
use crate::tally::selection::Selection;

/// ACCEPT and REJECT come first among the kinds of records.
const TRAFFIC_KINDS: usize = 2;

/// An interface of which one run over everything would leave out other records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Overlap {
    /// Interface id.
    pub(super) interface_id: String,
    /// The flow logs that deliver it at one time.
    pub(super) flow_logs: Vec<String>,
}

/// What the first passes over several parts of the logs showed, together. The parts number flow logs alike.
pub fn sum<'a>(parts: impl IntoIterator<Item = &'a Ledger>) -> BTreeMap<Box<[u8]>, Deliveries> {
    let mut sums: BTreeMap<Box<[u8]>, Deliveries> = BTreeMap::new();
    for (id, deliveries) in parts.into_iter().flat_map(Ledger::deliveries) {
        // Most interfaces are delivered by one flow log alone, but in every part.
        let sum = sums.entry(id.into()).or_default();
        for (flow_log, delivery) in deliveries {
            sum.entry(*flow_log).or_default().merge(delivery);
        }
    }
    sums
}

/// The first interface of a part of which the selection over everything leaves out other records than `own`, by which
/// the part was counted.
pub(super) fn overlap(part: &Ledger, own: &Selection, whole: &Selection) -> Option<Overlap> {
    if own.is_empty() && whole.is_empty() {
        return None;
    }
    let mut interfaces: Vec<_> = part.deliveries().collect();
    interfaces.sort_by_key(|(id, _)| *id);
    interfaces.into_iter().find_map(|(id, deliveries)| {
        let differs = |flow_log: u32| {
            if own.better(id, flow_log).chain(whole.better(id, flow_log)).next().is_none() {
                return false;
            }
            (0..deliveries[&flow_log].kinds.len()).any(|kind| {
                let left_out = |by: &Selection, unit| covered(by, id, flow_log, kind, unit);
                let delivery = &deliveries[&flow_log];
                let mut units = delivery.kinds[kind].1.members();
                units.any(|unit| may_differ(delivery, kind, &left_out(own, unit), &left_out(whole, unit)))
            })
        };
        let flow_log = deliveries.range(1..).map(|(flow_log, _)| *flow_log).find(|it| differs(*it))?;
        Some(Overlap {
            interface_id: String::from_utf8_lossy(id).into_owned(),
            flow_logs: involved(&part.flow_logs, id, flow_log, own, whole),
        })
    })
}

/// Whether a record may lie where one selection leaves it out and the other does not. Within its unit of time nothing is
/// known of a record but that it does not start before the first one or after the last.
fn may_differ(delivery: &Delivery, kind: usize, own: &[(i64, i64)], whole: &[(i64, i64)]) -> bool {
    if own == whole {
        return false;
    }
    let last_start = if kind < TRAFFIC_KINDS { delivery.last_start } else { delivery.span.last() };
    let (Some(first), Some(last)) = (delivery.span.first(), last_start) else { return true };
    let within = |ranges: &[(i64, i64)]| -> Vec<(i64, i64)> {
        let cut = ranges.iter().map(|(from, to)| (*from.max(&first), *to.min(&last)));
        cut.filter(|(from, to)| from <= to).collect()
    };
    within(own) != within(whole)
}

/// The seconds of a unit in which records of a flow log are left out, as disjoint ranges.
fn covered(selection: &Selection, id: &[u8], flow_log: u32, kind: usize, unit: i64) -> Vec<(i64, i64)> {
    let (from, to) = (unit * DELIVERY, (unit + 1) * DELIVERY - 1);
    let better = selection.better(id, flow_log).filter(|(_, delivery)| delivery.kinds[kind].1.contains(unit));
    let ranges = better.filter_map(|(_, delivery)| {
        let range = (delivery.span.first()?.max(from), delivery.span.last()?.min(to));
        (range.0 <= range.1).then_some(range)
    });
    let mut ranges: Vec<(i64, i64)> = ranges.collect();
    ranges.sort_unstable();
    ranges.dedup_by(|next, before| {
        let joined = next.0 <= before.1 + 1;
        if joined {
            before.1 = before.1.max(next.1);
        }
        joined
    });
    ranges
}

fn involved(names: &FlowLogs, id: &[u8], flow_log: u32, own: &Selection, whole: &Selection) -> Vec<String> {
    let better = own.better(id, flow_log).chain(whole.better(id, flow_log)).map(|(other, _)| *other);
    let numbers: BTreeSet<u32> = better.chain([flow_log]).collect();
    numbers.into_iter().map(|number| names.name(number).to_owned()).collect()
}

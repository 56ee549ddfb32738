//! Two flow logs on one interface deliver every record twice: which one counts, ten minutes by ten minutes.
//!
//! A first pass over the files finds interfaces whose deliveries overlap; a second one, made only then, leaves out what a
//! preferred flow log delivers too. Flow logs that follow each other (a new format needs a new flow log) are both kept,
//! and so are an ACCEPT-only and a REJECT-only one.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::Tally;
use super::coverage::{DELIVERY, Deliveries, Delivery, kind_index};
use crate::flow::Flow;

/// Deliveries may touch for this long and still follow each other.
const TOUCH: i64 = DELIVERY;

/// Which flow log counts.
#[derive(Debug, Default)]
pub struct Selection {
    watching: bool,
    /// Per interface: flow logs in order of preference with what each delivered.
    ranked: HashMap<Box<[u8]>, Vec<(u32, Delivery)>>,
}

/// A flow log whose records were left out on some interfaces, because another one delivered them too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duplicate {
    /// The flow log that counts.
    pub kept: u32,
    /// The flow log whose records were left out.
    pub left_out: u32,
    /// Interface ids, ascending.
    pub interface_ids: Vec<String>,
    /// Records left out.
    pub records: u64,
}

impl Selection {
    /// Leaves nothing out; `watching` says whether deliveries are recorded, to find whether anything should be.
    pub fn none(watching: bool) -> Self {
        Self { watching, ranked: HashMap::new() }
    }

    /// Whether deliveries must be recorded per flow log.
    pub fn watches(&self) -> bool {
        self.watching
    }

    /// Whether it leaves nothing out.
    pub fn is_empty(&self) -> bool {
        self.ranked.is_empty()
    }

    /// What a first pass shows to overlap. `preferred` are the flow logs the user chose, best first; after them the one
    /// with more records counts, then the smaller number.
    pub fn of<'a>(first_pass: impl Iterator<Item = (&'a [u8], &'a Deliveries)>, preferred: &[u32]) -> Self {
        let mut selection = Self { watching: true, ranked: HashMap::new() };
        for (id, deliveries) in first_pass {
            // 0 stands for files whose name tells no flow log: they cannot be told apart.
            let named: BTreeMap<u32, &Delivery> =
                deliveries.range(1..).map(|(flow_log, delivery)| (*flow_log, delivery)).collect();
            let pairs = named
                .iter()
                .flat_map(|(a, first)| named.range(a + 1..).map(move |(_, second)| (first, second)));
            if pairs.into_iter().any(|(first, second)| overlap(first, second)) {
                selection.ranked.insert(id.into(), rank(&named, preferred));
            }
        }
        selection
    }

    /// Whether a preferred flow log delivered such records of the interface at that time.
    pub fn leaves_out(&self, flow: &Flow<'_>, flow_log: u32) -> bool {
        if self.ranked.is_empty() || flow_log == 0 {
            return false;
        }
        let Some(start) = flow.start else { return false };
        let (kind, unit) = (kind_index(&flow.entry), start.div_euclid(DELIVERY));
        self.better(flow.interface_id, flow_log).any(|(_, delivery)| {
            let (first, last) = (delivery.span.first(), delivery.span.last());
            let spans = first.is_some_and(|first| first <= start) && last.is_some_and(|last| start <= last);
            spans && delivery.kinds[kind].1.contains(unit)
        })
    }

    /// The flow logs that come before another one on an interface, best first, with what each delivered; none where
    /// nothing is left out.
    pub fn better(&self, interface: &[u8], flow_log: u32) -> impl Iterator<Item = &(u32, Delivery)> {
        let ranked = self.ranked.get(interface).map(Vec::as_slice).unwrap_or_default();
        ranked.iter().take_while(move |(other, _)| *other != flow_log)
    }

    /// What the second pass left out, by pair of flow logs.
    pub fn duplicates(&self, tally: &Tally) -> Vec<Duplicate> {
        let mut found: BTreeMap<(u32, u32), (Vec<String>, u64)> = BTreeMap::new();
        for (id, interface) in tally.slots.ids().iter().zip(&tally.interfaces) {
            let Some(kept) = self.ranked.get(id).and_then(|ranked| ranked.first()) else { continue };
            for (left_out, records) in &interface.left_out {
                let (ids, sum) = found.entry((kept.0, *left_out)).or_default();
                ids.push(String::from_utf8_lossy(id).into_owned());
                *sum += records;
            }
        }
        let duplicates = found.into_iter().map(|((kept, left_out), (mut interface_ids, records))| {
            interface_ids.sort();
            Duplicate { kept, left_out, interface_ids, records }
        });
        duplicates.collect()
    }
}

/// What each flow log delivered of each interface, where that was recorded.
pub fn deliveries(tally: &Tally) -> impl Iterator<Item = (&[u8], &Deliveries)> {
    let interfaces = tally.slots.ids().iter().zip(&tally.interfaces);
    interfaces.map(|(id, interface)| (id.as_ref(), &interface.deliveries))
}

/// Interfaces that a named flow log and files of no known flow log both deliver at one time: nobody can tell whether
/// those are the same records.
pub fn untold_duplicates(tally: &Tally) -> Vec<String> {
    let both = |deliveries: &BTreeMap<u32, Delivery>| {
        let unnamed = deliveries.get(&0);
        unnamed.is_some_and(|unnamed| deliveries.range(1..).any(|(_, named)| overlap(unnamed, named)))
    };
    let ids =
        tally.slots.ids().iter().zip(&tally.interfaces).filter(|(_, interface)| both(&interface.deliveries));
    let mut ids: Vec<String> = ids.map(|(id, _)| String::from_utf8_lossy(id).into_owned()).collect();
    ids.sort();
    ids
}

/// Whether two deliveries speak of the same kind of records at the same time, rather than one following the other.
fn overlap(a: &Delivery, b: &Delivery) -> bool {
    let ends = (a.span.first(), a.span.last(), b.span.first(), b.span.last());
    let (Some(a0), Some(a1), Some(b0), Some(b1)) = ends else { return false };
    let shared = a1.min(b1) - a0.max(b0);
    let shorter = (a1 - a0).min(b1 - b0);
    let same_kind = || a.kinds.iter().zip(&b.kinds).any(|((_, ours), (_, theirs))| ours.meets(theirs));
    shared >= 0 && (shared > TOUCH || shared * 2 >= shorter) && same_kind()
}

fn rank(deliveries: &BTreeMap<u32, &Delivery>, preferred: &[u32]) -> Vec<(u32, Delivery)> {
    let mut order: Vec<(usize, std::cmp::Reverse<u64>, u32)> = deliveries
        .iter()
        .map(|(flow_log, delivery)| {
            let choice = preferred.iter().position(|chosen| chosen == flow_log).unwrap_or(preferred.len());
            (choice, std::cmp::Reverse(delivery.records()), *flow_log)
        })
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, _, flow_log)| (flow_log, deliveries[&flow_log].clone())).collect()
}

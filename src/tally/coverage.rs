//! What was read: records by outcome, rows that were none, and which hours of which interface the logs speak of.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::credit::Span;
use super::hours::Hours;
use crate::flow::{Action, Entry, Flow, PortFields, Seconds, V4Flow, has_ports};
use crate::ingest::{Place, RowFault};

/// Deliveries are compared by this many seconds, the longest aggregation interval.
pub const DELIVERY: Seconds = 600;

/// Records by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// ACCEPT.
    pub accepted: u64,
    /// REJECT.
    pub rejected: u64,
    /// NODATA.
    pub no_data: u64,
    /// SKIPDATA.
    pub skip_data: u64,
    /// Outside `--since`/`--until`.
    pub outside_window: u64,
    /// Delivered a second time by another flow log, and left to that one.
    pub duplicate: u64,
}

impl RecordCounts {
    /// Takes in other counts.
    pub fn merge(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.no_data += other.no_data;
        self.skip_data += other.skip_data;
        self.outside_window += other.outside_window;
        self.duplicate += other.duplicate;
    }
}

/// How often rows were malformed for one reason, and where first: (file, part, place in the part).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultCount {
    /// How often.
    pub count: u64,
    /// Where first; files and parts by their number in the run.
    pub first: (u32, u32, Place),
}

/// Faults by reason.
pub type Faults = BTreeMap<RowFault, FaultCount>;

/// Counts one fault, or `count` of them with this first place.
pub fn add_fault(faults: &mut Faults, fault: RowFault, other: FaultCount) {
    let known = faults.entry(fault).or_insert(FaultCount { count: 0, first: other.first });
    known.count += other.count;
    known.first = known.first.min(other.first);
}

/// What one flow log delivered of one interface, to find the same records delivered twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// When.
    pub span: Span,
    /// The largest start of an ACCEPT or REJECT: up to there, rules judged.
    pub last_start: Option<Seconds>,
    /// ACCEPT, REJECT, NODATA and SKIPDATA: how many, and the units of [`DELIVERY`] they start in.
    pub kinds: [(u64, Hours); 4],
}

/// What each flow log (number in the run; 0: not known) delivered of one interface.
pub type Deliveries = BTreeMap<u32, Delivery>;

/// Index into [`Delivery::kinds`].
pub fn kind_index(entry: &Entry) -> usize {
    match entry {
        Entry::Traffic(traffic) => match traffic.action {
            Action::Accept => 0,
            Action::Reject => 1,
        },
        Entry::NoData => 2,
        Entry::SkipData => 3,
    }
}

impl Delivery {
    /// Takes in one record.
    pub fn add(&mut self, flow: &Flow<'_>) {
        self.span.add(flow);
        let (records, hours) = &mut self.kinds[kind_index(&flow.entry)];
        *records += 1;
        if let Some(start) = flow.start {
            hours.insert(start.div_euclid(DELIVERY));
        }
        if let Entry::Traffic(_) = flow.entry {
            self.last_start = self.last_start.max(flow.start);
        }
    }

    /// Takes in one ACCEPT or REJECT.
    pub fn add_v4(&mut self, flow: &V4Flow) {
        self.span.add_times(flow.start, flow.end);
        let (records, units) = &mut self.kinds[usize::from(flow.action == Action::Reject)];
        *records += 1;
        units.insert(flow.start.div_euclid(DELIVERY));
        self.last_start = self.last_start.max(Some(flow.start));
    }

    /// Takes in what else the flow log delivered of the interface.
    pub fn merge(&mut self, other: &Self) {
        self.span.merge(other.span);
        self.last_start = self.last_start.max(other.last_start);
        for ((records, hours), (more, others)) in self.kinds.iter_mut().zip(&other.kinds) {
            *records += more;
            hours.merge(others);
        }
    }

    /// Records of all kinds.
    pub fn records(&self) -> u64 {
        self.kinds.iter().map(|(records, _)| records).sum()
    }
}

/// What is known of one interface's records.
#[derive(Debug, Clone, Default)]
pub struct InterfaceTally {
    /// ACCEPT.
    pub accepted: u64,
    /// REJECT.
    pub rejected: u64,
    /// ACCEPTs of tcp and udp whose ports the log does not say.
    pub portless: u64,
    /// NODATA.
    pub no_data: u64,
    /// SKIPDATA.
    pub skip_data: u64,
    /// When, of ACCEPT and REJECT.
    pub span: Span,
    /// Hours with ACCEPT or REJECT.
    pub hours: Hours,
    /// Hours with NODATA.
    pub no_data_hours: Hours,
    /// Hours with SKIPDATA.
    pub skip_data_hours: Hours,
    /// Per flow log (number in the run): what it delivered. Empty when the run has one flow log and saves no state.
    pub deliveries: Deliveries,
    /// Per flow log: ACCEPT and REJECT records left out because a preferred one delivered them too.
    pub left_out: BTreeMap<u32, u64>,
    /// Of an interface in no snapshot: where its ACCEPTs may belong.
    pub strays: Strays,
}

/// What ACCEPTs of an interface in no snapshot say about where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strays {
    /// `vpc-id`, or the VPC whose subnets hold one of the addresses.
    pub vpc_ids: BTreeSet<String>,
    /// `account-id` of records whose VPC is not known.
    pub account_ids: BTreeSet<String>,
}

/// Ids of one interface do not change; a forged log must not fill memory with them. The smallest stay.
const MOST_STRAYS: usize = 16;

/// Adds an id to a bounded set.
pub fn note(set: &mut BTreeSet<String>, id: &[u8]) {
    let text = String::from_utf8_lossy(id);
    if set.contains(text.as_ref()) {
        return;
    }
    set.insert(text.into_owned());
    if set.len() > MOST_STRAYS {
        set.pop_last();
    }
}

impl InterfaceTally {
    /// Takes in one record that counts.
    pub fn add(&mut self, flow: &Flow<'_>) {
        match &flow.entry {
            Entry::NoData => {
                self.no_data += 1;
                self.no_data_hours.add(flow);
            }
            Entry::SkipData => {
                self.skip_data += 1;
                self.skip_data_hours.add(flow);
            }
            Entry::Traffic(traffic) => {
                match traffic.action {
                    Action::Accept => {
                        self.accepted += 1;
                        let portless = traffic.ports == PortFields::Missing && has_ports(traffic.protocol);
                        self.portless += u64::from(portless);
                    }
                    Action::Reject => self.rejected += 1,
                }
                self.span.add(flow);
                self.hours.add(flow);
            }
        }
    }

    /// Hours that the logs speak of: with ACCEPT, REJECT or NODATA. A SKIPDATA record says that they do not.
    pub fn covered(&self) -> Hours {
        let mut covered = self.hours.clone();
        covered.merge(&self.no_data_hours);
        covered
    }

    /// Hours with NODATA and neither ACCEPT nor REJECT.
    pub fn quiet_hours(&self) -> Hours {
        self.no_data_hours.without(&self.hours)
    }

    /// Takes in other records of the same interface.
    pub fn merge(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.portless += other.portless;
        self.no_data += other.no_data;
        self.skip_data += other.skip_data;
        self.span.merge(other.span);
        self.hours.merge(&other.hours);
        self.no_data_hours.merge(&other.no_data_hours);
        self.skip_data_hours.merge(&other.skip_data_hours);
        for (flow_log, delivery) in other.deliveries {
            self.deliveries.entry(flow_log).or_default().merge(&delivery);
        }
        for (flow_log, records) in other.left_out {
            *self.left_out.entry(flow_log).or_default() += records;
        }
        for id in other.strays.vpc_ids {
            note(&mut self.strays.vpc_ids, id.as_bytes());
        }
        for id in other.strays.account_ids {
            note(&mut self.strays.account_ids, id.as_bytes());
        }
    }
}

/// Interface ids and their slots: dense numbers within one tally.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    known: HashMap<Box<[u8]>, u32>,
    ids: Vec<Box<[u8]>>,
}

impl Slots {
    /// The slot of an interface, new or known.
    pub fn slot(&mut self, id: &[u8]) -> u32 {
        self.known(id).unwrap_or_else(|| {
            let slot = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
            self.known.insert(id.into(), slot);
            self.ids.push(id.into());
            slot
        })
    }

    /// The slot of an interface, if it is known.
    pub fn known(&self, id: &[u8]) -> Option<u32> {
        self.known.get(id).copied()
    }

    /// Ids by slot.
    pub fn ids(&self) -> &[Box<[u8]>] {
        &self.ids
    }

    /// The ids of all slots as text, by slot.
    pub fn names(&self) -> Vec<String> {
        self.ids.iter().map(|id| String::from_utf8_lossy(id).into_owned()).collect()
    }

    /// The id of a slot as text.
    pub fn name(&self, slot: u32) -> String {
        String::from_utf8_lossy(&self.ids[slot as usize]).into_owned()
    }
}

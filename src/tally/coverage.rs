//! What was read: records by outcome, rows that were none, and which hours of which interface the logs speak of.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::credit::Span;
use crate::flow::{Action, Entry, Flow, PortFields, Seconds, V4Flow, has_ports};
use crate::ingest::{Place, RowFault};

/// Seconds of an hour.
pub const HOUR: Seconds = 3600;
/// Deliveries are compared by this many seconds, the longest aggregation interval.
pub const DELIVERY: Seconds = 600;
/// No flow-log record lasts longer (aggregation is at most ten minutes): a longer one marks its ends only.
const LONGEST_RECORD: Seconds = 2 * HOUR;

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

/// A set of numbered hours (or other units of time), 64 to a word.
#[derive(Debug, Clone, Default)]
pub struct Hours {
    words: BTreeMap<i64, u64>,
    /// The word last written to, with its bits: records come in order of time, mostly.
    last: (i64, u64),
}

impl PartialEq for Hours {
    fn eq(&self, other: &Self) -> bool {
        self.words == other.words
    }
}

impl Eq for Hours {}

/// Hours met of late, of one word of [`Hours`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecentHours {
    at: i64,
    bits: u64,
}

impl RecentHours {
    /// None yet.
    pub const NONE: Self = Self { at: 0, bits: 0 };

    /// Notes the hour of a record of these times. False: it touches several, or one of another word.
    #[inline(always)]
    pub fn note(&mut self, start: Seconds, end: Seconds) -> bool {
        let hour = start.div_euclid(HOUR);
        let one = end <= (hour + 1) * HOUR;
        let known = one & (hour.div_euclid(64) == self.at);
        self.bits |= u64::from(known) << hour.rem_euclid(64);
        known
    }

    /// Gives them to a set, and turns to the word of this time.
    pub fn turn(&mut self, start: Seconds, hours: &mut Hours) {
        if self.bits != 0 {
            hours.insert_word(self.at, self.bits);
        }
        *self = Self { at: start.div_euclid(HOUR).div_euclid(64), bits: 0 };
    }
}

impl Hours {
    /// Adds the hours a record touches.
    pub fn add(&mut self, flow: &Flow<'_>) {
        if let (Some(start), Some(end)) = (flow.start, flow.end) {
            self.add_times(start, end);
        }
    }

    /// Adds the hours that a record of these times touches.
    pub fn add_times(&mut self, start: Seconds, end: Seconds) {
        // A record that ends on the hour says nothing of the next one.
        let (from, to) = (start.div_euclid(HOUR), (end - 1).max(start).div_euclid(HOUR));
        self.insert(from);
        if to != from {
            self.insert(to);
            if end - start <= LONGEST_RECORD {
                (from + 1..to).for_each(|hour| self.insert(hour));
            }
        }
    }

    fn insert(&mut self, hour: i64) {
        let (at, bit) = (hour.div_euclid(64), 1 << hour.rem_euclid(64));
        if self.last.0 != at || self.last.1 & bit == 0 {
            let word = self.words.entry(at).or_default();
            *word |= bit;
            self.last = (at, *word);
        }
    }

    /// The words of the set, ascending: (number, bits), where word N has the hours from 64 N on.
    pub fn words(&self) -> impl Iterator<Item = (i64, u64)> {
        self.words.iter().map(|(at, word)| (*at, *word))
    }

    /// The hours of the set, ascending.
    pub fn members(&self) -> impl Iterator<Item = i64> {
        self.words().flat_map(|(at, word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at * 64 + bit)
        })
    }

    /// Adds the hours of one word.
    pub fn insert_word(&mut self, at: i64, word: u64) {
        *self.words.entry(at).or_default() |= word;
        self.last = (0, 0);
    }

    /// Whether it shares any hour with another set.
    pub fn meets(&self, other: &Self) -> bool {
        self.words.iter().any(|(at, word)| other.words.get(at).is_some_and(|theirs| theirs & word != 0))
    }

    /// Whether it holds the hour (since 1970).
    pub fn contains(&self, hour: i64) -> bool {
        self.words.get(&hour.div_euclid(64)).is_some_and(|word| word >> hour.rem_euclid(64) & 1 == 1)
    }

    /// Takes in other hours.
    pub fn merge(&mut self, other: &Self) {
        for (at, word) in other.words() {
            self.insert_word(at, word);
        }
    }

    /// How many of the hours `from..to` it holds.
    pub fn count(&self, from: i64, to: i64) -> u64 {
        if from >= to {
            return 0;
        }
        let (first, last) = (from.div_euclid(64), (to - 1).div_euclid(64));
        let words = self.words.range(first..=last).map(|(at, word)| {
            let low = if *at == first { u64::MAX << from.rem_euclid(64) } else { u64::MAX };
            let high = if *at == last { u64::MAX >> (63 - (to - 1).rem_euclid(64)) } else { u64::MAX };
            u64::from((word & low & high).count_ones())
        });
        words.sum()
    }
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
    /// Hours with any record but SKIPDATA.
    pub hours: Hours,
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
            Entry::NoData => self.no_data += 1,
            Entry::SkipData => {
                self.skip_data += 1;
                return;
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
            }
        }
        self.hours.add(flow);
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

    /// The id of a slot as text.
    pub fn name(&self, slot: u32) -> String {
        String::from_utf8_lossy(&self.ids[slot as usize]).into_owned()
    }
}

//! Credits of ACCEPTs in one dense list: by interface and by what was judged of them.
//!
//! What a record ends as is found once per situation; after that it costs two look-ups of small keys and seven sums.

use hashbrown::HashMap;

use super::UsageKey;
use super::credit::Credit;
use super::watch::Exposure;
use super::word_table::WordTable;
use crate::attribution::Basis;
use crate::attribution::judge::{Role, Verdict};
use crate::attribution::sets::SetId;
use crate::flow::{SYN_ACK, V4Flow};

/// What records of a cell have in common besides the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    /// What was judged.
    pub(super) verdict: Verdict,
    /// The rules that fit in all but the peer.
    pub(super) near: SetId,
    /// What the TCP flags are known to be.
    pub(super) flags: Flags,
}

/// What is known of TCP flags, as far as credits count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Flags {
    Unknown,
    Known,
    /// SYN and ACK: somebody listens.
    SynAck,
}

impl Flags {
    pub(super) fn of(tcp_flags: Option<u8>) -> Self {
        match tcp_flags {
            None => Self::Unknown,
            Some(flags) if flags & SYN_ACK == SYN_ACK => Self::SynAck,
            Some(_) => Self::Known,
        }
    }
}

/// Number of a [`Kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KindNumber(u32);

/// Interface slot, kind and exposure, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CellKey(u64);

impl CellKey {
    /// The cell of records that were counted otherwise; what is in it counts for nothing.
    pub(super) const NONE: Self = Self(u64::MAX - 1);

    #[inline]
    pub(super) fn of(slot: u32, kind: KindNumber, exposure: Exposure) -> Self {
        Self(u64::from(slot) << 32 | u64::from(kind.0) << 8 | u64::from(exposure.code()))
    }
}

/// Kinds have 24 bits of a key; there are as many as pairs of sets of rules.
const MOST_KINDS: usize = 1 << 24;

/// What ACCEPTs of a kind add up to, in half a cache line. What does not fit goes to [`Cells::spilled`].
#[derive(Debug, Clone, Copy)]
struct Cell {
    key: CellKey,
    bytes: u64,
    packets: u32,
    records: u32,
    first: u32,
    last: u32,
}

impl Cell {
    fn empty(key: CellKey) -> Self {
        Self { key, bytes: 0, packets: 0, records: 0, first: u32::MAX, last: 0 }
    }

    /// None: it does not fit.
    #[inline(always)]
    fn add(&mut self, flow: &V4Flow) -> Option<()> {
        let packets = u64::from(self.packets) + u64::from(u32::try_from(flow.packets).ok()?);
        let packets = u32::try_from(packets).ok()?;
        let (first, last) = (u32::try_from(flow.start).ok()?, u32::try_from(flow.end).ok()?);
        self.records = self.records.checked_add(1)?;
        self.packets = packets;
        self.bytes = self.bytes.saturating_add(flow.bytes);
        self.first = self.first.min(first);
        self.last = self.last.max(last);
        Some(())
    }

    fn credit(&self, kind: Kind) -> Credit {
        let mut credit = Credit { packets: self.packets.into(), bytes: self.bytes, ..Credit::default() };
        if self.records > 0 {
            credit.span.add_times(self.first.into(), self.last.into());
        }
        credit.records = self.records.into();
        credit.with_flags = if kind.flags == Flags::Unknown { 0 } else { credit.records };
        credit.answers = if kind.flags == Flags::SynAck { credit.records } else { 0 };
        credit
    }
}

/// Credits by interface slot, kind and exposure.
#[derive(Debug, Default)]
pub(super) struct Cells {
    known: HashMap<Kind, KindNumber>,
    kinds: Vec<Kind>,
    places: WordTable,
    dense: Vec<Cell>,
    /// What cells could not hold, in no order.
    spilled: Vec<(CellKey, Credit)>,
}

impl Cells {
    /// The number of a kind, new or known. None: there are too many.
    pub(super) fn kind(&mut self, kind: Kind) -> Option<KindNumber> {
        if let Some(number) = self.known.get(&kind) {
            return Some(*number);
        }
        let next = KindNumber(u32::try_from(self.kinds.len()).ok()?);
        if self.kinds.len() >= MOST_KINDS {
            return None;
        }
        self.known.insert(kind, next);
        self.kinds.push(kind);
        Some(next)
    }

    /// Where a cell is.
    #[inline(always)]
    pub(super) fn place(&mut self, key: CellKey) -> u32 {
        match self.places.get(key.0, |place| self.dense[place as usize].key == key) {
            Some(place) => place,
            None => self.open(key),
        }
    }

    #[cold]
    fn open(&mut self, key: CellKey) -> u32 {
        let place = u32::try_from(self.dense.len()).unwrap_or(u32::MAX);
        self.places.insert(key.0, place);
        self.dense.push(Cell::empty(key));
        place
    }

    /// Adds a record to the cell at a place.
    #[inline(always)]
    pub(super) fn add(&mut self, place: u32, flow: &V4Flow) {
        if self.dense[place as usize].add(flow).is_none() {
            self.spill(place, flow);
        }
    }

    /// Empties a cell that is full, and takes the record by itself.
    #[cold]
    fn spill(&mut self, place: u32, flow: &V4Flow) {
        let key = self.dense[place as usize].key;
        let full = std::mem::replace(&mut self.dense[place as usize], Cell::empty(key));
        if let Some(kind) = self.kind_of(key) {
            let mut credit = full.credit(kind);
            credit.add_v4(flow);
            self.spilled.push((key, credit));
        }
    }

    fn kind_of(&self, key: CellKey) -> Option<Kind> {
        #[expect(clippy::cast_possible_truncation, reason = "its place in the word")]
        let number = key.0 as u32 >> 8;
        self.kinds.get(number as usize).copied().filter(|_| key != CellKey::NONE)
    }

    /// All credits, with interface slot, kind and exposure; some in several parts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, Kind, Exposure, Credit)> {
        let cells =
            self.dense.iter().filter_map(|cell| Some((cell.key, cell.credit(self.kind_of(cell.key)?))));
        cells.chain(self.spilled.iter().copied()).filter_map(|(key, credit)| {
            #[expect(clippy::cast_possible_truncation, reason = "its places in the word")]
            let (slot, exposure) = ((key.0 >> 32) as u32, key.0 as u8);
            Some((slot, self.kind_of(key)?, Exposure::of_code(exposure), credit))
        })
    }
}

/// What an ACCEPT of a kind is credited to. None: to no rule.
pub(super) fn usage_key(interface: u32, verdict: Verdict, exposure: Exposure) -> Option<UsageKey> {
    let (role, forward, reply) = match verdict {
        Verdict::Decided { role: Role::Reply, set, .. } => (Role::Reply, SetId::EMPTY, set),
        Verdict::Decided { role, set, .. } => (role, set, SetId::EMPTY),
        Verdict::Undecided { forward, reply, .. } => (Role::Undecided, forward, reply),
        _ => return None,
    };
    Some(UsageKey { interface, role, forward, reply, exposure })
}

/// The role, if records of this verdict show a port as a service (line 5).
pub(super) fn shows(verdict: Verdict) -> Option<Role> {
    match verdict {
        Verdict::Decided { role, basis: Basis::TcpFlags | Basis::Rules, .. } => Some(role),
        _ => None,
    }
}

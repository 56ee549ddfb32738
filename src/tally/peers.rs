//! Peers with their records, as addresses, or as prefixes where there are too many.
//!
//! A table widens by fixed steps until it fits. Which step it ends at depends on the set of peers alone, not on the order
//! they came in or were merged in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hashbrown::HashMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::credit::Span;
use super::unordered;
use crate::flow::{Flow, Seconds, V4Flow};

/// Prefix lengths by step, IPv4 and IPv6.
pub(super) const LADDER: [(u8, u8); 5] = [(32, 128), (24, 64), (16, 48), (8, 32), (0, 0)];

/// More peers than this are kept of no row.
pub(super) const MOST_PEERS: usize = 256;

/// Records of one peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerUse {
    /// How many.
    pub records: u64,
    /// When.
    pub span: Span,
}

impl PeerUse {
    /// Takes in other records.
    pub fn merge(&mut self, other: &Self) {
        self.records += other.records;
        self.span.merge(other.span);
    }
}

/// An IPv4 prefix in one word; ordered as [`IpNet`] orders them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct V4Prefix(u64);

impl V4Prefix {
    /// The prefix.
    pub fn net(self) -> IpNet {
        #[expect(clippy::cast_possible_truncation, reason = "its parts")]
        net_v4((self.0 >> 8) as u32, self.0 as u8)
    }
}

/// An IPv4 prefix and a number of records in one word, ordered by prefix: there may be millions to sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct V4Count(u64);

impl V4Count {
    /// Bits of a word that a prefix, whose numbers have forty, leaves.
    const BITS: u32 = 24;

    /// None: too many records for a word.
    pub fn new(peer: V4Prefix, records: u64) -> Option<Self> {
        (records >> Self::BITS == 0).then_some(Self(peer.0 << Self::BITS | records))
    }

    /// The prefix.
    pub fn peer(self) -> V4Prefix {
        V4Prefix(self.0 >> Self::BITS)
    }

    /// How many.
    pub fn records(self) -> u64 {
        self.0 & ((1 << Self::BITS) - 1)
    }
}

/// Peers, as addresses or as prefixes of one step of the ladder.
///
/// Most rows see a peer once or twice, so records are noted one behind the other and only summed when there are many.
#[derive(Debug, Clone, Default)]
pub struct PeerTable {
    step: u8,
    /// How many notes at the front are summed and ascending.
    summed: u32,
    notes: Vec<Note>,
    /// What does not fit a note.
    rest: Option<Box<Rest>>,
}

/// Some records of an IPv4 peer, in sixteen bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Note {
    peer: u32,
    records: u32,
    first: u32,
    last: u32,
}

#[derive(Debug, Clone, Default)]
struct Rest {
    /// Records without a time or with one after 2106, and those beyond 32 bits. Every peer here has a note too.
    v4: HashMap<u32, PeerUse>,
    v6: HashMap<u128, PeerUse>,
}

impl Note {
    /// A note that says of a peer only that it is one.
    fn bare(peer: u32) -> Self {
        Self { peer, records: 0, first: u32::MAX, last: 0 }
    }

    /// None: it does not fit.
    fn of(peer: u32, start: Seconds, end: Seconds) -> Option<Self> {
        Some(Self { peer, records: 1, first: u32::try_from(start).ok()?, last: u32::try_from(end).ok()? })
    }

    fn merge(&mut self, other: &Self) -> Option<()> {
        self.records = self.records.checked_add(other.records)?;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        Some(())
    }

    fn uses(&self) -> PeerUse {
        let mut span = Span::default();
        if self.records > 0 {
            span.add_times(self.first.into(), self.last.into());
        }
        PeerUse { records: self.records.into(), span }
    }
}

impl PeerTable {
    /// Takes in one record of a peer; sums up when there are many notes.
    #[inline]
    pub(super) fn add_v4(&mut self, peer: u32, flow: &V4Flow) {
        if let Some(note) = Note::of(peer, flow.start, flow.end) {
            self.note(note);
        } else {
            let mut uses = PeerUse { records: 1, span: Span::default() };
            uses.span.add_times(flow.start, flow.end);
            self.add_v4_rest(peer, &uses);
        }
    }

    /// Takes in one record of a peer.
    pub(super) fn add(&mut self, peer: IpAddr, flow: &Flow<'_>) {
        let mut uses = PeerUse { records: 1, span: Span::default() };
        uses.span.add(flow);
        match peer {
            IpAddr::V4(peer) => {
                let times = flow.start.zip(flow.end);
                match times.and_then(|(start, end)| Note::of(peer.into(), start, end)) {
                    Some(note) => self.note(note),
                    None => self.add_v4_rest(peer.into(), &uses),
                }
            }
            IpAddr::V6(peer) => {
                let peer = widened_v6(peer.into(), self.step);
                let rest = self.rest.get_or_insert_default();
                rest.v6.entry(peer).or_default().merge(&uses);
                if rest.v6.len() > MOST_PEERS {
                    self.fit(MOST_PEERS);
                }
            }
        }
    }

    fn add_v4_rest(&mut self, peer: u32, uses: &PeerUse) {
        self.note(Note::bare(peer));
        self.rest.get_or_insert_default().v4.entry(widened_v4(peer, self.step)).or_default().merge(uses);
    }

    #[inline]
    fn note(&mut self, note: Note) {
        if self.notes.len() == self.notes.capacity() {
            self.make_room();
        }
        self.notes.push(note);
    }

    #[cold]
    fn make_room(&mut self) {
        self.fit(MOST_PEERS);
        // At least as many again before the next time, so that summing up costs little per record.
        let room = (self.notes.len() * 2).max(4);
        self.notes.reserve_exact(room - self.notes.len());
    }

    /// Sums up, and widens until there are at most `most` peers.
    pub(super) fn fit(&mut self, most: usize) {
        if !self.is_summed() {
            self.sum_up();
        }
        while self.len() > most && usize::from(self.step) + 1 < LADDER.len() {
            self.step += 1;
            self.sum_up();
        }
    }

    /// One note per peer of the present step, ascending.
    fn sum_up(&mut self) {
        let step = self.step;
        let mut notes = std::mem::take(&mut self.notes);
        for note in &mut notes {
            note.peer = widened_v4(note.peer, step);
        }
        // Masked peers stay in order, so what is summed already need not be sorted again.
        let (_, fresh) = notes.split_at_mut(self.summed as usize);
        if !fresh.is_empty() {
            fresh.sort_unstable_by_key(|note| note.peer);
            notes.sort_by_key(|note| note.peer);
        }
        let mut spilled = Vec::new();
        notes.dedup_by(|other, note| {
            let same = other.peer == note.peer;
            if same && note.merge(other).is_none() {
                spilled.push(*other);
            }
            same
        });
        self.summed = u32::try_from(notes.len()).unwrap_or(u32::MAX);
        self.notes = notes;
        for note in spilled {
            self.spill(&note);
        }
        if let Some(rest) = &mut self.rest {
            for (peer, uses) in unordered(std::mem::take(&mut rest.v4)) {
                rest.v4.entry(widened_v4(peer, step)).or_default().merge(&uses);
            }
            for (peer, uses) in unordered(std::mem::take(&mut rest.v6)) {
                rest.v6.entry(widened_v6(peer, step)).or_default().merge(&uses);
            }
        }
    }

    /// Takes in the peers of another table. Call [`PeerTable::fit`] when all are in.
    pub(super) fn merge(&mut self, mut other: Self) {
        let step = self.step.max(other.step);
        for table in [&mut *self, &mut other] {
            if table.step < step {
                table.step = step;
                table.sum_up();
            }
        }
        if self.is_summed() && other.is_summed() {
            self.merge_summed(other.notes);
        } else {
            self.notes.extend(other.notes);
        }
        if let Some(theirs) = other.rest {
            let rest = self.rest.get_or_insert_default();
            for (peer, uses) in unordered(theirs.v4) {
                rest.v4.entry(peer).or_default().merge(&uses);
            }
            for (peer, uses) in unordered(theirs.v6) {
                rest.v6.entry(peer).or_default().merge(&uses);
            }
        }
    }

    fn is_summed(&self) -> bool {
        self.summed as usize == self.notes.len()
    }

    /// Takes in notes that are summed and ascending into such notes.
    fn merge_summed(&mut self, theirs: Vec<Note>) {
        let ours = std::mem::take(&mut self.notes);
        let mut notes = Vec::with_capacity(ours.len() + theirs.len());
        let mut theirs = theirs.into_iter().peekable();
        for mut note in ours {
            while let Some(other) = theirs.next_if(|other| other.peer < note.peer) {
                notes.push(other);
            }
            if let Some(other) = theirs.next_if(|other| other.peer == note.peer)
                && note.merge(&other).is_none()
            {
                self.spill(&other);
            }
            notes.push(note);
        }
        notes.extend(theirs);
        self.summed = u32::try_from(notes.len()).unwrap_or(u32::MAX);
        self.notes = notes;
    }

    /// Takes in what a note has no room for.
    fn spill(&mut self, note: &Note) {
        self.rest.get_or_insert_default().v4.entry(note.peer).or_default().merge(&note.uses());
    }

    /// Whether every peer is still an address.
    pub fn is_exact(&self) -> bool {
        self.step == 0
    }

    /// Peers and their records, in no order. The table must have been summed up.
    pub fn iter(&self) -> impl Iterator<Item = (IpNet, PeerUse)> {
        let (v4, v6) = LADDER[usize::from(self.step)];
        let rest = self.rest.as_deref();
        let short = self.notes.iter().map(move |note| {
            let mut uses = note.uses();
            if let Some(more) = rest.and_then(|rest| rest.v4.get(&note.peer)) {
                uses.merge(more);
            }
            (net_v4(note.peer, v4), uses)
        });
        let long = rest.into_iter().flat_map(|rest| rest.v6.iter());
        short.chain(long.map(move |(peer, uses)| (net_v6(*peer, v6), *uses)))
    }

    /// IPv4 peers, ascending, as address and prefix length in one word, with their records: for sums over many tables.
    pub fn v4_records(&self) -> impl Iterator<Item = (V4Prefix, u64)> {
        let (length, _) = LADDER[usize::from(self.step)];
        let rest = self.rest.as_deref();
        self.notes.iter().map(move |note| {
            let more = rest.and_then(|rest| rest.v4.get(&note.peer)).map_or(0, |uses| uses.records);
            (V4Prefix(u64::from(note.peer) << 8 | u64::from(length)), u64::from(note.records) + more)
        })
    }

    /// IPv6 peers with their records, in no order.
    pub fn v6_records(&self) -> impl Iterator<Item = (IpNet, u64)> {
        let (_, length) = LADDER[usize::from(self.step)];
        let rest = self.rest.as_deref().into_iter().flat_map(|rest| rest.v6.iter());
        rest.map(move |(peer, uses)| (net_v6(*peer, length), uses.records))
    }

    /// When a peer (as [`PeerTable::iter`] names it) was seen.
    pub fn seen(&self, peer: &IpNet) -> Option<Span> {
        let (v4, v6) = LADDER[usize::from(self.step)];
        match peer {
            IpNet::V4(net) if net.prefix_len() == v4 => {
                let peer = u32::from(net.addr());
                let at = self.notes.binary_search_by_key(&peer, |note| note.peer).ok()?;
                let mut span = self.notes[at].uses().span;
                if let Some(more) = self.rest.as_deref().and_then(|rest| rest.v4.get(&peer)) {
                    span.merge(more.span);
                }
                Some(span)
            }
            IpNet::V6(net) if net.prefix_len() == v6 => {
                let peer = u128::from(net.addr());
                self.rest.as_deref().and_then(|rest| rest.v6.get(&peer)).map(|uses| uses.span)
            }
            _ => None,
        }
    }

    /// How many peers (or prefixes) there are. The table must have been summed up.
    pub fn len(&self) -> usize {
        self.notes.len() + self.rest.as_ref().map_or(0, |rest| rest.v6.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

pub(super) fn widened_v4(peer: u32, step: u8) -> u32 {
    peer & u32::MAX.checked_shl(32 - u32::from(LADDER[usize::from(step)].0)).unwrap_or(0)
}

pub(super) fn widened_v6(peer: u128, step: u8) -> u128 {
    peer & u128::MAX.checked_shl(128 - u32::from(LADDER[usize::from(step)].1)).unwrap_or(0)
}

fn net_v4(peer: u32, length: u8) -> IpNet {
    Ipv4Net::new(Ipv4Addr::from(peer), length).map_or_else(|_| IpAddr::V4(peer.into()).into(), IpNet::V4)
}

fn net_v6(peer: u128, length: u8) -> IpNet {
    Ipv6Net::new(Ipv6Addr::from(peer), length).map_or_else(|_| IpAddr::V6(peer.into()).into(), IpNet::V6)
}

/// Peers that a state kept.
impl PeerTable {
    /// Puts back one entry that [`PeerTable::iter`] gave. None: its prefix is no step of the ladder, or not the step of
    /// the others, or there are more than are ever kept.
    pub(crate) fn restore(&mut self, peer: IpNet, uses: PeerUse) -> Option<()> {
        let length = peer.prefix_len();
        let step =
            LADDER.iter().position(|(v4, v6)| length == if peer.addr().is_ipv4() { *v4 } else { *v6 })?;
        let step = u8::try_from(step).ok()?;
        if self.is_empty() {
            self.step = step;
        }
        if step != self.step || self.len() >= MOST_PEERS || peer != peer.trunc() {
            return None;
        }
        match peer {
            IpNet::V4(peer) => {
                let peer = u32::from(peer.addr());
                // They are given in order, so that each is new if it is larger than the last.
                if self.notes.last().is_some_and(|last| last.peer >= peer) {
                    return None;
                }
                let records = u32::try_from(uses.records).ok();
                let note = match (uses.span.first(), uses.span.last(), records) {
                    (Some(first), Some(last), Some(records)) => {
                        Note::of(peer, first, last).map(|note| Note { records, ..note })
                    }
                    _ => None,
                };
                self.notes.push(note.unwrap_or(Note::bare(peer)));
                self.summed = u32::try_from(self.notes.len()).ok()?;
                if note.is_none() {
                    self.rest.get_or_insert_default().v4.insert(peer, uses);
                }
                Some(())
            }
            IpNet::V6(peer) => {
                let known = self.rest.get_or_insert_default().v6.insert(peer.addr().into(), uses);
                known.is_none().then_some(())
            }
        }
    }
}

//! What an investigation asks for: which records, and what is kept of them.
//!
//! ```text
//! record ─▶ Sought: is it asked for? ─▶ Inquiry ─┬▶ sums: accepted, refused, each way, by peer, by rules, by cause
//!                                                └▶ pieces: one per connection and ten minutes, in order of time
//! ```
//!
//! Memory is bounded by what is shown. Pieces are kept from the first on, as many as there is room for, in order of time and then
//! of addresses and ports: what comes later is in the sums alone, and from when on it is so is told. Where that is depends on the
//! set of records alone, for what some of the records have too many of, all of them have too many of.

mod ending;
mod peer;
mod piece;
mod quick;
mod sought;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use ipnet::IpNet;
use rayon::prelude::*;

use super::bounds::{Sum, Tables};
use super::credit::Credit;
use super::roles::Roles;
use super::unordered;
use super::waiting::Waiting;
use crate::attribution::judge::{Role, Verdict};
use crate::attribution::sets::SetId;
use crate::flow::{Action, Direction, Flow, Seconds, Traffic};
pub use ending::{Admitted, Ending, Endings, is_attempt};
use ending::{admitted, renumbered, settled};
pub use peer::PeerSum;
use peer::{PEERS, PeerKey};
pub use piece::{Connection, Piece};
use piece::{PIECE, Rank, rank};
use quick::Counted;
pub(super) use quick::{AskedV4, EndingNumber};
pub use sought::{Asking, Sought};

/// So many pieces are kept: twenty megabytes or so.
pub const MOST_PIECES: usize = 65_536;

/// What is kept of the records asked for.
#[derive(Debug, Clone)]
pub struct Inquiry {
    /// Records.
    pub records: Sums,
    /// Rows that stand where nothing can be that is asked for, and were not read.
    pub unread: u64,
    /// How they ended.
    pub endings: HashMap<Ending, u64>,
    counted: Counted,
    peers: Tables<PeerKey, PeerSum>,
    /// By the number of ten minutes since 1970; None: records without a time.
    pieces: BTreeMap<Option<i64>, Pieces>,
    kept: usize,
    /// Pieces from here on are not kept.
    cut: Option<Rank>,
    /// Nor those of this time or later, which is asked first.
    late: Seconds,
    most: usize,
}

/// They are large: tables that grow move where they are, and not them.
type Pieces = HashMap<Connection, Box<Piece>>;

/// Sums over all records asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Let through.
    pub accepted: u64,
    /// Refused.
    pub rejected: u64,
    /// What came in.
    pub ingress: Credit,
    /// What went out.
    pub egress: Credit,
    /// What crossed in a way that is not known.
    pub unknown: Credit,
    /// Records among these that the interface at the far end saw, of an address that was asked for.
    pub far_end: u64,
}

impl Default for Inquiry {
    fn default() -> Self {
        Self::within(MOST_PIECES)
    }
}

/// Whose interface saw a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeenFrom {
    /// That of whoever was asked for.
    OwnEnd,
    /// That of whoever it spoke with.
    FarEnd,
}

/// A record that is asked for, judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'r> {
    pub(super) interface: u32,
    pub(super) direction: Option<Direction>,
    pub(super) peer: IpAddr,
    pub(super) verdict: Verdict,
    pub(super) flow: &'r Flow<'r>,
    pub(super) traffic: &'r Traffic,
}

impl Asked<'_> {
    fn connection(&self) -> Connection {
        let Traffic { protocol, srcport, dstport, .. } = *self.traffic;
        let source = self.traffic.pkt_srcaddr.unwrap_or(self.traffic.srcaddr);
        let destination = self.traffic.pkt_dstaddr.unwrap_or(self.traffic.dstaddr);
        let (address, local_port, peer, peer_port) = match self.direction {
            Some(Direction::Egress) => (source, srcport, destination, dstport),
            _ => (destination, dstport, source, srcport),
        };
        let peer = if self.direction.is_some() { self.peer } else { peer };
        Connection { interface: self.interface, protocol, address, local_port, peer, peer_port }
    }
}

impl Inquiry {
    /// Nothing yet, and at most so many pieces.
    pub fn within(most: usize) -> Self {
        Self {
            records: Sums::default(),
            unread: 0,
            endings: HashMap::new(),
            counted: Counted::default(),
            peers: Tables::new(PEERS),
            pieces: BTreeMap::new(),
            kept: 0,
            cut: None,
            late: quick::late(None),
            most,
        }
    }

    /// Takes in a record.
    pub(super) fn add(&mut self, asking: &Asking<'_>, asked: &Asked<'_>) {
        let connection = asked.connection();
        self.add_seen_from(asking.seen_from(&connection), connection, asked);
    }

    fn add_seen_from(&mut self, seen_from: SeenFrom, connection: Connection, asked: &Asked<'_>) {
        let Asked { direction, verdict, flow, traffic, .. } = *asked;
        let ending = Ending::of(direction, verdict);
        // Seen from the far end, what goes out there comes in here.
        let (way, peer) = match (seen_from, direction) {
            (SeenFrom::OwnEnd, _) | (_, None) => (direction, connection.peer),
            (SeenFrom::FarEnd, Some(direction)) => (Some(direction.opposite()), connection.address),
        };
        match way {
            Some(Direction::Ingress) => self.records.ingress.add(flow, traffic),
            Some(Direction::Egress) => self.records.egress.add(flow, traffic),
            None => self.records.unknown.add(flow, traffic),
        }
        let rejected = u64::from(traffic.action == Action::Reject);
        self.records.rejected += rejected;
        self.records.accepted += 1 - rejected;
        self.records.far_end += u64::from(seen_from == SeenFrom::FarEnd);
        *self.endings.entry(ending).or_default() += 1;
        let mut sum = PeerSum { accepted: 1 - rejected, rejected, ..PeerSum::default() };
        sum.span.add(flow);
        match way {
            Some(Direction::Egress) => sum.bytes_out = traffic.bytes,
            _ => sum.bytes_in = traffic.bytes,
        }
        self.peers.add(0, |rung| PeerKey::of(peer, rung), |peer| peer.merge(&sum));

        self.keep(connection, flow.start, |piece| piece.add(direction, flow, traffic, ending));
    }

    /// Adds a record to its piece, unless that comes too late.
    fn keep(&mut self, connection: Connection, start: Option<Seconds>, add: impl FnOnce(&mut Piece)) {
        let at = start.map(|start| start.div_euclid(PIECE));
        if self.cut.is_some_and(|cut| at > cut.0 || (at == cut.0 && rank(at, &connection) >= cut)) {
            return;
        }
        let pieces = self.pieces.entry(at).or_default();
        let before = pieces.len();
        add(pieces.entry(connection).or_default());
        self.kept += pieces.len() - before;
        // Now and then, for it takes a look at many of them.
        if self.kept > self.most + self.most / 4 {
            self.fit();
        }
    }

    /// Lets go of the last pieces while there are too many.
    fn fit(&mut self) {
        while self.kept > self.most
            && let Some((at, mut pieces)) = self.pieces.pop_last()
        {
            let room = self.most.saturating_sub(self.kept - pieces.len());
            self.kept -= pieces.len();
            let mut ranks: Vec<Rank> = pieces.keys().map(|connection| rank(at, connection)).collect();
            ranks.sort_unstable();
            let Some(first) = ranks.get(room) else { continue };
            // Both ends of a connection have one rank: they go together.
            self.cut_at(*first);
            pieces.retain(|connection, _| rank(at, connection) < *first);
            if !pieces.is_empty() {
                self.kept += pieces.len();
                self.pieces.insert(at, pieces);
                return;
            }
        }
    }

    fn cut_at(&mut self, rank: Rank) {
        let cut = self.cut.map_or(rank, |cut| cut.min(rank));
        (self.cut, self.late) = (Some(cut), quick::late(Some(cut)));
    }

    /// Takes in what another worker was asked; `slots` and `sets` say what its numbers are here.
    pub(super) fn merge(&mut self, mut other: Self, slots: &[u32], sets: &[SetId]) {
        other.count_numbered();
        let Self { records, unread, endings, peers, pieces, cut, .. } = other;
        self.unread += unread;
        self.records.accepted += records.accepted;
        self.records.rejected += records.rejected;
        self.records.ingress.merge(&records.ingress);
        self.records.egress.merge(&records.egress);
        self.records.unknown.merge(&records.unknown);
        self.records.far_end += records.far_end;
        for (ending, count) in unordered(endings) {
            *self.endings.entry(renumbered(ending, sets)).or_default() += count;
        }
        self.peers.merge(peers, Some, |key| key);
        if let Some(cut) = cut {
            self.cut_at(cut);
        }
        let renumbered = |connection: Connection, piece: &mut Piece| {
            let endings = std::mem::take(&mut piece.endings);
            piece.endings = endings.with(|ending| renumbered(ending, sets));
            Connection { interface: slots[connection.interface as usize], ..connection }
        };
        self.merge_pieces(pieces, renumbered);
        self.fit();
    }

    /// Takes in other pieces, the first ones first; those that come when there are too many already are let go unseen.
    fn merge_pieces(
        &mut self,
        mut theirs: BTreeMap<Option<i64>, Pieces>,
        renumbered: impl Fn(Connection, &mut Piece) -> Connection + Sync,
    ) {
        let mut ours = std::mem::take(&mut self.pieces);
        let times: BTreeSet<Option<i64>> = ours.keys().chain(theirs.keys()).copied().collect();
        let (mut both, mut least) = (Vec::new(), 0);
        for at in times {
            if least > self.most || self.cut.is_some_and(|cut| at > cut.0) {
                break;
            }
            let pair = (ours.remove(&at).unwrap_or_default(), theirs.remove(&at).unwrap_or_default());
            least += pair.0.len().max(pair.1.len());
            both.push((at, pair));
        }
        let merged = both.into_par_iter().map(|(at, (mut ours, theirs))| {
            ours.reserve(theirs.len());
            for (connection, mut piece) in unordered(theirs) {
                let connection = renumbered(connection, &mut piece);
                match ours.entry(connection) {
                    Entry::Occupied(mut known) => known.get_mut().merge(&piece),
                    Entry::Vacant(place) => _ = place.insert(piece),
                }
            }
            if let Some(cut) = self.cut.filter(|cut| at == cut.0) {
                ours.retain(|connection, _| rank(at, connection) < cut);
            }
            (at, ours)
        });
        self.pieces = merged.filter(|(_, pieces)| !pieces.is_empty()).collect();
        self.kept = self.pieces.values().map(HashMap::len).sum();
    }

    /// Holds the bound.
    pub(super) fn finish(&mut self) {
        self.count_numbered();
        self.fit();
    }

    /// Decides what waited. Beyond the pieces the ports are not known, so what waited there stays undecided.
    pub(super) fn settle(&mut self, waiting: &Waiting) {
        let waits = |ending: &Ending| matches!(ending, Ending::Waiting(..));
        if !self.endings.keys().any(waits) {
            return;
        }
        let roles = Roles::of(waiting);
        for (connection, piece) in self.pieces.values_mut().flatten() {
            for (ending, count) in piece.endings.iter() {
                let settled = settled(*ending, connection, &roles);
                if settled != *ending {
                    *self.endings.entry(settled).or_default() += count;
                    if let Some(left) = self.endings.get_mut(ending) {
                        *left -= count;
                    }
                }
            }
            let endings = std::mem::take(&mut piece.endings);
            piece.endings = endings.with(|ending| settled(ending, connection, &roles));
        }
        for (ending, count) in unordered(std::mem::take(&mut self.endings)).filter(|(_, count)| *count > 0) {
            *self.endings.entry(admitted(ending, Role::Undecided)).or_default() += count;
        }
    }

    /// Every piece with its connection, in no order.
    pub fn pieces(&self) -> impl Iterator<Item = (&Connection, &Piece)> {
        self.pieces.values().flatten().map(|(connection, piece)| (connection, piece.as_ref()))
    }

    /// From this time on not all pieces are there. None: all are. A cut among records without a time is at the beginning.
    pub fn cut(&self) -> Option<Seconds> {
        self.cut.map(|(at, ..)| at.map_or(Seconds::MIN, |at| at.saturating_mul(PIECE)))
    }

    /// Every peer, or the prefix that it was widened to, in no order.
    pub fn peers(&self) -> impl Iterator<Item = (IpNet, &PeerSum)> {
        self.peers.iter().flat_map(|(_, table)| {
            let rung = table.rung();
            table.iter().map(move |(peer, sum)| (peer.net(rung), sum))
        })
    }
}

#[cfg(test)]
mod tests;

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
mod sought;

use std::collections::BTreeMap;
use std::net::IpAddr;

use hashbrown::HashMap;
use ipnet::IpNet;

use super::bounds::{Sum, Tables};
use super::credit::{Credit, Span};
use super::roles::Roles;
use super::unordered;
use super::waiting::Waiting;
use crate::attribution::judge::{Role, Verdict};
use crate::attribution::sets::SetId;
use crate::flow::{Action, Direction, Flow, SYN, SYN_ACK, Seconds, Traffic};
pub use ending::{Admitted, Ending, Endings, is_attempt};
use ending::{admitted, renumbered, settled};
pub use peer::PeerSum;
use peer::{PEERS, PeerKey};
pub use sought::{Asking, Sought};

/// Seconds of a piece: no record lasts longer.
const PIECE: Seconds = 600;

/// So many pieces are kept: twenty megabytes or so.
pub const MOST_PIECES: usize = 65_536;

/// One connection, as the interface sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// Interface slot.
    pub interface: u32,
    /// IANA number.
    pub protocol: u8,
    /// The interface's address in its packets.
    pub address: IpAddr,
    /// The interface's port.
    pub local_port: u16,
    /// The far side.
    pub peer: IpAddr,
    /// Its port.
    pub peer_port: u16,
}

/// Two words instead of six fields, where both ends are IPv4.
impl std::hash::Hash for Connection {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let small = u64::from(self.interface) << 8 | u64::from(self.protocol);
        let ports = u64::from(self.local_port) << 16 | u64::from(self.peer_port);
        match (self.address, self.peer) {
            (IpAddr::V4(address), IpAddr::V4(peer)) => {
                state.write_u64(u64::from(u32::from(address)) << 32 | u64::from(u32::from(peer)));
                state.write_u64(ports << 32 ^ small);
            }
            (address, peer) => {
                address.hash(state);
                peer.hash(state);
                state.write_u64(ports << 32 ^ small);
            }
        }
    }
}

/// What is kept of one connection in ten minutes.
#[derive(Debug, Clone, Default)]
pub struct Piece {
    /// What came in.
    pub ingress: Credit,
    /// What went out.
    pub egress: Credit,
    /// What crossed in a way that is not known.
    pub unknown: Credit,
    /// REJECTs among all these.
    pub rejected: u64,
    /// When the first REJECT of an attempt began (what is refused late, or may be a reply, is none).
    pub first_attempt_refused: Option<Seconds>,
    /// TCP flags of all records.
    pub tcp_flags: u8,
    /// Records with SYN and without ACK, that came in and that went out: whoever sends one opens.
    pub opening: (u64, u64),
    /// How its records ended.
    pub endings: Endings,
}

impl Piece {
    fn way(&mut self, direction: Option<Direction>) -> &mut Credit {
        match direction {
            Some(Direction::Ingress) => &mut self.ingress,
            Some(Direction::Egress) => &mut self.egress,
            None => &mut self.unknown,
        }
    }

    fn add(&mut self, asked: &Asked<'_>, ending: Ending) {
        let Asked { direction, flow, traffic, .. } = *asked;
        self.way(direction).add(flow, traffic);
        self.rejected += u64::from(traffic.action == Action::Reject);
        if matches!(ending, Ending::Refused(_, cause) if is_attempt(cause)) {
            self.first_attempt_refused = self.first_attempt_refused.into_iter().chain(flow.start).min();
        }
        let flags = traffic.tcp_flags.unwrap_or(0);
        self.tcp_flags |= flags;
        if flags & SYN_ACK == SYN {
            match direction {
                Some(Direction::Ingress) => self.opening.0 += 1,
                Some(Direction::Egress) => self.opening.1 += 1,
                None => {}
            }
        }
        self.endings.add(ending, 1);
    }

    /// When.
    pub fn span(&self) -> Span {
        let mut span = self.ingress.span;
        span.merge(self.egress.span);
        span.merge(self.unknown.span);
        span
    }

    /// Records of all ways.
    pub fn records(&self) -> u64 {
        self.ingress.records + self.egress.records + self.unknown.records
    }

    /// Takes in another piece.
    pub fn merge(&mut self, other: &Self) {
        self.ingress.merge(&other.ingress);
        self.egress.merge(&other.egress);
        self.unknown.merge(&other.unknown);
        self.rejected += other.rejected;
        self.tcp_flags |= other.tcp_flags;
        self.opening.0 += other.opening.0;
        self.opening.1 += other.opening.1;
        self.first_attempt_refused = match (self.first_attempt_refused, other.first_attempt_refused) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        for (ending, records) in other.endings.iter() {
            self.endings.add(*ending, records);
        }
    }
}

/// What is kept of the records asked for.
#[derive(Debug, Clone)]
pub struct Inquiry {
    /// Records.
    pub records: Sums,
    /// How they ended.
    pub endings: HashMap<Ending, u64>,
    peers: Tables<PeerKey, PeerSum>,
    /// By the number of ten minutes since 1970; None: records without a time.
    pieces: BTreeMap<Option<i64>, HashMap<Connection, Piece>>,
    kept: usize,
    /// Pieces from here on are not kept.
    cut: Option<Rank>,
    most: usize,
}

/// Where a piece stands among all: its ten minutes, and its connection, but for the interface, whose number differs from worker to
/// worker.
type Rank = (Option<i64>, IpAddr, u16, IpAddr, u16, u8);

fn rank(at: Option<i64>, connection: &Connection) -> Rank {
    let Connection { protocol, address, local_port, peer, peer_port, .. } = *connection;
    (at, address, local_port, peer, peer_port, protocol)
}

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

    fn ending(&self) -> Ending {
        let direction = self.direction;
        let admitted = |role, forward, reply| Admitted { direction, role, forward, reply };
        match self.verdict {
            Verdict::Decided { role: Role::Reply, set, basis } => {
                Ending::Admitted(admitted(Role::Reply, SetId::EMPTY, set), Some(basis))
            }
            Verdict::Decided { role, set, basis } => {
                Ending::Admitted(admitted(role, set, SetId::EMPTY), Some(basis))
            }
            Verdict::Undecided { forward, reply, basis } => {
                Ending::Admitted(admitted(Role::Undecided, forward, reply), basis)
            }
            Verdict::Waiting { forward, reply } => {
                // Only records with a direction wait.
                Ending::Waiting(direction.unwrap_or(Direction::Ingress), forward, reply)
            }
            Verdict::Unexplained(drift) => Ending::Unexplained(drift),
            Verdict::Refused(cause) => Ending::Refused(direction, cause),
            Verdict::UnknownInterface
            | Verdict::NoGroup
            | Verdict::UnknownDirection
            | Verdict::UnknownGroup => Ending::Unknown,
        }
    }
}

impl Inquiry {
    /// Nothing yet, and at most so many pieces.
    pub fn within(most: usize) -> Self {
        Self {
            records: Sums::default(),
            endings: HashMap::new(),
            peers: Tables::new(PEERS),
            pieces: BTreeMap::new(),
            kept: 0,
            cut: None,
            most,
        }
    }

    /// Takes in a record.
    pub(super) fn add(&mut self, asking: &Asking<'_>, asked: &Asked<'_>) {
        let connection = asked.connection();
        self.add_seen_from(asking.seen_from(&connection), connection, asked);
    }

    fn add_seen_from(&mut self, seen_from: SeenFrom, connection: Connection, asked: &Asked<'_>) {
        let Asked { direction, flow, traffic, .. } = *asked;
        let ending = asked.ending();
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

        self.keep(asked, connection, ending);
    }

    /// Adds a record to its piece, unless that comes too late.
    fn keep(&mut self, asked: &Asked<'_>, connection: Connection, ending: Ending) {
        let at = asked.flow.start.map(|start| start.div_euclid(PIECE));
        if self.cut.is_some_and(|cut| at > cut.0 || (at == cut.0 && rank(at, &connection) >= cut)) {
            return;
        }
        let pieces = self.pieces.entry(at).or_default();
        let before = pieces.len();
        let piece = pieces.entry(connection).or_default();
        piece.add(asked, ending);
        self.kept += pieces.len() - before;
        // Now and then, for it takes a look at all of them.
        if self.kept > 2 * self.most {
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
            self.cut = Some(self.cut.map_or(*first, |cut| cut.min(*first)));
            pieces.retain(|connection, _| rank(at, connection) < *first);
            if !pieces.is_empty() {
                self.kept += pieces.len();
                self.pieces.insert(at, pieces);
                return;
            }
        }
    }

    /// Takes in what another worker was asked; `slots` and `sets` say what its numbers are here.
    pub(super) fn merge(&mut self, other: Self, slots: &[u32], sets: &[SetId]) {
        let Self { records, endings, peers, pieces, cut, .. } = other;
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
        for (at, theirs) in pieces {
            let ours = self.pieces.entry(at).or_default();
            let before = ours.len();
            for (connection, mut piece) in unordered(theirs) {
                let endings = std::mem::take(&mut piece.endings);
                piece.endings = endings.with(|ending| renumbered(ending, sets));
                let interface = slots[connection.interface as usize];
                ours.entry(Connection { interface, ..connection }).or_default().merge(&piece);
            }
            self.kept += ours.len() - before;
        }
        self.cut = self.cut.into_iter().chain(cut).min();
        if let Some(cut) = self.cut {
            for (at, pieces) in &mut self.pieces {
                pieces.retain(|connection, _| rank(*at, connection) < cut);
            }
            self.pieces.retain(|_, pieces| !pieces.is_empty());
            self.kept = self.pieces.values().map(HashMap::len).sum();
        }
        self.fit();
    }

    /// Holds the bound.
    pub(super) fn finish(&mut self) {
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
        self.pieces.values().flatten()
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

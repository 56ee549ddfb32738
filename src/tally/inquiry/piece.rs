//! One connection in ten minutes: what is kept of records one by one.

use std::net::IpAddr;

use super::ending::{Ending, Endings, is_attempt};
use crate::flow::{Action, Direction, Flow, SYN, SYN_ACK, Seconds, Traffic};
use crate::tally::credit::Span;

/// Seconds of a piece: no record lasts longer.
pub(super) const PIECE: Seconds = 600;

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

/// What went one way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Way {
    /// Records.
    pub records: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// When.
    pub span: Span,
}

impl Way {
    fn add(&mut self, flow: &Flow<'_>, traffic: &Traffic) {
        self.records += 1;
        self.packets = self.packets.saturating_add(traffic.packets);
        self.bytes = self.bytes.saturating_add(traffic.bytes);
        self.span.add(flow);
    }

    fn merge(&mut self, other: &Self) {
        self.records += other.records;
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.span.merge(other.span);
    }
}

/// What is kept of one connection in ten minutes. There are many, so that it is kept small.
#[derive(Debug, Clone, Default)]
pub struct Piece {
    /// What came in.
    pub ingress: Way,
    /// What went out.
    pub egress: Way,
    /// What crossed in a way that is not known, which is rare.
    unknown: Option<Box<Way>>,
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
    fn way(&mut self, direction: Option<Direction>) -> &mut Way {
        match direction {
            Some(Direction::Ingress) => &mut self.ingress,
            Some(Direction::Egress) => &mut self.egress,
            None => self.unknown.get_or_insert_default(),
        }
    }

    fn ways(&self) -> impl Iterator<Item = &Way> {
        [&self.ingress, &self.egress].into_iter().chain(self.unknown.as_deref())
    }

    pub(super) fn add(
        &mut self,
        direction: Option<Direction>,
        flow: &Flow<'_>,
        traffic: &Traffic,
        ending: Ending,
    ) {
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
        let mut span = Span::NONE;
        self.ways().for_each(|way| span.merge(way.span));
        span
    }

    /// Records of all ways.
    pub fn records(&self) -> u64 {
        self.ways().map(|way| way.records).sum()
    }

    /// Takes in another piece.
    pub fn merge(&mut self, other: &Self) {
        self.ingress.merge(&other.ingress);
        self.egress.merge(&other.egress);
        if let Some(unknown) = other.unknown.as_deref() {
            self.way(None).merge(unknown);
        }
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

/// Where a piece stands among all: its ten minutes, and its connection, but for the interface, whose number differs from worker to
/// worker.
pub(super) type Rank = (Option<i64>, IpAddr, u16, IpAddr, u16, u8);

pub(super) fn rank(at: Option<i64>, connection: &Connection) -> Rank {
    let Connection { protocol, address, local_port, peer, peer_port, .. } = *connection;
    (at, address, local_port, peer, peer_port, protocol)
}

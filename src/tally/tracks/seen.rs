//! Pairs of port and peer that rules were used for, as wide as there is room for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::attribution::judge::Role;
use crate::flow::{SYN_ACK, TCP, has_ports};
use crate::tally::bounds::{Key, Sum};
use crate::tally::scope::PeerScope;

/// TCP flags FIN and RST.
const FIN: u8 = 1;
const RST: u8 = 4;

/// How a port came to be seen, and whose peers came to it. Each has a ladder of its own, because each is flooded in another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// A TCP connection was opened there, by an internal peer; nothing says yet that somebody listens.
    HitInternal,
    /// The same from (or to) the internet.
    HitInternet,
    /// Somebody answered there, or needs no answer (UDP and what has no ports), or it cannot be told.
    UsedInternal,
    /// The same with the internet.
    UsedInternet,
}

impl Answer {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::HitInternal, Self::HitInternet, Self::UsedInternal, Self::UsedInternet];
    pub(super) const KINDS: usize = Self::ALL.len();

    /// What a record in this role shows.
    #[inline(always)]
    pub fn of(role: Role, protocol: u8, tcp_flags: Option<u8>, scope: PeerScope) -> Self {
        let hit = protocol == TCP
            && match role {
                Role::Forward => true,
                // A reset without anything else: nobody listens.
                Role::Reply => tcp_flags
                    .is_some_and(|flags| flags & RST != 0 && flags & FIN == 0 && flags & SYN_ACK != SYN_ACK),
                Role::Undecided => false,
            };
        match (hit, scope) {
            (true, PeerScope::Internal) => Self::HitInternal,
            (true, PeerScope::Internet) => Self::HitInternet,
            (false, PeerScope::Internal) => Self::UsedInternal,
            (false, PeerScope::Internet) => Self::UsedInternet,
        }
    }

    /// Whether somebody answered, or need not.
    pub fn is_used(self) -> bool {
        matches!(self, Self::UsedInternal | Self::UsedInternet)
    }

    /// Where the peers are.
    pub fn scope(self) -> PeerScope {
        match self {
            Self::HitInternal | Self::UsedInternal => PeerScope::Internal,
            Self::HitInternet | Self::UsedInternet => PeerScope::Internet,
        }
    }

    fn widths(self, rung: u8) -> Widths {
        LADDERS[self as usize][usize::from(rung.min(SeenKey::HIGHEST))]
    }
}

/// How wide pairs are on a rung.
#[derive(Debug, Clone, Copy)]
struct Widths {
    /// Prefix length of IPv4 peers.
    v4: u8,
    /// The same of IPv6.
    v6: u8,
    /// Ports are put together in ranges of 2^ports.
    ports: u8,
    /// Whether all ports from [`HIGH`] on are one: clients are given them, and no rule should name them one by one.
    high: High,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum High {
    Apart,
    Together,
}

/// The first of the ports that clients are given, mostly.
const HIGH: u16 = 1 << 15;

const EXACT: Widths = Widths { v4: 32, v6: 128, ports: 0, high: High::Apart };

const fn widths(v4: u8, v6: u8, ports: u8) -> Widths {
    Widths { v4, v6, ports, high: High::Together }
}

const RUNGS: usize = 8;

/// By answer and rung.
///
/// High ports come together first. Ports that were hit are cut down to those that were used, so it is their ports that widen
/// then: somebody who tries all of them is one peer. Of internal peers those near each other are in one subnet. Too many
/// peers of the internet are too many to list.
const LADDERS: [[Widths; RUNGS]; Answer::KINDS] = [
    [
        EXACT,
        widths(32, 128, 0),
        widths(32, 128, 6),
        widths(32, 128, 16),
        widths(24, 64, 16),
        widths(20, 56, 16),
        widths(16, 48, 16),
        widths(0, 0, 16),
    ],
    [
        EXACT,
        widths(32, 128, 0),
        widths(32, 128, 16),
        widths(0, 0, 16),
        widths(0, 0, 16),
        widths(0, 0, 16),
        widths(0, 0, 16),
        widths(0, 0, 16),
    ],
    [
        EXACT,
        widths(32, 128, 0),
        widths(24, 64, 0),
        widths(20, 56, 0),
        widths(16, 48, 0),
        widths(16, 48, 12),
        widths(8, 32, 12),
        widths(0, 0, 16),
    ],
    [
        EXACT,
        widths(0, 0, 0),
        widths(0, 0, 4),
        widths(0, 0, 12),
        widths(0, 0, 16),
        widths(0, 0, 16),
        widths(0, 0, 16),
        widths(0, 0, 16),
    ],
];

impl Widths {
    /// The first port of the range that holds one.
    #[inline(always)]
    fn first(self, port: u16) -> u16 {
        let together = (self.high == High::Together) & (port >= HIGH);
        mask_port(self.ports) & if together { HIGH } else { port }
    }

    /// The last port of the range that begins with one.
    fn last(self, first: u16) -> u16 {
        let high = self.high == High::Together && first >= HIGH;
        if high { u16::MAX } else { first | !mask_port(self.ports) }
    }
}

/// A peer and a port of a record. The port is 0 where the protocol has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The far side.
    pub peer: IpAddr,
    /// Its protocol.
    pub protocol: u8,
    /// The port of the service, as the role says.
    pub port: u16,
}

/// Peers and ports as wide as they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// The protocol.
    pub protocol: u8,
    /// First and last port.
    pub ports: (u16, u16),
    /// The peers.
    pub peers: IpNet,
}

/// A peer and a port on a rung: the first address and the first port of their ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SeenKey {
    peer: IpAddr,
    port: u16,
    protocol: u8,
    answer: Answer,
}

/// One word instead of four fields, or three.
impl std::hash::Hash for SeenKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let what = u64::from(self.port) << 16 | u64::from(self.protocol) << 8 | self.answer as u64;
        match self.peer {
            IpAddr::V4(peer) => state.write_u64(u64::from(u32::from(peer)) << 32 | what),
            IpAddr::V6(peer) => {
                state.write_u128(peer.into());
                state.write_u64(what);
            }
        }
    }
}

/// What a quick look-up tells apart, of a table that stands on some rung.
#[derive(Debug, Clone, Copy)]
pub struct Masks {
    peer: u32,
    widths: Widths,
}

impl Masks {
    /// Of no table.
    pub const NONE: Self = Self { peer: u32::MAX, widths: EXACT };

    /// Of a table on this rung.
    pub fn of(answer: Answer, rung: u8) -> Self {
        let widths = answer.widths(rung);
        Self { peer: mask_v4(widths.v4), widths }
    }

    /// A peer and port with all that a table of this rung tells apart.
    #[inline(always)]
    pub fn pair(self, peer: u32, port: u16) -> u64 {
        u64::from(peer & self.peer) << 16 | u64::from(self.widths.first(port))
    }
}

fn mask_v4(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

fn mask_v6(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

fn mask_port(width: u8) -> u16 {
    u16::MAX.checked_shl(width.into()).unwrap_or(0)
}

impl SeenKey {
    pub(super) fn of(answer: Answer, seen: &Seen, rung: u8) -> Self {
        let port = if has_ports(seen.protocol) { seen.port } else { 0 };
        Self { peer: seen.peer, port, protocol: seen.protocol, answer }.widened(rung)
    }

    fn widened(self, rung: u8) -> Self {
        let widths = self.answer.widths(rung);
        let peer = match self.peer {
            IpAddr::V4(peer) => Ipv4Addr::from(u32::from(peer) & mask_v4(widths.v4)).into(),
            IpAddr::V6(peer) => Ipv6Addr::from(u128::from(peer) & mask_v6(widths.v6)).into(),
        };
        Self { peer, port: widths.first(self.port), ..self }
    }

    /// The ranges on a rung.
    pub(super) fn seen(&self, answer: Answer, rung: u8) -> Range {
        let widths = answer.widths(rung);
        let length = if self.peer.is_ipv4() { widths.v4 } else { widths.v6 };
        let last = if has_ports(self.protocol) { widths.last(self.port) } else { self.port };
        let peers = IpNet::new(self.peer, length).unwrap_or(self.peer.into());
        Range { protocol: self.protocol, ports: (self.port, last), peers }
    }

    /// The key of ranges that a state kept. None: no table has these on this rung.
    pub(super) fn kept(answer: Answer, range: &Range, rung: u8) -> Option<Self> {
        if rung > Self::HIGHEST {
            return None;
        }
        let peer = range.peers.addr();
        let key = Self { peer, port: range.ports.0, protocol: range.protocol, answer };
        (key.seen(answer, rung) == *range && key.widened(rung) == key).then_some(key)
    }
}

impl Key for SeenKey {
    #[expect(clippy::cast_possible_truncation, reason = "there are a few")]
    const HIGHEST: u8 = RUNGS as u8 - 1;

    fn climb(self, rung: u8) -> Self {
        self.widened(rung + 1)
    }
}

impl Sum for () {
    fn merge(&mut self, (): &Self) {}
}

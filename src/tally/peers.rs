//! Peers with their records, as addresses, or as prefixes where there are too many.
//!
//! A table widens by fixed steps until it fits. Which step it ends at depends on the set of peers alone, not on the order
//! they came in or were merged in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hashbrown::HashMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::credit::Span;
use super::unordered;
use crate::flow::Flow;

/// Distinct peers kept before they are widened.
const MOST_PEERS: usize = 256;

/// Prefix lengths by step, IPv4 and IPv6.
const LADDER: [(u8, u8); 5] = [(32, 128), (24, 64), (16, 48), (8, 32), (0, 0)];

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

/// Peers, as addresses or as prefixes of one step of the ladder.
#[derive(Debug, Clone, Default)]
pub struct PeerTable {
    step: usize,
    v4: HashMap<u32, PeerUse>,
    v6: HashMap<u128, PeerUse>,
}

impl PeerTable {
    /// Takes in one record of a peer.
    pub(super) fn add(&mut self, peer: IpAddr, flow: &Flow<'_>) {
        let entry = match peer {
            IpAddr::V4(peer) => self.v4.entry(widened_v4(peer.into(), self.step)).or_default(),
            IpAddr::V6(peer) => self.v6.entry(widened_v6(peer.into(), self.step)).or_default(),
        };
        entry.records += 1;
        entry.span.add(flow);
        self.fit();
    }

    fn fit(&mut self) {
        while self.len() > MOST_PEERS && self.step + 1 < LADDER.len() {
            self.widen();
        }
    }

    fn widen(&mut self) {
        self.step += 1;
        for (peer, uses) in unordered(std::mem::take(&mut self.v4)) {
            self.v4.entry(widened_v4(peer, self.step)).or_default().merge(&uses);
        }
        for (peer, uses) in unordered(std::mem::take(&mut self.v6)) {
            self.v6.entry(widened_v6(peer, self.step)).or_default().merge(&uses);
        }
    }

    /// Takes in the peers of another table.
    pub(super) fn merge(&mut self, mut other: Self) {
        while self.step < other.step {
            self.widen();
        }
        while other.step < self.step {
            other.widen();
        }
        for (peer, uses) in unordered(other.v4) {
            self.v4.entry(peer).or_default().merge(&uses);
        }
        for (peer, uses) in unordered(other.v6) {
            self.v6.entry(peer).or_default().merge(&uses);
        }
        self.fit();
    }

    /// Whether every peer is still an address.
    pub fn is_exact(&self) -> bool {
        self.step == 0
    }

    /// Peers and their records, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (IpNet, PeerUse)> {
        let (v4, v6) = LADDER[self.step];
        let short = self.v4.iter().map(move |(peer, uses)| (net_v4(*peer, v4), *uses));
        short.chain(self.v6.iter().map(move |(peer, uses)| (net_v6(*peer, v6), *uses)))
    }

    /// How many peers (or prefixes) there are.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn widened_v4(peer: u32, step: usize) -> u32 {
    peer & u32::MAX.checked_shl(32 - u32::from(LADDER[step].0)).unwrap_or(0)
}

fn widened_v6(peer: u128, step: usize) -> u128 {
    peer & u128::MAX.checked_shl(128 - u32::from(LADDER[step].1)).unwrap_or(0)
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
        if self.is_empty() {
            self.step = step;
        }
        if step != self.step || self.len() >= MOST_PEERS || peer != peer.trunc() {
            return None;
        }
        let known = match peer {
            IpNet::V4(peer) => self.v4.insert(peer.addr().into(), uses),
            IpNet::V6(peer) => self.v6.insert(peer.addr().into(), uses),
        };
        known.is_none().then_some(())
    }
}

//! Peers of the records asked for, as addresses, or as prefixes where there are too many.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::tally::bounds::{Bound, Key, Sum};
use crate::tally::credit::Span;
use crate::tally::peers::{LADDER, widened_v4, widened_v6};

/// So many peers are told apart before they become prefixes.
pub(super) const PEERS: Bound = Bound { each: &[4096, 1024, 256, 64, 16, 4, 1], together: 4096 };

/// Records of a peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerSum {
    /// Let through.
    pub accepted: u64,
    /// Refused.
    pub rejected: u64,
    /// Bytes to the interface.
    pub bytes_in: u64,
    /// Bytes to the peer.
    pub bytes_out: u64,
    /// When.
    pub span: Span,
}

impl Sum for PeerSum {
    fn merge(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
        self.span.merge(other.span);
    }
}

/// A peer, or the first address of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PeerKey(IpAddr);

impl std::hash::Hash for PeerKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        match self.0 {
            IpAddr::V4(peer) => state.write_u64(u32::from(peer).into()),
            IpAddr::V6(peer) => state.write_u128(peer.into()),
        }
    }
}

impl PeerKey {
    pub(super) fn of(peer: IpAddr, rung: u8) -> Self {
        Self(match peer {
            IpAddr::V4(peer) => Ipv4Addr::from(widened_v4(peer.into(), rung)).into(),
            IpAddr::V6(peer) => Ipv6Addr::from(widened_v6(peer.into(), rung)).into(),
        })
    }

    pub(super) fn net(self, rung: u8) -> IpNet {
        let (v4, v6) = LADDER[usize::from(rung)];
        IpNet::new(self.0, if self.0.is_ipv4() { v4 } else { v6 }).unwrap_or(self.0.into())
    }
}

impl Key for PeerKey {
    #[expect(clippy::cast_possible_truncation, reason = "there are a few")]
    const HIGHEST: u8 = LADDER.len() as u8 - 1;

    fn climb(self, rung: u8) -> Self {
        Self::of(self.0, rung + 1)
    }
}

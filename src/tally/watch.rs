//! The ports whose exposure is kept apart in the tally, so that an opening on many ports can be judged port by port.

use super::scope::{self, PeerScope};
use crate::attribution::judge::Role;
use crate::error::Error;
use crate::flow::{TCP, UDP, protocol_name};
use std::net::IpAddr;

/// Whose traffic a credit counts: that of internal peers, or of the internet, and then on which service port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Exposure(u8);

impl Exposure {
    /// The peer is internal.
    pub const INTERNAL: Self = Self(0);
    /// The peer is on the internet, and the port is none that is watched.
    pub(super) const OTHER_PORT: Self = Self(1);

    /// A number of its own.
    pub(super) fn code(self) -> u8 {
        self.0
    }

    /// The same without saying which port.
    #[must_use]
    pub fn without_port(self) -> Self {
        if self.is_internet() { Self::OTHER_PORT } else { self }
    }

    /// Whether the peer is on the internet.
    pub fn is_internet(self) -> bool {
        self != Self::INTERNAL
    }
}

/// A transport protocol and a port: (6, 22).
pub type Service = (u8, u16);

/// Most watched ports: their codes fit a byte beside the two that mean no port.
const MOST: usize = 254;

/// Ports that profiles and the configuration name.
#[derive(Debug)]
pub struct PortWatch {
    services: Vec<Service>,
    tcp: Vec<Exposure>,
    udp: Vec<Exposure>,
}

impl PortWatch {
    /// Watches these services.
    ///
    /// # Errors
    /// More services than can be kept apart.
    pub fn new(mut services: Vec<Service>) -> Result<Self, Error> {
        services.sort_unstable();
        services.dedup();
        if services.len() > MOST {
            return Err(Error::Usage(format!(
                "sensitive ports: expected at most {MOST} ports in all profiles together, found {}",
                services.len()
            )));
        }
        let mut tables = [vec![Exposure::OTHER_PORT; 1 << 16], vec![Exposure::OTHER_PORT; 1 << 16]];
        for ((protocol, port), code) in services.iter().zip(2_u8..) {
            let table = if *protocol == TCP { &mut tables[0] } else { &mut tables[1] };
            table[usize::from(*port)] = Exposure(code);
        }
        let [tcp, udp] = tables;
        Ok(Self { services, tcp, udp })
    }

    /// The exposure of a connection from (or to) this peer at this service port.
    pub fn exposure(&self, peer: IpAddr, protocol: u8, port: u16) -> Exposure {
        match scope::of(peer) {
            PeerScope::Internal => Exposure::INTERNAL,
            PeerScope::Internet => self.of_internet(protocol, port),
        }
    }

    /// The exposure of an accepted record in this role: its service is at one of its ports.
    #[inline(always)]
    pub(super) fn exposure_of(
        &self,
        scope: PeerScope,
        role: Role,
        protocol: u8,
        (srcport, dstport): (u16, u16),
    ) -> Exposure {
        match (scope, role) {
            (PeerScope::Internal, _) => Exposure::INTERNAL,
            (PeerScope::Internet, Role::Forward) => self.of_internet(protocol, dstport),
            (PeerScope::Internet, Role::Reply) => self.of_internet(protocol, srcport),
            (PeerScope::Internet, Role::Undecided) => self.of_internet(protocol, dstport).without_port(),
        }
    }

    /// The exposure of the internet at a service port.
    #[inline(always)]
    fn of_internet(&self, protocol: u8, port: u16) -> Exposure {
        match protocol {
            TCP => self.tcp[usize::from(port)],
            UDP => self.udp[usize::from(port)],
            _ => Exposure::OTHER_PORT,
        }
    }

    /// Every exposure with a name that does not depend on what else is watched: `internal`, `internet`, `tcp/22`.
    pub fn exposures(&self) -> impl Iterator<Item = (Exposure, String)> {
        let services =
            self.services.iter().zip(2_u8..).map(|((protocol, port), code)| {
                (Exposure(code), format!("{}/{port}", protocol_name(*protocol)))
            });
        let others = [(Exposure::INTERNAL, "internal"), (Exposure::OTHER_PORT, "internet")];
        others.into_iter().map(|(exposure, name)| (exposure, name.to_owned())).chain(services)
    }

    /// The watched service an exposure names.
    pub fn service(&self, exposure: Exposure) -> Option<Service> {
        self.services.get(usize::from(exposure.0).checked_sub(2)?).copied()
    }
}

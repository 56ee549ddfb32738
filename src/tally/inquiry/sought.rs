//! Which records an investigation asks for.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::{Connection, SeenFrom};
use crate::attribution::index::{Index, InterfaceNumber};
use crate::flow::{Action, Seconds, Traffic, V4Flow};
use crate::ingest::Wanted;
use crate::rules::timeline::Timeline;

/// What is asked for: of each kind any, and all kinds that are named.
#[derive(Debug, Clone, Default)]
pub struct Sought {
    /// Addresses of either end.
    pub addresses: Vec<IpNet>,
    /// Interface ids.
    pub interfaces: Vec<String>,
    /// Groups on the interface when the record was made.
    pub groups: Vec<String>,
    /// Ports of either end.
    pub ports: Vec<RangeInclusive<u16>>,
    /// What became of it.
    pub action: Option<Action>,
}

/// The same, held against a timeline.
#[derive(Debug)]
pub struct Asking<'a> {
    sought: &'a Sought,
    timeline: &'a Timeline,
    index: &'a Index,
    /// By interface number.
    named: Vec<bool>,
    v4: Vec<(u32, u32)>,
}

impl Sought {
    /// Whether nothing is said, so that everything is asked for.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
            && self.interfaces.is_empty()
            && self.groups.is_empty()
            && self.ports.is_empty()
            && self.action.is_none()
    }
}

impl<'a> Asking<'a> {
    /// Held against the states that judge.
    pub fn of(sought: &'a Sought, timeline: &'a Timeline, index: &'a Index) -> Self {
        let named =
            timeline.lives().ids().map(|id| sought.interfaces.iter().any(|name| name == id)).collect();
        let v4 = sought.addresses.iter().filter_map(|net| match net {
            IpNet::V4(net) => Some((net.network().into(), net.broadcast().into())),
            IpNet::V6(_) => None,
        });
        Self { sought, timeline, index, named, v4: v4.collect() }
    }

    /// What readers need to know of it.
    pub(crate) fn wanted(&self) -> Wanted {
        let Sought { addresses, interfaces, groups, ports, action } = self.sought;
        let mut wanted = Wanted {
            addresses: addresses.clone(),
            interfaces: Vec::new(),
            ports: ports.clone(),
            action: *action,
        };
        if !interfaces.is_empty() {
            wanted.interfaces.push(interfaces.clone());
        }
        if !groups.is_empty() {
            // When they carried it, records tell.
            let carriers = self.timeline.lives();
            let carriers =
                carriers.spans().filter(|span| span.interface.group_ids.iter().any(|id| groups.contains(id)));
            wanted.interfaces.push(carriers.map(|span| span.interface.id.clone()).collect());
        }
        wanted
    }

    /// Whether a record is asked for. Cheap where it is not.
    #[inline]
    pub(crate) fn wants_v4(&self, number: InterfaceNumber, flow: &V4Flow) -> bool {
        let Sought { addresses, interfaces, groups, ports, action } = self.sought;
        let within = |address| self.names_v4(address);
        let ends = [Some(flow.srcaddr), Some(flow.dstaddr), flow.pkt_srcaddr, flow.pkt_dstaddr];
        (addresses.is_empty() || ends.into_iter().flatten().any(within))
            && (ports.is_empty() || Self::has_port(ports, (flow.srcport, flow.dstport)))
            && action.is_none_or(|action| action == flow.action)
            && (interfaces.is_empty() || self.named[number.index()])
            && (groups.is_empty() || self.carries(number, Some(flow.start)))
    }

    /// The same of any record.
    pub(crate) fn wants(
        &self,
        interface_id: &[u8],
        number: Option<InterfaceNumber>,
        start: Option<Seconds>,
        traffic: &Traffic,
    ) -> bool {
        let Sought { addresses, interfaces, groups, ports, action } = self.sought;
        let within = |address: IpAddr| addresses.iter().any(|net| net.contains(&address));
        let ends = [Some(traffic.srcaddr), Some(traffic.dstaddr), traffic.pkt_srcaddr, traffic.pkt_dstaddr];
        (addresses.is_empty() || ends.into_iter().flatten().any(within))
            && (ports.is_empty() || Self::has_port(ports, (traffic.srcport, traffic.dstport)))
            && action.is_none_or(|action| action == traffic.action)
            && (interfaces.is_empty() || interfaces.iter().any(|id| id.as_bytes() == interface_id))
            && (groups.is_empty() || number.is_some_and(|number| self.carries(number, start)))
    }

    /// Whose interface saw a record between these ends: that of the far end, where an address of ours was asked for that is
    /// not its own. Of strangers all is told as our interfaces saw it.
    pub(super) fn seen_from(&self, connection: &Connection) -> SeenFrom {
        let Connection { address: own, peer, .. } = *connection;
        let asked = |address: IpAddr| self.sought.addresses.iter().any(|net| net.contains(&address));
        if asked(peer) && !asked(own) && self.index.is_own(peer) {
            SeenFrom::FarEnd
        } else {
            SeenFrom::OwnEnd
        }
    }

    /// The same between IPv4 addresses.
    #[inline]
    pub(super) fn seen_from_v4(&self, own: u32, peer: u32) -> SeenFrom {
        if self.names_v4(peer) && !self.names_v4(own) && self.index.is_own(IpAddr::V4(peer.into())) {
            SeenFrom::FarEnd
        } else {
            SeenFrom::OwnEnd
        }
    }

    #[inline]
    fn names_v4(&self, address: u32) -> bool {
        self.v4.iter().any(|(first, last)| (*first..=*last).contains(&address))
    }

    fn has_port(ports: &[RangeInclusive<u16>], (one, other): (u16, u16)) -> bool {
        ports.iter().any(|range| range.contains(&one) || range.contains(&other))
    }

    fn carries(&self, number: InterfaceNumber, start: Option<Seconds>) -> bool {
        let Some((state, _)) = self.timeline.at(start) else { return false };
        self.index.group_ids(state, number).iter().any(|id| self.sought.groups.contains(id))
    }
}

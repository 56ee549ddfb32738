//! The commonest record in the fewest bytes.

use std::net::{IpAddr, Ipv4Addr};

use super::{Action, Direction, Entry, Flow, PortFields, Seconds, Traffic};

/// An ACCEPT or REJECT between IPv4 addresses that says its times and ports, and no `reject-reason`.
///
/// Readers hand these out by the million, so it holds numbers only; the interface goes beside it. Everything else comes
/// as a [`super::Flow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct V4Flow {
    /// `start`.
    pub start: Seconds,
    /// `end`.
    pub end: Seconds,
    /// `packets`.
    pub packets: u64,
    /// `bytes`.
    pub bytes: u64,
    /// `srcaddr`.
    pub srcaddr: u32,
    /// `dstaddr`.
    pub dstaddr: u32,
    /// `pkt-srcaddr`, where present and not `-`.
    pub pkt_srcaddr: Option<u32>,
    /// `pkt-dstaddr`, where present and not `-`.
    pub pkt_dstaddr: Option<u32>,
    /// `srcport`.
    pub srcport: u16,
    /// `dstport`.
    pub dstport: u16,
    /// `protocol`, the IANA number.
    pub protocol: u8,
    /// `action`.
    pub action: Action,
    /// `flow-direction`, where the log has it and it is not `-`.
    pub direction: Option<Direction>,
    /// `tcp-flags` of a TCP record, where the field is a number.
    pub tcp_flags: Option<u8>,
}

/// A reader's and its taker's number of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceHandle(pub u32);

/// A flow and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct V4Record {
    /// The interface.
    pub interface: InterfaceHandle,
    /// What it says.
    pub flow: V4Flow,
}

impl V4Record {
    /// One that says nothing yet.
    pub const BLANK: Self = Self { interface: InterfaceHandle(u32::MAX), flow: V4Flow::BLANK };
}

impl V4Flow {
    /// One that says nothing yet.
    pub const BLANK: Self = Self {
        start: 0,
        end: 0,
        packets: 0,
        bytes: 0,
        srcaddr: 0,
        dstaddr: 0,
        pkt_srcaddr: None,
        pkt_dstaddr: None,
        srcport: 0,
        dstport: 0,
        protocol: 0,
        action: Action::Accept,
        direction: None,
        tcp_flags: None,
    };

    /// The same record, if it is of this kind.
    pub fn of(flow: &Flow<'_>) -> Option<Self> {
        let Entry::Traffic(traffic) = &flow.entry else { return None };
        if traffic.ports == PortFields::Missing || traffic.reject_reason.is_some() {
            return None;
        }
        let bits = |address: IpAddr| match address {
            IpAddr::V4(address) => Some(u32::from(address)),
            IpAddr::V6(_) => None,
        };
        let optional = |address: Option<IpAddr>| match address {
            None => Some(None),
            Some(address) => bits(address).map(Some),
        };
        Some(Self {
            start: flow.start?,
            end: flow.end?,
            packets: traffic.packets,
            bytes: traffic.bytes,
            srcaddr: bits(traffic.srcaddr)?,
            dstaddr: bits(traffic.dstaddr)?,
            pkt_srcaddr: optional(traffic.pkt_srcaddr)?,
            pkt_dstaddr: optional(traffic.pkt_dstaddr)?,
            srcport: traffic.srcport,
            dstport: traffic.dstport,
            protocol: traffic.protocol,
            action: traffic.action,
            direction: traffic.direction,
            tcp_flags: traffic.tcp_flags,
        })
    }

    /// The same as a [`Flow`], of no interface, account or VPC that is said.
    pub fn flow(&self) -> Flow<'static> {
        Flow {
            interface_id: b"",
            account_id: b"",
            vpc_id: b"",
            start: Some(self.start),
            end: Some(self.end),
            entry: Entry::Traffic(self.traffic()),
        }
    }

    /// The same in the terms of every record.
    pub fn traffic(&self) -> Traffic {
        let address = |bits: u32| IpAddr::V4(Ipv4Addr::from(bits));
        Traffic {
            action: self.action,
            direction: self.direction,
            protocol: self.protocol,
            srcaddr: address(self.srcaddr),
            dstaddr: address(self.dstaddr),
            pkt_srcaddr: self.pkt_srcaddr.map(address),
            pkt_dstaddr: self.pkt_dstaddr.map(address),
            srcport: self.srcport,
            dstport: self.dstport,
            ports: PortFields::Logged,
            packets: self.packets,
            bytes: self.bytes,
            tcp_flags: self.tcp_flags,
            reject_reason: None,
        }
    }

    /// The far side of a record in this direction.
    #[inline]
    pub fn peer(&self, direction: Direction) -> u32 {
        // Both are worked out: which one is needed changes from record to record.
        let ends = [self.pkt_srcaddr.unwrap_or(self.srcaddr), self.pkt_dstaddr.unwrap_or(self.dstaddr)];
        ends[direction as usize]
    }
}

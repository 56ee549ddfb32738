//! The nouns of one flow-log entry.
//!
//! A [`Flow`] is one well-formed entry, already in our own terms: which interface it belongs to, when, and what it says.
//! Readers in [`crate::ingest`] make them, everything after that only reads them. Nothing here does I/O.

pub mod field;
mod v4;

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use field::Field;
pub use v4::{InterfaceHandle, V4Flow, V4Record};

/// Seconds since 1970-01-01T00:00:00Z.
pub type Seconds = i64;

/// Which way a packet crosses the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Into the interface.
    Ingress,
    /// Out of the interface.
    Egress,
}

impl Direction {
    /// The other way.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Ingress => Self::Egress,
            Self::Egress => Self::Ingress,
        }
    }

    /// The AWS word: `ingress` or `egress`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The verdict the record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Let through.
    Accept,
    /// Refused.
    Reject,
}

/// `reject-reason` of version 8 records, where it names something other than groups and ACLs.
///
/// Source: <https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// `BPA`: VPC Block Public Access.
    BlockPublicAccess,
    /// `EC`: VPC encryption controls.
    EncryptionControl,
}

/// IANA protocol number of TCP.
pub const TCP: u8 = 6;
/// IANA protocol number of UDP.
pub const UDP: u8 = 17;
/// IANA protocol number of ICMP.
pub const ICMP: u8 = 1;
/// IANA protocol number of `ICMPv6`.
pub const ICMPV6: u8 = 58;

/// The SYN bit of `tcp-flags`: alone of the two, it shows the opener.
pub const SYN: u8 = 0x02;
/// The SYN and ACK bits of `tcp-flags`: together they show the end that was connected to.
pub const SYN_ACK: u8 = 0x12;

/// Whether a record of this protocol carries ports that mean something.
pub fn has_ports(protocol: u8) -> bool {
    protocol == TCP || protocol == UDP
}

/// The protocol as reports write it: `tcp`, `udp`, `icmp`, `icmpv6`, or the number.
pub fn protocol_name(protocol: u8) -> String {
    match protocol {
        TCP => "tcp".to_owned(),
        UDP => "udp".to_owned(),
        ICMP => "icmp".to_owned(),
        ICMPV6 => "icmpv6".to_owned(),
        other => other.to_string(),
    }
}

/// One well-formed flow-log entry.
///
/// Text fields are empty where the log has no such column or `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow<'a> {
    /// `interface-id`, as written.
    pub interface_id: &'a [u8],
    /// `account-id`, as written: leading zeros matter, and it may be `unknown`.
    pub account_id: &'a [u8],
    /// `vpc-id`.
    pub vpc_id: &'a [u8],
    /// `start`, or `end` where the log has no `start`. None: undated.
    pub start: Option<Seconds>,
    /// `end`, or `start` where the log has no `end`.
    pub end: Option<Seconds>,
    /// What the entry says.
    pub entry: Entry,
}

/// A [`Flow`] that owns its text: for the slow definitions and for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedFlow {
    /// See [`Flow::interface_id`].
    pub interface_id: Vec<u8>,
    /// See [`Flow::account_id`].
    pub account_id: Vec<u8>,
    /// See [`Flow::vpc_id`].
    pub vpc_id: Vec<u8>,
    /// See [`Flow::start`].
    pub start: Option<Seconds>,
    /// See [`Flow::end`].
    pub end: Option<Seconds>,
    /// See [`Flow::entry`].
    pub entry: Entry,
}

impl From<&Flow<'_>> for OwnedFlow {
    fn from(flow: &Flow<'_>) -> Self {
        Self {
            interface_id: flow.interface_id.to_vec(),
            account_id: flow.account_id.to_vec(),
            vpc_id: flow.vpc_id.to_vec(),
            start: flow.start,
            end: flow.end,
            entry: flow.entry,
        }
    }
}

impl OwnedFlow {
    /// The same, borrowed.
    pub fn borrow(&self) -> Flow<'_> {
        Flow {
            interface_id: &self.interface_id,
            account_id: &self.account_id,
            vpc_id: &self.vpc_id,
            start: self.start,
            end: self.end,
            entry: self.entry,
        }
    }
}

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// `log-status` OK: packets were seen.
    Traffic(Traffic),
    /// `log-status` NODATA: no traffic in the interval.
    NoData,
    /// `log-status` SKIPDATA: records were lost.
    SkipData,
}

/// Whether the log of a record says its ports: a flow log may leave the fields out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortFields {
    /// Both are said.
    Logged,
    /// One or both are absent or `-`, and read as 0.
    Missing,
}

/// The packets of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// `action`.
    pub action: Action,
    /// `flow-direction`, where the log has it and it is not `-`.
    pub direction: Option<Direction>,
    /// `protocol`, the IANA number.
    pub protocol: u8,
    /// `srcaddr`.
    pub srcaddr: IpAddr,
    /// `dstaddr`.
    pub dstaddr: IpAddr,
    /// `pkt-srcaddr`, where present and not `-`.
    pub pkt_srcaddr: Option<IpAddr>,
    /// `pkt-dstaddr`, where present and not `-`.
    pub pkt_dstaddr: Option<IpAddr>,
    /// `srcport`; `-` is 0.
    pub srcport: u16,
    /// `dstport`; `-` is 0.
    pub dstport: u16,
    /// Whether the log says both ports.
    pub ports: PortFields,
    /// `packets`; absent or `-` is 0.
    pub packets: u64,
    /// `bytes`; absent or `-` is 0.
    pub bytes: u64,
    /// `tcp-flags` of a TCP record, where the field is a number.
    pub tcp_flags: Option<u8>,
    /// `reject-reason`, where it is BPA or EC.
    pub reject_reason: Option<RejectReason>,
}

//! The nouns of security-group rules, and how documents become states in time.
//!
//! ```text
//! files ─▶ load (find, read, JSON) ─┬▶ aws, terraform (documents → objects of a snapshot) ─┬▶ timeline (states in force,
//!                                   └▶ aws_config, cloudtrail (documents → changes) ────────┘   per account, region, kind)
//! ```
//!
//! Rules stay one-to-one with the snapshot, odd ones too: a rule with a protocol nobody knows or an address that is
//! none is kept, listed and never matches.

pub mod alibaba;
pub mod aws;
pub mod aws_config;
pub mod change;
pub mod cloudtrail;
pub mod load;
mod parts;
pub mod proposal;
pub mod ranked;
pub mod state;
pub mod terraform;
pub mod timeline;

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::flow::{Direction, ICMP, ICMPV6, TCP, UDP};
use ranked::{PortList, Ranked, RuleAction, Standing};

/// Index of a rule in the catalogue of a run: [`timeline::Timeline::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleIndex(pub u32);

impl RuleIndex {
    /// As an index into a slice.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The protocol a rule names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleProtocol {
    /// `-1`: every protocol.
    All,
    /// One protocol, by its IANA number.
    Number(u8),
    /// A word nobody knows; matches nothing.
    Unknown(String),
}

impl RuleProtocol {
    /// Reads the word AWS writes: `-1`, `tcp`, `udp`, `icmp`, `icmpv6`, or a number.
    pub fn parse(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "-1" | "all" => Self::All,
            "tcp" => Self::Number(TCP),
            "udp" => Self::Number(UDP),
            "icmp" => Self::Number(ICMP),
            "icmpv6" => Self::Number(ICMPV6),
            other => other.parse().map_or_else(|_| Self::Unknown(word.to_owned()), Self::Number),
        }
    }

    /// As describe-security-groups writes it: `-1` for all.
    pub fn aws_word(&self) -> String {
        match self {
            Self::All => "-1".to_owned(),
            Self::Number(number) => crate::flow::protocol_name(*number),
            Self::Unknown(word) => word.clone(),
        }
    }

    /// As reports write it: `all` for all.
    pub fn report_word(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            _ => self.aws_word(),
        }
    }

    /// Whether a rule of this protocol tests ports.
    pub fn tests_ports(&self) -> bool {
        matches!(self, Self::Number(TCP | UDP))
    }
}

/// The far side a rule names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// An address range, canonical (host bits cleared).
    Cidr(IpNet),
    /// An address range that is none; matches nothing.
    BadCidr(String),
    /// Private addresses of the interfaces that carry this group.
    Group(String),
    /// The entries of this prefix list.
    PrefixList(String),
}

impl Peer {
    /// Reads an address range in any spelling and makes it canonical.
    pub fn cidr(text: &str) -> Self {
        parse_net(text).map_or_else(|| Self::BadCidr(text.to_owned()), Self::Cidr)
    }

    /// `cidr`, `group` or `prefix_list`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cidr(_) | Self::BadCidr(_) => "cidr",
            Self::Group(_) => "group",
            Self::PrefixList(_) => "prefix_list",
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cidr(net) => write!(f, "{net}"),
            Self::BadCidr(text) | Self::Group(text) | Self::PrefixList(text) => f.write_str(text),
        }
    }
}

/// An address range from text: `10.0.0.0/8`, `::/0`, or a single address.
pub fn parse_net(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).map(|net| net.trunc())
}

/// Every number of a protocol at its own place.
const fn one_by_one() -> [u8; 256] {
    let mut all = [0; 256];
    let mut at = 0_u8;
    while at < u8::MAX {
        at += 1;
        all[at as usize] = at;
    }
    all
}

/// The content of one rule, which is what a rule is: its id is a label.
///
/// AWS has allow rules only, and no order among them; the order of fields is the order reports sort by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// The group that holds the rule.
    pub group_id: String,
    /// The direction it allows.
    pub direction: Direction,
    /// The protocol it allows.
    pub protocol: RuleProtocol,
    /// First port of tcp and udp; type of ICMP. None where AWS has -1 or nothing.
    pub from_port: Option<u16>,
    /// Last port of tcp and udp; code of ICMP. None where AWS has -1 or nothing.
    pub to_port: Option<u16>,
    /// The far side.
    pub peer: Peer,
    /// Its rank and what else it asks, where rules have one (Alibaba Cloud).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranked: Option<Box<Ranked>>,
}

impl Rule {
    /// `GROUP:DIRECTION:PROTOCOL:FROM-TO:PEER`, the public name of the content; a ranked rule's goes on `:PRIORITY:ACTION`.
    pub fn key(&self) -> String {
        let port = |port: Option<u16>| port.map_or(-1, i32::from);
        let ranked = self.ranked.as_ref().map(ToString::to_string).unwrap_or_default();
        format!(
            "{}:{}:{}:{}-{}:{}{ranked}",
            self.group_id,
            self.direction,
            self.protocol.aws_word(),
            port(self.from_port),
            port(self.to_port),
            self.peer
        )
    }

    /// What it does with what it decides.
    pub fn action(&self) -> RuleAction {
        self.ranked.as_ref().map_or(RuleAction::Allow, |ranked| ranked.action)
    }

    /// What a group does by itself, which nobody wrote.
    pub fn is_default(&self) -> bool {
        self.ranked.as_ref().is_some_and(|ranked| ranked.standing == Standing::Default)
    }

    /// The order in which it is asked; all rules of AWS have one.
    pub fn rank(&self) -> u16 {
        self.ranked.as_ref().map_or(0, |ranked| ranked.rank())
    }

    /// The list that its ports are in.
    pub fn port_list(&self) -> Option<&PortList> {
        self.ranked.as_ref()?.port_list.as_ref()
    }

    /// The ports a tcp or udp rule lets through, from the first to the last; every port where the range is not written.
    pub fn ports(&self) -> (u16, u16) {
        match self.port_list() {
            Some(list) => match (list.ranges.iter().flatten().next(), list.ranges.iter().flatten().last()) {
                (Some((from, _)), Some((_, to))) => (*from, *to),
                // None at all.
                _ => (u16::MAX, 0),
            },
            None => (self.from_port.unwrap_or(0), self.to_port.unwrap_or(u16::MAX)),
        }
    }

    /// The ranges of ports that a tcp or udp rule lets through, ascending.
    pub fn port_ranges(&self) -> Vec<(u16, u16)> {
        match self.port_list() {
            Some(list) => list.ranges.clone().unwrap_or_default(),
            None => vec![self.ports()],
        }
    }

    /// The protocols that it is about, none where it is all or unknown. Of ranked rules, ICMP is that of either family:
    /// Alibaba Cloud lets rules say so of IPv6 addresses.
    pub fn protocol_numbers(&self) -> &'static [u8] {
        static ONE: [u8; 256] = one_by_one();
        match self.protocol {
            RuleProtocol::Number(ICMP) if self.ranked.is_some() => &[ICMP, ICMPV6],
            RuleProtocol::Number(number) => std::slice::from_ref(&ONE[number as usize]),
            RuleProtocol::All | RuleProtocol::Unknown(_) => &[],
        }
    }

    /// Whether protocol and port fit. ICMP has no port; see [`Rule::is_one_icmp_type`].
    pub fn allows_port(&self, protocol: u8, port: u16) -> bool {
        match &self.protocol {
            RuleProtocol::Number(_) if !self.protocol_numbers().contains(&protocol) => false,
            RuleProtocol::Number(TCP | UDP) => {
                let (from, to) = self.ports();
                self.port_list().map_or((from..=to).contains(&port), |list| list.holds(port))
            }
            RuleProtocol::All | RuleProtocol::Number(_) => true,
            RuleProtocol::Unknown(_) => false,
        }
    }

    /// A rule for one ICMP type: flow logs hold no type, so a match is only possible, never sure.
    pub fn is_one_icmp_type(&self) -> bool {
        matches!(self.protocol, RuleProtocol::Number(ICMP | ICMPV6)) && self.from_port.is_some()
    }

    /// A tcp or udp rule of fewer than 1,024 ports names a service rather than a client range.
    pub fn is_specific(&self) -> bool {
        let ports = |(from, to): (u16, u16)| u32::from(to).saturating_sub(u32::from(from)) + 1;
        self.protocol.tests_ports()
            && self.port_ranges().iter().all(|(from, to)| from <= to)
            && (1..1024).contains(&self.port_ranges().into_iter().map(ports).sum::<u32>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn world_has_one_spelling() {
        for text in ["::/0", "0::0/0", "0:0:0:0:0:0:0:0/0", "0000::/0"] {
            assert_eq!(Peer::cidr(text).to_string(), "::/0");
        }
        assert_eq!(Peer::cidr("100.68.0.18/18").to_string(), "100.68.0.0/18");
        assert_eq!(Peer::cidr("10.0.0.1").to_string(), "10.0.0.1/32");
        assert_eq!(Peer::cidr("10.0.0.300/8"), Peer::BadCidr("10.0.0.300/8".to_owned()));
    }

    #[test]
    fn specific_is_fewer_than_1024_ports() {
        let rule = |protocol: &str, from, to| Rule {
            group_id: "sg-1".to_owned(),
            direction: Direction::Ingress,
            protocol: RuleProtocol::parse(protocol),
            from_port: from,
            to_port: to,
            peer: Peer::cidr("0.0.0.0/0"),
            ranked: None,
        };
        let cases = [
            ("tcp", Some(22), Some(22), true),
            ("tcp", Some(2000), Some(3022), true),
            ("tcp", Some(2000), Some(3023), false),
            ("udp", Some(0), Some(1022), true),
            ("udp", Some(0), Some(65535), false),
            ("icmp", Some(8), None, false),
            ("-1", None, None, false),
            ("tcp", Some(443), Some(22), false),
        ];
        for (protocol, from, to, specific) in cases {
            assert_eq!(rule(protocol, from, to).is_specific(), specific, "{protocol} {from:?}-{to:?}");
        }
    }
}

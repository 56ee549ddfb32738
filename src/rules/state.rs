//! What was in force at one time: groups with their rules, interfaces, prefix lists, ACLs and subnets.

use std::net::IpAddr;
use std::sync::Arc;

use imbl::OrdMap;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::ranked::{EcsGroup, EcsGroupKind};
use super::{Peer, Rule, RuleIndex};
use crate::flow::{Direction, Seconds};

/// One state of an estate, in force from a time until the next state. States share what is the same.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Since when; None: always.
    pub from: Option<Seconds>,
    /// The time of the last snapshot that shows the same; None: none after the first.
    pub confirmed: Option<Seconds>,
    /// Known groups by id: described themselves, or known from their rules.
    pub groups: OrdMap<String, Arc<Group>>,
    /// Interfaces by id.
    pub interfaces: OrdMap<String, Arc<Interface>>,
    /// Entries of prefix lists, by list id. A list without known entries is absent.
    pub prefix_lists: OrdMap<String, Arc<Vec<IpNet>>>,
    /// Network ACLs by the subnet they are associated with.
    pub acls: OrdMap<String, Arc<NetworkAcl>>,
    /// Subnets by id.
    pub subnets: OrdMap<String, Arc<Subnet>>,
}

/// One security group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// `GroupName`, empty where unknown.
    pub name: String,
    /// `Description`.
    pub description: String,
    /// `VpcId`, empty where unknown.
    pub vpc_id: String,
    /// Account, from `OwnerId` or from its VPC; empty where unknown.
    pub owner_id: String,
    /// Region, from an ARN or from its VPC; empty where unknown.
    pub region: String,
    /// `Tags`.
    pub tags: Vec<(String, String)>,
    /// Its rules, ascending.
    pub rules: Vec<RuleIndex>,
    /// What it allows by itself, ascending: rules without a row.
    pub defaults: Vec<RuleIndex>,
    /// What groups of Alibaba Cloud have; None: it is one of AWS.
    pub ecs: Option<EcsGroup>,
}

/// Whose network an interface is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cloud {
    /// Amazon Web Services.
    #[default]
    Aws,
    /// Alibaba Cloud.
    Alibaba,
}

impl Cloud {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_aws(&self) -> bool {
        *self == Self::Aws
    }
}

/// One network interface (ENI).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interface {
    /// `NetworkInterfaceId`.
    pub id: String,
    /// Primary and secondary private IPv4 and IPv6 addresses.
    pub addresses: Vec<IpAddr>,
    /// Delegated prefixes.
    pub prefixes: Vec<IpNet>,
    /// Public and Elastic addresses; never used to match rules.
    pub public_addresses: Vec<IpAddr>,
    /// Ids of its groups, in the order AWS gives them.
    pub group_ids: Vec<String>,
    /// `SubnetId`, empty where unknown.
    pub subnet_id: String,
    /// `VpcId`, empty where unknown.
    pub vpc_id: String,
    /// `OwnerId`, empty where unknown.
    pub owner_id: String,
    /// Region, from `AvailabilityZone`; empty where unknown.
    pub region: String,
    /// `InterfaceType`.
    pub interface_type: String,
    /// `Description`.
    pub description: String,
    /// `RequesterId`.
    pub requester_id: String,
    /// `RequesterManaged`: an AWS service made the interface. None where the document does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester_managed: Option<bool>,
    /// Id of the instance it is attached to, empty where none.
    pub instance_id: String,
    /// Whose network it is in.
    #[serde(default, skip_serializing_if = "Cloud::is_aws")]
    pub cloud: Cloud,
}

impl Group {
    /// Every rule that it has, those that nobody wrote with them.
    pub fn all_rules(&self) -> impl Iterator<Item = RuleIndex> {
        self.rules.iter().chain(&self.defaults).copied()
    }

    /// Whether a service of Alibaba Cloud made the group: nobody else can change it.
    pub fn is_service_managed(&self) -> bool {
        self.ecs.is_some_and(|ecs| ecs.service_managed)
    }

    /// Whether a rule of the group means anything: advanced groups take no group as a peer.
    ///
    /// Source: <https://www.alibabacloud.com/help/en/ecs/user-guide/basic-security-groups-and-advanced-security-groups>.
    pub fn takes(&self, rule: &Rule) -> bool {
        let advanced = self.ecs.is_some_and(|ecs| ecs.kind == Some(EcsGroupKind::Advanced));
        !advanced || !matches!(rule.peer, Peer::Group(_))
    }

    /// Whether it may lie in the same account and region as another; what is not known fits.
    pub fn is_near(&self, other: &Self) -> bool {
        let fits = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
        fits(&self.owner_id, &other.owner_id) && fits(&self.region, &other.region)
    }
}

impl Interface {
    /// What it adds to its groups where a rule refers to them: its private addresses and its prefixes.
    pub fn nets(&self) -> impl Iterator<Item = IpNet> {
        self.addresses.iter().copied().map(IpNet::from).chain(self.prefixes.iter().copied())
    }

    /// Whether the address is one of its private addresses or in a delegated prefix.
    pub fn owns(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address) || self.prefixes.iter().any(|prefix| prefix.contains(&address))
    }

    /// Network load balancers and Global Accelerator keep the client's address, so a reference to their group proves
    /// nothing about a peer address.
    ///
    /// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html>.
    pub fn keeps_client_address(&self) -> bool {
        matches!(self.interface_type.as_str(), "network_load_balancer" | "global_accelerator_managed")
    }
}

/// One network ACL, its entries by ascending rule number.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NetworkAcl {
    /// `NetworkAclId`.
    pub id: String,
    /// `VpcId`.
    pub vpc_id: String,
    /// `OwnerId`.
    pub owner_id: String,
    /// Subnets it is associated with.
    pub subnet_ids: Vec<String>,
    /// Entries of both directions, ascending by number.
    pub entries: Vec<AclEntry>,
}

/// One entry of a network ACL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AclEntry {
    /// `RuleNumber`.
    pub number: u32,
    /// `Egress`.
    pub direction: Direction,
    /// `RuleAction`.
    pub action: AclAction,
    /// `Protocol`; None is all (`-1`).
    pub protocol: Option<u8>,
    /// `CidrBlock` or `Ipv6CidrBlock`.
    pub net: IpNet,
    /// `PortRange`, inclusive; None: every port.
    pub ports: Option<(u16, u16)>,
    /// `IcmpTypeCode`: type and code, of entries for ICMP that name a type. -1 is every code.
    pub icmp: Option<(i64, i64)>,
}

impl AclEntry {
    /// An entry for one ICMP type: flow logs cannot show whether it fits.
    pub fn is_one_icmp_type(&self) -> bool {
        self.icmp.is_some()
    }
}

/// What an ACL entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AclAction {
    /// `allow`.
    Allow,
    /// `deny`.
    Deny,
}

/// One subnet.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subnet {
    /// `SubnetId`.
    pub id: String,
    /// `VpcId`.
    pub vpc_id: String,
    /// `OwnerId`.
    pub owner_id: String,
    /// Its IPv4 and IPv6 ranges.
    pub ranges: Vec<IpNet>,
}

/// One flow log, from describe-flow-logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FlowLog {
    /// `FlowLogId`.
    pub id: String,
    /// `ResourceId`: a VPC, a subnet or an interface.
    pub resource_id: String,
    /// `TrafficType`: ACCEPT, REJECT or ALL.
    pub traffic_type: String,
    /// `FlowLogStatus`.
    pub status: String,
    /// `LogFormat`.
    pub log_format: String,
    /// `DeliverLogsErrorMessage`.
    pub delivery_error: String,
    /// `DeliverLogsStatus`: SUCCESS or FAILED, empty where unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub delivery_status: String,
    /// `CreationTime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Seconds>,
    /// `MaxAggregationInterval`, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<u32>,
}

impl FlowLog {
    /// Whether it delivers ACCEPT records.
    pub fn logs_accepts(&self) -> bool {
        matches!(self.traffic_type.as_str(), "ALL" | "ACCEPT")
    }

    /// Whether it delivers REJECT records.
    pub fn logs_rejects(&self) -> bool {
        matches!(self.traffic_type.as_str(), "ALL" | "REJECT")
    }

    /// Whether it could not deliver (some of) its records: `DeliverLogsStatus` FAILED, or a message why.
    ///
    /// Source: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_FlowLog.html>.
    pub fn failed_to_deliver(&self) -> bool {
        self.delivery_status == "FAILED" || !self.delivery_error.is_empty()
    }
}

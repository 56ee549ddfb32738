//! Traffic that flow logs never record, so that its absence says nothing.
//!
//! Source: <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-limitations.html>.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Serialize;

use super::attachment::Attachments;
use crate::flow::{Direction, TCP, UDP};
use crate::rules::state::Interface;
use crate::rules::timeline::Timeline;
use crate::rules::{Peer, Rule, RuleProtocol};
use crate::tally::scope::{self, PeerScope};

/// Whether flow logs can show the use of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loggable {
    /// All of its traffic is recorded.
    Always,
    /// Some of its traffic never is.
    Partly(Unlogged),
    /// None of its traffic ever is.
    Never(Unlogged),
}

/// What flow logs leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unlogged {
    /// Instance metadata, time and name service at addresses inside every VPC.
    LinkLocal,
    /// DHCP.
    Dhcp,
    /// Traffic between an endpoint interface and a load balancer.
    LoadBalancerToEndpoint,
    /// Queries to the resolver of the VPC.
    Resolver,
    /// What may be such queries: the range of the VPC is not known.
    MaybeResolver,
    /// The Amazon Time Sync Service.
    TimeSync,
}

/// Instance metadata, time and resolver addresses inside every VPC.
const LINK_LOCAL: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16);
const EC2_LOCAL: Ipv6Net = Ipv6Net::new_assert(std::net::Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32);

/// The Amazon Time Sync Service.
const TIME_SYNC: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 123);

/// Whether flow logs can show the use of the rule on these interfaces.
pub fn loggable(
    rule: &Rule,
    interfaces: &[&Interface],
    attachments: &Attachments<'_>,
    timeline: &Timeline,
) -> Loggable {
    if let Peer::Cidr(net) = &rule.peer {
        let inside = match net {
            IpNet::V4(net) => LINK_LOCAL.contains(net),
            IpNet::V6(net) => EC2_LOCAL.contains(net),
        };
        if inside {
            return Loggable::Never(Unlogged::LinkLocal);
        }
    }
    let (from, to) = rule.ports();
    let udp = rule.protocol == RuleProtocol::Number(UDP);
    if udp && from >= 67 && to <= 68 {
        return Loggable::Never(Unlogged::Dhcp);
    }
    if between_load_balancer_and_endpoint(rule, interfaces, attachments) {
        return Loggable::Never(Unlogged::LoadBalancerToEndpoint);
    }
    let local = match &rule.peer {
        // Where Alibaba Cloud's own services are, and whether flow logs leave them out, it does not say.
        Peer::Cidr(_) if rule.ranked.is_some() => None,
        Peer::Cidr(net) if rule.direction == Direction::Egress && rule.is_specific() => {
            local_services(rule, net, interfaces, timeline)
        }
        _ => None,
    };
    match local {
        Some(loggable) => loggable,
        None if udp && rule.is_specific() && from <= 68 && to >= 67 => Loggable::Partly(Unlogged::Dhcp),
        None => Loggable::Always,
    }
}

/// What the traffic of a specific egress rule to services of AWS inside the VPC makes of it. None: it has none.
fn local_services(
    rule: &Rule,
    net: &IpNet,
    interfaces: &[&Interface],
    timeline: &Timeline,
) -> Option<Loggable> {
    let (from, to) = rule.ports();
    let has = |port: u16| (from..=to).contains(&port);
    let one_address = net.prefix_len() == net.max_prefix_len();
    let only_names = one_address && (from, to) == (53, 53);
    let unknown_vpc = || interfaces.iter().any(|interface| !timeline.vpcs.contains_key(&interface.vpc_id));
    // Without the VPC's range its resolver is not known.
    let may_hold_resolver = || scope::of(net.addr()) == PeerScope::Internal && unknown_vpc();
    if only_names && may_hold_resolver() {
        return Some(Loggable::Never(Unlogged::MaybeResolver));
    }
    if rule.protocol == RuleProtocol::Number(UDP) && has(123) && net.contains(&IpAddr::V4(TIME_SYNC)) {
        return Some(Loggable::Partly(Unlogged::TimeSync));
    }
    if has(53) && resolvers(interfaces, timeline).iter().any(|resolver| net.contains(resolver)) {
        let loggable = if only_names { Loggable::Never } else { Loggable::Partly };
        return Some(loggable(Unlogged::Resolver));
    }
    if one_address {
        return None;
    }
    // The resolver has an address of the VPC, and the same one in every VPC.
    if has(53) && (holds_local(net) || may_hold_resolver()) {
        return Some(Loggable::Partly(Unlogged::MaybeResolver));
    }
    // Instance metadata, and activation of Windows.
    let tcp = rule.protocol == RuleProtocol::Number(TCP);
    (tcp && holds_local(net) && (has(80) || has(1688))).then_some(Loggable::Partly(Unlogged::LinkLocal))
}

/// Whether a range holds the addresses inside every VPC, and others.
fn holds_local(net: &IpNet) -> bool {
    match net {
        IpNet::V4(net) => net.contains(&LINK_LOCAL),
        IpNet::V6(net) => net.contains(&EC2_LOCAL),
    }
}

/// The resolver of a VPC is at the base of its range plus two.
fn resolvers(interfaces: &[&Interface], timeline: &Timeline) -> Vec<IpAddr> {
    let ranges = interfaces.iter().filter_map(|interface| timeline.vpcs.get(&interface.vpc_id)).flatten();
    ranges
        .filter_map(|range| match range {
            IpNet::V4(range) => {
                Some(IpAddr::V4(Ipv4Addr::from(u32::from(range.network()).saturating_add(2))))
            }
            IpNet::V6(_) => None,
        })
        .collect()
}

/// Traffic between an endpoint interface and a Network Load Balancer interface is not recorded.
fn between_load_balancer_and_endpoint(
    rule: &Rule,
    interfaces: &[&Interface],
    attachments: &Attachments<'_>,
) -> bool {
    let Peer::Group(peer) = &rule.peer else { return false };
    let peers: Vec<&Interface> = attachments.interfaces(peer).into_values().collect();
    let all = |kind: &str, of: &[&Interface]| {
        !of.is_empty() && of.iter().all(|interface| interface.interface_type == kind)
    };
    let (endpoint, balancer) = ("vpc_endpoint", "network_load_balancer");
    all(endpoint, interfaces) && all(balancer, &peers) || all(balancer, interfaces) && all(endpoint, &peers)
}

/// Whether the rule lets tcp or udp through.
pub fn is_tcp_udp_or_all(rule: &Rule) -> bool {
    matches!(rule.protocol, RuleProtocol::All | RuleProtocol::Number(TCP | UDP))
}

//! `aliyun ecs RevokeSecurityGroup` and its kin. Values stand behind an equals sign, for `-1/-1` is one.
//!
//! Source: <https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-revokesecuritygroup>.

use ipnet::IpNet;

use super::shell::Command;
use super::{Deed, Impossible, Subject};
use crate::flow::{Direction, ICMP, ICMPV6, TCP, UDP};
use crate::rules::ranked::{NicType, RuleAction};
use crate::rules::{Peer, RuleProtocol};

pub(super) fn command(subject: &Subject<'_>, deed: Deed) -> Result<Command, Impossible> {
    let rule = subject.rule;
    let Some(ranked) = &rule.ranked else { return Err("its priority is not known") };
    let call = match (deed, rule.direction) {
        (Deed::Revoke, Direction::Ingress) => "RevokeSecurityGroup",
        (Deed::Revoke, Direction::Egress) => "RevokeSecurityGroupEgress",
        (Deed::Authorize, Direction::Ingress) => "AuthorizeSecurityGroup",
        (Deed::Authorize, Direction::Egress) => "AuthorizeSecurityGroupEgress",
    };
    let protocol = match &rule.protocol {
        RuleProtocol::All => "ALL",
        RuleProtocol::Number(TCP) => "TCP",
        RuleProtocol::Number(UDP) => "UDP",
        RuleProtocol::Number(ICMP) => "ICMP",
        RuleProtocol::Number(ICMPV6) => "ICMPv6",
        RuleProtocol::Number(47) => "GRE",
        _ => return Err("its protocol is none that the call takes"),
    };
    let (far, near) = match rule.direction {
        Direction::Ingress => ("Source", "Dest"),
        Direction::Egress => ("Dest", "Source"),
    };
    let parameter = |name: &str| format!("--Permissions.1.{name}");
    let mut command = Command::new(&["aliyun", "ecs", call])
        .joined_if("--RegionId", &subject.group.region)
        .joined("--SecurityGroupId", &rule.group_id)
        .joined(&parameter("IpProtocol"), protocol);
    command = match &ranked.port_list {
        Some(list) => command.joined(&parameter("PortRangeListId"), &list.id),
        None => command.joined(&parameter("PortRange"), &ports(rule.from_port, rule.to_port)),
    };
    command = match &rule.peer {
        Peer::Cidr(net @ IpNet::V4(_)) => {
            command.joined(&parameter(&format!("{far}CidrIp")), &net.to_string())
        }
        Peer::Cidr(net @ IpNet::V6(_)) => {
            command.joined(&parameter(&format!("Ipv6{far}CidrIp")), &net.to_string())
        }
        Peer::Group(group) => {
            let owner = subject.other_owner(group)?;
            command
                .joined(&parameter(&format!("{far}GroupId")), group)
                .joined_if(&parameter(&format!("{far}GroupOwnerAccount")), owner.unwrap_or_default())
        }
        Peer::PrefixList(list) => command.joined(&parameter(&format!("{far}PrefixListId")), list),
        Peer::BadCidr(_) => return Err("its address range is none"),
    };
    if let Some(local) = ranked.local {
        let family = if local.addr().is_ipv6() { "Ipv6" } else { "" };
        command = command.joined(&parameter(&format!("{family}{near}CidrIp")), &local.to_string());
    }
    if let Some((from, to)) = ranked.source_ports {
        command = command.joined(&parameter("SourcePortRange"), &ports(Some(from), Some(to)));
    }
    let policy = if ranked.action == RuleAction::Allow { "accept" } else { "drop" };
    command = command
        .joined(&parameter("Policy"), policy)
        .joined(&parameter("Priority"), &ranked.priority.to_string());
    if let Some(nic) = ranked.nic {
        let nic = if nic == NicType::Internet { "internet" } else { "intranet" };
        command = command.joined(&parameter("NicType"), nic);
    }
    let about = subject.label.description.as_deref().unwrap_or_default();
    if deed == Deed::Authorize {
        if about.chars().any(char::is_control) {
            return Err("its description holds control characters");
        }
        command = command.joined_if(&parameter("Description"), about);
    }
    Ok(command)
}

fn ports(from: Option<u16>, to: Option<u16>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => format!("{from}/{to}"),
        _ => "-1/-1".to_owned(),
    }
}

//! The part of a state that lies in Alibaba Cloud, as the ECS API would have answered.
//!
//! Shapes: <https://www.alibabacloud.com/help/en/ecs/developer-reference/api-overview>.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use crate::flow::Direction;
use crate::rules::ranked::{EcsGroup, EcsGroupKind, NicType, Pages, PortList, RuleAction};
use crate::rules::state::{Cloud, Group, Interface, State};
use crate::rules::timeline::{Label, Timeline};
use crate::rules::{Peer, Rule};

/// The answers; none where nothing lies there.
pub(super) fn answers(timeline: &Timeline, state: &State) -> Vec<Value> {
    let groups = || state.groups.iter().filter_map(|(id, group)| Some((id, group.as_ref(), group.ecs?)));
    let mut answers: Vec<Value> =
        groups().map(|(id, group, ecs)| attribute(timeline, id, group, ecs)).collect();
    let listed: Vec<Value> = groups().filter_map(|(id, _, ecs)| listing(id, ecs)).collect();
    if !listed.is_empty() {
        answers.push(json!({ "SecurityGroups": { "SecurityGroup": listed } }));
    }
    let interfaces: Vec<Value> =
        state.interfaces.values().filter(|it| it.cloud == Cloud::Alibaba).map(|it| interface(it)).collect();
    if !interfaces.is_empty() {
        answers.push(json!({ "NetworkInterfaceSets": { "NetworkInterfaceSet": interfaces } }));
    }
    let rules = groups().flat_map(|(_, group, _)| &group.rules).map(|rule| &timeline.rules[rule.index()]);
    let lists: BTreeMap<&String, &Vec<(u16, u16)>> = rules
        .filter_map(|rule| match rule.port_list() {
            Some(PortList { id, ranges: Some(ranges) }) => Some((id, ranges)),
            _ => None,
        })
        .collect();
    answers.extend(lists.into_iter().map(|(id, ranges)| {
        let entries: Vec<Value> =
            ranges.iter().map(|(from, to)| json!({ "PortRange": format!("{from}/{to}") })).collect();
        json!({ "PortRangeListId": id, "Entries": { "Entry": entries } })
    }));
    answers
}

fn listing(id: &str, ecs: EcsGroup) -> Option<Value> {
    let kind = match ecs.kind? {
        EcsGroupKind::Basic => "normal",
        EcsGroupKind::Advanced => "enterprise",
    };
    Some(json!({ "SecurityGroupId": id, "SecurityGroupType": kind, "ServiceManaged": ecs.service_managed }))
}

fn policy(action: RuleAction) -> &'static str {
    match action {
        RuleAction::Allow => "Accept",
        RuleAction::Deny => "Drop",
    }
}

fn attribute(timeline: &Timeline, id: &str, group: &Group, ecs: EcsGroup) -> Value {
    let rules = group
        .rules
        .iter()
        .map(|index| permission(&timeline.rules[index.index()], &timeline.labels[index.index()]));
    let tags: Vec<Value> =
        group.tags.iter().map(|(key, value)| json!({ "TagKey": key, "TagValue": value })).collect();
    json!({
        "RegionId": group.region,
        "VpcId": group.vpc_id,
        "SecurityGroupId": id,
        "SecurityGroupName": group.name,
        "Description": group.description,
        "InnerAccessPolicy": ecs.inner_access.map_or("", policy),
        "ServiceManaged": ecs.service_managed,
        "Tags": { "Tag": tags },
        // Whatever reads it should know that there is more.
        "NextToken": match ecs.pages {
            Pages::All => "",
            Pages::More => "more",
        },
        "Permissions": { "Permission": rules.collect::<Vec<_>>() },
    })
}

fn permission(rule: &Rule, label: &Label) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    let (far, near) = match rule.direction {
        Direction::Ingress => ("Source", "Dest"),
        Direction::Egress => ("Dest", "Source"),
    };
    put("SecurityGroupRuleId", json!(label.rule_id.as_deref().unwrap_or_default()));
    put("Direction", json!(rule.direction.as_str()));
    put("IpProtocol", json!(rule.protocol.report_word().to_ascii_uppercase()));
    put("Description", json!(label.description.as_deref().unwrap_or_default()));
    let ports = match (rule.from_port, rule.to_port, rule.port_list()) {
        (.., Some(_)) => String::new(),
        (Some(from), Some(to), None) => format!("{from}/{to}"),
        _ => "-1/-1".to_owned(),
    };
    put("PortRange", json!(ports));
    let key = match &rule.peer {
        Peer::Cidr(net) if net.addr().is_ipv6() => format!("Ipv6{far}CidrIp"),
        Peer::Cidr(_) | Peer::BadCidr(_) => format!("{far}CidrIp"),
        Peer::Group(_) => format!("{far}GroupId"),
        Peer::PrefixList(_) => format!("{far}PrefixListId"),
    };
    put(&key, json!(rule.peer.to_string()));
    if let Some(owner) = &label.peer_owner {
        put(&format!("{far}GroupOwnerAccount"), json!(owner));
    }
    if let Some(ranked) = &rule.ranked {
        put("Priority", json!(ranked.priority.to_string()));
        put("Policy", json!(policy(ranked.action)));
        if let Some((from, to)) = ranked.source_ports {
            put("SourcePortRange", json!(format!("{from}/{to}")));
        }
        if let Some(local) = ranked.local {
            let family = if local.addr().is_ipv6() { "Ipv6" } else { "" };
            put(&format!("{family}{near}CidrIp"), json!(local));
        }
        if let Some(nic) = ranked.nic {
            put("NicType", json!(if nic == NicType::Internet { "internet" } else { "intranet" }));
        }
        if let Some(PortList { id, .. }) = &ranked.port_list {
            put("PortRangeListId", json!(id));
        }
    }
    Value::Object(object)
}

fn interface(interface: &Interface) -> Value {
    let (v4, v6): (Vec<_>, Vec<_>) = interface.addresses.iter().partition(|address| address.is_ipv4());
    let (p4, p6): (Vec<IpNet>, Vec<IpNet>) = interface.prefixes.iter().partition(|net| net.addr().is_ipv4());
    let each = |key: &str, values: Vec<Value>| -> Vec<Value> {
        values.into_iter().map(|value| Value::Object(Map::from_iter([(key.to_owned(), value)]))).collect()
    };
    let texts = |all: &[std::net::IpAddr]| all.iter().map(|address| json!(address)).collect::<Vec<_>>();
    let nets = |all: &[IpNet]| all.iter().map(|net| json!(net)).collect::<Vec<_>>();
    let mut sets = each("PrivateIpAddress", texts(&v4));
    // Which private address a public one belongs to is not kept: they go to the first ones, in order.
    for (set, public) in sets.iter_mut().zip(&interface.public_addresses) {
        set["AssociatedPublicIp"] = json!({ "PublicIpAddress": public });
    }
    let mut object = json!({
        "NetworkInterfaceId": interface.id,
        "Type": interface.interface_type,
        "Description": interface.description,
        "VpcId": interface.vpc_id,
        "VSwitchId": interface.subnet_id,
        "OwnerId": interface.owner_id,
        // Of the zone only the region is kept.
        "RegionId": interface.region,
        "ServiceID": interface.requester_id,
        "InstanceId": interface.instance_id,
        "PrivateIpSets": { "PrivateIpSet": sets },
        "Ipv6Sets": { "Ipv6Set": each("Ipv6Address", texts(&v6)) },
        "Ipv4PrefixSets": { "Ipv4PrefixSet": each("Ipv4Prefix", nets(&p4)) },
        "Ipv6PrefixSets": { "Ipv6PrefixSet": each("Ipv6Prefix", nets(&p6)) },
        "SecurityGroupIds": { "SecurityGroupId": interface.group_ids },
    });
    if let Some(managed) = interface.requester_managed {
        object["ServiceManaged"] = json!(managed);
    }
    object
}

//! The account as the ECS API answers it, with the strange forms of real answers: empty strings for what is absent,
//! priorities that are text, lists in lists.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::account::{Account, Group, Host, PARTNER_ID, Peer, REGION, Rule, Type};

/// Every answer with its path.
pub(super) fn documents(account: &Account) -> Vec<(PathBuf, Value)> {
    let mut documents = vec![
        (PathBuf::from("snapshot/security-groups.json"), listing(account)),
        (PathBuf::from("snapshot/network-interfaces.json"), interfaces(account)),
    ];
    for group in &account.groups {
        documents.push((PathBuf::from(format!("snapshot/{}.json", group.id)), attribute(account, group)));
    }
    documents
}

/// `aliyun ecs DescribeSecurityGroups`.
fn listing(account: &Account) -> Value {
    let groups = account.groups.iter().map(|group| {
        json!({
            "SecurityGroupId": group.id,
            "SecurityGroupName": group.name,
            "SecurityGroupType": if group.of_type == Type::Advanced { "enterprise" } else { "normal" },
            "ServiceManaged": group.of_type == Type::Managed,
            "VpcId": account.vpc_id,
            "Description": "",
            "Tags": { "Tag": [] },
        })
    });
    json!({
        "RequestId": "473469C7-AA6F-4DC5-B3DB-A3DC0DE3C83E",
        "RegionId": REGION,
        "NextToken": "",
        "SecurityGroups": { "SecurityGroup": groups.collect::<Vec<_>>() },
    })
}

/// `aliyun ecs DescribeSecurityGroupAttribute --SecurityGroupId …`: it does not say of which type the group is.
fn attribute(account: &Account, group: &Group) -> Value {
    let isolated = matches!(group.of_type, Type::Isolated | Type::Advanced);
    let rules = group.rules.iter().map(|rule| permission(account, rule));
    json!({
        "RequestId": "473469C7-AA6F-4DC5-B3DB-A3DC0DE3C83E",
        "RegionId": REGION,
        "VpcId": account.vpc_id,
        "SecurityGroupId": group.id,
        "SecurityGroupName": group.name,
        "Description": "",
        "InnerAccessPolicy": if isolated { "Drop" } else { "Accept" },
        "NextToken": "",
        "Permissions": { "Permission": rules.collect::<Vec<_>>() },
    })
}

fn permission(account: &Account, rule: &Rule) -> Value {
    let mut permission = json!({
        "SecurityGroupRuleId": rule.id,
        "Direction": if rule.egress { "egress" } else { "ingress" },
        "Policy": rule.policy,
        "Priority": rule.priority.to_string(),
        "IpProtocol": rule.protocol,
        "PortRange": rule.ports,
        "NicType": "intranet",
        "Description": rule.description,
        "CreateTime": "2026-01-12T08:00:00Z",
    });
    for key in [
        "SourceCidrIp",
        "Ipv6SourceCidrIp",
        "SourceGroupId",
        "SourceGroupName",
        "SourceGroupOwnerAccount",
        "SourcePrefixListId",
        "SourcePortRange",
        "DestCidrIp",
        "Ipv6DestCidrIp",
        "DestGroupId",
        "DestGroupName",
        "DestGroupOwnerAccount",
        "DestPrefixListId",
        "PortRangeListId",
    ] {
        permission[key] = json!("");
    }
    let side = if rule.egress { "Dest" } else { "Source" };
    match rule.peer {
        Peer::V4(range) => permission[format!("{side}CidrIp")] = json!(range),
        Peer::V6(range) => permission[format!("Ipv6{side}CidrIp")] = json!(range),
        Peer::Group(name) => {
            permission[format!("{side}GroupId")] = json!(account.group(name).id);
            permission[format!("{side}GroupName")] = json!(account.group(name).name);
        }
        Peer::Partner => {
            permission[format!("{side}GroupId")] = json!(account.partner_group);
            permission[format!("{side}GroupOwnerAccount")] = json!(PARTNER_ID);
        }
    }
    permission
}

/// `aliyun ecs DescribeNetworkInterfaces`.
fn interfaces(account: &Account) -> Value {
    let interfaces = account.hosts.iter().map(|host| interface(account, host));
    json!({
        "RequestId": "473469C7-AA6F-4DC5-B3DB-A3DC0DE3C83E",
        "TotalCount": account.hosts.len(),
        "NextToken": "",
        "NetworkInterfaceSets": { "NetworkInterfaceSet": interfaces.collect::<Vec<_>>() },
    })
}

fn interface(account: &Account, host: &Host) -> Value {
    let public = match host.public {
        Some(address) => json!({ "PublicIpAddress": address, "AllocationId": "" }),
        None => json!({}),
    };
    let groups: Vec<&str> = host.groups.iter().map(|name| account.group(*name).id.as_str()).collect();
    json!({
        "NetworkInterfaceId": host.id,
        "NetworkInterfaceName": host.name,
        "Description": "",
        "Type": "Primary",
        "Status": "InUse",
        "VpcId": account.vpc_id,
        "VSwitchId": account.vswitch_id,
        "ZoneId": format!("{REGION}-h"),
        "InstanceId": host.instance_id,
        "PrivateIpAddress": host.address,
        "PrivateIpSets": { "PrivateIpSet": [
            { "PrivateIpAddress": host.address, "Primary": true, "AssociatedPublicIp": public },
        ] },
        "Ipv6Sets": { "Ipv6Set": [] },
        "SecurityGroupIds": { "SecurityGroupId": groups },
        "AssociatedPublicIp": public,
        "ServiceManaged": host.name == "shop-alb",
        "Tags": { "Tag": [{ "TagKey": "Name", "TagValue": host.name }] },
        "CreationTime": "2026-01-12T08:00:00Z",
    })
}

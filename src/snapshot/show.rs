//! A state as the describe-* calls would have answered then: one document that this program, and others, read again.
//!
//! Shapes: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/>.

mod ecs;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use crate::flow::{Direction, Seconds};
use crate::rules::state::{AclAction, AclEntry, Cloud, Group, Interface, NetworkAcl, State, Subnet};
use crate::rules::timeline::{Label, Placement, Timeline};
use crate::rules::{Peer, Rule, RuleIndex, RuleProtocol};

/// The state in force at a time (None: the newest), and whether the time lies before all states. None: there is no state.
pub fn at(timeline: &Timeline, time: Option<Seconds>) -> Option<(&State, Placement)> {
    match time {
        None => timeline.newest().map(|state| (state, Placement::InForce)),
        Some(_) => timeline.at(time).map(|(at, placement)| (&timeline.states[at], placement)),
    }
}

/// The state as one document. A kind of which nothing is known is left out. Where some of it lies in Alibaba Cloud, a list of
/// the answers of both.
pub fn document(timeline: &Timeline, state: &State) -> Value {
    let mut answers = ecs::answers(timeline, state);
    let document = aws_document(timeline, state);
    match document.as_object() {
        _ if answers.is_empty() => document,
        Some(keys) if keys.is_empty() => Value::Array(answers),
        _ => {
            answers.insert(0, document);
            Value::Array(answers)
        }
    }
}

fn aws_document(timeline: &Timeline, state: &State) -> Value {
    let groups = || state.groups.iter().filter(|(_, group)| group.ecs.is_none());
    let mut document = Map::new();
    let mut put = |key: &str, items: Vec<Value>| {
        if !items.is_empty() {
            document.insert(key.to_owned(), Value::Array(items));
        }
    };
    put("SecurityGroups", groups().map(|(id, group)| security_group(timeline, id, group)).collect());
    let rules = groups().flat_map(|(_, group)| group.rules.iter().map(move |rule| (group, *rule)));
    put(
        "SecurityGroupRules",
        rules.map(|(group, rule)| security_group_rule(timeline, group, rule)).collect(),
    );
    let interfaces = state.interfaces.values().filter(|it| it.cloud == Cloud::Aws);
    put("NetworkInterfaces", interfaces.map(|it| network_interface(it)).collect());
    let lists = state.prefix_lists.iter().map(|(id, nets)| {
        let entries: Vec<Value> = nets.iter().map(|net| json!({ "Cidr": net })).collect();
        json!({ "PrefixListId": id, "Entries": entries })
    });
    put("PrefixLists", lists.collect());
    // An ACL is kept with each of its subnets.
    let acls: BTreeMap<&str, &NetworkAcl> =
        state.acls.values().map(|acl| (acl.id.as_str(), acl.as_ref())).collect();
    put("NetworkAcls", acls.into_values().map(network_acl).collect());
    put("Subnets", state.subnets.values().map(|it| subnet(it)).collect());
    Value::Object(document)
}

fn arn(region: &str, account: &str, kind: &str, id: &str) -> String {
    format!("arn:aws:ec2:{region}:{account}:{kind}/{id}")
}

fn tags(tags: &[(String, String)]) -> Vec<Value> {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

fn security_group(timeline: &Timeline, id: &str, group: &Group) -> Value {
    let side = |direction| permissions(timeline, group, direction);
    json!({
        "GroupId": id,
        "GroupName": group.name,
        "Description": group.description,
        "OwnerId": group.owner_id,
        "VpcId": group.vpc_id,
        "SecurityGroupArn": arn(&group.region, &group.owner_id, "security-group", id),
        "Tags": tags(&group.tags),
        "IpPermissions": side(Direction::Ingress),
        "IpPermissionsEgress": side(Direction::Egress),
    })
}

/// AWS gathers the rules of one protocol and port range into one permission.
fn permissions(timeline: &Timeline, group: &Group, direction: Direction) -> Vec<Value> {
    type Ports<'a> = (&'a RuleProtocol, Option<u16>, Option<u16>);
    let mut gathered: BTreeMap<Ports<'_>, Vec<(&Rule, &Label)>> = BTreeMap::new();
    for index in &group.rules {
        let (rule, label) = (&timeline.rules[index.index()], &timeline.labels[index.index()]);
        if rule.direction == direction {
            gathered.entry((&rule.protocol, rule.from_port, rule.to_port)).or_default().push((rule, label));
        }
    }
    gathered.into_iter().map(|((protocol, from, to), rules)| permission(protocol, from, to, &rules)).collect()
}

fn permission(
    protocol: &RuleProtocol,
    from: Option<u16>,
    to: Option<u16>,
    rules: &[(&Rule, &Label)],
) -> Value {
    let mut lists: [(&str, &str, Vec<Value>); 4] = [
        ("IpRanges", "CidrIp", Vec::new()),
        ("Ipv6Ranges", "CidrIpv6", Vec::new()),
        ("PrefixListIds", "PrefixListId", Vec::new()),
        ("UserIdGroupPairs", "GroupId", Vec::new()),
    ];
    for (rule, label) in rules {
        let which = match &rule.peer {
            Peer::Cidr(net) => usize::from(net.addr().is_ipv6()),
            Peer::BadCidr(_) => 0,
            Peer::PrefixList(_) => 2,
            Peer::Group(_) => 3,
        };
        let (_, key, items) = &mut lists[which];
        let mut item = Map::from_iter([((*key).to_owned(), json!(rule.peer.to_string()))]);
        if let (Peer::Group(_), Some(status)) = (&rule.peer, &label.peering_status) {
            item.insert("PeeringStatus".to_owned(), json!(status));
        }
        if let (Peer::Group(_), Some(owner)) = (&rule.peer, &label.peer_owner) {
            item.insert("UserId".to_owned(), json!(owner));
        }
        if let Some(description) = &label.description {
            item.insert("Description".to_owned(), json!(description));
        }
        items.push(Value::Object(item));
    }
    let mut permission = Map::from_iter([("IpProtocol".to_owned(), json!(protocol.aws_word()))]);
    if *protocol != RuleProtocol::All {
        permission.insert("FromPort".to_owned(), port(from));
        permission.insert("ToPort".to_owned(), port(to));
    }
    permission.extend(lists.map(|(list, _, items)| (list.to_owned(), Value::Array(items))));
    Value::Object(permission)
}

fn port(port: Option<u16>) -> Value {
    json!(port.map_or(-1, i32::from))
}

fn security_group_rule(timeline: &Timeline, group: &Group, index: RuleIndex) -> Value {
    let (rule, label) = (&timeline.rules[index.index()], &timeline.labels[index.index()]);
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    if let Some(id) = &label.rule_id {
        put("SecurityGroupRuleId", json!(id));
        put("SecurityGroupRuleArn", json!(arn(&group.region, &group.owner_id, "security-group-rule", id)));
    }
    put("GroupId", json!(rule.group_id));
    put("GroupOwnerId", json!(group.owner_id));
    put("IsEgress", json!(rule.direction == Direction::Egress));
    put("IpProtocol", json!(rule.protocol.aws_word()));
    put("FromPort", port(rule.from_port));
    put("ToPort", port(rule.to_port));
    match &rule.peer {
        Peer::Cidr(net) if net.addr().is_ipv6() => put("CidrIpv6", json!(net)),
        Peer::Cidr(net) => put("CidrIpv4", json!(net)),
        Peer::BadCidr(text) => put("CidrIpv4", json!(text)),
        Peer::PrefixList(id) => put("PrefixListId", json!(id)),
        Peer::Group(id) => {
            let mut group = json!({ "GroupId": id });
            if let Some(status) = &label.peering_status {
                group["PeeringStatus"] = json!(status);
            }
            if let Some(owner) = &label.peer_owner {
                group["UserId"] = json!(owner);
            }
            put("ReferencedGroupInfo", group)
        }
    };
    if let Some(description) = &label.description {
        put("Description", json!(description));
    }
    put("Tags", json!(tags(&label.tags)));
    Value::Object(object)
}

fn network_interface(interface: &Interface) -> Value {
    let v4 = interface.addresses.iter().filter(|address| address.is_ipv4());
    let v6 = interface.addresses.iter().filter(|address| address.is_ipv6());
    let primary = v4.clone().next();
    let addresses: Vec<Value> = v4
        .map(|address| json!({ "PrivateIpAddress": address, "Primary": Some(address) == primary }))
        .collect();
    let prefixes = |v6: bool, key: &str| -> Vec<Value> {
        let of = interface.prefixes.iter().filter(|net| net.addr().is_ipv6() == v6);
        of.map(|net| Value::Object(Map::from_iter([(key.to_owned(), json!(net))]))).collect()
    };
    let groups: Vec<Value> = interface.group_ids.iter().map(|id| json!({ "GroupId": id })).collect();
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("NetworkInterfaceId", json!(interface.id));
    put("InterfaceType", json!(interface.interface_type));
    put("Description", json!(interface.description));
    put("OwnerId", json!(interface.owner_id));
    put("RequesterId", json!(interface.requester_id));
    if let Some(managed) = interface.requester_managed {
        put("RequesterManaged", json!(managed));
    }
    // Of the zone only the region is kept.
    put("AvailabilityZone", json!(interface.region));
    put("SubnetId", json!(interface.subnet_id));
    put("VpcId", json!(interface.vpc_id));
    if let Some(IpAddr::V4(address)) = primary {
        put("PrivateIpAddress", json!(address));
    }
    put("PrivateIpAddresses", json!(with_public(addresses, &interface.public_addresses)));
    put("Ipv6Addresses", v6.map(|address| json!({ "Ipv6Address": address })).collect());
    put("Ipv4Prefixes", Value::Array(prefixes(false, "Ipv4Prefix")));
    put("Ipv6Prefixes", Value::Array(prefixes(true, "Ipv6Prefix")));
    if !interface.instance_id.is_empty() {
        put("Attachment", json!({ "InstanceId": interface.instance_id }));
    }
    put("Groups", Value::Array(groups));
    Value::Object(object)
}

/// Which private address a public one belongs to is not kept: they go to the first ones, in order.
fn with_public(mut addresses: Vec<Value>, public: &[IpAddr]) -> Vec<Value> {
    for (address, public) in addresses.iter_mut().zip(public) {
        if let Some(address) = address.as_object_mut() {
            address.insert("Association".to_owned(), json!({ "PublicIp": public }));
        }
    }
    addresses
}

fn network_acl(acl: &NetworkAcl) -> Value {
    let associations: Vec<Value> = acl.subnet_ids.iter().map(|id| json!({ "SubnetId": id })).collect();
    let entries: Vec<Value> = acl.entries.iter().map(acl_entry).collect();
    json!({
        "NetworkAclId": acl.id,
        "VpcId": acl.vpc_id,
        "OwnerId": acl.owner_id,
        "Associations": associations,
        "Entries": entries,
    })
}

fn acl_entry(entry: &AclEntry) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("RuleNumber", json!(entry.number));
    put("Egress", json!(entry.direction == Direction::Egress));
    put("RuleAction", json!(if entry.action == AclAction::Allow { "allow" } else { "deny" }));
    put("Protocol", json!(entry.protocol.map_or(-1, i32::from).to_string()));
    put(if entry.net.addr().is_ipv6() { "Ipv6CidrBlock" } else { "CidrBlock" }, json!(entry.net));
    if let Some((from, to)) = entry.ports {
        put("PortRange", json!({ "From": from, "To": to }));
    }
    if let Some((kind, code)) = entry.icmp {
        put("IcmpTypeCode", json!({ "Type": kind, "Code": code }));
    }
    Value::Object(object)
}

fn subnet(subnet: &Subnet) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("SubnetId", json!(subnet.id));
    put("VpcId", json!(subnet.vpc_id));
    put("OwnerId", json!(subnet.owner_id));
    let (v6, v4): (Vec<IpNet>, Vec<IpNet>) = subnet.ranges.iter().partition(|net| net.addr().is_ipv6());
    put("CidrBlock", json!(v4.first()));
    let v6: Vec<Value> = v6.iter().map(|net| json!({ "Ipv6CidrBlock": net })).collect();
    put("Ipv6CidrBlockAssociationSet", Value::Array(v6));
    Value::Object(object)
}

//! The same made-up accounts as ECS of Alibaba Cloud describes them: with priorities, ties, Drop rules, both types of
//! groups, isolation, source ports, near addresses, port lists and the classic network.

use std::hash::{DefaultHasher, Hash, Hasher};

use std::net::IpAddr;

use flowaudit::flow::OwnedFlow;
use flowaudit::rules::alibaba::{self, ListIds};
use flowaudit::rules::aws::Objects;
use ipnet::IpNet;
use serde_json::{Value, json};

use super::{Dice, InterfaceText, PeerText, RuleText, World};

/// Dice that fall the same for the same rule or group of a seed.
fn settled(seed: u64, of: impl Hash) -> Dice {
    let mut hasher = DefaultHasher::new();
    (seed, of).hash(&mut hasher);
    Dice(hasher.finish())
}

/// Through the answers of ECS; a later snapshot may lack a kind.
pub(super) fn objects(world: &World, seed: u64, dice: &mut Dice, later: bool) -> Objects {
    let mut objects = Objects::default();
    let mut add = |document: &Value, list: Option<&str>| {
        let document = &renamed(document);
        objects.add_up(
            alibaba::read(document, list.map(ListIds::of).unwrap_or_default())
                .unwrap()
                .expect("an answer of ECS"),
        );
    };
    // One estate in five is of the classic network.
    let vpc = if seed.is_multiple_of(5) { "" } else { "vpc-1" };
    if !later || dice.chance(90) {
        let groups: Vec<Value> =
            world.groups.iter().filter(|(_, described)| *described).map(|(id, _)| json!(id)).collect();
        let mut pages = Vec::new();
        for id in groups.iter().filter_map(Value::as_str) {
            let rules: Vec<Value> = world
                .rules
                .iter()
                .filter(|rule| rule.group == id)
                .map(|rule| permission(rule, seed, dice))
                .collect();
            let inner = settled(seed, (id, "inner")).pick(&["Accept", "Drop", "drop", ""]);
            let group = |rules: &[Value]| {
                json!({"RegionId": "cn-hangzhou", "VpcId": vpc, "SecurityGroupId": id, "SecurityGroupName": id,
                    "InnerAccessPolicy": inner, "Permissions": {"Permission": rules}})
            };
            let (first, second) = rules.split_at(rules.len() / 2);
            if dice.chance(30) {
                pages.extend([group(first), group(second)]);
            } else {
                pages.push(group(&rules));
            }
        }
        if !pages.is_empty() && dice.chance(50) {
            add(&json!(pages), None);
        } else {
            for page in &pages {
                add(page, None);
            }
        }
        let listed: Vec<Value> = groups
            .iter()
            .filter(|_| dice.chance(90))
            .map(|id| {
                let kind = settled(seed, (id.as_str(), "kind")).pick(&["normal", "normal", "enterprise"]);
                json!({"SecurityGroupId": id, "SecurityGroupType": kind, "ServiceManaged": false})
            })
            .collect();
        if !listed.is_empty() {
            add(&json!({"SecurityGroups": {"SecurityGroup": listed}}), None);
        }
    }
    if !later || dice.chance(90) {
        let interfaces: Vec<Value> =
            world.interfaces.iter().filter(|_| dice.chance(85)).map(|it| interface(it, vpc)).collect();
        add(&json!({"NetworkInterfaceSets": {"NetworkInterfaceSet": interfaces}}), None);
    }
    for (id, nets) in &world.lists {
        if dice.chance(70) {
            let entries: Vec<Value> =
                nets.iter().map(|net| json!({"Cidr": net, "Description": ""})).collect();
            add(&json!({"PrefixListId": id, "Entries": {"Entry": entries}}), None);
        }
    }
    if dice.chance(80) {
        let ranges = if later { ["22/22", "443/600"] } else { ["22/22", "443/512"] };
        let entries: Vec<Value> = ranges.iter().map(|range| json!({"PortRange": range})).collect();
        add(&json!({"Entries": {"Entry": entries}}), Some("prl-1"));
    }
    objects.sort();
    objects
}

/// Ids of their own, so that estates of both clouds may stand side by side.
fn renamed(document: &Value) -> Value {
    let mut text = document.to_string();
    for kind in ["sg-", "eni-", "pl-", "vpc-", "subnet-"] {
        text = text.replace(&format!("\"{kind}"), &format!("\"{kind}bp1"));
    }
    serde_json::from_str(&text).unwrap()
}

/// The same of a record.
pub(super) fn rename(flow: &mut OwnedFlow) {
    let id = String::from_utf8(std::mem::take(&mut flow.interface_id)).unwrap();
    flow.interface_id = id.replacen("eni-", "eni-bp1", 1).into_bytes();
    if !flow.vpc_id.is_empty() {
        flow.vpc_id = b"vpc-bp11".to_vec();
    }
}

fn permission(rule: &RuleText, seed: u64, now: &mut Dice) -> Value {
    let far = match &rule.peer {
        PeerText::V4(text) | PeerText::V6(text) | PeerText::Group(text) | PeerText::List(text) => text,
    };
    let mut dice = settled(seed, (&rule.group, rule.egress, &rule.protocol, rule.from, rule.to, far));
    let priority = dice.pick(&[1_u8, 1, 1, 2, 2, 50, 100]);
    // Words and numbers take any form, and a rule stays the same.
    let priority = if now.chance(50) { json!(priority) } else { json!(priority.to_string()) };
    let protocol = match rule.protocol.as_str() {
        "-1" => "ALL".to_owned(),
        word if now.chance(50) => word.to_ascii_uppercase(),
        word => word.to_owned(),
    };
    let ports = matches!(rule.protocol.as_str(), "tcp" | "udp" | "6" | "17");
    let range = if ports { format!("{}/{}", rule.from, rule.to) } else { "-1/-1".to_owned() };
    let mut permission = json!({"Direction": if rule.egress { "egress" } else { "ingress" }, "IpProtocol": protocol,
        "Policy": dice.pick(&["Accept", "accept", "Accept", "Drop", "drop"]), "Priority": priority, "PortRange": range,
        "NicType": dice.pick(&["intranet", "internet"]), "SourcePortRange": "", "SourceCidrIp": "", "DestCidrIp": "",
        "Ipv6SourceCidrIp": "", "SourceGroupId": "", "SourcePrefixListId": "", "Description": ""});
    if ports && dice.chance(10) {
        permission["PortRange"] = json!("");
        permission["PortRangeListId"] = json!(dice.pick(&["prl-1", "prl-2"]));
    }
    let (far_side, near_side) = if rule.egress { ("Dest", "Source") } else { ("Source", "Dest") };
    // A third of the estates has rules that ask for more.
    if seed % 3 == 1 && dice.chance(25) {
        permission["SourcePortRange"] = json!(dice.pick(&["1024/65535", "-1/-1", "1/65535", "20000/20000"]));
    }
    if seed % 3 == 1 && dice.chance(25) {
        permission[format!("{near_side}CidrIp")] =
            json!(dice.pick(&["10.0.0.0/24", "10.0.1.17", "0.0.0.0/0"]));
    }
    let key = match &rule.peer {
        PeerText::V4(_) => format!("{far_side}CidrIp"),
        PeerText::V6(_) => format!("Ipv6{far_side}CidrIp"),
        PeerText::Group(_) => format!("{far_side}GroupId"),
        PeerText::List(_) => format!("{far_side}PrefixListId"),
    };
    permission[key] = json!(far);
    permission
}

fn interface(it: &InterfaceText, vpc: &str) -> Value {
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = it.addresses.iter().partition(|address| address.is_ipv4());
    let v4: Vec<Value> =
        v4.iter().map(|address| json!({"PrivateIpAddress": address, "Primary": false})).collect();
    let v6: Vec<Value> = v6.iter().map(|address| json!({"Ipv6Address": address})).collect();
    let (p4, p6): (Vec<IpNet>, Vec<IpNet>) = it.prefixes.iter().partition(|net| net.addr().is_ipv4());
    let p4: Vec<Value> = p4.iter().map(|net| json!({"Ipv4Prefix": net})).collect();
    let p6: Vec<Value> = p6.iter().map(|net| json!({"Ipv6Prefix": net})).collect();
    json!({"NetworkInterfaceId": it.id, "Type": "Secondary", "VpcId": vpc, "VSwitchId": it.subnet,
        "ZoneId": "cn-hangzhou-h", "OwnerId": "1234567890123456", "ServiceManaged": false,
        "PrivateIpAddress": it.addresses[0], "PrivateIpSets": {"PrivateIpSet": v4}, "Ipv6Sets": {"Ipv6Set": v6},
        "Ipv4PrefixSets": {"Ipv4PrefixSet": p4}, "Ipv6PrefixSets": {"Ipv6PrefixSet": p6},
        "AssociatedPublicIp": {}, "SecurityGroupIds": {"SecurityGroupId": it.groups}})
}

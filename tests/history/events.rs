//! CloudTrail records made up: a call, what it asked and what it was answered.

use serde_json::{Value, json};

use crate::fixture::{ACCOUNT, gzip};

pub(crate) const REGION: &str = "eu-west-1";

/// A record of a call that succeeded. The id is made of all there is, so the same call has the same one.
pub(crate) fn call(at: i64, name: &str, request: Value, response: Value) -> Value {
    let id = format!("{at}-{name}-{request}-{response}");
    json!({
        "eventVersion": "1.10",
        "userIdentity": { "type": "AssumedRole", "accountId": ACCOUNT },
        "eventTime": flowaudit::time::format(at),
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": "192.0.2.200",
        "requestParameters": request,
        "responseElements": response,
        "eventID": id,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": ACCOUNT,
    })
}

/// As a trail's file holds records.
pub(crate) fn records(events: &[Value]) -> String {
    json!({ "Records": events }).to_string()
}

pub(crate) fn packed(events: &[Value]) -> Vec<u8> {
    gzip(records(events).as_bytes())
}

pub(crate) fn done() -> Value {
    json!({ "requestId": "r-1", "_return": true })
}

/// A list as the trail writes it; an empty one is an empty object.
pub(crate) fn items(elements: &[Value]) -> Value {
    if elements.is_empty() { json!({}) } else { json!({ "items": elements }) }
}

/// What a rule lets through, told in one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Traffic<'a> {
    pub(crate) egress: bool,
    pub(crate) protocol: &'a str,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) peer: &'a str,
}

pub(crate) fn ingress(port: i64, peer: &str) -> Traffic<'_> {
    Traffic { egress: false, protocol: "tcp", from: port, to: port, peer }
}

pub(crate) fn egress(port: i64, peer: &str) -> Traffic<'_> {
    Traffic { egress: true, ..ingress(port, peer) }
}

/// One element of `ipPermissions` with one peer.
pub(crate) fn permission(of: Traffic<'_>) -> Value {
    let mut lists = [("groups", None), ("ipRanges", None), ("ipv6Ranges", None), ("prefixListIds", None)];
    let (which, peer) = match of.peer {
        peer if peer.starts_with("sg-") => (0, json!({ "groupId": peer, "userId": ACCOUNT })),
        peer if peer.starts_with("pl-") => (3, json!({ "prefixListId": peer })),
        peer if peer.contains(':') => (2, json!({ "cidrIpv6": peer })),
        peer => (1, json!({ "cidrIp": peer })),
    };
    lists[which].1 = Some(peer);
    let mut permission = json!({ "ipProtocol": of.protocol });
    if of.protocol != "-1" {
        permission["fromPort"] = of.from.into();
        permission["toPort"] = of.to.into();
    }
    for (list, peer) in lists {
        permission[list] = items(&peer.into_iter().collect::<Vec<_>>());
    }
    permission
}

/// One element of `securityGroupRuleSet` and `revokedSecurityGroupRuleSet`.
pub(crate) fn answered(group: &str, id: &str, of: Traffic<'_>) -> Value {
    let mut rule = json!({
        "groupOwnerId": ACCOUNT, "groupId": group, "securityGroupRuleId": id, "isEgress": of.egress,
        "ipProtocol": of.protocol, "fromPort": of.from, "toPort": of.to,
    });
    let key = peer_key(of.peer);
    rule[key] = if key == "referencedGroupInfo" {
        json!({ "groupId": of.peer, "userId": ACCOUNT })
    } else {
        of.peer.into()
    };
    rule
}

fn peer_key(peer: &str) -> &'static str {
    match peer {
        peer if peer.starts_with("sg-") => "referencedGroupInfo",
        peer if peer.starts_with("pl-") => "prefixListId",
        peer if peer.contains(':') => "cidrIpv6",
        _ => "cidrIpv4",
    }
}

fn name(verb: &str, of: Traffic<'_>) -> String {
    format!("{verb}SecurityGroup{}", if of.egress { "Egress" } else { "Ingress" })
}

/// Authorized as the API is called today, with the answer of 2021, before which rules had no ids.
pub(crate) fn authorize_nested(at: i64, group: &str, of: Traffic<'_>) -> Value {
    let request = json!({ "groupId": group, "ipPermissions": items(&[permission(of)]) });
    call(at, &name("Authorize", of), request, done())
}

/// The same with the ids of the rules in the answer.
pub(crate) fn authorize(at: i64, group: &str, rules: &[(&str, Traffic<'_>)]) -> Value {
    let asked: Vec<Value> = rules.iter().map(|(_, of)| permission(*of)).collect();
    let answers: Vec<Value> = rules.iter().map(|(id, of)| answered(group, id, *of)).collect();
    let mut response = done();
    response["securityGroupRuleSet"] = items(&answers);
    let request = json!({ "groupId": group, "ipPermissions": items(&asked) });
    call(at, &name("Authorize", rules[0].1), request, response)
}

/// As the oldest tools call it.
pub(crate) fn flat(at: i64, verb: &str, group: &str, of: Traffic<'_>) -> Value {
    let request = json!({
        "groupId": group, "ipPermissions": {}, "ipProtocol": of.protocol, "fromPort": of.from, "toPort": of.to,
        "cidrIp": of.peer,
    });
    call(at, &name(verb, of), request, done())
}

pub(crate) fn revoke_nested(at: i64, group: &str, of: Traffic<'_>) -> Value {
    let request = json!({ "groupId": group, "ipPermissions": items(&[permission(of)]) });
    call(at, &name("Revoke", of), request, done())
}

/// Revoked by ids, with what was revoked in the answer.
pub(crate) fn revoke(at: i64, group: &str, rules: &[(&str, Traffic<'_>)]) -> Value {
    let ids: Vec<Value> = rules.iter().map(|(id, _)| json!({ "securityGroupRuleId": id })).collect();
    let answers: Vec<Value> = rules.iter().map(|(id, of)| answered(group, id, *of)).collect();
    let mut response = done();
    response["revokedSecurityGroupRuleSet"] = items(&answers);
    let request = json!({ "groupId": group, "securityGroupRuleIds": items(&ids) });
    call(at, &name("Revoke", rules[0].1), request, response)
}

/// Revoked by ids, and the answer only says that it was done.
pub(crate) fn revoke_ids(at: i64, group: &str, egress: bool, ids: &[&str]) -> Value {
    let ids: Vec<Value> = ids.iter().map(|id| json!({ "securityGroupRuleId": id })).collect();
    let request = json!({ "groupId": group, "securityGroupRuleIds": items(&ids) });
    call(at, &name("Revoke", Traffic { egress, ..ingress(0, "") }), request, done())
}

pub(crate) fn modify(at: i64, group: &str, id: &str, of: Traffic<'_>) -> Value {
    let key = match peer_key(of.peer) {
        "referencedGroupInfo" => "ReferencedGroupId",
        "prefixListId" => "PrefixListId",
        "cidrIpv6" => "CidrIpv6",
        _ => "CidrIpv4",
    };
    let rule = json!({ "IpProtocol": of.protocol, "FromPort": of.from, "ToPort": of.to, key: of.peer });
    let update = json!({ "SecurityGroupRuleId": id, "tag": 1, "SecurityGroupRule": rule });
    let request =
        json!({ "ModifySecurityGroupRulesRequest": { "GroupId": group, "SecurityGroupRule": update } });
    let response = json!({ "ModifySecurityGroupRulesResponse": { "return": true, "requestId": "r-1" } });
    call(at, "ModifySecurityGroupRules", request, response)
}

pub(crate) fn create_group(at: i64, group: &str) -> Value {
    let request = json!({ "groupName": group, "groupDescription": "", "vpcId": "vpc-1" });
    call(at, "CreateSecurityGroup", request, json!({ "_return": true, "groupId": group }))
}

pub(crate) fn delete_group(at: i64, group: &str) -> Value {
    call(at, "DeleteSecurityGroup", json!({ "groupId": group }), done())
}

fn interface(id: &str, addresses: &[&str], groups: &[&str]) -> Value {
    let addresses: Vec<Value> = addresses
        .iter()
        .map(|address| json!({ "privateIpAddress": address, "primary": *address == addresses[0] }))
        .collect();
    json!({
        "networkInterfaceId": id, "subnetId": "subnet-1", "vpcId": "vpc-1", "availabilityZone": "eu-west-1a",
        "ownerId": ACCOUNT, "interfaceType": "interface", "privateIpAddress": addresses[0]["privateIpAddress"],
        "groupSet": group_set(groups), "privateIpAddressesSet": { "item": addresses },
    })
}

fn group_set(groups: &[&str]) -> Value {
    items(&groups.iter().map(|group| json!({ "groupId": group })).collect::<Vec<_>>())
}

pub(crate) fn create_interface(at: i64, id: &str, addresses: &[&str], groups: &[&str]) -> Value {
    let request = json!({ "subnetId": "subnet-1", "groupSet": group_set(groups) });
    let response = json!({ "requestId": "r-1", "networkInterface": interface(id, addresses, groups) });
    call(at, "CreateNetworkInterface", request, response)
}

pub(crate) fn run_instance(at: i64, instance: &str, id: &str, addresses: &[&str], groups: &[&str]) -> Value {
    let told =
        json!({ "instanceId": instance, "networkInterfaceSet": items(&[interface(id, addresses, groups)]) });
    let response = json!({ "ownerId": ACCOUNT, "instancesSet": items(&[told]) });
    call(at, "RunInstances", json!({ "minCount": 1, "maxCount": 1, "groupSet": group_set(groups) }), response)
}

pub(crate) fn delete_interface(at: i64, id: &str) -> Value {
    call(at, "DeleteNetworkInterface", json!({ "networkInterfaceId": id }), done())
}

pub(crate) fn interface_groups(at: i64, id: &str, groups: &[&str]) -> Value {
    let request = json!({ "networkInterfaceId": id, "groupSet": group_set(groups) });
    call(at, "ModifyNetworkInterfaceAttribute", request, done())
}

pub(crate) fn instance_groups(at: i64, instance: &str, groups: &[&str]) -> Value {
    let request = json!({ "instanceId": instance, "groupSet": group_set(groups) });
    call(at, "ModifyInstanceAttribute", request, done())
}

pub(crate) fn addresses(at: i64, verb: &str, id: &str, addresses: &[&str]) -> Value {
    let list: Vec<Value> = addresses.iter().map(|it| json!({ "privateIpAddress": it })).collect();
    let request = json!({ "networkInterfaceId": id, "privateIpAddressesSet": items(&list) });
    call(at, &format!("{verb}PrivateIpAddresses"), request, done())
}

fn entries(nets: &[&str]) -> Value {
    let entries: Vec<Value> = (1..).zip(nets).map(|(tag, net)| json!({ "Cidr": net, "tag": tag })).collect();
    // A list of one is its element.
    match <[Value; 1]>::try_from(entries) {
        Ok([entry]) => entry,
        Err(entries) => entries.into(),
    }
}

pub(crate) fn create_list(at: i64, id: &str, nets: &[&str]) -> Value {
    let request =
        json!({ "CreateManagedPrefixListRequest": { "PrefixListName": id, "Entry": entries(nets) } });
    let answer = json!({ "prefixList": { "prefixListId": id, "state": "create-in-progress" } });
    call(at, "CreateManagedPrefixList", request, json!({ "CreateManagedPrefixListResponse": answer }))
}

pub(crate) fn modify_list(at: i64, id: &str, added: &[&str], removed: &[&str]) -> Value {
    let mut request = json!({ "PrefixListId": id, "CurrentVersion": 1 });
    for (key, nets) in [("AddEntry", added), ("RemoveEntry", removed)] {
        if !nets.is_empty() {
            request[key] = entries(nets);
        }
    }
    call(at, "ModifyManagedPrefixList", json!({ "ModifyManagedPrefixListRequest": request }), done())
}

pub(crate) fn delete_list(at: i64, id: &str) -> Value {
    let request = json!({ "DeleteManagedPrefixListRequest": { "PrefixListId": id } });
    call(at, "DeleteManagedPrefixList", request, done())
}

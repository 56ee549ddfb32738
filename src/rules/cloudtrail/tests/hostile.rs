//! Any JSON at any place: every entry is counted once, and nothing panics.

use serde_json::{Value, json};

use super::super::read;
use super::record;

/// One call of every kind, with every list that is read.
fn calls() -> Vec<Value> {
    let peers = json!({"items": [{"ipProtocol": "tcp", "fromPort": 1, "toPort": 2, "ipRanges": {"items": [{"cidrIp": "192.0.2.0/24", "description": "x"}]},
        "ipv6Ranges": {"items": [{"cidrIpv6": "::/0"}]}, "prefixListIds": {"items": [{"prefixListId": "pl-1"}]}, "groups": {"items": [{"groupId": "sg-2"}]}}]});
    let nested =
        json!({"groupId": "sg-1", "ipPermissions": peers, "securityGroupRuleIds": {"items": ["sgr-1"]}});
    let flat = json!({"groupId": "sg-1", "ipProtocol": "tcp", "fromPort": "1", "toPort": "2", "cidrIp": "192.0.2.0/24"});
    let rules = json!({"items": [{"securityGroupRuleId": "sgr-1", "groupId": "sg-1", "isEgress": true, "ipProtocol": "tcp", "fromPort": 1,
        "toPort": 1, "referencedGroupInfo": {"groupId": "sg-2"}, "tagSet": {"items": [{"key": "a", "value": "b"}]}}]});
    let interface = json!({"networkInterfaceId": "eni-1", "privateIpAddress": "192.0.2.1", "privateIpAddressesSet": {"item": [{"privateIpAddress": "192.0.2.1",
        "association": {"publicIp": "203.0.113.1"}}]}, "ipv6AddressesSet": {"items": [{"ipv6Address": "2001:db8::1"}]},
        "ipv4PrefixSet": {"items": [{"ipv4Prefix": "192.0.2.16/28"}]}, "groupSet": {"items": [{"groupId": "sg-1"}]}});
    let groups = json!({"networkInterfaceId": "eni-1", "instanceId": "i-1", "groupSet": {"items": [{"groupId": "sg-1"}]}});
    let addresses = json!({"networkInterfaceId": "eni-1", "privateIpAddressesSet": {"items": [{"privateIpAddress": "192.0.2.1"}]}});
    let nothing = json!({"_return": true});
    vec![
        record("AuthorizeSecurityGroupIngress", &nested, &nothing),
        record("AuthorizeSecurityGroupEgress", &flat, &json!({"securityGroupRuleSet": rules})),
        record("RevokeSecurityGroupIngress", &nested, &json!({"unknownIpPermissionSet": peers})),
        record("RevokeSecurityGroupEgress", &flat, &json!({"revokedSecurityGroupRuleSet": rules})),
        record(
            "ModifySecurityGroupRules",
            &json!({"ModifySecurityGroupRulesRequest": {"GroupId": "sg-1", "SecurityGroupRule": {"SecurityGroupRuleId": "sgr-1",
            "tag": 1, "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "CidrIpv4": "192.0.2.0/24"}}}}),
            &nothing,
        ),
        record(
            "CreateSecurityGroup",
            &json!({"groupName": "a", "tagSpecificationSet": {"items": [{"tags": [{"key": "a"}]}]}}),
            &json!({"groupId": "sg-1"}),
        ),
        record("DeleteSecurityGroup", &json!({"groupId": "sg-1"}), &nothing),
        record("CreateNetworkInterface", &nothing, &json!({"networkInterface": interface})),
        record("DeleteNetworkInterface", &groups, &nothing),
        record(
            "RunInstances",
            &json!({"networkInterfaceSet": {"items": [{"networkInterfaceId": "eni-1"}]}}),
            &json!({"instancesSet": {"items": [{"instanceId": "i-1", "networkInterfaceSet": {"items": [interface]}}]}}),
        ),
        record("ModifyNetworkInterfaceAttribute", &groups, &nothing),
        record("ModifyInstanceAttribute", &groups, &nothing),
        record("AssignPrivateIpAddresses", &addresses, &nothing),
        record("UnassignIpv6Addresses", &addresses, &nothing),
        record(
            "CreateManagedPrefixList",
            &json!({"Entry": [{"Cidr": "192.0.2.0/24"}]}),
            &json!({"prefixList": {"prefixListId": "pl-1"}}),
        ),
        record(
            "ModifyManagedPrefixList",
            &json!({"ModifyManagedPrefixListRequest": {"PrefixListId": "pl-1", "AddEntry": {"Cidr": "192.0.2.0/24"}}}),
            &nothing,
        ),
        record("DeleteManagedPrefixList", &json!({"PrefixListId": "pl-1"}), &nothing),
        record("CreateNetworkAclEntry", &json!({"networkAclId": "acl-1"}), &nothing),
    ]
}

/// The paths of everything in a value.
fn paths(value: &Value, at: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| paths(inner, &format!("{at}/{key}"), into)),
        Value::Array(elements) => {
            elements
                .iter()
                .enumerate()
                .for_each(|(index, inner)| paths(inner, &format!("{at}/{index}"), into));
        }
        _ => {}
    }
    if !at.is_empty() {
        into.push(at.to_owned());
    }
}

#[test]
fn every_entry_counts_once_whatever_stands_in_it() {
    let values = [
        json!(null),
        json!(true),
        json!(-7),
        json!(1e300),
        json!(""),
        json!("é"),
        json!([]),
        json!({}),
        json!([[], {}, null, 1]),
        json!({"items": {"item": [{"items": {}}]}}),
        json!({"content": 5}),
    ];
    let mut odd = 0;
    for call in calls() {
        assert_eq!(read(&call).map(|told| (told.changes.is_empty(), told.odd)), Some((false, 0)), "{call}");
        let mut places = Vec::new();
        paths(&call, "", &mut places);
        for (place, value) in places.iter().flat_map(|place| values.iter().map(move |value| (place, value))) {
            let mut broken = call.clone();
            *broken.pointer_mut(place).unwrap() = value.clone();
            let Some(told) = read(&broken) else {
                assert!(
                    ["/eventSource", "/eventName", "/eventTime"].contains(&place.as_str()),
                    "{place}: {value}"
                );
                continue;
            };
            assert_eq!(
                told.others + told.odd,
                u64::from(told.changes.is_empty()),
                "{place}: {value}: {call}"
            );
            odd += told.odd;
        }
    }
    assert!(odd > 500, "{odd}");
}

//! Groups, interfaces, prefix lists and ACLs.

use serde_json::{Value, json};

use super::{line, told};
use crate::rules::change::{Resource, What};
use crate::rules::state::Interface;

#[test]
fn a_new_group_lets_everything_out() {
    let request = json!({"groupName": "web", "groupDescription": "front", "vpcId": "vpc-1", "tagSpecificationSet":
        {"items": [{"resourceType": "security-group", "tags": [{"key": "team", "value": "a"}]}]}});
    let response =
        json!({"_return": true, "groupId": "sg-1", "tagSet": {"items": [{"key": "team", "value": "b"}]}});
    assert_eq!(
        line("CreateSecurityGroup", &request, &response),
        "new sg-1 web sg-1:egress:-1:-1--1:0.0.0.0/0"
    );
    for (response, tag) in [(response, "b"), (json!({"groupId": "sg-1"}), "a")] {
        let told = told("CreateSecurityGroup", &request, &response);
        let What::Is(_, resource) = &told.changes[0].what else { panic!("{told:?}") };
        let Resource::Group(group, rules) = &**resource else { panic!("{told:?}") };
        assert_eq!((group.description.as_str(), group.vpc_id.as_str()), ("front", "vpc-1"));
        assert_eq!((group.owner_id.as_str(), group.region.as_str()), ("111111111111", "eu-west-1"));
        assert_eq!(group.tags, [("team".to_owned(), tag.to_owned())]);
        assert_eq!(rules[0].vpc_id, "vpc-1");
    }
    assert_eq!(line("CreateSecurityGroup", &request, &json!(null)), "odd: expected groupId, found nothing");
}

#[test]
fn deletions() {
    let wrapped = json!({"DeleteManagedPrefixListRequest": {"PrefixListId": "pl-1"}});
    let cases = [
        ("DeleteSecurityGroup", json!({"groupId": "sg-1"}), json!(null), "Gone(Group, \"sg-1\")"),
        (
            "DeleteSecurityGroup",
            json!({"groupName": "web"}),
            json!({"groupId": "sg-1"}),
            "Gone(Group, \"sg-1\")",
        ),
        (
            "DeleteSecurityGroup",
            json!({"groupName": "web"}),
            json!(null),
            "odd: expected groupId, found only groupName \"web\"",
        ),
        (
            "DeleteNetworkInterface",
            json!({"networkInterfaceId": "eni-1"}),
            json!(null),
            "Gone(Interface, \"eni-1\")",
        ),
        ("DeleteNetworkInterface", json!({}), json!(null), "odd: expected networkInterfaceId, found nothing"),
        ("DeleteManagedPrefixList", wrapped, json!(null), "Gone(PrefixList, \"pl-1\")"),
        (
            "DeleteManagedPrefixList",
            json!({"prefixListId": "pl-1"}),
            json!(null),
            "Gone(PrefixList, \"pl-1\")",
        ),
    ];
    for (name, request, response, expected) in cases {
        assert_eq!(line(name, &request, &response), expected, "{request}");
    }
}

fn interface(id: &str) -> Value {
    json!({"networkInterfaceId": id, "subnetId": "subnet-1", "vpcId": "vpc-1", "availabilityZone": "eu-west-1a", "description": "db",
        "ownerId": "333333333333", "requesterId": "amazon-rds", "interfaceType": "interface", "privateIpAddress": "192.0.2.10",
        "privateIpAddressesSet": {"item": [{"privateIpAddress": "192.0.2.10", "primary": true, "association": {"publicIp": "203.0.113.5"}},
            {"privateIpAddress": "192.0.2.11"}]},
        "ipv6AddressesSet": {"items": [{"ipv6Address": "2001:db8::a"}]}, "ipv4PrefixSet": {"items": [{"ipv4Prefix": "192.0.2.16/28"}]},
        "ipv6PrefixSet": {}, "association": {"publicIp": "203.0.113.5"},
        "groupSet": {"items": [{"groupId": "sg-2", "groupName": "b"}, {"groupId": "sg-1", "groupName": "a"}]}})
}

#[test]
fn a_new_interface_is_told_in_full() {
    let told = told("CreateNetworkInterface", &json!({}), &json!({"networkInterface": interface("eni-1")}));
    let What::Is(_, resource) = &told.changes[0].what else { panic!("{told:?}") };
    let expected = Interface {
        id: "eni-1".to_owned(),
        addresses: ["192.0.2.10", "192.0.2.11", "2001:db8::a"].map(|text| text.parse().unwrap()).to_vec(),
        prefixes: vec!["192.0.2.16/28".parse().unwrap()],
        public_addresses: vec!["203.0.113.5".parse().unwrap()],
        group_ids: vec!["sg-2".to_owned(), "sg-1".to_owned()],
        subnet_id: "subnet-1".to_owned(),
        vpc_id: "vpc-1".to_owned(),
        owner_id: "333333333333".to_owned(),
        region: "eu-west-1".to_owned(),
        interface_type: "interface".to_owned(),
        description: "db".to_owned(),
        requester_id: "amazon-rds".to_owned(),
        requester_managed: None,
        instance_id: String::new(),
        cloud: crate::rules::state::Cloud::Aws,
    };
    assert_eq!(**resource, Resource::Interface(expected));
    let least = json!({"networkInterface": {"networkInterfaceId": "eni-1", "ipv6Address": "2001:db8::b", "groupSet": {}}});
    assert_eq!(line("CreateNetworkInterface", &json!({}), &least), "new eni-1 2001:db8::b in  of ");
}

#[test]
fn instances_bring_interfaces_or_take_them() {
    let instance =
        |id: &str, eni: &str| json!({"instanceId": id, "networkInterfaceSet": {"items": [interface(eni)]}});
    let response = json!({"ownerId": "111111111111", "instancesSet": {"items": [instance("i-1", "eni-1"), instance("i-2", "eni-2")]}});
    let request =
        json!({"networkInterfaceSet": {"items": [{"networkInterfaceId": "eni-2", "deviceIndex": 0}]}});
    assert_eq!(
        line("RunInstances", &request, &response),
        "new eni-1 192.0.2.10 192.0.2.11 2001:db8::a in sg-2 sg-1 of i-1; \
         now eni-2 192.0.2.10 192.0.2.11 2001:db8::a in sg-2 sg-1 of i-2"
    );
    let without = json!({"instancesSet": {"items": [{"instanceId": "i-1", "networkInterfaceSet": {}}]}});
    assert_eq!(line("RunInstances", &json!({}), &without), "other");
}

#[test]
fn groups_of_interfaces_and_instances() {
    let set = json!({"items": [{"groupId": "sg-2"}, {"groupId": "sg-1"}]});
    let cases = [
        (
            "ModifyNetworkInterfaceAttribute",
            json!({"networkInterfaceId": "eni-1", "groupSet": set}),
            "eni-1 in sg-2 sg-1",
        ),
        (
            "ModifyNetworkInterfaceAttribute",
            json!({"networkInterfaceId": "eni-1", "groupSet": {}, "description": {"value": "x"}}),
            "other",
        ),
        (
            "ModifyNetworkInterfaceAttribute",
            json!({"networkInterfaceId": "eni-1", "sourceDestCheck": {"value": false}}),
            "other",
        ),
        (
            "ModifyNetworkInterfaceAttribute",
            json!({"groupSet": set}),
            "odd: expected networkInterfaceId, found nothing",
        ),
        ("ModifyInstanceAttribute", json!({"instanceId": "i-1", "groupSet": set}), "i-1 in sg-2 sg-1"),
        ("ModifyInstanceAttribute", json!({"instanceId": "i-1", "groupId": "sg-1"}), "i-1 in sg-1"),
        (
            "ModifyInstanceAttribute",
            json!({"instanceId": "i-1", "instanceType": {"value": "t3.nano"}}),
            "other",
        ),
        (
            "ModifyInstanceAttribute",
            json!({"instanceId": "i-1", "groupSet": {"items": [{"groupName": "a"}]}}),
            "odd: expected groupId, found nothing",
        ),
    ];
    for (name, request, expected) in cases {
        assert_eq!(line(name, &request, &json!({"_return": true})), expected, "{request}");
    }
}

#[test]
fn addresses_come_and_go() {
    let eni = |mut members: Value| {
        members["networkInterfaceId"] = json!("eni-1");
        members
    };
    let asked = eni(json!({"privateIpAddressesSet": {"items": [{"privateIpAddress": "192.0.2.7"}]}}));
    let counted =
        eni(json!({"privateIpAddressesSet": {}, "secondaryPrivateIpAddressCount": 1, "ipv4Prefixes": {}}));
    let given = json!({"assignedPrivateIpAddressesSet": {"assignedPrivateIpAddressSetType": [{"privateIpAddress": "192.0.2.8"}]}});
    let prefixed = json!({"assignedIpv4PrefixSet": {"items": [{"ipv4Prefix": "192.0.2.32/28"}]}});
    let six = json!({"AssignIpv6AddressesRequest": {"NetworkInterfaceId": "eni-1", "Ipv6AddressCount": 1}});
    let given_six = json!({"AssignIpv6AddressesResponse": {"assignedIpv6Addresses": {"item": "2001:db8::7"}, "assignedIpv6PrefixSet": ""}});
    let off_six = json!({"UnassignIpv6AddressesRequest": {"NetworkInterfaceId": "eni-1", "Ipv6Addresses": {"tag": 1, "content": "2001:db8::7"},
        "Ipv6Prefix": [{"tag": 1, "content": "2001:db8:0:1::/80"}]}});
    let done = json!({"_return": true});
    let cases = [
        ("AssignPrivateIpAddresses", &asked, &done, "eni-1 +[192.0.2.7/32] -[]"),
        ("AssignPrivateIpAddresses", &asked, &given, "eni-1 +[192.0.2.7/32, 192.0.2.8/32] -[]"),
        ("AssignPrivateIpAddresses", &counted, &given, "eni-1 +[192.0.2.8/32] -[]"),
        ("AssignPrivateIpAddresses", &counted, &prefixed, "eni-1 +[192.0.2.32/28] -[]"),
        ("AssignPrivateIpAddresses", &counted, &done, "odd: expected addresses, found nothing"),
        ("UnassignPrivateIpAddresses", &asked, &done, "eni-1 +[] -[192.0.2.7/32]"),
        ("AssignIpv6Addresses", &six, &given_six, "eni-1 +[2001:db8::7/128] -[]"),
        ("UnassignIpv6Addresses", &off_six, &done, "eni-1 +[] -[2001:db8::7/128, 2001:db8:0:1::/80]"),
    ];
    for (name, request, response, expected) in cases {
        assert_eq!(line(name, request, response), expected, "{request}");
    }
}

#[test]
fn prefix_lists() {
    let entry = |cidr: &str| json!({"Cidr": cidr, "Description": "x", "tag": 1});
    let create = json!({"CreateManagedPrefixListRequest": {"PrefixListName": "x", "Entry": [entry("198.51.100.0/24"), entry("192.0.2.9/24")]}});
    let created = json!({"CreateManagedPrefixListResponse": {"prefixList": {"prefixListId": "pl-1", "state": "create-in-progress"}}});
    let modify = |members: Value| json!({"ModifyManagedPrefixListRequest": members});
    let cases = [
        ("CreateManagedPrefixList", create.clone(), created, "new pl-1 [192.0.2.0/24, 198.51.100.0/24]"),
        (
            "CreateManagedPrefixList",
            json!({"entries": {"items": []}}),
            json!({"prefixList": {"prefixListId": "pl-1"}}),
            "new pl-1 []",
        ),
        ("CreateManagedPrefixList", create, json!(null), "odd: expected prefixListId, found nothing"),
        (
            "ModifyManagedPrefixList",
            modify(json!({"PrefixListId": "pl-1", "AddEntry": entry("192.0.2.0/24")})),
            json!(null),
            "pl-1 +[192.0.2.0/24] -[]",
        ),
        (
            "ModifyManagedPrefixList",
            modify(
                json!({"PrefixListId": "pl-1", "RemoveEntry": [entry("192.0.2.0/24"), {"cidr": "2001:db8::/32"}], "CurrentVersion": 3}),
            ),
            json!(null),
            "pl-1 +[] -[192.0.2.0/24, 2001:db8::/32]",
        ),
        (
            "ModifyManagedPrefixList",
            json!({"prefixListId": "pl-1", "addEntries": {"items": [{"cidr": "192.0.2.0/24"}]}, "removeEntries": {"items": [{"cidr": "198.51.100.0/24"}]}}),
            json!(null),
            "pl-1 +[192.0.2.0/24] -[198.51.100.0/24]",
        ),
        (
            "ModifyManagedPrefixList",
            modify(json!({"PrefixListId": "pl-1", "PrefixListName": "y"})),
            json!(null),
            "other",
        ),
        (
            "ModifyManagedPrefixList",
            modify(json!({"PrefixListId": "pl-1", "AddEntry": entry("anywhere")})),
            json!(null),
            "odd: pl-1: Cidr: expected an address range, found \"anywhere\"",
        ),
        (
            "RestoreManagedPrefixListVersion",
            json!({"PrefixListId": "pl-1"}),
            json!(null),
            "odd: expected entries, found only the number of a version",
        ),
    ];
    for (name, request, response, expected) in cases {
        assert_eq!(line(name, &request, &response), expected, "{request}");
    }
}

#[test]
fn acls_are_only_known_to_have_changed() {
    let entry = json!({"networkAclId": "acl-1", "ruleNumber": 100, "egress": false, "ruleAction": "deny", "aclProtocol": "-1", "cidrBlock": "0.0.0.0/0"});
    for name in ["CreateNetworkAclEntry", "ReplaceNetworkAclEntry", "DeleteNetworkAclEntry"] {
        assert_eq!(line(name, &entry, &json!({"_return": true})), "AclChanged(\"acl-1\")");
    }
    let association = json!({"associationId": "aclassoc-1", "networkAclId": "acl-1"});
    assert_eq!(
        line("ReplaceNetworkAclAssociation", &association, &json!({"newAssociationId": "aclassoc-2"})),
        "odd: expected a subnet, found only the id of an association"
    );
}

//! Configurations of each kind.

use serde_json::{Value, json};

use super::{NOON, NOON_SECONDS, group, group_configuration, item, only_change, with};
use crate::rules::RuleProtocol;
use crate::rules::aws::RuleDocument;
use crate::rules::change::{Life, Resource, What};
use crate::rules::state::AclAction;

fn only_resource(document: &Value) -> Resource {
    match only_change(document).what {
        What::Is(_, resource) => *resource,
        other => panic!("expected a resource, found {other:?}"),
    }
}

fn rules(document: &Value) -> Vec<RuleDocument> {
    match only_resource(document) {
        Resource::Group(_, rules) => rules,
        other => panic!("expected a group, found {other:?}"),
    }
}

fn keys(document: &Value) -> Vec<String> {
    rules(document).iter().map(|document| document.rule.key()).collect()
}

#[test]
fn an_item_tells_what_a_group_is() {
    let change = only_change(&group());
    assert_eq!((change.at, change.id.as_str()), (NOON_SECONDS, "sg-1:7"));
    assert_eq!((change.owner_id.as_str(), change.region.as_str()), ("111122223333", "eu-west-1"));
    let What::Is(Life::GoesOn, resource) = change.what else { panic!("{:?}", change.what) };
    let Resource::Group(group, rules) = *resource else { panic!("{resource:?}") };
    assert_eq!((group.id.as_str(), group.name.as_str(), group.vpc_id.as_str()), ("sg-1", "web", "vpc-1"));
    assert_eq!((group.owner_id.as_str(), group.region.as_str()), ("111122223333", "eu-west-1"));
    assert_eq!(group.tags, [("app".to_owned(), "blue".to_owned())]);
    let keys: Vec<_> = rules.iter().map(|document| document.rule.key()).collect();
    assert_eq!(
        keys,
        [
            "sg-1:ingress:tcp:443-443:192.0.2.0/24",
            "sg-1:ingress:tcp:443-443:2001:db8::/32",
            "sg-1:ingress:tcp:443-443:sg-2",
            "sg-1:ingress:tcp:443-443:pl-1",
            "sg-1:egress:-1:-1--1:0.0.0.0/0",
        ]
    );
    assert_eq!(rules[0].description.as_deref(), Some("office"));
    for rule in rules {
        assert_eq!((rule.vpc_id.as_str(), rule.region.as_str()), ("vpc-1", "eu-west-1"));
        assert_eq!(rule.owner_id, "111122223333");
    }
}

#[test]
fn a_range_told_twice_is_one_rule() {
    let cases = [
        (json!({"ipRanges": ["192.0.2.0/24"]}), vec!["192.0.2.0/24"]),
        (json!({"ipRanges": [{"cidrIp": "192.0.2.0/24"}]}), vec!["192.0.2.0/24"]),
        (json!({"ipv4Ranges": [{"cidrIp": "192.0.2.0/24"}]}), vec!["192.0.2.0/24"]),
        (
            json!({"ipRanges": ["192.0.2.7/24", "198.51.100.1"], "ipv4Ranges": [{"cidrIp": "192.0.2.0/24"}]}),
            vec!["192.0.2.0/24", "198.51.100.1/32"],
        ),
        (json!({"ipRanges": null, "ipv4Ranges": [{"cidrIp": "192.0.2.0/24"}]}), vec!["192.0.2.0/24"]),
        (json!({"ipRanges": ["192.0.2.0/24"], "ipv4Ranges": null}), vec!["192.0.2.0/24"]),
        (json!({"ipRanges": ["192.0.2.0/24"], "ipv4Ranges": []}), vec!["192.0.2.0/24"]),
        (json!({"ipv6Ranges": ["2001:db8::/32"], "prefixListIds": ["pl-1"]}), vec!["2001:db8::/32", "pl-1"]),
        (json!({"IpRanges": [{"CidrIp": "192.0.2.0/24"}]}), vec!["192.0.2.0/24"]),
        (json!({"ipRanges": ["anywhere"]}), vec!["anywhere"]),
        (json!({}), vec![]),
    ];
    for (ranges, peers) in cases {
        let permission = with(ranges.clone(), &json!({"ipProtocol": "udp", "fromPort": 53, "toPort": 53}));
        let configuration =
            json!({"groupId": "sg-1", "ipPermissions": [permission], "ipPermissionsEgress": null});
        let item = with(group(), &json!({"configuration": configuration.to_string()}));
        let expected: Vec<_> = peers.iter().map(|peer| format!("sg-1:ingress:udp:53-53:{peer}")).collect();
        assert_eq!(keys(&item), expected, "{ranges}");
    }
}

#[test]
fn the_description_survives_whichever_list_has_it() {
    for ranges in [
        json!([{"cidrIp": "192.0.2.0/24"}, {"cidrIp": "192.0.2.0/24", "description": "office"}]),
        json!([{"cidrIp": "192.0.2.0/24", "description": "office"}, "192.0.2.0/24"]),
    ] {
        let permission = json!({"ipProtocol": "-1", "ipRanges": ["192.0.2.0/24"], "ipv4Ranges": ranges});
        let configuration = json!({"ipPermissions": [permission], "ipPermissionsEgress": []});
        let rules = rules(&with(group(), &json!({ "configuration": configuration })));
        assert_eq!(rules.len(), 1);
        assert_eq!(rules[0].description.as_deref(), Some("office"), "{ranges}");
        assert_eq!(rules[0].rule.protocol, RuleProtocol::All);
    }
}

#[test]
fn what_the_configuration_lacks_the_item_tells() {
    let bare =
        json!({"ipPermissions": [{"ipProtocol": "-1", "ipRanges": ["::/0"]}], "ipPermissionsEgress": []});
    let by_arn = with(group(), &json!({"configuration": bare, "accountId": null, "awsRegion": null}));
    let Resource::Group(group, rules) = only_resource(&by_arn) else { panic!("no group") };
    assert_eq!((group.id.as_str(), group.owner_id.as_str()), ("sg-1", "111122223333"));
    assert_eq!(group.region, "eu-west-1");
    assert_eq!((rules[0].owner_id.as_str(), rules[0].region.as_str()), ("111122223333", "eu-west-1"));
}

#[test]
fn what_the_item_lacks_the_configuration_tells() {
    let row = json!({"configuration": group_configuration(), "configurationItemCaptureTime": NOON});
    let change = only_change(&json!({"Results": [row.to_string()], "QueryInfo": {}}));
    assert_eq!(
        (change.owner_id.as_str(), change.region.as_str(), change.id.as_str()),
        ("111122223333", "", "")
    );
    assert!(matches!(change.what, What::Is(Life::GoesOn, resource)
        if matches!(&*resource, Resource::Group(group, rules) if group.id == "sg-1" && rules.len() == 5)));
}

#[test]
fn tags_are_read_as_map_and_as_list() {
    let cases = [
        (json!([{"key": "b", "value": "2"}, {"key": "a", "value": "1"}]), json!({}), "a=1,b=2"),
        (json!([{"Key": "a", "Value": "1"}]), json!({}), "a=1"),
        (json!({"lower": "1"}), json!({}), "lower=1"),
        (json!([]), json!({"lower": "1"}), "lower=1"),
        (Value::Null, json!([{"tag": "a=1", "key": "a", "value": "1"}]), "a=1"),
        (json!([{"key": "own", "value": null}]), json!({"other": "1"}), "own="),
        (json!("a=1"), json!(5), ""),
        (json!([null, 5, {"value": "1"}, {"key": 1}]), Value::Null, ""),
    ];
    for (own, of_item, expected) in cases {
        let configuration = with(group_configuration(), &json!({ "tags": own }));
        let item = with(group(), &json!({"configuration": configuration, "tags": of_item}));
        let Resource::Group(group, _) = only_resource(&item) else { panic!("no group") };
        let tags: Vec<_> = group.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(tags.join(","), expected, "{own} {of_item}");
    }
}

#[test]
fn an_interface_is_read() {
    let configuration = json!({
        "networkInterfaceId": "eni-1", "interfaceType": "natGateway", "subnetId": "subnet-1", "vpcId": "vpc-1",
        "description": "d", "requesterId": "r", "groups": [{"groupId": "sg-2"}, {"groupId": "sg-1"}],
        "privateIpAddress": "10.0.0.4",
        "privateIpAddresses": [
            {"privateIpAddress": "10.0.0.4", "primary": true, "association": {"publicIp": "203.0.113.9"}},
            {"privateIpAddress": "10.0.0.5", "primary": false, "association": null},
        ],
        "ipv6Addresses": [{"ipv6Address": "2001:db8::4"}], "ipv4Prefixes": [{"ipv4Prefix": "10.0.0.16/28"}],
        "attachment": {"instanceId": "i-1"}, "tagSet": [{"key": "a", "value": "b"}],
    });
    let item = item("AWS::EC2::NetworkInterface", "eni-1", &configuration);
    let Resource::Interface(interface) = only_resource(&item) else { panic!("no interface") };
    let texts: Vec<_> = interface.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["10.0.0.4", "10.0.0.5", "2001:db8::4"]);
    assert_eq!(interface.group_ids, ["sg-2", "sg-1"]);
    assert_eq!(interface.public_addresses, ["203.0.113.9".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(interface.prefixes, ["10.0.0.16/28".parse().unwrap()]);
    assert_eq!((interface.subnet_id.as_str(), interface.instance_id.as_str()), ("subnet-1", "i-1"));
    assert_eq!((interface.owner_id.as_str(), interface.region.as_str()), ("111122223333", "eu-west-1"));
    assert_eq!(interface.interface_type, "nat_gateway");
}

#[test]
fn an_acl_is_read() {
    let configuration = json!({
        "networkAclId": "acl-1", "vpcId": "vpc-1", "isDefault": false,
        "associations": [{"networkAclAssociationId": "aclassoc-1", "networkAclId": "acl-1", "subnetId": "subnet-1"}],
        "entries": [
            {"egress": false, "ruleNumber": 32767, "protocol": "-1", "ruleAction": "deny", "cidrBlock": "0.0.0.0/0",
                "icmpTypeCode": null, "portRange": null},
            {"egress": false, "ruleNumber": 100, "protocol": "6", "ruleAction": "allow", "cidrBlock": null,
                "ipv6CidrBlock": "2001:db8::/32", "portRange": {"from": 80, "to": 81}},
            {"egress": true, "ruleNumber": 110, "protocol": "1", "ruleAction": "allow", "cidrBlock": "192.0.2.0/24",
                "icmpTypeCode": {"code": 0, "type": 8}},
        ],
    });
    let Resource::Acl(acl) = only_resource(&item("AWS::EC2::NetworkAcl", "acl-1", &configuration)) else {
        panic!("no ACL")
    };
    assert_eq!((acl.id.as_str(), acl.owner_id.as_str()), ("acl-1", "111122223333"));
    assert_eq!(acl.subnet_ids, ["subnet-1"]);
    let numbers: Vec<_> = acl.entries.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, [100, 110, 32767]);
    assert_eq!(acl.entries[0].ports, Some((80, 81)));
    assert!(acl.entries[1].is_one_icmp_type());
    assert_eq!(acl.entries[2].action, AclAction::Deny);
}

#[test]
fn a_subnet_is_read() {
    let configuration = json!({
        "subnetId": "subnet-1", "vpcId": "vpc-1", "cidrBlock": "10.0.0.0/24", "state": {"value": "available"},
        "ipv6CidrBlockAssociationSet": [{"ipv6CidrBlock": "2001:db8:1::/64", "ipv6CidrBlockState": {"state": "associated"}}],
    });
    let Resource::Subnet(subnet) = only_resource(&item("AWS::EC2::Subnet", "subnet-1", &configuration))
    else {
        panic!("no subnet")
    };
    assert_eq!((subnet.vpc_id.as_str(), subnet.owner_id.as_str()), ("vpc-1", "111122223333"));
    assert_eq!(subnet.ranges, ["10.0.0.0/24".parse().unwrap(), "2001:db8:1::/64".parse().unwrap()]);
}

#[test]
fn a_prefix_list_is_read_in_both_spellings() {
    let pascal = json!({
        "PrefixListId": "pl-1", "PrefixListName": "n", "AddressFamily": "IPv4", "Version": 3,
        "Entries": [{"Cidr": "198.51.100.0/24", "Description": "b"}, {"Cidr": "192.0.2.0/24"}],
    });
    let camel = json!({
        "prefixListId": "pl-1", "entries": [{"cidr": "192.0.2.0/24"}, {"cidr": "198.51.100.9/24"}],
    });
    let nets = vec!["192.0.2.0/24".parse().unwrap(), "198.51.100.0/24".parse().unwrap()];
    for configuration in [pascal, camel] {
        let resource = only_resource(&item("AWS::EC2::PrefixList", "pl-1", &configuration));
        assert_eq!(resource, Resource::PrefixList("pl-1".to_owned(), nets.clone()), "{configuration}");
    }
    let empty = item("AWS::EC2::PrefixList", "pl-1", &json!({"Entries": []}));
    assert_eq!(only_resource(&empty), Resource::PrefixList("pl-1".to_owned(), vec![]));
}

use super::*;
use crate::flow::Direction;
use crate::rules::state::AclAction;

#[test]
fn a_kind_without_resources_is_not_claimed_to_be_empty() {
    let nothing = state(&[("aws_s3_bucket.logs", json!({ "id": "logs" }))]);
    assert_eq!(nothing.others, 1);
    assert_eq!(nothing.state, Some(Objects::default()));
    let group = state(&[("aws_security_group.web", json!({ "id": "sg-1" }))]).state.unwrap();
    assert_eq!(group.groups.map(|groups| groups.len()), Some(1));
    assert!(group.interfaces.is_none() && group.acls.is_none() && group.subnets.is_none());
    assert!(!group.rules_described);
}

#[test]
fn modules_and_instances_are_all_read() {
    let group = |address: &str, id: &str| resource(address, json!({ "id": id }));
    let document = json!({ "format_version": "1.0", "values": { "root_module": {
        "resources": [group("aws_security_group.web[\"a.b\"]", "sg-1"), group("aws_security_group.web[\"]\"]", "sg-2")],
        "child_modules": [
            { "address": "module.a[0]", "resources": [group("module.a[0].aws_security_group.web[1]", "sg-3")],
              "child_modules": [{ "resources": [group("module.a[0].module.b.aws_default_security_group.c", "sg-4")] }] },
            { "address": "module.empty", "resources": null },
        ],
    } } });
    let read = read_well(&document);
    let written: Vec<_> =
        read.addresses.iter().map(|it| (it.group_id.as_str(), it.address.as_str())).collect();
    assert_eq!(
        written,
        [
            ("sg-2", "aws_security_group.web[\"]\"]"),
            ("sg-1", "aws_security_group.web[\"a.b\"]"),
            ("sg-3", "module.a[0].aws_security_group.web[1]"),
            ("sg-4", "module.a[0].module.b.aws_default_security_group.c"),
        ]
    );
    assert_eq!(read.others, 0);
}

#[test]
fn data_sources_are_counted_only() {
    let mut data = resource("data.aws_security_group.web", json!({ "id": "sg-1" }));
    data["mode"] = json!("data");
    data["type"] = json!("aws_security_group");
    let read = read_well(&state_document(&[data, resource("aws_flow_log.all", json!({ "id": "fl-1" }))]));
    assert_eq!((read.others, read.state), (2, Some(Objects::default())));
}

#[test]
fn interfaces_have_their_addresses_groups_and_vpc() {
    let read = state(&[
        (
            "aws_network_interface.a",
            json!({ "id": "eni-a", "private_ip": "10.0.0.5", "private_ips": ["10.0.0.6", "10.0.0.5"],
            "ipv6_addresses": ["2001:db8::5"], "ipv4_prefixes": ["10.0.1.0/28"], "security_groups": ["sg-1", "sg-2"],
            "subnet_id": "subnet-1", "description": "front", "interface_type": null,
            "attachment": [{ "instance": "i-1", "device_index": 1 }] }),
        ),
        (
            "aws_network_interface_sg_attachment.a",
            json!({ "network_interface_id": "eni-a", "security_group_id": "sg-3" }),
        ),
        (
            "aws_network_interface_sg_attachment.again",
            json!({ "network_interface_id": "eni-a", "security_group_id": "sg-2" }),
        ),
        (
            "aws_instance.b",
            json!({ "id": "i-2", "primary_network_interface_id": "eni-b", "vpc_security_group_ids": ["sg-4"],
            "private_ip": "10.0.0.7", "secondary_private_ips": ["10.0.0.8"], "ipv6_addresses": [], "public_ip": "192.0.2.7",
            "arn": "arn:aws:ec2:eu-west-1:111122223333:instance/i-2" }),
        ),
        (
            "aws_instance.a",
            json!({ "id": "i-1", "primary_network_interface_id": "eni-a", "vpc_security_group_ids": ["sg-9"],
            "private_ip": "10.0.0.5", "public_ip": "" }),
        ),
        ("aws_instance.off", json!({ "id": "i-3", "primary_network_interface_id": "" })),
        ("aws_security_group.b", json!({ "id": "sg-4", "vpc_id": "vpc-4" })),
        (
            "aws_subnet.one",
            json!({ "id": "subnet-1", "vpc_id": "vpc-1", "cidr_block": "10.0.0.0/24",
            "ipv6_cidr_block": "2001:db8::/64", "owner_id": "111122223333" }),
        ),
    ]);
    assert!(read.unknown.is_empty());
    let objects = read.state.unwrap();
    let [a, b] = objects.interfaces.unwrap().into_vec().try_into().unwrap();
    let text: Vec<_> = a.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(text, ["10.0.0.5", "10.0.0.6", "2001:db8::5"]);
    assert_eq!(a.group_ids, ["sg-1", "sg-2", "sg-3"]);
    assert_eq!(
        (a.vpc_id.as_str(), a.instance_id.as_str(), a.interface_type.as_str()),
        ("vpc-1", "i-1", "interface")
    );
    assert_eq!(a.prefixes, ["10.0.1.0/28".parse().unwrap()]);
    assert_eq!((b.id.as_str(), b.vpc_id.as_str(), b.instance_id.as_str()), ("eni-b", "vpc-4", "i-2"));
    assert_eq!((b.owner_id.as_str(), b.region.as_str()), ("111122223333", "eu-west-1"));
    assert_eq!((b.addresses.len(), b.public_addresses.len(), b.group_ids), (2, 1, vec!["sg-4".to_owned()]));
    let subnet = &objects.subnets.unwrap()[0];
    assert_eq!((subnet.ranges.len(), subnet.owner_id.as_str()), (2, "111122223333"));
}

#[test]
fn prefix_lists_and_vpcs_add_up() {
    let read = state(&[
        ("aws_ec2_managed_prefix_list.office", json!({ "id": "pl-1", "entry": [{ "cidr": "10.1.0.0/16" }] })),
        ("aws_ec2_managed_prefix_list.none", json!({ "id": "pl-0", "entry": [] })),
        (
            "aws_ec2_managed_prefix_list_entry.more",
            json!({ "prefix_list_id": "pl-1", "cidr": "10.2.0.0/16" }),
        ),
        ("aws_vpc.main", json!({ "id": "vpc-1", "cidr_block": "10.0.0.0/16" })),
        (
            "aws_vpc_ipv4_cidr_block_association.more",
            json!({ "vpc_id": "vpc-1", "cidr_block": "10.3.0.0/16" }),
        ),
    ]);
    let objects = read.state.unwrap();
    let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
    assert_eq!(
        objects.prefix_lists,
        [("pl-0".to_owned(), vec![]), ("pl-1".to_owned(), nets(&["10.1.0.0/16", "10.2.0.0/16"])),]
    );
    assert_eq!(objects.vpcs, [("vpc-1".to_owned(), nets(&["10.0.0.0/16", "10.3.0.0/16"]))]);
}

#[test]
fn acls_have_their_entries_in_order() {
    let entry = |number: u32, action: &str, protocol: &str, from: i64| {
        json!({ "rule_no": number, "action": action, "protocol": protocol, "from_port": from, "to_port": from,
            "cidr_block": "10.0.0.0/8", "ipv6_cidr_block": "", "icmp_type": 0, "icmp_code": 0 })
    };
    let read = state(&[
        (
            "aws_network_acl.a",
            json!({ "id": "acl-a", "vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2"],
            "ingress": [entry(200, "deny", "-1", 0), entry(100, "allow", "6", 443)], "egress": [entry(100, "allow", "icmp", 0)] }),
        ),
        ("aws_default_network_acl.b", json!({ "id": "acl-b", "subnet_ids": [], "ingress": null })),
        (
            "aws_network_acl_rule.more",
            json!({ "network_acl_id": "acl-b", "rule_number": 50, "egress": true, "protocol": "udp",
            "rule_action": "ALLOW", "ipv6_cidr_block": "::/0", "from_port": 53, "to_port": 53, "icmp_type": null }),
        ),
        (
            "aws_network_acl_rule.ping",
            json!({ "network_acl_id": "acl-b", "rule_number": 60, "protocol": "esp",
            "rule_action": "deny", "cidr_block": "0.0.0.0/0", "icmp_type": "-1" }),
        ),
        ("aws_network_acl_association.b", json!({ "network_acl_id": "acl-b", "subnet_id": "subnet-2" })),
    ]);
    assert!(read.unknown.is_empty());
    let [a, b] = read.state.unwrap().acls.unwrap().into_vec().try_into().unwrap();
    let entries: Vec<_> =
        a.entries.iter().map(|entry| (entry.number, entry.direction, entry.action, entry.ports)).collect();
    assert_eq!(
        entries,
        [
            (100, Direction::Ingress, AclAction::Allow, Some((443, 443))),
            (100, Direction::Egress, AclAction::Allow, None),
            (200, Direction::Ingress, AclAction::Deny, None),
        ]
    );
    assert_eq!((a.entries[1].is_one_icmp_type(), a.entries[2].protocol), (true, None));
    assert_eq!((a.subnet_ids, b.subnet_ids), (vec!["subnet-1".to_owned()], vec!["subnet-2".to_owned()]));
    let [dns, esp] = b.entries.try_into().unwrap();
    assert_eq!(
        (dns.direction, dns.protocol, dns.net.to_string()),
        (Direction::Egress, Some(17), "::/0".to_owned())
    );
    assert_eq!((esp.direction, esp.protocol, esp.is_one_icmp_type()), (Direction::Ingress, Some(50), false));
}

/// A part of an ACL, a list or an interface is not the whole, so it is told instead of taken for it.
#[test]
fn a_part_without_its_whole_is_told() {
    let read = state(&[
        (
            "aws_network_interface_sg_attachment.a",
            json!({ "network_interface_id": "eni-x", "security_group_id": "sg-1" }),
        ),
        ("aws_ec2_managed_prefix_list_entry.a", json!({ "prefix_list_id": "pl-x", "cidr": "10.2.0.0/16" })),
        (
            "aws_network_acl_rule.a",
            json!({ "network_acl_id": "acl-x", "rule_number": 1, "protocol": "-1",
            "rule_action": "deny", "cidr_block": "0.0.0.0/0" }),
        ),
        ("aws_network_acl_association.a", json!({ "network_acl_id": "acl-x", "subnet_id": "subnet-1" })),
        ("aws_security_group_rule.a", json!({ "type": "ingress", "protocol": "tcp", "self": true })),
        (
            "aws_security_group_rule.b",
            json!({ "security_group_id": "sg-1", "protocol": "tcp", "self": true }),
        ),
        (
            "aws_vpc_security_group_ingress_rule.a",
            json!({ "security_group_id": "sg-1", "cidr_ipv4": "10.0.0.0/8" }),
        ),
    ]);
    assert_eq!(
        unknown(&read),
        [
            "aws_ec2_managed_prefix_list_entry.a prefix_list_id PrefixList",
            "aws_network_acl_association.a network_acl_id Acl",
            "aws_network_acl_rule.a network_acl_id Acl",
            "aws_network_interface_sg_attachment.a network_interface_id Interface",
            "aws_security_group_rule.a security_group_id Rule",
            "aws_security_group_rule.b type Rule",
            "aws_vpc_security_group_ingress_rule.a ip_protocol Rule",
        ]
    );
    let objects = read.state.unwrap();
    assert_eq!(objects, Objects::default());
}

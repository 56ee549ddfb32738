use super::*;
use crate::flow::Direction;
use crate::rules::state::AclAction;

#[test]
fn only_documents_of_terraform_are_read() {
    let others = [
        json!(null),
        json!([]),
        json!("format_version"),
        json!({}),
        json!({ "format_version": 1 }),
        json!({ "format_version": "1.0", "provider_schemas": {} }),
        json!({ "format_version": "1.0", "valid": true, "diagnostics": [] }),
        json!({ "version": 4, "terraform_version": "1.9.5", "serial": 3, "resources": [] }),
        json!({ "SecurityGroups": [] }),
    ];
    for document in &others {
        assert_eq!(read(document), Ok(None), "{document}");
    }
    let empty = read_well(&json!({ "format_version": "1.0" }));
    assert_eq!((empty.state, empty.proposed), (Some(Objects::default()), None));
}

#[test]
fn another_major_version_is_refused() {
    for version in ["2.0", "2", "10.1", "", "x"] {
        let message = format!("format_version: expected 0.x or 1.x, found \"{version}\"");
        assert_eq!(read(&json!({ "format_version": version, "values": {} })), Err(message));
    }
    for version in ["0.1", "1.0", "1.99"] {
        let document = json!({ "format_version": version, "values": {}, "a_key_of_tomorrow": 1 });
        assert!(read(&document).unwrap().is_some(), "{version}");
    }
}

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
fn inline_rules_are_one_for_each_peer() {
    let group = |id: &str, side: &str, rule: Value| json!({ "id": id, side: [rule] });
    let cases = [
        (
            "ingress",
            inline("tcp", 22, 22, json!({ "cidr_blocks": ["10.0.0.9/8", "x"] })),
            vec!["sg-1:ingress:tcp:22-22:10.0.0.0/8", "sg-1:ingress:tcp:22-22:x"],
        ),
        (
            "egress",
            inline("-1", 0, 0, json!({ "cidr_blocks": ["0.0.0.0/0"], "ipv6_cidr_blocks": ["::/0"] })),
            vec!["sg-1:egress:-1:-1--1:0.0.0.0/0", "sg-1:egress:-1:-1--1:::/0"],
        ),
        (
            "egress",
            inline("all", 0, 65535, json!({ "cidr_blocks": ["0.0.0.0/0"] })),
            vec!["sg-1:egress:-1:-1--1:0.0.0.0/0"],
        ),
        ("ingress", inline("6", 443, 443, json!({ "self": true })), vec!["sg-1:ingress:tcp:443-443:sg-1"]),
        (
            "ingress",
            inline("icmp", -1, -1, json!({ "prefix_list_ids": ["pl-1"] })),
            vec!["sg-1:ingress:icmp:-1--1:pl-1"],
        ),
        ("ingress", inline("icmp", 0, 0, json!({ "self": true })), vec!["sg-1:ingress:icmp:0-0:sg-1"]),
        ("ingress", inline("50", 0, 0, json!({ "self": true })), vec!["sg-1:ingress:50:-1--1:sg-1"]),
        (
            "ingress",
            inline("udp", 53, 53, json!({ "security_groups": ["111122223333/sg-far", "sg-2", "old/name"] })),
            vec![
                "sg-1:ingress:udp:53-53:old/name",
                "sg-1:ingress:udp:53-53:sg-2",
                "sg-1:ingress:udp:53-53:sg-far",
            ],
        ),
        (
            "ingress",
            json!({ "protocol": "tcp", "from_port": null, "cidr_blocks": ["10.0.0.0/8", null] }),
            vec!["sg-1:ingress:tcp:-1--1:10.0.0.0/8"],
        ),
        ("ingress", inline("tcp", 22, 22, json!({})), vec![]),
    ];
    for (side, rule, expected) in cases {
        for kind in ["aws_security_group", "aws_default_security_group"] {
            let read = state(&[(&format!("{kind}.web"), group("sg-1", side, rule.clone()))]);
            assert_eq!(rule_keys(read.state.as_ref()), expected, "{rule}");
            assert!(read.unknown.is_empty());
        }
    }
}

#[test]
fn a_rule_resource_gives_the_rule_its_id_and_address() {
    let shared = json!({ "security_group_id": "sg-1", "protocol": "tcp", "from_port": 22, "to_port": 22, "type": "ingress",
        "security_group_rule_id": "sgr-1", "description": "admins" });
    let with = |more: Value| {
        let mut rule = shared.clone();
        for (key, value) in more.as_object().unwrap() {
            rule[key] = value.clone();
        }
        rule
    };
    let cases = [
        (
            with(json!({ "cidr_blocks": ["10.0.0.0/8"] })),
            vec!["sg-1:ingress:tcp:22-22:10.0.0.0/8"],
            Some("sgr-1"),
        ),
        (
            with(json!({ "ipv6_cidr_blocks": ["2001:db8::/32"], "self": true })),
            vec!["sg-1:ingress:tcp:22-22:2001:db8::/32", "sg-1:ingress:tcp:22-22:sg-1"],
            None,
        ),
        (
            with(json!({ "source_security_group_id": "111122223333/sg-2", "type": "egress" })),
            vec!["sg-1:egress:tcp:22-22:sg-2"],
            Some("sgr-1"),
        ),
        (
            with(json!({ "prefix_list_ids": ["pl-1"], "protocol": "all" })),
            vec!["sg-1:ingress:-1:-1--1:pl-1"],
            Some("sgr-1"),
        ),
        (with(json!({})), vec!["sg-1:ingress:tcp:22-22:"], Some("sgr-1")),
    ];
    for (rule, expected, id) in cases {
        let read = state(&[("aws_security_group_rule.ssh", rule.clone())]);
        assert_eq!(rule_keys(read.state.as_ref()), expected, "{rule}");
        let objects = read.state.unwrap();
        assert!(objects.rules_described && objects.groups.is_none());
        for document in &objects.rules {
            assert_eq!((document.rule_id.as_deref(), document.description.as_deref()), (id, Some("admins")));
        }
        let written = &read.addresses[0];
        assert_eq!(
            (written.address.as_str(), written.group_id.as_str()),
            ("aws_security_group_rule.ssh", "sg-1")
        );
    }
}

#[test]
fn vpc_rules_name_one_peer_each() {
    let cases = [
        (json!({ "cidr_ipv4": "10.0.0.0/8" }), "10.0.0.0/8"),
        (json!({ "cidr_ipv6": "2001:db8::/32", "cidr_ipv4": null }), "2001:db8::/32"),
        (json!({ "prefix_list_id": "pl-1" }), "pl-1"),
        (json!({ "referenced_security_group_id": "111122223333/sg-2" }), "sg-2"),
        (json!({ "cidr_ipv4": "nowhere" }), "nowhere"),
        (json!({}), ""),
    ];
    for (peer, expected) in cases {
        for (kind, direction) in [("ingress", "ingress"), ("egress", "egress")] {
            let mut values = json!({ "id": "sgr-1", "security_group_id": "sg-1", "ip_protocol": "-1", "from_port": null,
                "arn": "arn:aws:ec2:eu-west-1:111122223333:security-group-rule/sgr-1", "tags_all": { "b": "2", "a": "1" } });
            values.as_object_mut().unwrap().extend(peer.as_object().unwrap().clone());
            let read = state(&[(&format!("aws_vpc_security_group_{kind}_rule.x"), values)]).state.unwrap();
            assert_eq!(rule_keys(Some(&read)), [format!("sg-1:{direction}:-1:-1--1:{expected}")]);
            let rule = &read.rules[0];
            assert_eq!(rule.rule_id.as_deref(), Some("sgr-1"));
            assert_eq!((rule.owner_id.as_str(), rule.region.as_str()), ("111122223333", "eu-west-1"));
            assert_eq!(rule.tags, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
        }
    }
}

/// A refreshed group repeats the rules that resources of their own write.
#[test]
fn a_repeated_rule_is_one_rule() {
    let ssh =
        inline("tcp", 22, 22, json!({ "cidr_blocks": ["10.0.0.0/8"], "description": "told by the group" }));
    let read = state(&[
        (
            "aws_security_group.web",
            json!({ "id": "sg-1", "vpc_id": "vpc-1", "owner_id": "111122223333", "name": "web",
            "arn": "arn:aws:ec2:eu-west-1:111122223333:security-group/sg-1", "tags": { "Name": "web" }, "tags_all": null,
            "ingress": [ssh], "egress": [inline("-1", 0, 0, json!({ "cidr_blocks": ["0.0.0.0/0"] }))] }),
        ),
        (
            "aws_security_group_rule.ssh",
            json!({ "security_group_id": "sg-1", "type": "ingress", "protocol": "tcp",
            "from_port": 22, "to_port": 22, "cidr_blocks": ["10.0.0.0/8"], "security_group_rule_id": "sgr-1" }),
        ),
    ]);
    let written: Vec<_> =
        read.addresses.iter().map(|it| (it.address.as_str(), it.rule.as_ref().map(Rule::key))).collect();
    let egress = "sg-1:egress:-1:-1--1:0.0.0.0/0".to_owned();
    let ingress = "sg-1:ingress:tcp:22-22:10.0.0.0/8".to_owned();
    assert_eq!(
        written,
        [
            ("aws_security_group.web", None),
            ("aws_security_group.web", Some(egress)),
            ("aws_security_group_rule.ssh", Some(ingress)),
        ]
    );
    let objects = read.state.unwrap();
    let group = &objects.groups.unwrap()[0];
    assert_eq!((group.name.as_str(), group.region.as_str()), ("web", "eu-west-1"));
    assert_eq!(group.tags, [("Name".to_owned(), "web".to_owned())]);
    assert_eq!(objects.rules.len(), 2);
    let ssh = &objects.rules[0];
    assert_eq!(
        (ssh.rule_id.as_deref(), ssh.description.as_deref()),
        (Some("sgr-1"), Some("told by the group"))
    );
    for rule in &objects.rules {
        let home = (rule.owner_id.as_str(), rule.region.as_str(), rule.vpc_id.as_str());
        assert_eq!(home, ("111122223333", "eu-west-1", "vpc-1"));
    }
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
    let [a, b] = objects.interfaces.unwrap().try_into().unwrap();
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
    let [a, b] = read.state.unwrap().acls.unwrap().try_into().unwrap();
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
    assert_eq!((a.entries[1].one_icmp_type, a.entries[2].protocol), (true, None));
    assert_eq!((a.subnet_ids, b.subnet_ids), (vec!["subnet-1".to_owned()], vec!["subnet-2".to_owned()]));
    let [dns, esp] = b.entries.try_into().unwrap();
    assert_eq!(
        (dns.direction, dns.protocol, dns.net.to_string()),
        (Direction::Egress, Some(17), "::/0".to_owned())
    );
    assert_eq!((esp.direction, esp.protocol, esp.one_icmp_type), (Direction::Ingress, Some(50), false));
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

#[test]
fn what_cannot_be_is_an_error_that_says_where() {
    let group = |rule: Value| ("aws_security_group.web", json!({ "id": "sg-1", "ingress": rule }));
    let cases = [
        (group(json!("x")), "aws_security_group.web: ingress: expected a list of objects, found \"x\""),
        (group(json!([7])), "aws_security_group.web: ingress: expected a list of objects, found 7"),
        (
            group(json!([inline("tcp", 70000, 1, json!({}))])),
            "aws_security_group.web: FromPort: expected -1 to 65535, found 70000",
        ),
        (
            group(json!([{ "protocol": 6 }])),
            "aws_security_group.web: ingress[0].protocol: expected a string, found 6",
        ),
        (
            group(json!([{ "protocol": "tcp", "from_port": 1.5 }])),
            "aws_security_group.web: ingress[0].from_port: expected a whole number, found 1.5",
        ),
        (
            group(json!([{ "protocol": "tcp", "cidr_blocks": "10.0.0.0/8" }])),
            "aws_security_group.web: ingress[0].cidr_blocks: expected a list of strings, found \"10.0.0.0/8\"",
        ),
        (
            group(json!([{ "protocol": "tcp", "cidr_blocks": [{}] }])),
            "aws_security_group.web: ingress[0].cidr_blocks: expected a list of strings, found an object",
        ),
        (
            group(json!([{ "protocol": "tcp", "self": "yes" }])),
            "aws_security_group.web: ingress[0].self: expected true or false, found \"yes\"",
        ),
        (
            ("aws_security_group_rule.x", json!({ "type": "both", "security_group_id": "sg-1" })),
            "aws_security_group_rule.x: type: expected ingress or egress, found \"both\"",
        ),
        (
            ("aws_network_interface.x", json!({ "id": "eni-1", "private_ips": ["10.0.0"] })),
            "aws_network_interface.x: private_ips: expected an IP address, found \"10.0.0\"",
        ),
        (
            ("aws_subnet.x", json!({ "id": "subnet-1", "cidr_block": "10" })),
            "aws_subnet.x: cidr_block: expected an address range, found \"10\"",
        ),
        (
            ("aws_ec2_managed_prefix_list.x", json!({ "entry": [{ "cidr": [] }] })),
            "aws_ec2_managed_prefix_list.x: entry[0].cidr: expected a string, found a list",
        ),
        (
            (
                "aws_network_acl.x",
                json!({ "ingress": [{ "rule_no": -1, "action": "allow", "protocol": "-1", "cidr_block": "::/0" }] }),
            ),
            "aws_network_acl.x: ingress[0].rule_no: expected 1 to 32766, found -1",
        ),
    ];
    for ((address, values), message) in cases {
        let document = state_document(&[resource(address, values)]);
        assert_eq!(read(&document), Err(message.to_owned()));
    }
    let broken = [
        (json!({ "resources": {} }), "resources: expected a list, found an object"),
        (json!({ "child_modules": true }), "child_modules: expected a list, found true"),
        (json!({ "resources": [null] }), "resource: address: expected a string, found none"),
        (json!({ "resources": [{ "address": 1 }] }), "resource: address: expected a string, found 1"),
    ];
    for (root, message) in broken {
        let document = json!({ "format_version": "1.0", "values": { "root_module": root } });
        assert_eq!(read(&document), Err(message.to_owned()));
    }
}

/// Every attribute of every resource may be anything: there is an answer or an error, never a panic.
#[test]
fn no_value_panics() {
    let kinds = [
        "aws_security_group",
        "aws_security_group_rule",
        "aws_vpc_security_group_egress_rule",
        "aws_instance",
        "aws_network_interface",
        "aws_network_interface_sg_attachment",
        "aws_network_acl",
        "aws_network_acl_rule",
        "aws_network_acl_association",
        "aws_ec2_managed_prefix_list",
        "aws_ec2_managed_prefix_list_entry",
        "aws_subnet",
        "aws_vpc",
        "aws_vpc_ipv4_cidr_block_association",
        "",
    ];
    let keys = [
        "id",
        "arn",
        "tags",
        "ingress",
        "egress",
        "type",
        "protocol",
        "from_port",
        "cidr_blocks",
        "self",
        "entry",
        "security_groups",
        "private_ips",
        "attachment",
        "subnet_ids",
        "cidr_block",
        "rule_number",
        "name",
    ];
    let values = [
        json!(null),
        json!(true),
        json!(-9e99),
        json!(""),
        json!("é[\"."),
        json!([]),
        json!([null]),
        json!([[]]),
        json!([{}]),
        json!({}),
        json!({ "": [] }),
    ];
    let mut read_well = 0;
    for kind in kinds {
        for key in keys {
            for value in &values {
                let address = format!("module.é[.{kind}.x[\"");
                let resource = json!({ "address": address, "values": { key: value } });
                let change = json!({ "address": address, "change": { "actions": value, "after": { key: value }, "before": { key: value },
                    "after_unknown": { key: value } } });
                let document = json!({ "format_version": "1.0", "values": { "root_module": { "resources": [resource] } },
                    "planned_values": { "root_module": value }, "resource_changes": [change],
                    "configuration": { "root_module": { "resources": value, "module_calls": { "é": value }, "outputs": value } } });
                read_well += u32::from(read(&document).is_ok());
            }
        }
    }
    assert!(read_well > 0);
}

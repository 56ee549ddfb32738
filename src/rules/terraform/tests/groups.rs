use super::*;

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

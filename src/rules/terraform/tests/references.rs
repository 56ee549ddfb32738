use super::plan::{change, plan};
use super::*;

/// A resource block of a configuration.
fn block(address: &str, expressions: Value) -> Value {
    let (kind, name) = address.split_once('.').unwrap();
    json!({ "address": address, "mode": "managed", "type": kind, "name": name, "expressions": expressions })
}

fn refs(references: &[&str]) -> Value {
    json!({ "references": references })
}

fn new_group(address: &str) -> Value {
    change(address, "create", Value::Null, json!({}), json!({ "id": true }))
}

/// A new rule whose group is not known yet.
fn new_rule(address: &str) -> Value {
    let after = json!({ "type": "ingress", "protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["10.0.0.0/8"] });
    change(
        address,
        "create",
        Value::Null,
        after,
        json!({ "id": true, "security_group_id": true, "source_security_group_id": true }),
    )
}

/// The groups of the rules of a plan; none where it tells one unknown.
fn groups_of_rules(changes: &[Value], configuration: Value) -> Option<Vec<String>> {
    let read = read_well(&plan(&[], changes, configuration));
    let rules = read.proposed.unwrap().rules;
    if read.unknown.is_empty() {
        Some(rules.into_iter().map(|document| document.rule.group_id.clone()).collect())
    } else {
        assert!(read.unknown.iter().any(|it| it.attribute == "security_group_id"));
        assert!(rules.is_empty());
        None
    }
}

#[test]
fn a_reference_leads_to_the_group_that_will_be() {
    type Case<'c> = (&'c [&'c str], &'c str, &'c [&'c str], Option<&'c str>);
    let web = &["aws_security_group.web.id", "aws_security_group.web"][..];
    let keyed =
        &["aws_security_group.web[\"b\"].id", "aws_security_group.web[\"b\"]", "aws_security_group.web"][..];
    let by_key = &["aws_security_group.web", "each.key"][..];
    let one = &["aws_security_group.web"][..];
    let two = &["aws_security_group.web[\"a\"]", "aws_security_group.web[\"b\"]"][..];
    // instances, rule, references, group
    let cases: &[Case<'_>] = &[
        (one, "x", web, Some("aws_security_group.web")),
        (one, "x", &["aws_security_group.web"], Some("aws_security_group.web")),
        (
            one,
            "x",
            &["aws_security_group.web.id", "aws_security_group.web", "var.choice"],
            Some("aws_security_group.web"),
        ),
        (one, "x", &["aws_security_group.web.name", "aws_security_group.web"], None),
        (one, "x", &["aws_security_group.web.id", "aws_security_group.web", "local.group"], None),
        (one, "x", &["data.aws_security_group.web.id", "data.aws_security_group.web"], None),
        (one, "x", &["aws_vpc.web.id", "aws_vpc.web"], None),
        (one, "x", &["each.value"], None),
        (one, "x", &[], None),
        // A resource without instances gives no id: the other one does.
        (
            one,
            "x",
            &[
                "aws_security_group.web.id",
                "aws_security_group.prefixed[0].id",
                "aws_security_group.prefixed[0]",
            ],
            Some("aws_security_group.web"),
        ),
        (one, "x", &["aws_security_group.prefixed[0].id", "aws_security_group.prefixed[0]"], None),
        (two, "x", keyed, Some("aws_security_group.web[\"b\"]")),
        (two, "x", one, None),
        (two, "x[\"a\"]", by_key, Some("aws_security_group.web[\"a\"]")),
        (two, "x[\"c\"]", by_key, None),
        (two, "x[\"a\"]", &["aws_security_group.web", "each.value"], None),
        (&["aws_security_group.web[\"a\"]"], "x", one, Some("aws_security_group.web[\"a\"]")),
        (
            &["aws_security_group.web[0]", "aws_security_group.web[1]"],
            "x[1]",
            &["aws_security_group.web", "count.index"],
            Some("aws_security_group.web[1]"),
        ),
        (
            &["aws_security_group.web", "aws_security_group.app"],
            "x",
            &["aws_security_group.web.id", "aws_security_group.app.id", "var.choice"],
            None,
        ),
    ];
    for (instances, rule, references, expected) in cases {
        let mut changes: Vec<_> = instances.iter().map(|address| new_group(address)).collect();
        changes.push(new_rule(&format!("aws_security_group_rule.{rule}")));
        let rule = block("aws_security_group_rule.x", json!({ "security_group_id": refs(references) }));
        let configuration = json!({ "root_module": { "resources": [rule] } });
        let expected = expected.map(|group| vec![group.to_owned()]);
        assert_eq!(groups_of_rules(&changes, configuration), expected, "{references:?}");
    }
}

#[test]
fn references_pass_through_modules() {
    let group = block("aws_security_group.web", json!({}));
    let rule = block("aws_security_group_rule.x", json!({ "security_group_id": refs(&["var.group"]) }));
    let inner =
        |group: Value| json!({ "expressions": { "group": group }, "module": { "resources": [rule] } });
    let root = block("aws_security_group.root", json!({}));
    let net = json!({ "module": { "resources": [group],
        "outputs": { "id": { "expression": refs(&["aws_security_group.web.id", "aws_security_group.web"]) },
                     "fixed": { "expression": { "constant_value": "sg-1" } } } } });
    let with = |group: Value| json!({ "root_module": { "resources": [root], "module_calls": { "net": net, "rules": inner(group) } } });
    let one = "module.net.aws_security_group.web";
    let cases: &[(&[&str], &str, Value, Option<&str>)] = &[
        (&[one], "module.rules", refs(&["module.net.id", "module.net"]), Some(one)),
        (&[one], "module.rules", refs(&["module.net.fixed", "module.net"]), None),
        (&[one], "module.rules", refs(&["module.net.none", "module.net"]), None),
        (&[one], "module.rules", refs(&["module.net"]), None),
        (&[one], "module.rules", refs(&["module.away.id", "module.away"]), None),
        (&[one], "module.rules", json!({ "constant_value": "sg-1" }), None),
        (&[one], "module.rules", refs(&["var.group"]), None),
        (
            &["aws_security_group.root"],
            "module.rules",
            refs(&["aws_security_group.root.id", "aws_security_group.root"]),
            Some("aws_security_group.root"),
        ),
        (
            &["aws_security_group.root[\"a\"]", "aws_security_group.root[\"b\"]"],
            "module.rules[\"b\"]",
            refs(&["aws_security_group.root", "each.key"]),
            Some("aws_security_group.root[\"b\"]"),
        ),
        (
            &["module.net[\"a\"].aws_security_group.web", "module.net[\"b\"].aws_security_group.web"],
            "module.rules",
            refs(&["module.net[\"b\"].id", "module.net[\"b\"]", "module.net"]),
            Some("module.net[\"b\"].aws_security_group.web"),
        ),
        (
            &["module.net[\"a\"].aws_security_group.web", "module.net[\"b\"].aws_security_group.web"],
            "module.rules",
            refs(&["module.net.id", "module.net"]),
            None,
        ),
    ];
    for (groups, module, argument, expected) in cases {
        let mut changes: Vec<_> = groups.iter().map(|address| new_group(address)).collect();
        changes.push(new_rule(&format!("{module}.aws_security_group_rule.x")));
        let expected = expected.map(|group| vec![group.to_owned()]);
        assert_eq!(groups_of_rules(&changes, with(argument.clone())), expected, "{argument}");
    }
}

#[test]
fn a_reference_stays_in_its_module() {
    let resources = json!([
        block("aws_security_group.web", json!({})),
        block(
            "aws_security_group_rule.x",
            json!({ "security_group_id": refs(&["aws_security_group.web.id", "aws_security_group.web"]) })
        ),
    ]);
    let configuration = json!({ "root_module": { "resources": resources, "module_calls": { "a": { "module": {
        "resources": resources, "module_calls": { "b": { "module": { "resources": resources } } } } } } } });
    let modules = ["", "module.a[\"x.y\"].", "module.a[\"z\"].", "module.a[\"z\"].module.b."];
    let mut changes = Vec::new();
    for module in modules {
        changes.push(new_group(&format!("{module}aws_security_group.web")));
        changes.push(new_rule(&format!("{module}aws_security_group_rule.x")));
    }
    let mut expected = modules.map(|module| format!("{module}aws_security_group.web"));
    expected.sort();
    assert_eq!(groups_of_rules(&changes, configuration), Some(expected.to_vec()));
}

#[test]
fn peers_are_led_like_groups() {
    let port = json!({ "security_group_id": "sg-1", "type": "ingress", "protocol": "tcp", "ip_protocol": "tcp", "from_port": 22, "to_port": 22 });
    let cases = [
        ("aws_security_group_rule.x", "source_security_group_id", "aws_security_group.far"),
        ("aws_vpc_security_group_ingress_rule.x", "referenced_security_group_id", "aws_security_group.far"),
        ("aws_vpc_security_group_ingress_rule.x", "prefix_list_id", "aws_ec2_managed_prefix_list.far"),
    ];
    for (address, attribute, far) in cases {
        let changes = [
            new_group(far),
            change(address, "create", Value::Null, port.clone(), json!({ attribute: true })),
        ];
        let expressions = json!({ attribute: refs(&[&format!("{far}.id"), far]) });
        let configuration = json!({ "root_module": { "resources": [block(address, expressions)] } });
        let read = read_well(&plan(&[], &changes, configuration));
        assert_eq!(rule_keys(read.proposed.as_ref()), [format!("sg-1:ingress:tcp:22-22:{far}")]);
        assert!(read.unknown.is_empty(), "{attribute}");
    }
}

#[test]
fn lists_are_led_where_every_element_is_sure() {
    type Case<'c> = (Value, Value, &'c [&'c str], Option<&'c [&'c str]>);
    let both = &[
        "aws_security_group.a.id",
        "aws_security_group.a",
        "aws_security_group.b.id",
        "aws_security_group.b",
    ][..];
    let a = &["aws_security_group.a.id", "aws_security_group.a"][..];
    let chosen = &["aws_security_group.a.id", "aws_security_group.b.id", "var.choice"][..];
    // known, unknown, references, groups
    let cases: &[Case<'_>] = &[
        (json!([null]), json!([true]), a, Some(&["aws_security_group.a"])),
        (json!(null), json!(true), a, Some(&["aws_security_group.a"])),
        (json!(null), json!(true), both, Some(&["aws_security_group.a", "aws_security_group.b"])),
        (
            json!([null, null]),
            json!([true, true]),
            both,
            Some(&["aws_security_group.a", "aws_security_group.b"]),
        ),
        (
            json!(["sg-1", null]),
            json!([false, true]),
            &["var.more", a[0]],
            Some(&["sg-1", "aws_security_group.a"]),
        ),
        (json!([null]), json!([true]), both, None),
        (json!([null]), json!([true]), chosen, None),
        (json!(null), json!(true), chosen, None),
        (json!(null), json!(true), &["aws_security_group.a.id", "aws_security_group.b.id", "each.key"], None),
        (json!(null), json!(true), &["var.more", a[0]], None),
        (json!(null), json!(true), &["var.more"], None),
        (json!(null), json!(true), &["local.all"], None),
    ];
    for (known, unknown, references, expected) in cases {
        let changes = [
            new_group("aws_security_group.a"),
            new_group("aws_security_group.b"),
            change(
                "aws_network_interface.x",
                "update",
                json!({}),
                json!({ "id": "eni-1", "security_groups": known }),
                json!({ "security_groups": unknown }),
            ),
        ];
        let expressions = json!({ "security_groups": refs(references) });
        let configuration =
            json!({ "root_module": { "resources": [block("aws_network_interface.x", expressions)] } });
        let read = read_well(&plan(&[], &changes, configuration));
        let interfaces = read.proposed.unwrap().interfaces.unwrap();
        let groups = interfaces.first().map(|it| it.group_ids.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(groups.as_deref(), *expected, "{references:?}");
        assert_eq!(read.unknown.is_empty(), expected.is_some());
    }
}

/// An element of what a variable holds may be any of it.
#[test]
fn an_element_of_a_variable_is_sure_where_it_holds_one_id() {
    let a = ["aws_security_group.a.id", "aws_security_group.a"];
    let both = ["aws_security_group.a.id", "aws_security_group.b.id"];
    let cases = [
        (&a[..], "var.groups", 1),
        (&a[..], "var.groups[\"a\"]", 1),
        (&a[..], "var.groups[\"a\"].id", 1),
        (&a[..], "var.groups.name", 0),
        (&both[..], "var.groups", 2),
        (&both[..], "var.groups[\"a\"]", 0),
    ];
    for (given, used, groups) in cases {
        let changes = [
            new_group("aws_security_group.a"),
            new_group("aws_security_group.b"),
            change(
                "module.m.aws_network_interface.x",
                "update",
                json!({}),
                json!({ "id": "eni-1" }),
                json!({ "security_groups": true }),
            ),
        ];
        let interface = block("aws_network_interface.x", json!({ "security_groups": refs(&[used]) }));
        let call =
            json!({ "expressions": { "groups": refs(given) }, "module": { "resources": [interface] } });
        let read =
            read_well(&plan(&[], &changes, json!({ "root_module": { "module_calls": { "m": call } } })));
        let interfaces = read.proposed.unwrap().interfaces.unwrap();
        assert_eq!(interfaces.first().map_or(0, |it| it.group_ids.len()), groups, "{used}");
    }
}

#[test]
fn inline_sources_are_led_where_one_entry_waits() {
    let entry = |port: u16| inline("tcp", port.into(), port.into(), json!({}));
    let source = refs(&["aws_security_group.far.id", "aws_security_group.far"]);
    let waits = json!({ "security_groups": true });
    let far = |port: u16| format!("sg-1:ingress:tcp:{port}-{port}:aws_security_group.far");
    let cases = [
        (json!([{}, waits]), source.clone(), vec![far(443)]),
        (json!([waits, waits]), source, vec![]),
        (json!([{}, waits]), refs(&["aws_security_group.far.id", "local.more"]), vec![]),
        (json!([{}, waits]), json!([{}]), vec![]),
    ];
    for (unknown, expression, expected) in cases {
        let values = json!({ "id": "sg-1", "ingress": [entry(22), entry(443)] });
        let changes = [
            new_group("aws_security_group.far"),
            change("aws_security_group.web", "update", json!({}), values, json!({ "ingress": unknown })),
        ];
        let group = block("aws_security_group.web", json!({ "ingress": expression }));
        let read = read_well(&plan(&[], &changes, json!({ "root_module": { "resources": [group] } })));
        assert_eq!(rule_keys(read.proposed.as_ref()), expected);
        assert_eq!(read.unknown.is_empty(), !expected.is_empty());
    }
}

/// Variables and outputs that lead to each other end, and so do those that fan out.
#[test]
fn circles_end() {
    let many: Vec<String> = (0..60).map(|index| format!("var.v{index}")).collect();
    let all: serde_json::Map<_, _> =
        (0..60).map(|index| (format!("v{index}"), json!({ "references": ["module.a.out"] }))).collect();
    let rule = block("aws_security_group_rule.x", json!({ "security_group_id": { "references": many } }));
    let inner =
        json!({ "resources": [rule], "outputs": { "out": { "expression": { "references": many } } } });
    let configuration =
        json!({ "root_module": { "module_calls": { "a": { "expressions": all, "module": inner } } } });
    assert_eq!(groups_of_rules(&[new_rule("module.a.aws_security_group_rule.x")], configuration), None);
    let more: Vec<String> = (0..100).map(|index| format!("aws_security_group.g{index}.id")).collect();
    let rule = block("aws_security_group_rule.x", json!({ "security_group_id": { "references": more } }));
    let configuration = json!({ "root_module": { "resources": [rule] } });
    assert_eq!(groups_of_rules(&[new_rule("aws_security_group_rule.x")], configuration), None);
}

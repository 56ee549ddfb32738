use super::*;
use crate::rules::aws::List;

/// One entry of `resource_changes`.
pub(super) fn change(
    address: &str,
    action: &str,
    before: Value,
    after: Value,
    after_unknown: Value,
) -> Value {
    let actions = match action {
        "replace" => json!(["delete", "create"]),
        action => json!([action]),
    };
    json!({ "address": address, "mode": "managed", "type": kind(address),
            "change": { "actions": actions, "before": before, "after": after, "after_unknown": after_unknown } })
}

/// A plan whose planned values are what its changes say.
pub(super) fn plan(prior: &[(&str, Value)], changes: &[Value], configuration: Value) -> Value {
    let prior: Vec<_> = prior.iter().map(|(address, values)| resource(address, values.clone())).collect();
    let stays = |change: &&Value| !change["change"]["after"].is_null();
    let planned = changes
        .iter()
        .filter(stays)
        .map(|change| resource(change["address"].as_str().unwrap(), change["change"]["after"].clone()));
    json!({ "format_version": "1.2", "terraform_version": "1.9.5", "configuration": configuration,
            "planned_values": { "root_module": { "resources": planned.collect::<Vec<_>>() } },
            "prior_state": state_document(&prior), "resource_changes": changes })
}

fn same(address: &str, values: &Value) -> Value {
    change(address, "no-op", values.clone(), values.clone(), json!({}))
}

const SSH: &str = "sg-1:ingress:tcp:22-22:10.0.0.0/8";
const WEB: &str = "sg-1:ingress:tcp:443-443:0.0.0.0/0";
const MAIL: &str = "sg-1:ingress:tcp:25-25:10.0.0.0/8";

fn ssh() -> Value {
    inline("tcp", 22, 22, json!({ "cidr_blocks": ["10.0.0.0/8"] }))
}

fn web() -> Value {
    inline("tcp", 443, 443, json!({ "cidr_blocks": ["0.0.0.0/0"] }))
}

fn rule(port: u16, cidr: &str) -> Value {
    json!({ "id": format!("sgrule-{port}"), "security_group_id": "sg-1", "type": "ingress", "protocol": "tcp",
            "from_port": port, "to_port": port, "cidr_blocks": [cidr], "self": false, "source_security_group_id": null })
}

#[test]
fn a_plan_says_what_is_and_what_will_be() {
    let group = |rules: Value| json!({ "id": "sg-1", "ingress": rules });
    let gone = json!({ "id": "sg-2", "ingress": [ssh()] });
    let document = plan(
        &[("aws_security_group.web", group(json!([ssh()]))), ("aws_security_group.gone", gone.clone())],
        &[
            change(
                "aws_security_group.web",
                "update",
                group(json!([ssh()])),
                group(json!([web()])),
                json!({}),
            ),
            change("aws_security_group.gone", "delete", gone, Value::Null, json!({})),
        ],
        Value::Null,
    );
    let read = read_well(&document);
    assert_eq!(rule_keys(read.state.as_ref()), [SSH, "sg-2:ingress:tcp:22-22:10.0.0.0/8"]);
    assert_eq!(rule_keys(read.proposed.as_ref()), [WEB]);
    let written: Vec<_> =
        read.addresses.iter().map(|it| (it.address.as_str(), it.rule.as_ref().map(Rule::key))).collect();
    assert_eq!(written.len(), 5);
    assert!(written.contains(&("aws_security_group.web", Some(SSH.to_owned()))));
    assert!(written.contains(&("aws_security_group.web", Some(WEB.to_owned()))));
    assert!(read.unknown.is_empty());
}

/// A group that writes no rules inline repeats those of rule resources, also in a plan that takes them away.
#[test]
fn a_replaced_rule_resource_takes_its_repetition_with_it() {
    let group = json!({ "id": "sg-1", "ingress": [ssh(), web()] });
    let cases = [
        ("delete", Value::Null, vec![WEB]),
        ("update", rule(25, "10.0.0.0/8"), vec![MAIL, WEB]),
        ("replace", rule(25, "10.0.0.0/8"), vec![MAIL, WEB]),
        ("update", rule(22, "10.0.0.0/8"), vec![SSH, WEB]),
        ("no-op", rule(22, "10.0.0.0/8"), vec![SSH, WEB]),
        ("forget", Value::Null, vec![SSH, WEB]),
    ];
    for (action, after, expected) in cases {
        let before = rule(22, "10.0.0.0/8");
        let document = plan(
            &[("aws_security_group.web", group.clone()), ("aws_security_group_rule.ssh", before.clone())],
            &[
                same("aws_security_group.web", &group),
                change("aws_security_group_rule.ssh", action, before, after, json!({})),
            ],
            Value::Null,
        );
        let read = read_well(&document);
        assert_eq!(rule_keys(read.state.as_ref()), [SSH, WEB], "{action}");
        assert_eq!(rule_keys(read.proposed.as_ref()), expected, "{action}");
    }
}

#[test]
fn a_deposed_rule_goes_without_the_one_that_replaced_it() {
    let group = json!({ "id": "sg-1", "ingress": [ssh(), web()] });
    let mut deposed =
        change("aws_security_group_rule.x", "delete", rule(22, "10.0.0.0/8"), Value::Null, json!({}));
    deposed["deposed"] = json!("1a2b3c4d");
    let prior =
        [("aws_security_group.web", group.clone()), ("aws_security_group_rule.x", rule(443, "0.0.0.0/0"))];
    let changes = [same("aws_security_group.web", &group), same(prior[1].0, &prior[1].1), deposed];
    assert_eq!(rule_keys(read_well(&plan(&prior, &changes, Value::Null)).proposed.as_ref()), [WEB]);
}

/// A rule that the group did not repeat before the plan is written by the group itself.
#[test]
fn an_inline_rule_that_is_new_stays() {
    let before = json!({ "id": "sg-1", "ingress": [] });
    let after = json!({ "id": "sg-1", "ingress": [ssh()] });
    let document = plan(
        &[
            ("aws_security_group.web", before.clone()),
            ("aws_security_group_rule.ssh", rule(22, "10.0.0.0/8")),
        ],
        &[
            change("aws_security_group.web", "update", before, after, json!({})),
            change("aws_security_group_rule.ssh", "delete", rule(22, "10.0.0.0/8"), Value::Null, json!({})),
        ],
        Value::Null,
    );
    assert_eq!(rule_keys(read_well(&document).proposed.as_ref()), [SSH]);
}

#[test]
fn other_parts_take_their_repetitions_with_them_too() {
    let list = json!({ "id": "pl-1", "entry": [{ "cidr": "10.1.0.0/16" }, { "cidr": "10.2.0.0/16" }] });
    let entry = json!({ "prefix_list_id": "pl-1", "cidr": "10.2.0.0/16" });
    let eni = json!({ "id": "eni-1", "security_groups": ["sg-1", "sg-2"] });
    let attached = json!({ "network_interface_id": "eni-1", "security_group_id": "sg-2" });
    let inline = |number: u32| json!({ "rule_no": number, "action": "allow", "protocol": "-1", "cidr_block": "0.0.0.0/0" });
    let acl =
        json!({ "id": "acl-1", "ingress": [inline(1), inline(2)], "subnet_ids": ["subnet-1", "subnet-2"] });
    let acl_rule = json!({ "network_acl_id": "acl-1", "rule_number": 2, "egress": false, "rule_action": "allow",
        "protocol": "-1", "cidr_block": "0.0.0.0/0" });
    let association = json!({ "network_acl_id": "acl-1", "subnet_id": "subnet-2" });
    let wholes = [
        ("aws_ec2_managed_prefix_list.a", list),
        ("aws_network_interface.a", eni),
        ("aws_network_acl.a", acl),
    ];
    let parts = [
        ("aws_ec2_managed_prefix_list_entry.a", entry),
        ("aws_network_interface_sg_attachment.a", attached),
        ("aws_network_acl_rule.a", acl_rule),
        ("aws_network_acl_association.a", association),
    ];
    let prior: Vec<_> = wholes.iter().chain(&parts).cloned().collect();
    for (action, left) in [("delete", 1), ("no-op", 2), ("update", 2)] {
        let mut changes: Vec<_> = wholes.iter().map(|(address, values)| same(address, values)).collect();
        changes.extend(parts.iter().map(|(address, values)| {
            let after = if action == "delete" { Value::Null } else { values.clone() };
            change(address, action, values.clone(), after, json!({}))
        }));
        let read = read_well(&plan(&prior, &changes, Value::Null));
        for (objects, left) in [(read.state.unwrap(), 2), (read.proposed.unwrap(), left)] {
            let acl = &objects.acls.unwrap()[0];
            let counts = [
                objects.prefix_lists[0].1.len(),
                objects.interfaces.unwrap()[0].group_ids.len(),
                acl.entries.len(),
                acl.subnet_ids.len(),
            ];
            assert_eq!(counts, [left; 4], "{action}");
        }
    }
}

#[test]
fn what_the_plan_leaves_alone_stays() {
    let group = |id: &str| json!({ "id": id });
    let mut moved = same("aws_security_group.new", &group("sg-2"));
    moved["previous_address"] = json!("aws_security_group.old");
    let mut deposed = change("aws_security_group.main", "delete", group("sg-9"), Value::Null, json!({}));
    deposed["deposed"] = json!("1a2b3c4d");
    let mut document = plan(
        &[
            ("aws_security_group.main", group("sg-1")),
            ("aws_security_group.old", json!({ "id": "sg-2", "ingress": [ssh()] })),
            ("aws_security_group.untargeted", group("sg-3")),
            ("aws_security_group.forgotten", group("sg-4")),
        ],
        &[
            deposed,
            moved,
            change("aws_security_group.forgotten", "forget", group("sg-4"), Value::Null, json!({})),
        ],
        Value::Null,
    );
    let mut old = resource("aws_security_group.main", group("sg-9"));
    old["deposed_key"] = json!("1a2b3c4d");
    document["prior_state"]["values"]["root_module"]["resources"].as_array_mut().unwrap().push(old);
    let read = read_well(&document);
    let ids = |objects: Option<Objects>| -> Vec<String> {
        objects.unwrap().groups.unwrap().iter().map(|group| group.id.clone()).collect()
    };
    assert_eq!(ids(read.state), ["sg-1", "sg-2", "sg-3", "sg-4", "sg-9"]);
    assert!(rule_keys(read.proposed.as_ref()).is_empty(), "a moved resource is one");
    assert_eq!(ids(read.proposed), ["sg-1", "sg-2", "sg-3", "sg-4"]);
}

#[test]
fn a_first_plan_has_no_state() {
    let after = json!({ "ingress": [web()], "name": "web" });
    let unknown = json!({ "id": true, "arn": true, "egress": true, "vpc_id": true, "ingress": [{ "cidr_blocks": [false] }] });
    let mut document = plan(
        &[],
        &[
            change("aws_security_group.web", "create", Value::Null, after, unknown),
            change("aws_s3_bucket.logs", "create", Value::Null, json!({}), json!({ "id": true })),
        ],
        Value::Null,
    );
    document.as_object_mut().unwrap().remove("prior_state");
    let read = read_well(&document);
    assert_eq!((read.state.as_ref(), read.others), (None, 1));
    assert_eq!(rule_keys(read.proposed.as_ref()), ["aws_security_group.web:ingress:tcp:443-443:0.0.0.0/0"]);
    assert_eq!(super::unknown(&read), ["aws_security_group.web egress Inline"]);
    // Planned values alone say the same, but not what is unknown.
    document.as_object_mut().unwrap().remove("resource_changes");
    let alone = read_well(&document);
    assert_eq!(alone.proposed, read.proposed);
    assert!(alone.unknown.is_empty());
}

#[test]
fn an_unknown_part_of_a_rule_keeps_the_rule_out_and_is_told() {
    let known = rule(22, "10.0.0.0/8");
    let cases = [
        (json!({ "security_group_id": true }), vec![], "security_group_id"),
        (json!({ "type": true }), vec![], "type"),
        (json!({ "protocol": true }), vec![], "protocol"),
        (json!({ "from_port": true }), vec![], "from_port"),
        (json!({ "to_port": true }), vec![], "to_port"),
        (json!({ "cidr_blocks": true }), vec![], "cidr_blocks"),
        (json!({ "cidr_blocks": [false, true] }), vec![SSH], "cidr_blocks"),
        (json!({ "ipv6_cidr_blocks": true }), vec![SSH], "ipv6_cidr_blocks"),
        (json!({ "prefix_list_ids": [true] }), vec![SSH], "prefix_list_ids"),
        (json!({ "self": true }), vec![SSH], "self"),
    ];
    for (after_unknown, expected, attribute) in cases {
        let create = change("aws_security_group_rule.x", "create", Value::Null, known.clone(), after_unknown);
        let read = read_well(&plan(&[], &[create], Value::Null));
        assert_eq!(rule_keys(read.proposed.as_ref()), expected, "{attribute}");
        assert_eq!(unknown(&read), [format!("aws_security_group_rule.x {attribute} Rule")]);
    }
    let vpc_rule =
        json!({ "security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 22, "to_port": 22 });
    for attribute in
        ["cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id", "ip_protocol"]
    {
        let address = "aws_vpc_security_group_ingress_rule.x";
        let create = change(address, "create", Value::Null, vpc_rule.clone(), json!({ attribute: true }));
        let read = read_well(&plan(&[], &[create], Value::Null));
        assert!(rule_keys(read.proposed.as_ref()).is_empty());
        assert_eq!(unknown(&read), [format!("{address} {attribute} Rule")]);
    }
}

#[test]
fn an_unknown_part_of_an_inline_rule_is_told_with_its_place() {
    let group = json!({ "id": "sg-1", "ingress": [web(), inline("tcp", 22, 22, json!({ "cidr_blocks": ["10.0.0.0/8", null] }))] });
    let cases = [
        (
            json!({ "ingress": [{}, { "security_groups": true }] }),
            vec![SSH, WEB],
            "ingress[1].security_groups",
        ),
        (
            json!({ "ingress": [{}, { "cidr_blocks": [false, true] }] }),
            vec![SSH, WEB],
            "ingress[1].cidr_blocks",
        ),
        (json!({ "ingress": [{}, { "to_port": true }] }), vec![WEB], "ingress[1].to_port"),
        (json!({ "ingress": [{}, true] }), vec![WEB], "ingress[1].protocol"),
    ];
    for (after_unknown, expected, attribute) in cases {
        let update = change("aws_security_group.web", "update", json!({}), group.clone(), after_unknown);
        let read = read_well(&plan(&[], &[update], Value::Null));
        assert_eq!(rule_keys(read.proposed.as_ref()), expected, "{attribute}");
        let line = format!("aws_security_group.web {attribute} Rule");
        assert!(unknown(&read).contains(&line), "{:?}", unknown(&read));
    }
}

/// `source_security_group_id` is computed: unknown also where the rule names address ranges.
#[test]
fn a_computed_source_is_no_source() {
    let unknown_source = json!({ "source_security_group_id": true, "id": true });
    let peers = |peers: Value| {
        let mut rule = rule(22, "10.0.0.0/8");
        rule["cidr_blocks"] = json!([]);
        rule.as_object_mut().unwrap().extend(peers.as_object().unwrap().clone());
        rule
    };
    let writes = |expressions: Value| {
        json!({ "root_module": { "resources": [{ "address": "aws_security_group_rule.x", "mode": "managed",
                "type": "aws_security_group_rule", "name": "x", "expressions": expressions }] } })
    };
    let source = writes(json!({ "source_security_group_id": { "references": ["local.group"] } }));
    let cases = [
        (json!({ "cidr_blocks": ["10.0.0.0/8"] }), Value::Null, 1, false),
        (json!({ "self": true }), Value::Null, 1, false),
        (json!({ "prefix_list_ids": ["pl-1"] }), Value::Null, 1, true),
        (json!({ "prefix_list_ids": ["pl-1"] }), writes(json!({})), 1, false),
        (json!({ "prefix_list_ids": ["pl-1"] }), source.clone(), 1, true),
        (json!({}), Value::Null, 0, true),
        (json!({}), writes(json!({})), 0, true),
        (json!({}), source, 0, true),
    ];
    for (own, configuration, rules, is_told) in cases {
        let create = change(
            "aws_security_group_rule.x",
            "create",
            Value::Null,
            peers(own.clone()),
            unknown_source.clone(),
        );
        let read = read_well(&plan(&[], &[create], configuration));
        assert_eq!(rule_keys(read.proposed.as_ref()).len(), rules, "{own}");
        assert_eq!(!read.unknown.is_empty(), is_told, "{own}");
    }
}

#[test]
fn what_would_be_wrong_in_part_is_left_out_as_a_whole() {
    let changed = |address: &str, after: Value, after_unknown: Value| {
        change(address, "update", json!({}), after, after_unknown)
    };
    let document = plan(
        &[],
        &[
            changed(
                "aws_network_interface.a",
                json!({ "id": "eni-1", "security_groups": ["sg-1", null] }),
                json!({ "security_groups": [false, true] }),
            ),
            changed(
                "aws_instance.a",
                json!({ "id": "i-1", "primary_network_interface_id": "eni-1", "vpc_security_group_ids": ["sg-1"] }),
                json!({}),
            ),
            changed(
                "aws_network_interface_sg_attachment.a",
                json!({ "network_interface_id": "eni-1", "security_group_id": "sg-2" }),
                json!({}),
            ),
            changed(
                "aws_instance.new",
                json!({}),
                json!({ "id": true, "primary_network_interface_id": true }),
            ),
            changed("aws_network_acl.a", json!({ "id": "acl-1" }), json!({ "ingress": true })),
            changed(
                "aws_network_acl_rule.a",
                json!({ "network_acl_id": "acl-1", "rule_number": 1, "rule_action": "allow", "protocol": "-1" }),
                json!({ "cidr_block": true }),
            ),
            changed(
                "aws_ec2_managed_prefix_list.a",
                json!({ "id": "pl-1", "entry": [{ "cidr": "10.0.0.0/8" }, {}] }),
                json!({ "entry": [{}, { "cidr": true }] }),
            ),
            changed(
                "aws_subnet.a",
                json!({ "id": "subnet-1", "cidr_block": "10.0.0.0/24" }),
                json!({ "ipv6_cidr_block": true }),
            ),
            changed("aws_vpc.a", json!({ "id": "vpc-1" }), json!({ "cidr_block": true })),
        ],
        Value::Null,
    );
    let read = read_well(&document);
    assert_eq!(
        unknown(&read),
        [
            "aws_ec2_managed_prefix_list.a entry[1].cidr PrefixList",
            "aws_instance.new primary_network_interface_id Interface",
            "aws_network_acl.a ingress Inline",
            "aws_network_acl_rule.a cidr_block Acl",
            "aws_network_interface.a security_groups Interface",
            "aws_subnet.a ipv6_cidr_block Range",
            "aws_vpc.a cidr_block Range",
        ]
    );
    let objects = read.proposed.unwrap();
    assert_eq!(
        (objects.interfaces, objects.acls, objects.subnets),
        (Some(List::default()), Some(List::default()), Some(List::default()))
    );
    assert!(objects.prefix_lists.is_empty() && objects.vpcs.is_empty());
}

/// What is left out because it is new does not claim that there are no others.
#[test]
fn a_new_interface_of_unknown_groups_claims_nothing() {
    let unknown = json!({ "id": true, "security_groups": true });
    let create = change("aws_network_interface.a", "create", Value::Null, json!({}), unknown);
    let read = read_well(&plan(&[], &[create], Value::Null));
    assert_eq!(read.proposed, Some(Objects::default()));
    assert_eq!(super::unknown(&read), ["aws_network_interface.a security_groups Interface"]);
}

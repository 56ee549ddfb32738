use super::*;

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

//! Rules authorized, revoked and modified, in every form.

use serde_json::{Value, json};

use super::{line, told};
use crate::flow::Direction;
use crate::rules::change::What;

fn nested(permission: &Value) -> Value {
    json!({"groupId": "sg-1", "ipPermissions": {"items": [permission]}})
}

#[test]
fn a_nested_request_makes_a_rule_of_every_peer() {
    let done = json!({"requestId": "r", "_return": true});
    let empty = |ranges: Value, protocol: Value, from: Value, to: Value| {
        nested(
            &json!({"ipProtocol": protocol, "fromPort": from, "toPort": to, "groups": {}, "ipv6Ranges": {}, "prefixListIds": {}, "ipRanges": ranges}),
        )
    };
    let world = || json!({"items": [{"cidrIp": "0.0.0.0/0"}]});
    let cases = [
        (empty(world(), json!("tcp"), json!(22), json!(22)), "sg-1:ingress:tcp:22-22:0.0.0.0/0"),
        (empty(world(), json!("tcp"), json!("22"), json!("80")), "sg-1:ingress:tcp:22-80:0.0.0.0/0"),
        (empty(world(), json!("-1"), json!(0), json!(0)), "sg-1:ingress:-1:-1--1:0.0.0.0/0"),
        (empty(world(), json!(-1), json!(-1), json!(-1)), "sg-1:ingress:-1:-1--1:0.0.0.0/0"),
        (empty(world(), json!("17"), json!(53), json!(53)), "sg-1:ingress:udp:53-53:0.0.0.0/0"),
        (empty(world(), json!("icmp"), json!(8), json!(-1)), "sg-1:ingress:icmp:8--1:0.0.0.0/0"),
        (
            empty(json!({"item": {"cidrIp": "192.0.2.9/24"}}), json!("tcp"), json!(1), json!(2)),
            "sg-1:ingress:tcp:1-2:192.0.2.0/24",
        ),
        (empty(json!(["192.0.2.1"]), json!("tcp"), json!(1), json!(2)), "sg-1:ingress:tcp:1-2:192.0.2.1/32"),
        (
            empty(json!([{"cidrIp": "192.0.2.0/33"}]), json!("tcp"), json!(1), json!(2)),
            "sg-1:ingress:tcp:1-2:192.0.2.0/33",
        ),
        (
            nested(
                &json!({"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "ipRanges": {"items": [{"cidrIp": "192.0.2.0/24"}, {"cidrIp": "198.51.100.0/24"}]},
                "ipv6Ranges": {"items": [{"cidrIpv6": "2001:db8:0::/32"}]}, "prefixListIds": {"items": [{"prefixListId": "pl-1"}]},
                "groups": {"items": [{"groupId": "sg-2", "userId": "333333333333"}, {"groupId": "333333333333/sg-3"}]}}),
            ),
            "sg-1:ingress:tcp:443-443:192.0.2.0/24 sg-1:ingress:tcp:443-443:198.51.100.0/24 sg-1:ingress:tcp:443-443:2001:db8::/32 \
             sg-1:ingress:tcp:443-443:pl-1 sg-1:ingress:tcp:443-443:sg-2 sg-1:ingress:tcp:443-443:sg-3",
        ),
    ];
    for (request, rules) in cases {
        let other_way = rules.replace("ingress", "egress");
        assert_eq!(line("AuthorizeSecurityGroupIngress", &request, &done), format!("sg-1 + {rules}"));
        assert_eq!(line("AuthorizeSecurityGroupEgress", &request, &done), format!("sg-1 + {other_way}"));
        assert_eq!(line("RevokeSecurityGroupIngress", &request, &done), format!("sg-1 - {rules}"));
        assert_eq!(line("RevokeSecurityGroupEgress", &request, &json!(null)), format!("sg-1 - {other_way}"));
    }
}

#[test]
fn the_flat_form_is_a_rule_too() {
    let flat = |cidr: &str| json!({"groupId": "sg-1", "ipPermissions": {}, "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIp": cidr});
    let by_name = json!({"groupId": "sg-1", "sourceSecurityGroupName": "web", "sourceSecurityGroupOwnerId": "111111111111"});
    let cases = [
        (flat("198.51.100.7/0"), "sg-1 + sg-1:ingress:tcp:22-22:0.0.0.0/0"),
        (flat("2001:db8::/48"), "sg-1 + sg-1:ingress:tcp:22-22:2001:db8::/48"),
        (by_name, "odd: expected the id of a group, found only sourceSecurityGroupName \"web\""),
    ];
    for (request, expected) in cases {
        assert_eq!(line("AuthorizeSecurityGroupIngress", &request, &json!({"_return": true})), expected);
    }
    assert_eq!(
        line("RevokeSecurityGroupIngress", &flat("0.0.0.0/0"), &json!({"_return": true})),
        "sg-1 - sg-1:ingress:tcp:22-22:0.0.0.0/0"
    );
}

fn answered(member: &str, value: Value) -> Value {
    let mut rule = json!({"groupOwnerId": "111111111111", "groupId": "sg-1", "securityGroupRuleId": "sgr-1", "isEgress": false,
        "ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432});
    rule[member] = value;
    rule
}

#[test]
fn the_response_goes_before_the_request() {
    let request = json!({"groupName": "web", "cidrIp": "192.0.2.77/8", "ipProtocol": "6", "fromPort": 5432, "toPort": 5432});
    let peers = [
        ("cidrIpv4", json!("192.0.0.0/8"), "192.0.0.0/8"),
        ("cidrIpv6", json!("::/0"), "::/0"),
        ("prefixListId", json!("pl-1"), "pl-1"),
        ("referencedGroupId", json!("sg-2"), "sg-2"),
        ("referencedGroupInfo", json!({"groupId": "sg-2", "userId": "333333333333"}), "sg-2"),
    ];
    for (member, value, peer) in peers {
        let rule = answered(member, value);
        let key = format!("sg-1:ingress:tcp:5432-5432:{peer}=sgr-1");
        let authorized = json!({"_return": true, "securityGroupRuleSet": {"items": [rule]}});
        assert_eq!(line("AuthorizeSecurityGroupIngress", &request, &authorized), format!("sg-1 + {key}"));
        let revoked = json!({"_return": true, "revokedSecurityGroupRuleSet": {"items": [rule]}});
        assert_eq!(line("RevokeSecurityGroupIngress", &request, &revoked), format!("sg-1 - {key}"));
    }
    let out = json!({"securityGroupRuleSet": [{"isEgress": true, "groupId": "sg-1", "ipProtocol": "-1", "fromPort": -1, "toPort": -1, "cidrIpv4": "0.0.0.0/0"}]});
    assert_eq!(
        line("AuthorizeSecurityGroupEgress", &json!({}), &out),
        "sg-1 + sg-1:egress:-1:-1--1:0.0.0.0/0"
    );
}

#[test]
fn labels_of_rules_are_kept() {
    let mut rule = answered("cidrIpv4", json!("192.0.2.0/24"));
    rule["description"] = json!("database");
    rule["tagSet"] = json!({"items": [{"key": "team", "value": true}]});
    let response = json!({"securityGroupRuleSet": {"items": [rule]}});
    let request = nested(
        &json!({"ipProtocol": "tcp", "fromPort": 1, "toPort": 2, "ipRanges": {"items": [{"cidrIp": "192.0.2.0/24", "description": "old"}]}}),
    );
    for (response, description, tags, owner) in [
        (response, "database", vec![("team".to_owned(), "true".to_owned())], "111111111111"),
        (json!(null), "old", Vec::new(), "111111111111"),
    ] {
        let told = told("AuthorizeSecurityGroupIngress", &request, &response);
        let What::RulesAuthorized { rules, .. } = &told.changes[0].what else { panic!("{told:?}") };
        assert_eq!(rules[0].description.as_deref(), Some(description));
        assert_eq!(
            (&rules[0].tags, rules[0].owner_id.as_str(), rules[0].region.as_str()),
            (&tags, owner, "eu-west-1")
        );
    }
}

#[test]
fn rules_may_be_revoked_by_id() {
    let forms = [
        json!({"securityGroupRuleIds": {"items": ["sgr-1", "sgr-2"]}}),
        json!({"securityGroupRuleIds": {"items": [{"securityGroupRuleId": "sgr-1"}, {"securityGroupRuleId": "sgr-2"}]}}),
        json!({"securityGroupRuleIds": {"item": [{"securityGroupRuleId": "sgr-1"}, {"securityGroupRuleId": "sgr-2"}]}}),
        json!({"securityGroupRuleIds": {"SecurityGroupRuleId": ["sgr-1", "sgr-2"]}}),
        json!({"securityGroupRuleIds": ["sgr-1", "sgr-2"]}),
        json!({"SecurityGroupRuleId": [{"tag": 1, "content": "sgr-1"}, {"tag": 2, "content": "sgr-2"}]}),
    ];
    for mut request in forms {
        request["groupId"] = json!("sg-1");
        request["ipPermissions"] = json!({});
        assert_eq!(
            line("RevokeSecurityGroupEgress", &request, &json!({"_return": true})),
            "sg-1 -  sgr-1 sgr-2"
        );
    }
    let one = json!({"groupId": "sg-1", "securityGroupRuleIds": {"SecurityGroupRuleId": "sgr-1"}});
    assert_eq!(line("RevokeSecurityGroupIngress", &one, &json!(null)), "sg-1 -  sgr-1");
    let bare = json!({"revokedSecurityGroupRuleSet": {"items": [{"securityGroupRuleId": "sgr-9", "groupId": "sg-1"}, answered("cidrIpv4", json!("192.0.2.0/24"))]}});
    assert_eq!(
        line("RevokeSecurityGroupIngress", &one, &bare),
        "sg-1 - sg-1:ingress:tcp:5432-5432:192.0.2.0/24=sgr-1 sgr-9"
    );
}

#[test]
fn what_a_revocation_did_not_find_was_not_revoked() {
    let range = |cidr: &str| json!({"items": [{"cidrIp": cidr}]});
    let permission =
        |cidr: &str| json!({"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": range(cidr)});
    let request = json!({"groupId": "sg-1", "ipPermissions": {"items": [permission("192.0.2.0/24"), permission("198.51.100.0/24")]}});
    let one = json!({"_return": true, "unknownIpPermissionSet": {"items": [permission("192.0.2.0/24")]}});
    let both = json!({"_return": true, "unknownIpPermissionSet": {"items": [permission("192.0.2.0/24"), permission("198.51.100.0/24")]}});
    assert_eq!(
        line("RevokeSecurityGroupIngress", &request, &one),
        "sg-1 - sg-1:ingress:tcp:22-22:198.51.100.0/24"
    );
    assert_eq!(line("RevokeSecurityGroupIngress", &request, &both), "other");
}

#[test]
fn modified_rules_keep_their_direction() {
    let update =
        |id: &str, rule: Value| json!({"SecurityGroupRuleId": id, "tag": 1, "SecurityGroupRule": rule});
    let wrapped = |updates: Value| json!({"ModifySecurityGroupRulesRequest": {"GroupId": "sg-1", "SecurityGroupRule": updates}});
    let tcp = |peer: &str, value: &str| json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": "443", peer: value, "Description": "tls"});
    let done = json!({"ModifySecurityGroupRulesResponse": {"xmlns": "http://ec2.amazonaws.com/doc/2016-11-15/", "return": true}});
    let requests = [
        (wrapped(update("sgr-1", tcp("CidrIpv4", "192.0.2.1/24"))), "192.0.2.0/24"),
        (wrapped(json!([update("sgr-1", tcp("CidrIpv6", "2001:db8::/32"))])), "2001:db8::/32"),
        (wrapped(update("sgr-1", tcp("PrefixListId", "pl-1"))), "pl-1"),
        (wrapped(update("sgr-1", tcp("ReferencedGroupId", "333333333333/sg-2"))), "sg-2"),
        (
            json!({"groupId": "sg-1", "securityGroupRules": {"items": [update("sgr-1", tcp("cidrIpv4", "192.0.2.0/24"))]}}),
            "192.0.2.0/24",
        ),
    ];
    for (request, peer) in requests {
        let told = told("ModifySecurityGroupRules", &request, &done);
        let What::RuleModified(rule) = &told.changes[0].what else { panic!("{told:?}") };
        assert_eq!((rule.rule_id.as_str(), rule.description.as_deref()), ("sgr-1", Some("tls")));
        assert_eq!(rule.directed(Direction::Egress).key(), format!("sg-1:egress:tcp:443-443:{peer}"));
    }
    let two = wrapped(json!([
        update("sgr-1", tcp("CidrIpv4", "192.0.2.0/24")),
        update("sgr-2", tcp("CidrIpv4", "192.0.2.0/24"))
    ]));
    assert_eq!(told("ModifySecurityGroupRules", &two, &done).changes.len(), 2);
}

#[test]
fn calls_that_cannot_be_understood_say_why() {
    let ranged =
        |ranges: Value| nested(&json!({"ipProtocol": "tcp", "fromPort": 1, "toPort": 1, "ipRanges": ranges}));
    let ports = |from: Value| {
        nested(&json!({"ipProtocol": "tcp", "fromPort": from, "toPort": 1, "ipRanges": ["192.0.2.0/24"]}))
    };
    let modify = |inner: Value| json!({"ModifySecurityGroupRulesRequest": {"GroupId": "sg-1", "SecurityGroupRule": inner}});
    let cases = [
        (
            "AuthorizeSecurityGroupIngress",
            json!({"groupName": "web", "cidrIp": "192.0.2.0/24"}),
            "expected groupId, found only groupName \"web\"",
        ),
        ("AuthorizeSecurityGroupIngress", json!({"groupId": ["sg-1"]}), "expected groupId, found an array"),
        (
            "AuthorizeSecurityGroupIngress",
            json!({"groupId": "sg-1", "ipPermissions": {}}),
            "expected ipPermissions or securityGroupRuleSet, found nothing",
        ),
        ("AuthorizeSecurityGroupEgress", ranged(json!([{}])), "expected cidrIp, found nothing"),
        ("AuthorizeSecurityGroupEgress", ranged(json!([7])), "expected cidrIp, found a number"),
        (
            "AuthorizeSecurityGroupEgress",
            nested(&json!({"fromPort": 1, "ipRanges": {}})),
            "expected ipProtocol, found nothing",
        ),
        (
            "AuthorizeSecurityGroupEgress",
            ports(json!("ssh")),
            "expected fromPort to be a whole number, found \"ssh\"",
        ),
        (
            "AuthorizeSecurityGroupEgress",
            ports(json!({"a": 1})),
            "expected fromPort to be a whole number, found an object",
        ),
        (
            "AuthorizeSecurityGroupEgress",
            ports(json!(70000)),
            "sg-1: FromPort: expected -1 to 65535, found 70000",
        ),
        (
            "RevokeSecurityGroupEgress",
            json!({"groupId": "sg-1"}),
            "expected ipPermissions or securityGroupRuleIds, found nothing",
        ),
        (
            "RevokeSecurityGroupEgress",
            json!({"groupId": "sg-1", "securityGroupRuleIds": [1]}),
            "expected securityGroupRuleId, found a number",
        ),
        ("ModifySecurityGroupRules", modify(json!({})), "expected SecurityGroupRule, found nothing"),
        (
            "ModifySecurityGroupRules",
            modify(json!({"tag": 1, "SecurityGroupRule": {}})),
            "expected securityGroupRuleId, found nothing",
        ),
        (
            "ModifySecurityGroupRules",
            modify(json!({"tag": 1, "SecurityGroupRuleId": "sgr-1"})),
            "sgr-1: expected SecurityGroupRule, found nothing",
        ),
        (
            "ModifySecurityGroupRules",
            modify(json!({"SecurityGroupRuleId": "sgr-1", "SecurityGroupRule": {"IpProtocol": "tcp"}})),
            "expected cidrIpv4, cidrIpv6, prefixListId or referencedGroupId, found none",
        ),
    ];
    for (name, request, expected) in cases {
        assert_eq!(line(name, &request, &json!({"_return": true})), format!("odd: {expected}"), "{request}");
    }
}

//! `aws ec2 revoke-security-group-ingress` and its kin, by content: a rule that has changed since is not found.
//!
//! Source: <https://docs.aws.amazon.com/cli/latest/reference/ec2/revoke-security-group-ingress.html>.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::shell::Command;
use super::{Deed, Impossible, Subject};
use crate::flow::{Direction, ICMP, ICMPV6};
use crate::rules::{Peer, RuleProtocol};
use ipnet::IpNet;

pub(super) fn command(subject: &Subject<'_>, deed: Deed) -> Result<Command, Impossible> {
    let rule = subject.rule;
    let call = match (deed, rule.direction) {
        (Deed::Revoke, Direction::Ingress) => "revoke-security-group-ingress",
        (Deed::Revoke, Direction::Egress) => "revoke-security-group-egress",
        (Deed::Authorize, Direction::Ingress) => "authorize-security-group-ingress",
        (Deed::Authorize, Direction::Egress) => "authorize-security-group-egress",
    };
    let permission = Value::Array(vec![permission(subject, deed)?]);
    let command = Command::new(&["aws", "ec2", call])
        .option_if("--region", &subject.group.region)
        .option("--group-id", &rule.group_id)
        .option("--ip-permissions", &escaped(&permission.to_string()));
    // Those that begin so are AWS's own, and nobody else may set them.
    let tags: Vec<_> = subject.label.tags.iter().filter(|(key, _)| !key.starts_with("aws:")).collect();
    if deed == Deed::Revoke || tags.is_empty() {
        return Ok(command);
    }
    let tags: Vec<Value> =
        tags.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    let tags = json!([{ "ResourceType": "security-group-rule", "Tags": tags }]);
    Ok(command.option("--tag-specifications", &escaped(&tags.to_string())))
}

/// JSON has escapes for what is no ASCII, and what a terminal should not see.
fn escaped(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && !c.is_ascii_control() {
            safe.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        }
    }
    safe
}

fn permission(subject: &Subject<'_>, deed: Deed) -> Result<Value, Impossible> {
    let rule = subject.rule;
    let mut permission = Map::new();
    permission.insert("IpProtocol".to_owned(), json!(rule.protocol.aws_word()));
    let icmp = matches!(rule.protocol, RuleProtocol::Number(ICMP | ICMPV6));
    let port = |port: Option<u16>| port.map_or(-1, i32::from);
    if icmp || rule.from_port.is_some() || rule.to_port.is_some() {
        permission.insert("FromPort".to_owned(), json!(port(rule.from_port)));
        permission.insert("ToPort".to_owned(), json!(port(rule.to_port)));
    }
    let mut source = Map::new();
    let list = match &rule.peer {
        Peer::Cidr(IpNet::V4(net)) => {
            source.insert("CidrIp".to_owned(), json!(net.to_string()));
            "IpRanges"
        }
        Peer::Cidr(IpNet::V6(net)) => {
            source.insert("CidrIpv6".to_owned(), json!(net.to_string()));
            "Ipv6Ranges"
        }
        Peer::Group(group) => {
            source.insert("GroupId".to_owned(), json!(group));
            if let Some(owner) = subject.other_owner(group)? {
                source.insert("UserId".to_owned(), json!(owner));
            }
            "UserIdGroupPairs"
        }
        Peer::PrefixList(list) => {
            source.insert("PrefixListId".to_owned(), json!(list));
            "PrefixListIds"
        }
        Peer::BadCidr(_) => return Err("its address range is none"),
    };
    let about = subject.label.description.as_deref().filter(|about| !about.is_empty());
    if let (Deed::Authorize, Some(about)) = (deed, about) {
        source.insert("Description".to_owned(), json!(about));
    }
    permission.insert(list.to_owned(), json!([source]));
    Ok(Value::Object(permission))
}

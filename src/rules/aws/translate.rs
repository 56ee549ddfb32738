//! Interfaces, ACLs, subnets, VPCs and flow logs: one JSON object → one of our nouns.

use std::net::IpAddr;

use serde_json::Value;

use super::json::{AclEntryJson, AclJson, FlowLogJson, InterfaceJson, SubnetJson, VpcJson};
use super::net;
use crate::flow::{Direction, Seconds};
use crate::rules::state::{AclAction, AclEntry, Cloud, FlowLog, Interface, NetworkAcl, Subnet};
use crate::rules::{RuleProtocol, parse_net};

impl InterfaceJson {
    pub(super) fn translate(self) -> Result<Interface, String> {
        let id = self.network_interface_id;
        let mut addresses = Vec::new();
        let mut public = Vec::new();
        let mut written =
            vec![("PrivateIpAddress", self.private_ip_address), ("Ipv6Address", self.ipv6_address)];
        let mut associations: Vec<_> = self.association.into_iter().collect();
        for entry in self.private_ip_addresses {
            written.push(("PrivateIpAddress", entry.private_ip_address));
            associations.extend(entry.association);
        }
        written.extend(self.ipv6_addresses.into_iter().map(|entry| ("Ipv6Address", entry.ipv6_address)));
        for (key, text) in written.iter().filter(|(_, text)| !text.is_empty()) {
            addresses.push(address(&id, key, text)?);
        }
        for association in associations.iter().filter(|association| !association.public_ip.is_empty()) {
            public.push(address(&id, "PublicIp", &association.public_ip)?);
        }
        for list in [&mut addresses, &mut public] {
            let mut seen = std::collections::BTreeSet::new();
            list.retain(|address| seen.insert(*address));
        }
        let v4 = self.ipv4_prefixes.iter().map(|prefix| ("Ipv4Prefix", &prefix.ipv4_prefix));
        let v6 = self.ipv6_prefixes.iter().map(|prefix| ("Ipv6Prefix", &prefix.ipv6_prefix));
        let prefixes = v4.chain(v6).map(|(key, text)| net(&id, key, text)).collect::<Result<_, _>>()?;
        Ok(Interface {
            id,
            addresses,
            prefixes,
            public_addresses: public,
            group_ids: self.groups.into_iter().map(|group| group.group_id).collect(),
            subnet_id: self.subnet_id,
            vpc_id: self.vpc_id,
            owner_id: self.owner_id,
            region: zone_region(&self.availability_zone),
            // The SDK's list of types has natGateway, the API answers nat_gateway.
            interface_type: if self.interface_type == "natGateway" {
                "nat_gateway".to_owned()
            } else {
                self.interface_type
            },
            description: self.description,
            requester_id: self.requester_id,
            requester_managed: self.requester_managed,
            instance_id: self.attachment.map(|attachment| attachment.instance_id).unwrap_or_default(),
            cloud: Cloud::Aws,
        })
    }
}

impl AclJson {
    pub(super) fn translate(self) -> Result<NetworkAcl, String> {
        let mut entries = Vec::new();
        for entry in &self.entries {
            entries.push(translate_entry(&self.network_acl_id, entry)?);
        }
        entries.sort_by_key(|entry: &AclEntry| entry.number);
        Ok(NetworkAcl {
            id: self.network_acl_id,
            vpc_id: self.vpc_id,
            owner_id: self.owner_id,
            subnet_ids: self.associations.into_iter().map(|association| association.subnet_id).collect(),
            entries,
        })
    }
}

fn translate_entry(acl: &str, entry: &AclEntryJson) -> Result<AclEntry, String> {
    let number = entry.rule_number;
    let bad = |key: &str, expected: &str, found: &str| {
        format!("{acl}: entry {number}: {key}: expected {expected}, found \"{found}\"")
    };
    let range = entry.cidr_block.as_deref().or(entry.ipv6_cidr_block.as_deref()).unwrap_or_default();
    let protocol = match RuleProtocol::parse(&entry.protocol) {
        RuleProtocol::All => None,
        RuleProtocol::Number(number) => Some(number),
        RuleProtocol::Unknown(word) => return Err(bad("Protocol", "-1 or a number", &word)),
    };
    let ports = match &entry.port_range {
        None => None,
        Some(range) => {
            let port = |port: i64| {
                u16::try_from(port).map_err(|_| bad("PortRange", "0 to 65535", &port.to_string()))
            };
            if range.from == -1 { None } else { Some((port(range.from)?, port(range.to)?)) }
        }
    };
    Ok(AclEntry {
        number,
        direction: if entry.egress { Direction::Egress } else { Direction::Ingress },
        action: match entry.rule_action.as_str() {
            "allow" => AclAction::Allow,
            "deny" => AclAction::Deny,
            other => return Err(bad("RuleAction", "allow or deny", other)),
        },
        protocol,
        net: parse_net(range).ok_or_else(|| bad("CidrBlock", "an address range", range))?,
        ports: if matches!(protocol, Some(crate::flow::TCP | crate::flow::UDP)) { ports } else { None },
        icmp: entry
            .icmp_type_code
            .as_ref()
            .filter(|_| matches!(protocol, Some(crate::flow::ICMP | crate::flow::ICMPV6)))
            .and_then(|icmp| Some((icmp.r#type.filter(|kind| *kind != -1)?, icmp.code.unwrap_or(-1)))),
    })
}

impl SubnetJson {
    pub(super) fn translate(self) -> Result<Subnet, String> {
        let v6 = self.ipv6_cidr_block_association_set.iter().map(|set| &set.ipv6_cidr_block);
        let texts = std::iter::once(&self.cidr_block).chain(v6).filter(|text| !text.is_empty());
        let ranges = texts.map(|text| net(&self.subnet_id, "CidrBlock", text)).collect::<Result<_, _>>()?;
        Ok(Subnet { id: self.subnet_id, vpc_id: self.vpc_id, owner_id: self.owner_id, ranges })
    }
}

impl VpcJson {
    pub(super) fn translate(self) -> Result<(String, Vec<ipnet::IpNet>), String> {
        let others = self.cidr_block_association_set.iter().map(|association| &association.cidr_block);
        let texts = std::iter::once(&self.cidr_block).chain(others).filter(|text| !text.is_empty());
        let ranges = texts.map(|text| net(&self.vpc_id, "CidrBlock", text)).collect::<Result<_, _>>()?;
        Ok((self.vpc_id, ranges))
    }
}

impl FlowLogJson {
    pub(super) fn translate(self) -> FlowLog {
        FlowLog {
            id: self.flow_log_id,
            resource_id: self.resource_id,
            traffic_type: self.traffic_type,
            status: self.flow_log_status,
            log_format: self.log_format,
            delivery_error: self.deliver_logs_error_message,
            delivery_status: self.deliver_logs_status,
            created: moment(&self.creation_time),
            aggregation: self.max_aggregation_interval.as_u64().and_then(|seconds| seconds.try_into().ok()),
        }
    }
}

/// A time as the AWS CLI writes it, or an SDK: text in one of several shapes, or seconds since 1970. It only tells how old
/// something is, so one that cannot be read is no reason to leave the document aside.
fn moment(value: &Value) -> Option<Seconds> {
    match value {
        Value::String(text) => crate::time::parse(text),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole seconds; what is too large saturates and is left out"
        )]
        Value::Number(number) => {
            number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64)).filter(|at| {
                // Later than the year 9999: milliseconds, or no time at all.
                (0..=253_402_300_799).contains(at)
            })
        }
        _ => None,
    }
}

fn address(owner: &str, key: &str, text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{owner}: {key}: expected an IP address, found \"{text}\""))
}

/// The region of an availability zone: `us-east-1a` and the local zone `us-west-2-lax-1a` alike.
fn zone_region(zone: &str) -> String {
    let mut parts = zone.splitn(4, '-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(a), Some(b), Some(c)) => {
            format!("{a}-{b}-{}", c.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::rules::aws::Objects;
    use crate::rules::state::FlowLog;

    fn flow_log(keys: &serde_json::Value) -> FlowLog {
        let mut item = json!({ "FlowLogId": "fl-1", "ResourceId": "vpc-1", "TrafficType": "ALL" });
        item.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        let mut objects = Objects::default();
        objects.add(&json!({ "FlowLogs": [item] }), None).unwrap();
        objects.flow_logs.pop().unwrap()
    }

    #[test]
    fn a_flow_log_tells_since_when_and_how_often() {
        let read = flow_log(&json!({
            "CreationTime": "2026-01-31T10:20:30.123000+00:00", "MaxAggregationInterval": 600,
            "DeliverLogsStatus": "FAILED", "DeliverLogsErrorMessage": "Access error",
        }));
        let expected = FlowLog {
            id: "fl-1".to_owned(),
            resource_id: "vpc-1".to_owned(),
            traffic_type: "ALL".to_owned(),
            delivery_status: "FAILED".to_owned(),
            delivery_error: "Access error".to_owned(),
            created: Some(1_769_854_830),
            aggregation: Some(600),
            ..FlowLog::default()
        };
        assert_eq!(read, expected);
        assert!(read.failed_to_deliver());
        assert!(!flow_log(&json!({ "DeliverLogsStatus": "SUCCESS" })).failed_to_deliver());
    }

    #[test]
    fn times_and_intervals_of_other_shapes_are_read_or_left_out() {
        let at = Some(1_769_854_830);
        let cases = [
            (json!("2026-01-31T10:20:30Z"), at),
            (json!("2026-01-31 10:20:30+00:00"), at),
            (json!("2026-01-31T12:20:30+02:00"), at),
            (json!(1_769_854_830), at),
            (json!(1_769_854_830.75), at),
            (json!(1_769_854_830_000_i64), None),
            (json!(-1), None),
            (json!(1e300), None),
            (json!("soon"), None),
            (json!(null), None),
            (json!([1]), None),
            (json!({ "at": 1 }), None),
        ];
        for (value, expected) in cases {
            assert_eq!(flow_log(&json!({ "CreationTime": value })).created, expected, "{value}");
        }
        for (value, expected) in [
            (json!(60), Some(60)),
            (json!(null), None),
            (json!("60"), None),
            (json!(-1), None),
            (json!(1e9), None),
        ] {
            assert_eq!(
                flow_log(&json!({ "MaxAggregationInterval": value })).aggregation,
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn what_a_state_of_an_older_run_lacks_is_not_known() {
        let old = r#"{"id":"fl-1","resource_id":"vpc-1","traffic_type":"ALL","status":"ACTIVE","log_format":"",
            "delivery_error":""}"#;
        let read: FlowLog = serde_json::from_str(old).unwrap();
        assert_eq!((read.created, read.aggregation, read.delivery_status.as_str()), (None, None, ""));
        // And what is not known leaves no trace, so that fingerprints stay as they were.
        assert_eq!(
            serde_json::to_string(&read).unwrap().replace(char::is_whitespace, ""),
            old.replace(char::is_whitespace, "")
        );
    }
}

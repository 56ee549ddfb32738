//! Records and answers, shortly written.

use serde_json::{Value, json};

use crate::fixture::{Fixture, Run, T0};

/// `ENI in|out SRCADDR DSTADDR SRCPORT DSTPORT PROTOCOL ACTION [FLAGS]`, as a JSON line of SLS.
pub(crate) fn line(flow: &str) -> String {
    line_at(T0, flow)
}

pub(crate) fn line_at(start: i64, flow: &str) -> String {
    record(start, flow).to_string()
}

pub(crate) fn record(start: i64, flow: &str) -> Value {
    let words: Vec<&str> = flow.split_whitespace().collect();
    let [eni, direction, source, destination, source_port, port, protocol, action, rest @ ..] = &words[..]
    else {
        panic!("eight words are a flow: {flow}");
    };
    let mut record = json!({
        "__time__": start.to_string(), "__topic__": "flow_log", "__source__": "x", "__tag__:__pack_id__": "1-1",
        "version": "1", "account-id": "1234567890", "vpc-id": "vpc-1", "vswitch-id": "vsw-1", "vm-id": "i-1",
        "eni-id": eni, "direction": direction, "srcaddr": source, "dstaddr": destination, "srcport": source_port,
        "dstport": port, "protocol": protocol, "action": action, "packets": "3", "bytes": "180",
        "start": start.to_string(), "end": (start + 60).to_string(), "log-status": "OK", "traffic_path": "0",
    });
    if let [flags] = rest {
        record["tcp-flags"] = json!(flags);
    }
    record
}

/// `ingress|egress Accept|Drop PRIORITY PROTOCOL PORTS PEER`, with empty strings for what is absent.
pub(crate) fn rule(text: &str) -> Value {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [direction, policy, priority, protocol, ports, peer] = words[..] else {
        panic!("six words are a rule: {text}");
    };
    let side = if direction == "egress" { "Dest" } else { "Source" };
    let key = match peer {
        _ if peer.starts_with("sg-") => format!("{side}GroupId"),
        _ if peer.starts_with("pl-") => format!("{side}PrefixListId"),
        _ if peer.contains(':') => format!("Ipv6{side}CidrIp"),
        _ => format!("{side}CidrIp"),
    };
    let mut rule = json!({
        "SecurityGroupRuleId": format!("sgr-{}", text.len()), "Direction": direction, "Policy": policy,
        "Priority": priority, "IpProtocol": protocol, "PortRange": ports, "NicType": "intranet", "Description": "",
        "SourceCidrIp": "", "DestCidrIp": "", "Ipv6SourceCidrIp": "", "Ipv6DestCidrIp": "", "SourceGroupId": "",
        "DestGroupId": "", "SourcePrefixListId": "", "DestPrefixListId": "", "SourcePortRange": "",
        "PortRangeListId": "", "SourceGroupOwnerAccount": "",
    });
    rule[key] = json!(peer);
    rule
}

/// A group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    id: &'static str,
    kind: Option<&'static str>,
    inner: &'static str,
    vpc: &'static str,
    managed: bool,
    rules: Vec<Value>,
}

/// A basic group whose members are not told to reach each other.
pub(crate) fn basic(id: &'static str, rules: &[&str]) -> Group {
    let rules = rules.iter().map(|text| rule(text)).collect();
    Group { id, kind: Some("normal"), inner: "", vpc: "vpc-1", managed: false, rules }
}

/// An advanced group.
pub(crate) fn advanced(id: &'static str, rules: &[&str]) -> Group {
    Group { kind: Some("enterprise"), inner: "Drop", ..basic(id, rules) }
}

impl Group {
    pub(crate) fn inner(self, inner: &'static str) -> Self {
        Self { inner, ..self }
    }

    pub(crate) fn untold(self) -> Self {
        Self { kind: None, ..self }
    }

    pub(crate) fn managed(self) -> Self {
        Self { managed: true, ..self }
    }

    pub(crate) fn renamed(self, id: &'static str) -> Self {
        Self { id, ..self }
    }

    pub(crate) fn classic(self) -> Self {
        Self { vpc: "", ..self }
    }

    /// Sets a key of the last rule.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.rules.last_mut().unwrap()[key] = json!(value);
        self
    }

    /// `DescribeSecurityGroupAttribute`.
    pub(crate) fn attribute(&self) -> Value {
        json!({
            "RequestId": "x", "RegionId": "cn-hangzhou", "VpcId": self.vpc, "SecurityGroupId": self.id,
            "SecurityGroupName": self.id, "InnerAccessPolicy": self.inner, "Description": "", "NextToken": "",
            "Permissions": { "Permission": self.rules },
        })
    }

    fn listed(&self) -> Option<Value> {
        Some(json!({
            "SecurityGroupId": self.id, "SecurityGroupType": self.kind?, "VpcId": self.vpc, "ServiceManaged": self.managed,
        }))
    }
}

/// An interface: `ENI ADDRESS GROUP…`.
pub(crate) fn eni(text: &str) -> Value {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [id, address, groups @ ..] = &words[..] else { panic!("an interface: {text}") };
    let set = if address.contains(':') {
        json!({ "PrivateIpSets": { "PrivateIpSet": [] }, "Ipv6Sets": { "Ipv6Set": [{ "Ipv6Address": address }] } })
    } else {
        json!({ "PrivateIpSets": { "PrivateIpSet": [{ "PrivateIpAddress": address, "Primary": true }] } })
    };
    let mut eni = json!({
        "NetworkInterfaceId": id, "Type": "Primary", "VpcId": "vpc-1", "VSwitchId": "vsw-1", "ZoneId": "cn-hangzhou-h",
        "SecurityGroupIds": { "SecurityGroupId": groups }, "InstanceId": "i-1", "AssociatedPublicIp": {},
    });
    eni.as_object_mut().unwrap().extend(set.as_object().unwrap().clone());
    eni
}

/// The answers of a snapshot, as the CLI writes them.
pub(crate) fn answers(groups: &[Group], enis: &[&str]) -> Vec<(String, Value)> {
    let mut answers: Vec<(String, Value)> =
        groups.iter().map(|group| (format!("{}.json", group.id), group.attribute())).collect();
    let listed: Vec<Value> = groups.iter().filter_map(Group::listed).collect();
    if !listed.is_empty() {
        answers.push(("groups.json".to_owned(), json!({ "SecurityGroups": { "SecurityGroup": listed } })));
    }
    let enis: Vec<Value> = enis.iter().map(|text| eni(text)).collect();
    answers
        .push(("enis.json".to_owned(), json!({ "NetworkInterfaceSets": { "NetworkInterfaceSet": enis } })));
    answers
}

/// A folder with these answers as `snap`.
pub(crate) fn fixture(groups: &[Group], enis: &[&str]) -> Fixture {
    let fixture = Fixture::new();
    for (name, answer) in answers(groups, enis) {
        fixture.write(&format!("snap/{name}"), answer.to_string());
    }
    fixture
}

/// The report of these records.
pub(crate) fn analyzed(groups: &[Group], enis: &[&str], flows: &[&str]) -> Run {
    let fixture = fixture(groups, enis);
    let lines: Vec<String> = flows.iter().map(|flow| line(flow)).collect();
    fixture.write("log.json", lines.join("\n"));
    fixture.analyze(&["log.json", "--snapshot", "snap"]).exit(0)
}

/// ACCEPTs that the rules of their direction do not explain. The invisible egress of a basic group explains the other
/// reading of nearly everything, which flags contradict.
#[track_caller]
pub(crate) fn misfits(run: &Run) -> u64 {
    run.outcome("unexplained") + run.basis("contradicted")
}

//! Snapshots from a few words, and findings in a few words.

use flowaudit::findings::Finding;
use flowaudit::findings::over_broad::over_broad;
use flowaudit::findings::ports::PortProfile;
use flowaudit::rules::aws::Objects;
use flowaudit::rules::timeline::{Snapshot, Timeline};
use flowaudit::tally::usage::RuleUse;
use serde_json::{Value, json};

/// Documents of one snapshot → the timeline.
pub(crate) fn timeline(documents: &[Value]) -> Timeline {
    let mut objects = Objects::default();
    for document in documents {
        objects.add(document, None).unwrap();
    }
    Timeline::build(vec![Snapshot { at: None, objects: objects.into() }])
}

/// `PROTOCOL PORTS PEER` as a permission: `tcp 20-25 0.0.0.0/0`, `-1 - pl-1`, `tcp 22 sg-self`.
pub(crate) fn permission(text: &str) -> Value {
    let words: Vec<_> = text.split_whitespace().collect();
    let [protocol, ports, peer] = words[..] else { panic!("expected three words, found {text:?}") };
    let mut permission = json!({ "IpProtocol": protocol });
    if ports != "-" {
        let (from, to) =
            if ports == "-1" { ("-1", "-1") } else { ports.split_once('-').unwrap_or((ports, ports)) };
        permission["FromPort"] = from.parse::<i64>().unwrap().into();
        permission["ToPort"] = to.parse::<i64>().unwrap().into();
    }
    match peer {
        list if list.starts_with("pl-") => permission["PrefixListIds"] = json!([{ "PrefixListId": list }]),
        group if group.starts_with("sg-") => permission["UserIdGroupPairs"] = json!([{ "GroupId": group }]),
        v6 if v6.contains(':') => permission["Ipv6Ranges"] = json!([{ "CidrIpv6": v6 }]),
        v4 => permission["IpRanges"] = json!([{ "CidrIp": v4 }]),
    }
    permission
}

pub(crate) fn group(id: &str, ingress: &str, egress: &str) -> Value {
    let permissions = |text: &str| {
        text.split(',').filter(|rule| !rule.trim().is_empty()).map(permission).collect::<Vec<_>>()
    };
    json!({
        "GroupId": id, "GroupName": id, "VpcId": "vpc-1", "OwnerId": "123456789012",
        "IpPermissions": permissions(ingress), "IpPermissionsEgress": permissions(egress),
    })
}

/// One interface that carries these groups.
pub(crate) fn interface(id: &str, groups: &[&str]) -> Value {
    let groups: Vec<_> = groups.iter().map(|group| json!({ "GroupId": group })).collect();
    json!({
        "NetworkInterfaceId": id, "VpcId": "vpc-1", "OwnerId": "123456789012", "Groups": groups,
        "PrivateIpAddresses": [{
            "PrivateIpAddress": "10.0.0.5",
            "Association": { "PublicIp": "198.51.100.7" },
        }],
    })
}

/// Findings about one group with these ingress rules, carried by eni-1, nobody seen.
pub(crate) fn ingress(rules: &str) -> Vec<Finding> {
    let timeline = timeline(&[
        json!({ "SecurityGroups": [group("sg-1", rules, "")] }),
        json!({ "NetworkInterfaces": [interface("eni-1", &["sg-1"])] }),
        json!({ "PrefixLists": [
            { "PrefixListId": "pl-world", "Cidrs": ["0.0.0.0/1", "128.0.0.0/1"] },
            { "PrefixListId": "pl-wide", "Cidrs": ["10.0.0.0/8", "8.8.0.0/16"] },
        ] }),
    ]);
    over_broad(&timeline, &unused(&timeline), &PortProfile::named("default").unwrap())
}

pub(crate) fn unused(timeline: &Timeline) -> Vec<RuleUse> {
    vec![RuleUse::default(); timeline.rules.len()]
}

/// `SEVERITY ID` without the common start.
pub(crate) fn short(findings: &[Finding]) -> Vec<String> {
    let text = |finding: &Finding| {
        format!("{} {}", finding.severity.as_str(), finding.id.strip_prefix("over_broad/").unwrap())
    };
    findings.iter().map(text).collect()
}

/// The one finding about one ingress rule, as `SEVERITY TITLE`; empty where there is none.
pub(crate) fn verdict(rule: &str) -> String {
    match &ingress(rule)[..] {
        [] => String::new(),
        [one] => format!("{} {}", one.severity.as_str(), one.title),
        more => panic!("{rule}: {:?}", short(more)),
    }
}

pub(crate) fn names(finding: &Finding) -> Vec<String> {
    let services = finding.evidence["services"].as_array().unwrap();
    services.iter().map(|row| format!("{}/{}", row["protocol"].as_str().unwrap(), row["port"])).collect()
}

//! `--format ocsf`: findings as events of the Open Cybersecurity Schema Framework 1.6.0, one to a line.
//!
//! What is wrong with rules is a Compliance Finding (2003), what was refused or scanned a Detection Finding (2004). Times are
//! milliseconds since 1970. Schema: <https://schema.ocsf.io/1.6.0/classes/compliance_finding>,
//! <https://schema.ocsf.io/1.6.0/classes/detection_finding>.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::resource::{Fallback, Resource, ResourceKind, partition};
use crate::findings::{Finding, FindingKind, Severity};
use crate::flow::Seconds;
use crate::report::Report;
use crate::rules::state::Cloud;
use crate::time;

/// Writes the findings.
pub fn render(report: &Report, fallback: &Fallback, out: &mut dyn Write) -> io::Result<()> {
    let at = report.dated().unwrap_or(fallback.at);
    for finding in &report.findings {
        serde_json::to_writer(&mut *out, &event(finding, report, fallback, at))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// A class of events.
struct Class {
    uid: u32,
    name: &'static str,
}

const COMPLIANCE: Class = Class { uid: 2003, name: "Compliance Finding" };
const DETECTION: Class = Class { uid: 2004, name: "Detection Finding" };

/// `activity_id` of what is found: Create. An event store tells by `finding_info.uid` whether it has it.
const CREATE: u32 = 1;

fn class(kind: FindingKind) -> &'static Class {
    if kind.is_of_traffic() { &DETECTION } else { &COMPLIANCE }
}

fn event(finding: &Finding, report: &Report, fallback: &Fallback, at: Seconds) -> Value {
    let class = class(finding.kind);
    let resource = Resource::of(finding, report, fallback);
    let mut event = Map::new();
    let mut put = |key: &str, value: Value| event.insert(key.to_owned(), value);
    put("activity_id", CREATE.into());
    put("activity_name", "Create".into());
    put("category_uid", 2.into());
    put("category_name", "Findings".into());
    put("class_uid", class.uid.into());
    put("class_name", class.name.into());
    put("type_uid", (class.uid * 100 + CREATE).into());
    put("type_name", format!("{}: Create", class.name).into());
    put("time", millis(at));
    for (key, seen) in [("start_time", &report.window.first_seen), ("end_time", &report.window.last_seen)] {
        if let Some(seen) = seen.as_deref().and_then(time::parse) {
            put(key, millis(seen));
        }
    }
    let (severity_id, severity) = severity(finding.severity);
    put("severity_id", severity_id.into());
    put("severity", severity.into());
    let (status_id, status) = if finding.suppressed.is_some() { (3, "Suppressed") } else { (1, "New") };
    put("status_id", status_id.into());
    put("status", status.into());
    if let Some(suppression) = &finding.suppressed {
        put("comment", format!("{} (until {})", suppression.reason, suppression.expires).into());
    }
    put("message", finding.title.as_str().into());
    put("metadata", metadata(report));
    put("finding_info", finding_info(finding, at));
    put("remediation", json!({ "desc": finding.recommendation }));
    put("resources", json!([described(&resource)]));
    put("cloud", cloud(&resource));
    if class.uid == COMPLIANCE.uid {
        put("compliance", compliance(finding));
    } else {
        put("evidences", json!([{ "data": finding.evidence }]));
    }
    let mut more = Map::new();
    more.insert("evidence".to_owned(), Value::Object(finding.evidence.clone()));
    let names = [("rule_key", &finding.rule_key), ("group_id", &finding.group_id)];
    for (key, name) in names.into_iter().chain([("interface_id", &finding.interface_id)]) {
        if let Some(name) = name {
            more.insert(key.to_owned(), name.as_str().into());
        }
    }
    put("unmapped", Value::Object(more));
    Value::Object(event)
}

fn millis(seconds: Seconds) -> Value {
    seconds.saturating_mul(1000).into()
}

fn severity(severity: Severity) -> (u8, &'static str) {
    match severity {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

fn metadata(report: &Report) -> Value {
    json!({
        "version": "1.6.0",
        "profiles": ["cloud"],
        "product": {
            "name": report.generator.name,
            "vendor_name": report.generator.name,
            "version": report.generator.version,
        },
    })
}

fn finding_info(finding: &Finding, at: Seconds) -> Value {
    let mut info = json!({
        "uid": finding.id,
        "title": finding.title,
        "desc": finding.recommendation,
        "types": [finding.kind.as_str()],
        "created_time": millis(at),
        "data_sources": ["VPC Flow Logs", "security groups"],
    });
    // Traffic has times of its own.
    for (own, key) in [("first_seen", "first_seen_time"), ("last_seen", "last_seen_time")] {
        if let Some(seen) = finding.evidence.get(own).and_then(Value::as_str).and_then(time::parse) {
            info[key] = millis(seen);
        }
    }
    if finding.kind == FindingKind::Scan {
        // <https://attack.mitre.org/techniques/T1046/>
        info["attacks"] = json!([{
            "version": "17.1",
            "tactic": { "uid": "TA0007", "name": "Discovery" },
            "technique": { "uid": "T1046", "name": "Network Service Discovery" },
        }]);
    }
    info
}

fn compliance(finding: &Finding) -> Value {
    let (status_id, status) = match (&finding.suppressed, finding.severity) {
        (Some(_), _) => (99, "Suppressed"),
        (None, Severity::Info | Severity::Low) => (2, "Warning"),
        (None, _) => (3, "Fail"),
    };
    // Safeguard 12.2: a secure network architecture, with segmentation and least privilege.
    json!({
        "control": finding.kind.as_str(),
        "desc": finding.title,
        "standards": ["CIS Critical Security Controls v8"],
        "requirements": ["12.2"],
        "status_id": status_id,
        "status": status,
    })
}

fn described(resource: &Resource) -> Value {
    let kind = match (resource.owner.cloud, resource.kind) {
        (Cloud::Aws, ResourceKind::SecurityGroup) => "AWS::EC2::SecurityGroup",
        (Cloud::Aws, ResourceKind::NetworkInterface) => "AWS::EC2::NetworkInterface",
        (Cloud::Alibaba, ResourceKind::SecurityGroup) => "ACS::ECS::SecurityGroup",
        (Cloud::Alibaba, ResourceKind::NetworkInterface) => "ACS::ECS::NetworkInterface",
        (Cloud::Aws, ResourceKind::Account) => "AWS::::Account",
        (Cloud::Alibaba, ResourceKind::Account) => "ACS::::Account",
    };
    let mut described = json!({ "type": kind, "uid": resource.arn().unwrap_or_else(|| resource.id.clone()) });
    if resource.kind != ResourceKind::Account {
        described["name"] = resource.id.as_str().into();
    }
    let region = &resource.owner.region;
    if !region.is_empty() {
        described["region"] = region.as_str().into();
        if resource.owner.cloud == Cloud::Aws {
            described["cloud_partition"] = partition(region).into();
        }
    }
    described
}

fn cloud(resource: &Resource) -> Value {
    let owner = &resource.owner;
    let (provider, type_id, kind) = match owner.cloud {
        Cloud::Aws => ("AWS", 10, "AWS Account"),
        Cloud::Alibaba => ("Alibaba Cloud", 99, "Alibaba Cloud Account"),
    };
    let mut cloud = json!({ "provider": provider });
    if !owner.account.is_empty() {
        cloud["account"] =
            json!({ "uid": owner.account, "name": owner.account, "type_id": type_id, "type": kind });
    }
    if !owner.region.is_empty() {
        cloud["region"] = owner.region.as_str().into();
    }
    cloud
}

//! `--format asff`: findings in the AWS Security Finding Format, a batch to a line as `BatchImportFindings` takes it: at most
//! 100 findings and 240 KB, of one account and region, where it is to be imported.
//!
//! ```sh
//! while read -r batch; do aws securityhub batch-import-findings --cli-input-json "$batch"; done < findings.asff
//! ```
//!
//! Format: <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html>. What is too long for
//! it is shortened, ends with an ellipsis and stands whole in `--format json`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::resource::{Fallback, Resource, ResourceKind, partition, shortened};
use crate::findings::{Finding, FindingKind, Severity};
use crate::report::Report;
use crate::report::owners::Owner;
use crate::rules::state::Cloud;
use crate::time;

/// Most findings of a batch.
const MOST: usize = 100;
/// Most bytes of a batch. Half of what Security Hub takes, for an argument of a command may not be longer than 128 KiB.
const LARGEST: usize = 120 * 1000;
/// Most entries of `ProductFields`.
const MOST_FIELDS: usize = 50;

/// Findings that the format has no room for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Of an account that is not known, or whose id is no account of AWS.
    pub no_account: usize,
    /// Of a region that is not known.
    pub no_region: usize,
    /// Of another cloud.
    pub other_cloud: usize,
}

/// Findings that [`render`] leaves out: Security Hub takes none without an account and a region of AWS.
pub fn left_out(report: &Report, fallback: &Fallback) -> LeftOut {
    let mut left_out = LeftOut::default();
    for finding in &report.findings {
        let owner = Resource::of(finding, report, fallback).owner;
        if owner.cloud != Cloud::Aws {
            left_out.other_cloud += 1;
        } else if !is_account(&owner.account) {
            left_out.no_account += 1;
        } else if owner.region.is_empty() {
            left_out.no_region += 1;
        }
    }
    left_out
}

/// Writes the findings, but for those that are left out.
pub fn render(report: &Report, fallback: &Fallback, out: &mut dyn Write) -> io::Result<()> {
    let at = time::format(report.dated().unwrap_or(fallback.at));
    // Each batch is imported in the account and region that its findings are of.
    let mut places: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for finding in &report.findings {
        let resource = Resource::of(finding, report, fallback);
        if let Some(converted) = convert(finding, &resource, report, &at) {
            let Owner { account, region, .. } = resource.owner;
            places.entry((account, region)).or_default().push(converted.to_string());
        }
    }
    for findings in places.into_values() {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for text in findings {
            if batch.len() == MOST || bytes + text.len() + BRACKETS > LARGEST {
                write_batch(out, &mut batch)?;
                bytes = 0;
            }
            bytes += text.len() + 1;
            batch.push(text);
        }
        write_batch(out, &mut batch)?;
    }
    Ok(())
}

/// What stands around the findings of a batch, and more.
const BRACKETS: usize = 32;

fn write_batch(out: &mut dyn Write, batch: &mut Vec<String>) -> io::Result<()> {
    if !batch.is_empty() {
        writeln!(out, "{{\"Findings\":[{}]}}", batch.join(","))?;
        batch.clear();
    }
    Ok(())
}

fn is_account(account: &str) -> bool {
    account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
}

fn convert(finding: &Finding, resource: &Resource, report: &Report, at: &str) -> Option<Value> {
    let (account, region) = (&resource.owner.account, &resource.owner.region);
    if resource.owner.cloud != Cloud::Aws || !is_account(account) || region.is_empty() {
        return None;
    }
    let product =
        format!("arn:{}:securityhub:{region}:{account}:product/{account}/default", partition(region));
    let seen = |key: &str, whole: &Option<String>| {
        let own = finding.evidence.get(key).and_then(Value::as_str);
        own.map(str::to_owned).or_else(|| whole.clone()).unwrap_or_else(|| at.to_owned())
    };
    let mut converted = json!({
        "SchemaVersion": "2018-10-08",
        "Id": id(&finding.id),
        "ProductArn": product,
        "ProductName": report.generator.name,
        "CompanyName": report.generator.name,
        "GeneratorId": format!("{}/{}", report.generator.name, finding.kind.as_str()),
        "AwsAccountId": account,
        "Region": region,
        "Types": [kind(finding.kind)],
        "FirstObservedAt": seen("first_seen", &report.window.first_seen),
        "LastObservedAt": seen("last_seen", &report.window.last_seen),
        "CreatedAt": at,
        "UpdatedAt": at,
        "Severity": { "Label": label(finding.severity), "Original": finding.severity.as_str() },
        "Title": shortened(&finding.title, 256),
        "Description": shortened(finding.kind.about(), 1024),
        "Remediation": { "Recommendation": { "Text": shortened(&finding.recommendation, 512) } },
        "ProductFields": fields(finding),
        "Resources": [described(resource, region)],
        "RecordState": "ACTIVE",
    });
    if !finding.kind.is_of_traffic() {
        let failed = finding.severity > Severity::Low;
        converted["Compliance"] = json!({ "Status": if failed { "FAILED" } else { "WARNING" } });
    }
    if let Some(suppression) = &finding.suppressed {
        let text = format!("{} (until {})", suppression.reason, suppression.expires);
        converted["Workflow"] = json!({ "Status": "SUPPRESSED" });
        converted["Note"] = json!({
            "Text": shortened(&text, 512),
            "UpdatedBy": report.generator.name,
            "UpdatedAt": at,
        });
    }
    Some(converted)
}

/// At most 512 characters, and another one for every finding.
fn id(id: &str) -> String {
    let id = format!("flowaudit/{id}");
    if id.chars().count() <= 512 {
        return id;
    }
    let digest = STANDARD.encode(Sha256::digest(id.as_bytes()));
    format!("{}/{digest}", id.chars().take(400).collect::<String>())
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "INFORMATIONAL",
        Severity::Low => "LOW",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    }
}

/// Taxonomy: <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-type-taxonomy.html>.
fn kind(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::OverBroad => {
            "Software and Configuration Checks/AWS Security Best Practices/Network Reachability"
        }
        FindingKind::Scan => "TTPs/Discovery",
        FindingKind::BlockedAttempts | FindingKind::BlockedByNetworkAcl => "Unusual Behaviors/Network Flow",
        _ => "Software and Configuration Checks/AWS Security Best Practices",
    }
}

/// The evidence as words: lists and objects as JSON.
fn fields(finding: &Finding) -> Map<String, Value> {
    let names = [
        ("rule_key", &finding.rule_key),
        ("group_id", &finding.group_id),
        ("interface_id", &finding.interface_id),
    ];
    let subjects = names.into_iter().filter_map(|(key, name)| Some((key.to_owned(), name.clone()?)));
    let known = finding.evidence.iter().filter(|(_, value)| !value.is_null());
    let evidence = known.map(|(key, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (format!("evidence/{key}"), text)
    });
    let all = subjects.chain(evidence).filter(|(_, text)| !text.is_empty());
    all.take(MOST_FIELDS)
        .map(|(key, text)| (shortened(&format!("flowaudit/{key}"), 128), shortened(&text, 2048).into()))
        .collect()
}

fn described(resource: &Resource, region: &str) -> Value {
    let id = resource.arn().unwrap_or_else(|| format!("AWS::::Account:{}", resource.owner.account));
    let (kind, details) = match resource.kind {
        ResourceKind::SecurityGroup => (
            "AwsEc2SecurityGroup",
            Some(
                json!({ "AwsEc2SecurityGroup": { "GroupId": resource.id, "OwnerId": resource.owner.account } }),
            ),
        ),
        ResourceKind::NetworkInterface => (
            "AwsEc2NetworkInterface",
            Some(json!({ "AwsEc2NetworkInterface": { "NetworkInterfaceId": resource.id } })),
        ),
        ResourceKind::Account => ("AwsAccount", None),
    };
    let mut described = json!({ "Type": kind, "Id": id, "Partition": partition(region), "Region": region });
    if let Some(details) = details {
        described["Details"] = details;
    }
    described
}

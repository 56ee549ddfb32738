//! `--format sarif`: findings as SARIF 2.1.0, each at the line of the snapshot where its rule stands, so that a pull request
//! over snapshots shows it there.
//!
//! Format: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::findings::{Finding, FindingKind, Severity};
use crate::report::Report;
use crate::rules::load::lines::Lines;

/// Writes the findings; `lines` says where what they name stands.
pub fn render(report: &Report, lines: &Lines, out: &mut dyn Write) -> io::Result<()> {
    let results: Vec<Value> = report.findings.iter().map(|finding| result(finding, report, lines)).collect();
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": report.generator.name,
                "version": report.generator.version,
                "semanticVersion": report.generator.version,
                "rules": FindingKind::ALL.map(descriptor),
            } },
            "invocations": [{
                "executionSuccessful": report.coverage.files.failed == 0,
                "toolExecutionNotifications": notifications(report),
            }],
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)
}

/// What the findings of a report name: rules, groups and interfaces.
pub fn names(report: &Report) -> BTreeSet<String> {
    let names = |finding: &Finding| {
        [finding.rule_key.clone(), finding.group_id.clone(), finding.interface_id.clone()]
    };
    report.findings.iter().flat_map(names).flatten().collect()
}

fn descriptor(kind: FindingKind) -> Value {
    json!({
        "id": kind.as_str(),
        "shortDescription": { "text": kind.about() },
        "properties": { "tags": ["security", "network"] },
    })
}

/// Files that could not be read.
fn notifications(report: &Report) -> Vec<Value> {
    let failures = report.coverage.files.failures.iter();
    failures
        .map(|failure| {
            json!({
                "level": "warning",
                "message": { "text": format!("{}: {}", failure.file, failure.error) },
            })
        })
        .collect()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

fn result(finding: &Finding, report: &Report, lines: &Lines) -> Value {
    let mut result = json!({
        "ruleId": finding.kind.as_str(),
        "ruleIndex": FindingKind::ALL.iter().position(|kind| *kind == finding.kind),
        "level": level(finding.severity),
        "message": { "text": format!("{}\n{}", finding.title, finding.recommendation) },
        "locations": [location(finding, report, lines)],
        "partialFingerprints": { "findingId/v1": finding.id },
        "properties": { "severity": finding.severity.as_str(), "evidence": finding.evidence },
    });
    if let Some(suppression) = &finding.suppressed {
        let justification = format!("{} (until {})", suppression.reason, suppression.expires);
        result["suppressions"] = json!([{ "kind": "external", "justification": justification }]);
    }
    result
}

/// The line of the rule, of its group, or of the interface; of what has none, the newest snapshot.
fn location(finding: &Finding, report: &Report, lines: &Lines) -> Value {
    let names = [&finding.rule_key, &finding.group_id, &finding.interface_id];
    let mut names = names.into_iter().flatten();
    let mut location = match names.clone().find_map(|name| lines.get(name)) {
        Some(line) => json!({ "physicalLocation": {
            "artifactLocation": { "uri": uri(&line.file) },
            "region": { "startLine": line.line },
        } }),
        None => match report.snapshot_files().first() {
            // Code scanning shows nothing that has no line.
            Some(file) => json!({ "physicalLocation": {
                "artifactLocation": { "uri": uri(file) },
                "region": { "startLine": 1 },
            } }),
            None => json!({}),
        },
    };
    if let Some(name) = names.next() {
        location["logicalLocations"] = json!([{ "fullyQualifiedName": name, "kind": "resource" }]);
    }
    location
}

/// A path as a reference: relative as it was given, so that it is found in the repository it was taken from.
fn uri(path: &str) -> String {
    let absolute = Path::new(path).is_absolute();
    let path = path.trim_start_matches("./").replace('\\', "/");
    let mut uri = String::from(if absolute { "file://" } else { "" });
    if absolute && !path.starts_with('/') {
        uri.push('/');
    }
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(byte.into());
            }
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_references() {
        let cases = [
            ("snap/a.json", "snap/a.json"),
            ("./snap/a.json", "snap/a.json"),
            ("snap/2026-01-01T00:00:00Z/a b.json", "snap/2026-01-01T00%3A00%3A00Z/a%20b.json"),
            ("/snap/ä#?.json", "file:///snap/%C3%A4%23%3F.json"),
        ];
        for (path, expected) in cases {
            assert_eq!(uri(path), expected);
        }
    }
}

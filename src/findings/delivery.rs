//! Records that flow logs do not deliver: objects that are missing, deliveries that failed, and half of the traffic.

use std::collections::BTreeMap;

use serde_json::json;

use super::cadence::Cadence;
use super::gaps::{figures, gap};
use super::recorders::Recorders;
use super::{Finding, MOST_NAMED, Severity, counted};
use crate::rules::state::FlowLog;
use crate::rules::timeline::Timeline;
use crate::time;

/// What is known not to have been delivered, or not to have been given.
pub fn delivery(timeline: &Timeline, recorders: &Recorders<'_>, cadences: &[Cadence]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = cadences.iter().filter_map(missing_objects).collect();
    findings.extend(failed_deliveries(timeline));
    findings.extend(one_sided(timeline, recorders));
    findings
}

/// Objects that are not there between others that are.
fn missing_objects(cadence: &Cadence) -> Option<Finding> {
    let Cadence { account_id, region, flow_log_id, steps, gaps, .. } = cadence;
    let longest = gaps.iter().max_by_key(|gap| (gap.objects, std::cmp::Reverse(gap.from)))?;
    let (from, to) = (time::format(longest.from), time::format(longest.to));
    let evidence = figures([
        ("account_id", json!(account_id)),
        ("region", json!(region)),
        ("flow_log_id", json!(flow_log_id)),
        ("missing_objects", json!(steps.missing)),
        ("gaps", json!(gaps.len())),
        ("longest_gap", json!({ "from": from, "to": to, "missing_objects": longest.objects })),
        ("five_minute_steps", json!(steps.all())),
        ("steps_with_objects", json!(steps.present)),
    ]);
    let severity = if steps.lacks_much() { Severity::Medium } else { Severity::Low };
    let missing = usize::try_from(steps.missing).unwrap_or(usize::MAX);
    let title = format!(
        "{} of {flow_log_id} (account {account_id}, {region}) missing, most from {from} to {to}",
        counted(missing, "five-minute object"),
    );
    let advice = "There are objects before and after, in nearly every five minutes of those days. Copy the folder again \
                  (aws s3 sync); if the bucket lacks them too, look at the flow log's delivery errors and at the bucket's \
                  lifecycle rules. A rule used only then looks unused.";
    Some(gap(
        &format!("missing_objects:{account_id}:{region}:{flow_log_id}"),
        severity,
        title,
        evidence,
        advice,
    ))
}

/// Flow logs that some snapshot shows failing.
fn failed_deliveries(timeline: &Timeline) -> impl Iterator<Item = Finding> {
    let mut failed: BTreeMap<&str, &FlowLog> = BTreeMap::new();
    for flow_log in timeline.flow_logs.iter().filter(|flow_log| flow_log.failed_to_deliver()) {
        failed.insert(&flow_log.id, flow_log);
    }
    failed.into_iter().map(|(id, flow_log)| {
        let FlowLog { resource_id, delivery_error, delivery_status, .. } = flow_log;
        let why = if delivery_error.is_empty() { "no reason given" } else { delivery_error };
        gap(
            &format!("delivery_failed:{id}"),
            Severity::Medium,
            format!("flow log {id} of {resource_id} failed to deliver: {why}"),
            figures([
                ("flow_log_id", json!(id)),
                ("resource_id", json!(resource_id)),
                ("deliver_logs_status", json!(delivery_status)),
                ("deliver_logs_error_message", json!(delivery_error)),
            ]),
            "What it could not deliver is lost, and rules used only then look unused. \"Access error\": give its role or \
             the bucket's policy the rights to deliver; \"Rate limited\": raise the quota of CloudWatch Logs, or deliver \
             to S3.",
        )
    })
}

/// Flow logs of ACCEPTs alone, or REJECTs alone, where no other one of the snapshots records the rest.
fn one_sided(timeline: &Timeline, recorders: &Recorders<'_>) -> impl Iterator<Item = Finding> {
    let mut found: BTreeMap<(&str, &'static str), (&FlowLog, Vec<&str>)> = BTreeMap::new();
    for interface in timeline.newest().into_iter().flat_map(|state| state.interfaces.values()) {
        let accepts = recorders.of_interface(interface).any(FlowLog::logs_accepts);
        let rejects = recorders.of_interface(interface).any(FlowLog::logs_rejects);
        let only = match (accepts, rejects) {
            (true, false) => "ACCEPT",
            (false, true) => "REJECT",
            _ => continue,
        };
        for flow_log in recorders.of_interface(interface) {
            let (_, interfaces) = found.entry((&flow_log.id, only)).or_insert((flow_log, Vec::new()));
            if interfaces.last() != Some(&interface.id.as_str()) {
                interfaces.push(&interface.id);
            }
        }
    }
    found.into_iter().map(|((id, only), (flow_log, interfaces))| {
        let (word, severity, advice) = match only {
            "REJECT" => (
                "reject_only",
                Severity::Medium,
                "Nothing can be said about the use of rules on those interfaces. Create a flow log of type ALL (a flow log \
                 cannot be changed).",
            ),
            _ => (
                "accept_only",
                Severity::Low,
                "What is refused on those interfaces is not recorded: an empty list of blocked attempts means nothing. \
                 Create a flow log of type ALL (a flow log cannot be changed).",
            ),
        };
        gap(
            &format!("{word}_flow_log:{id}"),
            severity,
            format!("{id} records {only}s alone on {}", counted(interfaces.len(), "interface")),
            figures([
                ("flow_log_id", json!(id)),
                ("resource_id", json!(flow_log.resource_id)),
                ("traffic_type", json!(flow_log.traffic_type)),
                ("interfaces", json!(interfaces.len())),
                ("first_interfaces", json!(interfaces.iter().take(MOST_NAMED).collect::<Vec<_>>())),
            ]),
            advice,
        )
    })
}

//! What the logs and snapshots do not show, said aloud.

use serde_json::{Map, Value, json};

use super::{Finding, FindingKind, MOST_NAMED, Severity, counted};
use crate::rules::ranked::Pages;
use crate::rules::timeline::Timeline;
use crate::tally::Tally;
use crate::tally::selection::{Duplicate, untold_duplicates};

/// One finding per kind of gap.
pub fn gaps(
    timeline: &Timeline,
    tally: &Tally,
    duplicated: &[Duplicate],
    flow_logs: &[String],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(one_action(tally));
    findings.extend(duplicates(duplicated, flow_logs));
    findings.extend(untold(tally));
    findings.extend(unknown_direction(tally));
    findings.extend(portless(tally));
    findings.extend(unknown_interfaces(tally));
    findings.extend(skipdata(tally));
    findings.extend(group_types_unknown(timeline));
    findings.extend(group_pages_missing(timeline));
    findings.extend(no_snapshot(timeline));
    findings.extend(no_traffic(tally));
    findings
}

/// A finding about what is not shown.
pub(super) fn gap(
    subject: &str,
    severity: Severity,
    title: String,
    evidence: Map<String, Value>,
    recommendation: &str,
) -> Finding {
    Finding {
        id: format!("{}/{subject}", FindingKind::CoverageGap.as_str()),
        kind: FindingKind::CoverageGap,
        severity,
        title,
        group_id: None,
        rule_key: None,
        interface_id: None,
        evidence,
        recommendation: recommendation.to_owned(),
        suppressed: None,
    }
}

pub(super) fn figures<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Logs of one action only: the other list is empty because nobody asked.
fn one_action(tally: &Tally) -> Option<Finding> {
    let counts = &tally.records;
    let evidence = figures([("accepted", json!(counts.accepted)), ("rejected", json!(counts.rejected))]);
    let (subject, title) = match (counts.accepted, counts.rejected) {
        (1.., 0) => {
            ("accept_only", "the logs hold no REJECT record: an empty list of blocked attempts means nothing")
        }
        (0, 1..) => {
            ("reject_only", "the logs hold no ACCEPT record: nothing can be said about the use of rules")
        }
        _ => return None,
    };
    let advice =
        "If the flow log's TrafficType is not ALL, create one of type ALL (a flow log cannot be changed).";
    Some(gap(subject, Severity::Medium, title.to_owned(), evidence, advice))
}

/// The same records delivered by several flow logs.
fn duplicates(duplicates: &[Duplicate], flow_logs: &[String]) -> Vec<Finding> {
    let name = |number: u32| flow_logs.get(number as usize).cloned().unwrap_or_default();
    let finding = |duplicate: &Duplicate| {
        let (kept, left_out) = (name(duplicate.kept), name(duplicate.left_out));
        let evidence = figures([
            ("counted", json!(kept)),
            ("left_out", json!(left_out)),
            ("records", json!(duplicate.records)),
            ("interfaces", json!(duplicate.interface_ids.len())),
            ("first_interfaces", json!(duplicate.interface_ids.iter().take(MOST_NAMED).collect::<Vec<_>>())),
        ]);
        gap(
            &format!("duplicate_flow_log:{left_out}:{kept}"),
            Severity::Info,
            format!("{left_out} delivers what {kept} delivers: {} records counted once", duplicate.records),
            evidence,
            "--flow-log ID chooses which one counts; deleting one of the two saves its cost.",
        )
    };
    duplicates.iter().map(finding).collect()
}

/// Named and unnamed files speak of the same interfaces at the same time.
fn untold(tally: &Tally) -> Option<Finding> {
    let interfaces = untold_duplicates(tally);
    (!interfaces.is_empty()).then(|| {
        gap(
            "possible_duplicates",
            Severity::Medium,
            format!("{} interfaces may be counted twice", interfaces.len()),
            figures([("first_interfaces", json!(interfaces.iter().take(MOST_NAMED).collect::<Vec<_>>()))]),
            "Files of a named flow log (fl-… in the name) and files without such a name hold records of the same \
             interfaces at the same time. If they are copies, give only one of them.",
        )
    })
}

fn unknown_direction(tally: &Tally) -> Option<Finding> {
    let unknown = tally.outcomes.unknown_direction;
    (unknown > 0).then(|| {
        gap(
            "unknown_direction",
            Severity::Low,
            format!("the direction of {unknown} records cannot be told"),
            figures([("records", json!(unknown))]),
            "Neither end, or both, is an address of the interface in the snapshot, so they are joined to no rule. A flow \
             log with the field flow-direction tells; so does a snapshot from the time of the logs.",
        )
    })
}

/// Rules are about ports; without them every tcp and udp record looks like port 0.
fn portless(tally: &Tally) -> Option<Finding> {
    let records: u64 = tally.interfaces.iter().map(|interface| interface.portless).sum();
    (records > 0).then(|| {
        gap(
            "ports_not_logged",
            Severity::High,
            format!("{records} accepted tcp and udp records do not say their ports"),
            figures([("records", json!(records))]),
            "The flow log's format leaves srcport or dstport out, so no tcp or udp rule can be judged. Create a flow log \
             with both fields (a flow log cannot be changed).",
        )
    })
}

fn unknown_interfaces(tally: &Tally) -> Option<Finding> {
    let unknown = tally.outcomes.unknown_interface;
    (unknown > 0).then(|| {
        gap(
            "unknown_interfaces",
            Severity::Medium,
            format!("{unknown} records are of interfaces that no snapshot knows"),
            figures([("records", json!(unknown))]),
            "Their groups are not known, so rules they use may look unused. Give a snapshot from the time of the logs, of \
             every account in them, taken with aws ec2 describe-network-interfaces --include-managed-resources.",
        )
    })
}

fn skipdata(tally: &Tally) -> Option<Finding> {
    let skipped = tally.records.skip_data;
    (skipped > 0).then(|| {
        gap(
            "skipdata",
            Severity::Low,
            format!("{skipped} SKIPDATA records: AWS lost records of some intervals"),
            figures([("records", json!(skipped))]),
            "Rules on those interfaces are trusted less when they are not seen; review over a longer period.",
        )
    })
}

/// Groups of Alibaba Cloud that the newest snapshot does not tell the type of.
fn group_types_unknown(timeline: &Timeline) -> Option<Finding> {
    let groups = timeline.newest()?.groups.iter();
    let unknown = groups.filter(|(_, group)| group.ecs.is_some_and(|ecs| ecs.kind.is_none()));
    let ids: Vec<&String> = unknown.map(|(id, _)| id).collect();
    (!ids.is_empty()).then(|| {
        gap(
            "group_types_unknown",
            Severity::Medium,
            format!("the type of {} is not in the snapshot: judged as basic", counted(ids.len(), "group")),
            figures([("groups", json!(ids.len())), ("first_groups", json!(&ids[..ids.len().min(MOST_NAMED)]))]),
            "Advanced groups refuse what no rule allows, basic ones let everything out and members in. Collect the types: \
             aliyun ecs DescribeSecurityGroups --RegionId REGION > groups.json.",
        )
    })
}

/// Groups of Alibaba Cloud of which the newest snapshot lacks rules.
fn group_pages_missing(timeline: &Timeline) -> Option<Finding> {
    let groups = timeline.newest()?.groups.iter();
    let cut = groups.filter(|(_, group)| group.ecs.is_some_and(|ecs| ecs.pages == Pages::More));
    let ids: Vec<&String> = cut.map(|(id, _)| id).collect();
    (!ids.is_empty()).then(|| {
        gap(
            "group_pages_missing",
            Severity::Medium,
            format!("not all rules of {} are in the snapshot: the last page is missing", counted(ids.len(), "group")),
            figures([("groups", json!(ids.len())), ("first_groups", json!(&ids[..ids.len().min(MOST_NAMED)]))]),
            "Nothing is said of what the other pages allow or drop. Collect them: aliyun ecs DescribeSecurityGroupAttribute \
             with the NextToken of the page before, until it is empty.",
        )
    })
}

fn no_snapshot(timeline: &Timeline) -> Option<Finding> {
    let interfaces = timeline.states.iter().any(|state| !state.interfaces.is_empty());
    let groups = timeline.states.iter().any(|state| !state.groups.is_empty());
    let (subject, title, advice) = match (groups, interfaces) {
        (true, true) => return None,
        (false, _) => (
            "no_rules",
            "the snapshot holds no security group",
            "Collect them: aws ec2 describe-security-groups > security-groups.json, and give the folder with --snapshot.",
        ),
        (true, false) => (
            "no_interfaces",
            "the snapshot holds no network interface, so no record can be joined to a rule",
            "Collect them: aws ec2 describe-network-interfaces --include-managed-resources > network-interfaces.json.",
        ),
    };
    Some(gap(subject, Severity::High, title.to_owned(), Map::new(), advice))
}

fn no_traffic(tally: &Tally) -> Option<Finding> {
    let counts = &tally.records;
    (counts.accepted + counts.rejected == 0).then(|| {
        let outside = counts.outside_window;
        let title = if outside > 0 {
            format!("no traffic record lies between --since and --until; {outside} records lie outside")
        } else {
            "the logs hold no traffic record".to_owned()
        };
        gap(
            "no_traffic",
            Severity::High,
            title,
            figures([("outside_window", json!(outside)), ("no_data", json!(counts.no_data))]),
            "Give the folder that holds AWSLogs/<account>/vpcflowlogs/…, and a window in which there was traffic.",
        )
    })
}

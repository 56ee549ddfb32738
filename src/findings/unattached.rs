//! Groups on no interface. The default groups of VPCs have findings of their own.

use serde_json::{Map, json};

use super::attachment::Attachments;
use super::described::{Described, Snapshots};
use super::reason::Reason;
use super::references::References;
use super::verdict::Bench;
use super::{Finding, FindingKind, Severity, counted, default_group, managed};
use crate::rules::state::Group;
use crate::rules::timeline::Timeline;

/// One finding per group of the newest state that is on no interface in any snapshot that could have shown one.
pub fn unattached(
    timeline: &Timeline,
    bench: &Bench<'_>,
    attachments: &Attachments<'_>,
    described: Described<'_>,
    references: &References<'_>,
) -> Vec<Finding> {
    let Some(newest) = timeline.newest() else { return Vec::new() };
    let groups = newest.groups.iter().filter(|(_, group)| !default_group::is_default(group));
    let loose = groups.filter(|(id, _)| attachments.interfaces(id).is_empty());
    let findings = loose.filter_map(|(id, group)| {
        let snapshots = described.snapshots(id, group)?;
        let doubtful = bench.has_unknown_interfaces(Some(group));
        Some(finding(timeline, (id, group), snapshots, doubtful, references))
    });
    findings.collect()
}

fn finding(
    timeline: &Timeline,
    (id, group): (&str, &Group),
    snapshots: Snapshots,
    doubtful: bool,
    references: &References<'_>,
) -> Finding {
    let rules = group.rules.iter().filter_map(|rule| timeline.rules.get(rule.index()));
    let keys: Vec<String> = rules.map(crate::rules::Rule::key).collect();
    let mut evidence = Map::new();
    evidence.insert("rules".into(), json!(keys));
    snapshots.record(&mut evidence);
    let reasons: &[Reason] = if doubtful { &[Reason::UnknownInterfaces] } else { &[] };
    evidence.insert("reasons".into(), json!(reasons));
    references.record(&[id], &mut evidence);
    let recommendation = if managed::made_by_service(group).is_some() {
        "A cloud service made the group and may need it again, with a cluster that is off: leave it to the service."
    } else if doubtful {
        "Do not delete it yet: the logs hold accepted traffic on interfaces that no snapshot knows, and the group may be \
         on one of them. Take a snapshot with every interface (--include-managed-resources) and run again."
    } else if snapshots.count == 1 {
        "One snapshot alone says so, and scaling groups, functions and launch templates come and go: give snapshots of \
         other days, look for references to it, then delete it."
    } else {
        "No interface in any snapshot carries it. Scaling groups, functions and launch templates come and go: look for \
         references to it, then delete it."
    };
    let rules = counted(keys.len(), "rule");
    Finding {
        id: format!("{}/{id}", FindingKind::UnattachedGroup.as_str()),
        kind: FindingKind::UnattachedGroup,
        severity: Severity::Info,
        title: format!("group not attached {snapshots}: {id}, {rules}"),
        group_id: Some(id.to_owned()),
        rule_key: None,
        interface_id: None,
        evidence,
        recommendation: recommendation.to_owned(),
        suppressed: None,
    }
}

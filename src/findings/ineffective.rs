//! Ranked rules that can never decide: others, asked earlier, take everything they match.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::precedence::{self, Precedence};
use super::{Finding, FindingKind, Severity, counted};
use crate::rules::RuleIndex;
use crate::rules::ranked::RuleAction;
use crate::rules::timeline::Timeline;

/// Rules of the newest state that can decide on no interface that carries their group, each with those that do.
pub fn ineffective(timeline: &Timeline) -> BTreeMap<RuleIndex, Vec<RuleIndex>> {
    let Some(newest) = timeline.newest() else { return BTreeMap::new() };
    let precedence = Precedence::of(timeline, newest);
    // Rules of a service are the service's, and what means nothing is no matter of others.
    let judged =
        newest.groups.iter().filter(|(_, group)| precedence::is_ranked(group) && !group.is_service_managed());
    let rules = judged.flat_map(|(id, group)| group.rules.iter().map(move |rule| (id, group, *rule)));
    let covered = rules.filter_map(|(id, group, rule)| {
        let content = &timeline.rules[rule.index()];
        let covering = group.takes(content).then(|| precedence.covering(id, rule, content))??;
        Some((rule, covering.into_iter().collect()))
    });
    covered.collect()
}

/// One finding per such rule.
pub fn findings(timeline: &Timeline, ineffective: &BTreeMap<RuleIndex, Vec<RuleIndex>>) -> Vec<Finding> {
    ineffective.iter().map(|(rule, covering)| finding(timeline, *rule, covering)).collect()
}

fn finding(timeline: &Timeline, rule: RuleIndex, covering: &[RuleIndex]) -> Finding {
    let content = &timeline.rules[rule.index()];
    let key = content.key();
    let others: Vec<_> = covering.iter().map(|index| &timeline.rules[index.index()]).collect();
    let keys: Vec<String> = others.iter().map(|other| other.key()).collect();
    let denied = others.iter().any(|other| other.action() != content.action());
    let (what, severity) = match content.action() {
        RuleAction::Allow if denied => ("what it allows is dropped before it is asked", Severity::Low),
        RuleAction::Deny if denied => ("what it drops is allowed before it is asked", Severity::Medium),
        _ => ("others say the same before it is asked", Severity::Info),
    };
    let by = match (others.as_slice(), keys.as_slice()) {
        ([other], _) if other.is_default() => {
            "members of the group reach each other whatever rules say".to_owned()
        }
        (_, [alone]) => format!("{alone} decides first"),
        _ => format!("{} together decide first", counted(keys.len(), "rule")),
    };
    let mut evidence = Map::new();
    evidence.insert("covered_by".to_owned(), json!(keys));
    evidence.insert(
        "covered_by_actions".to_owned(),
        others.iter().map(|other| Value::from(other.action().as_str())).collect(),
    );
    evidence.insert("rule_id".to_owned(), json!(timeline.labels[rule.index()].rule_id));
    Finding {
        id: format!("{}/{key}", FindingKind::IneffectiveRule.as_str()),
        kind: FindingKind::IneffectiveRule,
        severity,
        title: format!("rule can never decide, {what}: {key}"),
        group_id: Some(content.group_id.clone()),
        rule_key: Some(key),
        interface_id: None,
        evidence,
        recommendation: format!(
            "On every interface that carries the group {by}. Revoke the rule; if it was meant to decide, give it a \
             smaller priority."
        ),
        suppressed: None,
    }
}

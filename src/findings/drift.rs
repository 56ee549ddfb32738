//! ACCEPTs that the rules in force do not explain, by what would explain them: how far a run can be trusted.

use serde_json::{Map, Value, json};

use super::{Finding, FindingKind, Severity};
use crate::attribution::{Basis, DRIFTS, Drift};
use crate::tally::{Outcomes, Tally, fraction};

/// One finding for all ACCEPTs that rules were held against in vain, and one for those whose interface the snapshot in
/// force lacks.
pub fn drift(tally: &Tally) -> Vec<Finding> {
    unexplained(&tally.outcomes).into_iter().chain(from_neighbour(&tally.outcomes)).collect()
}

/// A cause of records that are not explained, with what to do about it.
struct Cause {
    records: u64,
    remedy: &'static str,
}

fn causes(outcomes: &Outcomes) -> Vec<Cause> {
    let mut causes = vec![
        Cause {
            records: outcomes.explained_by_neighbour,
            remedy: "are explained by rules of a neighbouring snapshot: rules were changed, or connections outlived a change, so give \
                     snapshots closer to the time of the logs (--snapshot TIME=PATH, several times)",
        },
        Cause {
            records: outcomes.unknown_group,
            remedy: "are on interfaces with a group that the snapshot lacks: collect describe-security-groups of its account \
                     and region",
        },
    ];
    let of_drift =
        DRIFTS.iter().map(|drift| Cause { records: outcomes.drift(*drift), remedy: remedy(*drift) });
    causes.extend(of_drift);
    causes.retain(|cause| cause.records > 0);
    // Of two that are as many, the order above.
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.records));
    causes
}

fn remedy(drift: Drift) -> &'static str {
    match drift {
        Drift::StaleInterface => {
            "are on interfaces that the snapshot in force lacks, so that their groups are those of another time: give a \
             snapshot from the life of those interfaces"
        }
        Drift::UnresolvedReference => {
            "fit a rule but for its peer, a group or prefix list that the snapshot does not resolve: give a snapshot of \
             that account and region, and the entries of the list"
        }
        Drift::TrackedConnection => {
            "are from the middle of a connection (TCP flags without SYN): it may have been opened under rules that are gone, \
             which an earlier snapshot would show"
        }
        Drift::NewConnection => {
            "opened a connection that no rule allows (TCP flags with SYN): the rules given are not those of that time"
        }
        Drift::Untold => {
            "do not tell whether a connection was opened or went on: rules were changed, or connections outlived a change"
        }
    }
}

fn unexplained(outcomes: &Outcomes) -> Option<Finding> {
    let causes = causes(outcomes);
    let (explained, all) = (outcomes.explained(), outcomes.matched());
    let unexplained = all.saturating_sub(explained);
    if unexplained == 0 {
        return None;
    }
    let undecided = outcomes.basis[Basis::Ambiguous as usize] + outcomes.basis[Basis::Contradicted as usize];
    let by: Map<String, Value> =
        DRIFTS.iter().map(|drift| (drift.as_str().to_owned(), outcomes.drift(*drift).into())).collect();
    let mut evidence = Map::new();
    evidence.insert("explained".into(), json!(explained));
    evidence.insert("explained_share".into(), json!(outcomes.explained_share().map(fraction)));
    evidence.insert("undecided".into(), json!(undecided));
    evidence.insert("unexplained".into(), json!(outcomes.unexplained));
    evidence.insert("unexplained_by".into(), Value::Object(by));
    evidence.insert("explained_by_neighbour".into(), json!(outcomes.explained_by_neighbour));
    evidence.insert("unknown_group".into(), json!(outcomes.unknown_group));
    evidence.insert("interface_from_neighbour".into(), json!(outcomes.interface_from_neighbour));
    // More than one in a hundred: the snapshot is not of these logs.
    let much = u128::from(unexplained) * 100 > u128::from(all);
    let remedies: Vec<String> =
        causes.iter().map(|cause| format!("{} {}.", cause.records, cause.remedy)).collect();
    Some(Finding {
        id: "snapshot_drift/unexplained".to_owned(),
        kind: FindingKind::SnapshotDrift,
        severity: if much { Severity::Medium } else { Severity::Info },
        title: format!("{unexplained} of {all} matched ACCEPTs are not explained by the rules in force"),
        group_id: None,
        rule_key: None,
        interface_id: None,
        evidence,
        recommendation: remedies.join(" "),
        suppressed: None,
    })
}

fn from_neighbour(outcomes: &Outcomes) -> Option<Finding> {
    let records = outcomes.interface_from_neighbour;
    if records == 0 {
        return None;
    }
    let mut evidence = Map::new();
    evidence.insert("records".into(), json!(records));
    evidence.insert("unexplained".into(), json!(outcomes.drift(Drift::StaleInterface)));
    Some(Finding {
        id: "snapshot_drift/interface_from_neighbour".to_owned(),
        kind: FindingKind::SnapshotDrift,
        severity: Severity::Info,
        title: format!("{records} ACCEPTs are on interfaces that the snapshot in force lacks"),
        group_id: None,
        rule_key: None,
        interface_id: None,
        evidence,
        recommendation: "Their addresses and groups were taken from another snapshot, which is right unless the groups \
                         of those interfaces were changed meanwhile. Snapshots closer to the time of the logs tell."
            .to_owned(),
        suppressed: None,
    })
}

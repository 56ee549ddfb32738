//! From figures to rows, each list in the order of its key columns.

use std::collections::BTreeSet;

use super::{Attribution, BasisCounts, InForce, PeerRow, RemovalRow, RemovalRows, RuleRow, Usage};
use crate::attribution::Basis;
use crate::findings::removal::{RemovalSet, Step};
use crate::findings::verdict::Judged;
use crate::rules::timeline::Timeline;
use crate::rules::{RuleIndex, RuleProtocol};
use crate::tally::usage::RuleUse;
use crate::tally::{Tally, fraction};
use crate::time;

pub(crate) fn text(time: Option<i64>) -> Option<String> {
    time.map(time::format)
}

/// Every rule of the catalogue that somebody wrote, in its order.
pub fn rules(timeline: &Timeline, tally: &Tally, uses: &[RuleUse], judged: &[Judged]) -> Vec<RuleRow> {
    let figures = uses.iter().zip(judged);
    let newest_groups = timeline.newest_groups();
    timeline
        .rules
        .iter()
        .zip(&timeline.labels)
        .zip(figures)
        .zip(0..)
        .filter(|(((rule, _), _), _)| !rule.is_default())
        .map(|(((rule, label), (uses, judged)), at)| {
            let ports = if rule.protocol == RuleProtocol::All {
                (None, None)
            } else {
                (rule.from_port, rule.to_port)
            };
            let group = newest_groups.get(rule.group_id.as_str());
            RuleRow {
                rule_key: rule.key(),
                rule_id: label.rule_id.clone(),
                group_id: rule.group_id.clone(),
                group_name: group.map(|group| group.name.clone()).unwrap_or_default(),
                direction: rule.direction,
                action: rule.action().as_str(),
                priority: rule.ranked.as_ref().map(|ranked| ranked.priority),
                protocol: rule.protocol.report_word(),
                from_port: ports.0,
                to_port: ports.1,
                peer: PeerRow { kind: rule.peer.kind(), value: rule.peer.to_string() },
                description: label.description.clone(),
                in_force: in_force(timeline, RuleIndex(at)),
                usage: usage(tally, uses, judged),
            }
        })
        .collect()
}

fn in_force(timeline: &Timeline, rule: RuleIndex) -> InForce {
    let Some((first, last)) = timeline.life(rule) else { return InForce { from: None, to: None } };
    let ended = timeline.states.get(last + 1).and_then(|next| next.from);
    InForce { from: text(timeline.states[first].from), to: text(ended) }
}

fn usage(tally: &Tally, uses: &RuleUse, judged: &Judged) -> Usage {
    let interfaces: BTreeSet<String> = uses.interfaces.iter().map(|slot| tally.slots.name(*slot)).collect();
    let covered_share = judged.covered.share().map(fraction);
    Usage {
        verdict: judged.verdict,
        confidence: judged.confidence,
        reasons: judged.reasons(),
        evidence: judged.doubts.clone(),
        covered_share,
        records: uses.records,
        reply_records: uses.reply_records,
        answered_records: (uses.with_flags > 0).then_some(uses.answered_records),
        possible_records: uses.possible_records,
        sole_records: uses.sole_records,
        possible_sole_records: uses.possible_sole_records,
        near_records: uses.near_records,
        packets: uses.packets,
        bytes: uses.bytes,
        first_seen: text(uses.span.first()),
        last_seen: text(uses.span.last()),
        interfaces: interfaces.into_iter().collect(),
    }
}

/// Rules that can go together, in the order in which they should.
pub fn removal_set(timeline: &Timeline, set: &RemovalSet) -> RemovalRows {
    let row = |step: &Step| RemovalRow {
        rule_key: timeline.rules[step.rule.index()].key(),
        rule_id: timeline.labels[step.rule.index()].rule_id.clone(),
        ground: step.ground,
    };
    let steps: Vec<RemovalRow> = set.steps.iter().map(row).collect();
    RemovalRows { rules: steps.iter().map(|row| row.rule_key.clone()).collect(), method: set.method, steps }
}

/// How records ended.
pub fn attribution(tally: &Tally) -> Attribution {
    let outcomes = &tally.outcomes;
    let basis = |basis: Basis| outcomes.basis[basis as usize];
    Attribution {
        unknown_interface: outcomes.unknown_interface,
        no_group: outcomes.no_group,
        unknown_group: outcomes.unknown_group,
        unknown_direction: outcomes.unknown_direction,
        before_first_snapshot: outcomes.before_first_snapshot,
        interface_from_neighbour: outcomes.interface_from_neighbour,
        undated: outcomes.undated,
        unexplained: outcomes.unexplained,
        explained_by_neighbour: outcomes.explained_by_neighbour,
        explained_share: outcomes.explained_share().map(fraction),
        basis: BasisCounts {
            tcp_flags: basis(Basis::TcpFlags),
            contradicted: basis(Basis::Contradicted),
            rules: basis(Basis::Rules),
            rule_ports: basis(Basis::RulePorts),
            low_port: basis(Basis::LowPort),
            known_service: basis(Basis::KnownService),
            fan_in: basis(Basis::FanIn),
            ambiguous: basis(Basis::Ambiguous),
        },
    }
}

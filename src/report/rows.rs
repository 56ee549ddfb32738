//! From figures to rows, each list in the order of its key columns.

use std::collections::{BTreeMap, BTreeSet};

use super::{Attribution, BasisCounts, Fault, FaultPlace, InForce, InterfaceRow, PeerRow, RuleRow, Usage};
use crate::attribution::Basis;
use crate::findings::verdict::Judged;
use crate::ingest::Place;
use crate::rules::timeline::Timeline;
use crate::rules::{RuleIndex, RuleProtocol};
use crate::tally::coverage::FaultCount;
use crate::tally::usage::RuleUse;
use crate::tally::{Tally, fraction};
use crate::time;

pub(super) fn text(time: Option<i64>) -> Option<String> {
    time.map(time::format)
}

/// Every rule of the catalogue, which is sorted.
pub fn rules(timeline: &Timeline, tally: &Tally, uses: &[RuleUse], judged: &[Judged]) -> Vec<RuleRow> {
    let figures = uses.iter().zip(judged);
    timeline
        .rules
        .iter()
        .zip(&timeline.labels)
        .zip(figures)
        .zip(0..)
        .map(|(((rule, label), (uses, judged)), at)| {
            let ports = if rule.protocol == RuleProtocol::All {
                (None, None)
            } else {
                (rule.from_port, rule.to_port)
            };
            let group = timeline.states.iter().rev().find_map(|state| state.groups.get(&rule.group_id));
            RuleRow {
                rule_key: rule.key(),
                rule_id: label.rule_id.clone(),
                group_id: rule.group_id.clone(),
                group_name: group.map(|group| group.name.clone()).unwrap_or_default(),
                direction: rule.direction,
                action: "allow",
                priority: None,
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
        reasons: judged.reasons.iter().copied().collect(),
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

/// Interfaces of the logs and of the snapshots.
pub fn interfaces(timeline: &Timeline, tally: &Tally) -> Vec<InterfaceRow> {
    let mut rows: BTreeMap<String, InterfaceRow> = BTreeMap::new();
    let empty = |id: &str| InterfaceRow {
        interface_id: id.to_owned(),
        in_snapshot: false,
        group_ids: Vec::new(),
        records: 0,
        no_data: 0,
        skip_data: 0,
        first_seen: None,
        last_seen: None,
    };
    for interface in timeline.states.iter().flat_map(|state| state.interfaces.values()) {
        let row = rows.entry(interface.id.clone()).or_insert_with(|| empty(&interface.id));
        row.in_snapshot = true;
        row.group_ids.extend(interface.group_ids.iter().cloned());
    }
    for (slot, interface) in (0..).zip(&tally.interfaces) {
        let id = tally.slots.name(slot);
        let row = rows.entry(id.clone()).or_insert_with(|| empty(&id));
        row.records += interface.accepted + interface.rejected;
        row.no_data += interface.no_data;
        row.skip_data += interface.skip_data;
        row.first_seen = text(interface.span.first());
        row.last_seen = text(interface.span.last());
    }
    for row in rows.values_mut() {
        row.group_ids.sort();
        row.group_ids.dedup();
    }
    rows.into_values().collect()
}

/// Malformed rows, with their first place resolved over the parts of its file.
pub fn faults(tally: &Tally, files: &[String]) -> Vec<Fault> {
    let rows = tally.faults.iter().map(|(fault, count)| Fault {
        reason: fault.to_string(),
        count: count.count,
        first: place(tally, files, count),
    });
    let mut rows: Vec<Fault> = rows.collect();
    rows.sort_by(|a, b| a.reason.cmp(&b.reason));
    rows
}

fn place(tally: &Tally, files: &[String], count: &FaultCount) -> FaultPlace {
    let (file, part, place) = count.first;
    let before: u64 = tally.places.range((file, 0)..(file, part)).map(|(_, places)| places).sum();
    let file = files.get(file as usize).cloned().unwrap_or_default();
    match place {
        Place::Line(line) => FaultPlace { file, line: Some(before + line), row: None },
        Place::Row(row) => FaultPlace { file, line: None, row: Some(before + row) },
    }
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

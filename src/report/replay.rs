//! What a proposal would have changed, as a value: what `replay --format json` writes, key by key.

use serde::Serialize;

use super::build::{Run, coverage};
use super::rows::text;
use super::{Coverage, Generator, Window};
use crate::findings::attachment::Attachments;
use crate::findings::blocked::shown;
use crate::flow::{Direction, protocol_name};
use crate::rules::timeline::Timeline;
use crate::tally::changes::{Certainty, Change, Row};

/// The whole answer.
#[derive(Debug, Clone, Serialize)]
pub struct ReplayReport {
    /// `1`.
    pub schema_version: &'static str,
    /// Who wrote it.
    pub generator: Generator,
    /// Of the traffic records.
    pub window: Window,
    /// What of the proposal is not known, or may not be meant.
    pub warnings: Vec<String>,
    /// What was let through, and would not be.
    pub newly_blocked: NewlyBlocked,
    /// What was refused, and would be let through.
    pub newly_opened: NewlyOpened,
    /// ACCEPTs that no rule explains.
    pub unexplained: Unexplained,
    /// What was read, and what was not.
    pub coverage: Coverage,
}

/// What would be blocked.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewlyBlocked {
    /// Records whose role is told.
    pub records: u64,
    /// Records of which one reading loses its rules.
    pub possible_records: u64,
    /// Of all these, records that the newest rules would block as well: what let them through was gone before.
    pub gone_before_records: u64,
    /// By interface, port and peer.
    pub rows: Vec<BlockedRow>,
}

/// What would be opened.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewlyOpened {
    /// Records.
    pub records: u64,
    /// By interface, port and peer.
    pub rows: Vec<OpenedRow>,
}

/// ACCEPTs that no rule explains.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Unexplained {
    /// By the rules in force.
    pub now: u64,
    /// By those proposed.
    pub proposed: u64,
}

/// Where, and with whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Flow {
    /// Interface id.
    pub interface_id: String,
    /// Of the records.
    pub direction: Direction,
    /// Name or number.
    pub protocol: String,
    /// Port of the end that was connected to; 0 where the protocol has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// In place of `port` where there were too many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_range: Option<[u16; 2]>,
    /// Address, or the prefix it was widened to.
    pub peer: String,
}

/// Records that would be blocked.
#[derive(Debug, Clone, Serialize)]
pub struct BlockedRow {
    /// Where, and with whom.
    #[serde(flatten)]
    pub flow: Flow,
    /// Rules that let them through, and would not.
    pub lost_rules: Vec<String>,
    /// Whether the role of the records is told.
    pub certainty: &'static str,
    /// Whether the rules lost were gone before the proposal.
    pub gone_before: bool,
    /// Records.
    pub records: u64,
    /// Of those, records that show the end of their connection (FIN or RST): it does not outlive the change. Null where
    /// no record shows TCP flags.
    pub closed_records: Option<u64>,
    /// RFC 3339.
    pub first_seen: Option<String>,
    /// RFC 3339.
    pub last_seen: Option<String>,
}

/// Records that would be let through.
#[derive(Debug, Clone, Serialize)]
pub struct OpenedRow {
    /// Where, and with whom.
    #[serde(flatten)]
    pub flow: Flow,
    /// Rules that would let them through.
    pub opening_rules: Vec<String>,
    /// Records.
    pub records: u64,
    /// RFC 3339.
    pub first_seen: Option<String>,
    /// RFC 3339.
    pub last_seen: Option<String>,
}

/// Makes the answer of a run that was held against `proposed` too.
pub fn report(run: &Run<'_>, proposed: &Timeline, warnings: Vec<String>) -> ReplayReport {
    let tally = run.tally;
    let attachments = Attachments::of(run.timeline, tally);
    let mut blocked = NewlyBlocked::default();
    let mut opened = NewlyOpened::default();
    let in_force = run.timeline.newest_rules();
    for row in tally.changes.rows() {
        let rules = tally.sets.rules(row.key.rules).iter().map(|rule| proposed.rules[rule.index()].key());
        let rules: Vec<String> = rules.collect();
        for (peer, uses) in row.row.peers.iter() {
            let flow = flow(run, &row, shown(&peer));
            let (first_seen, last_seen) = (text(uses.span.first()), text(uses.span.last()));
            let records = uses.records;
            match row.key.change {
                Change::Opened => {
                    opened.records += records;
                    let opening_rules = rules.clone();
                    opened.rows.push(OpenedRow { flow, opening_rules, records, first_seen, last_seen });
                }
                Change::Blocked(certainty) => {
                    match certainty {
                        Certainty::Sure => blocked.records += records,
                        Certainty::Possible => blocked.possible_records += records,
                    }
                    let gone_before =
                        !tally.sets.rules(row.key.rules).iter().any(|rule| in_force.contains(rule));
                    if gone_before {
                        blocked.gone_before_records += records;
                    }
                    let within = |(net, _): &(ipnet::IpNet, _)| peer.contains(net);
                    let closed = row.row.closed.iter().filter(within).map(|(_, uses)| uses.records).sum();
                    blocked.rows.push(BlockedRow {
                        flow,
                        lost_rules: rules.clone(),
                        certainty: certainty.as_str(),
                        gone_before,
                        records,
                        closed_records: row.row.with_flags.then_some(closed),
                        first_seen,
                        last_seen,
                    });
                }
            }
        }
    }
    blocked
        .rows
        .sort_by(|a, b| (&a.flow, &a.lost_rules, a.certainty).cmp(&(&b.flow, &b.lost_rules, b.certainty)));
    opened.rows.sort_by(|a, b| (&a.flow, &a.opening_rules).cmp(&(&b.flow, &b.opening_rules)));
    ReplayReport {
        schema_version: "1",
        generator: Generator::OURS,
        window: Window::of(tally.window),
        warnings,
        newly_blocked: blocked,
        newly_opened: opened,
        unexplained: Unexplained { now: tally.outcomes.unexplained, proposed: tally.changes.unexplained },
        coverage: coverage(run, &attachments),
    }
}

fn flow(run: &Run<'_>, row: &Row<'_>, peer: String) -> Flow {
    let (from, to) = row.ports;
    Flow {
        interface_id: run.tally.slots.name(row.key.interface),
        direction: row.key.direction,
        protocol: protocol_name(row.key.protocol),
        port: (from == to).then_some(from),
        port_range: (from != to).then_some([from, to]),
        peer,
    }
}

//! What was read and what was not, as rows: interfaces, malformed rows, flow logs and their objects.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::rows::text;
use crate::findings::attachment::{Attachments, Window};
use crate::findings::cadence::{Cadence, Gap};
use crate::ingest::{LeftOut, Place};
use crate::rules::state::FlowLog;
use crate::rules::timeline::Timeline;
use crate::tally::Tally;
use crate::tally::coverage::{FaultCount, InterfaceTally};
use crate::tally::hours::Hours;
use crate::time;

/// Gaps that are listed of more.
const MOST_GAPS: usize = 1000;

/// What was read, and what was not.
#[derive(Debug, Clone, Serialize)]
pub struct Coverage {
    /// Log files.
    pub files: Files,
    /// Records by kind.
    pub records: Records,
    /// Malformed rows by reason.
    pub faults: Vec<Fault>,
    /// Interfaces of the logs, and those of the snapshots that the logs lack.
    pub interfaces: Vec<InterfaceRow>,
    /// How ACCEPT records ended.
    pub attribution: Attribution,
    /// Files of the snapshots.
    pub snapshots: Vec<SnapshotFile>,
    /// Flow logs that the snapshots describe, each as each snapshot that differs.
    pub flow_logs: Vec<FlowLogRow>,
}

/// Log files.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Files {
    /// Files that were read to the end.
    pub read: u64,
    /// Files that could not be read, or not to the end.
    pub failed: u64,
    /// Why, by file.
    pub failures: Vec<Failure>,
    /// What was there and was not read: of other accounts, regions or times, by its folders and names.
    #[serde(skip_serializing_if = "LeftOut::is_nothing")]
    pub left_out: LeftOut,
    /// What each flow log delivered, by the names of its objects in S3.
    pub deliveries: Vec<DeliveryRow>,
    /// Where objects are missing; of too many, the longest.
    pub gaps: Vec<GapRow>,
}

/// One file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Failure {
    /// The file.
    pub file: String,
    /// Why.
    pub error: String,
}

/// Records by kind.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Records {
    /// Well-formed records inside the window that count.
    pub total: u64,
    /// ACCEPT.
    pub accepted: u64,
    /// REJECT.
    pub rejected: u64,
    /// NODATA.
    pub no_data: u64,
    /// SKIPDATA.
    pub skip_data: u64,
    /// Rows that are no record.
    pub malformed: u64,
    /// Outside `--since`/`--until`.
    pub outside_window: u64,
    /// Delivered by a second flow log as well, and counted once.
    pub duplicate: u64,
}

/// Malformed rows of one reason.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// What is wrong.
    pub reason: String,
    /// How often.
    pub count: u64,
    /// Where first.
    pub first: FaultPlace,
}

/// Where a malformed row stands.
#[derive(Debug, Clone, Serialize)]
pub struct FaultPlace {
    /// The file.
    pub file: String,
    /// Line of a text file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Row of a table, or event of a document, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
}

/// One interface.
#[derive(Debug, Clone, Serialize)]
pub struct InterfaceRow {
    /// Interface id.
    pub interface_id: String,
    /// Whether any snapshot has it.
    pub in_snapshot: bool,
    /// Groups, of all snapshots.
    pub group_ids: Vec<String>,
    /// ACCEPT and REJECT records.
    pub records: u64,
    /// NODATA records.
    pub no_data: u64,
    /// SKIPDATA records.
    pub skip_data: u64,
    /// Hours of the window, by what the logs say of them.
    pub hours: HourCounts,
    /// RFC 3339.
    pub first_seen: Option<String>,
    /// RFC 3339.
    pub last_seen: Option<String>,
}

/// How records ended; see the attribution documentation.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Attribution {
    /// ACCEPT and REJECT on interfaces of no snapshot.
    pub unknown_interface: u64,
    /// ACCEPT and REJECT on interfaces without groups.
    pub no_group: u64,
    /// ACCEPT that no known rule explains while a group is unknown.
    pub unknown_group: u64,
    /// ACCEPT and REJECT whose direction cannot be told.
    pub unknown_direction: u64,
    /// ACCEPT and REJECT before the first snapshot.
    pub before_first_snapshot: u64,
    /// ACCEPT on interfaces that the state in force lacks.
    pub interface_from_neighbour: u64,
    /// ACCEPT without a time.
    pub undated: u64,
    /// ACCEPT that no rule explains.
    pub unexplained: u64,
    /// ACCEPT that a neighbouring snapshot explains.
    pub explained_by_neighbour: u64,
    /// Share of the ACCEPTs held against rules that those in force explain, 0 to 1; null where there are none.
    pub explained_share: Option<f64>,
    /// What told the role of the others.
    pub basis: BasisCounts,
}

/// ACCEPT records by what told their role.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[expect(missing_docs, reason = "each is the count of the basis of that name")]
pub struct BasisCounts {
    pub tcp_flags: u64,
    pub contradicted: u64,
    pub rules: u64,
    pub rule_ports: u64,
    pub low_port: u64,
    pub known_service: u64,
    pub fan_in: u64,
    pub ambiguous: u64,
}

/// One file of a snapshot.
#[derive(Debug, Clone, Serialize)]
pub struct SnapshotFile {
    /// Since when its snapshot is in force; null: always.
    pub in_force_from: Option<String>,
    /// The file.
    pub file: String,
    /// Why it was left aside; null: it was understood.
    pub left_aside: Option<String>,
    /// Which part of it should have been understood, and was not; null: none.
    pub missed: Option<String>,
}

/// What one flow log delivered from one account and region, by the names of its objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryRow {
    /// Account.
    pub account_id: String,
    /// Region.
    pub region: String,
    /// `fl-…`.
    pub flow_log_id: String,
    /// Start of the first five minutes with an object, RFC 3339.
    pub first_object: String,
    /// Start of the last five minutes with an object, RFC 3339.
    pub last_object: String,
    /// Five minutes from first to last that have an object.
    pub steps_with_objects: u64,
    /// Those without one where nearly all of the day before and after have one.
    pub missing_objects: u64,
    /// Those without one where objects are too sparse to tell whether any is missing.
    pub steps_untold: u64,
    /// Runs of missing objects.
    pub gaps: u64,
}

/// Objects of one flow log that are missing one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GapRow {
    /// Account.
    pub account_id: String,
    /// Region.
    pub region: String,
    /// `fl-…`.
    pub flow_log_id: String,
    /// Start of the first five minutes without an object, RFC 3339.
    pub from: String,
    /// Start of the next five minutes with one, RFC 3339.
    pub to: String,
    /// How many are missing.
    pub missing_objects: u64,
}

/// Hours of one interface, within the window and while a snapshot has the interface. Of one that no snapshot has,
/// `attached` and `nothing` are 0 and the others count the whole window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HourCounts {
    /// While a snapshot has it.
    pub attached: u64,
    /// With ACCEPT or REJECT.
    pub records: u64,
    /// With NODATA and neither ACCEPT nor REJECT.
    pub no_data: u64,
    /// With SKIPDATA, whatever else there is.
    pub skip_data: u64,
    /// Without any record.
    pub nothing: u64,
}

/// One flow log, as describe-flow-logs says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FlowLogRow {
    /// `FlowLogId`.
    pub flow_log_id: String,
    /// `ResourceId`: a VPC, a subnet or an interface.
    pub resource_id: String,
    /// `TrafficType`: ACCEPT, REJECT or ALL.
    pub traffic_type: String,
    /// `FlowLogStatus`.
    pub flow_log_status: String,
    /// `CreationTime`, RFC 3339.
    pub creation_time: Option<String>,
    /// `MaxAggregationInterval`, in seconds.
    pub max_aggregation_interval: Option<u32>,
    /// `DeliverLogsStatus`, empty where unknown.
    pub deliver_logs_status: String,
    /// `DeliverLogsErrorMessage`, empty where there is none.
    pub deliver_logs_error_message: String,
}

/// Interfaces of the logs and of the snapshots.
pub fn interfaces(tally: &Tally, attachments: &Attachments<'_>) -> Vec<InterfaceRow> {
    let mut rows: BTreeMap<String, InterfaceRow> = BTreeMap::new();
    let empty = |id: &str| InterfaceRow {
        interface_id: id.to_owned(),
        in_snapshot: false,
        group_ids: Vec::new(),
        records: 0,
        no_data: 0,
        skip_data: 0,
        hours: HourCounts::default(),
        first_seen: None,
        last_seen: None,
    };
    for interface in attachments.lives().interfaces() {
        let row = rows.entry(interface.id.clone()).or_insert_with(|| empty(&interface.id));
        row.in_snapshot = true;
        row.group_ids.extend(interface.group_ids.iter().cloned());
    }
    let lives = attachments.hours_of_life();
    for (id, row) in &mut rows {
        row.hours.attached = lives.get(id.as_str()).map_or(0, |life| length(life));
        row.hours.nothing = row.hours.attached;
    }
    let window = attachments.window().map(Window::hours);
    for (slot, interface) in (0..).zip(&tally.interfaces) {
        let id = tally.slots.name(slot);
        let row = rows.entry(id.clone()).or_insert_with(|| empty(&id));
        row.records += interface.accepted + interface.rejected;
        row.no_data += interface.no_data;
        row.skip_data += interface.skip_data;
        let life =
            if row.in_snapshot { lives.get(id.as_str()).map(Vec::as_slice) } else { Some(window.as_slice()) };
        row.hours = hours(interface, life.unwrap_or_default(), row.hours.attached);
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

/// Hours of an interface by what the logs say of them, within its life.
fn hours(interface: &InterfaceTally, life: &[(i64, i64)], attached: u64) -> HourCounts {
    let quiet = interface.quiet_hours();
    let mut known = interface.covered();
    known.merge(&interface.skip_data_hours);
    let within = |hours: &Hours| life.iter().map(|(from, to)| hours.count(*from, *to)).sum::<u64>();
    HourCounts {
        attached,
        records: within(&interface.hours),
        no_data: within(&quiet),
        skip_data: within(&interface.skip_data_hours),
        nothing: attached.saturating_sub(within(&known)),
    }
}

fn length(life: &[(i64, i64)]) -> u64 {
    life.iter().filter_map(|(from, to)| u64::try_from(to - from).ok()).sum()
}

/// What each flow log delivered, by account, region and id.
pub fn deliveries(cadences: &[Cadence]) -> Vec<DeliveryRow> {
    let row = |cadence: &Cadence| DeliveryRow {
        account_id: cadence.account_id.clone(),
        region: cadence.region.clone(),
        flow_log_id: cadence.flow_log_id.clone(),
        first_object: time::format(cadence.first),
        last_object: time::format(cadence.last),
        steps_with_objects: cadence.steps.present,
        missing_objects: cadence.steps.missing,
        steps_untold: cadence.steps.untold,
        gaps: cadence.gaps.len() as u64,
    };
    cadences.iter().map(row).collect()
}

/// Where objects are missing, by account, region, flow log and time.
pub fn gaps(cadences: &[Cadence]) -> Vec<GapRow> {
    let all = (0..).zip(cadences).flat_map(|(at, cadence)| cadence.gaps.iter().map(move |gap| (at, gap)));
    let mut all: Vec<(usize, &Gap)> = all.collect();
    all.sort_by_key(|(at, gap)| (Reverse(gap.objects), *at, gap.from));
    all.truncate(MOST_GAPS);
    all.sort_by_key(|(at, gap)| (*at, gap.from));
    let row = |(at, gap): (usize, &Gap)| {
        let cadence = cadences.get(at)?;
        Some(GapRow {
            account_id: cadence.account_id.clone(),
            region: cadence.region.clone(),
            flow_log_id: cadence.flow_log_id.clone(),
            from: time::format(gap.from),
            to: time::format(gap.to),
            missing_objects: gap.objects,
        })
    };
    all.into_iter().filter_map(row).collect()
}

/// Flow logs that the snapshots describe.
pub fn flow_logs(timeline: &Timeline) -> Vec<FlowLogRow> {
    let row = |flow_log: &FlowLog| FlowLogRow {
        flow_log_id: flow_log.id.clone(),
        resource_id: flow_log.resource_id.clone(),
        traffic_type: flow_log.traffic_type.clone(),
        flow_log_status: flow_log.status.clone(),
        creation_time: text(flow_log.created),
        max_aggregation_interval: flow_log.aggregation,
        deliver_logs_status: flow_log.delivery_status.clone(),
        deliver_logs_error_message: flow_log.delivery_error.clone(),
    };
    let mut rows: Vec<FlowLogRow> = timeline.flow_logs.iter().map(row).collect();
    rows.sort();
    // Another format alone is no other row.
    rows.dedup();
    rows
}

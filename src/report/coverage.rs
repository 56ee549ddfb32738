//! What was read and what was not, as rows: interfaces, malformed rows, flow logs and their objects.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::rows::text;
use super::{Fault, FaultPlace, InterfaceRow};
use crate::findings::attachment::{Attachments, Window};
use crate::findings::cadence::{Cadence, Gap};
use crate::ingest::Place;
use crate::rules::state::FlowLog;
use crate::rules::timeline::Timeline;
use crate::tally::Tally;
use crate::tally::coverage::{FaultCount, InterfaceTally};
use crate::tally::hours::Hours;
use crate::time;

/// Gaps that are listed of more.
const MOST_GAPS: usize = 1000;

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

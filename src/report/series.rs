//! What came when, and when each rule was used.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::rules::RuleIndex;
use crate::rules::timeline::Timeline;
use crate::tally::Tally;
use crate::tally::tracks::days::Day;
use crate::tally::tracks::of_rule::{DayUse, RuleTracks};
use crate::time;

/// Counts by day; where there are too many days, by weeks or longer units. Records without a time are in none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TimeSeries {
    /// Days of a unit: 1, 7 and so on.
    pub unit_days: i64,
    /// Units in which records came, ascending.
    pub days: Vec<DayRow>,
    /// Rules that were used, in the order of `rules`.
    pub rules: Vec<RuleSeries>,
}

/// What came in a unit of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DayRow {
    /// Its first second, RFC 3339.
    pub start: String,
    /// ACCEPT records.
    pub accepted: u64,
    /// REJECT records.
    pub rejected: u64,
    /// Bytes of ACCEPT records.
    pub accepted_bytes: u64,
}

/// When a rule was used: counts parallel to `days`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleSeries {
    /// Which.
    pub rule_key: String,
    /// Records in forward role.
    pub records: Vec<u64>,
    /// Records in reply role.
    pub reply_records: Vec<u64>,
    /// Records that it may have let through. Those that only the whole input could decide are here, on the side of either role,
    /// for which day they came on is known and which role they were given is not: so there may be more of them than in `usage`.
    pub possible_records: Vec<u64>,
}

/// The series of a run.
pub fn time_series(timeline: &Timeline, tally: &Tally, tracks: &RuleTracks<'_>) -> TimeSeries {
    let calendar = &tally.tracks.calendar;
    let resolution = calendar.resolution();
    let days = calendar.iter().map(|(day, volume)| DayRow {
        start: time::format(resolution.start(day)),
        accepted: volume.accepted,
        rejected: volume.rejected,
        accepted_bytes: volume.accepted_bytes,
    });
    let columns: Vec<Day> = calendar.iter().map(|(day, _)| day).collect();
    let rules = timeline.rules.iter().zip(0..).filter(|(rule, _)| !rule.is_default());
    let rules = rules.filter_map(|(rule, at)| {
        let uses = tracks.days(RuleIndex(at));
        (!uses.is_empty()).then(|| series(rule.key(), &columns, &uses))
    });
    TimeSeries { unit_days: resolution.days(), days: days.collect(), rules: rules.collect() }
}

fn series(rule_key: String, days: &[Day], uses: &BTreeMap<Day, DayUse>) -> RuleSeries {
    let counts = |of: fn(&DayUse) -> u64| days.iter().map(|day| uses.get(day).map_or(0, of)).collect();
    RuleSeries {
        rule_key,
        records: counts(|day| day.records),
        reply_records: counts(|day| day.reply_records),
        possible_records: counts(|day| day.possible_records),
    }
}

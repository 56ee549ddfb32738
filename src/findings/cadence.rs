//! What the names of delivered objects tell of objects that are not there.
//!
//! A flow log writes to S3 every five minutes, and the name says which five. AWS writes no object for five minutes in which
//! no interface had a record, so one that is not there is missing only where nearly all around it are there.

use std::collections::BTreeMap;

use crate::flow::Seconds;
use crate::ingest::object_name::ObjectName;
use crate::time::Window;

/// How often a flow log delivers, in seconds.
///
/// Source: <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html>.
pub const STEP: Seconds = 300;
/// What lies around a gap: a day on either side.
const AROUND: i64 = 86_400 / STEP;
/// Fewer steps than an hour around a gap tell nothing.
const FEWEST: i64 = 3600 / STEP;

/// What one flow log delivered from one account and region, by the names of the objects given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cadence {
    /// The account.
    pub account_id: String,
    /// The region.
    pub region: String,
    /// `fl-…`.
    pub flow_log_id: String,
    /// Start of the first five minutes with an object.
    pub first: Seconds,
    /// Start of the last five minutes with an object.
    pub last: Seconds,
    /// Five minutes with an object, and so on.
    pub steps: Steps,
    /// Where objects are missing, by time.
    pub gaps: Vec<Gap>,
}

/// Five minutes from the first object to the last, by what there is of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps {
    /// With an object.
    pub present: u64,
    /// Without one where nearly all around have one.
    pub missing: u64,
    /// Without one where too few around have one to tell whether any is missing.
    pub untold: u64,
}

impl Steps {
    /// All of them.
    pub fn all(self) -> u64 {
        self.present.saturating_add(self.missing).saturating_add(self.untold)
    }

    /// Whether more than one in a hundred is missing.
    pub fn lacks_much(self) -> bool {
        u128::from(self.missing) * 100 > u128::from(self.all())
    }
}

/// Objects that are missing one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Start of the first five minutes without an object.
    pub from: Seconds,
    /// Start of the next five minutes with one.
    pub to: Seconds,
    /// How many are missing.
    pub objects: u64,
}

/// The cadences that these paths tell, by account, region and flow log. Objects outside the window do not count: nobody
/// asked for them.
pub fn cadences<'a>(paths: impl Iterator<Item = &'a str>, window: Window) -> Vec<Cadence> {
    let mut steps: BTreeMap<(&str, &str, &str), Vec<i64>> = BTreeMap::new();
    for object in paths.filter_map(ObjectName::parse).filter(|object| !window.excludes(object.at, object.at))
    {
        let delivery = steps.entry((object.account_id, object.region, object.flow_log_id)).or_default();
        delivery.push(object.at.div_euclid(STEP));
    }
    let cadences = steps.into_iter().filter_map(|((account_id, region, flow_log_id), mut steps)| {
        steps.sort_unstable();
        steps.dedup();
        let (first, last) = (*steps.first()?, *steps.last()?);
        let (gaps, missing) = gaps(&steps);
        let present = steps.len() as u64;
        let all = (last - first).unsigned_abs() + 1;
        Some(Cadence {
            account_id: account_id.to_owned(),
            region: region.to_owned(),
            flow_log_id: flow_log_id.to_owned(),
            first: first * STEP,
            last: last * STEP,
            steps: Steps { present, missing, untold: all - present - missing },
            gaps,
        })
    });
    cadences.collect()
}

/// Where objects are missing, and how many. Steps ascend, each once.
fn gaps(steps: &[i64]) -> (Vec<Gap>, u64) {
    let neighbours = steps.windows(2).filter_map(|pair| match pair {
        [before, after] if after - before > 1 => Some((*before, *after)),
        _ => None,
    });
    let missing = neighbours.filter(|(before, after)| is_gap(steps, *before, *after));
    let gaps: Vec<Gap> = missing
        .map(|(before, after)| Gap {
            from: (before + 1) * STEP,
            to: after * STEP,
            objects: (after - before - 1).unsigned_abs(),
        })
        .collect();
    let sum = gaps.iter().map(|gap| gap.objects).sum();
    (gaps, sum)
}

/// Whether nine of ten steps around have an object.
fn is_gap(steps: &[i64], before: i64, after: i64) -> bool {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return false };
    let (from, to) = ((before - AROUND + 1).max(*first), (after + AROUND - 1).min(*last));
    let around = (before - from + 1) + (to - after + 1);
    let within = |from: i64, to: i64| {
        steps.partition_point(|step| *step <= to) - steps.partition_point(|step| *step < from)
    };
    let present = i64::try_from(within(from, before) + within(after, to)).unwrap_or(i64::MAX);
    around >= FEWEST && present.saturating_mul(10) >= around.saturating_mul(9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;

    /// 2026-01-01T00:00:00Z.
    const START: i64 = 1_767_225_600;
    const DAY: i64 = 288;

    fn path(step: i64) -> String {
        let text = time::format(START + step * STEP).replace([':', '-'], "");
        format!("a/1_vpcflowlogs_eu-west-1_fl-1_{}Z_{step:x}.log.gz", &text[..13])
    }

    fn of(steps: impl IntoIterator<Item = i64>, window: Window) -> Option<Cadence> {
        let paths: Vec<String> = steps.into_iter().map(path).collect();
        let mut cadences = cadences(paths.iter().map(String::as_str), window);
        assert!(cadences.len() < 2);
        cadences.pop()
    }

    /// Steps with an object, without one, and those that nobody can tell of.
    type Counts = (u64, u64, u64);
    /// First step and number of steps.
    type Gaps = Vec<(i64, u64)>;

    fn told(steps: impl IntoIterator<Item = i64>) -> (Counts, Gaps) {
        let cadence = of(steps, Window::ALL).unwrap();
        let Steps { present, missing, untold } = cadence.steps;
        let gaps = cadence.gaps.iter().map(|gap| ((gap.from - START) / STEP, gap.objects));
        ((present, missing, untold), gaps.collect())
    }

    #[test]
    fn objects_are_missing_where_nearly_all_around_are_there() {
        let but = |gap: std::ops::Range<i64>| (0..3 * DAY).filter(move |step| !gap.contains(step));
        let cases: [(&str, Vec<i64>, Counts, Gaps); 11] = [
            ("all there", but(0..0).collect(), (864, 0, 0), vec![]),
            ("one", but(500..501).collect(), (863, 1, 0), vec![(500, 1)]),
            ("a day and more", but(300..600).collect(), (564, 300, 0), vec![(300, 300)]),
            ("before the first is not known", but(0..100).collect(), (764, 0, 0), vec![]),
            (
                "in two places",
                but(9..11).filter(|step| *step != 700).collect(),
                (861, 3, 0),
                vec![(9, 2), (700, 1)],
            ),
            ("twelve hours apart", (0..14).map(|at| at * 144).collect(), (14, 0, 13 * 143), vec![]),
            ("two objects", vec![0, 9], (2, 0, 8), vec![]),
            ("one object", vec![7], (1, 0, 0), vec![]),
            ("every second one", (0..300).step_by(2).collect(), (150, 0, 149), vec![]),
            // Between two short runs: nobody can say what is usual.
            ("eleven around", (0..5).chain(8..14).collect(), (11, 0, 3), vec![]),
            ("twelve around", (0..5).chain(8..15).collect(), (12, 3, 0), vec![(5, 3)]),
        ];
        for (name, steps, counts, gaps) in cases {
            assert_eq!(told(steps), (counts, gaps), "{name}");
        }
    }

    #[test]
    fn nights_without_traffic_are_no_gaps() {
        let office = (0..3 * DAY).filter(|step| (96..216).contains(&(step % DAY)));
        let (counts, gaps) = told(office);
        assert_eq!((counts, gaps.len()), ((360, 0, 336), 0));
    }

    #[test]
    fn a_tenth_of_what_is_around_may_be_missing_and_no_more() {
        // Every tenth one is missing, or every ninth.
        let without = |each: i64| (0..5 * DAY).filter(move |step| step % each != 5);
        assert_eq!(told(without(10)).0.2, 0);
        let (present, missing, untold) = told(without(9)).0;
        assert_eq!((present, missing), (1280, 0));
        assert_eq!(untold, 160);
    }

    #[test]
    fn several_objects_of_one_time_and_other_orders_change_nothing() {
        let forward: Vec<i64> = (0..40).filter(|step| *step != 20).collect();
        let twice = forward.iter().rev().chain(&forward).copied();
        assert_eq!(told(twice), told(forward.clone()));
        assert_eq!(told(forward).1, [(20, 1)]);
    }

    #[test]
    fn what_the_window_leaves_out_is_not_missed() {
        let steps = || (0..200).filter(|step| *step != 50 && *step != 150);
        let window = Window { since: Some(START + 100 * STEP), until: Some(START + 180 * STEP) };
        let cadence = of(steps(), window).unwrap();
        assert_eq!((cadence.first, cadence.last), (START + 100 * STEP, START + 179 * STEP));
        assert_eq!(cadence.gaps, [Gap { from: START + 150 * STEP, to: START + 151 * STEP, objects: 1 }]);
        assert_eq!(of(steps(), Window { since: Some(START + 900 * STEP), until: None }), None);
    }

    #[test]
    fn flow_logs_accounts_and_regions_are_told_apart() {
        let names =
            ["1_vpcflowlogs_a_fl-1", "1_vpcflowlogs_a_fl-2", "1_vpcflowlogs_b_fl-1", "2_vpcflowlogs_a_fl-1"];
        let paths: Vec<String> =
            names.iter().rev().map(|name| format!("{name}_20260101T0000Z_0.log.gz")).collect();
        let cadences = cadences(paths.iter().map(String::as_str), Window::ALL);
        let found = cadences.iter().map(|it| {
            assert_eq!(it.steps, Steps { present: 1, ..Steps::default() });
            format!("{}_vpcflowlogs_{}_{}", it.account_id, it.region, it.flow_log_id)
        });
        assert_eq!(found.collect::<Vec<_>>(), names);
    }

    #[test]
    fn names_that_lie_millennia_apart_cost_nothing() {
        let paths =
            ["00010101T0000Z", "99991231T2355Z"].map(|time| format!("1_vpcflowlogs_a_fl-1_{time}_0.log.gz"));
        let cadences = cadences(paths.iter().map(String::as_str), Window::ALL);
        assert_eq!((cadences[0].steps.present, cadences[0].gaps.len()), (2, 0));
        assert!(cadences[0].steps.untold > 1_000_000_000);
        assert!(!cadences[0].steps.lacks_much());
    }
}

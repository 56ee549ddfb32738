//! What the folders of a bucket tell: account, region and time, in each of the layouts that VPC Flow Logs come in.
//!
//! ```text
//! [PREFIX/]AWSLogs/[ORGANIZATION/]ACCOUNT/vpcflowlogs/REGION/2026/01/31/[16/]
//! [PREFIX/]AWSLogs/[ORGANIZATION/]aws-account-id=…/aws-service=vpcflowlogs/aws-region=…/year=2026/month=01/day=31/[hour=16/]
//! ```
//!
//! Source: <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html>.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::flow::Seconds;
use crate::ingest::object_name::ObjectName;
use crate::time::{self, Window};

/// Which logs are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Of these accounts; none: of all.
    pub accounts: Vec<String>,
    /// Of these regions; none: of all.
    pub regions: Vec<String>,
    /// Whose records may start in this time.
    pub window: Window,
    /// What is looked for.
    pub what: What,
}

/// What is looked for in a bucket: services share their layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Flow logs.
    FlowLogs,
    /// Documents of any service.
    Documents,
}

/// What to do with a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing in it is chosen.
    LeaveOut,
    /// Look at its folders one by one.
    Descend,
    /// All of it is of one day: list it whole.
    List,
}

/// A file is named by the ends of its records, and holds those of five minutes. They start up to ten minutes before that,
/// a little more where an interface was slow to tell: so far behind the end of the window files are read, too.
const EARLIER: Seconds = 3600;

/// Services that deliver something else in the same layout.
const OTHERS: [&str; 12] = [
    "CloudTrail",
    "CloudTrail-Aggregated",
    "CloudTrail-Digest",
    "CloudTrail-Insight",
    "Config",
    "GuardDuty",
    "WAFLogs",
    "elasticloadbalancing",
    "network-firewall",
    "s3accesslogs",
    "vpc-lattice",
    "vpcdnsquerylogs",
];

/// A file holds at most so much, whatever its name says.
const LONGEST_FILE: Seconds = 86_400;

/// Leaves out what ended before a time. Files of a flow log follow each other: a file is over when the next one begins, which in
/// what AWS delivers is five minutes later, and in what was put together afterwards may be a day.
pub(super) fn not_over_before<T>(since: Option<Seconds>, all: &mut Vec<T>, path: impl Fn(&T) -> &str) {
    let Some(since) = since else { return };
    let mut begins: BTreeMap<(String, String, String), BTreeSet<Seconds>> = BTreeMap::new();
    let stream = |name: &ObjectName<'_>| {
        (name.account_id.to_owned(), name.region.to_owned(), name.flow_log_id.to_owned())
    };
    for name in all.iter().filter_map(|it| ObjectName::parse(path(it))) {
        begins.entry(stream(&name)).or_default().insert(name.at);
    }
    all.retain(|it| {
        let Some(name) = ObjectName::parse(path(it)) else { return true };
        let latest = name.at.saturating_add(LONGEST_FILE);
        let next = begins.get(&stream(&name)).and_then(|begins| begins.range(name.at + 1..).next());
        next.copied().unwrap_or(latest).clamp(name.at + 300, latest) > since
    });
}

/// What a path tells.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told<'a> {
    account: Option<&'a str>,
    service: Option<&'a str>,
    region: Option<&'a str>,
    /// When the records in it end.
    time: Option<Range<Seconds>>,
    /// Year, month, day, hour: how many of them are known.
    depth: usize,
}

impl<'a> Told<'a> {
    /// What the folders of a path tell.
    fn of(path: &'a str) -> Self {
        let mut folders = path.split('/').skip_while(|folder| *folder != "AWSLogs").skip(1).peekable();
        let mut told = Self::default();
        folders.next_if(|folder| folder.starts_with("o-"));
        let mut part = |key: &str, fits: fn(&str) -> bool| {
            let folder = folders.next()?;
            let value = match folder.split_once('=') {
                Some((name, value)) => Some(value).filter(|_| name == key)?,
                None => folder,
            };
            Some(value).filter(|value| fits(value))
        };
        let any = |text: &str| !text.is_empty();
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        told.account = part("aws-account-id", digits);
        told.service = told.account.and_then(|_| part("aws-service", any));
        told.region = told.service.and_then(|_| part("aws-region", any));
        if told.region.is_none() {
            return told;
        }
        let mut date: [Option<u32>; 4] = [None; 4];
        for (key, value) in ["year", "month", "day", "hour"].into_iter().zip(&mut date) {
            *value = part(key, digits).and_then(|text| text.parse().ok());
            if value.is_none() {
                break;
            }
            told.depth += 1;
        }
        told.time = span(date);
        told
    }
}

/// The time from a year, a month, a day or an hour to the next.
fn span([year, month, day, hour]: [Option<u32>; 4]) -> Option<Range<Seconds>> {
    let year = year?;
    let at = |year: u32, month: u32, day: u32| time::parse(&format!("{year:04}-{month:02}-{day:02}"));
    // A folder may be called by any number.
    let fits = |number: u32, most: u32| (number <= most).then_some(number);
    let (year, month) = (fits(year, 9998)?, month.map(|month| fits(month, 12)));
    let Some(month) = month else { return Some(at(year, 1, 1)?..at(year + 1, 1, 1)?) };
    let month = month?;
    let Some(day) = day else {
        let next = if month == 12 { at(year + 1, 1, 1)? } else { at(year, month + 1, 1)? };
        return Some(at(year, month, 1)?..next);
    };
    let start = at(year, month, day)?;
    Some(match hour.filter(|hour| *hour < 24) {
        None => start..start + 86_400,
        Some(hour) => start + Seconds::from(hour) * 3600..start + Seconds::from(hour + 1) * 3600,
    })
}

impl Choice {
    /// Every document.
    pub const DOCUMENTS: Self =
        Self { accounts: Vec::new(), regions: Vec::new(), window: Window::ALL, what: What::Documents };

    /// What to do with a folder of a bucket, by its path. A folder that tells nothing may hold anything.
    pub(super) fn of_folder(&self, path: &str) -> Verdict {
        let told = Told::of(path);
        let is_other = !self.is_of_service(&told);
        let is_out = told.time.as_ref().is_some_and(|time| !self.may_start_in(time));
        if is_other || is_out || !self.is_of(told.account, told.region) {
            return Verdict::LeaveOut;
        }
        if told.depth >= 3 { Verdict::List } else { Verdict::Descend }
    }

    /// Whether an object or a file is chosen, by its path.
    pub(crate) fn takes(&self, path: &str) -> bool {
        if let Some(name) = ObjectName::parse(path) {
            return self.is_of(Some(name.account_id), Some(name.region))
                && self.may_start_in(&(name.at..name.at + LONGEST_FILE));
        }
        let told = Told::of(path);
        let in_time = told.time.as_ref().is_none_or(|time| self.may_start_in(time));
        in_time && self.is_of_service(&told) && self.is_of(told.account, told.region)
    }

    /// Services share their layout. What nobody knows is looked at.
    fn is_of_service(&self, told: &Told<'_>) -> bool {
        match self.what {
            What::FlowLogs => !told.service.is_some_and(|service| OTHERS.contains(&service)),
            What::Documents => told.service != Some("vpcflowlogs"),
        }
    }

    fn is_of(&self, account: Option<&str>, region: Option<&str>) -> bool {
        let fits = |chosen: &[String], found: Option<&str>| {
            chosen.is_empty() || found.is_none_or(|found| chosen.iter().any(|it| it == found))
        };
        fits(&self.accounts, account) && fits(&self.regions, region)
    }

    /// Whether records that end in this time may start in the window.
    fn may_start_in(&self, ends: &Range<Seconds>) -> bool {
        let Window { since, until } = self.window;
        since.is_none_or(|since| ends.end > since)
            && until.is_none_or(|until| ends.start.saturating_sub(EARLIER) < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(accounts: &[&str], regions: &[&str], since: &str, until: &str) -> Choice {
        let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Choice {
            accounts: all(accounts),
            regions: all(regions),
            window: Window { since: time::parse(since), until: time::parse(until) },
            what: What::FlowLogs,
        }
    }

    #[test]
    fn folders_of_every_layout_tell_account_region_and_time() {
        let day = |path: &str| Told::of(path).time;
        let start = time::parse("2026-01-31").unwrap();
        let plain = "p/q/AWSLogs/111111111111/vpcflowlogs/eu-west-1/2026/01/31/";
        let hive = "AWSLogs/aws-account-id=111111111111/aws-service=vpcflowlogs/aws-region=eu-west-1/year=2026/month=01/day=31/";
        for path in [plain, hive, &plain.replace("AWSLogs/", "AWSLogs/o-abc123/")] {
            let told = Told::of(path);
            assert_eq!(
                (told.account, told.service, told.region, told.depth),
                (Some("111111111111"), Some("vpcflowlogs"), Some("eu-west-1"), 3),
                "{path}"
            );
            assert_eq!(told.time, Some(start..start + 86_400), "{path}");
        }
        let hour = Some(start + 16 * 3600..start + 17 * 3600);
        assert_eq!(day(&format!("{plain}16/")), hour);
        assert_eq!(day(&format!("{hive}hour=16/")), hour);
        assert_eq!(day("AWSLogs/1/vpcflowlogs/r/2026/12/").unwrap().end, time::parse("2027-01-01").unwrap());
        for nothing in [
            "",
            "logs/",
            "AWSLogs/",
            "AWSLogs/o-1/",
            "AWSLogs/x/vpcflowlogs/",
            "AWSLogs/1/vpcflowlogs/r/2026/99/",
        ] {
            assert_eq!(day(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_cannot_match_is_not_listed() {
        let all = choice(&[], &[], "", "");
        let some = choice(&["111111111111"], &["eu-west-1"], "2026-01-31T00:30:00Z", "2026-02-01T23:30:00Z");
        let cases = [
            ("", Verdict::Descend, Verdict::Descend),
            ("anything/else/", Verdict::Descend, Verdict::Descend),
            ("AWSLogs/111111111111/", Verdict::Descend, Verdict::Descend),
            ("AWSLogs/222222222222/", Verdict::Descend, Verdict::LeaveOut),
            ("AWSLogs/o-1/222222222222/", Verdict::Descend, Verdict::LeaveOut),
            ("AWSLogs/111111111111/CloudTrail/", Verdict::LeaveOut, Verdict::LeaveOut),
            ("AWSLogs/111111111111/vpcflowlogs/eu-west-1/", Verdict::Descend, Verdict::Descend),
            ("AWSLogs/111111111111/vpcflowlogs/us-east-1/", Verdict::Descend, Verdict::LeaveOut),
            ("AWSLogs/111111111111/vpcflowlogs/eu-west-1/2025/", Verdict::Descend, Verdict::LeaveOut),
            ("AWSLogs/111111111111/vpcflowlogs/eu-west-1/2026/02/", Verdict::Descend, Verdict::Descend),
            ("AWSLogs/111111111111/vpcflowlogs/eu-west-1/2026/03/", Verdict::Descend, Verdict::LeaveOut),
            ("AWSLogs/111111111111/vpcflowlogs/eu-west-1/2026/01/30/", Verdict::List, Verdict::LeaveOut),
            // Begun before midnight.
            ("AWSLogs/111111111111/vpcflowlogs/eu-west-1/2026/02/02/", Verdict::List, Verdict::List),
            ("AWSLogs/111111111111/vpcflowlogs/eu-west-1/2026/02/03/", Verdict::List, Verdict::LeaveOut),
            ("AWSLogs/111111111111/vpcflowlogs/eu-west-1/2026/02/02/05/", Verdict::List, Verdict::LeaveOut),
        ];
        for (path, of_all, of_some) in cases {
            assert_eq!((all.of_folder(path), some.of_folder(path)), (of_all, of_some), "{path}");
        }
    }

    #[test]
    fn a_file_is_chosen_by_the_time_its_records_end() {
        let some = choice(&[], &[], "2026-01-31T12:00:00Z", "2026-01-31T13:00:00Z");
        let name = |time: &str| {
            format!(
                "AWSLogs/1/vpcflowlogs/eu-west-1/2026/01/31/111111111111_vpcflowlogs_eu-west-1_fl-1_{time}_ab.log.gz"
            )
        };
        for (time, taken) in [
            ("20260130T1100Z", false),
            // How long it is, its successor tells.
            ("20260131T1150Z", true),
            ("20260131T1200Z", true),
            ("20260131T1230Z", true),
            // Records that start before one o'clock and end ten minutes after it.
            ("20260131T1310Z", true),
            ("20260131T1400Z", false),
        ] {
            assert_eq!(some.takes(&name(time)), taken, "{time}");
        }
        assert!(some.takes("logs/of-my-own.log"));
        assert!(Choice { window: Window::ALL, ..some.clone() }.takes(&name("20200131T1400Z")));
        assert!(!choice(&[], &["us-east-1"], "", "").takes(&name("20260131T1400Z")));
    }

    #[test]
    fn a_file_is_over_when_the_next_one_of_its_flow_log_begins() {
        let name = |flow_log: &str, time: &str| {
            format!("111111111111_vpcflowlogs_eu-west-1_{flow_log}_20260131T{time}Z_ab.log.gz")
        };
        let since = time::parse("2026-01-31T13:02:00Z");
        let cases: [(&[&str], &[&str]); 4] = [
            // As AWS delivers them.
            (&["1250", "1255", "1300", "1305"], &["1300", "1305"]),
            // Put together afterwards: half a day each.
            (&["0000", "1200"], &["1200"]),
            // Of the last one nobody knows how long it is.
            (&["1200"], &["1200"]),
            (&["1200", "1300", "1300"], &["1300", "1300"]),
        ];
        for (times, expected) in cases {
            let mut names: Vec<String> = times.iter().map(|time| name("fl-1", time)).collect();
            // Other flow logs and other files say nothing of it.
            names.extend([name("fl-2", "1259"), "mine.log".to_owned()]);
            not_over_before(since, &mut names, |name| name);
            let mut kept: Vec<String> = expected.iter().map(|time| name("fl-1", time)).collect();
            kept.extend([name("fl-2", "1259"), "mine.log".to_owned()]);
            assert_eq!(names, kept, "{times:?}");
        }
    }

    #[test]
    fn folders_of_any_name_are_no_trouble() {
        for path in [
            "AWSLogs/1/vpcflowlogs/r/4294967295/",
            "AWSLogs/1/vpcflowlogs/r/2026/4294967295/",
            "AWSLogs/1/vpcflowlogs/r/2026/12/99/",
        ] {
            assert_eq!(Told::of(path).time, None, "{path}");
        }
        let all = choice(&[], &[], "", "");
        assert_eq!(all.of_folder("AWSLogs/1/flow-logs/"), Verdict::Descend);
        assert!(
            all.takes("AWSLogs/1/flow-logs/x.log") && !all.takes("t/AWSLogs/1/CloudTrail/r/2026/01/01/x.gz")
        );
        let documents = Choice::DOCUMENTS;
        assert_eq!(documents.of_folder("AWSLogs/1/vpcflowlogs/"), Verdict::LeaveOut);
        assert_eq!(documents.of_folder("AWSLogs/1/CloudTrail/"), Verdict::Descend);
    }
}

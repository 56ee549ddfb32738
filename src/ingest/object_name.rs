//! What the name of an object tells that a flow log delivered to S3: `ACCOUNT_vpcflowlogs_REGION_fl-…_TIME_HASH.log.gz`.
//!
//! The folders differ (a prefix, days or hours, `name=value`), the name does not. Source:
//! <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html>.

use crate::flow::Seconds;
use crate::time;

/// Which flow log delivered an object, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName<'a> {
    /// The account of the flow log.
    pub account_id: &'a str,
    /// Its region.
    pub region: &'a str,
    /// `fl-…`.
    pub flow_log_id: &'a str,
    /// The object holds records that end in the five minutes from then on.
    pub at: Seconds,
}

impl<'a> ObjectName<'a> {
    /// Reads the last part of a path with `/` between its parts. None: it is no such name.
    pub fn parse(path: &'a str) -> Option<Self> {
        let name = path.rsplit('/').next()?;
        let mut parts = name.split('_');
        let (account_id, word, region) = (parts.next()?, parts.next()?, parts.next()?);
        let (flow_log_id, at) = (parts.next()?, time::parse_minute(parts.next()?)?);
        let hash = parts.next()?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let fits = digits(account_id)
            && word == "vpcflowlogs"
            && !region.is_empty()
            && is_flow_log(flow_log_id)
            && !hash.is_empty()
            && parts.next().is_none();
        fits.then_some(Self { account_id, region, flow_log_id, at })
    }
}

/// `fl-…` of a file name, also where the rest of it was changed.
pub fn flow_log(name: &str) -> Option<&str> {
    let mut parts = name.split('_').skip_while(|part| *part != "vpcflowlogs").skip(2);
    parts.next().filter(|id| is_flow_log(id))
}

fn is_flow_log(id: &str) -> bool {
    let hex = id.strip_prefix("fl-").unwrap_or_default();
    !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flow_log_stands_in_the_name() {
        let cases = [
            (
                "123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.gz",
                Some("fl-1234abcd"),
            ),
            ("1_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.parquet", Some("fl-1234abcd")),
            ("copy_1_vpcflowlogs_us-east-1_fl-1234abcd", Some("fl-1234abcd")),
            ("123456789012_vpcflowlogs_us-east-1", None),
            ("fl-1234abcd.log", None),
            ("1_vpcflowlogs_us-east-1_fl-_x.log", None),
        ];
        for (name, expected) in cases {
            assert_eq!(flow_log(name), expected, "{name}");
        }
    }

    #[test]
    fn the_time_stands_in_the_name_whatever_the_folders() {
        let name = "111111111111_vpcflowlogs_eu-west-1_fl-0a1b_20260131T1620Z_0f0f0f0f.log.gz";
        let expected = ObjectName {
            account_id: "111111111111",
            region: "eu-west-1",
            flow_log_id: "fl-0a1b",
            at: 1_769_876_400,
        };
        let folders = [
            "",
            "logs/AWSLogs/111111111111/vpcflowlogs/eu-west-1/2026/01/31/",
            "AWSLogs/111111111111/vpcflowlogs/eu-west-1/2026/01/31/16/",
            "p/AWSLogs/aws-account-id=111111111111/aws-service=vpcflowlogs/aws-region=eu-west-1/year=2026/month=01/\
             day=31/hour=16/",
        ];
        for folder in folders {
            assert_eq!(ObjectName::parse(&format!("{folder}{name}")), Some(expected), "{folder}");
        }
        for other in [
            "",
            "/",
            "log",
            "x_vpcflowlogs_eu-west-1_fl-0a1b_20260131T1620Z_0f.log.gz",
            "1_vpcflowlogs_eu-west-1_fl-0a1b_20260131T1620Z.log.gz",
            "1_vpcflowlogs_eu-west-1_fl-0a1b_20260131T2520Z_0f.log.gz",
            "1_vpcflowlogs__fl-0a1b_20260131T1620Z_0f.log.gz",
            "1_elasticloadbalancing_eu-west-1_fl-0a1b_20260131T1620Z_0f.log.gz",
            "1_vpcflowlogs_eu-west-1_fl-0a1b_20260131T1620Z_0f_more.log.gz",
            "111111111111_vpcflowlogs_eu-west-1_fl-0a1b_20260131T1620Z_0f.log.gz/",
        ] {
            assert_eq!(ObjectName::parse(other), None, "{other}");
        }
    }
}

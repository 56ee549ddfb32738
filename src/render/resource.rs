//! What a finding is about, as the systems name it that teams keep findings in: a resource with an account and a region.

use crate::findings::Finding;
use crate::flow::Seconds;
use crate::report::Report;
use crate::report::owners::Owner;
use crate::rules::state::Cloud;

/// What is said of findings where no document says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fallback {
    /// The account (`--account`).
    pub account: Option<String>,
    /// The region (`--region`).
    pub region: Option<String>,
    /// The time: now.
    pub at: Seconds,
}

/// What kind of thing a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceKind {
    /// A security group.
    SecurityGroup,
    /// A network interface.
    NetworkInterface,
    /// The account as a whole.
    Account,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// What it is.
    pub kind: ResourceKind,
    /// Id of the group or the interface; the account of an account, empty where nobody says it.
    pub id: String,
    /// Whose it is, as far as that is known.
    pub owner: Owner,
}

impl Resource {
    /// What a finding of a report is about: its group, or else its interface, or else all there is.
    pub fn of(finding: &Finding, report: &Report, fallback: &Fallback) -> Self {
        let common = report.owners.common();
        let or = |known: &str, common: &str, given: &Option<String>| match (known, given) {
            ("", Some(given)) if common.is_empty() => given.clone(),
            ("", _) => common.to_owned(),
            (known, _) => known.to_owned(),
        };
        let named = match (&finding.group_id, &finding.interface_id) {
            (Some(group), _) => Some((ResourceKind::SecurityGroup, group)),
            (None, Some(interface)) => Some((ResourceKind::NetworkInterface, interface)),
            (None, None) => None,
        };
        let own = named.and_then(|(_, id)| report.owners.get(id)).cloned();
        let own = own.unwrap_or(Owner { cloud: common.cloud, ..Owner::default() });
        let account = or(&own.account, &common.account, &fallback.account);
        let region = or(&own.region, &common.region, &fallback.region);
        let (kind, id) = match named {
            Some((kind, id)) => (kind, id.clone()),
            None => (ResourceKind::Account, account.clone()),
        };
        Self { kind, id, owner: Owner { cloud: own.cloud, account, region } }
    }

    /// `arn:PARTITION:ec2:REGION:ACCOUNT:security-group/ID`. None: the account or the region is not known, or the cloud has
    /// another way of naming things.
    pub fn arn(&self) -> Option<String> {
        let Owner { cloud, account, region } = &self.owner;
        let what = match self.kind {
            ResourceKind::SecurityGroup => "security-group",
            ResourceKind::NetworkInterface => "network-interface",
            ResourceKind::Account => return None,
        };
        let known = *cloud == Cloud::Aws && !account.is_empty() && !region.is_empty();
        known.then(|| format!("arn:{}:ec2:{region}:{account}:{what}/{}", partition(region), self.id))
    }
}

/// The partition that a region of AWS lies in.
///
/// Source: <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>.
pub fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// At most so many characters, the last of them an ellipsis where some are left out.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

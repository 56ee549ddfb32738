//! What rules have in clouds where they are ranked and may deny (Alibaba Cloud).
//!
//! Source: <https://www.alibabacloud.com/help/en/ecs/user-guide/security-group-rules>.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// What a rule does with a packet that it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// `Drop`. First, for at equal priority it decides.
    Deny,
    /// `Accept`.
    Allow,
}

impl RuleAction {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// Of the classic network: which addresses of an instance a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NicType {
    /// Its public ones: peers of the internet.
    Internet,
    /// Its private ones: peers of private networks.
    Intranet,
}

/// Whether somebody wrote a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Somebody did.
    #[default]
    Written,
    /// What a group allows where no rule decides, or by its `InnerAccessPolicy`: it has no row.
    Default,
}

/// Where a rule stands among the rules of an interface, and what else it asks of a packet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ranked {
    /// 1 to 100, the smaller the earlier.
    pub priority: u8,
    /// What it does.
    pub action: RuleAction,
    /// `SourcePortRange`; None: every port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ports: Option<(u16, u16)>,
    /// The near side: `DestCidrIp` of an ingress rule, `SourceCidrIp` of an egress rule. None: every address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<IpNet>,
    /// `NicType`, in the classic network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nic: Option<NicType>,
    /// `PortRangeListId`: the ports are the entries of this list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_list: Option<PortList>,
    /// Whether somebody wrote it.
    #[serde(default)]
    pub standing: Standing,
}

/// A list of port ranges that a rule names in place of ports.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortList {
    /// `PortRangeListId`.
    pub id: String,
    /// Its entries in the same snapshot, ascending and apart from each other. None: the snapshot lacks them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranges: Option<Vec<(u16, u16)>>,
}

impl PortList {
    /// Whether it holds a port; one whose entries are not known holds none.
    pub fn holds(&self, port: u16) -> bool {
        self.ranges.iter().flatten().any(|(from, to)| (*from..=*to).contains(&port))
    }
}

/// Members reach each other whatever rules say (`InnerAccessPolicy` Accept of a basic group).
pub const BEFORE_ALL: u8 = 0;
/// The defaults of a group stand behind every rule.
///
/// Source: <https://www.alibabacloud.com/help/zh/doc-detail/25387.htm>.
pub const BEHIND_ALL: u8 = 110;

impl Ranked {
    /// A rule of this rank that asks nothing else.
    pub fn new(priority: u8, action: RuleAction) -> Self {
        Self {
            priority,
            action,
            source_ports: None,
            local: None,
            nic: None,
            port_list: None,
            standing: Standing::Written,
        }
    }

    /// The order in which rules are asked: by priority, and what denies before what allows.
    pub fn rank(&self) -> u16 {
        u16::from(self.priority) << 1 | u16::from(self.action == RuleAction::Allow)
    }

    /// Whether protocol, direction, far port and far address do not tell whether it matches.
    pub fn asks_more(&self) -> bool {
        self.source_ports.is_some() || self.local.is_some() || self.nic.is_some()
    }
}

/// What stands behind the key of a rule: `:PRIORITY:ACTION`, and what else it asks, where it does.
impl fmt::Display for Ranked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ":{}:{}", self.priority, self.action.as_str())?;
        if let Some(PortList { id, ranges }) = &self.port_list {
            write!(f, ":ports={id}")?;
            for ((from, to), mark) in
                ranges.iter().flatten().zip(std::iter::once('=').chain(std::iter::repeat(',')))
            {
                write!(f, "{mark}{from}-{to}")?;
            }
        }
        if let Some((from, to)) = self.source_ports {
            write!(f, ":source-ports={from}-{to}")?;
        }
        if let Some(local) = self.local {
            write!(f, ":local={local}")?;
        }
        match self.nic {
            Some(NicType::Internet) => f.write_str(":nic=internet")?,
            Some(NicType::Intranet) => f.write_str(":nic=intranet")?,
            None => {}
        }
        if self.standing == Standing::Default { f.write_str(":default") } else { Ok(()) }
    }
}

/// A session of Alibaba Cloud is kept so many seconds at most, so that rules that are gone for longer let nothing through.
///
/// Source: <https://developer.aliyun.com/article/1476565>.
pub const LONGEST_SESSION: i64 = 910;

/// What the groups of Alibaba Cloud have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EcsGroup {
    /// `SecurityGroupType`. None: the snapshot does not say, and it is judged as a basic one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<EcsGroupKind>,
    /// `InnerAccessPolicy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner_access: Option<RuleAction>,
    /// `ServiceManaged`: a cloud service made the group.
    #[serde(default)]
    pub service_managed: bool,
    /// Whether its last page is there.
    #[serde(default, skip_serializing_if = "Pages::are_all")]
    pub pages: Pages,
}

/// The pages of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pages {
    /// The last one is there.
    #[default]
    All,
    /// Each has a `NextToken`: there is more that nobody gave.
    More,
}

impl Pages {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn are_all(&self) -> bool {
        *self == Self::All
    }
}

/// `SecurityGroupType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EcsGroupKind {
    /// `normal`: egress and traffic between members are allowed where no rule decides.
    Basic,
    /// `enterprise`: nothing is allowed where no rule decides.
    Advanced,
}

//! The account of the Alibaba Cloud sample as plain data: one VPC of a small shop whose groups are the worked examples of
//! the vendor's guide, and a few mistakes.
//!
//! Source of the examples: <https://www.alibabacloud.com/help/en/ecs/user-guide/security-groups-for-different-use-cases>.

use std::net::Ipv4Addr;

use crate::generate::random::Random;

/// The account that owns everything.
pub(super) const ACCOUNT_ID: &str = "1234567890123456";
/// The account of a partner, in another VPC.
pub(super) const PARTNER_ID: &str = "6543210987654321";
/// The region everything is in.
pub(super) const REGION: &str = "cn-hangzhou";
/// The only address that may administer.
pub(super) const OFFICE: Ipv4Addr = Ipv4Addr::new(161, 117, 90, 22);
/// The two addresses that the vault may reach.
pub(super) const ALLOWED: [Ipv4Addr; 2] = [Ipv4Addr::new(203, 0, 113, 10), Ipv4Addr::new(203, 0, 113, 11)];

/// Every interface, in the order of [`Account::hosts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Alb,
    WebA,
    WebB,
    AppA,
    AppB,
    Database,
    Cache,
    Jump,
    Legacy,
    Vault,
    Batch,
}

/// All of them.
pub(super) const ALL: [Name; 11] = [
    Name::Alb,
    Name::WebA,
    Name::WebB,
    Name::AppA,
    Name::AppB,
    Name::Database,
    Name::Cache,
    Name::Jump,
    Name::Legacy,
    Name::Vault,
    Name::Batch,
];

/// Every group, in the order of [`Account::groups`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupName {
    Alb,
    Web,
    App,
    Database,
    Cache,
    Ops,
    OpsOpen,
    Ping,
    Locked,
    Batch,
}

/// One interface.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) instance_id: String,
    pub(super) address: Ipv4Addr,
    pub(super) public: Option<Ipv4Addr>,
    pub(super) groups: &'static [GroupName],
}

/// The type of a group and its `InnerAccessPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// Members reach each other.
    Basic,
    /// Members do not.
    Isolated,
    Advanced,
    /// A cloud service made it.
    Managed,
}

/// One group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) of_type: Type,
    pub(super) rules: Vec<Rule>,
}

/// The far side of a rule.
#[derive(Debug, Clone, Copy)]
pub(super) enum Peer {
    V4(&'static str),
    V6(&'static str),
    Group(GroupName),
    /// A group of the partner's account.
    Partner,
}

/// One rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) egress: bool,
    pub(super) policy: &'static str,
    pub(super) priority: u8,
    pub(super) protocol: &'static str,
    pub(super) ports: &'static str,
    pub(super) peer: Peer,
    pub(super) description: &'static str,
}

/// The account.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) vpc_id: String,
    pub(super) vswitch_id: String,
    pub(super) partner_group: String,
    pub(super) hosts: Vec<Host>,
    pub(super) groups: Vec<Group>,
}

type HostRow = (&'static str, [u8; 2], bool, &'static [GroupName]);

const HOSTS: [HostRow; 11] = [
    ("shop-alb", [0, 10], true, &[GroupName::Alb]),
    ("shop-web-a", [1, 11], false, &[GroupName::Web, GroupName::Ping]),
    ("shop-web-b", [1, 12], false, &[GroupName::Web, GroupName::Ping]),
    ("shop-app-a", [2, 21], false, &[GroupName::App]),
    ("shop-app-b", [2, 22], false, &[GroupName::App]),
    ("shop-database", [3, 31], false, &[GroupName::Database]),
    ("shop-cache", [3, 41], false, &[GroupName::Cache]),
    ("shop-jump", [0, 20], true, &[GroupName::Ops]),
    ("shop-legacy", [0, 21], true, &[GroupName::OpsOpen]),
    ("shop-vault", [4, 51], false, &[GroupName::Locked]),
    ("shop-batch", [2, 61], true, &[GroupName::Batch]),
];

/// Direction, policy, priority, protocol, ports, peer, description.
type RuleRow = (bool, &'static str, u8, &'static str, &'static str, Peer, &'static str);

const WORLD: Peer = Peer::V4("0.0.0.0/0");
const OFFICE_ONLY: Peer = Peer::V4("161.117.90.22/32");
const APP_SUBNET: Peer = Peer::V4("172.16.2.0/24");

fn groups() -> [(&'static str, Type, Vec<RuleRow>); 10] {
    let accept = |ports, peer, description| (false, "Accept", 1, "TCP", ports, peer, description);
    [
        ("managed-by-alb", Type::Managed, vec![(false, "Accept", 100, "ALL", "-1/-1", WORLD, "")]),
        (
            "shop-web",
            Type::Basic,
            vec![
                accept("80/80", WORLD, "HTTP"),
                accept("443/443", WORLD, "HTTPS"),
                accept("9100/9100", Peer::Group(GroupName::App), "metrics"),
            ],
        ),
        (
            "shop-app",
            Type::Basic,
            vec![
                accept("8080/8080", Peer::Group(GroupName::Web), "from the web servers"),
                accept("9000/9010", Peer::Partner, "orders of the partner"),
            ],
        ),
        (
            "shop-database",
            Type::Isolated,
            vec![
                accept("3306/3306", APP_SUBNET, "MySQL"),
                accept("1521/1521", Peer::Group(GroupName::App), "Oracle"),
                accept("1433/1433", Peer::Partner, "SQL Server"),
                accept("5432/5432", APP_SUBNET, "PostgreSQL"),
                accept("6379/6379", Peer::Group(GroupName::App), "Redis"),
            ],
        ),
        ("shop-cache", Type::Advanced, vec![accept("6379/6379", Peer::V4("172.16.0.0/16"), "Redis")]),
        (
            "shop-ops",
            Type::Basic,
            vec![accept("22/22", OFFICE_ONLY, "SSH"), accept("3389/3389", OFFICE_ONLY, "RDP")],
        ),
        (
            "shop-ops-open",
            Type::Basic,
            vec![
                accept("22/22", WORLD, "SSH, temporarily"),
                accept("3389/3389", WORLD, "RDP, temporarily"),
                (false, "Drop", 1, "TCP", "23/23", WORLD, "no telnet"),
                (false, "Drop", 1, "TCP", "445/445", Peer::V4("192.0.2.0/24"), "the worm of 2017"),
            ],
        ),
        (
            "shop-ping",
            Type::Basic,
            vec![
                (false, "Accept", 1, "ICMP", "-1/-1", WORLD, "ping"),
                (false, "Accept", 1, "ICMP", "-1/-1", Peer::V6("::/0"), "ping"),
            ],
        ),
        (
            "shop-locked",
            Type::Basic,
            vec![
                accept("8200/8200", Peer::Group(GroupName::App), "secrets"),
                (true, "Accept", 1, "TCP", "443/443", Peer::V4("203.0.113.10/32"), "key server"),
                (true, "Accept", 1, "TCP", "443/443", Peer::V4("203.0.113.11/32"), "key server"),
                (true, "Drop", 2, "ALL", "-1/-1", WORLD, "nothing else leaves"),
            ],
        ),
        (
            "shop-batch",
            Type::Basic,
            vec![
                (false, "Accept", 2, "TCP", "22/22", WORLD, "SSH of the installation"),
                (false, "Drop", 1, "TCP", "22/22", WORLD, "closed after the installation"),
            ],
        ),
    ]
}

impl Account {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, "alibaba ids");
        let mut id = |prefix: &str| format!("{prefix}-bp1{}", random.hex(17));
        let hosts = HOSTS.into_iter().map(|(name, [c, d], public, groups)| Host {
            id: id("eni"),
            instance_id: id("i"),
            name,
            address: Ipv4Addr::new(172, 16, c, d),
            public: public.then(|| Ipv4Addr::new(198, 51, 100, d)),
            groups,
        });
        let hosts = hosts.collect();
        let groups =
            groups().into_iter().map(|(name, of_type, rows)| {
                let group = id("sg");
                let rules =
                    rows.into_iter().map(|(egress, policy, priority, protocol, ports, peer, description)| {
                        Rule { id: id("sgr"), egress, policy, priority, protocol, ports, peer, description }
                    });
                Group { rules: rules.collect(), id: group, name, of_type }
            });
        let groups = groups.collect();
        Self { vpc_id: id("vpc"), vswitch_id: id("vsw"), partner_group: id("sg"), hosts, groups }
    }

    pub(super) fn host(&self, name: Name) -> &Host {
        &self.hosts[name as usize]
    }

    pub(super) fn group(&self, name: GroupName) -> &Group {
        &self.groups[name as usize]
    }
}

//! Made-up accounts for property tests: a few groups, rules and interfaces in one to three snapshots, and records that
//! lie close to them. A function of its seed. Not believable traffic: every odd corner at once.
//!
//! Snapshots go through the describe-* JSON, so that reading them is tested too.
#![allow(dead_code, reason = "every test program uses some of it")]
#![allow(clippy::unwrap_used, reason = "the values are written here")]

#[path = "account/ecs.rs"]
mod ecs;
#[path = "account/records.rs"]
mod records;

use std::net::IpAddr;

use flowaudit::flow::OwnedFlow;
use flowaudit::rules::aws::Objects;
use flowaudit::rules::parse_net;
use flowaudit::rules::timeline::{Snapshot, Timeline};
use ipnet::IpNet;
use records::Estate;
use serde_json::{Value, json};

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;
const HOUR: i64 = 3600;

/// The account of a seed, and its records.
pub(crate) fn account(seed: u64) -> (Timeline, Vec<OwnedFlow>) {
    let (snapshots, flows) = snapshots_and_records(seed);
    (Timeline::build(snapshots), flows)
}

/// Where an estate lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Aws,
    Alibaba,
    /// Some of it in either.
    Both,
}

pub(crate) const WHOSE: [Whose; 3] = [Whose::Aws, Whose::Alibaba, Whose::Both];

/// The estate of a seed, and its records.
pub(crate) fn estate(seed: u64, whose: Whose) -> (Timeline, Vec<OwnedFlow>) {
    let (snapshots, flows) = snapshots_and_records_of(seed, whose);
    (Timeline::build(snapshots), flows)
}

/// The snapshots of the account of a seed, and its records.
pub(crate) fn snapshots_and_records(seed: u64) -> (Vec<Snapshot>, Vec<OwnedFlow>) {
    made_up(seed, World::objects)
}

/// The snapshots of the estate of a seed, and its records.
pub(crate) fn snapshots_and_records_of(seed: u64, whose: Whose) -> (Vec<Snapshot>, Vec<OwnedFlow>) {
    let alibaba = || {
        let (snapshots, mut flows) =
            made_up(seed, |world, dice, later| ecs::objects(world, seed, dice, later));
        flows.iter_mut().for_each(ecs::rename);
        (snapshots, flows)
    };
    match whose {
        Whose::Aws => snapshots_and_records(seed),
        Whose::Alibaba => alibaba(),
        Whose::Both => {
            let (mut snapshots, mut flows) = snapshots_and_records(seed.wrapping_add(1));
            let (more, others) = alibaba();
            // Snapshots of one time add up; which of them counts must not depend on their order.
            snapshots.extend(more);
            flows.extend(others);
            (snapshots, flows)
        }
    }
}

fn made_up(
    seed: u64,
    objects: impl Fn(&World, &mut Dice, bool) -> Objects,
) -> (Vec<Snapshot>, Vec<OwnedFlow>) {
    let mut dice = Dice(seed);
    let mut world = World::new(&mut dice);
    let count = 1 + dice.below(3);
    let always = dice.chance(30);
    let mut estate = Estate::default();
    let mut snapshots = Vec::new();
    for index in 0..count {
        if index > 0 {
            world.change(&mut dice);
        }
        let at = START + i64::try_from(index).unwrap() * HOUR;
        let objects = objects(&world, &mut dice, index > 0);
        snapshots.push(Snapshot { at: (index > 0 || !always).then_some(at), objects: objects.into() });
        estate.times.push(at);
        estate.interfaces.extend(world.interfaces.iter().cloned());
        estate.rules.extend(world.rules.iter().cloned());
    }
    let mut flows = Vec::new();
    for _ in 0..40 + dice.below(120) {
        flows.push(estate.single(&mut dice));
    }
    for _ in 0..dice.below(4) {
        estate.burst(&mut dice, &mut flows);
    }
    (snapshots, flows)
}

/// The fewest records (of these, one by one) that still fail: what a person wants to see of a failing seed.
pub(crate) fn smallest(flows: Vec<OwnedFlow>, fails: impl Fn(&[OwnedFlow]) -> bool) -> Vec<OwnedFlow> {
    let mut flows = flows;
    let mut step = flows.len() / 2;
    while step > 0 {
        let mut at = 0;
        while at < flows.len() {
            let mut fewer = flows.clone();
            fewer.drain(at..(at + step).min(flows.len()));
            if fails(&fewer) { flows = fewer } else { at += step }
        }
        step /= 2;
    }
    flows
}

/// `SplitMix64`.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        *self.one(among)
    }

    pub(crate) fn one<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }

    fn port(&mut self) -> u16 {
        let edges = [
            0, 1, 22, 53, 80, 443, 510, 511, 512, 513, 1022, 1023, 1024, 1025, 1999, 2000, 3022, 3023, 3024,
            5432, 8080, 32768, 49152, 60999, 65534, 65535,
        ];
        if self.chance(75) { self.pick(&edges) } else { u16::try_from(self.next() & 0xffff).unwrap() }
    }
}

#[derive(Clone)]
enum PeerText {
    V4(String),
    V6(String),
    Group(String),
    List(String),
}

#[derive(Clone)]
struct RuleText {
    group: String,
    egress: bool,
    protocol: String,
    from: i64,
    to: i64,
    peer: PeerText,
}

#[derive(Clone)]
struct InterfaceText {
    id: String,
    kind: &'static str,
    subnet: String,
    addresses: Vec<IpAddr>,
    prefixes: Vec<IpNet>,
    groups: Vec<String>,
}

#[derive(Clone)]
struct AclText {
    subnet: String,
    entries: Vec<Value>,
}

/// What one snapshot describes.
struct World {
    /// Group ids, and whether describe-security-groups names them.
    groups: Vec<(String, bool)>,
    rules: Vec<RuleText>,
    interfaces: Vec<InterfaceText>,
    lists: Vec<(String, Vec<&'static str>)>,
    acls: Vec<AclText>,
    subnets: Vec<Value>,
}

const RANGES4: [&str; 14] = [
    "0.0.0.0/0",
    "0.0.0.0/0",
    "0.0.0.0/1",
    "10.0.0.0/8",
    "10.0.0.0/16",
    "10.0.0.0/24",
    "10.0.1.0/24",
    "10.0.0.64/28",
    "10.0.1.16/30",
    "198.51.100.0/24",
    "198.51.100.128/25",
    "203.0.113.7/32",
    "203.0.113.6/31",
    "none",
];
const RANGES6: [&str; 7] = [
    "::/0",
    "2001:db8::/32",
    "2001:db8:0:1::/64",
    "2001:db8::40/124",
    "2001:db8:0:1::11/128",
    "2a00::/12",
    "8000::/1",
];
const LISTS: [&str; 3] = ["pl-0a", "pl-0b", "pl-0dead"];

impl World {
    fn new(dice: &mut Dice) -> Self {
        let groups: Vec<(String, bool)> =
            (0..3 + dice.below(6)).map(|n| (format!("sg-{n}"), dice.chance(80))).collect();
        let mut world = Self {
            groups,
            rules: Vec::new(),
            interfaces: Vec::new(),
            lists: vec![
                ("pl-0a".to_owned(), vec!["198.51.100.0/26", "10.0.1.0/25"]),
                ("pl-0b".to_owned(), vec!["2001:db8:0:1::/80"]),
            ],
            acls: Vec::new(),
            subnets: Vec::new(),
        };
        if dice.chance(70) {
            world.add_wide_rules(dice);
        }
        for _ in 0..5 + dice.below(20) {
            let rule = world.rule(dice);
            world.rules.push(rule);
        }
        for n in 0..2 + dice.below(5) {
            let interface = world.interface(dice, n);
            world.interfaces.push(interface);
        }
        for subnet in 0..3 {
            if dice.chance(60) {
                let entries = acl_entries(dice);
                world.acls.push(AclText { subnet: format!("subnet-{subnet}"), entries });
            }
            let mut described =
                json!({"SubnetId": format!("subnet-{subnet}"), "VpcId": "vpc-1", "CidrBlock": ""});
            let ranges = dice.below(4);
            if ranges >= 2 {
                described["CidrBlock"] = json!(format!("10.0.{subnet}.0/24"));
            }
            if ranges == 3 {
                let v6 = format!("2001:db8:0:{subnet}::/64");
                described["Ipv6CidrBlockAssociationSet"] = json!([{"Ipv6CidrBlock": v6}]);
            }
            if ranges > 0 {
                world.subnets.push(described);
            }
        }
        world
    }

    /// Both readings find rules, and no port tells.
    fn add_wide_rules(&mut self, dice: &mut Dice) {
        for protocol in ["tcp", "udp"] {
            for egress in [false, true] {
                let from = dice.pick(&[0, 1, 1024]);
                let protocol = if egress && dice.chance(50) { "-1" } else { protocol };
                self.rules.push(RuleText {
                    group: "sg-0".to_owned(),
                    egress,
                    protocol: protocol.to_owned(),
                    from,
                    to: 65535,
                    peer: PeerText::V4("0.0.0.0/0".to_owned()),
                });
            }
        }
    }

    fn rule(&self, dice: &mut Dice) -> RuleText {
        let words = [
            "tcp", "tcp", "tcp", "tcp", "udp", "udp", "icmp", "icmp", "icmpv6", "-1", "6", "17", "58", "47",
            "50", "ipx",
        ];
        let ranges = [
            (22, 22),
            (443, 443),
            (511, 511),
            (512, 512),
            (511, 512),
            (1023, 1024),
            (2000, 3022),
            (2000, 3023),
            (0, 65535),
            (1, 65535),
            (0, 1022),
            (0, 1023),
            (1024, 65535),
            (32768, 60999),
            (8080, 8080),
            (443, 22),
        ];
        let types = [(-1, -1), (8, -1), (8, 0), (0, 0), (3, 4), (128, -1)];
        let protocol = dice.pick(&words).to_owned();
        let (from, to) = match protocol.as_str() {
            "icmp" | "icmpv6" | "58" => dice.pick(&types),
            _ => dice.pick(&ranges),
        };
        let group = dice.one(&self.groups).0.clone();
        let peer = match dice.below(20) {
            0..=6 => PeerText::V4(dice.pick(&RANGES4).to_owned()),
            7..=10 => PeerText::V6(dice.pick(&RANGES6).to_owned()),
            11..=14 => PeerText::Group(dice.one(&self.groups).0.clone()),
            15 => PeerText::Group(group.clone()),
            16 => PeerText::Group(dice.pick(&["sg-missing", "sg-lost"]).to_owned()),
            _ => PeerText::List(dice.pick(&LISTS).to_owned()),
        };
        RuleText { group, egress: dice.chance(45), protocol, from, to, peer }
    }

    fn interface(&self, dice: &mut Dice, n: usize) -> InterfaceText {
        let subnet = dice.below(3);
        let mut addresses: Vec<IpAddr> = Vec::new();
        for k in 0..=dice.below(3) {
            addresses.push(format!("10.0.{subnet}.{}", 17 + 10 * n + k).parse().unwrap());
        }
        for k in 0..dice.below(3) {
            addresses.push(format!("2001:db8:0:{subnet}::{:x}", 17 + 16 * n + k).parse().unwrap());
        }
        let mut prefixes = Vec::new();
        if dice.chance(25) {
            prefixes.push(parse_net(&format!("10.0.{subnet}.{}/28", 128 + 16 * n)).unwrap());
        }
        if dice.chance(25) {
            prefixes.push(parse_net(&format!("2001:db8:0:{subnet}:{n:x}f::/80")).unwrap());
        }
        let kinds =
            ["interface", "interface", "lambda", "network_load_balancer", "global_accelerator_managed"];
        InterfaceText {
            id: format!("eni-{n}"),
            kind: dice.pick(&kinds),
            subnet: format!("subnet-{subnet}"),
            addresses,
            prefixes,
            groups: self.memberships(dice),
        }
    }

    fn memberships(&self, dice: &mut Dice) -> Vec<String> {
        let mut groups = Vec::new();
        if dice.chance(8) {
            return groups;
        }
        for _ in 0..=dice.below(3) {
            groups.push(dice.one(&self.groups).0.clone());
        }
        if dice.chance(40) {
            groups.push("sg-0".to_owned());
        }
        if dice.chance(15) {
            groups.push("sg-lost".to_owned());
        }
        groups
    }

    /// What happens between two snapshots.
    fn change(&mut self, dice: &mut Dice) {
        self.rules.retain(|_| dice.chance(80));
        for _ in 0..dice.below(6) {
            let rule = self.rule(dice);
            self.rules.push(rule);
        }
        if dice.chance(30) {
            let at = dice.below(self.groups.len());
            self.groups[at].1 = !self.groups[at].1;
        }
        for at in 0..self.interfaces.len() {
            if dice.chance(35) {
                self.interfaces[at].groups = self.memberships(dice);
            }
            if dice.chance(10) {
                self.interfaces[at] = self.interface(dice, at);
            }
        }
        if dice.chance(40) {
            self.lists[0].1 = vec!["203.0.113.0/24"];
        }
        self.acls.retain(|_| dice.chance(80));
        for acl in &mut self.acls {
            if dice.chance(30) {
                acl.entries = acl_entries(dice);
            }
        }
    }

    /// Through the answers of describe-*; a later snapshot may lack a kind.
    fn objects(&self, dice: &mut Dice, later: bool) -> Objects {
        let mut objects = Objects::default();
        let mut add = |document: &Value, list: Option<&str>| {
            objects.add(document, list).unwrap();
        };
        if !later || dice.chance(90) {
            let (groups, rules) = self.groups_and_rules(dice);
            add(&groups, None);
            add(&rules, None);
        }
        if !later || dice.chance(90) {
            let seen: Vec<Value> = self
                .interfaces
                .iter()
                .filter(|_| dice.chance(85))
                .map(InterfaceText::json)
                .collect::<Vec<_>>();
            add(&json!({"NetworkInterfaces": seen}), None);
        }
        for (id, nets) in &self.lists {
            if dice.chance(70) {
                let entries: Vec<Value> = nets.iter().map(|net| json!({"Cidr": net})).collect();
                add(&json!({"Entries": entries}), Some(id));
            }
        }
        if dice.chance(85) {
            let acls: Vec<Value> = self
                .acls
                .iter()
                .enumerate()
                .map(|(n, acl)| {
                    json!({"NetworkAclId": format!("acl-{n}"), "VpcId": "vpc-1", "OwnerId": "123456789012",
                        "Associations": [{"SubnetId": acl.subnet}], "Entries": acl.entries})
                })
                .collect();
            add(&json!({"NetworkAcls": acls}), None);
        }
        if dice.chance(85) {
            add(&json!({"Subnets": self.subnets}), None);
        }
        objects
    }

    /// A rule is in either document or in both; a group that is not described is known from its rules alone.
    fn groups_and_rules(&self, dice: &mut Dice) -> (Value, Value) {
        let mut rules = Vec::new();
        let mut permissions: Vec<(&RuleText, Value)> = Vec::new();
        for (n, rule) in self.rules.iter().enumerate() {
            let described = self.groups.iter().any(|(id, described)| *id == rule.group && *described);
            let (here, there) = (described && dice.chance(60), dice.chance(30));
            if here {
                permissions.push((rule, rule.permission()));
            }
            if there || !here {
                rules.push(rule.rule(n));
            }
        }
        let of = |id: &str, egress: bool| -> Vec<Value> {
            let mut of = permissions.iter().filter(|(rule, _)| rule.group == id && rule.egress == egress);
            of.by_ref().map(|(_, permission)| permission.clone()).collect()
        };
        let groups: Vec<Value> = self
            .groups
            .iter()
            .filter(|(_, described)| *described)
            .map(|(id, _)| {
                json!({"GroupId": id, "GroupName": id, "VpcId": "vpc-1", "OwnerId": "123456789012",
                    "IpPermissions": of(id, false), "IpPermissionsEgress": of(id, true)})
            })
            .collect();
        (json!({"SecurityGroups": groups}), json!({"SecurityGroupRules": rules}))
    }
}

impl RuleText {
    /// As describe-security-groups has it.
    fn permission(&self) -> Value {
        let mut permission = json!({"IpProtocol": self.protocol});
        if self.protocol != "-1" {
            permission["FromPort"] = self.from.into();
            permission["ToPort"] = self.to.into();
        }
        match &self.peer {
            PeerText::V4(range) => permission["IpRanges"] = json!([{"CidrIp": range}]),
            PeerText::V6(range) => permission["Ipv6Ranges"] = json!([{"CidrIpv6": range}]),
            PeerText::Group(group) => permission["UserIdGroupPairs"] = json!([{"GroupId": group}]),
            PeerText::List(list) => permission["PrefixListIds"] = json!([{"PrefixListId": list}]),
        }
        permission
    }

    /// As describe-security-group-rules has it.
    fn rule(&self, n: usize) -> Value {
        let all = self.protocol == "-1";
        let mut rule = json!({"SecurityGroupRuleId": format!("sgr-{n}"), "GroupId": self.group,
            "GroupOwnerId": "123456789012", "IsEgress": self.egress, "IpProtocol": self.protocol,
            "FromPort": if all { -1 } else { self.from }, "ToPort": if all { -1 } else { self.to }});
        match &self.peer {
            PeerText::V4(range) => rule["CidrIpv4"] = json!(range),
            PeerText::V6(range) => rule["CidrIpv6"] = json!(range),
            PeerText::Group(group) => rule["ReferencedGroupInfo"] = json!({"GroupId": group}),
            PeerText::List(list) => rule["PrefixListId"] = json!(list),
        }
        rule
    }
}

impl InterfaceText {
    fn json(&self) -> Value {
        let (mut v4, mut v6, mut p4, mut p6) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for address in &self.addresses {
            match address {
                IpAddr::V4(address) => v4.push(json!({"PrivateIpAddress": address.to_string()})),
                IpAddr::V6(address) => v6.push(json!({"Ipv6Address": address.to_string()})),
            }
        }
        for prefix in &self.prefixes {
            match prefix {
                IpNet::V4(prefix) => p4.push(json!({"Ipv4Prefix": prefix.to_string()})),
                IpNet::V6(prefix) => p6.push(json!({"Ipv6Prefix": prefix.to_string()})),
            }
        }
        let groups: Vec<Value> = self.groups.iter().map(|group| json!({"GroupId": group})).collect();
        json!({"NetworkInterfaceId": self.id, "InterfaceType": self.kind, "SubnetId": self.subnet,
            "VpcId": "vpc-1", "OwnerId": "123456789012", "PrivateIpAddress": self.addresses[0].to_string(),
            "PrivateIpAddresses": v4, "Ipv6Addresses": v6, "Ipv4Prefixes": p4, "Ipv6Prefixes": p6,
            "Association": {"PublicIp": "198.51.100.9"}, "Groups": groups})
    }
}

fn acl_entries(dice: &mut Dice) -> Vec<Value> {
    let mut entries: Vec<Value> = (0..dice.below(6)).map(|n| acl_entry(dice, n)).collect();
    if dice.chance(50) {
        // What lies under a denied ICMP type is all else.
        let egress = dice.chance(50);
        for (protocol, range) in [("1", "CidrBlock"), ("58", "Ipv6CidrBlock")] {
            let net = if range == "CidrBlock" { "0.0.0.0/0" } else { "::/0" };
            entries.push(json!({"RuleNumber": 50, "Egress": egress, "RuleAction": "deny",
                "Protocol": protocol, range: net, "IcmpTypeCode": {"Type": 8, "Code": -1}}));
            entries.push(json!({"RuleNumber": 300, "Egress": egress, "RuleAction": "allow",
                "Protocol": "-1", range: net}));
        }
    }
    entries
}

fn acl_entry(dice: &mut Dice, n: usize) -> Value {
    let action = dice.pick(&["allow", "allow", "deny"]);
    let protocol = dice.pick(&["-1", "-1", "6", "17", "1", "58"]);
    // Not in order of number, as answers may be.
    let number = 100 + (n * 37) % 50;
    let mut entry = json!({"RuleNumber": number, "Egress": dice.chance(50), "RuleAction": action,
        "Protocol": protocol});
    if dice.chance(70) {
        entry["CidrBlock"] = json!(dice.pick(&["0.0.0.0/0", "0.0.0.0/0", "198.51.100.0/24", "10.0.0.0/16"]));
    } else {
        entry["Ipv6CidrBlock"] = json!(dice.pick(&["::/0", "2001:db8::/32"]));
    }
    let ranges = [(0, 65535), (1024, 65535), (443, 443), (0, 511), (512, 2000)];
    let (from, to) = dice.pick(&ranges);
    match protocol {
        "6" | "17" if dice.chance(80) => entry["PortRange"] = json!({"From": from, "To": to}),
        "1" | "58" => {
            let (kind, code) = dice.pick(&[(-1, -1), (8, -1), (3, 4)]);
            entry["IcmpTypeCode"] = json!({"Type": kind, "Code": code});
        }
        _ => {}
    }
    entry
}

//! `DescribeSecurityGroupAttribute` and `DescribeSecurityGroups` → groups with their rules, and what type they are of.

use serde::{Deserialize, Serialize};

use super::answer::Answer;
use crate::flow::Direction;
use crate::rules::aws::{GroupDocument, Objects, RuleDocument};
use crate::rules::ranked::{EcsGroup, EcsGroupKind, NicType, Pages, PortList, Ranked, RuleAction, Standing};
use crate::rules::{Peer, Rule, RuleProtocol, parse_net};

/// What `DescribeSecurityGroups` says of a group: its rules are in another answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupListing {
    /// `SecurityGroupId`.
    pub id: String,
    /// `SecurityGroupType`.
    pub kind: Option<EcsGroupKind>,
    /// `ServiceManaged`.
    pub service_managed: bool,
}

/// Adds groups that are listed without their rules.
pub(super) fn list(groups: &[Answer<'_>], objects: &mut Objects) -> Result<(), String> {
    for group in groups {
        let Some(id) = group.text("SecurityGroupId") else { continue };
        let kind = kind(*group, &id)?;
        let service_managed = group.is_true("ServiceManaged");
        objects.listings.push(GroupListing { id: id.into_owned(), kind, service_managed });
    }
    Ok(())
}

fn kind(group: Answer<'_>, id: &str) -> Result<Option<EcsGroupKind>, String> {
    let Some(word) = group.text("SecurityGroupType") else { return Ok(None) };
    match word.to_ascii_lowercase().as_str() {
        "normal" | "basic" => Ok(Some(EcsGroupKind::Basic)),
        "enterprise" | "advanced" => Ok(Some(EcsGroupKind::Advanced)),
        _ => Err(format!("{id}: SecurityGroupType: expected normal or enterprise, found \"{word}\"")),
    }
}

/// Adds a group with a page of its rules.
pub(super) fn add(group: Answer<'_>, objects: &mut Objects) -> Result<(), String> {
    let id = group.owned("SecurityGroupId");
    let ecs = EcsGroup {
        kind: kind(group, &id)?,
        inner_access: match group.text("InnerAccessPolicy") {
            Some(word) => {
                Some(action(&word).ok_or_else(|| bad(&id, "InnerAccessPolicy", "Accept or Drop", &word))?)
            }
            None => None,
        },
        service_managed: group.is_true("ServiceManaged"),
        pages: group.text("NextToken").map_or(Pages::All, |_| Pages::More),
    };
    let document = GroupDocument {
        name: group.owned("SecurityGroupName"),
        description: group.owned("Description"),
        vpc_id: group.owned("VpcId"),
        owner_id: String::new(),
        region: group.owned("RegionId"),
        tags: tags(group),
        ecs: Some(ecs),
        id,
    };
    for permission in group.items("Permissions", "Permission") {
        objects.rules.push(rule(&document, permission)?);
    }
    objects.groups.get_or_insert_default().push(document);
    Ok(())
}

fn tags(group: Answer<'_>) -> Vec<(String, String)> {
    let tag = |tag: Answer<'_>| {
        let either =
            |one: &str, other: &str| tag.text(one).or(tag.text(other)).unwrap_or_default().into_owned();
        (either("TagKey", "Key"), either("TagValue", "Value"))
    };
    group.items("Tags", "Tag").into_iter().map(tag).collect()
}

fn bad(id: &str, key: &str, expected: &str, found: &str) -> String {
    format!("{id}: {key}: expected {expected}, found \"{found}\"")
}

fn action(word: &str) -> Option<RuleAction> {
    match word.to_ascii_lowercase().as_str() {
        "accept" | "allow" => Some(RuleAction::Allow),
        "drop" | "deny" => Some(RuleAction::Deny),
        _ => None,
    }
}

fn rule(group: &GroupDocument, permission: Answer<'_>) -> Result<RuleDocument, String> {
    let id = group.id.as_str();
    let direction = match permission.owned("Direction").to_ascii_lowercase().as_str() {
        "ingress" | "" => Direction::Ingress,
        "egress" => Direction::Egress,
        found => return Err(bad(id, "Direction", "ingress or egress", found)),
    };
    let peer = peer(direction, permission);
    let protocol = protocol(&permission.owned("IpProtocol"));
    let ports = match permission.text("PortRange").filter(|_| protocol.tests_ports()) {
        Some(text) => {
            ports(&text).map_err(|expected| format!("{id}: PortRange: {expected}, found \"{text}\""))?
        }
        None => None,
    };
    let rule = Rule {
        group_id: group.id.clone(),
        direction,
        from_port: ports.map(|(from, _)| from),
        to_port: ports.map(|(_, to)| to),
        peer,
        ranked: Some(Box::new(ranked(group, direction, &protocol, permission)?)),
        protocol,
    };
    Ok(RuleDocument {
        rule,
        rule_id: permission.text("SecurityGroupRuleId").map(Into::into),
        description: permission.text("Description").map(Into::into),
        tags: Vec::new(),
        owner_id: group.owner_id.clone(),
        region: group.region.clone(),
        vpc_id: group.vpc_id.clone(),
        peering_status: None,
        peer_owner: permission.text(owner_of_peer(direction)).map(Into::into),
    })
}

/// Where the account of a group that is referred to stands, if it is another one.
fn owner_of_peer(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "SourceGroupOwnerAccount",
        Direction::Egress => "DestGroupOwnerAccount",
    }
}

fn ranked(
    group: &GroupDocument,
    direction: Direction,
    protocol: &RuleProtocol,
    permission: Answer<'_>,
) -> Result<Ranked, String> {
    let id = group.id.as_str();
    let priority = match permission.text("Priority") {
        None => 1,
        Some(text) => match text.parse() {
            Ok(priority @ 1..=100) => priority,
            _ => return Err(bad(id, "Priority", "1 to 100", &text)),
        },
    };
    let word = permission.text("Policy").unwrap_or("accept".into());
    let action = action(&word).ok_or_else(|| bad(id, "Policy", "Accept or Drop", &word))?;
    let source_ports = match permission.text("SourcePortRange").filter(|_| protocol.tests_ports()) {
        Some(text) => {
            let ports = ports(&text)
                .map_err(|expected| format!("{id}: SourcePortRange: {expected}, found \"{text}\""))?;
            // Every port is no question.
            ports.filter(|(from, to)| !(*from <= 1 && *to == u16::MAX))
        }
        None => None,
    };
    let (v4, v6) = match direction {
        Direction::Ingress => ("DestCidrIp", "Ipv6DestCidrIp"),
        Direction::Egress => ("SourceCidrIp", "Ipv6SourceCidrIp"),
    };
    let local = match permission.text(v4).or(permission.text(v6)) {
        Some(text) => Some(parse_net(&text).ok_or_else(|| bad(id, v4, "an address range", &text))?),
        None => None,
    };
    // In a VPC a rule is about both; the key then says intranet.
    let nic = match permission.owned("NicType").to_ascii_lowercase().as_str() {
        _ if !group.vpc_id.is_empty() => None,
        "internet" | "" => Some(NicType::Internet),
        "intranet" => Some(NicType::Intranet),
        found => return Err(bad(id, "NicType", "internet or intranet", found)),
    };
    let port_list =
        permission.text("PortRangeListId").filter(|_| !permission.has_ports() && protocol.tests_ports());
    let port_list = port_list.map(|id| PortList { id: id.into_owned(), ranges: None });
    // A range that takes in every address of its family is no question either.
    let local = local.filter(|net| net.prefix_len() > 0);
    Ok(Ranked { priority, action, source_ports, local, nic, port_list, standing: Standing::Written })
}

impl Answer<'_> {
    /// Whether ports are written in the rule itself: then a list of ports does not count.
    fn has_ports(self) -> bool {
        self.text("PortRange").is_some()
    }
}

/// The far side. An address range comes before a group, and both before a prefix list.
///
/// Source: <https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-authorizesecuritygroup>.
fn peer(direction: Direction, permission: Answer<'_>) -> Peer {
    let (v4, v6, group, list) = match direction {
        Direction::Ingress => ("SourceCidrIp", "Ipv6SourceCidrIp", "SourceGroupId", "SourcePrefixListId"),
        Direction::Egress => ("DestCidrIp", "Ipv6DestCidrIp", "DestGroupId", "DestPrefixListId"),
    };
    if let Some(range) = permission.text(v4).or(permission.text(v6)) {
        Peer::cidr(&range)
    } else if let Some(id) = permission.text(group) {
        Peer::Group(id.into_owned())
    } else if let Some(id) = permission.text(list) {
        Peer::PrefixList(id.into_owned())
    } else {
        Peer::BadCidr(String::new())
    }
}

/// `TCP`, `UDP`, `ICMP`, `ICMPv6`, `GRE`, `ALL` in any case, or a number.
fn protocol(word: &str) -> RuleProtocol {
    match word.to_ascii_lowercase().as_str() {
        "gre" => RuleProtocol::Number(47),
        "esp" => RuleProtocol::Number(50),
        "ah" => RuleProtocol::Number(51),
        "sctp" => RuleProtocol::Number(132),
        _ => RuleProtocol::parse(word),
    }
}

/// `22/22`, `1/65535`; None: `-1/-1`, every port.
///
/// # Errors
/// It is none: what was expected.
pub(super) fn ports(text: &str) -> Result<Option<(u16, u16)>, &'static str> {
    let expected = "expected ports such as 22/22, or -1/-1 for all";
    let (from, to) = text.split_once('/').unwrap_or((text, text));
    if (from.trim(), to.trim()) == ("-1", "-1") {
        return Ok(None);
    }
    match (from.trim().parse(), to.trim().parse()) {
        (Ok(from), Ok(to)) => Ok(Some((from, to))),
        _ => Err(expected),
    }
}

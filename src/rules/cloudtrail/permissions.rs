//! Rules that were authorized, revoked or modified.
//!
//! The response names the rules one by one, canonical and with their ids, since AWS gives rules ids (2021; revoked ones
//! later). Older responses only say that it was done, and the request then tells: nested, or flat as the oldest tools
//! write it.

use serde_json::Value;

use super::Event;
use super::group::group_of;
use super::shape::{element, field, first_list, group_id, integer, label, list, needed, string, tags};
use crate::flow::Direction;
use crate::rules::aws::{RuleDocument, ports};
use crate::rules::change::{ModifiedRule, What};
use crate::rules::{Peer, Rule, RuleProtocol};

pub(super) fn authorized(event: &Event<'_>, direction: Direction) -> Result<Vec<What>, String> {
    let answered = Answered::of(event, "securityGroupRuleSet", direction)?;
    let (group_id, rules) = if answered.rules.is_empty() || !answered.rule_ids.is_empty() {
        let group_id = group_of(event)?;
        let rules = requested(event, &group_id, direction)?;
        (group_id, rules)
    } else {
        (answered.group(event)?, answered.rules)
    };
    if rules.is_empty() {
        return Err("expected ipPermissions or securityGroupRuleSet, found nothing".to_owned());
    }
    Ok(vec![What::RulesAuthorized { group_id, rules }])
}

/// A call succeeds even where no such rule was there; what matched nothing is answered.
pub(super) fn revoked(event: &Event<'_>, direction: Direction) -> Result<Vec<What>, String> {
    let answered = Answered::of(event, "revokedSecurityGroupRuleSet", direction)?;
    if !answered.rules.is_empty() || !answered.rule_ids.is_empty() {
        let group_id = answered.group(event)?;
        return Ok(vec![What::RulesRevoked { group_id, rules: answered.rules, rule_ids: answered.rule_ids }]);
    }
    let group_id = group_of(event)?;
    let asked = requested(event, &group_id, direction)?;
    let rule_ids = asked_rule_ids(event.request)?;
    if asked.is_empty() && rule_ids.is_empty() {
        return Err("expected ipPermissions or securityGroupRuleIds, found nothing".to_owned());
    }
    let unknown = nested(event, &group_id, direction, list(field(event.response, "unknownIpPermissionSet")))?;
    let unmatched = |document: &RuleDocument| unknown.iter().any(|other| other.rule == document.rule);
    let rules: Vec<_> = asked.into_iter().filter(|document| !unmatched(document)).collect();
    if rules.is_empty() && rule_ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![What::RulesRevoked { group_id, rules, rule_ids }])
}

pub(super) fn modified(event: &Event<'_>) -> Result<Vec<What>, String> {
    let group_id = group_of(event)?;
    let updates = first_list(event.request, &["securityGroupRule", "securityGroupRules"]);
    if updates.is_empty() {
        return Err("expected SecurityGroupRule, found nothing".to_owned());
    }
    let read = |update: &Value| {
        let rule_id = needed(update, "securityGroupRuleId")?;
        let Some(told) = field(update, "securityGroupRule") else {
            return Err(format!("{rule_id}: expected SecurityGroupRule, found nothing"));
        };
        let (protocol, from_port, to_port) = traffic(&rule_id, told)?;
        Ok(What::RuleModified(Box::new(ModifiedRule {
            peer: peer(told)?,
            description: label(told, "description"),
            group_id: group_id.clone(),
            rule_id,
            protocol,
            from_port,
            to_port,
        })))
    };
    updates.into_iter().map(read).collect()
}

/// The rules of a response.
struct Answered {
    rules: Vec<RuleDocument>,
    /// Those of which only the id is told.
    rule_ids: Vec<String>,
}

impl Answered {
    fn of(event: &Event<'_>, set: &str, direction: Direction) -> Result<Self, String> {
        let mut answered = Self { rules: Vec::new(), rule_ids: Vec::new() };
        for told in list(field(event.response, set)) {
            if field(told, "ipProtocol").is_none() {
                answered.rule_ids.push(element(told, "securityGroupRuleId")?);
                continue;
            }
            let group_id = string(told, "groupId")?.map_or_else(|| group_of(event), Ok)?;
            let (protocol, from_port, to_port) = traffic(&group_id, told)?;
            let direction = match label(told, "isEgress").as_deref() {
                Some("true") => Direction::Egress,
                Some("false") => Direction::Ingress,
                _ => direction,
            };
            let rule =
                Rule { group_id, direction, protocol, from_port, to_port, peer: peer(told)?, ranked: None };
            answered.rules.push(RuleDocument {
                rule_id: string(told, "securityGroupRuleId")?,
                tags: tags(field(told, "tagSet").or_else(|| field(told, "tags"))),
                owner_id: label(told, "groupOwnerId").unwrap_or_else(|| event.account.clone()),
                ..document(event, rule, label(told, "description"))
            });
        }
        Ok(answered)
    }

    fn group(&self, event: &Event<'_>) -> Result<String, String> {
        let answered = self.rules.first().map(|document| document.rule.group_id.clone());
        answered.map_or_else(|| group_of(event), Ok)
    }
}

/// The rules of a request, in whichever form it is.
fn requested(event: &Event<'_>, group_id: &str, direction: Direction) -> Result<Vec<RuleDocument>, String> {
    let permissions = list(field(event.request, "ipPermissions"));
    let mut rules = nested(event, group_id, direction, permissions)?;
    rules.extend(flat(event, group_id, direction)?);
    Ok(rules)
}

/// `ipPermissions`: every peer of a permission makes a rule.
fn nested(
    event: &Event<'_>,
    group_id: &str,
    direction: Direction,
    permissions: Vec<&Value>,
) -> Result<Vec<RuleDocument>, String> {
    let mut rules = Vec::new();
    for permission in permissions {
        let (protocol, from_port, to_port) = traffic(group_id, permission)?;
        for (peer, description) in peers(permission)? {
            let protocol = protocol.clone();
            let rule = Rule {
                group_id: group_id.to_owned(),
                direction,
                protocol,
                from_port,
                to_port,
                peer,
                ranked: None,
            };
            rules.push(document(event, rule, description));
        }
    }
    Ok(rules)
}

/// The far sides of a permission, with their descriptions.
fn peers(permission: &Value) -> Result<Vec<(Peer, Option<String>)>, String> {
    let mut peers = Vec::new();
    for (list_name, name) in [
        ("ipRanges", "cidrIp"),
        ("ipv6Ranges", "cidrIpv6"),
        ("prefixListIds", "prefixListId"),
        ("groups", "groupId"),
    ] {
        for told in list(field(permission, list_name)) {
            let peer = match list_name {
                "prefixListIds" => Peer::PrefixList(element(told, name)?),
                "groups" => Peer::Group(group_id(told, name)?),
                _ => Peer::cidr(&element(told, name)?),
            };
            peers.push((peer, label(told, "description")));
        }
    }
    Ok(peers)
}

/// `cidrIp`, `ipProtocol` and the ports next to `groupId`. The same form names a source group, but never by its id.
fn flat(event: &Event<'_>, group_id: &str, direction: Direction) -> Result<Option<RuleDocument>, String> {
    let request = event.request;
    if let Some(name) = label(request, "sourceSecurityGroupName") {
        return Err(format!("expected the id of a group, found only sourceSecurityGroupName \"{name}\""));
    }
    if field(request, "cidrIp").is_none() {
        return Ok(None);
    }
    let (protocol, from_port, to_port) = traffic(group_id, request)?;
    let peer = Peer::cidr(&needed(request, "cidrIp")?);
    let rule =
        Rule { group_id: group_id.to_owned(), direction, protocol, from_port, to_port, peer, ranked: None };
    Ok(Some(document(event, rule, None)))
}

fn asked_rule_ids(request: &Value) -> Result<Vec<String>, String> {
    let names = ["securityGroupRuleIds", "securityGroupRuleIdSet", "securityGroupRuleId"];
    first_list(request, &names).into_iter().map(|told| element(told, "securityGroupRuleId")).collect()
}

/// Protocol and ports.
fn traffic(owner: &str, of: &Value) -> Result<(RuleProtocol, Option<u16>, Option<u16>), String> {
    let protocol =
        RuleProtocol::parse(&label(of, "ipProtocol").map_or_else(|| needed(of, "ipProtocol"), Ok)?);
    let (from_port, to_port) = ports(owner, &protocol, integer(of, "fromPort")?, integer(of, "toPort")?)?;
    Ok((protocol, from_port, to_port))
}

/// The far side of a rule that has its own element.
fn peer(of: &Value) -> Result<Peer, String> {
    for cidr in ["cidrIpv4", "cidrIpv6"] {
        if let Some(cidr) = string(of, cidr)? {
            return Ok(Peer::cidr(&cidr));
        }
    }
    if let Some(list) = string(of, "prefixListId")? {
        return Ok(Peer::PrefixList(list));
    }
    if field(of, "referencedGroupId").is_some() {
        return Ok(Peer::Group(group_id(of, "referencedGroupId")?));
    }
    match field(of, "referencedGroupInfo") {
        Some(group) => Ok(Peer::Group(group_id(group, "groupId")?)),
        None => Err("expected cidrIpv4, cidrIpv6, prefixListId or referencedGroupId, found none".to_owned()),
    }
}

fn document(event: &Event<'_>, rule: Rule, description: Option<String>) -> RuleDocument {
    RuleDocument {
        rule,
        rule_id: None,
        description,
        tags: Vec::new(),
        owner_id: event.account.clone(),
        region: event.region.clone(),
        vpc_id: String::new(),
        peering_status: None,
        peer_owner: None,
    }
}

//! Groups that were created and deleted.

use super::Event;
use super::shape::{field, label, label_or_empty, list, needed, string, tags};
use crate::flow::Direction;
use crate::rules::aws::{GroupDocument, RuleDocument};
use crate::rules::change::{Life, Resource, ResourceKind, What};
use crate::rules::{Peer, Rule, RuleProtocol};

/// A new group lets everything out, by a rule that no call of its own adds. It has a second one for IPv6 where its VPC
/// has IPv6, which the call does not tell.
///
/// Source: <https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html>.
pub(super) fn created(event: &Event<'_>) -> Result<Vec<What>, String> {
    let (request, response) = (event.request, event.response);
    let id = needed(response, "groupId")?;
    let group = GroupDocument {
        name: label_or_empty(request, "groupName"),
        description: label_or_empty(request, "groupDescription"),
        vpc_id: label_or_empty(request, "vpcId"),
        owner_id: event.account.clone(),
        region: event.region.clone(),
        tags: group_tags(event),
        id: id.clone(),
        ecs: None,
    };
    let everything = RuleDocument {
        rule: Rule {
            group_id: id,
            direction: Direction::Egress,
            protocol: RuleProtocol::All,
            from_port: None,
            to_port: None,
            peer: Peer::cidr("0.0.0.0/0"),
            ranked: None,
        },
        rule_id: None,
        description: None,
        tags: Vec::new(),
        owner_id: event.account.clone(),
        region: event.region.clone(),
        vpc_id: group.vpc_id.clone(),
        peering_status: None,
        peer_owner: None,
    };
    Ok(vec![What::Is(Life::Begins, Box::new(Resource::Group(group, vec![everything])))])
}

fn group_tags(event: &Event<'_>) -> Vec<(String, String)> {
    let told = tags(field(event.response, "tagSet"));
    if !told.is_empty() {
        return told;
    }
    let asked = list(field(event.request, "tagSpecificationSet"));
    asked.into_iter().flat_map(|specification| tags(field(specification, "tags"))).collect()
}

pub(super) fn deleted(event: &Event<'_>) -> Result<Vec<What>, String> {
    Ok(vec![What::Gone(ResourceKind::Group, group_of(event)?)])
}

/// The group a call is about. Groups of a default VPC may be called by name, and which of that name it was is not told.
pub(super) fn group_of(event: &Event<'_>) -> Result<String, String> {
    if let Some(id) = string(event.request, "groupId")? {
        return Ok(id);
    }
    if let Some(id) = string(event.response, "groupId")? {
        return Ok(id);
    }
    Err(match label(event.request, "groupName") {
        Some(name) => format!("expected groupId, found only groupName \"{name}\""),
        None => "expected groupId, found nothing".to_owned(),
    })
}

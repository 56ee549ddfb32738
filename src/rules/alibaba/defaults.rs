//! What groups allow without a rule: invisible defaults, and `InnerAccessPolicy`. They act as rules of their own, without a
//! row, so that what they let through is explained.
//!
//! Sources: <https://www.alibabacloud.com/help/en/ecs/user-guide/basic-security-groups-and-advanced-security-groups>,
//! <https://www.alibabacloud.com/help/en/ecs/user-guide/network-isolation-within-a-basic-security-group>.

use std::sync::Arc;

use crate::flow::Direction;
use crate::rules::aws::{GroupDocument, RuleDocument};
use crate::rules::ranked::{
    BEFORE_ALL, BEHIND_ALL, EcsGroup, EcsGroupKind, NicType, Ranked, RuleAction, Standing,
};
use crate::rules::{Peer, Rule, RuleProtocol};

/// The defaults of a group; none of one of AWS, whose default is to refuse.
///
/// Basic groups let everything out and members in, unless they are isolated; by `InnerAccessPolicy` Accept members reach
/// each other whatever the rules say. Advanced groups let nothing through. A group of unknown type is taken for a basic one.
pub(in crate::rules) fn defaults(group: &GroupDocument) -> Vec<Arc<RuleDocument>> {
    let Some(EcsGroup { kind, inner_access, .. }) = group.ecs else { return Vec::new() };
    if kind == Some(EcsGroupKind::Advanced) {
        return Vec::new();
    }
    let world = |text: &str| Peer::cidr(text);
    let members = || Peer::Group(group.id.clone());
    let mut all = vec![
        (Direction::Egress, world("0.0.0.0/0"), BEHIND_ALL),
        (Direction::Egress, world("::/0"), BEHIND_ALL),
    ];
    match inner_access {
        Some(RuleAction::Deny) => {}
        Some(RuleAction::Allow) => {
            all.extend([Direction::Ingress, Direction::Egress].map(|way| (way, members(), BEFORE_ALL)));
        }
        None => all.push((Direction::Ingress, members(), BEHIND_ALL)),
    }
    all.into_iter()
        .map(|(direction, peer, priority)| Arc::new(default(group, direction, peer, priority)))
        .collect()
}

fn default(group: &GroupDocument, direction: Direction, peer: Peer, priority: u8) -> RuleDocument {
    let ranked = Ranked {
        standing: Standing::Default,
        // Members of a classic group are members by their private addresses.
        nic: (group.vpc_id.is_empty() && matches!(peer, Peer::Group(_))).then_some(NicType::Intranet),
        ..Ranked::new(priority, RuleAction::Allow)
    };
    RuleDocument {
        rule: Rule {
            group_id: group.id.clone(),
            direction,
            protocol: RuleProtocol::All,
            from_port: None,
            to_port: None,
            peer,
            ranked: Some(Box::new(ranked)),
        },
        rule_id: None,
        description: None,
        tags: Vec::new(),
        owner_id: group.owner_id.clone(),
        region: group.region.clone(),
        vpc_id: group.vpc_id.clone(),
        peering_status: None,
        peer_owner: None,
    }
}

//! Section 10: every record keeps the role that the rules in force gave it; the proposal only changes which rules that
//! role finds.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::accept::{Accept, Evidence, Fate, Role};
use super::place::{self, Case, Place, Rules};
use super::reject;
use crate::attribution::Cause;
use crate::flow::{Action, Direction, Entry, OwnedFlow, has_ports};
use crate::rules::RuleIndex;
use crate::rules::timeline::Timeline;

/// Interface id, direction, protocol, port of the end that was connected to, peer.
pub type At = (String, Direction, u8, u16, IpAddr);

/// Everything that a proposal changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// ACCEPTs that are blocked: where, whether surely, and the rules lost.
    pub blocked: BTreeMap<(At, bool, Vec<RuleIndex>), u64>,
    /// REJECTs that are let through, and by which rules.
    pub opened: BTreeMap<(At, Vec<RuleIndex>), u64>,
    /// ACCEPTs that no rule explains.
    pub unexplained: u64,
}

/// Holds the records against both rule sets. The timelines have the same states and one catalogue.
pub fn replay(now: &Timeline, proposed: &Timeline, flows: &[OwnedFlow]) -> Replayed {
    let mut replayed = Replayed::default();
    let mut accepts = Vec::new();
    for flow in flows {
        let Entry::Traffic(traffic) = &flow.entry else { continue };
        let place = place::of(now, flow, traffic);
        let refused = traffic.action == Action::Reject;
        if refused && reject::cause(&place, traffic) != Cause::SecurityGroup {
            continue;
        }
        let Place::Known(case) = place else { continue };
        if refused {
            let found = then(&case, proposed, case.state).map(|(forward, _)| forward).unwrap_or_default();
            if !found.is_empty() {
                let key = (at(&case, Role::Forward), found.into_iter().collect());
                super::add(replayed.opened.entry(key).or_default(), 1);
            }
        } else {
            accepts.push(Accept::of(case));
        }
    }
    let evidence = Evidence::of(&accepts);
    for accept in &accepts {
        replayed.take(accept, &evidence, proposed);
    }
    replayed
}

/// F and R under the proposal, in one of its states.
fn then(case: &Case<'_>, proposed: &Timeline, state: usize) -> Option<(Rules, Rules)> {
    let (_, interface) = proposed.interface(state, &case.interface_id)?;
    let then =
        Case { timeline: proposed, interface, state, interface_id: case.interface_id.clone(), ..*case };
    Some((then.forward(&proposed.states[state], interface), then.reply(&proposed.states[state], interface)))
}

fn at(case: &Case<'_>, service: Role) -> At {
    let traffic = case.traffic;
    let port = if service == Role::Forward { traffic.dstport } else { traffic.srcport };
    let port = if has_ports(traffic.protocol) { port } else { 0 };
    (case.interface_id.clone(), case.direction, traffic.protocol, port, case.peer)
}

impl Replayed {
    fn take(&mut self, accept: &Accept<'_>, evidence: &Evidence, proposed: &Timeline) {
        let case = &accept.case;
        if let Some((_, interface)) = proposed.interface(case.state, &case.interface_id)
            && !interface.group_ids.is_empty()
        {
            let then =
                Case { timeline: proposed, interface, interface_id: case.interface_id.clone(), ..*case };
            self.unexplained += u64::from(Accept::of(then).fate == Fate::Unexplained);
        }
        let role = match accept.fate {
            Fate::UnknownGroup | Fate::Unexplained => return,
            Fate::ExplainedByNeighbour => None,
            Fate::Told(role, _) => role,
            Fate::Waits => evidence.tell(accept).0,
        };
        let state = accept.explained_at.unwrap_or(case.state);
        let (forward, reply) = then(case, proposed, state).unwrap_or_default();
        let sure = |rules: &Rules| rules.iter().any(|rule| !case.rule(*rule).is_one_icmp_type());
        // Of an undecided record a reading must find none; of a decided one, also no sure match where there was one.
        let stays = |before: &Rules, after: &Rules| {
            before.is_empty() || !after.is_empty() && (role.is_none() || sure(after) || !sure(before))
        };
        let lost = |before: &Rules, after: &Rules| {
            (!stays(before, after)).then(|| before.difference(after).copied().collect::<Rules>())
        };
        let (f, r) = (lost(&accept.forward, &forward), lost(&accept.reply, &reply));
        let (service, rules) = match (role, f, r) {
            (None, Some(lost), Some(more)) => (Role::Forward, lost.union(&more).copied().collect()),
            (Some(Role::Forward), Some(lost), _) | (None, Some(lost), None) => (Role::Forward, lost),
            (Some(Role::Reply), _, Some(lost)) | (None, None, Some(lost)) => (Role::Reply, lost),
            _ => return,
        };
        let key = (at(case, service), role.is_some(), rules.into_iter().collect());
        super::add(self.blocked.entry(key).or_default(), 1);
    }
}

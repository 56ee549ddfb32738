//! Section 5: why a REJECT was refused.

use super::place::{Case, Place, Rules, SYN, SYN_ACK, is_unresolvable, known_flags};
use crate::attribution::Cause;
use crate::flow::{RejectReason, Traffic, has_ports};
use crate::rules::ranked::RuleAction;
use crate::rules::state::{AclAction, Cloud, NetworkAcl};

/// What the network ACL of the interface's subnet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AclAnswer {
    Denies,
    Allows,
    NotKnown,
}

/// Lines 0 to 2; the rest is about rules.
pub(super) fn cause(place: &Place<'_>, traffic: &Traffic) -> Cause {
    // 0
    if matches!(place, Place::UnknownInterface(_) | Place::UnknownDirection) {
        return Cause::Unattributed;
    }
    // 1
    match traffic.reject_reason {
        Some(RejectReason::BlockPublicAccess) => return Cause::BlockPublicAccess,
        Some(RejectReason::EncryptionControl) => return Cause::EncryptionControl,
        None => {}
    }
    // 2
    let Place::Known(case) = place else { return Cause::NetworkAcl };
    lines_3_to_11(case)
}

fn lines_3_to_11(case: &Case<'_>) -> Cause {
    let traffic = case.traffic;
    let flags = known_flags(traffic);
    let acl = acl_answer(case);
    // F and R are empty when their reading is not in play.
    let f = if case.forward_in_play() { case.forward(case.state(), case.interface) } else { Rules::new() };
    let r = if case.reply_in_play() { case.reply(case.state(), case.interface) } else { Rules::new() };

    let alibaba = case.interface.cloud == Cloud::Alibaba;
    let syn_clear = flags.is_some_and(|flags| flags & SYN == 0);
    // Section 5: no line 4 or 6 by flags on Alibaba Cloud.
    let syn_ack = !alibaba && flags.is_some_and(|flags| flags & SYN_ACK == SYN_ACK);
    let reply_by_ports = f.is_empty()
        && !r.is_empty()
        && flags.is_none()
        && has_ports(traffic.protocol)
        && traffic.srcport < 512
        && traffic.dstport >= 512;

    // 3
    if acl == AclAnswer::Denies && (syn_clear || !f.is_empty()) {
        return Cause::NetworkAcl;
    }
    // 4
    if acl == AclAnswer::Denies && (syn_ack || reply_by_ports) {
        return Cause::BlockedReply;
    }
    // 5
    if syn_clear {
        return Cause::LatePacket;
    }
    // 6
    if syn_ack && !r.is_empty() {
        return if acl == AclAnswer::NotKnown { Cause::BlockedReply } else { Cause::LatePacket };
    }
    // 7
    if reply_by_ports {
        return if acl == AclAnswer::NotKnown { Cause::LateReplyOrScan } else { Cause::LatePacket };
    }
    // 8
    if is_undetermined(case, &f, &r) {
        return Cause::Undetermined;
    }
    // 9
    if f.is_empty() && case.has_unknown_group() {
        return Cause::UnknownGroup;
    }
    // 10
    if f.is_empty() {
        return if acl == AclAnswer::Denies {
            Cause::SecurityGroupAndNetworkAcl
        } else {
            Cause::SecurityGroup
        };
    }
    // 11
    Cause::NotSecurityGroup
}

/// Line 8.
fn is_undetermined(case: &Case<'_>, f: &Rules, r: &Rules) -> bool {
    if !f.is_empty() {
        return f.iter().all(|index| case.rule(*index).is_one_icmp_type()) || may_be_denied(case, f);
    }
    if !r.is_empty() && !has_ports(case.traffic.protocol) {
        return true;
    }
    case.forward_in_play()
        && case
            .forward_but_peer(case.state(), case.interface)
            .iter()
            .any(|index| is_unresolvable(&case.rule(*index).peer, case.state()))
}

/// Section 8: a rule in front of those that allow denies, if its peer is whom the state does not tell.
fn may_be_denied(case: &Case<'_>, f: &Rules) -> bool {
    let allowing = f.iter().map(|index| case.rule(*index).rank()).min();
    case.forward_but_peer(case.state(), case.interface).iter().map(|index| case.rule(*index)).any(|rule| {
        rule.action() == RuleAction::Deny
            && Some(rule.rank()) < allowing
            && is_unresolvable(&rule.peer, case.state())
    })
}

/// The network ACL; it applies when the peer is outside the subnet's ranges, inside the subnet it allows.
fn acl_answer(case: &Case<'_>) -> AclAnswer {
    let (state, subnet) = (case.state(), &case.interface.subnet_id);
    let Some(acl) = state.acls.get(subnet) else { return AclAnswer::NotKnown };
    let ranges = state.subnets.get(subnet).map_or(&[][..], |subnet| &subnet.ranges);
    if ranges.iter().any(|range| range.contains(&case.peer)) {
        return AclAnswer::Allows;
    }
    entries_answer(acl, case)
}

/// First match decides, default deny. An entry for one ICMP type may or may not match: where all that can follow from
/// that agree, it is the answer.
fn entries_answer(acl: &NetworkAcl, case: &Case<'_>) -> AclAnswer {
    let traffic = case.traffic;
    let mut could_decide = Vec::new();
    let mut decided = false;
    for entry in acl.entries.iter().filter(|entry| entry.direction == case.direction) {
        let matches = entry.protocol.is_none_or(|protocol| protocol == traffic.protocol)
            && entry.net.contains(&case.peer)
            && entry.ports.is_none_or(|(from, to)| (from..=to).contains(&traffic.dstport));
        if matches {
            could_decide.push(entry.action);
            if !entry.is_one_icmp_type() {
                decided = true;
                break;
            }
        }
    }
    if !decided {
        could_decide.push(AclAction::Deny);
    }
    if could_decide.iter().all(|action| *action == AclAction::Deny) {
        AclAnswer::Denies
    } else if could_decide.iter().all(|action| *action == AclAction::Allow) {
        AclAnswer::Allows
    } else {
        AclAnswer::NotKnown
    }
}

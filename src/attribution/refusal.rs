//! Why a record was refused: lines 3 to 11 of the definition, from what rules and network ACL say.

use super::Cause;
use super::acl::AclVerdict;
use super::port_classes::LOW_PORTS;
use super::sets::SetId;
use crate::flow::{SYN, SYN_ACK, TCP, has_ports};
use crate::rules::state::Cloud;

/// What the rules of a forward reading say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowing {
    /// None matches.
    Nothing,
    /// None matches, and one might whose peer is not resolved.
    Unresolved,
    /// Some may match.
    Possibly,
    /// Some match.
    Surely,
}

/// What the rules say of a refused record. The network ACL says the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub(super) forward: Allowing,
    pub(super) reply: bool,
    pub(super) lacks_group: bool,
    pub(super) cloud: Cloud,
    pub(super) denied: Denial,
}

/// The rule that denies a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denial {
    /// That rule alone; empty where none does.
    pub by: SetId,
    /// Whether no other rule may have decided before it.
    pub surely: bool,
}

impl Denial {
    /// None does.
    pub const NONE: Self = Self { by: SetId::EMPTY, surely: false };

    /// Whether no rule does.
    pub fn is_none(self) -> bool {
        self.by == SetId::EMPTY
    }
}

/// What of a refused packet tells its cause.
#[derive(Debug, Clone, Copy)]
pub struct Packet {
    /// `protocol`.
    pub protocol: u8,
    /// `srcport`.
    pub srcport: u16,
    /// `dstport`.
    pub dstport: u16,
    /// `tcp-flags`, where known.
    pub tcp_flags: Option<u8>,
}

impl Refusal {
    /// The rule that refused a record of this cause. Late packets meet the rules too, when their session is gone.
    pub fn denied_for(self, cause: Cause) -> Denial {
        match cause {
            Cause::NetworkAcl | Cause::BlockedReply => Denial::NONE,
            _ => self.denied,
        }
    }

    /// Lines 3 to 11 of the definition.
    pub fn cause(self, acl: AclVerdict, packet: Packet) -> Cause {
        let denies = acl == AclVerdict::Denies;
        let no_forward = matches!(self.forward, Allowing::Nothing | Allowing::Unresolved);
        let flags = packet.tcp_flags.filter(|_| packet.protocol == TCP).map(|flags| flags & SYN_ACK);
        let ports = has_ports(packet.protocol);
        // Line 4 and line 7 know a reply by its port where flags do not tell.
        let low = packet.srcport < LOW_PORTS && packet.dstport >= LOW_PORTS;
        let by_port = no_forward && self.reply && flags.is_none() && ports && low;
        let syn_clear = flags.is_some_and(|flags| flags & SYN == 0);
        if denies && (syn_clear || !no_forward) {
            return Cause::NetworkAcl;
        }
        // Where the flags of all packets are put together, these do not tell a reply.
        let syn_ack = flags == Some(SYN_ACK) && self.cloud == Cloud::Aws;
        if denies && (syn_ack || by_port) {
            return Cause::BlockedReply;
        }
        if syn_clear {
            return Cause::LatePacket;
        }
        if syn_ack && self.reply {
            return if acl == AclVerdict::NotKnown { Cause::BlockedReply } else { Cause::LatePacket };
        }
        if by_port {
            return if acl == AclVerdict::NotKnown { Cause::LateReplyOrScan } else { Cause::LatePacket };
        }
        match self.forward {
            Allowing::Nothing | Allowing::Unresolved if self.reply && !ports => Cause::Undetermined,
            Allowing::Possibly | Allowing::Unresolved => Cause::Undetermined,
            Allowing::Surely => Cause::NotSecurityGroup,
            Allowing::Nothing if self.lacks_group => Cause::UnknownGroup,
            Allowing::Nothing if denies => Cause::SecurityGroupAndNetworkAcl,
            Allowing::Nothing => Cause::SecurityGroup,
        }
    }
}

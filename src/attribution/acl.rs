//! What the network ACL of a subnet says about a packet.
//!
//! ACLs are stateless: entries of the packet's direction by ascending number, the first match decides, and what none
//! matches is denied. They are asked only when a packet enters or leaves the subnet.
//! Source: <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html>.

use std::net::IpAddr;

use crate::flow::Direction;
use crate::rules::state::{AclAction, NetworkAcl, Subnet};

/// What the ACL says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AclVerdict {
    /// It lets the packet pass, or is not asked.
    Allows,
    /// It refuses the packet.
    Denies,
    /// No ACL of the subnet is in the snapshot, or it depends on an ICMP type that logs do not hold.
    NotKnown,
}

/// Asks the ACL about the packet of a record.
pub(super) fn ask(
    acl: Option<&NetworkAcl>,
    subnet: Option<&Subnet>,
    direction: Direction,
    peer: IpAddr,
    (protocol, dstport): (u8, u16),
) -> AclVerdict {
    let Some(acl) = acl else { return AclVerdict::NotKnown };
    if subnet.is_some_and(|subnet| subnet.ranges.iter().any(|range| range.contains(&peer))) {
        return AclVerdict::Allows;
    }
    let mut possible = None;
    for entry in &acl.entries {
        let matches = entry.direction == direction
            && entry.protocol.is_none_or(|own| own == protocol)
            && entry.net.contains(&peer)
            && entry.ports.is_none_or(|(from, to)| (from..=to).contains(&dstport));
        if !matches {
            continue;
        }
        // Entries that may match must all agree with the first one that surely does.
        match possible {
            Some(action) if action != entry.action => return AclVerdict::NotKnown,
            _ if entry.is_one_icmp_type() => possible = Some(entry.action),
            _ => return verdict(entry.action),
        }
    }
    match possible {
        Some(AclAction::Allow) => AclVerdict::NotKnown,
        _ => AclVerdict::Denies,
    }
}

fn verdict(action: AclAction) -> AclVerdict {
    match action {
        AclAction::Allow => AclVerdict::Allows,
        AclAction::Deny => AclVerdict::Denies,
    }
}

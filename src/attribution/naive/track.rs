//! When and where each rule was used. Section 4, credit: what is not decided when it comes goes to every rule of F and R.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::accept::{Accept, Fate, Role};
use super::{Answer, place};
use crate::flow::{Seconds, TCP, has_ports};
use crate::rules::timeline::Timeline;

/// When and where one rule was used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleTrack {
    /// By day since 1970: records in forward role, in reply role, possible ones.
    pub days: BTreeMap<Seconds, (u64, u64, u64)>,
    /// Protocol, port and peer.
    pub seen: BTreeSet<(u8, u16, IpAddr)>,
    /// Those where somebody answered, or that need no answer, or of which it cannot be told.
    pub used: BTreeSet<(u8, u16, IpAddr)>,
}

impl RuleTrack {
    pub(super) fn count(&mut self, start: Option<Seconds>, role: Option<Role>, sure: bool) {
        let Some(start) = start else { return };
        let day = self.days.entry(start.div_euclid(86_400)).or_default();
        let count = match role {
            Some(Role::Forward) if sure => &mut day.0,
            Some(Role::Reply) if sure => &mut day.1,
            _ => &mut day.2,
        };
        *count += 1;
    }
}

impl Answer {
    /// What an ACCEPT leaves with the rules that it is credited to, or may be.
    pub(super) fn leave_track(&mut self, timeline: &Timeline, accept: &Accept<'_>) {
        let role = match accept.fate {
            Fate::UnknownGroup | Fate::Unexplained => return,
            Fate::Told(role, _) => role,
            Fate::ExplainedByNeighbour | Fate::Waits => None,
        };
        let (traffic, case) = (accept.case.traffic, &accept.case);
        let flags = place::known_flags(traffic);
        // A reset without FIN and without both of SYN and ACK: nobody listens.
        let only_reset = flags.is_some_and(|flags| {
            flags & 4 == 4 && flags & 1 == 0 && flags & place::SYN_ACK != place::SYN_ACK
        });
        for index in accept.credited(role) {
            let content = &timeline.rules[index.index()];
            let port = match (content.direction == case.direction, has_ports(traffic.protocol)) {
                (_, false) => 0,
                (true, true) => traffic.dstport,
                (false, true) => traffic.srcport,
            };
            let seen = (traffic.protocol, port, case.peer);
            let hit = match role {
                Some(Role::Forward) => traffic.protocol == TCP,
                Some(Role::Reply) => traffic.protocol == TCP && only_reset,
                None => false,
            };
            let track = &mut self.tracks[index.index()];
            track.count(case.flow.start, role, !content.is_one_icmp_type());
            track.seen.insert(seen);
            if !hit {
                track.used.insert(seen);
            }
        }
    }
}

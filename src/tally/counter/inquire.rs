//! Records that an investigation asks for are kept one by one.

use std::net::IpAddr;

use super::{Counter, replay};
use crate::attribution::index::InterfaceNumber;
use crate::attribution::judge::{Judgement, Verdict};
use crate::attribution::refusal::Packet;
use crate::attribution::situation::{SIDE_BY_SIDE, Situated, Situation};
use crate::flow::{Flow, Traffic, V4Record};
use crate::tally::inquiry::{Asked, Asking};

impl Counter<'_> {
    /// Those of some records that were credited by their situations, as these were judged; the others come by
    /// [`Counter::inquire`].
    pub(super) fn inquire_together(
        &mut self,
        asking: &Asking<'_>,
        records: &[V4Record],
        situated: &[Situated; SIDE_BY_SIDE],
    ) {
        for (V4Record { interface, flow }, situated) in records.iter().zip(situated) {
            let number = InterfaceNumber::of(*interface);
            if situated.situation == Situation::NONE || !asking.wants_v4(number, flow) {
                continue;
            }
            let Some(judged) = self.judged(situated.situation, number) else { continue };
            let (direction, peer) = (situated.direction, IpAddr::V4(situated.peer.into()));
            let traffic = flow.traffic();
            let verdict = match judged {
                replay::Now::Verdict(verdict) => verdict,
                replay::Now::Refused(refusal) => {
                    let Traffic { protocol, srcport, dstport, tcp_flags, .. } = traffic;
                    let packet = (protocol, dstport);
                    let acl = self.brief.index.ask_acl(self.now.state, number, direction, peer, packet);
                    Verdict::Refused(refusal.cause(acl, Packet { protocol, srcport, dstport, tcp_flags }))
                }
            };
            let asked = Asked {
                interface: self.seen[number.index()].slot,
                direction: Some(direction),
                peer,
                verdict,
                flow: &flow.flow(),
                traffic: &traffic,
            };
            self.tally.inquiry.add(asking, &asked);
        }
    }

    /// A record that was judged by itself.
    pub(super) fn inquire(&mut self, slot: u32, judgement: &Judgement, flow: &Flow<'_>, traffic: &Traffic) {
        let Some(asking) = self.brief.asking else { return };
        // Records that come by their situations have no id with them.
        let id: &[u8] = self.tally.slots.ids().get(slot as usize).map_or(&[], AsRef::as_ref);
        if asking.wants(id, self.numbers[slot as usize], flow.start, traffic) {
            let Judgement { direction, peer, verdict, .. } = *judgement;
            let asked = Asked { interface: slot, direction, peer, verdict, flow, traffic };
            self.tally.inquiry.add(asking, &asked);
        }
    }
}

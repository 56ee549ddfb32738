//! Records that an investigation asks for are kept one by one.

use std::net::IpAddr;

use super::{Counter, Known, replay};
use crate::attribution::index::InterfaceNumber;
use crate::attribution::judge::Judgement;
use crate::attribution::refusal::Packet;
use crate::attribution::situation::{SIDE_BY_SIDE, Situated, Situation};
use crate::flow::{Flow, Traffic, V4Flow, V4Record};
use crate::tally::inquiry::{Asked, AskedV4, Asking, Ending, EndingNumber};

impl Counter<'_> {
    /// Those of some records that were credited by their situations, as these were judged; the others come by
    /// [`Counter::inquire`]. `found` are the places of situations that were known before.
    pub(super) fn inquire_together(
        &mut self,
        asking: &Asking<'_>,
        records: &[V4Record],
        situated: &[Situated; SIDE_BY_SIDE],
        found: &[Option<u32>; SIDE_BY_SIDE],
    ) {
        for ((V4Record { interface, flow }, situated), found) in records.iter().zip(situated).zip(found) {
            let number = InterfaceNumber::of(*interface);
            if situated.situation == Situation::NONE || !asking.wants_v4(number, flow) {
                continue;
            }
            let Some(place) = found.or_else(|| self.place(situated.situation)) else { continue };
            let Some(ending) = self.ending(place as usize, number, situated, flow) else { continue };
            let Situated { direction, peer, .. } = *situated;
            let asked = AskedV4 { interface: self.seen[number.index()].slot, direction, peer, flow };
            self.tally.inquiry.add_v4(asking, ending, &asked);
        }
    }

    /// How a record in a known situation ended. None: those are judged one by one.
    #[inline]
    fn ending(
        &mut self,
        place: usize,
        number: InterfaceNumber,
        situated: &Situated,
        flow: &V4Flow,
    ) -> Option<EndingNumber> {
        let direction = situated.direction;
        let (_, known) = self.known[place];
        if let Known::Refused(refusal) = known {
            let V4Flow { protocol, srcport, dstport, tcp_flags, .. } = *flow;
            let peer = IpAddr::V4(situated.peer.into());
            let acl = self.brief.index.ask_acl(self.now.state, number, direction, peer, (protocol, dstport));
            let cause = refusal.cause(acl, Packet { protocol, srcport, dstport, tcp_flags });
            return Some(self.tally.inquiry.refusal(direction, cause));
        }
        if let Some(Some(ending)) = self.endings.get(place) {
            return Some(*ending);
        }
        let replay::Now::Verdict(verdict) = self.judged(situated)? else { return None };
        let ending = self.tally.inquiry.number(Ending::of(Some(direction), verdict));
        if self.endings.len() <= place {
            self.endings.resize(self.known.len(), None);
        }
        self.endings[place] = Some(ending);
        Some(ending)
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

//! Records that an investigation asks for are judged one by one, and kept.

use super::Counter;
use crate::attribution::index::InterfaceNumber;
use crate::attribution::judge::Judgement;
use crate::attribution::situation::{SIDE_BY_SIDE, Situated, Situation};
use crate::flow::{Flow, Traffic, V4Record};
use crate::tally::inquiry::{Asked, Asking};

impl Counter<'_> {
    /// Those of some records that were credited by their situations; the others come by [`Counter::inquire`].
    #[cold]
    pub(super) fn inquire_together(
        &mut self,
        asking: &Asking<'_>,
        records: &[V4Record],
        situated: &[Situated; SIDE_BY_SIDE],
    ) {
        for (V4Record { interface, flow }, situated) in records.iter().zip(situated) {
            let number = InterfaceNumber::of(*interface);
            let credited = situated.situation != Situation::NONE
                && asking.wants_v4(number, flow)
                && self.judged(situated.situation, number).is_some();
            if credited {
                let (slot, traffic) = (self.seen[number.index()].slot, flow.traffic());
                let flow = flow.flow();
                let judgement = self.judge.judge(Some(number), &flow, &traffic);
                let asked = Asked { interface: slot, judgement: &judgement, flow: &flow, traffic: &traffic };
                self.tally.inquiry.add(&asked);
            }
        }
    }

    /// A record that was judged by itself.
    pub(super) fn inquire(&mut self, slot: u32, judgement: &Judgement, flow: &Flow<'_>, traffic: &Traffic) {
        let Some(asking) = self.brief.asking else { return };
        // Records that come by their situations have no id with them.
        let id: &[u8] = self.tally.slots.ids().get(slot as usize).map_or(&[], AsRef::as_ref);
        if asking.wants(id, self.numbers[slot as usize], flow.start, traffic) {
            self.tally.inquiry.add(&Asked { interface: slot, judgement, flow, traffic });
        }
    }
}

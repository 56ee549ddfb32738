//! Records between IPv4 addresses, in situations that were met before: they come by the million, and most of them come after the
//! last piece that is kept.

use std::net::IpAddr;

use hashbrown::HashMap;

use super::peer::{PeerKey, PeerSum};
use super::piece::{Connection, PIECE, Rank};
use super::{Asking, Ending, Inquiry, SeenFrom};
use crate::attribution::Cause;
use crate::flow::{Action, Direction, Seconds, V4Flow};

/// A record that is asked for, judged.
#[derive(Debug, Clone, Copy)]
pub(in crate::tally) struct AskedV4<'r> {
    /// Interface slot.
    pub(in crate::tally) interface: u32,
    pub(in crate::tally) direction: Direction,
    pub(in crate::tally) peer: u32,
    pub(in crate::tally) flow: &'r V4Flow,
}

/// Number of an ending among those of one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tally) struct EndingNumber(u32);

/// Places for refusals, by cause and direction.
const REFUSALS: usize = 32;
const _: () =
    assert!(refusal(Direction::Egress, Cause::NotSecurityGroup) < REFUSALS, "a place for each cause");

const fn refusal(direction: Direction, cause: Cause) -> usize {
    cause as usize * 2 + direction as usize
}

/// Endings counted by number; [`Inquiry::finish`] adds them to the others.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    numbers: HashMap<Ending, EndingNumber>,
    refusals: [Option<EndingNumber>; REFUSALS],
    /// By number.
    counts: Vec<(Ending, u64)>,
}

impl Counted {
    fn number(&mut self, ending: Ending) -> EndingNumber {
        let next = EndingNumber(u32::try_from(self.counts.len()).unwrap_or(u32::MAX));
        let number = *self.numbers.entry(ending).or_insert(next);
        if number == next {
            self.counts.push((ending, 0));
        }
        number
    }
}

/// From when on no piece is kept.
pub(super) fn late(cut: Option<Rank>) -> Seconds {
    match cut {
        None => Seconds::MAX,
        Some((None, ..)) => Seconds::MIN,
        Some((Some(at), ..)) => at.saturating_add(1).saturating_mul(PIECE),
    }
}

impl Inquiry {
    /// The number of an ending.
    pub(in crate::tally) fn number(&mut self, ending: Ending) -> EndingNumber {
        self.counted.number(ending)
    }

    /// The number of a refusal.
    #[inline]
    pub(in crate::tally) fn refusal(&mut self, direction: Direction, cause: Cause) -> EndingNumber {
        let place = refusal(direction, cause) % REFUSALS;
        if let Some(number) = self.counted.refusals[place] {
            return number;
        }
        let number = self.counted.number(Ending::Refused(Some(direction), cause));
        self.counted.refusals[place] = Some(number);
        number
    }

    /// Takes in a record that ended so.
    #[inline]
    pub(in crate::tally) fn add_v4(
        &mut self,
        asking: &Asking<'_>,
        ending: EndingNumber,
        asked: &AskedV4<'_>,
    ) {
        let AskedV4 { direction, peer, flow, .. } = *asked;
        let own = flow.peer(direction.opposite());
        let seen_from = asking.seen_from_v4(own, peer);
        // Seen from the far end, what goes out there comes in here.
        let (way, far) = match seen_from {
            SeenFrom::OwnEnd => (direction, peer),
            SeenFrom::FarEnd => (direction.opposite(), own),
        };
        match way {
            Direction::Ingress => self.records.ingress.add_v4(flow),
            Direction::Egress => self.records.egress.add_v4(flow),
        }
        let rejected = u64::from(flow.action == Action::Reject);
        self.records.rejected += rejected;
        self.records.accepted += 1 - rejected;
        self.records.far_end += u64::from(seen_from == SeenFrom::FarEnd);
        let (bytes_in, bytes_out) = match way {
            Direction::Ingress => (flow.bytes, 0),
            Direction::Egress => (0, flow.bytes),
        };
        let add = |sum: &mut PeerSum| {
            sum.accepted += 1 - rejected;
            sum.rejected += rejected;
            sum.bytes_in = sum.bytes_in.saturating_add(bytes_in);
            sum.bytes_out = sum.bytes_out.saturating_add(bytes_out);
            sum.span.add_times(flow.start, flow.end);
        };
        self.peers.add(0, |rung| PeerKey::of(IpAddr::V4(far.into()), rung), add);
        let counted = &mut self.counted.counts[ending.0 as usize];
        counted.1 += 1;
        if flow.start < self.late {
            let ending = counted.0;
            self.keep_v4(asked, own, ending);
        }
    }

    #[inline(never)]
    fn keep_v4(&mut self, asked: &AskedV4<'_>, own: u32, ending: Ending) {
        let AskedV4 { interface, direction, peer, flow } = *asked;
        let (local_port, peer_port) = match direction {
            Direction::Ingress => (flow.dstport, flow.srcport),
            Direction::Egress => (flow.srcport, flow.dstport),
        };
        let connection = Connection {
            interface,
            protocol: flow.protocol,
            address: IpAddr::V4(own.into()),
            local_port,
            peer: IpAddr::V4(peer.into()),
            peer_port,
        };
        self.keep(connection, Some(flow.start), |piece| {
            piece.add(Some(direction), &flow.flow(), &flow.traffic(), ending);
        });
    }

    /// What was counted by number is counted like everything else.
    pub(super) fn count_numbered(&mut self) {
        for (ending, count) in std::mem::take(&mut self.counted).counts {
            if count > 0 {
                *self.endings.entry(ending).or_default() += count;
            }
        }
    }
}

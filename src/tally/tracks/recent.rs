//! Ports and peers met of late, so that nearly every record finds that its pair is known without a search.

use super::seen::{Answer, Masks, Seen};
use super::{TrackNumber, Tracks};

/// Pairs that are remembered: half a megabyte.
const REMEMBERED: usize = 1 << 15;
/// 2^64 divided by the golden ratio spreads what differs in few bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Pairs met of late, by IPv4 peers.
#[derive(Debug)]
pub struct Recent {
    pairs: Vec<(u64, u32)>,
    /// By place of a table: what it tells apart. Older than the table is, it tells more apart, which costs a search.
    masks: Vec<Masks>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { pairs: vec![(0, u32::MAX); REMEMBERED], masks: Vec::new() }
    }
}

impl Recent {
    /// Takes in a pair, unless it was met of late.
    #[inline(always)]
    pub fn see(
        &mut self,
        tracks: &mut Tracks,
        number: TrackNumber,
        answer: Answer,
        peer: u32,
        (protocol, port): (u8, u16),
    ) {
        let place = number.place(answer);
        let masks = self.masks.get(place).copied().unwrap_or(Masks::NONE);
        let (word, owner) = (masks.word(peer, protocol, port), u32::try_from(place).unwrap_or(u32::MAX));
        let slot = (word ^ u64::from(owner) << 8).wrapping_mul(SPREAD) >> (64 - REMEMBERED.trailing_zeros());
        let Some(pair) = usize::try_from(slot).ok().and_then(|slot| self.pairs.get_mut(slot)) else { return };
        if *pair != (word, owner) {
            *pair = (word, owner);
            self.meet(
                tracks,
                number,
                answer,
                Seen { peer: std::net::IpAddr::V4(peer.into()), protocol, port },
            );
        }
    }

    #[cold]
    fn meet(&mut self, tracks: &mut Tracks, number: TrackNumber, answer: Answer, seen: Seen) {
        let rung = tracks.see(number, answer, seen);
        let place = number.place(answer);
        if self.masks.len() <= place {
            self.masks.resize(place + 1, Masks::NONE);
        }
        self.masks[place] = Masks::of(answer, rung);
    }
}

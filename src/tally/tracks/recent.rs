//! Ports and peers met of late, so that nearly every record finds that its pair is known without a search.

use super::seen::{Answer, Masks, Seen};
use super::{TrackNumber, Tracks};
use crate::flow::{TCP, UDP};

/// Pairs that are remembered: a quarter of a megabyte.
const REMEMBERED: usize = 1 << 15;
/// 2^64 divided by the golden ratio spreads what differs in few bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// Places of tables that fit a word beside a pair, one bit of it for the protocol.
const PLACES: usize = 1 << 15;

/// Pairs met of late, by IPv4 peers.
#[derive(Debug)]
pub struct Recent {
    /// Peer, port, place and protocol in one word. Zero is none: it may be a pair of the first table, which is looked for
    /// each time.
    words: Vec<u64>,
    /// By place of a table: what it tells apart. Older than the table is, it tells more apart, which costs a search.
    masks: Vec<Masks>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { words: vec![0; REMEMBERED], masks: Vec::new() }
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
        let transport = u64::from(protocol == UDP);
        let word = masks.pair(peer, port) << 16 | (place as u64) << 1 | transport;
        let slot = word.wrapping_mul(SPREAD) >> (64 - REMEMBERED.trailing_zeros());
        let Some(known) = usize::try_from(slot).ok().and_then(|slot| self.words.get_mut(slot)) else {
            return;
        };
        let told = matches!(protocol, TCP | UDP) && place < PLACES && word != 0;
        if *known != word || !told {
            // What does not fit a word must not pass for what does.
            *known = if told { word } else { 0 };
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

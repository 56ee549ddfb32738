//! Ports and peers met of late, so that nearly every record finds that its pair is known without a search.

use super::days::Day;
use super::seen::{Answer, Masks, Seen};
use super::{TrackNumber, Tracks};
use crate::flow::{TCP, UDP};

/// Pairs that are remembered: an eighth of a megabyte.
const REMEMBERED: usize = 1 << 14;
/// 2^64 divided by the golden ratio spreads what differs in few bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// Places of tables that fit a word beside a pair, one bit of it for the protocol.
const PLACES: u32 = 1 << 15;

/// A record in a track, to be taken in.
#[derive(Debug, Clone, Copy)]
struct Mark {
    place: u32,
    peer: u32,
    port: u16,
    protocol: u8,
}

/// So many marks are taken in side by side: each is a walk to other parts of memory, and together they wait for it once.
const SIDE_BY_SIDE: usize = 128;

/// Pairs met of late, by IPv4 peers.
#[derive(Debug)]
pub struct Recent {
    /// Peer, port, place and protocol in one word. Zero is none: it may be a pair of the first table, which is looked for
    /// each time.
    words: Vec<u64>,
    /// By place of a table: what it tells apart. Older than the table is, it tells more apart, which costs a search.
    masks: Vec<Masks>,
    marks: Vec<Mark>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { words: vec![0; REMEMBERED], masks: Vec::new(), marks: Vec::with_capacity(SIDE_BY_SIDE) }
    }
}

impl Recent {
    /// Takes in a record, by and by: before the day turns, [`Recent::take`] has to be called, and whenever it is full.
    #[inline(always)]
    pub fn mark(&mut self, number: TrackNumber, answer: Answer, peer: u32, (protocol, port): (u8, u16)) {
        let place = u32::try_from(number.place(answer)).unwrap_or(u32::MAX);
        self.marks.push(Mark { place, peer, port, protocol });
    }

    /// Whether the marks have to be taken before there are two more.
    #[inline(always)]
    pub fn is_full(&self) -> bool {
        self.marks.len() + 2 > SIDE_BY_SIDE
    }

    /// Counts the marks on a day, and takes in the pairs that were not met of late.
    pub fn take(&mut self, tracks: &mut Tracks, day: Day) {
        let mut missed = [0_u8; SIDE_BY_SIDE];
        let mut found = 0;
        for (at, mark) in (0..).zip(&self.marks) {
            let masks = self.masks.get(mark.place as usize).copied().unwrap_or(Masks::NONE);
            let transport = u64::from(mark.protocol == UDP);
            let word = masks.pair(mark.peer, mark.port) << 16 | u64::from(mark.place) << 1 | transport;
            let slot = word.wrapping_mul(SPREAD) >> (64 - REMEMBERED.trailing_zeros());
            // What does not fit a word must not pass for what does.
            let told =
                ((mark.protocol == TCP) | (mark.protocol == UDP)) & (mark.place < PLACES) & (word != 0);
            let Some(known) = usize::try_from(slot).ok().and_then(|slot| self.words.get_mut(slot)) else {
                continue;
            };
            let met = (*known == word) & told;
            *known = if told { word } else { *known };
            missed[found % SIDE_BY_SIDE] = at;
            found += usize::from(!met);
        }
        for mark in &self.marks {
            tracks.count(TrackNumber::at(mark.place as usize), day, 1);
        }
        for at in &missed[..found.min(SIDE_BY_SIDE)] {
            if let Some(mark) = self.marks.get(usize::from(*at)).copied() {
                self.meet(tracks, mark);
            }
        }
        self.marks.clear();
    }

    #[cold]
    fn meet(&mut self, tracks: &mut Tracks, Mark { place, peer, port, protocol }: Mark) {
        let place = place as usize;
        let seen = Seen { peer: std::net::IpAddr::V4(peer.into()), protocol, port };
        let answer = Answer::ALL[place % Answer::KINDS];
        let rung = tracks.see(TrackNumber::at(place), answer, seen);
        if self.masks.len() <= place {
            self.masks.resize(place + 1, Masks::NONE);
        }
        self.masks[place] = Masks::of(answer, rung);
    }
}

//! On which day a record came, and what it leaves in the tracks of the rules that it is credited to.

use std::net::IpAddr;

use super::Counter;
use crate::attribution::judge::{Role, Verdict};
use crate::attribution::sets::SetId;
use crate::flow::{Flow, Seconds, Traffic, V4Flow};
use crate::tally::UsageKey;
use crate::tally::cells::credited;
use crate::tally::scope::{self, PeerScope};
use crate::tally::tracks::days::{Day, Volume};
use crate::tally::tracks::seen::{Answer, Seen};
use crate::tally::tracks::{TrackKey, TrackNumber};

/// The tracks of both readings of a record, as far as it is credited by them.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrackPair {
    role: Role,
    forward: TrackNumber,
    reply: TrackNumber,
}

/// The same in one word, for it is kept of every situation: what is decided has one track, and of what is not the place of the
/// pair is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrackWord(u32);

impl TrackWord {
    const PLACES: u32 = 1 << 30;
    /// No track.
    const NONE: Self = Self(3 << 30);

    fn of(role: Role, place: u32) -> Self {
        if place < Self::PLACES { Self((role as u32) << 30 | place) } else { Self::NONE }
    }

    #[inline(always)]
    fn place(self) -> u32 {
        self.0 & (Self::PLACES - 1)
    }
}

/// The day of the last record, or the longer unit of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Today {
    from: Seconds,
    until: Seconds,
    day: Day,
    volume: Volume,
}

impl Today {
    /// No day at all.
    pub(super) const NEVER: Self = Self {
        from: 0,
        until: 0,
        day: Day::FIRST,
        volume: Volume { accepted: 0, rejected: 0, accepted_bytes: 0 },
    };
}

impl Counter<'_> {
    /// The tracks of records of this verdict.
    pub(super) fn tracks_of(&mut self, verdict: Verdict) -> TrackPair {
        let (role, forward, reply) = match verdict {
            Verdict::Waiting { forward, reply } => (Role::Undecided, forward, reply),
            _ => credited(verdict).unwrap_or((Role::Undecided, SetId::EMPTY, SetId::EMPTY)),
        };
        let tracks = &mut self.tally.tracks;
        let mut number = |set| tracks.number(TrackKey { set, role });
        TrackPair { role, forward: number(forward), reply: number(reply) }
    }

    /// The same, to be remembered.
    pub(super) fn track_word(&mut self, verdict: Verdict) -> TrackWord {
        let pair = self.tracks_of(verdict);
        let place = match pair.role {
            Role::Forward => pair.forward.number(),
            Role::Reply => pair.reply.number(),
            Role::Undecided if pair.forward == TrackNumber::NONE && pair.reply == TrackNumber::NONE => {
                return TrackWord::NONE;
            }
            Role::Undecided => {
                self.undecided.push(pair);
                u32::try_from(self.undecided.len() - 1).unwrap_or(u32::MAX)
            }
        };
        TrackWord::of(pair.role, place)
    }

    /// What a record leaves in the tracks that were remembered. [`Counter::turn_to_day`] comes first.
    #[inline(always)]
    pub(super) fn leave_known_track(&mut self, word: TrackWord, scope: PeerScope, peer: u32, flow: &V4Flow) {
        let (role, port) = match word.0 >> 30 {
            0 => (Role::Forward, flow.dstport),
            1 => (Role::Reply, flow.srcport),
            2 => {
                let pair = self.undecided[word.place() as usize];
                return self.leave_track(pair, scope, peer, flow);
            }
            _ => return,
        };
        let answer = Answer::of(role, flow.protocol, flow.tcp_flags, scope);
        self.recent.mark(TrackNumber::numbered(word.place()), answer, peer, (flow.protocol, port));
        if self.recent.is_full() {
            self.take_marks();
        }
    }

    /// Turns to the day of a record, if it is another one.
    #[inline(always)]
    pub(super) fn turn_to_day(&mut self, start: Seconds) {
        if !((self.today.from <= start) & (start < self.today.until)) {
            self.turn_day(start);
        }
    }

    #[cold]
    fn turn_day(&mut self, start: Seconds) {
        self.end_day();
        let tracks = &mut self.tally.tracks;
        // A day of its own may be one too many.
        let day = tracks.calendar.resolution().day(start);
        tracks.calendar.open(day);
        tracks.keep_to_calendar();
        let resolution = tracks.calendar.resolution();
        let day = resolution.day(start);
        let from = resolution.start(day);
        let until = from.saturating_add(resolution.seconds());
        self.today = Today { from, until, day, volume: Volume::default() };
    }

    /// What came today goes to the calendar.
    pub(super) fn end_day(&mut self) {
        self.take_marks();
        let volume = std::mem::take(&mut self.today.volume);
        self.tally.tracks.calendar.add(self.today.day, volume);
    }

    /// What a record leaves in its tracks. [`Counter::turn_to_day`] comes first.
    #[inline(always)]
    pub(super) fn leave_track(&mut self, pair: TrackPair, scope: PeerScope, peer: u32, flow: &V4Flow) {
        let V4Flow { protocol, srcport, dstport, tcp_flags, .. } = *flow;
        let answer = Answer::of(pair.role, protocol, tcp_flags, scope);
        for (number, port) in [(pair.forward, dstport), (pair.reply, srcport)] {
            if number != TrackNumber::NONE {
                self.recent.mark(number, answer, peer, (protocol, port));
            }
        }
        if self.recent.is_full() {
            self.take_marks();
        }
    }

    /// Takes in what records have left in their tracks.
    pub(super) fn take_marks(&mut self) {
        self.recent.take(&mut self.tally.tracks, self.today.day);
    }

    /// The same of a record that was judged by itself, with its volume.
    pub(super) fn note_day(&mut self, flow: &Flow<'_>, traffic: &Traffic) {
        if let Some(start) = flow.start {
            self.turn_to_day(start);
            self.today.volume.add(traffic.action, traffic.bytes);
        }
    }

    /// The same.
    pub(super) fn leave_track_alone(
        &mut self,
        verdict: Verdict,
        peer: IpAddr,
        flow: &Flow<'_>,
        traffic: &Traffic,
    ) {
        let Traffic { protocol, srcport, dstport, tcp_flags, .. } = *traffic;
        let pair = self.tracks_of(verdict);
        let answer = Answer::of(pair.role, protocol, tcp_flags, scope::of(peer));
        let tracks = &mut self.tally.tracks;
        for (number, port) in [(pair.forward, dstport), (pair.reply, srcport)] {
            if number != TrackNumber::NONE {
                if flow.start.is_some() {
                    tracks.count(number, self.today.day, 1);
                }
                tracks.see(number, answer, Seen { peer, protocol, port });
            }
        }
    }

    /// A record of a situation came today.
    #[inline(always)]
    pub(super) fn count_today(&mut self, flow: &V4Flow) {
        self.today.volume.add(flow.action, flow.bytes);
    }

    /// Records that a rule refused, today.
    pub(super) fn leave_denied(&mut self, key: &UsageKey, start: Option<Seconds>) {
        let number = self.tally.tracks.number(TrackKey { set: key.forward, role: key.role });
        if start.is_some() {
            self.tally.tracks.count(number, self.today.day, 1);
        }
    }
}

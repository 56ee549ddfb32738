//! Counts of records, packets and bytes with their first and last time: the atom of every tally.

use crate::flow::{Flow, SYN_ACK, Seconds, Traffic, V4Flow};

/// The smallest start and the largest end of some records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    first: Seconds,
    last: Seconds,
}

impl Default for Span {
    fn default() -> Self {
        Self::NONE
    }
}

impl Span {
    /// Of no records.
    pub const NONE: Self = Self { first: Seconds::MAX, last: Seconds::MIN };

    /// From the smallest start and the largest end, where there are any.
    pub fn of(first: Option<Seconds>, last: Option<Seconds>) -> Self {
        Self { first: first.unwrap_or(Seconds::MAX), last: last.unwrap_or(Seconds::MIN) }
    }

    /// Takes in one record.
    pub fn add(&mut self, flow: &Flow<'_>) {
        if let Some(start) = flow.start {
            self.first = self.first.min(start);
        }
        if let Some(end) = flow.end {
            self.last = self.last.max(end);
        }
    }

    /// Takes in one record that says its times.
    #[inline]
    pub fn add_times(&mut self, start: Seconds, end: Seconds) {
        self.first = self.first.min(start);
        self.last = self.last.max(end);
    }

    /// Takes in other records.
    pub fn merge(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    /// Smallest `start`; None: no record had a time.
    pub fn first(self) -> Option<Seconds> {
        (self.first != Seconds::MAX).then_some(self.first)
    }

    /// Largest `end`; None: no record had a time.
    pub fn last(self) -> Option<Seconds> {
        (self.last != Seconds::MIN).then_some(self.last)
    }
}

/// What some records add up to. Sums saturate: a forged count must not wrap to nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Credit {
    /// Records.
    pub records: u64,
    /// Records that show SYN and ACK: somebody listens.
    pub answers: u64,
    /// Records whose TCP flags are known.
    pub with_flags: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// When.
    pub span: Span,
}

impl Credit {
    /// Takes in one record.
    pub fn add(&mut self, flow: &Flow<'_>, traffic: &Traffic) {
        self.count(traffic.tcp_flags, traffic.packets, traffic.bytes);
        self.span.add(flow);
    }

    /// Takes in one record.
    #[inline]
    pub fn add_v4(&mut self, flow: &V4Flow) {
        self.count(flow.tcp_flags, flow.packets, flow.bytes);
        self.span.add_times(flow.start, flow.end);
    }

    #[inline]
    fn count(&mut self, tcp_flags: Option<u8>, packets: u64, bytes: u64) {
        self.records += 1;
        if let Some(flags) = tcp_flags {
            self.with_flags += 1;
            self.answers += u64::from(flags & SYN_ACK == SYN_ACK);
        }
        self.packets = self.packets.saturating_add(packets);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Takes in other records.
    pub fn merge(&mut self, other: &Self) {
        self.records += other.records;
        self.answers += other.answers;
        self.with_flags += other.with_flags;
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.span.merge(other.span);
    }
}

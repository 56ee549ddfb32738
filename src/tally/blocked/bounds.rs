//! How much is kept of refused records, so that no scan can fill memory.
//!
//! A table (one interface, direction, protocol and cause) stands on a rung of a ladder. On the first every port has a row
//! and every row up to 256 peers; further up rows keep fewer peers, as prefixes, and ports are put together in ranges. A
//! table climbs while it has more rows, or more peers in all, than the level of the run allows; the level rises while all
//! tables together have more than the budget.
//!
//! What decides must not depend on the order in which records come. On a given rung and level, the rows and the peers of
//! a table (a row beyond its bound counting as the bound) only grow with the set of records, and what all tables take
//! (one beyond its bound counting as the bound) does too. So whatever some of the records need, all of them need, and the
//! end is the first rung and the first level that hold them all.

use rayon::prelude::*;

use super::{Blocked, Row, Table};
use crate::tally::peers::MOST_PEERS;

/// Rows keep what they are given and are summed up when so many records have come.
pub(super) const SWEEP: usize = 1 << 20;

/// How much is allowed. Another value than [`LIMITS`] is for tests.
#[derive(Debug)]
pub(super) struct Limits {
    /// What all tables may take together, in peers of sixteen bytes.
    budget: usize,
    /// By level: most rows and most peers of a table.
    levels: [(usize, usize); 6],
}

/// About 64 MiB at most, unless there are more than a hundred thousand tables.
pub(super) static LIMITS: Limits =
    Limits { budget: 4 << 20, levels: [(1024, 16384), (256, 4096), (64, 1024), (16, 256), (4, 64), (1, 16)] };

impl Default for &Limits {
    fn default() -> Self {
        &LIMITS
    }
}

/// What a row takes besides its peers, in peers.
const ROW: usize = 12;

/// Rungs: ranges of 2^width ports, and most peers of a row.
const RUNGS: [(u32, usize); 8] =
    [(0, MOST_PEERS), (0, 64), (0, 16), (4, 16), (8, 16), (8, 4), (12, 4), (16, 1)];

/// Where a table stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rung(u8);

impl Rung {
    pub(super) fn number(self) -> u8 {
        self.0
    }

    pub(super) fn numbered(number: u8) -> Option<Self> {
        (usize::from(number) < RUNGS.len()).then_some(Self(number))
    }

    pub(super) fn width(self) -> u32 {
        RUNGS[usize::from(self.0)].0
    }

    fn most_peers(self) -> usize {
        RUNGS[usize::from(self.0)].1
    }

    /// The number of the range that holds the port.
    pub(super) fn range(self, port: u16) -> u16 {
        port.checked_shr(self.width()).unwrap_or(0)
    }

    /// First and last port of a range.
    pub(super) fn ports(self, range: u16) -> (u16, u16) {
        let from = range.checked_shl(self.width()).unwrap_or(0);
        (from, from | u16::MAX.checked_shr(16 - self.width()).unwrap_or(0))
    }

    pub(super) fn can_climb(self) -> bool {
        usize::from(self.0) + 1 < RUNGS.len()
    }

    pub(super) fn climb(&mut self) {
        self.0 += 1;
    }
}

/// What tables of the run are allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Level(u8);

impl Level {
    pub(super) fn number(self) -> u8 {
        self.0
    }

    pub(super) fn numbered(number: u8) -> Option<Self> {
        (usize::from(number) < LIMITS.levels.len()).then_some(Self(number))
    }

    /// Most rows and most peers of a table.
    fn most(self, limits: &Limits) -> (usize, usize) {
        limits.levels[usize::from(self.0)]
    }

    pub(super) fn most_rows(self, limits: &Limits) -> usize {
        self.most(limits).0
    }

    /// What a table takes at most.
    fn cap(self, limits: &Limits) -> usize {
        let (rows, peers) = self.most(limits);
        rows * ROW + peers
    }
}

impl Blocked {
    /// Sums up every row and climbs until all bounds hold.
    pub fn fit(&mut self) {
        self.fresh = 0;
        // Whatever the rung, no row keeps more; most of the work is here.
        self.rows.par_iter_mut().for_each(|row| row.fit_peers(MOST_PEERS));
        loop {
            for table in self.tables.values_mut() {
                table.fit(self.level.most(self.limits), &mut self.rows, &mut self.free);
            }
            let taken: usize =
                self.tables.values().map(|table| table.taken(self.level.cap(self.limits), &self.rows)).sum();
            if taken <= self.limits.budget || usize::from(self.level.0) + 1 == self.limits.levels.len() {
                break;
            }
            self.level.0 += 1;
        }
        self.forget_places();
    }
}

impl Table {
    fn fit(&mut self, most: (usize, usize), rows: &mut [Row], free: &mut Vec<u32>) {
        let (most_rows, most_peers) = most;
        loop {
            let peers: usize = self.rows.values().map(|row| rows[*row as usize].fit(self.rung)).sum();
            if (self.rows.len() <= most_rows && peers <= most_peers) || !self.rung.can_climb() {
                return;
            }
            self.climb(rows, free);
        }
    }

    /// What it takes, or the most it may where it had to give up anything.
    fn taken(&self, cap: usize, rows: &[Row]) -> usize {
        if self.rung > Rung::default() {
            return cap;
        }
        let peers: usize = self.rows.values().map(|row| rows[*row as usize].peers_counted(self.rung)).sum();
        (peers + self.rows.len() * ROW).min(cap)
    }
}

impl Row {
    /// Sums up its peers for a rung; how many they count as.
    fn fit(&mut self, rung: Rung) -> usize {
        self.fit_peers(rung.most_peers());
        self.peers_counted(rung)
    }

    pub(super) fn fit_peers(&mut self, most: usize) {
        self.internal.fit(most);
        self.external.fit(most);
    }

    /// A table of peers that had to be widened counts as full.
    fn peers_counted(&self, rung: Rung) -> usize {
        let counted = |peers: &super::PeerTable| {
            if peers.is_exact() { peers.len().min(rung.most_peers()) } else { rung.most_peers() }
        };
        counted(&self.internal) + counted(&self.external)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::attribution::Cause;
    use crate::flow::{Action, Direction, TCP, V4Flow};
    use crate::tally::blocked::{BlockedKey, GATHERED, Refused};

    static TINY: Limits =
        Limits { budget: 700, levels: [(12, 60), (8, 30), (4, 16), (3, 8), (2, 4), (1, 2)] };

    fn refused((interface, port, peer): (u32, u16, u32)) -> Refused {
        let key = BlockedKey {
            interface,
            direction: Some(Direction::Ingress),
            protocol: TCP,
            cause: Cause::SecurityGroup,
        };
        let start = i64::from(peer % 1000);
        let flow = V4Flow {
            start,
            end: start + 60,
            packets: 1,
            bytes: u64::from(peer),
            srcaddr: peer,
            dstaddr: 1,
            pkt_srcaddr: None,
            pkt_dstaddr: None,
            srcport: 40_000,
            dstport: port,
            protocol: TCP,
            action: Action::Reject,
            direction: None,
            tcp_flags: None,
        };
        Refused { key, peer, flow }
    }

    fn add(blocked: &mut Blocked, records: &[(u32, u16, u32)]) {
        for some in records.chunks(GATHERED) {
            let gathered: Vec<Refused> = some.iter().copied().map(refused).collect();
            blocked.add_gathered(&gathered);
        }
    }

    /// Everything that is kept, as text, in an order of its own.
    fn kept(blocked: &Blocked) -> Vec<String> {
        let mut rows: Vec<String> = blocked
            .rows()
            .map(|(key, from, to, row)| {
                let mut peers: Vec<_> = row.internal.iter().chain(row.external.iter()).collect();
                peers.sort_by_key(|(net, _)| *net);
                format!("{key:?} {:?} {from} {to} {:?} {peers:?}", blocked.bounds(*key), row.credit)
            })
            .collect();
        rows.sort();
        rows
    }

    /// Few interfaces; ports and peers near and far, some of them often.
    fn records() -> impl Strategy<Value = Vec<(u32, u16, u32)>> {
        let port = prop_oneof![0_u16..40, any::<u16>()];
        let peer = prop_oneof![
            (0_u32..30).prop_map(|host| 0x0a00_0000 | host),
            (0_u32..5000).prop_map(|host| 0xcb00_7100 ^ host.wrapping_mul(0x0101)),
            any::<u32>(),
        ];
        prop::collection::vec((0_u32..6, port, peer), 0..1500)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn what_is_kept_depends_on_the_set_of_records_alone(
            records in records(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
            sweeps in 1_usize..4,
        ) {
            let mut whole = Blocked { limits: &TINY, ..Blocked::default() };
            add(&mut whole, &records);
            whole.fit();
            let expected = kept(&whole);

            let mut turned = records.clone();
            turned.reverse();
            let mut other = Blocked { limits: &TINY, ..Blocked::default() };
            for part in turned.chunks((turned.len() / sweeps).max(1)) {
                add(&mut other, part);
                other.fit();
            }
            prop_assert_eq!(&kept(&other), &expected);

            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(records.len() + 1)).collect();
            cuts.extend([0, records.len()]);
            cuts.sort_unstable();
            let mut sum = Blocked { limits: &TINY, ..Blocked::default() };
            for range in cuts.windows(2).rev() {
                let mut part = Blocked { limits: &TINY, ..Blocked::default() };
                add(&mut part, &records[range[0]..range[1]]);
                part.fit();
                sum.merge(part, &[0, 1, 2, 3, 4, 5]);
                sum.fit();
            }
            prop_assert_eq!(&kept(&sum), &expected);
            let total: u64 = whole.rows().map(|(.., row)| row.credit.records).sum();
            prop_assert_eq!(total, records.len() as u64);
        }
    }

    #[test]
    fn a_scan_of_every_port_by_millions_stays_within_bounds() {
        let mut blocked = Blocked::default();
        let mut seed = 1_u32;
        for _ in 0..40 {
            let records: Vec<_> = (0..50_000)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let port = seed >> 7;
                    (seed >> 27, u16::try_from(port & 0xffff).unwrap(), seed.wrapping_mul(0x9e37_79b9))
                })
                .collect();
            add(&mut blocked, &records);
        }
        blocked.fit();
        let (rows, peers) = LIMITS.levels[0];
        for table in blocked.tables.values() {
            assert!(table.rows.len() <= rows);
            let kept: usize =
                table.rows.values().map(|row| blocked.rows[*row as usize].peers_counted(table.rung)).sum();
            assert!(kept <= peers, "{kept}");
        }
        assert_eq!(blocked.rows().map(|(.., row)| row.credit.records).sum::<u64>(), 2_000_000);
    }
}

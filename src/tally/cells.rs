//! Credits of ACCEPTs in one dense list: by interface and by what was judged of them.
//!
//! What a record ends as is found once per situation; after that it costs two look-ups of small keys and seven sums.

use hashbrown::HashMap;

use super::UsageKey;
use super::credit::Credit;
use super::watch::Exposure;
use super::word_table::WordTable;
use crate::attribution::Basis;
use crate::attribution::judge::{Role, Verdict};
use crate::attribution::sets::SetId;

/// What records of a cell have in common besides the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    /// What was judged.
    pub(super) verdict: Verdict,
    /// The rules that fit in all but the peer.
    pub(super) near: SetId,
}

/// Number of a [`Kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KindNumber(u32);

/// Interface slot, kind and exposure, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CellKey(u64);

impl CellKey {
    /// The cell of records that were counted otherwise; what is in it counts for nothing.
    pub(super) const NONE: Self = Self(u64::MAX - 1);

    #[inline]
    pub(super) fn of(slot: u32, kind: KindNumber, exposure: Exposure) -> Self {
        Self(u64::from(slot) << 32 | u64::from(kind.0) << 8 | u64::from(exposure.code()))
    }
}

/// Kinds have 24 bits of a key; there are as many as pairs of sets of rules.
const MOST_KINDS: usize = 1 << 24;

/// Credits by interface slot, kind and exposure.
#[derive(Debug, Default)]
pub(super) struct Cells {
    known: HashMap<Kind, KindNumber>,
    kinds: Vec<Kind>,
    places: WordTable,
    credits: Vec<(CellKey, Credit)>,
}

impl Cells {
    /// The number of a kind, new or known. None: there are too many.
    pub(super) fn kind(&mut self, kind: Kind) -> Option<KindNumber> {
        if let Some(number) = self.known.get(&kind) {
            return Some(*number);
        }
        let next = KindNumber(u32::try_from(self.kinds.len()).ok()?);
        if self.kinds.len() >= MOST_KINDS {
            return None;
        }
        self.known.insert(kind, next);
        self.kinds.push(kind);
        Some(next)
    }

    /// Where the credit of a cell is.
    #[inline]
    pub(super) fn place(&mut self, key: CellKey) -> u32 {
        match self.places.get(key.0) {
            Some(place) => place,
            None => self.add(key),
        }
    }

    /// The credit at a place.
    #[inline]
    pub(super) fn at(&mut self, place: u32) -> &mut Credit {
        &mut self.credits[place as usize].1
    }

    #[cold]
    fn add(&mut self, key: CellKey) -> u32 {
        let place = u32::try_from(self.credits.len()).unwrap_or(u32::MAX);
        self.places.insert(key.0, place);
        self.credits.push((key, Credit::default()));
        place
    }

    /// All credits, with interface slot, kind and exposure.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, Kind, Exposure, &Credit)> {
        let counted = self.credits.iter().filter(|(key, _)| *key != CellKey::NONE);
        counted.map(|(key, credit)| {
            #[expect(clippy::cast_possible_truncation, reason = "its parts")]
            let (slot, kind, exposure) = ((key.0 >> 32) as u32, key.0 as u32 >> 8, key.0 as u8);
            (slot, self.kinds[kind as usize], Exposure::of_code(exposure), credit)
        })
    }
}

/// What an ACCEPT of a kind is credited to. None: to no rule.
pub(super) fn usage_key(interface: u32, verdict: Verdict, exposure: Exposure) -> Option<UsageKey> {
    let (role, forward, reply) = match verdict {
        Verdict::Decided { role: Role::Reply, set, .. } => (Role::Reply, SetId::EMPTY, set),
        Verdict::Decided { role, set, .. } => (role, set, SetId::EMPTY),
        Verdict::Undecided { forward, reply, .. } => (Role::Undecided, forward, reply),
        _ => return None,
    };
    Some(UsageKey { interface, role, forward, reply, exposure })
}

/// The role, if records of this verdict show a port as a service (line 5).
pub(super) fn shows(verdict: Verdict) -> Option<Role> {
    match verdict {
        Verdict::Decided { role, basis: Basis::TcpFlags | Basis::Rules, .. } => Some(role),
        _ => None,
    }
}

//! Credits of ACCEPTs in one dense list, by interface and by what was judged of them.
//!
//! What records of a situation end as is found once, and that kind has a number among those of its family of profiles: the
//! cell of a record is at that place among the cells of its interface's lineage, without a search.

use hashbrown::HashMap;

use super::credit::Credit;
use super::watch::Exposure;
use super::{UsageKey, unordered};
use crate::attribution::Basis;
use crate::attribution::index::{Index, LineageNumber};
use crate::attribution::judge::{Role, Verdict};
use crate::attribution::refusal::Denial;
use crate::attribution::sets::SetId;
use crate::flow::{SYN_ACK, V4Flow};

/// What records of a cell have in common besides the interface and its groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    /// What was judged.
    pub(super) verdict: Verdict,
    /// The rules that fit in all but the peer.
    pub(super) near: SetId,
    /// What the TCP flags are known to be.
    pub(super) flags: Flags,
    /// Whose traffic it is.
    pub(super) exposure: Exposure,
}

/// What is known of TCP flags, as far as credits count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Flags {
    Unknown,
    Known,
    /// SYN and ACK: somebody listens.
    SynAck,
}

impl Flags {
    pub(super) fn of(tcp_flags: Option<u8>) -> Self {
        match tcp_flags {
            None => Self::Unknown,
            Some(flags) if flags & SYN_ACK == SYN_ACK => Self::SynAck,
            Some(_) => Self::Known,
        }
    }
}

/// Number of a [`Kind`] among those of its family.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct KindNumber(u32);

/// What ACCEPTs of a kind on an interface add up to. What does not fit goes to [`Cells::spilled`].
#[derive(Debug, Clone, Copy)]
struct Cell {
    bytes: u64,
    packets: u32,
    records: u32,
    first: u32,
    last: u32,
}

impl Cell {
    const EMPTY: Self = Self { bytes: 0, packets: 0, records: 0, first: u32::MAX, last: 0 };

    /// None: it does not fit.
    #[inline(always)]
    fn add(&mut self, flow: &V4Flow) -> Option<()> {
        let packets = u64::from(self.packets) + u64::from(u32::try_from(flow.packets).ok()?);
        let packets = u32::try_from(packets).ok()?;
        let (first, last) = (u32::try_from(flow.start).ok()?, u32::try_from(flow.end).ok()?);
        self.records = self.records.checked_add(1)?;
        self.packets = packets;
        self.bytes = self.bytes.saturating_add(flow.bytes);
        self.first = self.first.min(first);
        self.last = self.last.max(last);
        Some(())
    }

    fn credit(&self, kind: Kind) -> Credit {
        let mut credit = Credit { packets: self.packets.into(), bytes: self.bytes, ..Credit::default() };
        if self.records > 0 {
            credit.span.add_times(self.first.into(), self.last.into());
        }
        credit.records = self.records.into();
        credit.with_flags = if kind.flags == Flags::Unknown { 0 } else { credit.records };
        credit.answers = if kind.flags == Flags::SynAck { credit.records } else { 0 };
        credit
    }
}

/// The cells of a lineage: one for each kind of its family, as far as they go.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    from: u32,
    len: u32,
}

/// Where a cell is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CellPlace(u32);

/// Whether a cell took a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    Yes,
    /// [`Cells::spill`] takes it.
    DoesNotFit,
}

/// The kinds of a family of profiles.
#[derive(Debug, Default)]
struct Kinds {
    numbers: HashMap<Kind, KindNumber>,
    all: Vec<Kind>,
}

/// So many cells are kept for each interface, at first: those of runs that are over would only push the others out of the
/// caches.
const USUAL_CELLS: usize = 64;
/// So many of all together, at first, where interfaces are few.
const FEW_CELLS: usize = 1 << 14;
/// So many of all together, at most, and as many again for a short time.
const MOST_CELLS: usize = 1 << 20;
/// So many records for each cell, and it costs little to empty it; where there were fewer, more are kept from then on.
const WORTH_IT: u64 = 8;
/// The fewest cells of an interface.
const FIRST_CELLS: u32 = 4;

/// Credits by interface and kind.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// By family.
    kinds: Vec<Kinds>,
    /// By lineage.
    blocks: Vec<Block>,
    dense: Vec<Cell>,
    /// How many are too many.
    most: usize,
    /// So many on every interface are half of the most there may ever be, or enough.
    each: usize,
    /// What cells could not hold. Forged counts may come with every record, so it is summed as cells are.
    spilled: HashMap<(LineageNumber, KindNumber), Credit>,
}

impl Cells {
    /// The number of a kind in a family, new or known.
    pub(super) fn kind(&mut self, family: usize, kind: Kind) -> KindNumber {
        if self.kinds.len() <= family {
            self.kinds.resize_with(family + 1, Kinds::default);
        }
        let kinds = &mut self.kinds[family];
        let next = KindNumber(u32::try_from(kinds.all.len()).unwrap_or(u32::MAX));
        let number = *kinds.numbers.entry(kind).or_insert(next);
        if number == next {
            kinds.all.push(kind);
        }
        number
    }

    /// The kind that differs in exposure.
    pub(super) fn exposed(&mut self, family: usize, number: KindNumber, exposure: Exposure) -> KindNumber {
        let kind = self.kinds[family].all[number.0 as usize];
        self.kind(family, Kind { exposure, ..kind })
    }

    /// What was judged of the records of a kind.
    pub(super) fn verdict(&self, family: usize, number: KindNumber) -> Verdict {
        self.kinds[family].all[number.0 as usize].verdict
    }

    /// Whether they should be emptied before more are opened.
    pub(super) fn are_full(&self) -> bool {
        self.dense.len() >= self.most
    }

    /// No cells yet.
    pub(super) fn of(index: &Index) -> Self {
        let most = (index.interfaces() * USUAL_CELLS).clamp(FEW_CELLS, MOST_CELLS);
        let each = (MOST_CELLS / 2 / index.interfaces().max(1)).min(USUAL_CELLS / 2);
        Self { blocks: vec![Block::default(); index.lineages()], most, each, ..Self::default() }
    }

    /// The cell of a kind. None: there is no room for it yet.
    #[inline(always)]
    pub(super) fn place(&self, lineage: LineageNumber, kind: KindNumber) -> Option<CellPlace> {
        let block = self.blocks[lineage.index()];
        (kind.0 < block.len).then_some(CellPlace(block.from + kind.0))
    }

    /// Adds a record to the cell of its kind.
    #[inline(always)]
    pub(super) fn add(&mut self, place: CellPlace, flow: &V4Flow) -> Added {
        match self.dense[place.0 as usize].add(flow) {
            Some(()) => Added::Yes,
            None => Added::DoesNotFit,
        }
    }

    /// Moves the cells of a lineage to where there is room for this kind and others. Places known before are not
    /// theirs any more.
    #[cold]
    pub(super) fn grow(&mut self, index: &Index, lineage: LineageNumber, kind: KindNumber) -> CellPlace {
        // Interfaces of one family mostly come to the same kinds; with room for as many on each, they get them at once.
        let usual = self.kinds[index.family_of(lineage)].all.len().min(self.each);
        let usual = u32::try_from(usual).unwrap_or(FIRST_CELLS);
        let block = &mut self.blocks[lineage.index()];
        let (old, before) = (block.from as usize, block.len as usize);
        let len = usual.max(kind.0 + 1).next_power_of_two().max(FIRST_CELLS);
        *block = Block { from: u32::try_from(self.dense.len()).unwrap_or(u32::MAX), len };
        self.dense.resize(self.dense.len() + len as usize, Cell::EMPTY);
        let (used, fresh) = self.dense.split_at_mut(block.from as usize);
        fresh[..before].copy_from_slice(&used[old..old + before]);
        CellPlace(block.from + kind.0)
    }

    /// Empties a cell that is full, and takes the record by itself.
    #[cold]
    pub(super) fn spill(
        &mut self,
        index: &Index,
        lineage: LineageNumber,
        number: KindNumber,
        place: CellPlace,
        flow: &V4Flow,
    ) {
        let family = index.family_of(lineage);
        let kind = self.kinds[family].all[number.0 as usize];
        let cell = &mut self.dense[place.0 as usize];
        let mut credit = cell.credit(kind);
        credit.add_v4(flow);
        *cell = Cell::EMPTY;
        self.spilled.entry((lineage, number)).or_default().merge(&credit);
    }

    /// Hands over all credits, some in several parts, and forgets them.
    pub(super) fn empty(&mut self, index: &Index, mut credited: impl FnMut(LineageNumber, Kind, Credit)) {
        for ((lineage, number), credit) in unordered(std::mem::take(&mut self.spilled)) {
            credited(lineage, self.kinds[index.family_of(lineage)].all[number.0 as usize], credit);
        }
        let mut records = 0;
        for (block, lineage) in self.blocks.iter_mut().zip(index.all_lineages()) {
            let Block { from, len } = std::mem::take(block);
            if len == 0 {
                continue;
            }
            let cells = &self.dense[from as usize..(from + len) as usize];
            let kinds = &self.kinds[index.family_of(lineage)].all;
            for (cell, kind) in cells.iter().zip(kinds).filter(|(cell, _)| cell.records > 0) {
                records += u64::from(cell.records);
                credited(lineage, *kind, cell.credit(*kind));
            }
        }
        if records / WORTH_IT < self.dense.len() as u64 {
            self.most = (self.most * 2).min(MOST_CELLS);
        }
        self.dense.clear();
    }
}

/// The role of an ACCEPT and the sets of either reading that it is credited to. None: to no rule, or not yet.
pub(super) fn credited(verdict: Verdict) -> Option<(Role, SetId, SetId)> {
    match verdict {
        Verdict::Decided { role: Role::Reply, set, .. } => Some((Role::Reply, SetId::EMPTY, set)),
        Verdict::Decided { role, set, .. } => Some((role, set, SetId::EMPTY)),
        Verdict::Undecided { forward, reply, .. } => Some((Role::Undecided, forward, reply)),
        _ => None,
    }
}

/// What an ACCEPT of a kind is credited to. None: to no rule.
pub(super) fn usage_key(interface: u32, verdict: Verdict, exposure: Exposure) -> Option<UsageKey> {
    let (role, forward, reply) = credited(verdict)?;
    Some(UsageKey { interface, role, forward, reply, exposure })
}

/// What a record that a rule denied is credited to.
pub(super) fn denied_key(interface: u32, denied: Denial, exposure: Exposure) -> UsageKey {
    let role = if denied.surely { Role::Forward } else { Role::Undecided };
    UsageKey { interface, role, forward: denied.by, reply: SetId::EMPTY, exposure }
}

/// The role, if records of this verdict show a port as a service (line 5).
pub(super) fn shows(verdict: Verdict) -> Option<Role> {
    match verdict {
        Verdict::Decided { role, basis: Basis::TcpFlags | Basis::Rules, .. } => Some(role),
        _ => None,
    }
}

//! Atoms of IPv4 addresses by tables: three loads, whatever the address.

use hashbrown::HashMap;

use super::{Atom, Intervals};

/// The atom of IPv4 addresses in three steps, whatever the address: by their first 16 bits, the next 8, the last 8.
#[derive(Debug)]
pub(super) struct V4Table {
    /// One bit for each /16 that is not like most others: small enough to stay at hand.
    special: Vec<u64>,
    /// By the first 16 bits, for special ones: which page of `third`. Behind them all, that of the others.
    blocks: Vec<u16>,
    /// Pages of 256: by the next 8 bits, which page of `fourth`.
    third: Vec<u16>,
    /// Pages of 256: by the last 8 bits, the atom.
    fourth: Vec<u16>,
}

/// Stands for an atom where pages have run out: it must be searched.
const SEARCH: u16 = u16::MAX;
/// So many pages of either kind, half a KiB each, and those that hold a single atom.
const MOST_PAGES: usize = 1 << 14;

impl V4Table {
    /// None: more atoms than pages can name.
    pub(super) fn build(intervals: &Intervals<u32>) -> Option<Self> {
        let most = intervals.atoms.iter().map(|atom| atom.0).max().unwrap_or_default();
        if most as usize >= usize::from(SEARCH) - 2 * MOST_PAGES {
            return None;
        }
        let mut pages = Pages::default();
        let mut first = 0;
        let mut blocks = Vec::with_capacity(1 << 16);
        for block in 0..1_u32 << 16 {
            // Intervals that start in the block, and the atom at its start.
            let count = intervals.starts[first..].partition_point(|start| *start >> 16 <= block);
            let inside = first..first + count;
            first = inside.end;
            blocks.push(pages.block(block << 16, intervals, inside));
        }
        let mut counts: HashMap<u16, usize> = HashMap::new();
        for page in &blocks {
            *counts.entry(*page).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(page, count)| (*count, *page)).map_or(0, |(page, _)| page);
        let (words, _) = blocks.as_chunks::<64>();
        let bits = |word: &[u16; 64]| word.iter().rfold(0, |bits, page| bits << 1 | u64::from(*page != most));
        let special = words.iter().map(bits).collect();
        blocks.push(most);
        Some(Self { special, blocks, third: pages.third, fourth: pages.fourth })
    }

    /// None: it must be searched.
    #[inline(always)]
    pub(super) fn atom(&self, address: u32) -> Option<Atom> {
        let [_, _, third, fourth] = address.to_be_bytes();
        let block = (address >> 16) as usize;
        let special = self.special[block / 64] >> (block % 64) & 1 == 1;
        let page = usize::from(self.blocks[if special { block } else { 1 << 16 }]);
        let page = usize::from(self.third[page << 8 | usize::from(third)]);
        let atom = self.fourth[page << 8 | usize::from(fourth)];
        (atom != SEARCH).then_some(Atom(atom.into()))
    }
}

/// Pages in the making. Those that hold one atom, or one page, are made once.
#[derive(Default)]
struct Pages {
    third: Vec<u16>,
    fourth: Vec<u16>,
    third_of: HashMap<u16, u16>,
    fourth_of: HashMap<u16, u16>,
}

impl Pages {
    /// The third page of the /16 from here on; `inside` are the intervals that start in it.
    fn block(&mut self, from: u32, intervals: &Intervals<u32>, inside: std::ops::Range<usize>) -> u16 {
        let starts = &intervals.starts[inside.clone()];
        let until = |address: u32| starts.partition_point(|start| *start <= address);
        let atom_at = |address: u32| {
            let Atom(atom) = intervals.atoms[inside.start + until(address) - 1];
            u16::try_from(atom).unwrap_or(SEARCH)
        };
        let cut = starts.iter().any(|start| *start != from);
        if !cut || self.third.len() / 256 >= MOST_PAGES {
            let page = self.fourth_of(if cut { SEARCH } else { atom_at(from) });
            return page_of_one(&mut self.third, &mut self.third_of, page);
        }
        let number = |at: usize| u32::try_from(at).unwrap_or_default();
        let page = std::array::from_fn(|byte| {
            let from = from + (number(byte) << 8);
            if until(from) == until(from + 255) {
                self.fourth_of(atom_at(from))
            } else if self.fourth.len() / 256 >= MOST_PAGES {
                self.fourth_of(SEARCH)
            } else {
                add_page(&mut self.fourth, &std::array::from_fn(|last| atom_at(from + number(last))))
            }
        });
        add_page(&mut self.third, &page)
    }

    /// The page of addresses that are all of this atom.
    fn fourth_of(&mut self, atom: u16) -> u16 {
        page_of_one(&mut self.fourth, &mut self.fourth_of, atom)
    }
}

fn page_of_one(pages: &mut Vec<u16>, known: &mut HashMap<u16, u16>, value: u16) -> u16 {
    *known.entry(value).or_insert_with(|| add_page(pages, &[value; 256]))
}

/// There are at most [`MOST_PAGES`] and one for each atom, which together have numbers of 16 bits.
fn add_page(pages: &mut Vec<u16>, page: &[u16; 256]) -> u16 {
    pages.extend(page);
    u16::try_from(pages.len() / 256 - 1).unwrap_or(SEARCH)
}

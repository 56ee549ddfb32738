//! Sets of matching rules, each kept once and named by a small number.

use hashbrown::HashMap;

use super::index::Index;
use crate::rules::RuleIndex;

/// Number of a set of rules within one [`SetTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SetId(pub u32);

impl SetId {
    /// The set without rules, the same in every table.
    pub const EMPTY: Self = Self(0);
}

/// What the attribution asks of a set again and again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traits {
    /// Holds a rule for a specific service.
    pub(super) specific: bool,
    /// Holds a rule that matches surely.
    pub(super) sure: bool,
}

/// The sets met so far. Numbers differ from table to table; sets do not.
#[derive(Debug, Clone)]
pub struct SetTable {
    known: HashMap<Box<[RuleIndex]>, SetId>,
    sets: Vec<Box<[RuleIndex]>>,
    traits: Vec<Traits>,
}

impl Default for SetTable {
    fn default() -> Self {
        let empty: Box<[RuleIndex]> = Box::default();
        Self {
            known: HashMap::from_iter([(empty.clone(), SetId::EMPTY)]),
            sets: vec![empty],
            traits: vec![Traits::default()],
        }
    }
}

impl SetTable {
    /// The rules of a set, ascending.
    pub fn rules(&self, set: SetId) -> &[RuleIndex] {
        &self.sets[set.0 as usize]
    }

    pub(super) fn traits(&self, set: SetId) -> Traits {
        self.traits[set.0 as usize]
    }

    /// The number of the set of these rules, ascending and distinct.
    pub(crate) fn intern(&mut self, rules: &[RuleIndex], index: &Index) -> SetId {
        if rules.is_empty() {
            return SetId::EMPTY;
        }
        if let Some(set) = self.known.get(rules) {
            return *set;
        }
        let traits = Traits {
            specific: rules.iter().any(|rule| index.specific[rule.index()]),
            sure: rules.iter().any(|rule| !index.possible[rule.index()]),
        };
        self.insert(rules.into(), traits)
    }

    fn insert(&mut self, rules: Box<[RuleIndex]>, traits: Traits) -> SetId {
        let set = SetId(u32::try_from(self.sets.len()).unwrap_or(u32::MAX));
        self.known.insert(rules.clone(), set);
        self.sets.push(rules);
        self.traits.push(traits);
        set
    }

    /// The number of a set of rules, ascending and distinct, if it is known.
    pub(crate) fn find(&self, rules: &[RuleIndex]) -> Option<SetId> {
        self.known.get(rules).copied()
    }

    /// Takes over the sets of another table; answers what each of its numbers is here.
    pub fn merge(&mut self, other: Self) -> Vec<SetId> {
        let sets = other.sets.into_iter().zip(other.traits);
        sets.map(|(rules, traits)| match self.known.get(&rules) {
            Some(set) => *set,
            None => self.insert(rules, traits),
        })
        .collect()
    }
}

/// Sets that are kept in a state. They come without traits: nothing is judged by them any more.
impl SetTable {
    /// The number of a set of rules, ascending and distinct, that records were judged by before.
    pub(crate) fn restore(&mut self, rules: &[RuleIndex]) -> SetId {
        self.known.get(rules).copied().unwrap_or_else(|| self.insert(rules.into(), Traits::default()))
    }

    /// The same sets under the same numbers in a catalogue where each rule has the index that `moved` says, in the same
    /// order.
    pub(crate) fn renumbered(self, moved: &[RuleIndex]) -> Self {
        let sets = self.sets.into_iter().zip(self.traits);
        let mut table = Self { known: HashMap::new(), sets: Vec::new(), traits: Vec::new() };
        for (rules, traits) in sets {
            table.insert(rules.iter().map(|rule| moved[rule.index()]).collect(), traits);
        }
        table
    }
}

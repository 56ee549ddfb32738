//! Flow logs by number, as tallies name them.

use std::collections::BTreeSet;

/// The flow logs that the names of files tell, ascending, under the numbers a tally has them by; 0 is "not known".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowLogs {
    names: Vec<String>,
}

impl Default for FlowLogs {
    fn default() -> Self {
        Self::of([])
    }
}

impl FlowLogs {
    /// Numbers these ids in their order.
    pub fn of<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let ids: BTreeSet<&str> = ids.into_iter().filter(|id| !id.is_empty()).collect();
        Self { names: std::iter::once("").chain(ids).map(str::to_owned).collect() }
    }

    /// Both, numbered anew.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::of(self.ids().chain(other.ids()))
    }

    /// Adds an id that comes after all others. None: it does not.
    pub fn push(&mut self, id: &str) -> Option<()> {
        let last = self.names.last().map(String::as_str).unwrap_or_default();
        (last < id).then(|| self.names.push(id.to_owned()))
    }

    /// The ids that are known, ascending.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.names.iter().skip(1).map(String::as_str)
    }

    /// Ids by number; that of 0 is empty.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The id of a number, empty where it is not known.
    pub fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", String::as_str)
    }

    /// The number of an id; the empty id is 0.
    pub fn number(&self, id: &str) -> Option<u32> {
        let at = self.names.binary_search_by(|name| name.as_str().cmp(id)).ok()?;
        u32::try_from(at).ok()
    }

    /// The numbers of these ids, in their order, without those that are not known.
    pub fn numbers(&self, ids: &[String]) -> Vec<u32> {
        ids.iter().filter(|id| !id.is_empty()).filter_map(|id| self.number(id)).collect()
    }
}

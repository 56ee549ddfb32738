//! The sets of groups that interfaces have, and the profile that each amounts to in the present state.

use std::sync::Arc;

use hashbrown::HashMap;

use super::Profile;
use crate::rules::state::{Cloud, Interface};

/// Number of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupSetNumber(usize);

/// Every set of groups that an interface had until now.
#[derive(Debug, Default)]
pub(super) struct GroupSets {
    numbers: [HashMap<Arc<[String]>, GroupSetNumber>; 2],
    /// By number.
    all: Vec<GroupSet>,
    /// By group: the sets that have it.
    with: HashMap<String, Vec<GroupSetNumber>>,
    /// By interface number: the set that it has.
    of_interface: Vec<Option<GroupSetNumber>>,
}

#[derive(Debug)]
pub(super) struct GroupSet {
    /// Sorted, each once.
    pub(super) groups: Arc<[String]>,
    pub(super) cloud: Cloud,
    /// None: it is to be compiled.
    pub(super) profile: Option<Arc<Profile>>,
    /// The family of the last one.
    pub(super) family: Option<usize>,
    /// The interfaces that have it, and some that had it once.
    holders: Vec<usize>,
}

impl GroupSets {
    /// None yet, of so many interfaces.
    pub(super) fn of(interfaces: usize) -> Self {
        Self { of_interface: vec![None; interfaces], ..Self::default() }
    }

    /// The set that an interface has had of late.
    pub(super) fn last_of(&self, number: usize) -> Option<GroupSetNumber> {
        self.of_interface[number]
    }

    /// The set that an interface has from now on.
    pub(super) fn turn(&mut self, number: usize, interface: &Interface) -> GroupSetNumber {
        let set = self.number(interface);
        if self.of_interface[number].replace(set) != Some(set) {
            self.all[set.0].holders.push(number);
        }
        set
    }

    fn number(&mut self, interface: &Interface) -> GroupSetNumber {
        let mut groups = interface.group_ids.clone();
        groups.sort_unstable();
        groups.dedup();
        let numbers = &mut self.numbers[interface.cloud as usize];
        if let Some(known) = numbers.get(groups.as_slice()) {
            return *known;
        }
        let groups: Arc<[String]> = groups.into();
        let number = GroupSetNumber(self.all.len());
        numbers.insert(Arc::clone(&groups), number);
        for group in groups.iter() {
            self.with.entry_ref(group).or_default().push(number);
        }
        let cloud = interface.cloud;
        self.all.push(GroupSet { groups, cloud, profile: None, family: None, holders: Vec::new() });
        number
    }

    pub(super) fn get(&self, GroupSetNumber(number): GroupSetNumber) -> &GroupSet {
        &self.all[number]
    }

    /// What a set amounts to now.
    pub(super) fn put(&mut self, GroupSetNumber(number): GroupSetNumber, profile: &Arc<Profile>) {
        let set = &mut self.all[number];
        set.family = Some(profile.family);
        set.profile = Some(Arc::clone(profile));
    }

    /// Forgets the profiles of all sets that have a group; adds the interfaces that have them.
    pub(super) fn forget(&mut self, group: &str, interfaces: &mut Vec<usize>) {
        let Self { all, with, of_interface, .. } = self;
        for number in with.get(group).into_iter().flatten() {
            all[number.0].forget(*number, of_interface, interfaces);
        }
    }

    /// The same of those whose profiles are not what they were.
    pub(super) fn forget_if(&mut self, is_old: impl Fn(&Profile) -> bool, interfaces: &mut Vec<usize>) {
        for (set, number) in self.all.iter_mut().zip((0..).map(GroupSetNumber)) {
            if set.profile.as_ref().is_some_and(|profile| is_old(profile)) {
                set.forget(number, &self.of_interface, interfaces);
            }
        }
    }
}

impl GroupSet {
    fn forget(
        &mut self,
        number: GroupSetNumber,
        of_interface: &[Option<GroupSetNumber>],
        interfaces: &mut Vec<usize>,
    ) {
        self.profile = None;
        self.holders.retain(|holder| of_interface[*holder] == Some(number));
        self.holders.sort_unstable();
        self.holders.dedup();
        interfaces.extend(&self.holders);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_group_now_is_found_once_wherever_it_has_been() {
        let interface = |ids: &[&str]| Interface {
            group_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            ..Interface::default()
        };
        let mut sets = GroupSets::of(3);
        let [a, b, both] = [&["sg-a"][..], &["sg-b"], &["sg-b", "sg-a", "sg-b"]].map(interface);
        assert_eq!(sets.last_of(0), None);
        // To b and back, twice.
        let turns = [(0, &a), (0, &b), (0, &a), (1, &a), (0, &b), (0, &a), (2, &both), (1, &b), (0, &a)];
        for (number, interface) in turns {
            sets.turn(number, interface);
        }
        let found = |sets: &mut GroupSets, group: &str| {
            let mut interfaces = Vec::new();
            sets.forget(group, &mut interfaces);
            interfaces
        };
        for (group, interfaces) in [("sg-a", vec![0, 2]), ("sg-b", vec![1, 2]), ("sg-c", vec![])] {
            assert_eq!(found(&mut sets, group), interfaces, "{group}");
        }
        let set = sets.turn(2, &interface(&["sg-a", "sg-b"]));
        let profile = Arc::new(Profile { family: 7, ..Profile::default() });
        sets.put(set, &profile);
        assert!(sets.get(set).profile.is_some());
        assert_eq!(found(&mut sets, "sg-b"), [1, 2]);
        assert!(sets.get(set).profile.is_none());
        assert_eq!(sets.get(set).family, Some(7));
    }
}

//! Profiles that took each other's place: a rule more or less, and most records are judged as they were before.
//!
//! What records end as is counted by kinds, and kinds have numbers among those of a family. So a change of one rule opens
//! no new counters, and what is counted before it and after it stays together in memory.

/// So many profiles are a family, at most.
const MOST_MEMBERS: usize = 32;
/// So many times interfaces, at most: the kinds of a family add up, and each may have a counter on each interface.
const ROOM: usize = 1 << 13;

/// Families in the making.
#[derive(Debug)]
pub(super) struct Families {
    most_members: usize,
    /// By number.
    all: Vec<Family>,
}

#[derive(Debug, Clone, Copy)]
struct Family {
    members: usize,
    /// The family that takes in what follows on this one's profiles, when it is full.
    next: usize,
}

impl Families {
    /// None yet, of profiles on so many interfaces.
    pub(super) fn of(interfaces: usize) -> Self {
        Self { most_members: (ROOM / interfaces.max(1)).clamp(1, MOST_MEMBERS), all: Vec::new() }
    }

    /// The family of a new profile, which takes the place of one of the family `before`.
    pub(super) fn join(&mut self, before: Option<usize>) -> usize {
        let new = self.all.len();
        let newest = before.map(|before| self.newest(before));
        if let Some(newest) = newest
            && self.all[newest].members < self.most_members
        {
            self.all[newest].members += 1;
            return newest;
        }
        self.all.push(Family { members: 1, next: new });
        for full in [before, newest].into_iter().flatten() {
            self.all[full].next = new;
        }
        new
    }

    fn newest(&self, mut family: usize) -> usize {
        while self.all[family].next != family {
            family = self.all[family].next;
        }
        family
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_that_is_full_is_followed_by_another() {
        let mut families = Families::of(500);
        let full = families.most_members;
        let first = families.join(None);
        let other = families.join(None);
        assert_ne!(first, other);
        let joined: Vec<usize> = (0..3 * full).map(|_| families.join(Some(first))).collect();
        assert!(joined[..full - 1].iter().all(|family| *family == first));
        assert!(joined.chunk_by(PartialEq::eq).skip(1).all(|chunk| chunk.len() <= full));
        assert_eq!(joined.chunk_by(PartialEq::eq).count(), 4);
        assert_eq!(families.join(Some(other)), other);
    }

    #[test]
    fn where_interfaces_are_many_profiles_are_counted_by_themselves() {
        for (interfaces, most) in [(0, 32), (1, 32), (500, 16), (1000, 8), (8192, 1), (20_000, 1)] {
            let mut families = Families::of(interfaces);
            let first = families.join(None);
            let alike = (1..100).take_while(|_| families.join(Some(first)) == first).count() + 1;
            assert_eq!(alike, most, "{interfaces}");
        }
    }
}

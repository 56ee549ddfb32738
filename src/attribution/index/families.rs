//! Profiles that took each other's place: a rule more or less, and most records are judged as they were before.
//!
//! What records end as is counted by kinds, and kinds have numbers among those of a family. So a change of one rule opens
//! no new counters, and what is counted before it and after it stays together in memory.

/// So many profiles are a family, at most: their kinds add up, and each has a counter on each interface that comes to it.
const MOST_MEMBERS: u32 = 32;

/// Families in the making.
#[derive(Debug, Default)]
pub(super) struct Families {
    /// By number.
    all: Vec<Family>,
}

#[derive(Debug, Clone, Copy)]
struct Family {
    members: u32,
    /// The family that takes in what follows on this one's profiles, when it is full.
    next: usize,
}

impl Families {
    /// The family of a new profile, which takes the place of one of the family `before`.
    pub(super) fn join(&mut self, before: Option<usize>) -> usize {
        let new = self.all.len();
        let newest = before.map(|before| self.newest(before));
        if let Some(newest) = newest
            && self.all[newest].members < MOST_MEMBERS
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
        let mut families = Families::default();
        let first = families.join(None);
        let other = families.join(None);
        assert_ne!(first, other);
        let joined: Vec<usize> = (0..3 * MOST_MEMBERS).map(|_| families.join(Some(first))).collect();
        let full = MOST_MEMBERS as usize;
        assert!(joined[..full - 1].iter().all(|family| *family == first));
        assert!(joined.chunk_by(PartialEq::eq).skip(1).all(|chunk| chunk.len() <= full));
        assert_eq!(joined.chunk_by(PartialEq::eq).count(), 4);
        assert_eq!(families.join(Some(other)), other);
    }
}

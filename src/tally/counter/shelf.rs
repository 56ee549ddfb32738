//! Records in order of their interfaces.
//!
//! What is kept of thousands of interfaces is too much for the processor's caches: every record would wait for memory
//! several times. In order of interfaces, those of one wait together. Which comes first makes no difference to any tally.

use crate::attribution::situation::SIDE_BY_SIDE;
use crate::flow::V4Record;

/// So many records are put in order at once: several of each of tens of thousands of interfaces, and some ten megabytes.
pub(super) const ROOM: usize = 1 << 17;

/// Room to put records in order.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// By interface number: where its next record goes.
    next: Vec<u32>,
    /// Places of records, in order of their interfaces.
    order: Vec<u32>,
    together: Vec<V4Record>,
}

impl Shelf {
    /// Hands over records in order of their interfaces, [`SIDE_BY_SIDE`] at a time. Interfaces have numbers below `most`.
    pub(super) fn by_interface(
        &mut self,
        records: &[V4Record],
        most: usize,
        mut hand_over: impl FnMut(&[V4Record]),
    ) {
        let interface = |record: &V4Record| record.interface.0 as usize;
        self.next.clear();
        self.next.resize(most + 1, 0);
        for record in records {
            self.next[interface(record) + 1] += 1;
        }
        let mut sum = 0;
        for next in &mut self.next {
            sum += *next;
            *next = sum;
        }
        self.order.clear();
        self.order.resize(records.len(), 0);
        for (record, place) in records.iter().zip(0..) {
            let next = &mut self.next[interface(record)];
            self.order[*next as usize] = place;
            *next += 1;
        }
        for places in self.order.chunks(SIDE_BY_SIDE) {
            self.together.clear();
            self.together.extend(places.iter().map(|place| records[*place as usize]));
            hand_over(&self.together);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::InterfaceHandle;

    #[test]
    fn every_record_comes_once_and_those_of_an_interface_come_together() {
        let records: Vec<V4Record> = (0..1_000_u32)
            .map(|at| {
                let mut record = V4Record::BLANK;
                record.interface = InterfaceHandle(at.wrapping_mul(7_919) % 37);
                record.flow.bytes = at.into();
                record
            })
            .collect();
        let mut shelf = Shelf::default();
        for part in [&records[..], &records[..65], &records[..1], &[]] {
            let mut handed = Vec::new();
            shelf.by_interface(part, 37, |together| {
                assert!((1..=SIDE_BY_SIDE).contains(&together.len()));
                handed.extend(together.iter().map(|record| (record.interface.0, record.flow.bytes)));
            });
            let mut expected: Vec<_> =
                part.iter().map(|record| (record.interface.0, record.flow.bytes)).collect();
            expected.sort_unstable();
            assert_eq!(handed, expected);
        }
    }
}

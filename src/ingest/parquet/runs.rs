//! The hybrid of runs and packed bits in which Parquet writes dictionary keys and definition levels.

/// Reads keys from a page, which is handed in with every call.
#[derive(Debug, Clone)]
pub(super) struct Runs {
    /// The next run starts here.
    at: usize,
    /// The byte after the last run.
    end: usize,
    /// Bits of a key.
    width: usize,
    run: Run,
    /// Keys left in this run.
    left: usize,
}

#[derive(Debug, Clone, Copy)]
enum Run {
    /// One key again and again.
    Repeated(u32),
    /// Keys bit by bit from the byte `start` on; so many have been read.
    Packed { start: usize, read: usize },
}

/// Eight keys of 32 bits, and as much behind them as a word reaches over.
const WINDOW: usize = 40;

impl Runs {
    /// The keys in these bytes of a page. None: no key has so many bits.
    pub(super) fn new(at: usize, end: usize, width: u8) -> Option<Self> {
        (width <= 32).then_some(Self { at, end, width: width.into(), run: Run::Repeated(0), left: 0 })
    }

    /// Reads the next keys, as many as `out` takes. None: there are not so many.
    pub(super) fn read(&mut self, page: &[u8], mut out: &mut [u32]) -> Option<()> {
        while !out.is_empty() {
            if self.left == 0 {
                self.next_run(page)?;
                continue;
            }
            let (now, later) = out.split_at_mut(self.left.min(out.len()));
            match &mut self.run {
                Run::Repeated(key) => now.fill(*key),
                Run::Packed { start, read } => {
                    unpack(page, *start, *read, self.width, now);
                    *read += now.len();
                }
            }
            self.left -= now.len();
            out = later;
        }
        Some(())
    }

    fn next_run(&mut self, page: &[u8]) -> Option<()> {
        let page = page.get(..self.end)?;
        let header = varint(page, &mut self.at)?;
        if header & 1 == 0 {
            let bytes = page.get(self.at..)?.get(..self.width.div_ceil(8))?;
            let key = bytes.iter().rev().fold(0, |key, byte| key << 8 | u32::from(*byte));
            self.at += bytes.len();
            self.run = Run::Repeated(key);
            self.left = usize::try_from(header >> 1).ok()?;
            return Some(());
        }
        // Eight keys take as many bytes as one has bits. The last ones may have been cut off with nothing in them.
        let keys = usize::try_from(header >> 1).ok()?.checked_mul(8)?;
        let stored = page.len() - self.at;
        let keys = (stored * 8).checked_div(self.width).map_or(keys, |most| keys.min(most));
        self.run = Run::Packed { start: self.at, read: 0 };
        self.at += (keys * self.width).div_ceil(8);
        self.left = keys;
        Some(())
    }
}

fn varint(page: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let byte = *page.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Unpacks the keys from the `first` on of those that start at byte `start`.
fn unpack(page: &[u8], start: usize, first: usize, width: usize, out: &mut [u32]) {
    let mask = (1_u64 << width) - 1;
    let ahead = (8 - first % 8) % 8;
    let (head, rest) = out.split_at_mut(ahead.min(out.len()));
    let mut at = start + first / 8 * width;
    if !head.is_empty() {
        let group = group(page, at, width, mask);
        for (key, out) in group[first % 8..].iter().zip(head) {
            *out = *key;
        }
        at += width;
    }
    let (groups, tail) = rest.as_chunks_mut::<8>();
    for out in groups {
        *out = group(page, at, width, mask);
        at += width;
    }
    if !tail.is_empty() {
        tail.copy_from_slice(&group(page, at, width, mask)[..tail.len()]);
    }
}

/// Eight keys; those behind the end of the page are zero.
#[inline]
fn group(page: &[u8], at: usize, width: usize, mask: u64) -> [u32; 8] {
    let bytes = page.get(at..).unwrap_or_default();
    let mut short = [0; WINDOW];
    let window = bytes.first_chunk::<WINDOW>().unwrap_or_else(|| {
        short[..bytes.len()].copy_from_slice(bytes);
        &short
    });
    let mut keys = [0; 8];
    for (index, key) in keys.iter_mut().enumerate() {
        let bit = index * width;
        // The remainder is never another one: it only says so to the compiler.
        let from = bit / 8 % 32;
        let word = u64::from_le_bytes(*window[from..from + 8].first_chunk().unwrap_or(&[0; 8]));
        #[expect(clippy::cast_possible_truncation, reason = "the mask has at most 32 bits")]
        let bits = (word >> (bit % 8) & mask) as u32;
        *key = bits;
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The keys bit by bit.
    fn slow(page: &[u8], width: usize, count: usize) -> Vec<u32> {
        let bit = |at: usize| u32::from(page[at / 8] >> (at % 8) & 1);
        (0..count)
            .map(|index| (0..width).fold(0, |key, place| key | bit(index * width + place) << place))
            .collect()
    }

    proptest! {
        #[test]
        fn packed_keys_are_what_their_bits_say(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            width in 1_u8..=32,
            steps in proptest::collection::vec(1_usize..40, 1..20),
        ) {
            let groups = bytes.len() / usize::from(width);
            prop_assume!(groups > 0 && groups < 64);
            let header = u8::try_from(groups << 1 | 1).unwrap();
            let page = [&[header][..], &bytes].concat();
            let expected = slow(&bytes, width.into(), groups * 8);
            let mut runs = Runs::new(0, page.len(), width).unwrap();
            let mut keys = Vec::new();
            for step in steps {
                let mut out = vec![0; step.min(expected.len() - keys.len())];
                runs.read(&page, &mut out).unwrap();
                keys.extend(out);
            }
            prop_assert_eq!(&keys[..], &expected[..keys.len()]);
        }

        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..60), width in 0_u8..=32, count in 0_usize..300) {
            let mut runs = Runs::new(0, bytes.len(), width).unwrap();
            let mut out = vec![0; count];
            // A run may be as long as it likes: only its bytes are there.
            for _ in 0..100 {
                let _ = runs.read(&bytes, &mut out);
                prop_assert!(runs.at <= bytes.len());
            }
        }
    }

    #[test]
    fn runs_repeat_their_key() {
        let page = [6, 0x34, 0x12, 4, 0x78, 0x56];
        let mut runs = Runs::new(0, page.len(), 16).unwrap();
        let mut out = [0; 5];
        runs.read(&page, &mut out).unwrap();
        assert_eq!(out, [0x1234, 0x1234, 0x1234, 0x5678, 0x5678]);
        assert_eq!(runs.read(&page, &mut out), None);
        assert!(Runs::new(0, 0, 33).is_none());
    }
}

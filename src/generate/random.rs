//! The random numbers of the sample.
//!
//! Our own `SplitMix64` and not a crate: a crate may change its streams between releases, and then the same seed
//! would no longer give the same files. These few lines must never change for that reason.
//!
//! Every story draws from a stream of its own, named after it, so that a new story leaves the old ones as they were.

/// A stream of random numbers.
pub(crate) struct Random(u64);

impl Random {
    /// The stream of this name under this seed.
    pub(crate) fn new(seed: u64, stream: &str) -> Self {
        // FNV-1a of the name, so that the streams of one seed start far apart.
        let name = stream.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut random = Self(seed ^ name);
        random.next();
        random
    }

    /// The next 64 bits.
    ///
    /// Source: Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014), figure 17.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number from `low` to `high`, both included. The bias of the remainder is far below what anybody could see.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        let span = u64::from(high.saturating_sub(low)) + 1;
        let offset = u32::try_from(self.next() % span).unwrap_or(0);
        low + offset
    }

    /// The same as a count or a time.
    pub(crate) fn range(&mut self, low: u32, high: u32) -> i64 {
        i64::from(self.between(low, high))
    }

    /// The same as a byte of an address.
    pub(crate) fn byte(&mut self, low: u8, high: u8) -> u8 {
        u8::try_from(self.between(u32::from(low), u32::from(high))).unwrap_or(high)
    }

    /// A client port, from the range Linux takes them from.
    pub(crate) fn port(&mut self) -> u16 {
        u16::try_from(self.between(32_768, 60_999)).unwrap_or(u16::MAX)
    }

    /// True this often.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of these, which must be at least one.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let last = u32::try_from(choices.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let index = usize::try_from(self.between(0, last)).unwrap_or(0);
        choices[index]
    }

    /// This many hex digits, at most 32.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        let mut text = format!("{:016x}{:016x}", self.next(), self.next());
        text.truncate(digits);
        text
    }

    /// An AWS id: the prefix and 17 hex digits, the first of them 0 as on every id AWS gives out today.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}-0{}", self.hex(16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_splitmix64() {
        // The first outputs for this state that the reference program in C prints.
        let mut random = Random(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn streams_never_change() {
        let mut random = Random::new(42, "web");
        let drawn: Vec<String> = (0..3).map(|_| random.hex(16)).collect();
        assert_eq!(drawn, ["75afd1b3608b8e5f", "74693b0e071fffe3", "587883b3b83bcf10"]);
    }

    #[test]
    fn both_ends_of_a_range_are_drawn() {
        let mut random = Random::new(1, "ends");
        let drawn: Vec<u32> = (0..200).map(|_| random.between(3, 5)).collect();
        assert!((3..=5).all(|number| drawn.contains(&number)));
        assert!(drawn.iter().all(|number| (3..=5).contains(number)));
    }
}

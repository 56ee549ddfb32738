//! Decimal numbers in a few instructions, eight digits at a time.

/// The number that the last bytes of these eight spell, so many as `length` says.
#[inline(always)]
pub(super) fn digits(word: u64, length: usize, bad: &mut u64) -> u64 {
    // The last byte is the highest; those in front of the number become zeros, as leading digits would be.
    let digits = (word ^ 0x3030_3030_3030_3030) & u64::MAX << ((64 - 8 * length) & 63);
    *bad |= (digits.wrapping_add(0x0606_0606_0606_0606) | digits) & 0xf0f0_f0f0_f0f0_f0f0;
    // Neighbours are joined: eight digits to four pairs, two fours, one number.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff
}

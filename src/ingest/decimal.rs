//! Decimal numbers in a few instructions, eight digits at a time, or four numbers side by side.

use wide::bytemuck::cast;
use wide::{i16x8, i32x8, u8x16, u16x8};

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

/// Two numbers of up to eight digits in the last bytes of their words: as digits, zeros in front. The distances are those
/// between what stands before and behind: one more than the lengths.
#[inline(always)]
pub(super) fn two(words: [u64; 2], distances: [usize; 2]) -> u8x16 {
    let masks = distances.map(|distance| LAST_BYTES[distance % 16]);
    eight_each(words) & cast::<_, u8x16>(masks)
}

/// Two numbers of eight digits, as digits.
#[inline(always)]
pub(super) fn eight_each(words: [u64; 2]) -> u8x16 {
    cast::<_, u8x16>(words) - u8x16::splat(b'0')
}

/// One bit per byte that is no digit.
#[inline(always)]
pub(super) fn no_digits(digits: u8x16) -> u32 {
    // Ten and more come to lie above 127, and stay there.
    digits.saturating_add(u8x16::splat(0x80 - 10)).to_bitmask()
}

/// What the digits of two times two numbers stand for.
#[inline(always)]
pub(super) fn values(first: u8x16, second: u8x16) -> [u32; 4] {
    // Neighbours are joined: sixteen digits to eight pairs, four fours, two numbers.
    let fours = |digits: u8x16| {
        let digits = cast::<_, u16x8>(digits);
        // A pair is the upper byte of ten times the first digit, moved up, and both as they are.
        let pairs = (digits * u16x8::splat(10 << 8) + digits) >> 8;
        cast::<_, i16x8>(pairs).dot(i16x8::new([100, 1, 100, 1, 100, 1, 100, 1]))
    };
    let fours = i16x8::from_i32x8_saturate(cast::<_, i32x8>([fours(first), fours(second)]));
    cast(fours.dot(i16x8::new([10_000, 1, 10_000, 1, 10_000, 1, 10_000, 1])))
}

/// The bytes of a word that lie within a distance. Of more than eight digits the last eight are looked at.
const LAST_BYTES: [u64; 16] = {
    let mut masks = [u64::MAX; 16];
    let mut distance = 2;
    while distance < 9 {
        masks[distance] = u64::MAX << (72 - 8 * distance);
        distance += 1;
    }
    masks
};

#[cfg(test)]
mod tests {
    use super::*;

    fn word(number: u64, before: u8) -> (u64, usize) {
        let text = number.to_string();
        let mut bytes = [before; 8];
        bytes[8 - text.len()..].copy_from_slice(text.as_bytes());
        (u64::from_le_bytes(bytes), text.len())
    }

    #[test]
    fn four_numbers_of_any_length_whatever_stands_before_them() {
        let numbers: Vec<u64> = (0..8_u32)
            .flat_map(|power| [10_u64.pow(power), 10_u64.pow(power + 1) - 1, 12_345_678 / 10_u64.pow(power)])
            .collect();
        for (at, number) in numbers.iter().enumerate() {
            for before in [b' ', b'9', 0, 0xff] {
                let four = [*number, numbers[at / 2], numbers[at / 3], numbers[numbers.len() - 1 - at]];
                let words = four.map(|number| word(number, before));
                let first = two([words[0].0, words[1].0], [words[0].1 + 1, words[1].1 + 1]);
                let second = two([words[2].0, words[3].0], [words[2].1 + 1, words[3].1 + 1]);
                assert_eq!((no_digits(first), no_digits(second)), (0, 0), "{four:?}");
                assert_eq!(values(first, second).map(u64::from), four);
            }
        }
    }

    #[test]
    fn every_byte_that_is_no_digit_is_told() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                let mut bytes = *b"12345678";
                bytes[at] = byte;
                let words = [u64::from_le_bytes(bytes), 0x3030_3030_3030_3030];
                let expected = if byte.is_ascii_digit() { 0 } else { 1 << at };
                assert_eq!(no_digits(eight_each(words)), expected, "{byte} {at}");
                // In front of the number it does not matter.
                let shorter = two(words, [(8 - at).max(2), 9]);
                assert!(at == 7 || no_digits(shorter) == 0, "{byte} {at}");
            }
        }
    }
}

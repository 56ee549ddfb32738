//! Which of sixteen bytes are separators or dots, as bits, the first byte lowest.

use wide::{i8x16, u8x16};

/// One bit per byte that is at most this one.
#[inline(always)]
pub(super) fn at_most(bytes: &[u8; 16], most: u8) -> u64 {
    let bytes = u8x16::new(*bytes);
    u64::from(bytes.min(u8x16::splat(most)).simd_eq(bytes).to_bitmask())
}

/// One bit per space, and one per byte that is a space, below it, or not ASCII.
#[inline(always)]
pub(super) fn spaces_and_separators(bytes: &[u8; 16]) -> (u64, u64) {
    // With a sign, what is not ASCII is below zero.
    let bytes = i8x16::new(bytes.map(u8::cast_signed));
    let spaces = bytes.simd_eq(i8x16::splat(b' '.cast_signed()));
    let separators = i8x16::splat(b'!'.cast_signed()).simd_gt(bytes);
    (u64::from(spaces.to_bitmask()), u64::from(separators.to_bitmask()))
}

/// One bit per dot.
#[inline(always)]
pub(super) fn dots(bytes: &[u8; 16]) -> u32 {
    u8x16::new(*bytes).simd_eq(u8x16::splat(b'.')).to_bitmask()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_at_every_place() {
        for byte in 0..=u8::MAX {
            for at in 0..16 {
                for filler in [b'x', 0xff, b'0'] {
                    let mut bytes = [filler; 16];
                    bytes[at] = byte;
                    let expected = |is: fn(u8) -> bool| {
                        bytes.iter().rev().fold(0_u64, |mask, byte| mask << 1 | u64::from(is(*byte)))
                    };
                    assert_eq!(at_most(&bytes, b' '), expected(|byte| byte <= b' '), "{byte} at {at}");
                    let (spaces, separators) = spaces_and_separators(&bytes);
                    assert_eq!(spaces, expected(|byte| byte == b' '), "{byte} at {at}");
                    assert_eq!(separators, expected(|byte| byte <= b' ' || byte > 127), "{byte} at {at}");
                    assert_eq!(u64::from(dots(&bytes)), expected(|byte| byte == b'.'), "{byte} at {at}");
                }
            }
        }
    }
}

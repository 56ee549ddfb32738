//! IPv4 addresses in a few instructions, for those who have the bytes around them at hand.

use super::byte_masks;

/// Four bytes before the address and sixteen from its first one on.
pub(super) const WINDOW: usize = BEFORE + 16;
const BEFORE: usize = 4;

/// The address of this length. Wrong where it is none, and then `bad` is not zero.
#[inline(always)]
pub(super) fn address(window: &[u8; WINDOW], length: usize, bad: &mut u64) -> u32 {
    let text = window.last_chunk().unwrap_or(&[0; 16]);
    let dots = byte_masks::dots(text) & !(u32::MAX << (length & 15));
    let rest = dots & dots.wrapping_sub(1);
    let last = rest & rest.wrapping_sub(1);
    // Three dots, and no more than fifteen bytes.
    let wrong = (last == 0) | (last & last.wrapping_sub(1) != 0) | (length > 15);
    *bad |= u64::from(wrong);
    let place = |bit: u32| bit.trailing_zeros() as usize % 16;
    let (first, second, third) = (place(dots), place(rest), place(last));
    let part = |from: usize, to: usize, bad: &mut u64| {
        // The four bytes up to the end of the octet: the window starts four before the address.
        let bytes = window[to..to + BEFORE].first_chunk().unwrap_or(&[0; BEFORE]);
        octet(u32::from_le_bytes(*bytes), to.wrapping_sub(from), bad)
    };
    let high = part(0, first, bad) << 8 | part(first + 1, second, bad);
    let low = part(second + 1, third, bad) << 8 | part(third + 1, length & 15, bad);
    high << 16 | low
}

/// The octet that the last one to three bytes of these four spell, without a leading zero.
#[inline(always)]
pub(super) fn octet(word: u32, length: usize, bad: &mut u64) -> u32 {
    let text = word & u32::MAX << ((32 - 8 * (length & 3)) & 31);
    // The hundreds ten times the tens ten times the ones: one multiplication shifts and adds all three. Whether that is
    // what was written shows when it is written again.
    let octet = (text & 0x0f0f_0f0f).wrapping_mul(0x64_0a01) >> 24;
    *bad |= u64::from(text ^ WRITTEN[octet as usize]) | (length >> 2) as u64;
    octet
}

/// Every octet as text in the last bytes of a word.
const WRITTEN: [u32; 256] = {
    let mut written = [0; 256];
    let mut octet = 0_u32;
    while octet < 256 {
        let (hundreds, tens, ones) = (octet / 100, octet / 10 % 10, octet % 10);
        let mut text = (0x30 + ones) << 24;
        if octet >= 10 {
            text |= (0x30 + tens) << 16;
        }
        if octet >= 100 {
            text |= (0x30 + hundreds) << 8;
        }
        written[octet as usize] = text;
        octet += 1;
    }
    written
};

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn addresses_are_those_that_std_reads_whatever_stands_around_them() {
        let cases = [
            "10.0.0.1",
            "255.255.255.255",
            "0.0.0.0",
            "1.2.3.4",
            "256.0.0.1",
            "1.2.3",
            "1.2.3.4.5",
            "1..2.3",
            ".1.2.3",
            "1.2.3.",
            "01.2.3.4",
            "00.0.0.0",
            "1.2.3.0004",
            "1.2.3.999",
            "1.2.3.4 ",
            "",
            "-",
            "::",
            "2001:db8::1",
            "1234.1.1.1",
            "1.2.3.-4",
            "...",
            "1.2.3.4567",
            "255.255.255.2555",
            "2555.255.255.255",
            "1.2.3.4\0",
        ];
        for text in cases {
            for around in [b'0', b'.', b'9', 0, 0xff] {
                let mut window = [around; WINDOW];
                for (byte, place) in text.bytes().zip(&mut window[BEFORE..]) {
                    *place = byte;
                }
                let mut bad = 0;
                let found = address(&window, text.len(), &mut bad);
                let expected = text.parse::<Ipv4Addr>().ok().map(u32::from);
                assert_eq!((bad == 0).then_some(found), expected, "{text} {around}");
            }
        }
    }
}

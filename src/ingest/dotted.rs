//! IPv4 addresses in a few instructions, for those who have the bytes around them at hand.

use super::byte_masks;

/// Four bytes before the address, and as many from its first one on as the places of dots may seem to be.
pub(super) const WINDOW: usize = BEFORE + 32;
/// Those before the address.
pub(super) const BEFORE: usize = 4;

/// The address of this length, among whose bytes is no NUL. Wrong where it is none, and then `bad` is not zero.
#[inline(always)]
pub(super) fn address(window: &[u8; WINDOW], length: usize, bad: &mut u64) -> u32 {
    let text = window[BEFORE..].first_chunk().unwrap_or(&[0; 16]);
    let dots = byte_masks::dots(text);
    let rest = dots & dots.wrapping_sub(1);
    let last = rest & rest.wrapping_sub(1);
    // A dot that is not there or behind the address, and one too many, are not looked for: the octets that it ends and
    // starts then have no length that octets have, or hold a dot. Only a length of sixteen and more would look shorter.
    let place = |bit: u32| bit.trailing_zeros() as usize;
    let (first, second, third) = (place(dots), place(rest), place(last));
    let part = |end: usize, distance: usize| {
        // The four bytes up to the end of the octet: the window starts four before the address.
        let bytes = window[end..end + BEFORE].first_chunk().unwrap_or(&[0; BEFORE]);
        octet(u32::from_le_bytes(*bytes), distance)
    };
    let high = (part(first, first + 1), part(second, second.wrapping_sub(first)));
    let low = (part(third, third.wrapping_sub(second)), part(length % 16, length.wrapping_sub(third)));
    *bad |= u64::from((high.0 | high.1 | low.0 | low.1) >> 8) | (length / 16) as u64;
    (high.0 << 8 | high.1) << 16 | low.0 << 8 | low.1
}

/// The octet that the last one to three bytes of these four spell, without a leading zero; more than 255 if they do not
/// spell one. The distance is that between what stands before and behind: one more than the length. A NUL in front of the
/// octet would not be seen.
#[inline(always)]
pub(super) fn octet(word: u32, distance: usize) -> u32 {
    let text = word & LAST_BYTES[distance % 16];
    // What was written and what it stands for are looked up together: the octet stands in the byte that no text fills.
    text ^ OCTETS[place_of(text)]
}

/// The bytes of a word that lie within a distance: up to three. Other distances leave nothing, which is no octet.
const LAST_BYTES: [u32; 16] = {
    let mut masks = [0; 16];
    (masks[2], masks[3], masks[4]) = (0xff00_0000, 0xffff_0000, 0xffff_ff00);
    masks
};

/// A multiplication that gives each of the 256 texts a place of its own; found by trying.
#[inline(always)]
const fn place_of(text: u32) -> usize {
    (text.wrapping_mul(0x3a4d_49f0) >> 23) as usize
}

/// Every octet as text in the last three bytes of a word, and as number in the first.
const OCTETS: [u32; 512] = {
    // Zero stands wherever nothing else does: there, no text is equal to it, as its own place is another one.
    let mut octets = [written(0); 512];
    let mut octet = 1;
    while octet < 256 {
        let place = place_of(written(octet) & !0xff);
        assert!(octets[place] == written(0) && place != place_of(written(0)), "two octets at one place");
        octets[place] = written(octet);
        octet += 1;
    }
    octets
};

const fn written(octet: u32) -> u32 {
    let (hundreds, tens, ones) = (octet / 100, octet / 10 % 10, octet % 10);
    let mut word = (0x30 + ones) << 24 | octet;
    if octet >= 10 {
        word |= (0x30 + tens) << 16;
    }
    if octet >= 100 {
        word |= (0x30 + hundreds) << 8;
    }
    word
}

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
            "1.2.3.4\x01",
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

    #[test]
    fn octets_are_those_that_std_reads() {
        let bytes = *b"0123456789.:/- x\x01\x10\x80\xb1\xff";
        for first in bytes {
            for second in bytes {
                for third in bytes {
                    for fourth in bytes {
                        let text = [first, second, third, fourth];
                        for length in 0..=4 {
                            let spelled = str::from_utf8(&text[4 - length..]).ok();
                            let expected = spelled
                                .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
                                .filter(|text| *text == "0" || !text.starts_with('0'))
                                .and_then(|text| text.parse::<u8>().ok());
                            let found = u8::try_from(octet(u32::from_le_bytes(text), length + 1)).ok();
                            assert_eq!(found, expected, "{text:?} {length}");
                        }
                    }
                }
            }
        }
        for distance in (5..17).chain([0, 1]) {
            assert!(octet(u32::from_le_bytes(*b"1111"), distance) > 255, "{distance}");
        }
    }
}

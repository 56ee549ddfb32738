//! How much of the internet an address range takes in: exact arithmetic on the global unicast space of a family.
//!
//! A [`Public`] is the part of some ranges that lies in that space, so a rule for 10.0.0.0/8 has none of it and a rule
//! for 0.0.0.0/0 has all of it. Unions add up: 0.0.0.0/1 and 128.0.0.0/1 are the whole internet.

mod addresses;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use ipnet::IpNet;

pub use addresses::Addresses;

/// First and last address, as numbers.
type Range = (u128, u128);

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// As evidence and ids write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }

    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// A public range with a shorter prefix is wide.
    pub fn wide_prefix(self) -> u8 {
        match self {
            Self::V4 => 24,
            Self::V6 => 48,
        }
    }

    fn unicast(self) -> &'static [Range] {
        match self {
            Self::V4 => &UNICAST_V4,
            Self::V6 => &UNICAST_V6,
        }
    }

    /// Addresses in a range of [`Family::wide_prefix`].
    fn narrow_size(self) -> u128 {
        match self {
            Self::V4 => 1 << (32 - 24),
            Self::V6 => 1 << (128 - 48),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// IPv4 ranges that are not global unicast, ascending.
///
/// Source: <https://www.iana.org/assignments/iana-ipv4-special-registry>.
const SPECIAL_V4: [([u8; 4], u8); 14] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// The blocks of RFC 1918.
const PRIVATE_V4: [(&str, [u8; 4], u8); 3] = [
    ("10.0.0.0/8", [10, 0, 0, 0], 8),
    ("172.16.0.0/12", [172, 16, 0, 0], 12),
    ("192.168.0.0/16", [192, 168, 0, 0], 16),
];

static UNICAST_V4: LazyLock<Vec<Range>> = LazyLock::new(|| {
    let mut unicast = Vec::new();
    let mut next = 0;
    for (octets, prefix) in SPECIAL_V4 {
        let (first, last) = range_v4(octets, prefix);
        if first > next {
            unicast.push((next, first - 1));
        }
        next = last + 1;
    }
    if next <= u128::from(u32::MAX) {
        unicast.push((next, u32::MAX.into()));
    }
    unicast
});

/// `2000::/3`.
const UNICAST_V6: [Range; 1] = [(0x2 << 124, (0x4 << 124) - 1)];

fn range_v4(octets: [u8; 4], prefix: u8) -> Range {
    let first = u32::from_be_bytes(octets);
    let size = 1_u128 << (32 - prefix);
    (first.into(), u128::from(first) + size - 1)
}

fn range(net: &IpNet) -> Range {
    match net {
        IpNet::V4(net) => (number_v4(net.network()), number_v4(net.broadcast())),
        IpNet::V6(net) => (net.network().to_bits(), net.broadcast().to_bits()),
    }
}

fn number_v4(address: Ipv4Addr) -> u128 {
    address.to_bits().into()
}

/// Ascending, disjoint and not adjacent.
fn merged(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// The overlaps of two ascending, disjoint lists.
fn intersection(a: &[Range], b: &[Range]) -> Vec<Range> {
    let (mut i, mut j) = (0, 0);
    let mut both = Vec::new();
    while let (Some(left), Some(right)) = (a.get(i), b.get(j)) {
        let (first, last) = (left.0.max(right.0), left.1.min(right.1));
        if first <= last {
            both.push((first, last));
        }
        if left.1 <= right.1 { i += 1 } else { j += 1 }
    }
    both
}

/// Fits: the unicast space of a family has at most 2^125 addresses.
fn size(ranges: &[Range]) -> u128 {
    ranges.iter().map(|(first, last)| last - first + 1).sum()
}

fn of_family(family: Family, net: &IpNet) -> bool {
    matches!((family, net), (Family::V4, IpNet::V4(_)) | (Family::V6, IpNet::V6(_)))
}

/// The part of some ranges that lies in the global unicast space of one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Public {
    family: Family,
    ranges: Vec<Range>,
}

impl Public {
    /// What is public of these ranges; those of the other family do not count.
    pub fn of(family: Family, nets: &[IpNet]) -> Self {
        let ranges = nets.iter().filter(|net| of_family(family, net)).map(range).collect();
        Self { family, ranges: intersection(&merged(ranges), family.unicast()) }
    }

    /// All of these together. Those of another family do not count.
    pub fn union<'a>(family: Family, parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let parts = parts.into_iter().filter(|part| part.family == family);
        // Adjacent ranges of the space stay adjacent: nothing between them can be outside it.
        Self { family, ranges: merged(parts.flat_map(|part| part.ranges.iter().copied()).collect()) }
    }

    /// Whether nothing is public.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many public addresses.
    pub fn size(&self) -> u128 {
        size(&self.ranges)
    }

    /// Whether it takes in at least 99 % of the space.
    pub fn is_world(&self) -> bool {
        // covered * 100 >= total * 99, rearranged because total * 99 does not fit for IPv6.
        let total = size(self.family.unicast());
        total - self.size() <= total / 100
    }

    /// Whether it takes in more public addresses than one /24 (IPv6: /48) holds.
    pub fn is_wide(&self) -> bool {
        self.size() > self.family.narrow_size()
    }
}

/// The RFC 1918 blocks that these ranges take in whole.
pub fn private_blocks(nets: &[IpNet]) -> Vec<&'static str> {
    let covered = merged(nets.iter().filter(|net| of_family(Family::V4, net)).map(range).collect());
    let whole = |octets, prefix| {
        let (first, last) = range_v4(octets, prefix);
        covered.iter().any(|(from, to)| *from <= first && last <= *to)
    };
    PRIVATE_V4
        .into_iter()
        .filter(|(_, octets, prefix)| whole(*octets, *prefix))
        .map(|(name, ..)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipnet::Ipv4Net;
    use proptest::prelude::*;

    fn nets(text: &str) -> Vec<IpNet> {
        text.split_whitespace().map(|net| net.parse().unwrap()).collect()
    }

    /// Public addresses per first octet, counted one /24 at a time (no special range is smaller).
    static COUNTED: LazyLock<Vec<u128>> = LazyLock::new(|| (0..=u8::MAX).map(counted).collect());

    fn counted(a: u8) -> u128 {
        let special: Vec<_> = SPECIAL_V4
            .iter()
            .map(|(octets, prefix)| Ipv4Net::new(Ipv4Addr::from(*octets), *prefix).unwrap())
            .filter(|net| net.network().octets()[0] <= a && a <= net.broadcast().octets()[0])
            .collect();
        let public = |index: u16| {
            let [b, c] = index.to_be_bytes();
            !special.iter().any(|net| net.contains(&Ipv4Addr::new(a, b, c, 0)))
        };
        (0..=u16::MAX).filter(|index| public(*index)).map(|_| 256).sum()
    }

    #[test]
    fn world_is_99_percent_of_what_is_global_unicast() {
        let cases = [
            (Family::V4, "0.0.0.0/0", true),
            (Family::V4, "0.0.0.0/1 128.0.0.0/1", true),
            (Family::V4, "128.0.0.0/2 0.0.0.0/1 192.0.0.0/3", true),
            (Family::V4, "0.0.0.0/1", false),
            (Family::V4, "0.0.0.0/1 128.0.0.0/2 192.0.0.0/4", false),
            (Family::V4, "::/0", false),
            (Family::V4, "", false),
            (Family::V6, "::/0", true),
            (Family::V6, "2000::/3", true),
            (Family::V6, "2000::/4 3000::/4", true),
            (Family::V6, "2000::/4", false),
            (Family::V6, "fc00::/7 fe80::/10", false),
            (Family::V6, "0.0.0.0/0", false),
        ];
        for (family, text, world) in cases {
            assert_eq!(Public::of(family, &nets(text)).is_world(), world, "{family} {text}");
        }
    }

    #[test]
    fn the_99th_percent_is_exact() {
        let total = size(Family::V4.unicast());
        assert_eq!(total, COUNTED.iter().sum());
        let allowed = total / 100;
        // Everything up to an address, so that just as many as allowed are missing, and then one more.
        let (start, end) = *UNICAST_V4.last().unwrap();
        assert!(end - start > allowed);
        let upto = |last: u128| {
            let head = intersection(&[(0, last)], &UNICAST_V4);
            Public { family: Family::V4, ranges: head }.is_world()
        };
        assert!(upto(end - allowed));
        assert!(!upto(end - allowed - 1));
    }

    #[test]
    fn wide_is_more_public_addresses_than_a_24_or_a_48() {
        let cases = [
            (Family::V4, "8.8.8.0/24", false),
            (Family::V4, "8.8.8.0/23", true),
            (Family::V4, "10.0.0.0/8", false),
            (Family::V4, "10.0.0.0/7", true),
            (Family::V4, "100.64.0.0/10", false),
            (Family::V4, "192.0.0.0/23", false),
            (Family::V4, "192.168.0.0/15", true),
            (Family::V6, "2600:1f18::/48", false),
            (Family::V6, "2600:1f18::/47", true),
            (Family::V6, "fc00::/7", false),
        ];
        for (family, text, wide) in cases {
            assert_eq!(Public::of(family, &nets(text)).is_wide(), wide, "{text}");
        }
    }

    #[test]
    fn private_blocks_count_when_whole() {
        let cases: [(&str, &[&str]); 6] = [
            ("10.0.0.0/8", &["10.0.0.0/8"]),
            ("10.0.0.0/9", &[]),
            ("10.0.0.0/9 10.128.0.0/9", &["10.0.0.0/8"]),
            ("172.16.0.0/12 192.168.0.0/16", &["172.16.0.0/12", "192.168.0.0/16"]),
            ("0.0.0.0/0", &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]),
            ("fc00::/7 ::/0", &[]),
        ];
        for (text, blocks) in cases {
            assert_eq!(private_blocks(&nets(text)), blocks, "{text}");
        }
    }

    proptest! {
        #[test]
        fn unions_agree_with_counting(
            list in prop::collection::vec((0..=u8::MAX, 1_u8..=8, 0..=1_u8), 0..6),
        ) {
            // Only the first octet is free, so that whole octets can be counted.
            let nets: Vec<IpNet> = list
                .iter()
                .map(|(octet, prefix, _)| IpNet::V4(Ipv4Net::new(Ipv4Addr::new(*octet, 0, 0, 0), *prefix).unwrap().trunc()))
                .collect();
            let inside = |a: u8| nets.iter().any(|net| net.contains(&IpAddr::V4(Ipv4Addr::new(a, 0, 0, 0))));
            let counted: u128 = (0..=u8::MAX)
                .filter(|a| inside(*a))
                .map(|a| COUNTED[usize::from(a)])
                .sum();
            let (left, right): (Vec<_>, Vec<_>) = list.iter().zip(&nets).partition(|((.., side), _)| *side == 0);
            let part = |side: Vec<(&(u8, u8, u8), &IpNet)>| {
                Public::of(Family::V4, &side.into_iter().map(|(_, net)| *net).collect::<Vec<_>>())
            };
            let union = Public::union(Family::V4, [&part(left), &part(right)]);
            prop_assert_eq!(union.size(), counted);
            prop_assert_eq!(&union.size(), &Public::of(Family::V4, &nets).size());
        }
    }
}

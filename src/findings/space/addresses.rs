//! Sets of addresses, and what is left of them when others are taken away.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

use super::{Family, Range, intersection, merged, of_family, range};

/// Any addresses, of both families.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    v4: Vec<Range>,
    v6: Vec<Range>,
}

impl Addresses {
    /// Those of some ranges.
    pub fn of(nets: &[IpNet]) -> Self {
        let family = |family| merged(nets.iter().filter(|net| of_family(family, net)).map(range).collect());
        Self { v4: family(Family::V4), v6: family(Family::V6) }
    }

    /// Those that others do not hold.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        Self { v4: difference(&self.v4, &other.v4), v6: difference(&self.v6, &other.v6) }
    }

    /// Whether some address is among both.
    pub fn meets(&self, other: &Self) -> bool {
        let meet = |a: &[Range], b: &[Range]| !intersection(a, b).is_empty();
        meet(&self.v4, &other.v4) || meet(&self.v6, &other.v6)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// The fewest ranges that hold them.
    pub fn nets(&self) -> Vec<IpNet> {
        let v4 = self.v4.iter().flat_map(|(first, last)| {
            let address = |number: u128| Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX));
            Ipv4Subnets::new(address(*first), address(*last), 0).map(IpNet::V4)
        });
        let v6 = self.v6.iter().flat_map(|(first, last)| {
            Ipv6Subnets::new(Ipv6Addr::from(*first), Ipv6Addr::from(*last), 0).map(IpNet::V6)
        });
        v4.chain(v6).collect()
    }
}

/// What the first of two ascending, disjoint lists holds and the second does not.
fn difference(a: &[Range], b: &[Range]) -> Vec<Range> {
    let mut left = Vec::new();
    let mut taken = b.iter().peekable();
    for (first, last) in a {
        let mut from = Some(*first);
        while taken.next_if(|(_, end)| end < first).is_some() {}
        for (start, end) in taken.clone().take_while(|(start, _)| start <= last) {
            let Some(begin) = from else { break };
            if *start > begin {
                left.push((begin, start - 1));
            }
            from = end.checked_add(1).filter(|next| next <= last).map(|next| next.max(begin));
        }
        left.extend(from.map(|from| (from, *last)));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(text: &str) -> Vec<IpNet> {
        text.split_whitespace().map(|net| net.parse().unwrap()).collect()
    }

    #[test]
    fn what_is_taken_away_is_gone_and_nothing_else() {
        let cases = [
            ("0.0.0.0/0", "0.0.0.0/0", ""),
            ("0.0.0.0/0 ::/0", "0.0.0.0/0", "::/0"),
            ("0.0.0.0/0", "128.0.0.0/1", "0.0.0.0/1"),
            ("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1"),
            ("10.0.0.0/30", "10.0.0.1/32", "10.0.0.0/32 10.0.0.2/31"),
            ("10.0.0.0/24 10.0.2.0/24", "10.0.0.128/25 10.0.1.0/24 10.0.2.0/25", "10.0.0.0/25 10.0.2.128/25"),
            ("10.0.0.0/24", "10.0.0.0/26 10.0.0.128/26", "10.0.0.64/26 10.0.0.192/26"),
            ("10.0.0.0/24", "11.0.0.0/8 9.0.0.0/8", "10.0.0.0/24"),
            ("::/0", "8000::/1", "::/1"),
            ("::/0", "::/0", ""),
            ("", "::/0", ""),
        ];
        for (from, taken, left) in cases {
            let found = Addresses::of(&nets(from)).minus(&Addresses::of(&nets(taken)));
            assert_eq!(found.nets(), nets(left), "{from} without {taken}");
            assert_eq!(found.is_empty(), left.is_empty());
        }
    }
}

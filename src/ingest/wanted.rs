//! Which records are wanted, as far as the smallest and the largest value of each column can say that there are none.

use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::flow::{Action, Field};

/// Of each kind that is not empty one must fit, or the record is not wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of either end.
    pub addresses: Vec<IpNet>,
    /// Interface ids: each of these lists must hold the record's.
    pub interfaces: Vec<Vec<String>>,
    /// Of either end.
    pub ports: Vec<RangeInclusive<u16>>,
    /// What became of it.
    pub action: Option<Action>,
}

/// What a column holds of values, at least and at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent<'a> {
    /// There is no such column.
    Nothing,
    /// Nobody knows.
    Unknown,
    /// Whole numbers.
    Numbers(i64, i64),
    /// Texts; a cut-off text stands below the smallest, or above the largest.
    Texts(&'a [u8], &'a [u8]),
}

const ADDRESSES: [Field; 4] = [Field::Srcaddr, Field::Dstaddr, Field::PktSrcaddr, Field::PktDstaddr];
const PORTS: [Field; 2] = [Field::Srcport, Field::Dstport];

impl Wanted {
    /// Whether no record with such values is wanted.
    pub(super) fn is_none_of<'a>(&self, extent: impl Fn(Field) -> Extent<'a>) -> bool {
        let no_address = !self.addresses.is_empty()
            && ADDRESSES.into_iter().all(|field| self.addresses.iter().all(|net| lacks(extent(field), net)));
        let no_port = !self.ports.is_empty() && PORTS.into_iter().all(|field| self.no_port(extent(field)));
        let interface = extent(Field::InterfaceId);
        let no_interface = self.interfaces.iter().any(|ids| match interface {
            // Where no interface is said it counts as "-".
            Extent::Texts(least, most) => {
                !ids.iter().any(|id| id == "-" || (least..=most).contains(&id.as_bytes()))
            }
            _ => false,
        });
        let other_action = match extent(Field::Action) {
            Extent::Texts(least, most) if least == most => self.action.is_some_and(|action| {
                let other = if action == Action::Accept { "REJECT" } else { "ACCEPT" };
                least.eq_ignore_ascii_case(other.as_bytes())
            }),
            _ => false,
        };
        no_address || no_port || no_interface || other_action
    }

    fn no_port(&self, extent: Extent<'_>) -> bool {
        match extent {
            // Where no port is said it counts as 0.
            Extent::Nothing => self.ports.iter().all(|ports| !ports.contains(&0)),
            Extent::Numbers(least, most) => self.ports.iter().all(|ports| {
                let (from, to) = (i64::from(*ports.start()), i64::from(*ports.end()));
                from > 0 && (to < least || most < from)
            }),
            Extent::Unknown | Extent::Texts(..) => false,
        }
    }
}

/// Whether no address of a network stands among these texts. Addresses of IPv6 have many spellings.
fn lacks(extent: Extent<'_>, net: &IpNet) -> bool {
    match (extent, net) {
        (Extent::Nothing, _) => true,
        (Extent::Texts(least, most), IpNet::V4(net)) => {
            let octets = net.addr().octets();
            let told = &octets[..usize::from(net.prefix_len() / 8)];
            let mut prefix = told.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
            if told.len() == octets.len() {
                return !(least..=most).contains(&prefix.as_bytes());
            }
            if !told.is_empty() {
                prefix.push('.');
            }
            // All that begins so lies between it and what would come after all of that.
            most < prefix.as_bytes() || (least > prefix.as_bytes() && !least.starts_with(prefix.as_bytes()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(kind: &str, values: &str) -> Wanted {
        let mut wanted = Wanted::default();
        let mut values = values.split(' ').filter(|value| !value.is_empty());
        match kind {
            "address" => wanted.addresses = values.map(|net| crate::rules::parse_net(net).unwrap()).collect(),
            "interface" => wanted.interfaces = vec![values.map(str::to_owned).collect()],
            "port" => {
                wanted.ports = values.map(|port| port.parse().unwrap()).map(|port| port..=port).collect();
            }
            _ => {
                wanted.action =
                    Some(if values.next() == Some("ACCEPT") { Action::Accept } else { Action::Reject });
            }
        }
        wanted
    }

    #[test]
    fn what_may_be_there_is_read() {
        let texts =
            |least: &'static str, most: &'static str| Extent::Texts(least.as_bytes(), most.as_bytes());
        let cases = [
            ("address", "10.0.1.7", texts("10.0.1.1", "10.0.1.6"), true),
            ("address", "10.0.1.7", texts("10.0.1.1", "10.0.1.7"), false),
            // As texts are ordered: 10.0.1.10 stands before 10.0.1.7.
            ("address", "10.0.1.10", texts("10.0.1.1", "10.0.1.6"), false),
            ("address", "10.0.1.7 10.0.1.3", texts("10.0.1.1", "10.0.1.6"), false),
            ("address", "10.0.0.0/16", texts("10.1.0.0", "9.9.9.9"), true),
            ("address", "10.0.0.0/16", texts("1.1.1.1", "9.9.9.9"), false),
            ("address", "10.0.0.0/16", texts("10.0.255.1", "10.0.9.1"), false),
            // What is asked for down to a bit is looked for down to the octet.
            ("address", "10.0.128.0/17", texts("10.0.0.1", "10.0.1.1"), false),
            ("address", "10.0.0.0/7", texts("192.0.2.1", "192.0.2.9"), false),
            ("address", "2001:db8::/32", texts("10.0.0.1", "10.0.0.2"), false),
            ("address", "10.0.0.1", Extent::Nothing, true),
            ("address", "10.0.0.1", Extent::Unknown, false),
            ("port", "22", Extent::Numbers(443, 65_535), true),
            ("port", "22", Extent::Numbers(0, 21), true),
            ("port", "22", Extent::Numbers(22, 22), false),
            ("port", "22 443", Extent::Numbers(100, 500), false),
            ("port", "0", Extent::Numbers(1, 2), false),
            ("port", "0", Extent::Nothing, false),
            ("port", "22", Extent::Unknown, false),
            ("port", "22", texts("443", "443"), false),
            ("interface", "eni-2", texts("eni-3", "eni-9"), true),
            ("interface", "eni-2 eni-4", texts("eni-3", "eni-9"), false),
            ("interface", "eni-2", Extent::Unknown, false),
            ("interface", "-", texts("eni-3", "eni-9"), false),
            // A group that no interface had.
            ("interface", "", texts("eni-3", "eni-9"), true),
            ("action", "ACCEPT", texts("REJECT", "REJECT"), true),
            ("action", "REJECT", texts("accept", "accept"), true),
            ("action", "REJECT", texts("ACCEPT", "REJECT"), false),
            ("action", "REJECT", texts("-", "-"), false),
            ("action", "REJECT", Extent::Nothing, false),
        ];
        for (kind, values, extent, none) in cases {
            assert_eq!(wanted(kind, values).is_none_of(|_| extent), none, "{kind} {values} {extent:?}");
        }
        let all = Extent::Numbers(0, 0);
        assert!(!Wanted::default().is_none_of(|_| all), "nothing is asked, so everything is wanted");
    }

    #[test]
    fn either_end_may_fit() {
        let extent = |field| match field {
            Field::Srcport => Extent::Numbers(40_000, 50_000),
            Field::Srcaddr => Extent::Texts(b"10.0.0.1", b"10.0.0.1"),
            Field::Dstport => Extent::Numbers(22, 22),
            Field::Dstaddr => Extent::Texts(b"192.0.2.1", b"192.0.2.1"),
            _ => Extent::Nothing,
        };
        for (kind, values, none) in [
            ("port", "22", false),
            ("port", "45000", false),
            ("port", "443", true),
            ("address", "10.0.0.1", false),
            ("address", "192.0.2.0/24", false),
            ("address", "198.51.100.0/24", true),
        ] {
            assert_eq!(wanted(kind, values).is_none_of(extent), none, "{kind} {values}");
        }
    }
}

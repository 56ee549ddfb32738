//! Whether an address is one of the internet or of private networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Where a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerScope {
    /// Private, shared, link-local, multicast or reserved: it did not come from the internet by itself.
    Internal,
    /// Everything else. An IPv6 global address counts, whether or not the VPC lets the internet reach it.
    Internet,
}

/// The scope of an address.
///
/// Ranges: <https://www.iana.org/assignments/iana-ipv4-special-registry>. Documentation ranges count as internet: nobody
/// uses them inside, and made-up logs use them for outside.
pub fn of(address: IpAddr) -> PeerScope {
    let internal = match address {
        IpAddr::V4(address) => is_internal_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => is_internal_v4(address),
            None => !is_global_v6(address),
        },
    };
    if internal { PeerScope::Internal } else { PeerScope::Internet }
}

fn is_internal_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || a == 0
        || a >= 224
        || (a == 100 && b & 0xc0 == 64)
        || (a == 198 && b & 0xfe == 18)
}

/// `2000::/3`, the global unicast space in use.
pub fn is_global_v6(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xe000 == 0x2000
}

/// The internal addresses as ranges: IPv4, and those of IPv6.
pub fn internal_ranges() -> Vec<IpNet> {
    let v4: [([u8; 4], u8); 9] = [
        ([0, 0, 0, 0], 8),
        ([10, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([127, 0, 0, 0], 8),
        ([169, 254, 0, 0], 16),
        ([172, 16, 0, 0], 12),
        ([192, 168, 0, 0], 16),
        ([198, 18, 0, 0], 15),
        ([224, 0, 0, 0], 3),
    ];
    let net = |address: IpAddr, length| IpNet::new(address, length).ok();
    let v4 = v4.into_iter().filter_map(|(octets, length)| net(Ipv4Addr::from(octets).into(), length));
    // What is not global: 2000::/3 cut out of the whole. An IPv4-mapped address is what it maps to, and nobody's peer.
    let v6 = [(0, 3), (0x4000, 2), (0x8000, 1)];
    let v6 = v6
        .into_iter()
        .filter_map(|(first, length)| net(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0).into(), length));
    v4.chain(v6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes() {
        let cases = [
            ("10.1.2.3", PeerScope::Internal),
            ("172.31.255.255", PeerScope::Internal),
            ("172.32.0.0", PeerScope::Internet),
            ("192.168.0.1", PeerScope::Internal),
            ("100.64.0.1", PeerScope::Internal),
            ("100.128.0.1", PeerScope::Internet),
            ("169.254.169.254", PeerScope::Internal),
            ("224.0.0.1", PeerScope::Internal),
            ("8.8.8.8", PeerScope::Internet),
            ("203.0.113.7", PeerScope::Internet),
            ("fd00::1", PeerScope::Internal),
            ("fe80::1", PeerScope::Internal),
            ("2600::1", PeerScope::Internet),
            ("::ffff:10.0.0.1", PeerScope::Internal),
        ];
        for (address, scope) in cases {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(of(address), scope, "{address}");
            if !address.to_string().starts_with("::ffff") {
                let within = internal_ranges().iter().any(|range| range.contains(&address));
                assert_eq!(within, scope == PeerScope::Internal, "{address}");
            }
        }
    }
}

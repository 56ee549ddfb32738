//! Where health checks of the cloud come from: whoever checks today, another of its servers does tomorrow.

use std::sync::LazyLock;

use ipnet::IpNet;

/// Route 53, of all regions.
///
/// Source: `ROUTE53_HEALTHCHECKS` of <https://ip-ranges.amazonaws.com/ip-ranges.json>.
const ROUTE_53: [&str; 17] = [
    "15.177.0.0/18",
    "54.183.255.128/26",
    "54.228.16.0/26",
    "54.232.40.64/26",
    "54.241.32.64/26",
    "54.243.31.192/26",
    "54.244.52.192/26",
    "54.245.168.0/26",
    "54.248.220.0/26",
    "54.250.253.192/26",
    "54.251.31.128/26",
    "54.252.79.128/26",
    "54.252.254.192/26",
    "54.255.254.192/26",
    "107.23.255.0/26",
    "176.34.159.192/26",
    "177.71.207.128/26",
];

/// The range of health checks that holds a source.
pub(super) fn range_of(source: IpNet) -> Option<IpNet> {
    static RANGES: LazyLock<Vec<IpNet>> =
        LazyLock::new(|| ROUTE_53.iter().filter_map(|text| text.parse().ok()).collect());
    RANGES.iter().find(|range| range.contains(&source)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checker_stands_for_its_range() {
        let range = |text: &str| range_of(text.parse().unwrap()).map(|net| net.to_string());
        assert_eq!(range("54.228.16.9/32").as_deref(), Some("54.228.16.0/26"));
        assert_eq!(range("15.177.2.250/32").as_deref(), Some("15.177.0.0/18"));
        assert_eq!(range("203.0.113.9/32"), None);
        for text in ROUTE_53 {
            assert_eq!(range(text).as_deref(), Some(text), "each is a network");
        }
    }
}

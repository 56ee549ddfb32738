//! stub
pub fn over_broad(
    _: &crate::rules::timeline::Timeline,
    _: &[crate::tally::usage::RuleUse],
    _: &super::ports::PortProfile,
) -> Vec<super::Finding> {
    vec![]
}

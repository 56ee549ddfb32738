//! Over-broad openings, from describe-* answers to findings.
#![allow(clippy::unwrap_used)]

mod evidence;
mod kit;
mod regressions;
mod widths;

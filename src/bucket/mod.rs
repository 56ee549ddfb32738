//! Logs and documents in buckets: `s3://` and `oss://`.
//!
//! ```text
//! addresses ─▶ connect (credentials, region) ─▶ list (layout: what cannot match is not listed) ─▶ sources
//!                                                   sources ─▶ ingest::object ─▶ object (ranges, retried)
//! ```
//!
//! The network has threads of its own: those that parse never wait for it as long as what comes next is fetched ahead
//! of its turn. Nothing here is reached unless an argument is the address of something in a bucket.

#[cfg_attr(not(feature = "s3"), allow(dead_code, reason = "nothing is listed"))]
mod address;
#[cfg(feature = "s3")]
mod complaint;
#[cfg(feature = "s3")]
mod connect;
#[cfg(feature = "s3")]
mod credentials;
#[cfg_attr(not(feature = "s3"), allow(dead_code, reason = "nothing is listed"))]
pub mod layout;
#[cfg(feature = "s3")]
mod list;
#[cfg(feature = "s3")]
mod listing;
#[cfg(feature = "s3")]
mod mirror;
#[cfg(feature = "s3")]
mod object;
#[cfg(feature = "s3")]
mod pattern;

pub use address::{Address, Scheme, is_address};
#[cfg(feature = "s3")]
pub(crate) use list::find;
#[cfg(feature = "s3")]
pub(crate) use mirror::Mirror;

/// Without the feature there is nobody to ask.
#[cfg(not(feature = "s3"))]
mod absent {
    use super::layout::Choice;
    use crate::cli::Access;
    use crate::ingest::{FileFailure, Found};

    pub(super) const REMEDY: &str = "this build reads no buckets; build it with the feature s3";

    pub(crate) fn find(addresses: &[&str], _: &Access, _: &Choice) -> Result<Found, FileFailure> {
        let first = addresses.first().copied().unwrap_or_default();
        Err(FileFailure(format!("{first}: {REMEDY}")))
    }
}
#[cfg(not(feature = "s3"))]
pub(crate) use absent::find;

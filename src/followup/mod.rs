//! A review goes on tomorrow: findings that are accepted for a time, those that were there before, and what became of
//! them.
//!
//! ```text
//! report ─▶ suppress (accepted, with a reason and an end) ─▶ baseline (only what is new) ─▶ render
//! two reports as JSON ─▶ diff (new, fixed, still open)
//! ```

pub mod baseline;
pub mod diff;
mod former;
pub mod suppress;

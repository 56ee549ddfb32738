//! A report → bytes. Nothing here decides anything.

pub mod json;

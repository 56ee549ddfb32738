//! A report → bytes. Nothing here decides anything.

pub mod json;
pub mod sanitize;
pub mod table;
pub mod text;

//! A report → bytes. Nothing here decides anything.

pub mod csv;
pub mod html;
pub mod json;
pub mod markdown;
pub mod sanitize;
pub mod table;
pub mod text;

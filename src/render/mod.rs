//! A report → bytes. Nothing here decides anything.

pub mod asff;
pub mod csv;
pub mod html;
pub mod json;
pub mod markdown;
pub mod ndjson;
pub mod ocsf;
pub mod resource;
pub mod sanitize;
pub mod sarif;
pub mod table;
pub mod text;

//! Data that is kept beside the project, not in it: worked cases and third-party files.

use std::path::{Path, PathBuf};

/// A folder of it; None, and a word about it, where it is not at hand. `FLOWAUDIT_SHARED` says where it is kept.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let base = std::env::var("FLOWAUDIT_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").to_owned());
    let folder = Path::new(&base).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}

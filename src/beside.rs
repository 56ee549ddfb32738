//! A new file beside the one whose place it takes once it is whole.

use std::io;
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

/// The folder that a file is in.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Opens a file in the folder of another one. Temporary files are for their owner alone; this becomes a file like any other.
///
/// # Errors
/// The folder cannot be written to.
pub fn open(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".flowaudit");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder(path))
}

//! Files and folders that only their owner can open: databases hold what is not for every
//! user of the machine.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Makes a folder with all above it; one that is there stays as it is.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens a file and makes it where it is missing. SQLite gives the mode of a database to the
/// files that it puts beside it.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

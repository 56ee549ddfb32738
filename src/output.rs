//! Where reports go. Opened before the work, so that a typo does not cost an hour; a file takes the place of the old one
//! only when it is whole.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use flowaudit::error::Error;
use flowaudit::remediation::{self, Remediation};
use flowaudit::report::Report;
use flowaudit::{beside, render, time};
use tempfile::NamedTempFile;

/// A place that something is written to.
pub(crate) enum Output {
    Stream { name: String, writer: Box<dyn Write> },
    File { path: PathBuf, file: NamedTempFile },
}

impl Output {
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else {
            return Ok(Self::Stream {
                name: "standard output".to_owned(),
                writer: Box::new(io::stdout().lock()),
            });
        };
        let name = path.display().to_string();
        let unwritable = |source| Error::Write { path: name.clone(), source };
        // A device or a pipe is written to as it is.
        if path.exists() && !path.is_file() {
            let writer = Box::new(File::options().write(true).open(path).map_err(unwritable)?);
            return Ok(Self::Stream { name, writer });
        }
        let file = beside::open(path).map_err(unwritable)?;
        Ok(Self::File { path: path.to_owned(), file })
    }

    /// A closed pipe is success: the reader has seen enough.
    pub(crate) fn write(self, render: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
        match self {
            Self::Stream { name, writer } => match write_all(writer, render) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                Err(source) => Err(Error::Write { path: name, source }),
                Ok(()) => Ok(()),
            },
            Self::File { path, mut file } => {
                let unwritable = |source| Error::Write { path: path.display().to_string(), source };
                write_all(&mut file, render).map_err(unwritable)?;
                file.persist(&path).map_err(|error| unwritable(error.error))?;
                Ok(())
            }
        }
    }
}

/// A folder with a file for each table of the report.
pub(crate) struct Folder(Vec<(render::csv::File, Output)>);

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(path)
            .map_err(|source| Error::Write { path: path.display().to_string(), source })?;
        let open = |file: &render::csv::File| Ok((*file, Output::open(Some(&path.join(file.0)))?));
        render::csv::FILES.iter().map(open).collect::<Result<_, Error>>().map(Self)
    }

    pub(crate) fn write(self, report: &Report) -> Result<(), Error> {
        self.0.into_iter().try_for_each(|((_, render), output)| output.write(|writer| render(report, writer)))
    }
}

/// A folder with commands for a reviewer.
pub(crate) struct Commands(Vec<Output>);

impl Commands {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(path)
            .map_err(|source| Error::Write { path: path.display().to_string(), source })?;
        let open = |name: &&str| Output::open(Some(&path.join(name)));
        remediation::FILES.iter().map(open).collect::<Result<_, Error>>().map(Self)
    }

    pub(crate) fn write(self, mut made: Remediation) -> Result<(), Error> {
        remediation::made_at(&mut made, time::now());
        self.0
            .into_iter()
            .zip(made.files)
            .try_for_each(|(output, (_, text))| output.write(|writer| writer.write_all(text.as_bytes())))
    }
}

fn write_all(writer: impl Write, render: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(1 << 16, writer);
    render(&mut writer)?;
    writer.flush()
}

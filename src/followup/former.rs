//! The findings of a report that was written before.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;

use crate::error::Error;
use crate::findings::Severity;

/// What is read of a report.
#[derive(Debug, Deserialize)]
pub(super) struct Former {
    schema_version: String,
    pub(super) findings: Vec<FormerFinding>,
    /// Findings that were accepted then.
    #[serde(default)]
    pub(super) suppressed: Vec<FormerFinding>,
    /// Findings that a report before that one had already.
    #[serde(default)]
    pub(super) known: Vec<FormerFinding>,
}

/// What is read of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct FormerFinding {
    pub(super) id: String,
    pub(super) severity: Severity,
    pub(super) title: String,
}

impl Former {
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let former: Self = serde_json::from_reader(BufReader::new(file)).map_err(|error| {
            Error::Input(format!(
                "{}: no report of flowaudit: {error}; expected what analyze --format json wrote",
                path.display()
            ))
        })?;
        if former.schema_version != "1" {
            return Err(Error::Input(format!(
                "{}: a report of schema_version {}; this program reads 1",
                path.display(),
                former.schema_version
            )));
        }
        Ok(former)
    }

    /// What was shown as a finding then, by that report or by its own baseline.
    pub(super) fn shown(&self) -> impl Iterator<Item = &FormerFinding> {
        self.findings.iter().chain(&self.known)
    }

    /// Everything that stood open then, whether shown or not.
    pub(super) fn all(&self) -> impl Iterator<Item = &FormerFinding> {
        self.findings.iter().chain(&self.suppressed).chain(&self.known)
    }
}

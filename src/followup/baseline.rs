//! `--baseline REPORT.json`: only what that report did not have, or had as less severe.

use std::collections::BTreeMap;
use std::path::Path;

use super::former::Former;
use crate::error::Error;
use crate::findings::Severity;
use crate::report::{KnownFinding, Report};

/// The findings of an earlier report, by id.
#[derive(Debug)]
pub struct Baseline(BTreeMap<String, Severity>);

impl Baseline {
    /// Reads a report.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let former = Former::read(path)?;
        let mut worst: BTreeMap<String, Severity> = BTreeMap::new();
        // What was accepted then and is not now is back.
        for finding in former.shown() {
            let severity = worst.entry(finding.id.clone()).or_insert(finding.severity);
            *severity = finding.severity.max(*severity);
        }
        Ok(Self(worst))
    }

    /// Leaves the findings that are new, or worse; of the others it is said that they are known.
    pub fn apply(&self, report: &mut Report) {
        let is_known = |id: &str, severity: Severity| self.0.get(id).is_some_and(|known| *known >= severity);
        let (known, new) =
            std::mem::take(&mut report.findings).into_iter().partition(|it| is_known(&it.id, it.severity));
        report.findings = new;
        let known: Vec<crate::findings::Finding> = known;
        report.known = known.iter().map(KnownFinding::of).collect();
    }
}

//! `flowaudit diff OLD.json NEW.json`: which findings are new, which are fixed, which still stand.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::former::{Former, FormerFinding};
use crate::error::Error;
use crate::findings::Severity;
use crate::render::sanitize::terminal;

/// What became of findings. Each list is worst first, then by id.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// In the second report alone.
    pub new: Vec<Line>,
    /// In the first report alone.
    pub fixed: Vec<Line>,
    /// In both.
    pub still_open: Vec<Line>,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its id.
    pub id: String,
    /// As the newer of the reports that have it says.
    pub severity: Severity,
    /// As the older report says, where that is something else.
    pub severity_before: Option<Severity>,
    /// One line for people.
    pub title: String,
}

/// Compares two reports. What one of them left out as accepted or known was there.
///
/// # Errors
/// A report that cannot be read, or is none.
pub fn diff(old: &Path, new: &Path) -> Result<Diff, Error> {
    Ok(compare(&Former::read(old)?, &Former::read(new)?))
}

fn compare(old: &Former, new: &Former) -> Diff {
    let by_id = |report: &Former| -> BTreeMap<String, FormerFinding> {
        report.all().map(|finding| (finding.id.clone(), finding.clone())).collect()
    };
    let (mut before, after) = (by_id(old), by_id(new));
    let mut diff = Diff::default();
    for (id, FormerFinding { severity, title, .. }) in after {
        let old = before.remove(&id);
        let severity_before = old.as_ref().map(|old| old.severity).filter(|before| *before != severity);
        let line = Line { id, severity, severity_before, title };
        if old.is_some() { diff.still_open.push(line) } else { diff.new.push(line) }
    }
    diff.fixed = before
        .into_values()
        .map(|FormerFinding { id, severity, title }| Line { id, severity, severity_before: None, title })
        .collect();
    for lines in [&mut diff.new, &mut diff.fixed, &mut diff.still_open] {
        lines.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.id.cmp(&b.id)));
    }
    diff
}

/// Writes it for people.
pub fn render(diff: &Diff, out: &mut dyn Write) -> io::Result<()> {
    let Diff { new, fixed, still_open } = diff;
    writeln!(out, "{} new, {} fixed, {} still open", new.len(), fixed.len(), still_open.len())?;
    for (heading, lines) in [("New", new), ("Fixed", fixed), ("Still open", still_open)] {
        if lines.is_empty() {
            continue;
        }
        writeln!(out, "\n{heading}")?;
        for line in lines {
            let before = match line.severity_before {
                Some(before) => format!(" (was {})", before.as_str()),
                None => String::new(),
            };
            writeln!(out, "  {}{before}: {}", line.severity.as_str(), terminal(&line.title))?;
        }
    }
    Ok(())
}

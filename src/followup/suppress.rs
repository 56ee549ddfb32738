//! `--suppress FILE`: findings that somebody has accepted, why, and until when.

use std::fmt;
use std::path::Path;

use serde::Deserialize;

use crate::error::Error;
use crate::findings::{Finding, Suppression};
use crate::flow::Seconds;
use crate::report::{KnownFinding, Report, SuppressedFinding};
use crate::time;

/// A file of suppressions.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    suppress: Vec<Written>,
}

/// One entry as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: Option<String>,
    kind: Option<String>,
    group_id: Option<String>,
    rule_key: Option<String>,
    interface_id: Option<String>,
    reason: String,
    expires: Date,
}

/// TOML has dates of its own.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Date {
    Text(String),
    Toml(toml::value::Datetime),
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Toml(date) => date.fmt(f),
        }
    }
}

/// What is accepted.
#[derive(Debug)]
pub struct Suppressions {
    file: String,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    written: Written,
    /// The last second it holds.
    until: Seconds,
}

/// Whether what is accepted is shown all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShowSuppressed {
    /// Among the findings, marked.
    Yes,
    /// Only as a list of what is left out.
    No,
}

const DAY: Seconds = 86_400;

impl Suppressions {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, an entry lacks a reason or an end, or says nothing of what it is about.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let name = path.display().to_string();
        let wrong = |message: String| Error::Usage(format!("{name}: {message}"));
        let file: File = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let mut entries = Vec::new();
        for (at, written) in (1..).zip(file.suppress) {
            let about =
                [&written.id, &written.kind, &written.group_id, &written.rule_key, &written.interface_id];
            if about.iter().all(|field| field.is_none()) {
                return Err(wrong(format!(
                    "entry {at}: says nothing of what it is about; expected id, or one or more of kind, group_id, rule_key \
                     and interface_id"
                )));
            }
            if written.reason.trim().is_empty() {
                return Err(wrong(format!("entry {at}: the reason is empty; say why this is accepted")));
            }
            let date = written.expires.to_string();
            let Some(day) = time::parse(&date) else {
                return Err(wrong(format!(
                    "entry {at}: expires = \"{date}\": expected a date such as 2026-12-31"
                )));
            };
            // A day counts to its end.
            let until = if date.len() == "2026-12-31".len() { day + DAY - 1 } else { day };
            entries.push(Entry { written, until });
        }
        Ok(Self { file: name, entries })
    }

    /// Takes what is accepted out of the findings, or marks it there. Answers warnings: entries that have ended, and
    /// entries that are about nothing.
    pub fn apply(&self, report: &mut Report, now: Seconds, show: ShowSuppressed) -> Vec<String> {
        let mut met = vec![0_usize; self.entries.len()];
        let mut warnings = Vec::new();
        let findings = std::mem::take(&mut report.findings);
        for mut finding in findings {
            let about = |(_, entry): &(usize, &Entry)| entry.is_about(&finding);
            let matching: Vec<(usize, &Entry)> = self.entries.iter().enumerate().filter(about).collect();
            for (at, _) in &matching {
                met[*at] += 1;
            }
            let Some((_, entry)) = matching.iter().find(|(_, entry)| entry.until >= now) else {
                report.findings.push(finding);
                continue;
            };
            let suppression =
                Suppression { reason: entry.written.reason.clone(), expires: time::format(entry.until) };
            report.suppressed.push(SuppressedFinding {
                finding: KnownFinding::of(&finding),
                suppression: suppression.clone(),
            });
            if show == ShowSuppressed::Yes {
                finding.suppressed = Some(suppression);
                report.findings.push(finding);
            }
        }
        keep_accepted_rules(report);
        for ((at, entry), met) in (1..).zip(&self.entries).zip(met) {
            let Self { file, .. } = self;
            let about = entry.about();
            if met == 0 {
                warnings.push(format!("{file}: entry {at} ({about}) is about no finding: it may be fixed"));
            } else if entry.until < now {
                let ended = time::format(entry.until);
                warnings.push(format!("{file}: entry {at} ({about}) ended {ended}: its findings are back"));
            }
        }
        warnings
    }
}

/// A rule that is accepted as superfluous is not asked to go. What is left of a removal set is one.
fn keep_accepted_rules(report: &mut Report) {
    let accepted = |rule_key: &str| {
        report.suppressed.iter().any(|accepted| {
            let kind = accepted.finding.id.strip_suffix(rule_key).and_then(|kind| kind.strip_suffix('/'));
            let group = accepted.finding.id.strip_prefix("unattached_group/");
            matches!(kind, Some("unused_rule" | "redundant_rule" | "ineffective_rule"))
                || group.is_some_and(|group| {
                    rule_key.strip_prefix(group).is_some_and(|rest| rest.starts_with(':'))
                })
        })
    };
    let set = &mut report.removal_set;
    set.steps.retain(|step| !accepted(&step.rule_key));
    set.rules.retain(|key| !accepted(key));
}

impl Entry {
    fn is_about(&self, finding: &Finding) -> bool {
        let fits = |asked: &Option<String>, own: Option<&str>| {
            asked.as_deref().is_none_or(|asked| own == Some(asked))
        };
        let Written { id, kind, group_id, rule_key, interface_id, .. } = &self.written;
        fits(id, Some(&finding.id))
            && fits(kind, Some(finding.kind.as_str()))
            && fits(group_id, finding.group_id.as_deref())
            && fits(rule_key, finding.rule_key.as_deref())
            && fits(interface_id, finding.interface_id.as_deref())
    }

    fn about(&self) -> String {
        let Written { id, kind, group_id, rule_key, interface_id, .. } = &self.written;
        let named: Vec<&str> =
            [id, kind, group_id, rule_key, interface_id].into_iter().filter_map(Option::as_deref).collect();
        named.join(", ")
    }
}

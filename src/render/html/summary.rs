//! What a reader wants first.

use std::io::{self, Write};

use crate::findings::Severity;
use crate::findings::verdict::Verdict;
use crate::render::text::figures::{count, thousands};
use crate::report::Report;

/// Verdicts with the class that colours them, and as people read them.
pub(super) const VERDICTS: [(Verdict, &str, &str); 5] = [
    (Verdict::Used, "used", "used"),
    (Verdict::PossiblyUsed, "possibly_used", "possibly used"),
    (Verdict::NotSeen, "not_seen", "not seen"),
    (Verdict::CannotDecide, "cannot_decide", "cannot be told"),
    (Verdict::Unattached, "unattached", "on no interface"),
];

pub(super) const SEVERITIES: [Severity; 5] =
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];

/// Class and words of a verdict.
pub(super) fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    VERDICTS.iter().find(|(own, ..)| *own == verdict).map_or(("", ""), |(_, class, words)| (class, words))
}

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let (records, files) = (&report.coverage.records, &report.coverage.files);
    writeln!(out, "<section id=\"summary\"><h2>Summary</h2><ul class=\"cards\">")?;
    card(out, &thousands(records.total), &format!("records in {}", count(files.read, "file")))?;
    let share = report.coverage.attribution.explained_share;
    let explained =
        share.map_or("–".to_owned(), |share| format!("{:.1} %", (share * 1000.0).floor() / 10.0));
    card(out, &explained, "of the ACCEPTs held against rules are explained by them")?;
    card(out, &thousands(records.rejected), "records refused")?;
    card(out, &thousands(report.removal_set.rules.len() as u64), "rules can go together")?;
    for severity in SEVERITIES {
        let found = report.findings.iter().filter(|finding| finding.severity == severity).count() as u64;
        let name = severity.as_str();
        writeln!(out, "<li><b class=\"{name}\">{}</b>{name} findings</li>", thousands(found))?;
    }
    writeln!(out, "</ul>")?;
    if files.failed > 0 {
        let failed = count(files.failed, "file");
        writeln!(out, "<p class=\"high\">{failed} could not be read: see what was read.</p>")?;
    }
    if share.is_some_and(|share| share < 0.99) {
        writeln!(
            out,
            "<p class=\"high\">Under 99 % of the ACCEPTs are explained: the rules given are not those of these logs. Trust \
             what follows less.</p>"
        )?;
    }
    rules(report, out)?;
    writeln!(out, "</section>")
}

pub(super) fn card(out: &mut dyn Write, figure: &str, what: &str) -> io::Result<()> {
    writeln!(out, "<li><b>{figure}</b>{what}</li>")
}

/// A bar of all rules by verdict, and what its parts are.
fn rules(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let all = report.rules.len();
    if all == 0 {
        return writeln!(out, "<p>The snapshot holds no rules.</p>");
    }
    let counts = VERDICTS.map(|(verdict, class, words)| {
        (report.rules.iter().filter(|rule| rule.usage.verdict == verdict).count(), class, words)
    });
    let said: Vec<String> = counts.iter().map(|(count, _, words)| format!("{count} {words}")).collect();
    write!(
        out,
        "<svg class=\"bar\" viewBox=\"0 0 {all} 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Rules: {}\">",
        said.join(", ")
    )?;
    let mut from = 0;
    for (count, class, _) in counts {
        write!(out, "<rect class=\"f-{class}\" x=\"{from}\" y=\"0\" width=\"{count}\" height=\"10\"/>")?;
        from += count;
    }
    writeln!(out, "</svg><ul class=\"legend\">")?;
    for (count, class, words) in counts {
        writeln!(
            out,
            "<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"f-{class}\" width=\"10\" height=\"10\"/></svg>{} \
             {words}</li>",
            thousands(count as u64)
        )?;
    }
    writeln!(out, "</ul>")
}

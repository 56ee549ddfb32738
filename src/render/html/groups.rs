//! Every group with its rules: what each was used for, and what was found.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use super::MOST_ROWS;
use super::markup::{Cell, Column, Escaped, Row, begin_table, end_table, left_out, row, tools};
use super::summary::{VERDICTS, verdict};
use super::time::Layout;
use crate::findings::Finding;
use crate::findings::verdict::Confidence;
use crate::findings::wider::Narrower;
use crate::render::text::doubts;
use crate::render::text::figures::{count, minute, narrow, rule};
use crate::report::{Report, RuleRow};

pub(super) fn write(report: &Report, layout: &Layout<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<section id=\"groups\"><h2>Rules by group</h2>")?;
    let verdicts = VERDICTS.map(|(_, class, words)| (class, words));
    tools(out, "groups", &[("verdict", "Verdict", &verdicts)])?;
    let mut groups: BTreeMap<&str, Vec<&RuleRow>> = BTreeMap::new();
    for row in &report.rules {
        groups.entry(&row.group_id).or_default().push(row);
    }
    let mut found: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        if let Some(group) = &finding.group_id {
            found.entry(group).or_default().push(finding);
        }
    }
    let advice = Advice::of(report);
    let mut groups: Vec<(&str, Vec<&RuleRow>)> = groups.into_iter().collect();
    let worst = |id: &str| found.get(id).into_iter().flatten().map(|finding| finding.severity).max();
    groups.sort_by_key(|(id, rules)| (Reverse(worst(id)), rules.first().map(|row| &row.group_name), *id));
    let mut left = MOST_ROWS;
    for (id, rules) in &groups {
        if left == 0 {
            break;
        }
        let shown = &rules[..rules.len().min(left)];
        left -= shown.len();
        group(id, shown, found.get(id).map_or(&[], Vec::as_slice), (layout, &advice), out)?;
    }
    left_out(out, report.rules.len().saturating_sub(MOST_ROWS))?;
    writeln!(out, "</section>")
}

/// What is advised, by key of the rule.
struct Advice<'a> {
    /// The step of the removal set.
    steps: BTreeMap<&'a str, usize>,
    narrower: BTreeMap<&'a str, &'a Narrower>,
}

impl<'a> Advice<'a> {
    fn of(report: &'a Report) -> Self {
        let steps = report.removal_set.rules.iter().map(String::as_str).zip(1..);
        let narrower = report.narrower().map(|narrower| (narrower.key.as_str(), narrower));
        Self { steps: steps.collect(), narrower: narrower.collect() }
    }

    /// What is advised of a rule, as markup.
    fn on(&self, rule_key: &str) -> Option<String> {
        if let Some(step) = self.steps.get(rule_key) {
            return Some(format!("<b>can go</b> (<a href=\"#removal\">step {step}</a>)"));
        }
        let narrower = self.narrower.get(rule_key)?;
        let by: Vec<String> = narrower.by.iter().map(|by| Escaped(&narrow(by)).to_string()).collect();
        Some(format!("<b>would do</b>: {}", by.join("; ")))
    }
}

fn group(
    id: &str,
    rules: &[&RuleRow],
    found: &[&Finding],
    beside: (&Layout<'_>, &Advice<'_>),
    out: &mut dyn Write,
) -> io::Result<()> {
    let name = rules.first().map(|row| row.group_name.as_str()).unwrap_or_default();
    let worst = found.iter().map(|finding| finding.severity).max();
    let worst = worst
        .map_or_else(String::new, |worst| format!(" <span class=\"tag {0}\">{0}</span>", worst.as_str()));
    writeln!(
        out,
        "<details class=\"group\"><summary><h3>{}</h3> <code>{}</code> <span class=\"soft\">{}</span>{worst}</summary>",
        Escaped(if name.is_empty() { id } else { name }),
        Escaped(id),
        count(rules.len() as u64, "rule")
    )?;
    let columns = [
        Column::Text("Rule"),
        Column::Text("Verdict"),
        Column::Number("Records"),
        Column::Number("Alone"),
        Column::Text("Last seen"),
        Column::Text("Use over time"),
        Column::Text("Why, and what was found"),
    ];
    begin_table(out, &format!("Rules of {}", if name.is_empty() { id } else { name }), &columns)?;
    for one in rules {
        row(out, &columns, &rule_row(one, found, beside))?;
    }
    end_table(out)?;
    writeln!(out, "</details>")
}

fn rule_row(row: &RuleRow, found: &[&Finding], (layout, advice): (&Layout<'_>, &Advice<'_>)) -> Row {
    let usage = &row.usage;
    let (class, words) = verdict(usage.verdict);
    let confidence =
        usage.confidence.map_or_else(String::new, |it| format!(", {} confidence", Confidence::as_str(it)));
    let about = row.description.as_deref().filter(|about| !about.is_empty());
    let about =
        about.map_or_else(String::new, |about| format!("<br><span class=\"soft\">{}</span>", Escaped(about)));
    let gone = row.in_force.to.as_deref();
    let gone = gone
        .map_or_else(String::new, |to| format!("<br><span class=\"soft\">gone since {}</span>", Escaped(to)));
    let mut why: Vec<String> =
        usage.evidence.values().map(|doubt| Escaped(&doubts::words(doubt)).to_string()).collect();
    for finding in found.iter().filter(|finding| finding.rule_key.as_ref() == Some(&row.rule_key)) {
        let severity = finding.severity.as_str();
        let kind = finding.kind.as_str().replace('_', " ");
        why.push(format!("<span class=\"{severity}\">{severity}</span>: {kind}"));
    }
    why.extend(advice.on(&row.rule_key));
    Row {
        by: vec![("verdict", class)],
        cells: vec![
            Cell::Markup(format!("{}{about}{gone}", Escaped(&rule(row)))),
            Cell::Markup(format!("<span class=\"tag {class}\">{words}</span>{confidence}")),
            Cell::Number(usage.records + usage.reply_records + usage.possible_records),
            Cell::Number(usage.sole_records + usage.possible_sole_records),
            usage.last_seen.as_deref().map_or(Cell::Empty, |last| Cell::Text(minute(last))),
            layout.strip(&row.rule_key).map_or(Cell::Empty, Cell::Markup),
            Cell::Markup(why.join("<br>")),
        ],
    }
}

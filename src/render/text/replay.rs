//! What a proposal would have changed, for people.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::Page;
use super::figures::{self, count, minute, thousands, window};
use crate::render::sanitize::terminal;
use crate::render::table::{Column, Table};
use crate::report::replay::{Flow, ReplayReport};
use crate::tally::changes::Certainty;

/// Writes the answer.
pub fn render(report: &ReplayReport, page: Page, out: &mut dyn Write) -> io::Result<()> {
    summary(report, page, out)?;
    blocked(report, page, out)?;
    opened(report, page, out)
}

fn summary(report: &ReplayReport, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let window = window(&report.window);
    writeln!(out, "flowaudit {} replay: {window}\n", report.generator.version)?;
    let read = figures::read(&report.coverage);
    let lost: BTreeSet<&String> = report.newly_blocked.rows.iter().flat_map(|row| &row.lost_rules).collect();
    let blocked = match (report.newly_blocked.records, report.newly_blocked.possible_records) {
        (0, 0) => "nothing that these logs show let through".to_owned(),
        (sure, possible) => format!(
            "{} surely, {} possibly, by {} that would be lost",
            count(sure, "record"),
            thousands(possible),
            count(lost.len() as u64, "rule")
        ),
    };
    let blocked = match report.newly_blocked.gone_before_records {
        0 => blocked,
        gone => format!("{blocked}; {} of them by rules that are gone already", thousands(gone)),
    };
    let opened = match report.newly_opened.records {
        0 => "nothing that these logs show refused".to_owned(),
        records => format!("{} that were refused", count(records, "record")),
    };
    let unexplained = format!(
        "{} by the rules in force, {} by those proposed",
        count(report.unexplained.now, "ACCEPT"),
        thousands(report.unexplained.proposed)
    );
    for (label, text) in [
        ("Read", read),
        ("Would be blocked", blocked),
        ("Would be opened", opened),
        ("Unexplained", unexplained),
    ] {
        page.paragraph(out, &format!("{label}: {text}"))?;
    }
    let failed = report.coverage.files.failed;
    if failed > 0 {
        page.paragraph(
            out,
            &format!("{} could not be read: what they hold is not judged.", count(failed, "file")),
        )?;
    }
    Ok(())
}

fn blocked(report: &ReplayReport, page: Page, out: &mut dyn Write) -> io::Result<()> {
    if report.newly_blocked.rows.is_empty() {
        return Ok(());
    }
    missed(report, page, out)?;
    page.heading(out, "Would be blocked")?;
    let mut rows: Vec<_> = report.newly_blocked.rows.iter().collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.certainty), std::cmp::Reverse(row.records)));
    let columns = [
        Column::Number("RECORDS"),
        Column::Fixed("HOW SURE"),
        Column::Fixed("PORT"),
        Column::Flexible("PEER"),
        Column::Flexible("INTERFACE"),
        Column::Fixed("LAST SEEN"),
    ];
    let mut table = Table::new(&columns);
    for row in rows {
        table.row(vec![
            thousands(row.records),
            row.certainty.to_owned(),
            port(&row.flow),
            terminal(&row.flow.peer).into_owned(),
            terminal(&row.flow.interface_id).into_owned(),
            row.last_seen.as_deref().map(minute).unwrap_or_default(),
        ]);
    }
    table.write(out, page.width, page.limit)?;
    writeln!(out)?;
    let text = "Connections that are open when a rule goes live on, so that what breaks may show days later.";
    page.paragraph(out, text)
}

/// What is known of a rule that would be lost.
#[derive(Default)]
struct Missed<'a> {
    records: u64,
    possible: u64,
    peers: BTreeSet<&'a str>,
    last_seen: Option<&'a str>,
}

/// The rules lost, by how much they are missed.
fn missed(report: &ReplayReport, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let mut by_rules: BTreeMap<&[String], Missed<'_>> = BTreeMap::new();
    for row in &report.newly_blocked.rows {
        let missed = by_rules.entry(&row.lost_rules).or_default();
        if row.certainty == Certainty::Sure.as_str() {
            missed.records += row.records;
        } else {
            missed.possible += row.records;
        }
        missed.peers.insert(&row.flow.peer);
        missed.last_seen = missed.last_seen.max(row.last_seen.as_deref());
    }
    let mut by_rules: Vec<_> = by_rules.into_iter().collect();
    by_rules.sort_by_key(|(_, missed)| std::cmp::Reverse((missed.records, missed.possible)));
    page.heading(out, "Rules that would be missed")?;
    let mut table = Table::new(&[
        Column::Number("RECORDS"),
        Column::Number("POSSIBLE"),
        Column::Number("PEERS"),
        Column::Fixed("LAST SEEN"),
        Column::Flexible("RULE"),
    ]);
    for (rules, missed) in by_rules {
        table.row(vec![
            thousands(missed.records),
            thousands(missed.possible),
            thousands(missed.peers.len() as u64),
            missed.last_seen.map(minute).unwrap_or_default(),
            terminal(&rules.join(", ")).into_owned(),
        ]);
    }
    table.write(out, page.width, page.limit)
}

fn opened(report: &ReplayReport, page: Page, out: &mut dyn Write) -> io::Result<()> {
    if report.newly_opened.rows.is_empty() {
        return Ok(());
    }
    page.heading(out, "Would be opened")?;
    let mut rows: Vec<_> = report.newly_opened.rows.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.records));
    let columns = [
        Column::Number("RECORDS"),
        Column::Fixed("PORT"),
        Column::Flexible("PEER"),
        Column::Flexible("INTERFACE"),
        Column::Fixed("LAST SEEN"),
        Column::Flexible("BY RULE"),
    ];
    let mut table = Table::new(&columns);
    for row in rows {
        table.row(vec![
            thousands(row.records),
            port(&row.flow),
            terminal(&row.flow.peer).into_owned(),
            terminal(&row.flow.interface_id).into_owned(),
            row.last_seen.as_deref().map(minute).unwrap_or_default(),
            terminal(&row.opening_rules.join(", ")).into_owned(),
        ]);
    }
    table.write(out, page.width, page.limit)
}

fn port(flow: &Flow) -> String {
    let way = match flow.direction {
        crate::flow::Direction::Ingress => "in",
        crate::flow::Direction::Egress => "out",
    };
    match (flow.port, flow.port_range) {
        (Some(port), _) if port > 0 => format!("{way} {}/{port}", flow.protocol),
        (None, Some([from, to])) => format!("{way} {}/{from}-{to}", flow.protocol),
        _ => format!("{way} {}", flow.protocol),
    }
}

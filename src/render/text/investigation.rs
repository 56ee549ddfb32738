//! An investigation, for people.

use std::io::{self, Write};
use std::net::IpAddr;

use super::Page;
use super::figures::{self, count, minute, thousands, window};
use crate::flow::protocol_name;
use crate::investigation::bytes::bytes;
use crate::investigation::conversations::Opener;
use crate::investigation::report::{ConversationRow, Investigation};
use crate::investigation::summary::Who;
use crate::render::sanitize::terminal;
use crate::render::table::{Column, Table};
use crate::time;

/// Writes the answer.
pub fn render(report: &Investigation, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let window = window(&report.window);
    writeln!(out, "flowaudit {} investigate: {window}\n", report.generator.version)?;
    summary(report, page, out)?;
    who(report, page, out)?;
    findings(report, page, out)?;
    peers(report, page, out)?;
    services(report, page, out)?;
    rules(report, page, out)?;
    page.heading(out, "In order of time")?;
    conversations(&report.conversations, page, out)?;
    if let Some(until) = &report.conversations_until {
        writeln!(out)?;
        let text = format!(
            "From {} on not everything is in this list, for there is too much of it; the sums above are of all. Ask for \
             less: another filter, --until, or from then on with --since.",
            second(until)
        );
        page.paragraph(out, &text)?;
    }
    followed(report, page, out)?;
    touched(report, page, out)
}

fn summary(report: &Investigation, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let summary = &report.summary;
    let read = figures::read(&report.coverage);
    let seen = match (&summary.first_seen, &summary.last_seen) {
        (Some(first), Some(last)) => format!(", from {} to {}", second(first), second(last)),
        _ => String::new(),
    };
    let found = format!(
        "{}: {} accepted, {} rejected{seen}",
        count(summary.accepted + summary.rejected, "record"),
        thousands(summary.accepted),
        thousands(summary.rejected)
    );
    let peers = match summary.distinct_peers {
        Some(peers) => count(peers, "peer"),
        None => "more peers than are kept apart".to_owned(),
    };
    let volume =
        format!("{} in, {} out, with {peers}", bytes(summary.ingress.bytes), bytes(summary.egress.bytes));
    for (label, text) in
        [("Read", read), ("Asked for", question(report)), ("Found", found), ("Volume", volume)]
    {
        page.paragraph(out, &format!("{label}: {text}"))?;
    }
    if summary.far_end_records > 0 && summary.interfaces.iter().any(|who| !who.addresses.is_empty()) {
        let text =
            "of these were seen at the far end: where both ends are logged, each packet is counted at both.";
        page.paragraph(out, &format!("{} {text}", count(summary.far_end_records, "record")))?;
    }
    if summary.unexplained > 0 {
        let text =
            "of what was let through no rule explains: the snapshots may not be those that were in force.";
        page.paragraph(out, &format!("{} {text}", count(summary.unexplained, "record")))?;
    }
    if report.records_not_read > 0 {
        page.paragraph(out, &not_read(report.records_not_read))?;
    }
    let failed = report.coverage.files.failed;
    if failed > 0 {
        page.paragraph(
            out,
            &format!("{} could not be read: what they hold is not here.", count(failed, "file")),
        )?;
    }
    Ok(())
}

pub(crate) fn not_read(records: u64) -> String {
    format!(
        "{} stand in row groups that cannot hold what is asked for, and were not read (--skip-row-groups): who opened a \
         connection, what counts twice and what is new is told by the rest.",
        count(records, "record")
    )
}

pub(crate) fn question(report: &Investigation) -> String {
    let sought = &report.sought;
    let mut asked: Vec<String> = Vec::new();
    for (name, values) in
        [("address", &sought.addresses), ("interface", &sought.interfaces), ("group", &sought.groups)]
    {
        if !values.is_empty() {
            asked.push(format!("{name} {}", terminal(&values.join(" or "))));
        }
    }
    if !sought.ports.is_empty() {
        let ports: Vec<String> = sought
            .ports
            .iter()
            .map(|[from, to]| if from == to { from.to_string() } else { format!("{from}-{to}") })
            .collect();
        asked.push(format!("port {}", ports.join(" or ")));
    }
    asked.extend(sought.action.map(str::to_owned));
    asked.join(", ")
}

fn who(report: &Investigation, page: Page, out: &mut dyn Write) -> io::Result<()> {
    if report.summary.interfaces.is_empty() {
        return Ok(());
    }
    page.heading(out, "Who it is")?;
    let mut table = Table::new(&[
        Column::Fixed("INTERFACE"),
        Column::Flexible("ADDRESSES"),
        Column::Flexible("GROUPS"),
        Column::Flexible("INSTANCE"),
        Column::Fixed("FROM"),
        Column::Fixed("TO"),
    ]);
    for Who { interface_id, from, to, addresses, public_addresses, instance_id, group_ids, description } in
        &report.summary.interfaces
    {
        let addresses: Vec<&str> = addresses.iter().chain(public_addresses).map(String::as_str).collect();
        let it = if instance_id.is_empty() { description } else { instance_id };
        let time = |time: &Option<String>| time.as_deref().map(minute).unwrap_or_default();
        table.row(vec![
            terminal(interface_id).into_owned(),
            terminal(&addresses.join(", ")).into_owned(),
            terminal(&group_ids.join(", ")).into_owned(),
            terminal(it).into_owned(),
            time(from),
            time(to),
        ]);
    }
    table.write(out, page.width, page.limit)
}

fn findings(report: &Investigation, page: Page, out: &mut dyn Write) -> io::Result<()> {
    if report.findings.is_empty() {
        return Ok(());
    }
    page.heading(out, "What it looks like")?;
    for finding in report.findings.iter().take(page.limit) {
        let technique = finding.evidence.get("technique").and_then(|id| id.as_str()).unwrap_or_default();
        let when = finding.evidence.get("first_seen").or(finding.evidence.get("first_let_in"));
        let when = when.and_then(|time| time.as_str()).map(|time| format!(", {}", second(time)));
        let text = format!(
            "{} ({technique}{}). {}",
            finding.title,
            when.unwrap_or_default(),
            finding.recommendation
        );
        let line = format!("{}: {}", page.severity(finding.severity), terminal(&text));
        page.paragraph(out, &line)?;
    }
    let more = report.findings.len().saturating_sub(page.limit);
    if more > 0 {
        page.paragraph(out, &format!("… {} more", thousands(more as u64)))?;
    }
    Ok(())
}

fn peers(report: &Investigation, page: Page, out: &mut dyn Write) -> io::Result<()> {
    if report.summary.peers.is_empty() {
        return Ok(());
    }
    page.heading(out, "With whom")?;
    let mut table = Table::new(&[
        Column::Number("ACCEPTED"),
        Column::Number("REJECTED"),
        Column::Number("IN"),
        Column::Number("OUT"),
        Column::Flexible("PEER"),
        Column::Fixed("FIRST SEEN"),
        Column::Fixed("LAST SEEN"),
    ]);
    for peer in &report.summary.peers {
        table.row(vec![
            thousands(peer.accepted),
            thousands(peer.rejected),
            bytes(peer.bytes_in),
            bytes(peer.bytes_out),
            peer.peer.clone(),
            peer.first_seen.as_deref().map(minute).unwrap_or_default(),
            peer.last_seen.as_deref().map(minute).unwrap_or_default(),
        ]);
    }
    table.write(out, page.width, page.limit)
}

fn services(report: &Investigation, page: Page, out: &mut dyn Write) -> io::Result<()> {
    if report.summary.services.is_empty() {
        return Ok(());
    }
    page.heading(out, "Ports connected to")?;
    let mut table = Table::new(&[
        Column::Number("ACCEPTED"),
        Column::Number("REJECTED"),
        Column::Number("CONVERSATIONS"),
        Column::Fixed("PORT"),
        Column::Fixed("OF"),
    ]);
    for service in &report.summary.services {
        table.row(vec![
            thousands(service.accepted),
            thousands(service.rejected),
            thousands(service.conversations),
            format!("{}/{}", service.protocol, service.port),
            format!("the {}", service.of),
        ]);
    }
    table.write(out, page.width, page.limit)
}

fn rules(report: &Investigation, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let summary = &report.summary;
    if !summary.rules.is_empty() {
        page.heading(out, "Let through by")?;
        let mut table = Table::new(&[
            Column::Number("RECORDS"),
            Column::Number("REPLIES"),
            Column::Number("POSSIBLE"),
            Column::Flexible("RULE"),
        ]);
        let mut rows: Vec<_> = summary.rules.iter().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.records + row.reply_records + row.possible_records));
        for row in rows {
            table.row(vec![
                thousands(row.records),
                thousands(row.reply_records),
                thousands(row.possible_records),
                terminal(&row.rule_key).into_owned(),
            ]);
        }
        table.write(out, page.width, page.limit)?;
    }
    if summary.causes.is_empty() {
        return Ok(());
    }
    page.heading(out, "Refused because of")?;
    let mut table = Table::new(&[Column::Number("RECORDS"), Column::Fixed("CAUSE")]);
    for (cause, records) in &summary.causes {
        table.row(vec![thousands(*records), (*cause).to_owned()]);
    }
    table.write(out, page.width, page.limit)
}

/// Who else spoke with those in contact.
fn followed(report: &Investigation, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let Some(followed) = &report.followed else { return Ok(()) };
    if followed.is_empty() {
        page.heading(out, "One hop further")?;
        return page.paragraph(out, "Nobody else spoke with those in contact on the same ports afterwards.");
    }
    for it in followed.iter().take(page.limit) {
        page.heading(out, &format!("One hop further: {} on {}/{}", it.peer, it.protocol, it.port))?;
        conversations(&it.conversations, page, out)?;
    }
    Ok(())
}

/// What of one hop further is not in the answer.
pub(crate) fn not_shown(report: &Investigation) -> impl Iterator<Item = (u64, &'static str)> {
    let touched = report.touched.as_deref().unwrap_or_default();
    let targets = touched.iter().map(|it| it.distinct_targets - it.targets.len() as u64).sum();
    let all = [
        (targets, "more ports that they went for are not listed."),
        (report.contacts_left_out, "more contacts, the later ones, were not followed: ask for less."),
    ];
    all.into_iter().filter(|(number, _)| *number > 0)
}

/// What else those in contact went for.
fn touched(report: &Investigation, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let touched = report.touched.as_deref().unwrap_or_default();
    if !touched.is_empty() {
        page.heading(out, "What else they went for")?;
        let mut table = Table::new(&[
            Column::Number("ACCEPTED"),
            Column::Number("REJECTED"),
            Column::Fixed("PEER"),
            Column::Fixed("TARGET"),
            Column::Fixed("FIRST SEEN"),
            Column::Fixed("LAST SEEN"),
        ]);
        for (peer, target) in touched.iter().flat_map(|it| it.targets.iter().map(move |target| (it, target)))
        {
            table.row(vec![
                thousands(target.accepted),
                thousands(target.rejected),
                peer.peer.clone(),
                format!("{} {}/{}", target.target, target.protocol, target.port),
                target.first_seen.as_deref().map(minute).unwrap_or_default(),
                target.last_seen.as_deref().map(minute).unwrap_or_default(),
            ]);
        }
        table.write(out, page.width, page.limit)?;
    }
    for (number, what) in not_shown(report) {
        page.paragraph(out, &format!("{} {what}", thousands(number)))?;
    }
    match &report.followed_until {
        None => Ok(()),
        Some(until) => page.paragraph(
            out,
            &format!(
                "From {} on not all of what they did was looked at, for there is too much of it.",
                second(until)
            ),
        ),
    }
}

fn conversations(rows: &[ConversationRow], page: Page, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        Column::Fixed("BEGAN"),
        Column::Number("SECONDS"),
        Column::Fixed("FROM"),
        Column::Fixed("TO"),
        Column::Number("IN"),
        Column::Number("OUT"),
        Column::Flexible("LET THROUGH BY"),
    ]);
    for row in rows {
        let (from, to) = ends(row);
        let refused = format!("refused: {}", row.causes.join(", "));
        let rules: Vec<String> = row.rules.iter().map(|key| turned(key)).collect();
        let by = match (row.accepted, row.rejected) {
            (0, _) => refused,
            (_, 0) => rules.join(", "),
            _ => format!("{}; {refused}", rules.join(", ")),
        };
        table.row(vec![
            row.first_seen.map(|first| second(&time::format(first))).unwrap_or_default(),
            row.duration_seconds.map(|seconds| thousands(seconds.unsigned_abs())).unwrap_or_default(),
            from,
            to,
            bytes(row.bytes_in),
            bytes(row.bytes_out),
            terminal(&by).into_owned(),
        ]);
    }
    table.write(out, page.width, page.limit)
}

/// Who opened it, and whom, at which port; as the records lie where nothing tells.
pub(crate) fn ends(row: &ConversationRow) -> (String, String) {
    let protocol = protocol_name(row.protocol);
    let at = |address: IpAddr, port: u16| match port {
        0 => format!("{address} {protocol}"),
        port => format!("{address} {protocol}/{port}"),
    };
    match row.opened_by {
        Some(Opener::Interface) => (row.address.to_string(), at(row.peer, row.peer_port)),
        Some(Opener::Peer) => (row.peer.to_string(), at(row.address, row.local_port)),
        None => (format!("? {}", at(row.peer, row.peer_port)), at(row.address, row.local_port)),
    }
}

/// A rule key with its group behind it: what is cut off of a long line matters least.
fn turned(key: &str) -> String {
    key.split_once(':').map_or_else(|| key.to_owned(), |(group, rule)| format!("{rule} of {group}"))
}

/// `2026-03-02T00:00:10Z` → `2026-03-02 00:00:10`.
fn second(time: &str) -> String {
    time.trim_end_matches('Z').replacen('T', " ", 1)
}

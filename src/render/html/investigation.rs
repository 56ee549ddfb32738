//! An investigation as one page: who it is, what it looks like, what came when.

use std::io::{self, Write};

use super::findings::{severity, with_evidence};
use super::markup::{Cell, Column, Escaped, Row, table, tools};
use super::summary::{SEVERITIES, card};
use super::{foot, head, timeline};
use crate::investigation::bytes::bytes;
use crate::investigation::report::{ConversationRow, Investigation};
use crate::render::text::figures::{count, thousands, window};
use crate::render::text::investigation::{ends, not_read, not_shown, question};
use crate::time;

const SECTIONS: [(&str, &str); 6] = [
    ("summary", "Summary"),
    ("findings", "What it looks like"),
    ("timeline", "In time"),
    ("conversations", "Conversations"),
    ("with", "With whom, and by which rules"),
    ("followed", "One hop further"),
];

/// Writes the page.
pub fn render(report: &Investigation, out: &mut dyn Write) -> io::Result<()> {
    let title = format!("Investigation: {}", question(report));
    let sections = if report.followed.is_some() { &SECTIONS[..] } else { &SECTIONS[..5] };
    head(&title, "findings", sections, out)?;
    summary(report, out)?;
    findings(report, out)?;
    timeline::write(report, out)?;
    conversations(report, out)?;
    with(report, out)?;
    followed(report, out)?;
    foot(&report.generator, out)
}

fn summary(report: &Investigation, out: &mut dyn Write) -> io::Result<()> {
    let summary = &report.summary;
    let files = &report.coverage.files;
    writeln!(
        out,
        "<section id=\"summary\"><h2>Summary</h2><p>{}</p><ul class=\"cards\">",
        Escaped(&window(&report.window))
    )?;
    card(out, &thousands(summary.accepted), "records let through")?;
    card(out, &thousands(summary.rejected), "records refused")?;
    card(out, &bytes(summary.ingress.bytes), "in")?;
    card(out, &bytes(summary.egress.bytes), "out")?;
    let peers = summary.distinct_peers.map_or("many".to_owned(), thousands);
    card(out, &peers, "peers")?;
    card(
        out,
        &thousands(report.coverage.records.total),
        &format!("records read in {}", count(files.read, "file")),
    )?;
    writeln!(out, "</ul>")?;
    if files.failed > 0 {
        let failed = count(files.failed, "file");
        writeln!(out, "<p class=\"high\">{failed} could not be read: what they hold is not here.</p>")?;
    }
    if summary.unexplained > 0 {
        writeln!(
            out,
            "<p class=\"high\">Of {} let through no rule explains it: the snapshots may not be those that were in force.</p>",
            count(summary.unexplained, "record")
        )?;
    }
    if report.records_not_read > 0 {
        writeln!(out, "<p class=\"high\">{}</p>", Escaped(&not_read(report.records_not_read)))?;
    }
    if !summary.interfaces.is_empty() {
        let columns = ["Interface", "Addresses", "Groups", "Instance", "From", "To"].map(Column::Text);
        let rows = summary.interfaces.iter().map(|who| {
            let addresses: Vec<&str> =
                who.addresses.iter().chain(&who.public_addresses).map(String::as_str).collect();
            let it = if who.instance_id.is_empty() { &who.description } else { &who.instance_id };
            let cells = [
                who.interface_id.clone(),
                addresses.join(", "),
                who.group_ids.join(", "),
                it.clone(),
                who.from.clone().unwrap_or_default(),
                who.to.clone().unwrap_or_default(),
            ];
            Row { by: Vec::new(), cells: cells.map(Cell::Text).into() }
        });
        table(out, "Who it is", &columns, summary.interfaces.len(), rows)?;
    }
    writeln!(out, "</section>")
}

fn findings(report: &Investigation, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<section id=\"findings\"><h2>What it looks like</h2>")?;
    if report.findings.is_empty() {
        return writeln!(out, "<p>Nothing of what is looked for.</p></section>");
    }
    let severities = SEVERITIES.map(|severity| (severity.as_str(), severity.as_str()));
    tools(out, "findings", &[("severity", "Severity", &severities)])?;
    let columns = ["Severity", "Finding", "Technique", "What to do"].map(Column::Text);
    let rows = report.findings.iter().map(|finding| {
        let word = |key: &str| finding.evidence.get(key).and_then(|word| word.as_str()).unwrap_or_default();
        Row {
            by: vec![("severity", finding.severity.as_str())],
            cells: vec![
                severity(finding.severity),
                with_evidence(finding),
                Cell::Text(format!("{} {}", word("technique"), word("technique_name")).trim().to_owned()),
                Cell::Text(finding.recommendation.clone()),
            ],
        }
    });
    table(out, "Patterns, worst first", &columns, report.findings.len(), rows)?;
    writeln!(out, "</section>")
}

const CONVERSATION: [Column; 9] = [
    Column::Text("Began"),
    Column::Number("Seconds"),
    Column::Text("From"),
    Column::Text("To"),
    Column::Number("Let through"),
    Column::Number("Refused"),
    Column::Number("Bytes in"),
    Column::Number("Bytes out"),
    Column::Text("By"),
];

fn conversations(report: &Investigation, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<section id=\"conversations\"><h2>Conversations</h2>")?;
    if let Some(until) = &report.conversations_until {
        writeln!(
            out,
            "<p class=\"high\">From {} on not everything is in this list, for there is too much of it; the sums above are of \
             all.</p>",
            Escaped(until)
        )?;
    }
    tools(
        out,
        "conversations",
        &[("end", "What became of it", &[("accepted", "let through"), ("refused", "refused")])],
    )?;
    let all = &report.conversations;
    table(out, "In order of time", &CONVERSATION, all.len(), all.iter().map(conversation))?;
    writeln!(out, "</section>")
}

fn conversation(it: &ConversationRow) -> Row {
    let (from, to) = ends(it);
    let by = it.rules.iter().map(AsRef::as_ref).chain(it.causes.iter().copied());
    let by: Vec<&str> = by.collect();
    Row {
        by: vec![("end", if it.accepted > 0 { "accepted" } else { "refused" })],
        cells: vec![
            Cell::Text(it.first_seen.map(time::format).unwrap_or_default()),
            it.duration_seconds.map_or(Cell::Empty, |seconds| Cell::Number(seconds.unsigned_abs())),
            Cell::Text(from),
            Cell::Text(to),
            Cell::Number(it.accepted),
            Cell::Number(it.rejected),
            Cell::Number(it.bytes_in),
            Cell::Number(it.bytes_out),
            Cell::Text(by.join(", ")),
        ],
    }
}

fn with(report: &Investigation, out: &mut dyn Write) -> io::Result<()> {
    let summary = &report.summary;
    writeln!(out, "<section id=\"with\"><h2>With whom, and by which rules</h2>")?;
    let columns = [
        Column::Text("Peer"),
        Column::Number("Let through"),
        Column::Number("Refused"),
        Column::Number("Bytes in"),
        Column::Number("Bytes out"),
        Column::Text("First seen"),
        Column::Text("Last seen"),
    ];
    let rows = summary.peers.iter().map(|peer| Row {
        by: Vec::new(),
        cells: vec![
            Cell::Text(peer.peer.clone()),
            Cell::Number(peer.accepted),
            Cell::Number(peer.rejected),
            Cell::Number(peer.bytes_in),
            Cell::Number(peer.bytes_out),
            Cell::Text(peer.first_seen.clone().unwrap_or_default()),
            Cell::Text(peer.last_seen.clone().unwrap_or_default()),
        ],
    });
    table(out, "Peers with most records", &columns, summary.peers.len(), rows)?;
    let columns = [
        Column::Text("Port"),
        Column::Text("Of"),
        Column::Number("Conversations"),
        Column::Number("Let through"),
        Column::Number("Refused"),
    ];
    let rows = summary.services.iter().map(|service| Row {
        by: Vec::new(),
        cells: vec![
            Cell::Text(format!("{}/{}", service.protocol, service.port)),
            Cell::Text(format!("the {}", service.of)),
            Cell::Number(service.conversations),
            Cell::Number(service.accepted),
            Cell::Number(service.rejected),
        ],
    });
    table(out, "Ports connected to", &columns, summary.services.len(), rows)?;
    let columns = [
        Column::Text("Rule"),
        Column::Number("Records"),
        Column::Number("Replies"),
        Column::Number("Possible"),
    ];
    let rows = summary.rules.iter().map(|rule| Row {
        by: Vec::new(),
        cells: vec![
            Cell::Text(rule.rule_key.clone()),
            Cell::Number(rule.records),
            Cell::Number(rule.reply_records),
            Cell::Number(rule.possible_records),
        ],
    });
    table(out, "Let through by", &columns, summary.rules.len(), rows)?;
    let columns = [Column::Text("Cause"), Column::Number("Records")];
    let rows = summary.causes.iter().map(|(cause, records)| Row {
        by: Vec::new(),
        cells: vec![Cell::Text((*cause).to_owned()), Cell::Number(*records)],
    });
    table(out, "Refused because of", &columns, summary.causes.len(), rows)?;
    writeln!(out, "</section>")
}

fn followed(report: &Investigation, out: &mut dyn Write) -> io::Result<()> {
    let Some(followed) = &report.followed else { return Ok(()) };
    writeln!(out, "<section id=\"followed\"><h2>One hop further</h2>")?;
    if followed.is_empty() {
        writeln!(out, "<p>Nobody else spoke with those in contact on the same ports afterwards.</p>")?;
    }
    for it in followed {
        let caption = format!("{} on {}/{}", it.peer, it.protocol, it.port);
        let rows = it.conversations.iter().map(conversation);
        table(out, &caption, &CONVERSATION, it.conversations.len(), rows)?;
    }
    let touched = report.touched.as_deref().unwrap_or_default();
    let columns = [
        Column::Text("Peer"),
        Column::Text("Target"),
        Column::Number("Let through"),
        Column::Number("Refused"),
        Column::Text("First seen"),
        Column::Text("Last seen"),
    ];
    let rows = touched.iter().flat_map(|it| it.targets.iter().map(move |target| (it, target)));
    let rows = rows.map(|(peer, target)| Row {
        by: Vec::new(),
        cells: vec![
            Cell::Text(peer.peer.clone()),
            Cell::Text(format!("{} {}/{}", target.target, target.protocol, target.port)),
            Cell::Number(target.accepted),
            Cell::Number(target.rejected),
            Cell::Text(target.first_seen.clone().unwrap_or_default()),
            Cell::Text(target.last_seen.clone().unwrap_or_default()),
        ],
    });
    let count = touched.iter().map(|it| it.targets.len()).sum();
    table(out, "What else they went for", &columns, count, rows)?;
    for (number, what) in not_shown(report) {
        writeln!(out, "<p class=\"soft\">{} {what}</p>", thousands(number))?;
    }
    if let Some(until) = &report.followed_until {
        writeln!(
            out,
            "<p class=\"high\">From {} on not all of what they did was looked at, for there is too much of it.</p>",
            Escaped(until)
        )?;
    }
    writeln!(out, "</section>")
}

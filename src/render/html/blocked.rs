//! What was refused, where and by whom.

use std::cmp::Reverse;
use std::io::{self, Write};

use super::markup::{Cell, Column, Row, table, tools};
use crate::render::text::figures::minute;
use crate::report::{BlockedRow, PeerCount, Report};

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<section id=\"blocked\"><h2>Blocked</h2>")?;
    if report.blocked.is_empty() {
        return writeln!(out, "<p>No REJECT.</p></section>");
    }
    let summary = &report.blocked_summary;
    writeln!(out, "<div class=\"columns\">")?;
    peers("Internal peers", &summary.internal_peers, out)?;
    peers("Peers of the internet", &summary.internet_peers, out)?;
    peers("Where interfaces tried to go", &summary.egress_peers, out)?;
    let ports = summary.ports.iter().map(|port| {
        let [from, to] = port.port_range;
        let name = if from == to {
            format!("{}/{from}", port.protocol)
        } else {
            format!("{}/{from}-{to}", port.protocol)
        };
        Row { by: Vec::new(), cells: vec![Cell::Text(name), Cell::Number(port.records)] }
    });
    table(out, "Ports", &[Column::Text("Port"), Column::Number("Records")], summary.ports.len(), ports)?;
    writeln!(out, "</div><br>")?;
    tools(out, "blocked", &[])?;
    let mut rows: Vec<&BlockedRow> = report.blocked.iter().collect();
    rows.sort_by_key(|row| Reverse(row.records));
    let columns = [
        Column::Number("Records"),
        Column::Text("Cause"),
        Column::Text("Port"),
        Column::Text("Interface"),
        Column::Text("Peers"),
        Column::Text("Last seen"),
    ];
    table(out, "Refused records, most first", &columns, rows.len(), rows.iter().map(|row| blocked(row)))?;
    writeln!(out, "</section>")
}

fn peers(caption: &str, peers: &[PeerCount], out: &mut dyn Write) -> io::Result<()> {
    if peers.is_empty() {
        return Ok(());
    }
    let rows = peers.iter().map(|peer| Row {
        by: Vec::new(),
        cells: vec![Cell::Text(peer.peer.clone()), Cell::Number(peer.records)],
    });
    table(out, caption, &[Column::Text("Peer"), Column::Number("Records")], peers.len(), rows)
}

fn blocked(row: &BlockedRow) -> Row {
    let way = match row.direction {
        Some(crate::flow::Direction::Ingress) => "in ",
        Some(crate::flow::Direction::Egress) => "out ",
        None => "",
    };
    let port = match (row.port, row.port_range) {
        (Some(0), _) | (None, None) => format!("{way}{}", row.protocol),
        (Some(port), _) => format!("{way}{}/{port}", row.protocol),
        (None, Some([from, to])) => format!("{way}{}/{from}-{to}", row.protocol),
    };
    let named: Vec<&str> = row.top_peers.iter().take(3).map(|peer| peer.peer.as_str()).collect();
    let more = match row.distinct_peers {
        Some(all) if all > named.len() as u64 => format!(" and {} more", all - named.len() as u64),
        None => " and others".to_owned(),
        Some(_) => String::new(),
    };
    Row {
        by: Vec::new(),
        cells: vec![
            Cell::Number(row.records),
            Cell::Text(row.cause.as_str().replace('_', " ")),
            Cell::Text(port),
            Cell::Text(row.interface_id.clone()),
            Cell::Text(format!("{}{more}", named.join(", "))),
            row.last_seen.as_deref().map_or(Cell::Empty, |last| Cell::Text(minute(last))),
        ],
    }
}

//! `investigate --format csv`: the conversations, one to a line.

use std::io::{self, Write};

use super::{Row, table, word};
use crate::flow::protocol_name;
use crate::investigation::report::{ConversationRow, Investigation};
use crate::time;

/// Writes the conversations.
pub fn render(report: &Investigation, out: &mut dyn Write) -> io::Result<()> {
    let head = [
        "first_seen",
        "last_seen",
        "duration_seconds",
        "interface_id",
        "protocol",
        "address",
        "local_port",
        "peer",
        "peer_port",
        "opened_by",
        "accepted",
        "rejected",
        "packets_in",
        "bytes_in",
        "packets_out",
        "bytes_out",
        "tcp_flags",
        "basis",
        "rules",
        "causes",
    ];
    table(out, &head, report.conversations.iter().map(row))
}

fn row(it: &ConversationRow) -> Row {
    let basis: Vec<String> = it.basis.iter().map(word).collect();
    Row::default()
        .text_if(it.first_seen.map(time::format).as_deref())
        .text_if(it.last_seen.map(time::format).as_deref())
        .own_if(it.duration_seconds)
        .text(&it.interface_id)
        .own(protocol_name(it.protocol))
        .own(it.address)
        .own(it.local_port)
        .own(it.peer)
        .own(it.peer_port)
        .own_if(it.opened_by.as_ref().map(word))
        .own(it.accepted)
        .own(it.rejected)
        .own(it.packets_in)
        .own(it.bytes_in)
        .own(it.packets_out)
        .own(it.bytes_out)
        .own(it.tcp_flags)
        .own(basis.join(" "))
        .text(&it.rules.join(" "))
        .own(it.causes.join(" "))
}

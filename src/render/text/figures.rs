//! Figures and rules as people read them.

use std::collections::BTreeMap;

use crate::flow::Direction;
use crate::render::sanitize::terminal;
use crate::report::{Coverage, Report, RuleRow, Window};
use crate::rules::Rule;

/// `1,234,567`.
pub(in crate::render) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `2 rows`.
pub(in crate::render) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(number))
}

/// `10 records in 2 files: 8 accepted, 2 rejected`.
pub(in crate::render) fn read(Coverage { records, files, .. }: &Coverage) -> String {
    format!(
        "{} in {}: {} accepted, {} rejected",
        count(records.total, "record"),
        count(files.read, "file"),
        thousands(records.accepted),
        thousands(records.rejected)
    )
}

/// `98.7 %`, never rounded up to a whole.
pub(in crate::render) fn percent(part: u64, whole: u64) -> String {
    let permille = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{}.{} %", permille / 10, permille % 10)
}

/// `2026-03-02 00:00` of an RFC 3339 time.
pub(in crate::render) fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

/// From when to when the records speak.
pub(in crate::render) fn window(window: &Window) -> String {
    match (&window.first_seen, &window.last_seen) {
        (Some(first), Some(last)) => format!("{} to {} UTC", minute(first), minute(last)),
        _ => "no traffic records".to_owned(),
    }
}

/// Groups by id as people know them: the name, with the id where several groups have it; the id where there is no name.
pub(in crate::render) fn names(report: &Report) -> BTreeMap<&str, String> {
    let names: BTreeMap<&str, &str> =
        report.rules.iter().map(|row| (row.group_id.as_str(), row.group_name.as_str())).collect();
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names.values() {
        *uses.entry(name).or_default() += 1;
    }
    let shown = names.iter().map(|(id, name)| {
        let text = match *name {
            "" => (*id).to_owned(),
            name if uses[name] > 1 => format!("{name} {id}"),
            name => name.to_owned(),
        };
        (*id, terminal(&text).into_owned())
    });
    shown.collect()
}

/// `in tcp/22 from 0.0.0.0/0`; of ranked rules `drop in tcp/22 from 0.0.0.0/0, priority 1`.
pub(in crate::render) fn rule(row: &RuleRow) -> String {
    let way = match row.direction {
        Direction::Ingress => "in",
        Direction::Egress => "out",
    };
    let what = opened(row.direction, &row.protocol, (row.from_port, row.to_port), &row.peer.value);
    let (drop, rank) = match row.priority {
        Some(priority) => (if row.action == "deny" { "drop " } else { "" }, format!(", priority {priority}")),
        None => ("", String::new()),
    };
    format!("{drop}{way} {what}{rank}")
}

/// `tcp/22 from 0.0.0.0/0`: what a rule opens that is to take the place of another one.
pub(in crate::render) fn narrow(rule: &Rule) -> String {
    let ports = (rule.from_port, rule.to_port);
    opened(rule.direction, &rule.protocol.report_word(), ports, &rule.peer.to_string())
}

/// How much less is open, of what was not used.
pub(crate) fn closed((before, after): (u64, u64)) -> String {
    percent(before.saturating_sub(after), before)
}

fn opened(
    direction: Direction,
    protocol: &str,
    (from_port, to_port): (Option<u16>, Option<u16>),
    peer: &str,
) -> String {
    let ports = match (protocol, from_port, to_port) {
        ("icmp" | "icmpv6", Some(kind), None) => format!(" type {kind}"),
        ("icmp" | "icmpv6", Some(kind), Some(code)) => format!(" type {kind} code {code}"),
        ("all", ..) | (_, None, None) => String::new(),
        (_, from, to) if from == to => format!("/{}", from.unwrap_or(0)),
        (_, from, to) => format!("/{}-{}", from.unwrap_or(0), to.unwrap_or(u16::MAX)),
    };
    let side = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    format!("{}{ports} {side} {}", terminal(protocol), terminal(peer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_and_never_rounded_up() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(12_345_678), "12,345,678");
        assert_eq!(percent(9_999, 10_000), "99.9 %");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(0, 0), "0.0 %");
    }
}

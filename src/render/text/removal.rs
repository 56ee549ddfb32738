//! The rules that can go together.

use std::io::{self, Write};

use super::Page;
use super::figures::{names, rule};
use crate::findings::removal::Ground;
use crate::findings::removal::fewest::Method;
use crate::render::table::{Column, Table};
use crate::report::Report;

pub(super) fn write(report: &Report, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let set = &report.removal_set;
    if set.steps.is_empty() {
        return Ok(());
    }
    page.heading(out, "What can go together")?;
    let largest = match set.method {
        Method::Exact => "No larger set of these rules does that.",
        Method::Greedy => "There may be a larger one.",
    };
    let text = format!(
        "Without these rules every ACCEPT of these logs is still allowed by a rule that stays. {largest} The least risk \
         comes first; ask the owners, and take a few at a time."
    );
    page.paragraph(out, &text)?;
    let names = names(report);
    let mut table =
        Table::new(&[Column::Flexible("GROUP"), Column::Flexible("RULE"), Column::Fixed("BECAUSE")]);
    for step in &set.steps {
        let Some(row) = report.rules.iter().find(|row| row.rule_key == step.rule_key) else { continue };
        let group = names.get(row.group_id.as_str()).cloned().unwrap_or_default();
        table.row(vec![group, rule(row), because(step.ground).to_owned()]);
    }
    table.write(out, page.width, page.limit)
}

fn because(ground: Ground) -> &'static str {
    match ground {
        Ground::Unattached => "on no interface",
        Ground::Ineffective => "never decides",
        Ground::NotSeen => "not seen, high confidence",
        Ground::Redundant => "others let the same through",
        Ground::NotSeenWithDoubt => "not seen, with doubt",
        Ground::UnattachedWithDoubt => "on no interface, with doubt",
    }
}

//! Text as text, and tables.

use std::fmt;
use std::io::{self, Write};

use super::MOST_ROWS;
use crate::render::sanitize::terminal;
use crate::render::text::figures::thousands;

/// Text that is no markup, between tags and in quoted attributes. What hides or turns around text is shown.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in terminal(self.0).chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}

/// A column of a table.
#[derive(Clone, Copy)]
pub(super) enum Column {
    /// Words.
    Text(&'static str),
    /// Figures, to the right, largest first when sorted.
    Number(&'static str),
}

/// A cell.
pub(super) enum Cell {
    /// What somebody may have written.
    Text(String),
    /// Markup of ours.
    Markup(String),
    /// A figure.
    Number(u64),
    /// Nothing.
    Empty,
}

/// A row: what it is filtered by, and its cells.
pub(super) struct Row {
    pub(super) by: Vec<(&'static str, &'static str)>,
    pub(super) cells: Vec<Cell>,
}

/// Opens a table.
pub(super) fn begin_table(out: &mut dyn Write, caption: &str, columns: &[Column]) -> io::Result<()> {
    write!(
        out,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table><caption>{caption}</caption><thead><tr>",
        caption = Escaped(caption)
    )?;
    for column in columns {
        match column {
            Column::Text(name) => write!(out, "<th scope=\"col\" data-by=\"rising\">{name}</th>")?,
            Column::Number(name) => {
                write!(out, "<th scope=\"col\" class=\"number\" data-by=\"falling\">{name}</th>")?;
            }
        }
    }
    write!(out, "</tr></thead><tbody>")
}

/// Closes a table.
pub(super) fn end_table(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "</tbody></table></div>")
}

/// A row of a table.
pub(super) fn row(out: &mut dyn Write, columns: &[Column], row: &Row) -> io::Result<()> {
    write!(out, "<tr")?;
    for (name, value) in &row.by {
        write!(out, " data-{name}=\"{value}\"")?;
    }
    write!(out, ">")?;
    for (cell, column) in row.cells.iter().zip(columns) {
        let (Column::Text(name) | Column::Number(name)) = column;
        match cell {
            Cell::Text(text) => write!(out, "<td>{}</td>", Escaped(text))?,
            Cell::Markup(markup) => write!(out, "<td>{markup}</td>")?,
            Cell::Number(number) => {
                // Where there is no head above it, a figure says what it is.
                write!(
                    out,
                    "<td class=\"number\" data-label=\"{name}\" data-sort=\"{number}\">{}</td>",
                    thousands(*number)
                )?;
            }
            Cell::Empty => write!(out, "<td></td>")?,
        }
    }
    writeln!(out, "</tr>")
}

/// A table with as many rows as a section has, and how many are left out.
pub(super) fn table(
    out: &mut dyn Write,
    caption: &str,
    columns: &[Column],
    count: usize,
    rows: impl Iterator<Item = Row>,
) -> io::Result<()> {
    begin_table(out, caption, columns)?;
    for one in rows.take(MOST_ROWS) {
        row(out, columns, &one)?;
    }
    end_table(out)?;
    left_out(out, count.saturating_sub(MOST_ROWS))
}

/// Says how many rows are not shown.
pub(super) fn left_out(out: &mut dyn Write, more: usize) -> io::Result<()> {
    if more == 0 {
        return Ok(());
    }
    writeln!(out, "<p class=\"soft\">… {} more rows, in the JSON report.</p>", thousands(more as u64))
}

/// A name, a label, and values with the words for them.
pub(super) type Choice<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// A search box, and choices, over the rows of a section. Shown only where scripts run.
pub(super) fn tools(out: &mut dyn Write, of: &str, choices: &[Choice<'_>]) -> io::Result<()> {
    write!(
        out,
        "<div class=\"tools\" data-of=\"{of}\" hidden><label>Search<input type=\"search\" autocomplete=\"off\"></label>"
    )?;
    for (name, label, values) in choices {
        write!(out, "<label>{label}<select name=\"{name}\"><option value=\"\">all</option>")?;
        for (value, shown) in *values {
            write!(out, "<option value=\"{value}\">{shown}</option>")?;
        }
        write!(out, "</select></label>")?;
    }
    writeln!(out, "<output aria-live=\"polite\" class=\"soft\"></output></div>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        let cases = [
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\" onload=\"x", "&quot; onload=&quot;x"),
            ("' & '", "&#39; &amp; &#39;"),
            ("a\u{202e}b\n", "a\\u{202e}b\\u{a}"),
        ];
        for (text, shown) in cases {
            assert_eq!(Escaped(text).to_string(), shown);
        }
    }
}

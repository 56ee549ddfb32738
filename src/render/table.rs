//! Aligned columns that never grow wider than the page.

use std::io::{self, Write};

use console::{Alignment, measure_text_width, pad_str, truncate_str};

/// How a column is aligned, and whether it gives way when the page is too narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Text that is cut only when nothing else can give way.
    Fixed(&'static str),
    /// Text that is cut when the page is too narrow.
    Flexible(&'static str),
    /// Numbers, to the right.
    Number(&'static str),
}

impl Column {
    fn head(self) -> &'static str {
        match self {
            Self::Fixed(head) | Self::Flexible(head) | Self::Number(head) => head,
        }
    }
}

/// Space between columns.
const GAP: usize = 2;
/// A flexible column is never cut below this.
const NARROWEST: usize = 4;

/// Rows under a head. Cells are already safe for a terminal, and may be coloured.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row of as many cells as there are columns.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Writes it indented by two spaces, at most `limit` rows, and how many are left out.
    pub fn write(&self, out: &mut dyn Write, page: usize, limit: usize) -> io::Result<()> {
        let shown = &self.rows[..self.rows.len().min(limit)];
        let widths = self.widths(shown, page.saturating_sub(GAP));
        let heads: Vec<String> = self.columns.iter().map(|column| column.head().to_owned()).collect();
        self.line(out, &heads, &widths)?;
        for row in shown {
            self.line(out, row, &widths)?;
        }
        match self.rows.len() - shown.len() {
            0 => Ok(()),
            more => writeln!(out, "  … {more} more (--limit 0 shows all)"),
        }
    }

    fn widths(&self, rows: &[Vec<String>], page: usize) -> Vec<usize> {
        let width = |at: usize| {
            let cells = rows.iter().map(|row| measure_text_width(&row[at]));
            cells.chain([measure_text_width(self.columns[at].head())]).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let gaps = GAP * self.columns.len().saturating_sub(1);
        // The widest flexible column gives way first.
        while widths.iter().sum::<usize>() + gaps > page {
            let widest = |gives_way: fn(&Column) -> bool| {
                let columns = self.columns.iter().zip(&widths).enumerate();
                let columns = columns.filter(|(_, (column, width))| gives_way(column) && **width > NARROWEST);
                columns.max_by_key(|(_, (_, width))| **width).map(|(at, _)| at)
            };
            let flexible = widest(|column| matches!(column, Column::Flexible(_)));
            let Some(at) = flexible.or_else(|| widest(|column| matches!(column, Column::Fixed(_)))) else {
                break;
            };
            widths[at] -= 1;
        }
        widths
    }

    fn line(&self, out: &mut dyn Write, cells: &[String], widths: &[usize]) -> io::Result<()> {
        let padded = self.columns.iter().zip(cells).zip(widths).map(|((column, cell), width)| {
            let cut = truncate_str(cell, *width, "…");
            let alignment =
                if matches!(column, Column::Number(_)) { Alignment::Right } else { Alignment::Left };
            pad_str(&cut, *width, alignment, None).into_owned()
        });
        let line = padded.collect::<Vec<_>>().join("  ");
        writeln!(out, "  {}", line.trim_end())
    }
}

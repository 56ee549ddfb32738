//! Rows of text inside other containers: events of `CloudWatch` Logs, `@message` columns.
//!
//! No header line comes with them, so the layout is the one given, or the default format. When not one row had the
//! columns of the layout, the file is refused with the advice to give another.

use super::head::without_time;
use super::layout::{Layout, shown, tokens};
use super::text::RowParser;
use super::{FileFailure, Place, ReadOptions, RowFault, Sink};

/// Parses rows that stand alone.
pub(super) struct Messages {
    layout: Layout,
    parser: RowParser,
    /// Whether the layout is known to be right: a row had as many columns.
    fits: bool,
    /// The first row that had more or fewer.
    misfit: Option<(usize, String)>,
}

impl Messages {
    pub(super) fn new(options: &ReadOptions) -> Result<Self, FileFailure> {
        let layout = options.fields.clone().unwrap_or_else(Layout::default_format);
        layout.check()?;
        Ok(Self { parser: RowParser::new(&layout), layout, fits: false, misfit: None })
    }

    /// Reads one row.
    pub(super) fn row<S: Sink>(
        &mut self,
        text: &[u8],
        place: Place,
        sink: &mut S,
    ) -> Result<(), FileFailure> {
        let row = without_time(text);
        match self.parser.parse(row) {
            Ok(flow) => {
                self.fits = true;
                sink.flow(&flow);
            }
            Err(misread) => {
                if tokens(row).next().is_none() {
                    sink.fault(RowFault::NoMessage.into(), place);
                } else if let Some(layout) = Layout::from_header(row) {
                    layout.check()?;
                    self.parser = RowParser::new(&layout);
                    self.layout = layout;
                } else {
                    self.fault(row, misread.fault);
                    sink.fault(misread, place);
                }
            }
        }
        Ok(())
    }

    fn fault(&mut self, row: &[u8], fault: RowFault) {
        if !matches!(fault, RowFault::TooFewFields | RowFault::TooManyFields | RowFault::TooLong) {
            self.fits = true;
        } else if self.misfit.is_none() {
            self.misfit = Some((tokens(row).count(), shown(row)));
        }
    }

    /// An error if no row fitted the layout.
    pub(super) fn finish(&self) -> Result<(), FileFailure> {
        match &self.misfit {
            Some((count, row)) if !self.fits => Err(FileFailure(format!(
                "rows of {count} columns and no header line, {} are expected; give --fields '${{version}} …': {row}",
                self.layout.columns().len()
            ))),
            _ => Ok(()),
        }
    }
}

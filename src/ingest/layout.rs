//! What the columns of a row are: from a header line, from `--fields`, or the default format.
//!
//! A layout is never inferred from the `version` value: two flow logs of one version may differ in everything. A
//! column of an unknown name keeps its place and is skipped.

use std::fmt::Write as _;

use super::FileFailure;
use crate::flow::Field;
use crate::flow::field::{DEFAULT_FORMAT, REQUIRED};

/// The columns of a row, in order. None: a column of an unknown name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    columns: Vec<Option<Field>>,
    foreign: Option<Foreign>,
}

/// Logs that lie in the same buckets and are not about network interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Foreign {
    TransitGateway,
    CloudWan,
    SecurityLake,
}

impl Foreign {
    fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase().replace('_', "-");
        if name.starts_with("tgw-") || name.starts_with("packets-lost-") || name == "resource-type" {
            Some(Self::TransitGateway)
        } else if name.starts_with("core-network") {
            Some(Self::CloudWan)
        } else if matches!(name.as_str(), "class-uid" | "activity-id" | "src-endpoint" | "dst-endpoint") {
            Some(Self::SecurityLake)
        } else {
            None
        }
    }

    fn failure(self) -> FileFailure {
        let what = match self {
            Self::TransitGateway => "a transit gateway flow log: it names attachments",
            Self::CloudWan => "a Cloud WAN flow log: it names core networks",
            Self::SecurityLake => "Security Lake (OCSF) Parquet: it has other columns than a VPC flow log",
        };
        FileFailure(format!("cannot be joined to rules: {what}; give the VPC flow log itself"))
    }
}

impl Layout {
    /// The 14 columns a flow log has when nobody chooses others.
    pub fn default_format() -> Self {
        Self { columns: DEFAULT_FORMAT.iter().copied().map(Some).collect(), foreign: None }
    }

    /// The columns a log format names: `${version} ${account-id} …`, or bare names, between spaces or commas.
    ///
    /// # Errors
    ///
    /// No name is that of a flow-log field.
    pub fn parse_format(text: &str) -> Result<Self, String> {
        let names: Vec<&str> = text
            .split(|c: char| c.is_whitespace() || c == ',')
            .map(|name| name.trim_matches(|c| matches!(c, '$' | '{' | '}' | '\\' | '"' | '\'')))
            .filter(|name| !name.is_empty())
            .collect();
        let layout = Self::from_names(names.iter().copied());
        if layout.known() == 0 {
            return Err(match names.first() {
                Some(name) => {
                    format!("no flow-log field among these names, unknown is {}", shown(name.as_bytes()))
                }
                None => "names no field".to_owned(),
            });
        }
        Ok(layout)
    }

    /// The columns of this header line. None: it is no header line.
    pub fn from_header(line: &[u8]) -> Option<Self> {
        let line = line.strip_prefix(super::sniff::BOM).unwrap_or(line);
        // A value like 2, 10.0.0.1 or - ends the question at once.
        if !tokens(line).all(is_name) {
            return None;
        }
        let line = std::str::from_utf8(line).ok()?;
        let names = || line.split(|c: char| c <= ' ').filter(|name| !name.is_empty());
        let layout = Self::from_names(names());
        let foreign = names().filter(|name| Foreign::of(name).is_some()).count();
        let known = layout.known() + foreign;
        // Fields of a later version may stand among the known ones; a row of words is still no header.
        (known > 0 && known * 2 >= layout.columns.len()).then_some(layout)
    }

    pub(super) fn from_names<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut layout = Self { columns: Vec::new(), foreign: None };
        for name in names {
            layout.columns.push(Field::from_name(name));
            layout.foreign = layout.foreign.or_else(|| Foreign::of(name));
        }
        layout
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[Option<Field>] {
        &self.columns
    }

    /// The first field that is needed to join a record to rules and has no column here.
    pub fn missing_required(&self) -> Option<Field> {
        REQUIRED.into_iter().find(|field| !self.columns.contains(&Some(*field)))
    }

    fn known(&self) -> usize {
        self.columns.iter().flatten().count()
    }

    /// An error unless records of this layout can be joined to rules.
    pub(super) fn check(&self) -> Result<(), FileFailure> {
        if self.missing_required().is_none() {
            return Ok(());
        }
        if let Some(foreign) = self.foreign {
            return Err(foreign.failure());
        }
        let mut missing = String::new();
        for field in REQUIRED.into_iter().filter(|field| !self.columns.contains(&Some(*field))) {
            let comma = if missing.is_empty() { "" } else { ", " };
            let _ = write!(missing, "{comma}{}", field.name());
        }
        Err(FileFailure(format!(
            "cannot be joined to rules: no column {missing} (a flow log format must have interface-id, srcaddr, \
             dstaddr, protocol and action)"
        )))
    }
}

fn is_name(token: &[u8]) -> bool {
    token.first().is_some_and(u8::is_ascii_alphabetic)
        && token.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The columns of a text row: what stands between bytes up to the space.
pub(super) fn tokens(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte <= b' ').filter(|token| !token.is_empty())
}

/// Text from a file, short and safe to print.
pub(super) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(240)]);
    let mut shown: String =
        text.trim().chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.trim().chars().nth(60).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_line_is_told_from_a_record() {
        let cases: [(&str, bool); 10] = [
            ("version account-id interface-id srcaddr", true),
            ("  interface-id\tsrcaddr \r", true),
            ("\u{feff}version srcaddr", true),
            ("account_id interface_id", true),
            ("version brand-new-field", true),
            ("resource-type tgw-id", true),
            ("ACCEPT OK version nothing else", false),
            ("2 123456789010 eni-1 - - - - - - - 1 2 - NODATA", false),
            ("hello world", false),
            ("", false),
        ];
        for (line, expected) in cases {
            assert_eq!(Layout::from_header(line.as_bytes()).is_some(), expected, "{line}");
        }
    }

    #[test]
    fn a_format_is_read_in_every_spelling() {
        let expected =
            Layout { columns: vec![Some(Field::Version), None, Some(Field::Srcaddr)], foreign: None };
        for text in [
            "${version} ${new} ${srcaddr}",
            "version new srcaddr",
            "version,new, srcaddr",
            "'${version} \\${new} ${srcaddr}'",
        ] {
            assert_eq!(Layout::parse_format(text), Ok(expected.clone()), "{text}");
        }
        assert!(Layout::parse_format("").is_err());
        assert!(Layout::parse_format("one two").is_err_and(|error| error.contains("one")));
    }

    #[test]
    fn what_cannot_be_joined_is_said_by_name() {
        let cases = [
            ("version srcaddr dstaddr protocol action", "no column interface-id "),
            ("version", "no column interface-id, srcaddr, dstaddr, protocol, action "),
            ("resource-type tgw-id srcaddr", "transit gateway"),
            ("version core-network-id srcaddr", "Cloud WAN"),
        ];
        for (header, expected) in cases {
            let failure = Layout::from_names(header.split(' ')).check().unwrap_err();
            assert!(failure.0.contains(expected), "{header}: {failure}");
        }
    }

    #[test]
    fn shown_text_is_short_and_has_no_control_characters() {
        assert_eq!(shown(b"a\x1b[31mb\n"), "a?[31mb");
        assert_eq!(shown(&[b'x'; 1000]).chars().count(), 61);
    }
}

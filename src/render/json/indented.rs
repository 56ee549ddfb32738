//! Two blanks a level, as `serde_json` writes it, for a value that is not at the top.

use std::io::{self, Write};

use serde_json::ser::Formatter;

/// A line break and blanks for as many levels as reports have; deeper ones get theirs one by one.
const LINE: &[u8] = b",\n                    ";
const LEVELS: usize = (LINE.len() - 2) / 2;

/// What `serde_json::to_writer_pretty` writes, from some depth on.
pub(super) struct Indented {
    depth: usize,
    /// Whether the list or object that ends has anything in it.
    filled: bool,
}

impl Indented {
    pub(super) fn at(depth: usize) -> Self {
        Self { depth, filled: false }
    }

    fn begin<W: Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        writer.write_all(bracket)
    }

    fn end<W: Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.filled {
            self.line(writer, true)?;
        }
        writer.write_all(bracket)
    }

    /// A new line, after a comma unless it is the first.
    fn line<W: Write + ?Sized>(&self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(&LINE[usize::from(first)..2 + 2 * self.depth.min(LEVELS)])?;
        (LEVELS..self.depth).try_for_each(|_| writer.write_all(b"  "))
    }
}

impl Formatter for Indented {
    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"]")
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.line(writer, first)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}")
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.line(writer, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde_json::{Value, json};

    use super::*;

    fn written(value: &Value, depth: usize) -> String {
        let mut text = Vec::new();
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, Indented::at(depth))).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn it_is_what_the_pretty_printer_writes() {
        let mut value = json!({"empty": {}, "none": [], "text": "a\"\\\n\u{1}é", "null": null});
        // Deeper than the blanks that are at hand.
        for depth in 0..2 * LEVELS {
            assert_eq!(written(&value, 0), serde_json::to_string_pretty(&value).unwrap());
            value = if depth % 3 == 0 { json!([value, [[]], 1.5]) } else { json!({"in": value, "": [{}]}) };
        }
    }

    #[test]
    fn it_starts_at_the_depth_it_is_told() {
        let inner = json!([{"a": [1, 2]}, []]);
        let whole = serde_json::to_string_pretty(&json!({"list": {"in": inner}})).unwrap();
        assert_eq!(whole, format!("{{\n  \"list\": {{\n    \"in\": {}\n  }}\n}}", written(&inner, 2)));
    }
}

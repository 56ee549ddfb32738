//! Events of `CloudWatch` Logs in JSON: `filter-log-events` and `get-log-events` answers, subscription batches, Firehose
//! lines, Logs Insights results. And records whose fields are keys, as SLS of Alibaba Cloud writes them (`json_row`).
//!
//! Documents may follow each other with or without newlines. Events go to the sink as they are parsed, so memory does
//! not grow with the document.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::cells::{self, Cells};
use super::json_guard::{Guard, Position};
use super::json_row::{self, Row};
use super::layout::shown;
use super::messages::Messages;
use super::stream::{Counter, Stream};
use super::{FileFailure, Place, ReadOptions, ReadSummary, RowFault, Sink, sniff};
use crate::flow::Field;

/// Reads documents until the stream ends.
pub(super) fn read<S: Sink>(
    mut stream: Stream,
    counter: &Counter,
    options: &ReadOptions,
    sink: &mut S,
) -> Result<ReadSummary, FileFailure> {
    if stream.head().starts_with(sniff::BOM) {
        let _ = std::io::Read::read(&mut stream, &mut [0; sniff::BOM.len()]);
    }
    let position = Position::default();
    let mut parser = serde_json::Deserializer::from_reader(Guard::new(stream, position.clone()));
    let messages = Messages::new(options)?;
    let mut events = Events {
        sink,
        counter,
        messages,
        count: 0,
        row: Row::default(),
        strange: Strange::NONE,
        failure: None,
    };
    loop {
        match Document(&mut events).deserialize(&mut parser) {
            Ok(()) => {}
            Err(error) if error.is_eof() && position.is_between_documents() => break,
            Err(error) => {
                events.sink.consumed(counter.take());
                return Err(events.failure.take().unwrap_or_else(|| failure(&error)));
            }
        }
    }
    events.sink.consumed(counter.take());
    events.finish()?;
    events.messages.finish()?;
    Ok(ReadSummary { places: events.count, layout_changed: false })
}

fn failure(error: &serde_json::Error) -> FileFailure {
    let text = error.to_string();
    FileFailure(if error.is_io() { text } else { format!("JSON: {text}") })
}

/// What objects are that are no records.
enum Strange {
    /// Bad rows, if something in the file is a record: by reason how many, and the first. Else why the file is no log.
    Perhaps { rows: Vec<(RowFault, u64, Place)>, first: Option<FileFailure> },
    /// Bad rows.
    Rows,
}

impl Strange {
    const NONE: Self = Self::Perhaps { rows: Vec::new(), first: None };
}

/// Takes events as they are parsed.
struct Events<'s, S> {
    sink: &'s mut S,
    counter: &'s Counter,
    messages: Messages,
    count: u64,
    /// A record whose fields are keys.
    row: Row,
    strange: Strange,
    /// Why parsing was stopped, where it was not the parser.
    failure: Option<FileFailure>,
}

impl<S: Sink> Events<'_, S> {
    fn next(&mut self) -> Place {
        self.sink.consumed(self.counter.take());
        self.count += 1;
        Place::Row(self.count)
    }

    fn message<E: serde::de::Error>(&mut self, text: &str) -> Result<(), E> {
        let place = self.next();
        let result = self.messages.row(text.as_bytes(), place, self.sink);
        result.map_err(|failure| self.stop(failure))
    }

    /// The object was a record itself.
    fn record(&mut self) {
        let place = self.next();
        if let Err((field, failure)) = self.row.check() {
            return self.strange(RowFault::NoValue(field), place, || failure);
        }
        self.speaks();
        match cells::flow(&&self.row) {
            Ok(flow) => self.sink.flow(&flow),
            Err(misread) => self.sink.fault(misread, place),
        }
    }

    /// The file is a log: what was strange in it so far are bad rows.
    fn speaks(&mut self) {
        if let Strange::Perhaps { rows, .. } = std::mem::replace(&mut self.strange, Strange::Rows) {
            for (fault, count, first) in rows {
                (0..count).for_each(|_| self.sink.fault(fault.into(), first));
            }
        }
    }

    /// An object that is no record: a bad row of a log, or the file is none.
    fn strange(&mut self, fault: RowFault, place: Place, why: impl FnOnce() -> FileFailure) {
        let Strange::Perhaps { rows, first } = &mut self.strange else {
            return self.sink.fault(fault.into(), place);
        };
        first.get_or_insert_with(why);
        match rows.iter_mut().find(|(known, ..)| *known == fault) {
            Some((_, count, _)) => *count += 1,
            None => rows.push((fault, 1, place)),
        }
    }

    /// An error where nothing in the file was a record or holds records.
    fn finish(&mut self) -> Result<(), FileFailure> {
        match &mut self.strange {
            Strange::Perhaps { first, .. } => first.take().map_or(Ok(()), Err),
            Strange::Rows => Ok(()),
        }
    }

    fn no_message(&mut self) {
        let place = self.next();
        self.sink.fault(RowFault::NoMessage.into(), place);
    }

    fn stop<E: serde::de::Error>(&mut self, failure: FileFailure) -> E {
        self.failure = Some(failure);
        E::custom("stopped")
    }
}

/// What a key of a document holds.
enum Key {
    /// `events`, `logEvents`: a list of events.
    Events,
    /// `message`: the document is an event itself.
    Message,
    /// `results`: a list of rows of named fields.
    Results,
    /// `messageType`.
    Type,
    /// A field of a record.
    Field(Field),
    /// Anything else, shortened.
    Other(String),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                Ok(match key {
                    "events" | "logEvents" => Key::Events,
                    "message" | "@message" => Key::Message,
                    "results" => Key::Results,
                    "messageType" => Key::Type,
                    other => match json_row::field(other) {
                        Some(field) => Key::Field(field),
                        None => Key::Other(shown(other.as_bytes())),
                    },
                })
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// A document: an object of one of the shapes, or a list of such.
struct Document<'e, 's, S>(&'e mut Events<'s, S>);

impl<'de, S: Sink> DeserializeSeed<'de> for Document<'_, '_, S> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Document<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document of log events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Document(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(events) = self;
        let (mut known, mut typed, mut control) = (false, false, false);
        let mut others: Vec<String> = Vec::new();
        events.row.clear();
        while let Some(key) = map.next_key()? {
            match key {
                Key::Field(field) => {
                    map.next_value_seed(events.row.seed(field))?;
                    continue;
                }
                // A record may have fields of its own, of any name; and an event, names of fields.
                Key::Events | Key::Results | Key::Message if events.row.is_whole() => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                Key::Events if control => drop(map.next_value::<IgnoredAny>()?),
                Key::Events => map.next_value_seed(List(events, Item::Event))?,
                Key::Results => map.next_value_seed(List(events, Item::Row))?,
                Key::Message => map.next_value_seed(Message(events))?,
                Key::Type => {
                    typed = true;
                    control = map.next_value::<Option<String>>()?.as_deref() == Some("CONTROL_MESSAGE");
                    continue;
                }
                Key::Other(name) => {
                    if others.len() < 8 {
                        others.push(name);
                    }
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            }
            known = true;
        }
        if known {
            events.speaks();
        } else if events.row.is_record() {
            events.record();
        } else if typed {
            events.speaks();
        } else {
            others.extend(events.row.names().map(str::to_owned));
            let place = events.next();
            events.strange(RowFault::NoMessage, place, || {
                let keys = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
                FileFailure(format!("JSON, but not flow-log events: top-level keys {keys}"))
            });
        }
        Ok(())
    }
}

/// What the items of a list are.
#[derive(Clone, Copy)]
enum Item {
    Event,
    Row,
}

struct List<'e, 's, S>(&'e mut Events<'s, S>, Item);

impl<'de, S: Sink> DeserializeSeed<'de> for List<'_, '_, S> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for List<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        match self.1 {
            Item::Event => while list.next_element_seed(Event(self.0))?.is_some() {},
            Item::Row => {
                while let Some(row) = list.next_element::<NamedRow>()? {
                    row.deliver(self.0)?;
                }
            }
        }
        Ok(())
    }
}

/// `{"message": "2 123… OK", …}`.
struct Event<'e, 's, S>(&'e mut Events<'s, S>);

impl<'de, S: Sink> DeserializeSeed<'de> for Event<'_, '_, S> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Event<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(events) = self;
        let mut any = false;
        while let Some(key) = map.next_key()? {
            if matches!(key, Key::Message) && !any {
                any = true;
                map.next_value_seed(Message(events))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if !any {
            events.no_message();
        }
        Ok(())
    }
}

/// The value of `message`.
struct Message<'e, 's, S>(&'e mut Events<'s, S>);

impl<'de, S: Sink> DeserializeSeed<'de> for Message<'_, '_, S> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Message<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        // The check of a destination, sent before its type is known where keys come in another order.
        if text.starts_with("CWL CONTROL MESSAGE") {
            return Ok(());
        }
        self.0.message(text)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.0.no_message();
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.visit_unit()
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.visit_unit()
    }
}

/// `[{"field": "srcAddr", "value": "10.0.0.1"}, …]`, the fields that matter.
#[derive(Default)]
struct NamedRow {
    message: Option<String>,
    fields: Vec<(Field, String)>,
}

impl NamedRow {
    fn deliver<S: Sink, E: serde::de::Error>(&self, events: &mut Events<'_, S>) -> Result<(), E> {
        if let Some(message) = &self.message {
            return events.message(message);
        }
        let place = events.next();
        match cells::flow(&NamedCells(&self.fields)) {
            _ if self.fields.is_empty() => events.sink.fault(RowFault::NoMessage.into(), place),
            Ok(flow) => events.sink.flow(&flow),
            Err(misread) => events.sink.fault(misread, place),
        }
        Ok(())
    }
}

struct NamedCells<'a>(&'a [(Field, String)]);

impl<'a> Cells<'a> for NamedCells<'a> {
    fn text(&self, field: Field) -> Option<&'a [u8]> {
        let (_, value) = self.0.iter().find(|(known, _)| *known == field)?;
        if matches!(value.as_str(), "" | "-") { None } else { Some(value.as_bytes()) }
    }
}

#[derive(Deserialize)]
struct NamedValue {
    field: Option<String>,
    value: Option<String>,
}

impl<'de> Deserialize<'de> for NamedRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowVisitor;
        impl<'de> Visitor<'de> for RowVisitor {
            type Value = NamedRow;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row of named values")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<NamedRow, A::Error> {
                let mut row = NamedRow::default();
                while let Some(NamedValue { field, value }) = list.next_element()? {
                    let (Some(name), Some(value)) = (field, value) else { continue };
                    if sniff::is_message(&name) {
                        row.message = Some(value);
                    } else if let Some(field) = Field::from_name(&name) {
                        // The second of a name adds nothing, and a row of a million must not grow.
                        if row.fields.iter().all(|(known, _)| *known != field) {
                            row.fields.push((field, value));
                        }
                    }
                }
                Ok(row)
            }
        }
        deserializer.deserialize_seq(RowVisitor)
    }
}

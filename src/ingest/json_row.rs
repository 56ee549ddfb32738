//! One record as a JSON object whose keys are fields: what SLS of Alibaba Cloud delivers, a line each, and what its console
//! exports. Every value may be a string.
//!
//! Source: <https://www.alibabacloud.com/help/en/sls/json-format-3>.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::FileFailure;
use super::cells::Cells;
use super::layout::Layout;
use crate::flow::Field;
use crate::flow::field::REQUIRED;

/// The fields of an object, in room that is used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Row {
    text: Vec<u8>,
    fields: Vec<(Field, Range<usize>)>,
}

impl Row {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.fields.clear();
    }

    /// The names of its fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|(field, _)| field.name())
    }

    /// Whether some key names what every record has: then the object is one.
    pub(super) fn is_record(&self) -> bool {
        self.fields.iter().any(|(field, _)| REQUIRED.contains(field))
    }

    /// Whether it has all that a record needs.
    pub(super) fn is_whole(&self) -> bool {
        self.is_record() && self.check().is_ok()
    }

    /// The first key that it lacks without which no record can be joined to rules, and what that means for a file.
    pub(super) fn check(&self) -> Result<(), (Field, FileFailure)> {
        let without_traffic = matches!((&self).text(Field::LogStatus), Some(b"NODATA" | b"SKIPDATA"));
        let has = |field: Field| self.fields.iter().any(|(known, _)| *known == field);
        if without_traffic && has(Field::InterfaceId) {
            return Ok(());
        }
        // Asked of every record, so without a look at names.
        let Some(missing) = REQUIRED.into_iter().find(|field| !has(*field)) else { return Ok(()) };
        let layout = Layout::from_names(self.fields.iter().map(|(field, _)| field.name()));
        match layout.check() {
            Ok(()) => Ok(()),
            Err(failure) => Err((missing, failure)),
        }
    }

    /// A value follows. The second of a name adds nothing.
    pub(super) fn seed(&mut self, field: Field) -> Value<'_> {
        Value { row: self, field }
    }

    fn push(&mut self, field: Field, text: &[u8]) {
        if self.fields.iter().all(|(known, _)| *known != field) {
            let start = self.text.len();
            self.text.extend_from_slice(text);
            self.fields.push((field, start..self.text.len()));
        }
    }
}

impl<'a> Cells<'a> for &'a Row {
    fn text(&self, field: Field) -> Option<&'a [u8]> {
        let (_, place) = self.fields.iter().find(|(known, _)| *known == field)?;
        let text = self.text.get(place.clone())?.trim_ascii();
        if matches!(text, b"" | b"-") { None } else { Some(text) }
    }
}

/// The field that a key names: those of SLS first, as they come a million times.
pub(super) fn field(key: &str) -> Option<Field> {
    match key {
        "eni-id" => Some(Field::InterfaceId),
        "srcaddr" => Some(Field::Srcaddr),
        "dstaddr" => Some(Field::Dstaddr),
        "srcport" => Some(Field::Srcport),
        "dstport" => Some(Field::Dstport),
        "protocol" => Some(Field::Protocol),
        "direction" => Some(Field::FlowDirection),
        "action" => Some(Field::Action),
        "packets" => Some(Field::Packets),
        "bytes" => Some(Field::Bytes),
        "start" => Some(Field::Start),
        "end" => Some(Field::End),
        "log-status" => Some(Field::LogStatus),
        "tcp-flags" => Some(Field::TcpFlags),
        "account-id" => Some(Field::AccountId),
        "vpc-id" => Some(Field::VpcId),
        "version" => Some(Field::Version),
        "region" => Some(Field::Region),
        "vswitch-id" => Some(Field::SubnetId),
        "vm-id" => Some(Field::InstanceId),
        "type" => Some(Field::Type),
        "traffic_path" => Some(Field::TrafficPath),
        "srctype" | "dsttype" => None,
        _ if key.starts_with("__") => None,
        _ => Field::from_name(key),
    }
}

/// A key: the field that it names, if any.
pub(super) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<Field>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Field>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<Field>, E> {
        Ok(field(key))
    }
}

/// The value of a key: text or a number. Whatever else it is, is none.
pub(super) struct Value<'a> {
    row: &'a mut Row,
    field: Field,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.row.push(self.field, text.as_bytes());
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        self.row.push(self.field, number.to_string().as_bytes());
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        self.row.push(self.field, number.to_string().as_bytes());
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        self.row.push(self.field, number.to_string().as_bytes());
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, word: bool) -> Result<(), E> {
        self.row.push(self.field, word.to_string().as_bytes());
        Ok(())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.row.push(self.field, b"");
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

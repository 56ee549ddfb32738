//! One object of attributes, with what the plan does not know yet.
//!
//! Terraform leaves out or writes null for what it does not know; `after_unknown` mirrors the values with true there.
//! Source: <https://developer.hashicorp.com/terraform/internals/json-format#change-representation>.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use crate::rules::parse_net;

/// An attribute as the document has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attribute<T> {
    /// It has this value.
    Value(T),
    /// It is null or not there.
    Null,
    /// It is known only after the plan was applied.
    Unknown,
}

impl<T> Attribute<T> {
    pub(super) fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Null | Self::Unknown => None,
        }
    }

    pub(super) fn map<U>(self, map: impl FnOnce(T) -> U) -> Attribute<U> {
        match self {
            Self::Value(value) => Attribute::Value(map(value)),
            Self::Null => Attribute::Null,
            Self::Unknown => Attribute::Unknown,
        }
    }
}

/// What is missing of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Nothing.
    Nothing,
    /// So many of its elements.
    Elements(usize),
    /// The list as a whole.
    All,
}

/// A list of strings, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Texts<'a> {
    pub(super) known: Vec<&'a str>,
    pub(super) missing: Missing,
}

/// The attributes of a resource, or of one element of a list in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    /// Of the resource.
    pub(super) address: &'a str,
    values: &'a Value,
    unknown: Option<&'a Value>,
    /// The list it is an element of, and where.
    within: Option<(&'a str, usize)>,
}

impl<'a> Block<'a> {
    pub(super) fn new(address: &'a str, values: &'a Value, unknown: Option<&'a Value>) -> Self {
        Self { address, values, unknown, within: None }
    }

    /// The attribute's name from the resource on: `ingress[1].cidr_blocks`.
    pub(super) fn label(&self, key: &str) -> String {
        match self.within {
            Some((list, index)) => format!("{list}[{index}].{key}"),
            None => key.to_owned(),
        }
    }

    pub(super) fn get(&self, key: &str) -> Attribute<&'a Value> {
        let is_unknown = |unknown: &Value| is_true(Some(unknown)) || is_true(unknown.get(key));
        if self.unknown.is_some_and(is_unknown) {
            return Attribute::Unknown;
        }
        match self.values.get(key) {
            None | Some(Value::Null) => Attribute::Null,
            Some(value) => Attribute::Value(value),
        }
    }

    fn read<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Attribute<T>, String> {
        match self.get(key) {
            Attribute::Null => Ok(Attribute::Null),
            Attribute::Unknown => Ok(Attribute::Unknown),
            Attribute::Value(value) => {
                read(value).map(Attribute::Value).ok_or_else(|| self.wrong(key, expected, value))
            }
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Attribute<&'a str>, String> {
        self.read(key, "a string", Value::as_str)
    }

    /// The string, empty where there is none.
    pub(super) fn string(&self, key: &str) -> Result<String, String> {
        Ok(self.text(key)?.value().unwrap_or_default().to_owned())
    }

    /// A whole number. Some provider versions write numbers as strings.
    pub(super) fn integer(&self, key: &str) -> Result<Attribute<i64>, String> {
        self.read(key, "a whole number", |value| {
            value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
        })
    }

    pub(super) fn flag(&self, key: &str) -> Result<Attribute<bool>, String> {
        self.read(key, "true or false", Value::as_bool)
    }

    pub(super) fn texts(&self, key: &str) -> Result<Texts<'a>, String> {
        let list = match self.read(key, "a list of strings", Value::as_array)? {
            Attribute::Value(list) => list.as_slice(),
            Attribute::Null => &[],
            Attribute::Unknown => return Ok(Texts { known: Vec::new(), missing: Missing::All }),
        };
        let mut known = Vec::new();
        for item in list.iter().filter(|item| !item.is_null()) {
            known.push(item.as_str().ok_or_else(|| self.wrong(key, "a list of strings", item))?);
        }
        let unknown = self.unknown.and_then(|unknown| unknown.get(key)).and_then(Value::as_array);
        let missing = match unknown.map_or(0, |flags| flags.iter().filter(|flag| is_true(Some(flag))).count())
        {
            0 => Missing::Nothing,
            count => Missing::Elements(count),
        };
        Ok(Texts { known, missing })
    }

    /// The elements of a list of objects.
    pub(super) fn blocks(&self, key: &'a str) -> Result<Attribute<Vec<Block<'a>>>, String> {
        let items = match self.read(key, "a list of objects", Value::as_array)? {
            Attribute::Value(items) => items,
            Attribute::Null => return Ok(Attribute::Null),
            Attribute::Unknown => return Ok(Attribute::Unknown),
        };
        let unknown = self.unknown.and_then(|unknown| unknown.get(key));
        let mut blocks = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if !item.is_object() && !item.is_null() {
                return Err(self.wrong(key, "a list of objects", item));
            }
            let unknown = unknown.and_then(|unknown| unknown.get(index));
            if item.is_object() || is_true(unknown) {
                blocks.push(Block {
                    address: self.address,
                    values: item,
                    unknown,
                    within: Some((key, index)),
                });
            }
        }
        Ok(Attribute::Value(blocks))
    }

    /// The network a string spells.
    pub(super) fn net(&self, key: &str, text: &str) -> Result<IpNet, String> {
        parse_net(text).ok_or_else(|| self.wrong(key, "an address range", &Value::from(text)))
    }

    /// The addresses strings spell.
    pub(super) fn addresses(&self, key: &str, texts: &[&str]) -> Result<Vec<IpAddr>, String> {
        let read =
            |text: &&str| text.parse().map_err(|_| self.wrong(key, "an IP address", &Value::from(*text)));
        texts.iter().filter(|text| !text.is_empty()).map(read).collect()
    }

    /// An attribute that is not what it should be.
    pub(super) fn wrong(&self, key: &str, expected: &str, found: &Value) -> String {
        format!("{}: {}: expected {expected}, found {}", self.address, self.label(key), short(found))
    }

    /// Account and region: attributes of their own, or parts of the ARN.
    pub(super) fn home(&self) -> Result<(String, String), String> {
        let arn = self.string("arn")?;
        let part = |index: usize| arn.split(':').nth(index).unwrap_or_default().to_owned();
        let or = |own: String, index| if own.is_empty() { part(index) } else { own };
        Ok((or(self.string("owner_id")?, 4), or(self.string("region")?, 3)))
    }

    /// Tags, with those the provider adds to every resource where they are known.
    pub(super) fn tags(&self) -> Vec<(String, String)> {
        let map = |key| self.get(key).value().and_then(Value::as_object);
        let Some(tags) = map("tags_all").filter(|tags| !tags.is_empty()).or_else(|| map("tags")) else {
            return Vec::new();
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut tags: Vec<_> = tags.iter().map(|(key, value)| (key.clone(), text(value))).collect();
        tags.sort_unstable();
        tags
    }
}

fn is_true(value: Option<&Value>) -> bool {
    value == Some(&Value::Bool(true))
}

/// A value for a message: nothing long.
pub(super) fn short(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) => {
            let start: String = text.chars().take(80).collect();
            format!("\"{start}\"")
        }
        scalar => scalar.to_string(),
    }
}

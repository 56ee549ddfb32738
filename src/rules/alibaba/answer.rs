//! The values of an answer, whatever form they have: text or number, absent or empty, lists wrapped once or twice.

use std::borrow::Cow;

use serde_json::Value;

/// An object of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a>(pub(super) &'a Value);

impl<'a> Answer<'a> {
    pub(super) fn has(self, key: &str) -> bool {
        self.0.get(key).is_some_and(|value| !value.is_null())
    }

    /// Text, or a number as text. None where it is absent or empty.
    pub(super) fn text(self, key: &str) -> Option<Cow<'a, str>> {
        match self.0.get(key)? {
            Value::String(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(Cow::Borrowed),
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
    }

    /// The same, empty where it is absent.
    pub(super) fn owned(self, key: &str) -> String {
        self.text(key).map(Cow::into_owned).unwrap_or_default()
    }

    pub(super) fn is_true(self, key: &str) -> bool {
        match self.0.get(key) {
            Some(Value::Bool(is)) => *is,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    /// The items of `{key: {inner: […]}}` or `{key: […]}`. None: there is no such list.
    pub(super) fn list(self, key: &str, inner: &str) -> Option<Vec<Self>> {
        let items = match self.0.get(key)? {
            Value::Array(items) => items,
            Value::Object(map) => match map.get(inner) {
                Some(Value::Array(items)) => items,
                None if map.is_empty() => return Some(Vec::new()),
                _ => return None,
            },
            _ => return None,
        };
        Some(items.iter().map(Answer).collect())
    }

    /// The items of such a list, none where there is none.
    pub(super) fn items(self, key: &str, inner: &str) -> Vec<Self> {
        self.list(key, inner).unwrap_or_default()
    }

    /// An item of a list that is a text itself.
    pub(super) fn as_text(self) -> Option<&'a str> {
        self.0.as_str().map(str::trim).filter(|text| !text.is_empty())
    }
}

//! How requests and responses are written in a trail.
//!
//! They are the XML and query forms of the EC2 API turned into JSON, by rules of their day: members are `lowerCamel` in
//! older calls and `PascalCase` in newer ones; a list is `{"items":[…]}`, `{"item":…}`, `{"NAME":[…]}`, an array, or its
//! one element alone, and `{}` or `""` when it is empty; an element of a query is numbered, and a string then becomes
//! `{"tag":1,"content":"…"}`; numbers and booleans may be strings, and strings that look like them may be none.

use serde_json::Value;

/// A member by its `lowerCamel` name, or the same in `PascalCase`. Null is as good as absent.
pub(super) fn field<'a>(of: &'a Value, name: &str) -> Option<&'a Value> {
    let map = of.as_object()?;
    let same = |key: &str| {
        let (mut a, mut b) = (key.chars(), name.chars());
        let firsts = (a.next(), b.next());
        matches!(firsts, (Some(x), Some(y)) if x.eq_ignore_ascii_case(&y)) && a.as_str() == b.as_str()
    };
    let value = map.get(name).or_else(|| map.iter().find(|(key, _)| same(key)).map(|(_, value)| value));
    value.filter(|value| !value.is_null())
}

/// The elements of a list, however it is written. Nothing is a list of nothing.
pub(super) fn list(of: Option<&Value>) -> Vec<&Value> {
    match of {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) if text.is_empty() => Vec::new(),
        Some(Value::Array(elements)) => elements.iter().filter(|element| !element.is_null()).collect(),
        Some(element @ Value::Object(map)) => {
            let mut members = map.iter();
            match (members.next(), members.next()) {
                (None, _) => Vec::new(),
                (Some((name, inner)), None) if name == "items" || name == "item" || is_nested(inner) => {
                    list(Some(inner))
                }
                _ => vec![element],
            }
        }
        Some(element) => vec![element],
    }
}

fn is_nested(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

/// The elements of the first of several names that holds any.
pub(super) fn first_list<'a>(of: &'a Value, names: &[&str]) -> Vec<&'a Value> {
    names.iter().map(|name| list(field(of, name))).find(|elements| !elements.is_empty()).unwrap_or_default()
}

/// The text of a scalar.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(word) => Some(word.to_string()),
        _ => None,
    }
}

/// A member that is a label, as text; one that is none is not worth an error.
pub(super) fn label(of: &Value, name: &str) -> Option<String> {
    field(of, name).and_then(text).filter(|text| !text.is_empty())
}

/// The same, empty where there is none.
pub(super) fn label_or_empty(of: &Value, name: &str) -> String {
    label(of, name).unwrap_or_default()
}

/// A member that names something, if it is there: a string and nothing else.
pub(super) fn string(of: &Value, name: &str) -> Result<Option<String>, String> {
    match field(of, name) {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(value) => Err(format!("expected {name}, found {}", kind(value))),
    }
}

/// A name without which the call cannot be understood.
pub(super) fn needed(of: &Value, name: &str) -> Result<String, String> {
    string(of, name)?.ok_or_else(|| format!("expected {name}, found nothing"))
}

/// An element of a list of which one member matters: that member, or the element itself where it is only text.
pub(super) fn element(of: &Value, name: &str) -> Result<String, String> {
    match of {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        Value::Object(_) => string(of, "content")?.map_or_else(|| needed(of, name), Ok),
        _ => Err(format!("expected {name}, found {}", kind(of))),
    }
}

/// A whole number, written as a number or as text.
pub(super) fn integer(of: &Value, name: &str) -> Result<Option<i64>, String> {
    match field(of, name) {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(value) => match text(value).and_then(|text| text.trim().parse().ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("expected {name} to be a whole number, found {}", found(value))),
        },
    }
}

/// `Key` and `Value` pairs.
pub(super) fn tags(of: Option<&Value>) -> Vec<(String, String)> {
    list(of).into_iter().map(|tag| (label_or_empty(tag, "key"), label_or_empty(tag, "value"))).collect()
}

/// The id of a group of any account: `sg-…` or `123456789012/sg-…`.
pub(super) fn group_id(of: &Value, name: &str) -> Result<String, String> {
    let id = element(of, name)?;
    Ok(id.rsplit_once('/').map_or(id.as_str(), |(_, group)| group).to_owned())
}

/// Ids of groups.
pub(super) fn group_ids(elements: &[&Value]) -> Result<Vec<String>, String> {
    elements.iter().map(|of| group_id(of, "groupId")).collect()
}

fn found(value: &Value) -> String {
    text(value).map_or_else(|| kind(value).to_owned(), |text| format!("\"{text}\""))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(text) if text.is_empty() => "an empty string",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

//! AWS Config documents → [`Told`].
//!
//! ```text
//! document ─▶ its configuration items, whatever carries them ─▶ item ─▶ resource (by way of aws) ─▶ changes
//! ```
//!
//! An item says what one resource is from a time on, and of that resource it may be the only one the document holds; so
//! no [`Told::watched`] is told. Shapes:
//! <https://docs.aws.amazon.com/config/latest/APIReference/API_ConfigurationItem.html>,
//! <https://docs.aws.amazon.com/config/latest/developerguide/evaluate-config_develop-rules_example-events.html>.

mod item;
mod resource;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::aws::Recognised;
use super::change::{Told, What};
use item::Item;

/// Since when an item is as it says.
const CAPTURED: &str = "configurationItemCaptureTime";

/// Documents within documents (SQS → SNS → message → item) lie no deeper than this.
const DEEPEST: usize = 8;

/// Longest message about an odd entry, in characters.
const LONGEST_MESSAGE: usize = 300;

/// Reads an AWS Config document: a snapshot or history file, an answer of get-resource-config-history,
/// batch-get-resource-config or select-resource-config, a rule's event, a notification of SNS or `EventBridge`, an item or
/// a list of items. None: it is none of these.
///
/// Changes are in order of time. Of several items of one resource in one second the last one counts, the rest are
/// [`Told::others`], as are items of other resource types and messages without an item.
///
/// # Errors
/// A key that only AWS Config writes holds something that cannot be: says which, what was expected and found. An item
/// that cannot be read is no error but [`Told::odd`].
pub fn read(document: &Value) -> Result<Option<Told>, String> {
    let mut reader = Reader::default();
    Ok(match reader.document(document, 0)? {
        Recognised::Yes => Some(reader.told()),
        Recognised::No => None,
    })
}

#[derive(Default)]
struct Reader {
    told: Told,
    items: Vec<Item>,
}

impl Reader {
    fn document(&mut self, document: &Value, depth: usize) -> Result<Recognised, String> {
        if depth > DEEPEST {
            return Ok(Recognised::No);
        }
        match document {
            Value::Object(map) if is_item(map) => {
                self.item(document);
                Ok(Recognised::Yes)
            }
            Value::Object(map) => self.carrier(map, depth),
            Value::Array(elements) => self.bare_list(elements, depth),
            Value::String(text) => match embedded(text) {
                Some(inner) => self.document(&inner, depth + 1),
                None => Ok(Recognised::No),
            },
            _ => Ok(Recognised::No),
        }
    }

    /// A list without a name: one of items if any of its elements is or carries one.
    fn bare_list(&mut self, elements: &[Value], depth: usize) -> Result<Recognised, String> {
        let mut strangers = Vec::new();
        for element in elements {
            if self.document(element, depth + 1)? == Recognised::No {
                strangers.push(element);
            }
        }
        if strangers.len() == elements.len() {
            return Ok(Recognised::No);
        }
        for stranger in strangers {
            self.odd(&format!("expected a configuration item, found {}", found(Some(stranger))));
        }
        Ok(Recognised::Yes)
    }

    /// An object that carries items: an answer, a file, an event or a notification.
    fn carrier(&mut self, map: &Map<String, Value>, depth: usize) -> Result<Recognised, String> {
        let mut recognised = Recognised::No;
        for key in ["configurationItems", "baseConfigurationItems", "BaseConfigurationItems"] {
            let Some(value) = map.get(key) else { continue };
            list(key, value)?.iter().for_each(|item| self.item(item));
            recognised = Recognised::Yes;
        }
        for key in ["unprocessedResourceKeys", "UnprocessedResourceIdentifiers"] {
            let Some(value) = map.get(key) else { continue };
            list(key, value)?.iter().for_each(|resource| self.unprocessed(key, resource));
            recognised = Recognised::Yes;
        }
        // A change too large for a message comes as a summary without configuration.
        let singles = ["configurationItem", "ConfigurationItem", "configurationItemSummary"];
        let mut singles = singles.iter().filter_map(|key| map.get(*key)).filter(|item| !item.is_null());
        if let Some(item) = singles.next() {
            self.item(item);
            recognised = Recognised::Yes;
        } else if map.get("messageType").and_then(Value::as_str).is_some_and(is_message_type) {
            self.told.others += 1;
            recognised = Recognised::Yes;
        }
        if self.query_answer(map) == Recognised::Yes {
            recognised = Recognised::Yes;
        }
        if let Some(event) = map.get("invokingEvent") {
            self.invoking_event(event, depth)?;
            recognised = Recognised::Yes;
        }
        let records = map.get("Records").and_then(Value::as_array).into_iter().flatten();
        let inner = ["Message", "detail", "data", "Sns", "body"].iter().filter_map(|key| map.get(*key));
        for inner in records.filter(|record| is_delivery(record)).chain(inner) {
            if self.document(inner, depth + 1)? == Recognised::Yes {
                recognised = Recognised::Yes;
            }
        }
        Ok(recognised)
    }

    /// What AWS Config hands to the function of a rule.
    fn invoking_event(&mut self, event: &Value, depth: usize) -> Result<(), String> {
        if self.document(event, depth + 1)? == Recognised::Yes {
            return Ok(());
        }
        let readable = event.is_object() || event.as_str().is_some_and(|text| embedded(text).is_some());
        if !readable {
            return Err(format!("invokingEvent: expected a JSON object, found {}", found(Some(event))));
        }
        self.told.others += 1;
        Ok(())
    }

    /// An answer of select-resource-config: rows of what the query selected, each a JSON text.
    fn query_answer(&mut self, map: &Map<String, Value>) -> Recognised {
        let Some(Value::Array(results)) = map.get("Results") else { return Recognised::No };
        let rows: Vec<Value> = results
            .iter()
            .map(|row| row.as_str().and_then(embedded).unwrap_or_else(|| row.clone()))
            .collect();
        let selects_items = |row: &Value| {
            row.as_object().is_some_and(|row| is_item(row) || row.contains_key("supplementaryConfiguration"))
        };
        if !map.contains_key("QueryInfo") && !rows.iter().any(selects_items) {
            return Recognised::No;
        }
        for row in &rows {
            match row {
                Value::Object(map) if !map.contains_key(CAPTURED) => self.undated(map),
                _ => self.item(row),
            }
        }
        Recognised::Yes
    }

    /// A query answers with what is there now; it need not have selected since when.
    fn undated(&mut self, row: &Map<String, Value>) {
        let mut dated = row.clone();
        dated.insert(CAPTURED.to_owned(), Value::from("1970-01-01T00:00:00Z"));
        match Item::read(&dated) {
            Ok(Some(Item { what: What::Is(_, resource), .. })) => self.told.undated.push(*resource),
            Ok(_) => self.told.others += 1,
            Err(message) => self.odd(&message),
        }
    }

    fn item(&mut self, value: &Value) {
        let read = match value {
            Value::Object(map) => Item::read(map),
            _ => Err(format!("expected a configuration item, found {}", found(Some(value)))),
        };
        match read {
            Ok(Some(item)) => self.items.push(item),
            Ok(None) => self.told.others += 1,
            Err(message) => self.odd(&message),
        }
    }

    /// A resource that batch-get-resource-config was asked for and did not answer.
    fn unprocessed(&mut self, key: &str, resource: &Value) {
        let named = |name: &str| resource.get(name).and_then(Value::as_str);
        let shape = named("resourceType").or(named("ResourceType")).and_then(resource::Shape::of_type);
        match (shape, named("resourceId").or(named("ResourceId"))) {
            (Some(_), Some(id)) => {
                self.odd(&format!(
                    "{id}: expected its configuration item, found it in {key}; ask again for it"
                ));
            }
            _ => self.told.others += 1,
        }
    }

    fn odd(&mut self, message: &str) {
        self.told.note_odd(&cut(message, LONGEST_MESSAGE));
    }

    fn told(self) -> Told {
        let Self { mut told, mut items } = self;
        items.sort();
        let mut kept: Vec<Item> = Vec::new();
        for mut item in items {
            if let Some(before) = kept.last_mut().filter(|before| before.is_of_resource(&item)) {
                if before.captured_at() == item.captured_at() {
                    // States are of whole seconds: what a resource was for a part of one is not told.
                    item.created_at = before.created_at;
                    *before = item;
                    told.others += 1;
                    continue;
                }
                // Only the first item of a resource can tell of its creation.
                item.created_at = None;
            }
            kept.push(item);
        }
        told.changes = kept.into_iter().map(Item::change).collect();
        told.changes.sort();
        told
    }
}

fn is_item(map: &Map<String, Value>) -> bool {
    let has = |key: &str| map.contains_key(key);
    has("configurationItemStatus")
        || has(CAPTURED)
        || (has("configuration") && (has("resourceType") || has("resourceId")))
}

/// Whether AWS Config sends messages of this type.
///
/// Source: <https://docs.aws.amazon.com/config/latest/developerguide/notifications-for-AWS-Config.html>.
fn is_message_type(name: &str) -> bool {
    let families =
        ["ConfigurationItem", "OversizedConfigurationItem", "ConfigurationSnapshot", "ConfigurationHistory"];
    let others = ["ComplianceChangeNotification", "ConfigRulesEvaluationStarted", "ScheduledNotification"];
    families.iter().any(|family| name.starts_with(family)) || others.contains(&name)
}

/// A record of an SNS or SQS event, as functions get them.
fn is_delivery(record: &Value) -> bool {
    record.get("Sns").is_some() || record.get("body").is_some()
}

/// The JSON object or list that a text holds.
fn embedded(text: &str) -> Option<Value> {
    text.trim_start().starts_with(['{', '[']).then(|| serde_json::from_str(text).ok()).flatten()
}

fn list<'a>(key: &str, value: &'a Value) -> Result<&'a [Value], String> {
    match value {
        Value::Array(elements) => Ok(elements),
        Value::Null => Ok(&[]),
        other => Err(format!("{key}: expected a list, found {}", found(Some(other)))),
    }
}

/// What was found, for messages.
fn found(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "nothing".to_owned(),
        Some(Value::Array(_)) => "a list".to_owned(),
        Some(Value::Object(_)) => "an object".to_owned(),
        Some(Value::String(text)) => format!("\"{}\"", cut(text, 60)),
        Some(other) => other.to_string(),
    }
}

/// The beginning of a text, by characters.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

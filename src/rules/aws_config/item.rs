//! One configuration item: which resource, when, what became of it.

use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value};

use super::found;
use super::resource::{Configuration, Home, Shape};
use crate::flow::Seconds;
use crate::rules::change::{Change, Life, ResourceKind, What};

/// Microseconds since 1970-01-01T00:00:00Z.
type Micros = i64;

const MICROS: Micros = 1_000_000;

/// A resource that was discovered this soon after its creation was discovered because it was created.
const SOON: Micros = 15 * 60 * MICROS;

/// What an item says. The order is that of resources, and of time within each; what is gone comes last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item {
    pub(super) kind: ResourceKind,
    /// `resourceId`.
    pub(super) id: String,
    /// Account, empty where unknown.
    pub(super) owner_id: String,
    /// Region, empty where unknown.
    pub(super) region: String,
    /// `configurationItemCaptureTime`.
    captured: Micros,
    /// `configurationStateId`, empty where unknown.
    pub(super) state_id: String,
    /// What the resource is, [`Life::GoesOn`], or that it is gone.
    pub(super) what: What,
    /// `resourceCreationTime` of an item that may tell of the creation.
    pub(super) created_at: Option<Seconds>,
}

enum Status {
    Unchanged,
    Discovered,
    Deleted,
}

impl Item {
    /// Reads one item; None: it tells of no change.
    ///
    /// # Errors
    /// It should tell of one and cannot be read: says which resource, what was expected and found.
    pub(super) fn read(item: &Map<String, Value>) -> Result<Option<Self>, String> {
        let named = text(item, "resourceType").map(Shape::of_type);
        if matches!(named, Some(None)) {
            return Ok(None);
        }
        let configuration = Configuration::read(item.get("configuration"));
        let known = configuration.as_ref().ok().and_then(Option::as_ref);
        let resource_id = text(item, "resourceId");
        // A query need not have selected the type.
        let Some(shape) = named.flatten().or_else(|| Shape::guess(resource_id, known)) else {
            return configuration.map(|_| None).map_err(|message| format!("{UNNAMED}: {message}"));
        };
        let id = resource_id.or_else(|| known.and_then(|own| own.id(shape)));
        let odd = |message: String| format!("{}: {message}", id.unwrap_or(UNNAMED));
        let Some(status) = status(item).map_err(odd)? else { return Ok(None) };
        let captured = captured(item).map_err(odd)?;
        let id = id.ok_or_else(|| odd(expected(item, "resourceId", "an id")))?;
        let mut home = home(item);
        let what = if matches!(status, Status::Deleted) {
            What::Gone(shape.kind, id.to_owned())
        } else {
            let told = configuration.as_ref().map_err(|message| odd(message.clone()))?;
            let configuration =
                told.as_ref().ok_or_else(|| odd(expected(item, "configuration", "a JSON object")))?;
            let resource = configuration.resource(shape, id, item.get("tags"), &home)?;
            home.learn(&resource);
            What::Is(Life::GoesOn, Box::new(resource))
        };
        Ok(Some(Self {
            kind: shape.kind,
            id: id.to_owned(),
            owner_id: home.owner_id,
            region: home.region,
            captured,
            state_id: state_id(item),
            what,
            created_at: match status {
                Status::Discovered => created_at(item, captured),
                Status::Unchanged | Status::Deleted => None,
            },
        }))
    }

    /// When the resource was this.
    pub(super) fn captured_at(&self) -> Seconds {
        self.captured.div_euclid(MICROS)
    }

    /// Whether both tell of the same resource.
    pub(super) fn is_of_resource(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.id == other.id
            && self.owner_id == other.owner_id
            && self.region == other.region
    }

    /// The change it tells of.
    pub(super) fn change(self) -> Change {
        let captured = self.captured_at();
        let (at, what) = match (self.created_at, self.what) {
            (Some(created), What::Is(_, resource)) => (created, What::Is(Life::Begins, resource)),
            (_, what) => (captured, what),
        };
        let state_id = self.state_id;
        let id = if state_id.is_empty() { state_id } else { format!("{}:{state_id}", self.id) };
        Change { at, what, owner_id: self.owner_id, region: self.region, id }
    }
}

const UNNAMED: &str = "item without resourceId";

/// None: the recorder does not record the type, and says nothing about the resource.
fn status(item: &Map<String, Value>) -> Result<Option<Status>, String> {
    match item.get("configurationItemStatus") {
        // A query need not have selected it.
        None | Some(Value::Null) => Ok(Some(Status::Unchanged)),
        Some(status) => match status.as_str() {
            Some("OK") => Ok(Some(Status::Unchanged)),
            Some("ResourceDiscovered") => Ok(Some(Status::Discovered)),
            Some("ResourceDeleted" | "ResourceDeletedNotRecorded") => Ok(Some(Status::Deleted)),
            Some("ResourceNotRecorded") => Ok(None),
            _ => Err(expected(item, "configurationItemStatus", "OK, ResourceDiscovered or ResourceDeleted")),
        },
    }
}

/// The time of creation, if the item was captured because of it.
fn created_at(item: &Map<String, Value>, captured: Micros) -> Option<Seconds> {
    let value = item.get("resourceCreationTime")?;
    let created = micros(value)?.checked_add(zone(item, value))?;
    (0..=SOON).contains(&captured.checked_sub(created)?).then_some(created.div_euclid(MICROS))
}

fn captured(item: &Map<String, Value>) -> Result<Micros, String> {
    let key = super::CAPTURED;
    let time = item.get(key).and_then(|value| micros(value)?.checked_add(zone(item, value)));
    time.ok_or_else(|| expected(item, key, "a time"))
}

/// Recordings of Python calls have the local time of the recorder and not its zone. State ids are most often the capture
/// time in milliseconds: if the two are whole quarters of an hour apart, that is the zone. UTC otherwise.
fn zone(item: &Map<String, Value>, time: &Value) -> Micros {
    const QUARTER: Micros = 15 * 60 * MICROS;
    const WIDEST: Micros = 14 * 60 * 60 * MICROS;
    let apart = || {
        let local = item.get(super::CAPTURED).filter(|captured| captured.is_object())?;
        let utc = state_id(item).parse::<i64>().ok()?.checked_mul(1_000)?;
        // Microseconds of the one are milliseconds of the other.
        let apart = utc.checked_sub(micros(local)?.div_euclid(1_000) * 1_000)?;
        (apart % QUARTER == 0 && (-WIDEST..=WIDEST).contains(&apart)).then_some(apart)
    };
    if time.is_object() { apart().unwrap_or(0) } else { 0 }
}

fn expected(item: &Map<String, Value>, key: &str, what: &str) -> String {
    let remedy = if item.contains_key(key) { "" } else { "; a query has to select it" };
    format!("{key}: expected {what}, found {}{remedy}", found(item.get(key)))
}

/// Account and region: events and files spell the keys otherwise than answers do.
fn home(item: &Map<String, Value>) -> Home {
    let first = |keys: [&str; 2]| keys.iter().find_map(|key| text(item, key));
    let arn_part =
        |index: usize| first(["arn", "ARN"]).and_then(|arn| arn.split(':').nth(index)).unwrap_or_default();
    Home {
        owner_id: first(["accountId", "awsAccountId"]).unwrap_or_else(|| arn_part(4)).to_owned(),
        region: text(item, "awsRegion").unwrap_or_else(|| arn_part(3)).to_owned(),
    }
}

fn state_id(item: &Map<String, Value>) -> String {
    match item.get("configurationStateId") {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => String::new(),
    }
}

fn text<'a>(item: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    item.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// A time as files (RFC 3339), the first version of the AWS CLI (seconds since 1970), SDKs (milliseconds) and recordings
/// of Python calls (`{"__class__": "datetime", "year": …}`) have it.
fn micros(value: &Value) -> Option<Micros> {
    match value {
        Value::String(text) => match DateTime::parse_from_rfc3339(text) {
            Ok(time) => Some(time.timestamp_micros()),
            Err(_) => crate::time::parse(text)?.checked_mul(MICROS),
        },
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.checked_mul(unit(whole.checked_abs()?)),
            None => fraction(number.as_f64()?),
        },
        Value::Object(parts) => datetime(parts),
        _ => None,
    }
    .filter(|time| (0..=LAST * MICROS).contains(time))
}

/// The end of the year 9999, in seconds. A larger number is of milliseconds, later than January 1978.
const LAST: i64 = 253_402_300_799;

fn unit(number: i64) -> Micros {
    if number > LAST { 1_000 } else { MICROS }
}

fn fraction(number: f64) -> Option<Micros> {
    // Well within what both types hold exactly.
    const MOST: f64 = 9.0e15;
    if !(0.0..=MOST).contains(&number) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "within 0 to 9e15")]
    let (whole, part) = (number as i64, (number.fract() * 1e6) as i64);
    let unit = unit(whole);
    whole.checked_mul(unit)?.checked_add(part * unit / MICROS)
}

fn datetime(parts: &Map<String, Value>) -> Option<Micros> {
    let part = |key: &str| match parts.get(key) {
        None => Some(0),
        Some(value) => value.as_u64().and_then(|part| u32::try_from(part).ok()),
    };
    let year = i32::try_from(part("year")?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, part("month")?, part("day")?)?;
    let time =
        date.and_hms_micro_opt(part("hour")?, part("minute")?, part("second")?, part("microsecond")?)?;
    Some(time.and_utc().timestamp_micros())
}

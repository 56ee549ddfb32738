//! Addresses → the objects behind them. Folders of a known layout in which nothing can match are not listed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use glob::{MatchOptions, Pattern};
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::{GetOptions, ObjectMeta, ObjectStore as _};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::address::{Address, Scheme};
use super::complaint::{Asked, explain};
use super::connect::{Bucket, runtime};
use super::layout::{Choice, Verdict};
use super::object::Remote;
use crate::cli::Access;
use crate::ingest::object::Object;
use crate::ingest::{FileFailure, Found, LeftOut, Source};

/// A folder with more folders than this is listed whole: looking into each would take longer.
const MOST_FOLDERS: usize = 200;

/// The objects behind these addresses.
///
/// # Errors
/// No credentials, no bucket, no permission to list, or nothing there.
pub(crate) fn find(addresses: &[&str], access: &Access, choice: &Choice) -> Result<Found, FileFailure> {
    let runtime = runtime().map_err(FileFailure)?;
    let mut buckets: BTreeMap<(Scheme, String), Arc<Bucket>> = BTreeMap::new();
    let mut found = Found::default();
    for text in addresses {
        let address = Address::parse(text).map_err(FileFailure)?;
        let name = (address.scheme, address.bucket.clone());
        let bucket = if let Some(known) = buckets.get(&name) {
            Arc::clone(known)
        } else {
            let bucket = Arc::new(Bucket::connect(&address, access, &runtime).map_err(FileFailure)?);
            buckets.insert(name, Arc::clone(&bucket));
            bucket
        };
        let listed = runtime.block_on(list(&bucket, &address, choice));
        let Listed { objects, left_out, met } =
            listed.map_err(|why| FileFailure(format!("{address}: {why}")))?;
        if !met {
            return Err(FileFailure(format!("{address}: no object is there")));
        }
        found.left_out.merge(left_out);
        found.sources.extend(objects.into_iter().map(|object| source(&bucket, &runtime, object)));
    }
    Ok(found)
}

fn source(
    bucket: &Arc<Bucket>,
    runtime: &Arc<Runtime>,
    ObjectMeta { location, last_modified, size, e_tag, .. }: ObjectMeta,
) -> Source {
    let address = bucket.address.with_key(location.as_ref()).to_string();
    let remote = Remote {
        bucket: Arc::clone(bucket),
        runtime: Arc::clone(runtime),
        key: location,
        etag: e_tag.clone(),
        pending: std::sync::Mutex::default(),
    };
    let modified = last_modified.timestamp_nanos_opt().unwrap_or(0);
    Source::object(address, Object::new(Arc::new(remote), size, e_tag, modified))
}

/// What listing came to.
#[derive(Default)]
struct Listed {
    objects: Vec<ObjectMeta>,
    left_out: LeftOut,
    /// Whether anything is there at all, chosen or not.
    met: bool,
}

/// What is below an address.
struct Below {
    /// Keys of it begin with this, and behind it nothing or a slash.
    root: String,
    pattern: Option<Pattern>,
    choice: Choice,
}

async fn list(bucket: &Arc<Bucket>, address: &Address, choice: &Choice) -> Result<Listed, String> {
    let (root, is_pattern) = address.literal();
    let pattern = is_pattern.then(|| Pattern::new(&address.key)).transpose();
    let pattern = pattern.map_err(|error| format!("expected a pattern: {error}"))?;
    let below = Arc::new(Below { root: root.to_owned(), pattern, choice: choice.clone() });
    let mut listed = Listed::default();
    let mut running: JoinSet<Result<Step, String>> = JoinSet::new();
    let mut waiting = vec![(below.root.clone(), Verdict::Descend)];
    loop {
        while let Some((prefix, verdict)) = waiting.pop() {
            running.spawn(step(Arc::clone(bucket), Arc::clone(&below), prefix, verdict));
        }
        let Some(done) = running.join_next().await else { break };
        match done.map_err(|error| error.to_string())? {
            Ok(Step { objects, folders, left_out, met }) => {
                listed.objects.extend(objects);
                listed.left_out.merge(left_out);
                listed.met |= met;
                waiting.extend(folders);
            }
            // Who may read an object need not be allowed to list.
            Err(why) => match one(bucket, address).await {
                Some(object) if listed.objects.is_empty() => {
                    return Ok(Listed { objects: vec![object], met: true, ..Listed::default() });
                }
                _ => return Err(why),
            },
        }
    }
    Ok(listed)
}

async fn one(bucket: &Bucket, address: &Address) -> Option<ObjectMeta> {
    let key = object_store::path::Path::parse(&address.key).ok().filter(|key| !key.is_root())?;
    let options = GetOptions { head: true, ..GetOptions::default() };
    Some(bucket.store.get_opts(&key, options).await.ok()?.meta)
}

/// What one folder came to.
#[derive(Default)]
struct Step {
    objects: Vec<ObjectMeta>,
    folders: Vec<(String, Verdict)>,
    left_out: LeftOut,
    met: bool,
}

/// Lists one folder: its folders apart, or all that is below it.
async fn step(
    bucket: Arc<Bucket>,
    below: Arc<Below>,
    prefix: String,
    verdict: Verdict,
) -> Result<Step, String> {
    let mut step = Step::default();
    let mut folders = BTreeSet::new();
    let mut token = None;
    loop {
        let options = PaginatedListOptions {
            delimiter: (verdict == Verdict::Descend).then_some(Cow::Borrowed("/")),
            page_token: token.take(),
            ..PaginatedListOptions::default()
        };
        let page = {
            let _permit = bucket.permits.acquire().await;
            bucket
                .store
                .list_paginated(Some(&prefix).filter(|it| !it.is_empty()).map(String::as_str), options)
                .await
        };
        let page = page.map_err(|error| explain(Asked::List, &bucket.address, &error))?;
        for object in page.result.objects {
            below.add(object, &mut step);
        }
        folders.extend(page.result.common_prefixes.iter().map(|folder| format!("{folder}/")));
        if verdict == Verdict::Descend && folders.len() > MOST_FOLDERS && !prefix.contains("AWSLogs/") {
            return Box::pin(self::step(bucket, below, prefix, Verdict::List)).await;
        }
        token = page.page_token;
        if token.is_none() {
            break;
        }
    }
    for folder in folders {
        below.look(folder, &mut step);
    }
    Ok(step)
}

impl Below {
    /// Whether a key or a folder lies below the address, and is not hidden there.
    fn holds(&self, key: &str) -> bool {
        let Some(rest) = key.strip_prefix(&self.root) else { return false };
        let is_below =
            rest.is_empty() || rest.starts_with('/') || self.root.is_empty() || self.root.ends_with('/');
        is_below && !rest.split('/').any(|part| part.starts_with('.'))
    }

    fn add(&self, object: ObjectMeta, step: &mut Step) {
        let key = object.location.as_ref();
        let separate = MatchOptions { require_literal_separator: true, ..MatchOptions::default() };
        let fits = self.pattern.as_ref().is_none_or(|pattern| pattern.matches_with(key, separate));
        // A folder made by hand is an empty object.
        if object.size == 0 && key.ends_with('/') || !fits || !self.holds(key) {
            return;
        }
        step.met = true;
        if self.choice.takes(key) {
            step.objects.push(object);
        } else {
            step.left_out.files += 1;
        }
    }

    fn look(&self, folder: String, step: &mut Step) {
        // The address may be the beginning of a name: "logs" is no folder of "logs-old/".
        if !self.holds(folder.trim_end_matches('/')) {
            return;
        }
        match self.choice.of_folder(&folder) {
            Verdict::LeaveOut => {
                step.met = true;
                step.left_out.folders += 1;
            }
            verdict => step.folders.push((folder, verdict)),
        }
    }
}

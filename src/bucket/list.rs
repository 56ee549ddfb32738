//! Addresses → the objects behind them. Folders of a known layout in which nothing can match are not listed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use object_store::path::Path;
use object_store::{GetOptions, ObjectStore as _};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::address::{Address, Scheme};
use super::connect::{Bucket, runtime};
use super::layout::{Choice, Verdict, not_over_before};
use super::listing::{Depth, Listed, Refusal};
use super::object::Remote;
use super::pattern::KeyPattern;
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
        let all = runtime.block_on(list(&bucket, &address, choice));
        let All { mut objects, mut left_out, met } =
            all.map_err(|why| FileFailure(format!("{address}: {why}")))?;
        if !met {
            return Err(FileFailure(format!("{address}: no object is there")));
        }
        let before = objects.len();
        not_over_before(choice.window.since, &mut objects, |object| &object.key);
        left_out.files += (before - objects.len()) as u64;
        found.left_out.merge(left_out);
        for object in objects {
            let address = bucket.address.with_key(&object.key).to_string();
            match source(&bucket, &runtime, address.clone(), object) {
                Some(source) => found.sources.push(source),
                None => found.failures.push((address, FileFailure(ODD_KEY.to_owned()))),
            }
        }
    }
    Ok(found)
}

const ODD_KEY: &str = "the key cannot be asked for: expected names between single slashes, found an empty one, a dot, or a \
                       character that is none; copy the object to another key";

/// None: the store's client cannot ask for such a key.
fn source(bucket: &Arc<Bucket>, runtime: &Arc<Runtime>, address: String, object: Listed) -> Option<Source> {
    let Listed { key, bytes, etag, modified } = object;
    let path = Path::parse(&key).ok().filter(|path| path.as_ref() == key)?;
    let remote = Remote {
        bucket: Arc::clone(bucket),
        runtime: Arc::clone(runtime),
        key: path,
        etag: etag.clone(),
        pending: std::sync::Mutex::default(),
    };
    Some(Source::object(address, Object::new(Arc::new(remote), bytes, etag, modified)))
}

/// What listing came to.
#[derive(Default)]
struct All {
    objects: Vec<Listed>,
    left_out: LeftOut,
    /// Whether anything is there at all, chosen or not.
    met: bool,
}

/// What is below an address.
struct Below {
    /// Keys of it begin with this, and behind it nothing or a slash.
    root: String,
    pattern: Option<KeyPattern>,
    choice: Choice,
}

async fn list(bucket: &Arc<Bucket>, address: &Address, choice: &Choice) -> Result<All, String> {
    let (root, is_pattern) = address.literal();
    let pattern = is_pattern.then(|| KeyPattern::new(&address.key)).transpose()?;
    let below = Arc::new(Below { root: root.to_owned(), pattern, choice: choice.clone() });
    let mut all = All::default();
    let mut running: JoinSet<Result<Step, Refusal>> = JoinSet::new();
    let mut waiting = vec![(below.root.clone(), Depth::Folders)];
    loop {
        while let Some((prefix, depth)) = waiting.pop() {
            running.spawn(step(Arc::clone(bucket), Arc::clone(&below), prefix, depth));
        }
        let Some(done) = running.join_next().await else { break };
        match done.map_err(|error| error.to_string())? {
            Ok(Step { objects, folders, left_out, met }) => {
                all.objects.extend(objects);
                all.left_out.merge(left_out);
                all.met |= met;
                waiting.extend(folders);
            }
            // Who may read an object need not be allowed to list.
            Err(Refusal { why, is_denied }) => match one(bucket, address).await {
                Some(object) if is_denied && !all.met => {
                    return Ok(All { objects: vec![object], met: true, ..All::default() });
                }
                _ => return Err(why),
            },
        }
    }
    Ok(all)
}

async fn one(bucket: &Bucket, address: &Address) -> Option<Listed> {
    let key = Path::parse(&address.key).ok().filter(|key| !key.is_root())?;
    let options = GetOptions { head: true, ..GetOptions::default() };
    let meta = bucket.store.get_opts(&key, options).await.ok()?.meta;
    let modified = meta.last_modified.timestamp_nanos_opt().unwrap_or(0);
    Some(Listed { key: address.key.clone(), bytes: meta.size, etag: meta.e_tag, modified })
}

/// What one folder came to.
#[derive(Default)]
struct Step {
    objects: Vec<Listed>,
    folders: Vec<(String, Depth)>,
    left_out: LeftOut,
    met: bool,
}

/// Lists one folder: its folders apart, or all that is below it.
async fn step(
    bucket: Arc<Bucket>,
    below: Arc<Below>,
    prefix: String,
    mut depth: Depth,
) -> Result<Step, Refusal> {
    let mut step = Step::default();
    let mut folders = BTreeSet::new();
    let mut token: Option<String> = None;
    loop {
        let page = bucket.page(&prefix, depth, token.as_deref()).await?;
        for object in page.objects {
            below.add(object, &mut step);
        }
        folders.extend(page.folders);
        token = page.next;
        if depth == Depth::Folders && folders.len() > MOST_FOLDERS && !prefix.contains("AWSLogs/") {
            // Once more, all of it.
            (step, depth, token) = (Step::default(), Depth::All, None);
            folders.clear();
            continue;
        }
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
        let hidden = |part: &str| part.starts_with('.') && !matches!(part, "." | "..");
        is_below && !rest.split('/').any(hidden)
    }

    fn add(&self, object: Listed, step: &mut Step) {
        let key = &object.key;
        let fits = self.pattern.as_ref().is_none_or(|pattern| pattern.takes(key));
        // A folder made by hand is an object that ends as a folder does.
        if key.ends_with('/') || !fits || !self.holds(key) {
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
        let name = folder.strip_suffix('/').unwrap_or(&folder);
        // The address may be the beginning of a name: "logs" is no folder of "logs-old/".
        if !self.holds(name) || !self.pattern.as_ref().is_none_or(|pattern| pattern.may_take_below(name)) {
            return;
        }
        match self.choice.of_folder(&folder) {
            Verdict::LeaveOut => {
                step.met = true;
                step.left_out.folders += 1;
            }
            Verdict::Descend => step.folders.push((folder, Depth::Folders)),
            Verdict::List => step.folders.push((folder, Depth::All)),
        }
    }
}

//! One object: its ranges are fetched by threads of the network while others parse.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Error, ErrorKind, Result};
use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore as _};
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;

use super::complaint::{Asked, CHANGED, explain, is_silence};
use super::connect::Bucket;
use crate::ingest::object::Fetch;

/// An object as it was when it was listed.
pub(super) struct Remote {
    pub(super) bucket: Arc<Bucket>,
    /// What fetches does not hold it: it must not end on a thread of its own.
    pub(super) runtime: Arc<Runtime>,
    pub(super) key: Path,
    /// Only this version of it is read.
    pub(super) etag: Option<String>,
    pub(super) pending: Mutex<BTreeMap<(u64, u64), Pending>>,
}

/// A range on its way.
pub(super) struct Pending {
    bytes: Receiver<Result<Bytes>>,
    task: AbortHandle,
}

impl fmt::Debug for Remote {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Remote").field("key", &self.key).field("etag", &self.etag).finish_non_exhaustive()
    }
}

impl Remote {
    fn pending(&self) -> MutexGuard<'_, BTreeMap<(u64, u64), Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, range: Range<u64>) -> Pending {
        let (sender, bytes) = sync_channel(1);
        let (bucket, key, etag) = (Arc::clone(&self.bucket), self.key.clone(), self.etag.clone());
        let task = self.runtime.spawn(async move {
            // Whoever does not want it any more is not told.
            let _ = sender.send(get(&bucket, &key, etag, range).await);
        });
        Pending { bytes, task: task.abort_handle() }
    }
}

async fn get(bucket: &Bucket, key: &Path, etag: Option<String>, range: Range<u64>) -> Result<Bytes> {
    let _permit = bucket.permits.acquire().await;
    // Thousands of objects are not waited for one after the other.
    if bucket.is_silent() {
        return Err(Error::new(ErrorKind::TimedOut, "the store does not answer any more"));
    }
    let options = GetOptions {
        if_match: etag.clone(),
        range: Some(GetRange::Bounded(range.clone())),
        ..GetOptions::default()
    };
    let explained = |error: object_store::Error| {
        if is_silence(&error) {
            bucket.note_silence();
        } else {
            bucket.note_answer();
        }
        let address = bucket.address.with_key(key.as_ref());
        Error::other(explain(Asked::Get, &address, bucket.partition(), &error))
    };
    let answer = bucket.store.get_opts(key, options).await.map_err(explained)?;
    bucket.note_answer();
    // Not every store heeds the condition.
    if etag.is_some() && answer.meta.e_tag.is_some() && answer.meta.e_tag != etag {
        return Err(Error::other(CHANGED));
    }
    let bytes = answer.bytes().await.map_err(explained)?;
    if bytes.len() as u64 != range.end - range.start {
        return Err(Error::new(ErrorKind::UnexpectedEof, CHANGED));
    }
    Ok(bytes)
}

impl Fetch for Remote {
    fn expect(&self, range: Range<u64>) {
        if !range.is_empty() {
            self.pending().entry((range.start, range.end)).or_insert_with(|| self.start(range));
        }
    }

    fn range(&self, range: Range<u64>) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let known = self.pending().remove(&(range.start, range.end));
        let pending = known.unwrap_or_else(|| self.start(range));
        pending.bytes.recv().unwrap_or_else(|_| Err(Error::other("the network has ended before the object")))
    }

    fn forget(&self, range: Range<u64>) {
        if let Some(pending) = self.pending().remove(&(range.start, range.end)) {
            pending.task.abort();
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        for pending in self.pending().values() {
            pending.task.abort();
        }
    }
}

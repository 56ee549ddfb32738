//! `flowaudit snapshot`: what documents say of the rules, without any log.
//!
//! ```text
//! documents ─▶ rules::load ─▶ Timeline ─┬▶ check: what is there, from when to when, what is missing
//!                                       ├▶ diff:  what differs between two states
//!                                       └▶ show:  one state as describe-* JSON
//! ```

pub mod check;
pub mod diff;
pub mod show;

use crate::cli::Access;
use crate::error::Error;
use crate::reading::documents;
use crate::rules::load::Loaded;
use crate::rules::timeline::Timeline;

/// Documents and the history that they tell.
#[derive(Debug)]
pub struct History {
    /// What was read.
    pub loaded: Loaded,
    /// The states in force.
    pub timeline: Timeline,
}

/// Reads documents, `[TIME=]PATH` each.
///
/// # Errors
/// A document that cannot be read, or none that says anything of rules or interfaces.
pub fn read(paths: &[String], access: &Access) -> Result<History, Error> {
    let loaded = documents(paths, access)?;
    let timeline = Timeline::with_changes(loaded.snapshots.clone(), &loaded.trail);
    if loaded.documents.iter().all(|document| document.left_aside.is_some()) {
        let shown = loaded.documents.iter().take(5).map(|document| {
            let why = document.left_aside.as_deref().unwrap_or_default();
            format!("\n  {}: {why}", document.file)
        });
        return Err(Error::Input(format!(
            "{}: nothing that tells of security groups; expected answers of aws ec2 describe-*, AWS Config or CloudTrail \
             files, or terraform show -json{}",
            paths.join(", "),
            shown.collect::<String>()
        )));
    }
    Ok(History { loaded, timeline })
}

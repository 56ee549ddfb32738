//! A small believable account of Alibaba Cloud: what SLS delivers of its flow log, and what the ECS API says of its groups.

mod account;
mod documents;
mod traffic;
mod write;

use std::io;

use super::{Content, printed};
use crate::flow::Seconds;

/// The first second: that of the AWS sample.
const START: Seconds = super::START;
/// The first second after two days.
const END: Seconds = START + 2 * 86_400;

/// Every file of the sample, and how many records there are in each form.
pub(super) fn files(seed: u64) -> Result<(Vec<Content>, usize), io::Error> {
    let account = account::Account::new(seed);
    let records = traffic::records(&account, seed);
    let mut files = write::logs(&account, &records, seed)?;
    for (path, document) in documents::documents(&account) {
        files.push((path, printed(&document)?));
    }
    Ok((files, records.len()))
}

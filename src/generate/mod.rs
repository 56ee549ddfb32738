//! The maker of a small believable AWS account: flow logs in three forms and the snapshot of rules that goes with them.
//!
//! ```text
//! seed ─▶ account (interfaces, groups, rules) ─▶ documents (describe answers)
//!              └─▶ traffic (stories → records) ─▶ write (text, gzip, Parquet)
//! ```
//!
//! Everything follows from the seed, byte for byte, on any machine: no clock, no floats, no order of hash tables.

mod account;
mod alibaba;
mod documents;
mod random;
mod rules;
mod traffic;
mod write;

use std::path::PathBuf;
use std::{fs, io};

use clap::ValueEnum;

use crate::flow::Seconds;

/// The seed that is taken when nobody names one.
pub const DEFAULT_SEED: u64 = 42;
/// The first second of the sample: 2026-03-02T00:00:00Z, a Monday.
pub const START: Seconds = 1_772_409_600;
/// The first second after the sample: 2026-03-09T00:00:00Z.
pub const END: Seconds = START + 7 * 86_400;

/// What to make, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateOptions {
    /// Decides ids, clients, times and volumes. The account and the planted stories are the same under every seed.
    pub seed: u64,
    /// Whose account.
    pub cloud: Cloud,
    /// The folder that gets `text`, `gz`, `parquet` and `snapshot`; of Alibaba Cloud `json`, `csv`, `parquet` and
    /// `snapshot`. Files of the same name are replaced.
    pub out: PathBuf,
}

/// Whose account is made up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Cloud {
    /// Amazon Web Services
    #[default]
    Aws,
    /// Alibaba Cloud
    Alibaba,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self { seed: DEFAULT_SEED, cloud: Cloud::Aws, out: PathBuf::from("sample-logs") }
    }
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateSummary {
    /// Records of one form; all three hold the same.
    pub records: usize,
    /// Every file, in the order it was written.
    pub files: Vec<GeneratedFile>,
}

/// One file that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Where it is, under [`GenerateOptions::out`].
    pub path: PathBuf,
    /// How large it is.
    pub bytes: usize,
}

/// A file: its path under [`GenerateOptions::out`], and its bytes.
type Content = (PathBuf, Vec<u8>);

/// Writes the sample.
pub fn generate(options: &GenerateOptions) -> Result<GenerateSummary, io::Error> {
    let (contents, records) = match options.cloud {
        Cloud::Aws => aws_files(options.seed)?,
        Cloud::Alibaba => alibaba::files(options.seed)?,
    };
    let mut files = Vec::with_capacity(contents.len());
    for (path, content) in contents {
        let target = options.out.join(&path);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&target, &content)?;
        files.push(GeneratedFile { path, bytes: content.len() });
    }
    Ok(GenerateSummary { records, files })
}

/// Every file of the AWS sample, and how many records there are in each form.
fn aws_files(seed: u64) -> Result<(Vec<Content>, usize), io::Error> {
    let account = account::Account::new(seed);
    let records = traffic::records(&account, seed);
    let mut files = write::logs(&account, &records, seed)?;
    for (path, document) in documents::documents(&account) {
        files.push((path, printed(&document)?));
    }
    Ok((files, records.len()))
}

/// A document as the command lines of the clouds print it.
fn printed(document: &serde_json::Value) -> Result<Vec<u8>, io::Error> {
    let mut text = serde_json::to_vec_pretty(document)?;
    text.push(b'\n');
    Ok(text)
}

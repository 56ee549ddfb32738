//! What a capture asked for, what came, and what is missing: `manifest.json` beside the answers.

use serde::{Deserialize, Serialize};

/// The manifest of a capture.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `1`. What a manifest is known by.
    pub flowaudit_manifest: String,
    /// Who wrote it.
    pub generator: String,
    /// When the first call was made, RFC 3339: since then the snapshot is in force.
    pub started_at: String,
    /// When the last one was answered.
    pub finished_at: String,
    /// The program that made the calls, as it says itself.
    pub tool: String,
    /// What was asked of whom.
    pub accounts: Vec<AccountNote>,
}

impl Manifest {
    /// As it is written.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Every call without an answer, with its account and region.
    pub fn missing(&self) -> impl Iterator<Item = (&AccountNote, &RegionNote, &Missing)> {
        self.accounts.iter().flat_map(|account| {
            account
                .regions
                .iter()
                .flat_map(move |region| region.missing.iter().map(move |it| (account, region, it)))
        })
    }
}

/// One account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountNote {
    /// Its id.
    pub account_id: String,
    /// Who asked: the ARN of the caller.
    pub caller: String,
    /// By region.
    pub regions: Vec<RegionNote>,
}

/// One region of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionNote {
    /// Its name.
    pub region: String,
    /// The answers.
    pub files: Vec<FileNote>,
    /// Calls without an answer.
    pub missing: Vec<Missing>,
}

/// One answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileNote {
    /// The file, within the folder of its region.
    pub file: String,
    /// The call.
    pub command: String,
    /// Entries of its list.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// A call without an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The permission that it takes.
    pub action: String,
    /// The call.
    pub command: String,
    /// Why.
    pub reason: Reason,
    /// What the program said.
    pub message: String,
}

/// Why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Whoever asked may not ask that.
    Denied,
    /// Anything else.
    Failed,
}

//! One call of a command-line program, and what came of it.

use std::io::ErrorKind;
use std::process::Command;

use serde_json::Value;

use crate::error::Error;
use crate::rules::load::manifest::Reason;

/// A read-only call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// Arguments, without those that say who asks.
    pub(super) arguments: Vec<String>,
    /// An argument that older versions of the program do not know, and can do without.
    pub(super) newer: Option<&'static str>,
    /// The permission that it takes: `ec2:DescribeSubnets`.
    pub(super) action: String,
    /// The file for its answer.
    pub(super) file: String,
    /// The list that its answer has: keys from the outside in, with dots between.
    pub(super) list: &'static str,
}

impl Call {
    /// How long the list of an answer is. None: it has none.
    pub(super) fn count(&self, answer: &Value) -> Option<u64> {
        Some(self.items(answer)?.len() as u64)
    }

    /// The list of an answer, which may be wrapped once less than it says.
    pub(super) fn items<'a>(&self, answer: &'a Value) -> Option<&'a [Value]> {
        let mut keys = self.list.split('.');
        let first = answer.get(keys.next()?)?;
        let list = keys.try_fold(first, |value, key| match value {
            Value::Array(_) => Some(value),
            _ => value.get(key),
        })?;
        list.as_array().map(Vec::as_slice)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn failed(message: String) -> Self {
        Self { reason: Reason::Failed, message }
    }

    /// What a program said on stderr before it failed.
    fn told(stderr: &[u8]) -> Self {
        let text = String::from_utf8_lossy(stderr);
        let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no message");
        let denied = ["UnauthorizedOperation", "AccessDenied", "NoPermission", "Forbidden"];
        let reason =
            if denied.iter().any(|word| text.contains(word)) { Reason::Denied } else { Reason::Failed };
        Self { reason, message: last.chars().take(MOST_SAID).collect() }
    }
}

/// Characters of a message that are kept.
const MOST_SAID: usize = 500;

/// Who calls.
#[derive(Clone, Default)]
pub(super) struct Caller {
    pub(super) program: &'static str,
    /// `--profile NAME`.
    pub(super) identity: Vec<String>,
    /// Credentials of a role. Never shown: this has no `Debug`.
    pub(super) secrets: Vec<(&'static str, String)>,
}

impl Caller {
    /// Makes a call: the answer, and the call as it was made.
    pub(super) fn ask(&self, call: Call) -> (Call, Result<Vec<u8>, Refusal>) {
        let newer: Vec<String> = call.newer.into_iter().map(str::to_owned).collect();
        match self.run(&[call.arguments.as_slice(), &newer].concat()) {
            Err(Refusal { message, .. }) if call.newer.is_some_and(|option| message.contains(option)) => {
                let older = Call { newer: None, ..call };
                let answer = self.run(&older.arguments);
                (older, answer)
            }
            answer => (call, answer),
        }
    }

    /// Runs the program; what it wrote to standard output.
    pub(super) fn run(&self, arguments: &[String]) -> Result<Vec<u8>, Refusal> {
        let mut command = Command::new(self.program);
        command.args(arguments);
        if self.secrets.is_empty() {
            command.args(&self.identity);
        } else {
            // A role has taken the place of the profile.
            command.env_remove("AWS_PROFILE").envs(self.secrets.iter().map(|(name, value)| (name, value)));
        }
        let output =
            command.env("AWS_PAGER", "").output().map_err(|error| Refusal::failed(error.to_string()))?;
        if output.status.success() { Ok(output.stdout) } else { Err(Refusal::told(&output.stderr)) }
    }

    /// The call as it would be typed.
    pub(super) fn shown(&self, call: &Call) -> String {
        let newer = call.newer.map(str::to_owned);
        // A role has taken the place of the profile.
        let identity = if self.secrets.is_empty() { self.identity.as_slice() } else { &[] };
        let words = call.arguments.iter().chain(&newer).chain(identity);
        let words: Vec<&str> = std::iter::once(self.program).chain(words.map(String::as_str)).collect();
        words.join(" ")
    }
}

/// What a program says of its version; an error with the remedy where it is not there.
pub(super) fn version(program: &str) -> Result<String, Error> {
    let argument = if program == super::aws::PROGRAM { "--version" } else { "version" };
    let output = Command::new(program).arg(argument).output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::Input(format!(
            "{program}: not found in the PATH; capture drives the command-line program of the cloud: install it, or run \
             the commands of --print-commands where it is"
        )),
        _ => Error::Input(format!("{program}: {error}")),
    })?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Ok(String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned())
}

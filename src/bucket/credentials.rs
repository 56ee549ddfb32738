//! Who asks: `--profile` and the AWS CLI's configuration, by asking the AWS CLI; all else is left to the store's client.

use std::env;
use std::fmt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use object_store::aws::AwsCredential;
use object_store::client::CredentialProvider;
use serde::Deserialize;

/// Credentials that end this soon are asked for again.
const TOO_SHORT: Duration = Duration::from_secs(300);

/// Characters of a message that are kept.
const MOST_SAID: usize = 300;

/// Whom to ask for credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// The AWS CLI, with a profile, or with the one that its variables and files name.
    Cli(Option<String>),
    /// Variables, a web identity, the container or the instance.
    Surroundings,
}

impl Source {
    /// The order in which the AWS CLI itself looks: what was asked for, variables, files, then where it runs.
    pub(super) fn of(
        profile: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
        has_files: bool,
    ) -> Self {
        if let Some(profile) = profile {
            return Self::Cli(Some(profile.to_owned()));
        }
        let any =
            |names: &[&str]| names.iter().any(|name| variable(name).is_some_and(|value| !value.is_empty()));
        if any(&["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"]) {
            return Self::Surroundings;
        }
        if any(&["AWS_PROFILE"]) {
            return Self::Cli(None);
        }
        let full = any(&["AWS_CONTAINER_CREDENTIALS_FULL_URI"]);
        let by_file = any(&["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]);
        match (any(&["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]), full) {
            // CloudShell and some tools have no file with a token; the AWS CLI knows them.
            (false, true) if !by_file => Self::Cli(None),
            (false, false) if has_files => Self::Cli(None),
            _ => Self::Surroundings,
        }
    }

    /// Whether the AWS CLI has files of its own here.
    pub(super) fn has_files() -> bool {
        let named = |name: &str| env::var_os(name).map(std::path::PathBuf::from);
        let home = named("HOME").or_else(|| named("USERPROFILE"));
        let in_home = |name: &str| home.as_ref().map(|home| home.join(".aws").join(name));
        [
            named("AWS_SHARED_CREDENTIALS_FILE").or_else(|| in_home("credentials")),
            named("AWS_CONFIG_FILE").or_else(|| in_home("config")),
        ]
        .into_iter()
        .flatten()
        .any(|path| path.is_file())
    }
}

/// What `aws configure export-credentials --format process` prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Exported {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<DateTime<Utc>>,
}

/// Credentials.
struct Known {
    credential: Arc<AwsCredential>,
    /// When they end.
    end: Option<DateTime<Utc>>,
    /// When they were asked for.
    since: Instant,
}

/// Those that end soon anyhow are not asked for again and again.
const NOT_AGAIN: Duration = Duration::from_secs(30);
/// How long the AWS CLI may take: somebody may have to sign in.
const ANSWER: Duration = Duration::from_secs(120);

/// The AWS CLI, asked again whenever what it said ends.
pub(super) struct Cli {
    profile: Option<String>,
    known: Mutex<Option<Known>>,
}

impl fmt::Debug for Cli {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Cli").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl Cli {
    pub(super) fn new(profile: Option<String>) -> Self {
        Self { profile, known: Mutex::default() }
    }

    /// What it knows, or says now.
    pub(super) fn ask(&self) -> Result<Arc<AwsCredential>, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let soon = Utc::now() + TOO_SHORT;
        if let Some(Known { credential, end, since }) = &*known
            && (end.is_none_or(|end| end > soon) || since.elapsed() < NOT_AGAIN)
        {
            return Ok(Arc::clone(credential));
        }
        let Exported { access_key_id, secret_access_key, session_token, expiration } = self.export()?;
        let credential = Arc::new(AwsCredential {
            key_id: access_key_id,
            secret_key: secret_access_key,
            token: session_token.filter(|token| !token.is_empty()),
        });
        *known = Some(Known { credential: Arc::clone(&credential), end: expiration, since: Instant::now() });
        Ok(credential)
    }

    fn export(&self) -> Result<Exported, String> {
        let exported = self.run(&["export-credentials", "--format", "process"]);
        match exported {
            // What it printed is secret, so of what is wrong with it only that is told.
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|_| format!("{}: aws configure export-credentials: expected JSON", self.whose())),
            Err(why) if why.contains("invalid choice") => self.look_up().ok_or_else(|| {
                format!(
                    "{}: this AWS CLI has no export-credentials, and no keys are in its files; install version 2, or set \
                     AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                    self.whose()
                )
            }),
            Err(why) => Err(why),
        }
    }

    /// The first version of the AWS CLI shows what is in its files alone.
    fn look_up(&self) -> Option<Exported> {
        let get = |name: &str| {
            let value = String::from_utf8(self.run(&["get", name]).ok()?).ok()?;
            Some(value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        Some(Exported {
            access_key_id: get("aws_access_key_id")?,
            secret_access_key: get("aws_secret_access_key")?,
            session_token: get("aws_session_token"),
            expiration: None,
        })
    }

    fn whose(&self) -> String {
        match &self.profile {
            Some(profile) => format!("--profile {profile}"),
            None => "the AWS CLI's configuration".to_owned(),
        }
    }

    /// What `aws configure …` prints.
    fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        let mut command = Command::new("aws");
        command.arg("configure").args(arguments);
        if let Some(profile) = &self.profile {
            command.args(["--profile", profile]);
        }
        let what =
            || format!("{}: aws configure {}", self.whose(), arguments.first().copied().unwrap_or_default());
        let missing = |error: std::io::Error| format!("{}: {error}; is the AWS CLI installed?", what());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(missing)?;
        let since = Instant::now();
        while child.try_wait().map_err(missing)?.is_none() {
            if since.elapsed() > ANSWER {
                // It may have ended by itself just now.
                let _ = child.kill();
                return Err(format!("{}: no answer within {} seconds", what(), ANSWER.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let output = child.wait_with_output().map_err(missing)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let mut telling = said.lines().map(str::trim).filter(|line| !line.is_empty());
        let choice =
            telling.clone().find(|line| line.contains("invalid choice") || line.contains("Invalid choice"));
        let said: String = choice.map_or_else(
            || telling.next_back().unwrap_or("no message").chars().take(MOST_SAID).collect(),
            |_| "invalid choice".to_owned(),
        );
        Err(format!("{}: {said}", what()))
    }
}

#[async_trait]
impl CredentialProvider for Cli {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        tokio::task::block_in_place(|| self.ask())
            .map_err(|why| object_store::Error::Generic { store: "credentials", source: why.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_looked_for_where_the_aws_cli_looks_in_its_order() {
        let cli = |profile: Option<&str>| Source::Cli(profile.map(str::to_owned));
        let cases: [(Option<&str>, &[&str], bool, Source); 10] = [
            (Some("audit"), &["AWS_ACCESS_KEY_ID"], true, cli(Some("audit"))),
            (None, &["AWS_ACCESS_KEY_ID", "AWS_PROFILE"], true, Source::Surroundings),
            (None, &["AWS_WEB_IDENTITY_TOKEN_FILE"], true, Source::Surroundings),
            (None, &["AWS_PROFILE"], false, cli(None)),
            (None, &["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"], true, Source::Surroundings),
            (
                None,
                &["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
                true,
                Source::Surroundings,
            ),
            (None, &[], true, cli(None)),
            (None, &[], false, Source::Surroundings),
            (None, &["AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"], true, cli(None)),
            (None, &["AWS_CONTAINER_CREDENTIALS_FULL_URI"], false, cli(None)),
        ];
        for (profile, set, has_files, expected) in cases {
            let variable = |name: &str| set.contains(&name).then(|| "x".to_owned());
            assert_eq!(Source::of(profile, variable, has_files), expected, "{profile:?} {set:?} {has_files}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let cli = Cli::new(Some("audit".to_owned()));
        let credential = AwsCredential {
            key_id: "AKIA".to_owned(),
            secret_key: "SECRET".to_owned(),
            token: Some("TOKEN".to_owned()),
        };
        *cli.known.lock().unwrap() =
            Some(Known { credential: Arc::new(credential), end: None, since: Instant::now() });
        assert_eq!(format!("{cli:?}"), r#"Cli { profile: Some("audit"), .. }"#);
        assert_eq!(cli.ask().unwrap().secret_key, "SECRET");
    }
}

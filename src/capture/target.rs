//! Who is asked: accounts, by profile and role, and their regions.

use serde_json::Value;

use super::call::{Caller, Refusal};
use super::{Options, alibaba, aws};
use crate::error::Error;
use crate::rules::load::manifest::AccountNote;
use crate::rules::state::Cloud;

/// `--region all`.
pub(super) const ALL: &str = "all";

/// One account that is asked.
pub(super) struct Target {
    pub(super) caller: Caller,
    pub(super) note: AccountNote,
    pub(super) regions: Vec<String>,
}

/// Whether a name can be a word of a command and a folder: regions, ids and accounts are.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.len() <= 128
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl Target {
    /// All that the options name.
    pub(super) fn all(options: &Options) -> Result<Vec<Self>, Error> {
        if options.cloud == Cloud::Alibaba && !options.roles.is_empty() {
            return Err(Error::Usage(
                "--role: aliyun takes roles from its profiles (mode RamRoleArn); name one with --profile"
                    .to_owned(),
            ));
        }
        let mut callers = Vec::new();
        let profiles: Vec<Option<&String>> = if options.profiles.is_empty() {
            vec![None]
        } else {
            options.profiles.iter().map(Some).collect()
        };
        for profile in profiles {
            let identity = profile.map(|profile| ["--profile".to_owned(), profile.clone()].to_vec());
            let caller = Caller {
                program: super::program(options.cloud),
                identity: identity.unwrap_or_default(),
                ..Caller::default()
            };
            if options.roles.is_empty() {
                callers.push(caller);
                continue;
            }
            for role in &options.roles {
                callers.push(assume(&caller, role)?);
            }
        }
        let targets: Vec<Self> =
            callers.into_iter().map(|caller| Self::of(caller, options)).collect::<Result<_, _>>()?;
        let mut seen = std::collections::BTreeSet::new();
        for target in &targets {
            if !seen.insert(target.note.account_id.as_str()) {
                return Err(Error::Usage(format!(
                    "account {} is named twice, by several profiles or roles: one is enough",
                    target.note.account_id
                )));
            }
        }
        Ok(targets)
    }

    fn of(caller: Caller, options: &Options) -> Result<Self, Error> {
        let (asked, account, arn) = match options.cloud {
            Cloud::Aws => (aws::identity(), "Account", "Arn"),
            Cloud::Alibaba => (alibaba::identity(), "AccountId", "Arn"),
        };
        let answer = json(&caller, &asked)?;
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        let note = AccountNote { account_id: text(account), caller: text(arn), regions: Vec::new() };
        if !is_name(&note.account_id) {
            return Err(refused(&caller, &asked, &format!("expected an answer with {account}, found none")));
        }
        let regions = regions(&caller, options)?;
        if let Some(odd) = regions.iter().find(|region| !is_name(region)) {
            return Err(Error::Usage(format!(
                "--region {odd}: expected the name of a region, such as eu-west-1, or all"
            )));
        }
        Ok(Self { caller, note, regions })
    }
}

fn refused(caller: &Caller, arguments: &[String], why: &str) -> Error {
    Error::Input(format!("{} {}: {why}", caller.program, arguments.join(" ")))
}

fn json(caller: &Caller, arguments: &[String]) -> Result<Value, Error> {
    let answer =
        caller.run(arguments).map_err(|Refusal { message, .. }| refused(caller, arguments, &message))?;
    serde_json::from_slice(&answer)
        .map_err(|error| refused(caller, arguments, &format!("expected JSON, found something else: {error}")))
}

/// The caller with the credentials of a role.
fn assume(caller: &Caller, role: &str) -> Result<Caller, Error> {
    let asked = aws::assume(role);
    let answer = json(caller, &asked)?;
    let secret = |name, key: &str| {
        let value = answer["Credentials"][key].as_str().map(str::to_owned);
        value
            .map(|value| (name, value))
            .ok_or_else(|| refused(caller, &asked, "expected credentials, found none"))
    };
    let secrets = vec![
        secret("AWS_ACCESS_KEY_ID", "AccessKeyId")?,
        secret("AWS_SECRET_ACCESS_KEY", "SecretAccessKey")?,
        secret("AWS_SESSION_TOKEN", "SessionToken")?,
    ];
    Ok(Caller { secrets, ..caller.clone() })
}

fn regions(caller: &Caller, options: &Options) -> Result<Vec<String>, Error> {
    let configured = || match options.cloud {
        Cloud::Aws => {
            let named = |name| std::env::var(name).ok().filter(|region| !region.is_empty());
            let asked = || {
                let answer =
                    Caller { secrets: Vec::new(), ..caller.clone() }.run(&aws::configured_region()).ok()?;
                let region = String::from_utf8_lossy(&answer).trim().to_owned();
                (!region.is_empty()).then_some(region)
            };
            named("AWS_REGION").or_else(|| named("AWS_DEFAULT_REGION")).or_else(asked)
        }
        Cloud::Alibaba => None,
    };
    match options.regions.as_slice() {
        [] => configured().map(|region| vec![region]).ok_or_else(|| {
            Error::Usage("no region is configured: give --region NAME, or --region all".to_owned())
        }),
        several if several.len() > 1 && several.iter().any(|region| region == ALL) => Err(Error::Usage(
            "--region all: every region is among them already; leave out the others".to_owned(),
        )),
        [all] if all == ALL => {
            let (asked, list, name) = match options.cloud {
                // Any region answers for all of its partition.
                Cloud::Aws => {
                    let region = configured().unwrap_or_else(|| "us-east-1".to_owned());
                    (aws::regions(&region), "/Regions", "RegionName")
                }
                Cloud::Alibaba => (alibaba::regions(), "/Regions/Region", "RegionId"),
            };
            let answer = json(caller, &asked)?;
            let items = answer.pointer(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let mut regions: Vec<String> =
                items.iter().filter_map(|region| region[name].as_str()).map(str::to_owned).collect();
            regions.sort();
            Ok(regions)
        }
        regions => {
            let once: std::collections::BTreeSet<&String> = regions.iter().collect();
            Ok(once.into_iter().cloned().collect())
        }
    }
}

//! `flowaudit snapshot capture`: the rules as they are now, by read-only calls of the installed `aws` or `aliyun`.
//!
//! ```text
//! profiles, roles ─▶ who am I ─▶ regions ─▶ calls, every page ─┬▶ OUT/TIME/ACCOUNT/REGION/*.json
//!                                                              └▶ OUT/TIME/manifest.json: what was asked, what is missing
//! ```
//!
//! Credentials are looked for by those programs as ever; nothing of them is kept, shown or written. A call that is not
//! permitted leaves a snapshot that says what it lacks. The folder has its name only when it is whole.

mod alibaba;
mod aws;
mod call;
pub mod policy;
mod target;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::remediation::shell;
use crate::report::Generator;
use crate::rules::load;
use crate::rules::load::manifest::{AccountNote, FileNote, Manifest, Missing, RegionNote};
use crate::rules::state::Cloud;
use crate::time;
use call::{Call, Caller, Refusal};
use target::Target;

/// So many calls are made at a time: most of each is waiting.
const AT_A_TIME: usize = 8;

/// What is captured, and where to.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// In which cloud.
    pub cloud: Cloud,
    /// The folder that the new one is made in.
    pub out: PathBuf,
    /// Profiles of the programs; none: what they use by themselves.
    pub profiles: Vec<String>,
    /// Regions, or `all`; none: the one that is configured.
    pub regions: Vec<String>,
    /// Roles to take on.
    pub roles: Vec<String>,
}

/// What was captured.
#[derive(Debug)]
pub struct Captured {
    /// The new folder.
    pub folder: PathBuf,
    /// What is in it, and what is missing.
    pub manifest: Manifest,
}

/// What one account and region answered.
#[derive(Debug, Default)]
struct Answers {
    files: Vec<(String, Vec<u8>)>,
    note: RegionNote,
}

/// Captures a snapshot.
///
/// # Errors
/// A program that is not installed, no account that could be asked, or a folder that cannot be written.
pub fn capture(options: &Options) -> Result<Captured, Error> {
    let unwritable = |path: &Path| {
        let path = path.display().to_string();
        move |source: io::Error| Error::Write { path, source }
    };
    fs::create_dir_all(&options.out).map_err(unwritable(&options.out))?;
    let started = time::now();
    let tool = call::version(program(options.cloud))?;
    let targets = Target::all(options)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(AT_A_TIME)
        .build()
        .map_err(|error| Error::Usage(format!("threads: {error}")))?;
    let work: Vec<(usize, &str)> = targets
        .iter()
        .enumerate()
        .flat_map(|(at, target)| target.regions.iter().map(move |region| (at, region.as_str())))
        .collect();
    let answers: Vec<(usize, Answers)> = pool.install(|| {
        work.par_iter().map(|(at, region)| (*at, ask(options.cloud, &targets[*at].caller, region))).collect()
    });
    if answers.iter().all(|(_, answers)| answers.files.is_empty()) {
        let first = answers.first().and_then(|(_, answers)| answers.note.missing.first());
        let why = first.map(|missing| format!("{}: {}", missing.command, missing.message));
        return Err(Error::Input(why.unwrap_or_else(|| "no region to ask".to_owned())));
    }

    let folder = options.out.join(time::format(started).replace(':', "-"));
    if folder.exists() {
        return Err(Error::Input(format!("{}: there is one of this second already", folder.display())));
    }
    let whole = tempfile::Builder::new().prefix(".capture").tempdir_in(&options.out);
    let whole = whole.map_err(unwritable(&options.out))?;
    let mut accounts: Vec<AccountNote> = targets.iter().map(|target| target.note.clone()).collect();
    for (at, Answers { files, note }) in answers {
        let place = whole.path().join(&accounts[at].account_id).join(&note.region);
        fs::create_dir_all(&place).map_err(unwritable(&place))?;
        for (name, bytes) in files {
            let path = place.join(name);
            fs::write(&path, bytes).map_err(unwritable(&path))?;
        }
        accounts[at].regions.push(note);
    }
    let manifest = Manifest {
        flowaudit_manifest: "1".to_owned(),
        generator: format!("{} {}", Generator::OURS.name, Generator::OURS.version),
        started_at: time::format(started),
        finished_at: time::format(time::now()),
        tool,
        accounts,
    };
    let path = whole.path().join("manifest.json");
    fs::write(&path, manifest.text()).map_err(unwritable(&path))?;
    fs::rename(whole.keep(), &folder).map_err(unwritable(&folder))?;
    readable(&folder);
    Ok(Captured { folder, manifest })
}

/// Temporary folders are for their owner alone; a snapshot is a folder like any other.
fn readable(folder: &Path) {
    #[cfg(unix)]
    {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        // What cannot be changed is still a snapshot.
        let _ = fs::set_permissions(folder, permissions);
    }
}

fn program(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Aws => aws::PROGRAM,
        Cloud::Alibaba => alibaba::PROGRAM,
    }
}

/// What was captured, for people: the folder, and the figures of each region.
///
/// # Errors
/// Those of the writer.
pub fn summary(captured: &Captured, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", captured.folder.display())?;
    for account in &captured.manifest.accounts {
        for region in &account.regions {
            let counts: Vec<String> = region
                .files
                .iter()
                .map(|file| format!("{} {}", file.file.trim_end_matches(".json"), file.count))
                .collect();
            writeln!(out, "  {} {}: {}", account.account_id, region.region, counts.join(", "))?;
        }
    }
    Ok(())
}

/// What would be run, a command to a line.
pub fn commands(options: &Options) -> String {
    match options.cloud {
        Cloud::Aws => aws::commands(options),
        Cloud::Alibaba => alibaba::commands(options),
    }
}

/// A value as a word of the shell: as it is where it is nothing but letters, digits and what ARNs have.
fn word(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:/.+=,@".contains(&byte);
    if !value.is_empty() && value.bytes().all(plain) { value.to_owned() } else { shell::quoted(value) }
}

/// Options that name a profile, one for each, as they are typed; one without, where none is named.
fn shown_profiles(options: &Options) -> Vec<String> {
    match options.profiles.as_slice() {
        [] => vec![String::new()],
        profiles => profiles.iter().map(|profile| format!(" --profile {}", word(profile))).collect(),
    }
}

/// Asks for everything of a region.
fn ask(cloud: Cloud, caller: &Caller, region: &str) -> Answers {
    let calls = match cloud {
        Cloud::Aws => aws::calls(region),
        Cloud::Alibaba => alibaba::calls(region),
    };
    let answered: Vec<Answers> = calls.par_iter().map(|call| ask_all(cloud, caller, region, call)).collect();
    let mut all = Answers {
        note: RegionNote { region: region.to_owned(), ..RegionNote::default() },
        ..Answers::default()
    };
    for Answers { files, note } in answered {
        all.files.extend(files);
        all.note.files.extend(note.files);
        all.note.missing.extend(note.missing);
    }
    all
}

/// Makes a call, and those that its answer leads to.
fn ask_all(cloud: Cloud, caller: &Caller, region: &str, call: &Call) -> Answers {
    let mut all = Answers::default();
    let mut next = vec![call.clone()];
    while !next.is_empty() {
        let answers: Vec<_> = next.into_par_iter().map(|call| (call.newer, caller.ask(call))).collect();
        next = Vec::new();
        for (newer, (call, answer)) in answers {
            let missing = |Refusal { reason, message }| Missing {
                action: call.action.clone(),
                command: caller.shown(&call),
                reason,
                message,
            };
            if let (Some(option), None, Ok(_)) = (newer, call.newer, &answer) {
                let message = format!(
                    "{option} is not known to this version: what it adds is missing; update the command"
                );
                all.note.missing.push(missing(Refusal::failed(message)));
            }
            let answer = answer.and_then(|bytes| Ok((understood(&call, &bytes)?, bytes)));
            match answer {
                Ok((value, _)) if all.files.iter().any(|(file, _)| *file == call.file) => {
                    let count = call.count(&value).unwrap_or(0);
                    let message =
                        format!("{count} entries under a name that another answer has: {}", call.file);
                    all.note.missing.push(missing(Refusal::failed(message)));
                }
                Ok((value, bytes)) => {
                    next.extend(match cloud {
                        Cloud::Aws => aws::follow(region, &call, &value),
                        Cloud::Alibaba => alibaba::follow(region, &call, &value),
                    });
                    all.note.files.push(FileNote {
                        file: call.file.clone(),
                        command: caller.shown(&call),
                        count: call.count(&value).unwrap_or(0),
                        bytes: bytes.len() as u64,
                        sha256: sha256(&bytes),
                    });
                    all.files.push((call.file, bytes));
                }
                Err(refusal) => all.note.missing.push(missing(refusal)),
            }
        }
    }
    all
}

/// The answer, if it is one, and reading it again will not fail.
fn understood(call: &Call, bytes: &[u8]) -> Result<Value, Refusal> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| Refusal::failed(format!("expected JSON, found something else: {error}")))?;
    if call.items(&value).is_none() {
        return Err(Refusal::failed(format!("expected an answer with {}, found none", call.list)));
    }
    let text = String::from_utf8_lossy(bytes);
    load::understand(Path::new(&call.file), &text).map_err(|error| Refusal::failed(error.to_string()))?;
    Ok(value)
}

fn sha256(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        // Writing to a string cannot fail.
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
    }
    text
}

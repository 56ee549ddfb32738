//! Options that the command line does not give come from the environment, or else from a configuration file.
//!
//! ```text
//! command line  >  FLOWAUDIT_*  >  --config FILE, or flowaudit.toml in the working folder  >  default
//! ```
//!
//! What the outer layers say is written into the command line, so that one parser says of all of them what is wrong. Keys are
//! the long options with underscores; those in the table of a command (`[command.analyze]`, `[command.snapshot.capture]`)
//! are for it alone.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory};
use toml::{Table, Value};

use crate::bucket;
use crate::cli::Cli;
use crate::error::Error;
use crate::rules::load;

/// The file that is looked for in the working folder.
pub const FILE: &str = "flowaudit.toml";

/// Keys of the file that say more than an option can, or that are judged where they are used.
const SETTINGS: [&str; 5] =
    ["port_profile", "review_period", "rare_words", "max_rules_per_rule", "sensitive_ports"];

/// The table of the tables of commands.
const COMMAND: &str = "command";

/// Options that say where something is written.
const WRITE: [&str; 6] = ["output", "save-state", "state", "remediation", "out", "export"];

/// Options that leave findings out.
const HIDE: [&str; 2] = ["suppress", "baseline"];

/// Options that say who asks others, and who pays for it.
const PAY: [&str; 3] = ["profile", "requester-pays", "no-sign-request"];

/// How somebody says that a file in the working folder is theirs.
const REMEDY: &str = "FLOWAUDIT_CONFIG=flowaudit.toml (or --config)";

/// Whether a value that is for all commands can be one of this option: the same name may mean something else elsewhere.
fn suits(arg: &Arg, value: &Value) -> bool {
    let words = arg.get_possible_values();
    let known = |value: &Value| {
        words.is_empty()
            || value.as_str().is_some_and(|text| words.iter().any(|word| word.matches(text, false)))
    };
    match value {
        Value::Array(items) => takes_many(arg) && items.iter().all(known),
        value => is_flag(arg) || known(value),
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A variable of the environment.
    Variable(String),
    /// The configuration file.
    File {
        /// Which.
        path: String,
        /// The table of a command; empty at the top.
        table: String,
    },
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable(name) => f.write_str(name),
            Self::File { path, table } if table.is_empty() => f.write_str(path),
            Self::File { path, table } => write!(f, "{path} [{table}]"),
        }
    }
}

/// The command line with what the outer layers add, and which options they are.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Layered {
    /// All arguments, the name of the program first.
    pub arguments: Vec<OsString>,
    /// Options that were added, with where they come from.
    pub added: Vec<(String, Source)>,
    /// What a file says that nobody named: to be told.
    pub notice: Option<String>,
}

/// What lies around the command line.
pub struct Surroundings<'a> {
    /// Variables of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// The working folder.
    pub folder: &'a Path,
}

impl Surroundings<'_> {
    fn text(&self, name: &str) -> Result<Option<String>, Error> {
        let Some(value) = (self.variable)(name).filter(|value| !value.is_empty()) else { return Ok(None) };
        let text = value.into_string().map_err(|_| Error::Usage(format!("{name}: expected UTF-8")))?;
        Ok(Some(text))
    }
}

/// Adds to the command line what it leaves open.
///
/// # Errors
/// A configuration file that cannot be read, has keys that mean nothing, or names places outside the working folder that it
/// was only found in.
pub fn layered(arguments: Vec<OsString>, around: &Surroundings<'_>) -> Result<Layered, Error> {
    let command = relaxed(Cli::command());
    // What is wrong with it is said by the parser itself.
    let Ok(matches) = command.clone().try_get_matches_from(&arguments) else {
        return Ok(Layered { arguments, ..Layered::default() });
    };
    let (leaf, path, own) = descend(&command, &matches);
    if path.first().is_none_or(|first| NONE.contains(&first.as_str())) {
        return Ok(Layered { arguments, ..Layered::default() });
    }
    let file = File::find(given_config(own), around)?;
    let mut added = Vec::new();
    let mut words: Vec<OsString> = Vec::new();
    for arg in leaf.get_arguments() {
        if own.value_source(arg.get_id().as_str()) == Some(clap::parser::ValueSource::CommandLine) {
            continue;
        }
        let Some((values, source)) = outer(arg, &path, file.as_ref(), around)? else { continue };
        // What was typed wins over what it cannot stand beside.
        let typed = |other: &&Arg| {
            own.value_source(other.get_id().as_str()) == Some(clap::parser::ValueSource::CommandLine)
        };
        if leaf.get_arg_conflicts_with(arg).iter().any(typed) {
            continue;
        }
        if arg.get_long().is_none() {
            // A word that looks like an option would be one.
            let option = values.iter().flatten().find(|value| value.len() > 1 && value.starts_with('-'));
            if let Some(option) = option {
                return Err(Error::Usage(format!(
                    "{source}: {}: expected files, folders or -, found {option} (write ./{option} for a file of this name)",
                    name_of(arg)
                )));
            }
        }
        let name = name_of(arg);
        words.extend(values.into_iter().map(|value| match (arg.get_long(), value) {
            (Some(long), Some(value)) => format!("--{long}={value}").into(),
            (Some(long), None) => format!("--{long}").into(),
            (None, value) => value.unwrap_or_default().into(),
        }));
        added.push((name, source));
    }
    if let Some(file) =
        file.as_ref().filter(|_| leaf.get_arguments().any(|arg| arg.get_long() == Some("config")))
        && given_config(own).is_none()
        && !words.iter().any(|word| word.to_string_lossy().starts_with("--config="))
    {
        words.push(format!("--config={}", file.path.display()).into());
    }
    // Behind the command's own name, in front of whatever ends with `--`.
    let mut at = 0;
    for name in &path {
        at += 1 + arguments[at..].iter().position(|word| word == name.as_str()).unwrap_or(0);
    }
    let mut all = arguments;
    all.splice(at..at, words);
    let lying = file.as_ref().filter(|file| file.lies_there() && !is_quiet(own, around));
    let notice = lying.map(|file| {
        let from_file = |source: &Source| matches!(source, Source::File { .. });
        let mut keys: Vec<&str> =
            added.iter().filter(|(_, source)| from_file(source)).map(|(name, _)| name.as_str()).collect();
        keys.extend(SETTINGS.into_iter().filter(|key| file.setting(key).is_some()));
        format!("settings from {}: {}", file.path.display(), keys.join(", "))
    });
    Ok(Layered { arguments: all, added, notice })
}

/// Whether somebody wants no notices; a file that only lies there has no say in that.
fn is_quiet(own: &ArgMatches, around: &Surroundings<'_>) -> bool {
    let typed = own.try_get_one::<bool>("quiet").ok().flatten().copied().unwrap_or(false);
    typed || (around.variable)("FLOWAUDIT_QUIET").is_some_and(|value| value == "true" || value == "1")
}

/// Commands that no layer speaks to.
pub(super) const NONE: [&str; 3] = ["config", "completions", "man"];

/// The same command, of which nothing has to be given.
fn relaxed(command: Command) -> Command {
    command.mut_args(|arg| arg.required(false)).mut_subcommands(relaxed)
}

/// The command that was given, its name word by word, and its arguments.
fn descend<'a>(command: &'a Command, matches: &'a ArgMatches) -> (&'a Command, Vec<String>, &'a ArgMatches) {
    let (mut command, mut matches, mut path) = (command, matches, Vec::new());
    while let Some((name, inner)) = matches.subcommand()
        && let Some(next) = command.find_subcommand(name)
    {
        path.push(name.to_owned());
        (command, matches) = (next, inner);
    }
    (command, path, matches)
}

fn given_config(matches: &ArgMatches) -> Option<PathBuf> {
    matches.try_get_one::<PathBuf>("config").ok().flatten().cloned()
}

/// The name of an option as users of a file know it.
fn name_of(arg: &Arg) -> String {
    arg.get_long().unwrap_or(arg.get_id().as_str()).replace('-', "_")
}

/// Values of an option, None for that of a flag.
type Values = Vec<Option<String>>;

/// What the environment or the file says of an option.
pub(super) fn outer(
    arg: &Arg,
    path: &[String],
    file: Option<&File>,
    around: &Surroundings<'_>,
) -> Result<Option<(Values, Source)>, Error> {
    if ["help", "version"].contains(&arg.get_id().as_str()) {
        return Ok(None);
    }
    if let Some(long) = arg.get_long() {
        let variable = variable_of(long);
        if let Some(text) = around.text(&variable)? {
            let wrong =
                |expected: &str| Error::Usage(format!("{variable}: expected {expected}, found \"{text}\""));
            let values = match (is_flag(arg), takes_many(arg)) {
                (true, _) => match text.as_str() {
                    "1" | "true" | "yes" => vec![None],
                    "0" | "false" | "no" => Vec::new(),
                    _ => return Err(wrong("true or false")),
                },
                (false, true) => text.lines().map(|line| Some(line.to_owned())).collect(),
                (false, false) => vec![Some(text)],
            };
            return Ok(Some((values, Source::Variable(variable))));
        }
    }
    let Some(file) = file else { return Ok(None) };
    file.values(arg, path)
}

/// `review-period` → `FLOWAUDIT_REVIEW_PERIOD`.
pub(super) fn variable_of(long: &str) -> String {
    format!("FLOWAUDIT_{}", long.replace('-', "_").to_ascii_uppercase())
}

fn is_flag(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

fn takes_many(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// A configuration file.
#[derive(Debug)]
pub struct File {
    /// Its path.
    pub path: PathBuf,
    table: Table,
    found: Found,
}

/// How a file came to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Somebody named it.
    Named,
    /// It lay in the working folder, and may be anybody's.
    Lying,
}

impl File {
    /// The file that counts: the one that is given, that the environment names, or that lies in the working folder.
    pub(super) fn find(given: Option<PathBuf>, around: &Surroundings<'_>) -> Result<Option<Self>, Error> {
        let named = match given {
            Some(path) => Some(path),
            None => around.text("FLOWAUDIT_CONFIG")?.map(PathBuf::from),
        };
        match named {
            Some(path) => Self::read(&path, Found::Named).map(Some),
            None if around.folder.join(FILE).is_file() => Self::read(Path::new(FILE), Found::Lying).map(Some),
            None => Ok(None),
        }
    }

    fn read(path: &Path, found: Found) -> Result<Self, Error> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let table: Table =
            toml::from_str(&text).map_err(|error| Error::Usage(format!("{}: {error}", path.display())))?;
        let file = Self { path: path.to_owned(), table, found };
        file.check(&file.table, &Cli::command(), &[])?;
        Ok(file)
    }

    /// Whether every key means something.
    fn check(&self, table: &Table, command: &Command, path: &[&str]) -> Result<(), Error> {
        let mut known: BTreeSet<String> = options(command).into_iter().collect();
        if path.is_empty() {
            known.extend(SETTINGS.map(str::to_owned));
        }
        for (key, value) in table {
            if let (true, COMMAND, Value::Table(table)) = (path.is_empty(), key.as_str(), value) {
                self.check(table, command, &[COMMAND])?;
            } else if let (false, Some(inner), Value::Table(table)) =
                (path.is_empty(), command.find_subcommand(key), value)
            {
                self.check(table, inner, &[path, &[key.as_str()]].concat())?;
            } else if !known.contains(key) {
                let mut expected: Vec<&str> = known.iter().map(String::as_str).collect();
                expected.sort_by_key(|name| (distance(name, key), *name));
                expected.truncate(3);
                let place = if path.is_empty() { String::new() } else { format!("[{}] ", path.join(".")) };
                return Err(Error::Usage(format!(
                    "{}: {place}unknown key `{key}`; nearest are {} (flowaudit config show lists all)",
                    self.path.display(),
                    expected.join(", ")
                )));
            }
        }
        Ok(())
    }

    /// A setting that is judged where it is used, as it is written.
    pub(super) fn setting(&self, key: &str) -> Option<String> {
        let value = self.table.get(key).filter(|_| SETTINGS.contains(&key))?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    fn values(&self, arg: &Arg, path: &[String]) -> Result<Option<(Values, Source)>, Error> {
        let key = name_of(arg);
        let own = self.table.get(COMMAND).and_then(Value::as_table);
        let own = own.and_then(|own| path.iter().try_fold(own, |table, name| table.get(name)?.as_table()));
        let (value, table) = match own.and_then(|table| table.get(&key)) {
            Some(value) => (value, format!("{COMMAND}.{}", path.join("."))),
            // These are read, and judged, with the other settings.
            None if SETTINGS.contains(&key.as_str()) => return Ok(None),
            None => match self.table.get(&key).filter(|value| suits(arg, value)) {
                None => return Ok(None),
                Some(value) => (value, String::new()),
            },
        };
        let source = Source::File { path: self.path.display().to_string(), table };
        let wrong =
            |expected: &str| Error::Usage(format!("{source}: {key}: expected {expected}, found {value}"));
        let scalar = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Datetime(time) => Some(time.to_string()),
            _ => None,
        };
        let values: Values = match (value, is_flag(arg)) {
            (Value::Boolean(true), true) => vec![None],
            (Value::Boolean(false), true) => Vec::new(),
            (_, true) => return Err(wrong("true or false")),
            (Value::Array(items), false) if takes_many(arg) => {
                let items: Option<Values> = items.iter().map(|item| scalar(item).map(Some)).collect();
                items.ok_or_else(|| wrong("a list of texts"))?
            }
            (value, false) => vec![Some(scalar(value).ok_or_else(|| wrong("a text or a number"))?)],
        };
        self.refuse_places(arg, &values, &source)?;
        Ok(Some((values, source)))
    }

    /// Whether somebody named the file, or it only lay there.
    pub(super) fn lies_there(&self) -> bool {
        self.found == Found::Lying
    }

    /// A file that only lies there must not say where else something is written, or whom to ask for it.
    fn refuse_places(&self, arg: &Arg, values: &Values, source: &Source) -> Result<(), Error> {
        if self.found == Found::Named {
            return Ok(());
        }
        let long = arg.get_long().unwrap_or_default();
        let place = |value: &String| match long {
            "format" => value.split_once('=').map(|(_, path)| path.to_owned()),
            _ if WRITE.contains(&long) => Some(value.clone()),
            _ => None,
        };
        let far = |value: &String| long == "endpoint" || bucket::is_address(load::split_text(value).1);
        if PAY.contains(&long) && !values.is_empty() {
            return Err(Error::Usage(format!(
                "{source}: {}: it says who asks and who pays, and the file was only found in the working folder; if it is \
                 yours, say so with {REMEDY}",
                name_of(arg)
            )));
        }
        if let Some(value) = values.iter().flatten().find(|value| far(value)) {
            return Err(Error::Usage(format!(
                "{source}: {}: {value} is on the network, and the file was only found in the working folder; if it is yours, \
                 say so with {REMEDY}",
                name_of(arg)
            )));
        }
        if HIDE.contains(&long) && !values.is_empty() {
            return Err(Error::Usage(format!(
                "{source}: {}: it hides findings, and the file was only found in the working folder; if it is yours, say so \
                 with {REMEDY}",
                name_of(arg)
            )));
        }
        let below = |path: &str| {
            Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
        };
        match values.iter().flatten().filter_map(place).find(|path| !below(path)) {
            None => Ok(()),
            Some(path) => Err(Error::Usage(format!(
                "{source}: {}: {path} is not below the working folder, and the file was only found there; if it is yours, \
                 say so with {REMEDY}",
                name_of(arg)
            ))),
        }
    }
}

/// The options of a command and of all below it.
fn options(command: &Command) -> Vec<String> {
    let hidden = |arg: &&Arg| !["help", "version", "config"].contains(&arg.get_id().as_str());
    let own = command
        .get_arguments()
        .filter(hidden)
        .filter(|arg| arg.get_long().is_some() || arg.get_id() == "logs");
    own.map(name_of).chain(command.get_subcommands().flat_map(options)).collect()
}

/// How many letters differ (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (at, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (place, b) in other.chars().enumerate() {
            let up = row[place + 1];
            row[place + 1] = (diagonal + usize::from(a != b)).min(row[place] + 1).min(up + 1);
            diagonal = up;
        }
    }
    row.last().copied().unwrap_or_default()
}

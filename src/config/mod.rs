//! Settings from the command line, the environment and the configuration file; the command line wins.

pub mod layers;
pub mod show;

use std::path::Path;

use serde::Deserialize;

use crate::cli::{self, Analyze};
use crate::error::Error;
use crate::findings::Severity;
use crate::findings::ports::{PortClass, PortProfile, SensitivePort};
use crate::findings::settings::{DAY, RARE_WORDS, Settings};
use crate::rules::RuleProtocol;

/// A group of AWS has no room for more rules of a direction.
const MOST_RULES: usize = 60;

/// Resolved settings of a run.
#[derive(Debug)]
pub struct Config {
    /// What findings are judged by.
    pub settings: Settings,
}

/// The part of a configuration file that says more than options can; its other keys are options ([`layers`]).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    port_profile: Option<String>,
    review_period: Option<String>,
    rare_words: Option<Vec<String>>,
    max_rules_per_rule: Option<u64>,
    sensitive_ports: Option<Vec<PortEntry>>,
}

/// One `[[sensitive_ports]]` entry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortEntry {
    port: u16,
    #[serde(default = "tcp")]
    protocol: String,
    name: Option<String>,
    #[serde(default)]
    class: Class,
    #[serde(default)]
    severity: Level,
}

fn tcp() -> String {
    "tcp".to_owned()
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Class {
    Admin,
    Database,
    #[default]
    Other,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Info,
    Low,
    Medium,
    #[default]
    High,
    Critical,
}

impl Config {
    /// Resolves the settings of an `analyze` run.
    ///
    /// # Errors
    /// A configuration file that cannot be read or says something that cannot be.
    pub fn of(arguments: &Analyze) -> Result<Self, Error> {
        let file = arguments.report.config.as_deref().map(read).transpose()?.unwrap_or_default();
        let review_period = match (arguments.review_period, &file.review_period) {
            (Some(period), _) => period,
            (None, Some(text)) => {
                cli::period(text).map_err(|error| Error::Usage(format!("review_period: {error}")))?
            }
            (None, None) => 90 * DAY,
        };
        let profile = profile(arguments, &file)?;
        let mut settings = match &file.rare_words {
            Some(words) => Settings::new(review_period, words, profile),
            None => Settings::new(review_period, &RARE_WORDS, profile),
        };
        if let Some(most) = arguments.max_rules_per_rule.or(file.max_rules_per_rule) {
            settings.max_rules_per_rule = most_rules(most)?;
        }
        Ok(Self { settings })
    }
}

fn most_rules(most: u64) -> Result<usize, Error> {
    let fits = usize::try_from(most).ok().filter(|most| (1..=MOST_RULES).contains(most));
    fits.ok_or_else(|| {
        Error::Usage(format!("max_rules_per_rule: expected a number from 1 to {MOST_RULES}, found {most}"))
    })
}

/// The settings of runs that judge no rule: what is not asked for stays as it is by default.
pub fn default_settings() -> Settings {
    let profile = PortProfile::named("default").unwrap_or_else(|| PortProfile::custom("default", Vec::new()));
    Settings::new(90 * DAY, &RARE_WORDS, profile)
}

fn read(path: &Path) -> Result<File, Error> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|error| Error::Usage(format!("{}: {error}", path.display())))
}

fn profile(arguments: &Analyze, file: &File) -> Result<PortProfile, Error> {
    if let (None, Some(ports)) = (&arguments.port_profile, &file.sensitive_ports) {
        let ports = ports.iter().map(sensitive_port).collect::<Result<_, _>>()?;
        return Ok(PortProfile::custom("config", ports));
    }
    let name =
        arguments.port_profile.as_ref().or(file.port_profile.as_ref()).map_or("default", String::as_str);
    PortProfile::named(name).ok_or_else(|| {
        let known = crate::findings::ports::PROFILES.join(", ");
        Error::Usage(format!("port_profile: expected one of {known}, found \"{name}\""))
    })
}

fn sensitive_port(entry: &PortEntry) -> Result<SensitivePort, Error> {
    let protocol = match RuleProtocol::parse(&entry.protocol) {
        RuleProtocol::Number(number) if crate::flow::has_ports(number) => number,
        _ => {
            let found = &entry.protocol;
            return Err(Error::Usage(format!(
                "sensitive_ports: protocol: expected tcp or udp, found \"{found}\""
            )));
        }
    };
    Ok(SensitivePort {
        protocol,
        port: entry.port,
        name: entry.name.clone().unwrap_or_else(|| format!("{}/{}", entry.protocol, entry.port)),
        class: match entry.class {
            Class::Admin => PortClass::Admin,
            Class::Database => PortClass::Database,
            Class::Other => PortClass::Other,
        },
        severity: match entry.severity {
            Level::Info => Severity::Info,
            Level::Low => Severity::Low,
            Level::Medium => Severity::Medium,
            Level::High => Severity::High,
            Level::Critical => Severity::Critical,
        },
    })
}

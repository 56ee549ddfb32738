//! `flowaudit config show`: every option that the command line may leave open, its value and where that comes from.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Arg, Command, CommandFactory};
use serde::Serialize;

use super::layers::{File, NONE, Surroundings, outer, variable_of};
use crate::cli::Cli;
use crate::error::Error;

/// What is in force where the command line says nothing.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The configuration file, if there is one.
    pub config: Option<String>,
    /// By option, then by the commands that it is the same for.
    pub options: Vec<OptionRow>,
    /// Variables that look like options and are none.
    pub unknown_variables: Vec<String>,
}

/// One option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct OptionRow {
    /// The key in the file: the long option with underscores.
    pub option: String,
    /// The commands that have it with this value.
    pub commands: Vec<String>,
    /// Its values; none where it is not set.
    pub values: Vec<String>,
    /// `FLOWAUDIT_…`, a file, `default`, or `not set`.
    pub from: String,
}

/// Says what is in force.
///
/// # Errors
/// A configuration file that cannot be read or says something that cannot be.
pub fn show(
    config: Option<PathBuf>,
    variables: impl Iterator<Item = String>,
    around: &Surroundings<'_>,
) -> Result<Shown, Error> {
    let file = File::find(config, around)?;
    let mut rows: BTreeMap<(String, Vec<String>, String), Vec<String>> = BTreeMap::new();
    for (path, arg) in options(&Cli::command(), &[]) {
        let Some(long) = arg.get_long() else { continue };
        let (values, from) = match outer(&arg, &path, file.as_ref(), around)? {
            Some((values, source)) => {
                let text = |value: Option<String>| value.unwrap_or_else(|| "true".to_owned());
                (values.into_iter().map(text).collect(), source.to_string())
            }
            None => settings_value(file.as_ref(), long).unwrap_or_else(|| default_of(&arg)),
        };
        rows.entry((long.replace('-', "_"), values, from)).or_default().push(path.join(" "));
    }
    let known: Vec<String> = rows.keys().map(|(option, ..)| variable_of(option)).collect();
    let mut unknown_variables: Vec<String> = variables
        .filter(|name| name.starts_with("FLOWAUDIT_") && name != "FLOWAUDIT_CONFIG" && !known.contains(name))
        .collect();
    unknown_variables.sort();
    let options = rows
        .into_iter()
        .map(|((option, values, from), commands)| OptionRow { option, commands, values, from })
        .collect();
    Ok(Shown { config: file.map(|file| file.path.display().to_string()), options, unknown_variables })
}

/// What the file says of an option that is read with the settings.
fn settings_value(file: Option<&File>, long: &str) -> Option<(Vec<String>, String)> {
    let file = file?;
    let value = file.setting(&long.replace('-', "_"))?;
    Some((vec![value], file.path.display().to_string()))
}

fn default_of(arg: &Arg) -> (Vec<String>, String) {
    let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
    let defaults: Vec<String> = defaults.collect();
    let from = if defaults.is_empty() { "not set" } else { "default" };
    (defaults, from.to_owned())
}

/// Every option that a layer may speak to, with the name of its command word by word.
fn options(command: &Command, path: &[String]) -> Vec<(Vec<String>, Arg)> {
    let hidden = |arg: &&Arg| !["help", "version", "config"].contains(&arg.get_id().as_str());
    let own = command.get_arguments().filter(hidden).map(|arg| (path.to_vec(), arg.clone()));
    let spoken_to = |inner: &&Command| !NONE.contains(&inner.get_name());
    let inner = command.get_subcommands().filter(spoken_to).flat_map(|inner| {
        let name = [inner.get_name().to_owned()];
        options(inner, &[path, &name].concat())
    });
    own.chain(inner).collect()
}

/// Writes it for people.
///
/// # Errors
/// Those of the writer.
pub fn render(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    match &shown.config {
        Some(path) => writeln!(out, "Configuration file: {path}\n")?,
        None => writeln!(out, "No configuration file: flowaudit.toml is not in the working folder\n")?,
    }
    let rows: Vec<[String; 4]> = shown
        .options
        .iter()
        .map(|row| [row.option.clone(), row.values.join(", "), row.from.clone(), row.commands.join(", ")])
        .collect();
    let heads = ["OPTION", "VALUE", "FROM", "COMMANDS"].map(str::to_owned);
    let widths: Vec<usize> = (0..3)
        .map(|at| rows.iter().chain([&heads]).map(|row| row[at].chars().count()).max().unwrap_or(0).min(40))
        .collect();
    for row in std::iter::once(&heads).chain(&rows) {
        let [option, value, from, commands] =
            row.each_ref().map(|cell| crate::render::sanitize::terminal(cell));
        let (a, b, c) = (widths[0], widths[1], widths[2]);
        writeln!(out, "{option:a$}  {value:b$}  {from:c$}  {commands}")?;
    }
    for name in &shown.unknown_variables {
        writeln!(out, "\n{}: there is no option of this name", crate::render::sanitize::terminal(name))?;
    }
    Ok(())
}

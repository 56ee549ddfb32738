//! The README says what the program prints, and the samples are what the program makes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowaudit::generate::{Cloud, GenerateOptions, generate};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The fenced block that follows a phrase.
fn block_after<'a>(text: &'a str, phrase: &str) -> &'a str {
    let rest = &text[text.find(phrase).unwrap()..];
    let rest = &rest[rest.find("```").unwrap()..];
    let rest = &rest[rest.find('\n').unwrap() + 1..];
    &rest[..rest.find("```").unwrap()]
}

#[test]
fn the_readme_shows_what_its_first_command_prints() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let command = block_after(&readme, "The main job").trim();
    let arguments = command.strip_prefix("cargo run --release -- ").unwrap().split(' ');
    let output = Command::new(env!("CARGO_BIN_EXE_flowaudit"))
        .args(arguments)
        .current_dir(root())
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(0));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed, block_after(&readme, "The first one prints"));
}

#[test]
fn the_readme_shows_what_its_command_for_alibaba_cloud_prints() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let command = block_after(&readme, "The sample of Alibaba Cloud").trim();
    let arguments = command.strip_prefix("cargo run --release -- ").unwrap().split(' ');
    let output =
        Command::new(env!("CARGO_BIN_EXE_flowaudit")).args(arguments).current_dir(root()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let printed = String::from_utf8(output.stdout).unwrap();
    // The README shows the beginning.
    let shown = block_after(&readme, "begins like this");
    assert!(printed.starts_with(shown), "{printed}");
}

#[test]
fn the_readme_shows_what_an_investigation_prints() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let section = &readme[readme.find("### An incident").unwrap()..];
    let command = block_after(section, "that somebody reported").trim();
    let arguments = command.strip_prefix("flowaudit ").unwrap().split(' ');
    let output =
        Command::new(env!("CARGO_BIN_EXE_flowaudit")).args(arguments).current_dir(root()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let printed = String::from_utf8(output.stdout).unwrap();
    let shown = &section[section.find("```text").unwrap()..];
    assert_eq!(printed, block_after(shown, "```text"));
}

#[test]
fn the_readme_declares_the_columns_of_an_export() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert_eq!(block_after(&readme, "For Athena, Hive and Spark"), flowaudit::export::ddl());
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(folder).unwrap().to_owned();
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    files
}

#[test]
fn the_samples_are_what_generate_makes() {
    let made = tempfile::tempdir().unwrap();
    for (cloud, out) in [(Cloud::Aws, made.path().to_owned()), (Cloud::Alibaba, made.path().join("alibaba"))]
    {
        generate(&GenerateOptions { out, cloud, ..GenerateOptions::default() }).unwrap();
    }
    let mut samples = files(&root().join("sample-logs"));
    assert!(samples.remove(Path::new("README.md")).is_some());
    let made = files(made.path());
    assert_eq!(made.keys().collect::<Vec<_>>(), samples.keys().collect::<Vec<_>>());
    for (name, bytes) in &made {
        assert!(samples[name] == *bytes, "{} differs", name.display());
    }
    let size: usize = samples.values().map(Vec::len).sum();
    assert!(size < 2_000_000, "{size}");
}

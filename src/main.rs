//! The command: parses arguments, calls the library, prints, and answers with an exit status.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

mod output;

use clap::{CommandFactory, Parser};
use console::Term;
use flowaudit::cli::{
    Access, Analyze, Cli, Color, Command, ConfigCommand, Format, Generate, Investigate, InvestigationFormat,
    Owner, Replay, ReplayFailOn, ReportFormat, ReportOptions, SnapshotCommand, Target,
};
use flowaudit::config::layers::{self, Layered, Surroundings};
use flowaudit::error::Error;
use flowaudit::findings::Severity;
use flowaudit::followup::baseline::Baseline;
use flowaudit::followup::suppress::{ShowSuppressed, Suppressions};
use flowaudit::render::asff::LeftOut;
use flowaudit::render::resource::Fallback;
use flowaudit::render::text::{Page, Paint};
use flowaudit::report::{Coverage, Report};
use flowaudit::rules::load::lines;
use flowaudit::rules::timeline::Placement;
use flowaudit::snapshot::diff::Diff;
use flowaudit::{
    analyze, capture, cli, conclude, config, followup, generate, investigation, pipeline, remediation,
    render, replay, snapshot, time,
};
use output::{Commands, Folder, Output};

/// Why not the system's is in Cargo.toml.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a run came to; see `flowaudit analyze --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Done = 0,
    Found = 1,
    CouldNot = 2,
    Partial = 3,
}

fn main() -> ExitCode {
    let status = parsed().and_then(|cli| run(&cli)).unwrap_or_else(|error| {
        complain(&format!("error: {error}"));
        Status::CouldNot
    });
    ExitCode::from(status as u8)
}

/// The command line, with what variables and the configuration file add to it.
fn parsed() -> Result<Cli, Error> {
    let variable = |name: &str| std::env::var_os(name);
    let around = Surroundings { variable: &variable, folder: Path::new(".") };
    let Layered { arguments, added, notice } = layers::layered(std::env::args_os().collect(), &around)?;
    if let Some(notice) = notice {
        complain(&notice);
    }
    Ok(Cli::try_parse_from(arguments).unwrap_or_else(|error| {
        // What was not typed is hard to find otherwise.
        if error.use_stderr() {
            for (option, source) in added {
                complain(&format!("{option} comes from {source}"));
            }
        }
        error.exit()
    }))
}

fn run(cli: &Cli) -> Result<Status, Error> {
    match &cli.command {
        // The report is written on the same threads as it is made.
        Command::Analyze(arguments) => {
            pipeline::with_threads(arguments.input.threads, || run_analyze(arguments))
        }
        Command::Replay(arguments) => {
            pipeline::with_threads(arguments.input.threads, || run_replay(arguments))
        }
        Command::Investigate(arguments) => {
            pipeline::with_threads(arguments.input.threads, || run_investigate(arguments))
        }
        Command::Merge(arguments) => write_report(&arguments.report, &arguments.owner, || {
            conclude::states(&arguments.states, arguments.save_state.as_deref())
        }),
        Command::Report(arguments) => {
            write_report(&arguments.report, &arguments.owner, || conclude::states(&arguments.states, None))
        }
        Command::Diff(arguments) => run_diff(arguments),
        Command::Snapshot(arguments) => pipeline::with_threads(0, || run_snapshot(&arguments.command)),
        Command::Generate(arguments) => run_generate(arguments),
        Command::Config(arguments) => run_config(&arguments.command),
        Command::Completions { shell } => {
            let out = Output::open(None)?;
            out.write(|writer| {
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut Cli::command(), "flowaudit", &mut script);
                writer.write_all(&script)
            })?;
            Ok(Status::Done)
        }
        Command::Man { command, out } => run_man(command, out.as_deref()),
    }
}

fn run_config(command: &ConfigCommand) -> Result<Status, Error> {
    let ConfigCommand::Show { config, answer } = command;
    let out = Output::open(answer.output.as_deref())?;
    let variable = |name: &str| std::env::var_os(name);
    let around = Surroundings { variable: &variable, folder: Path::new(".") };
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let shown = config::show::show(config.clone(), names, &around)?;
    out.write(|writer| match answer.format {
        Format::Json => write_json(&shown, writer),
        Format::Text => config::show::render(&shown, writer),
    })?;
    Ok(Status::Done)
}

fn run_man(words: &[String], folder: Option<&Path>) -> Result<Status, Error> {
    let mut root = Cli::command();
    root.build();
    if let Some(folder) = folder {
        let unwritable = |source| Error::Write { path: folder.display().to_string(), source };
        std::fs::create_dir_all(folder).map_err(unwritable)?;
        clap_mangen::generate_to(root, folder).map_err(unwritable)?;
        return Ok(Status::Done);
    }
    let mut command = &root;
    for word in words {
        command = command.find_subcommand(word).ok_or_else(|| {
            let known: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
            Error::Usage(format!("man: no command {word}; expected {}", known.join(", ")))
        })?;
    }
    let page = clap_mangen::Man::new(command.clone());
    Output::open(None)?.write(|mut writer| page.render(&mut writer))?;
    Ok(Status::Done)
}

fn run_analyze(arguments: &Analyze) -> Result<Status, Error> {
    let options = &arguments.report;
    let commands = arguments.remediation.as_deref().map(Commands::open).transpose()?;
    let make = || {
        let answer = analyze::analyze(arguments)?;
        if answer.skipped > 0 && !options.quiet {
            complain(&format!("files that the state has already, not read again: {}", answer.skipped));
        }
        Ok((answer.report, (answer.timeline, answer.written)))
    };
    write_report_and(options, &Owner::of(&arguments.input), make, |report, (timeline, written)| {
        let Some(commands) = commands else {
            // What is not needed any more is freed with the process.
            std::mem::forget(timeline);
            return Ok(());
        };
        commands.write(remediation::of_report(report, &timeline, &written))
    })
}

/// A report in the making: what is written where.
enum Written {
    One(ReportFormat, Output, Place),
    Tables(Folder),
}

impl Written {
    fn open(target: &Target, options: &ReportOptions) -> Result<Self, Error> {
        // What has no place of its own goes where --output says, else to standard output.
        let path = target.path.as_deref().or(options.output.as_deref());
        let place = Place { attended: path.is_none(), color: options.color, limit: options.limit };
        match (target.format, path) {
            (ReportFormat::Csv, Some(folder)) => Folder::open(folder).map(Self::Tables),
            (ReportFormat::Csv, None) => Err(Error::Usage(
                "--format csv writes one file per table: name a folder, as in --format csv=FOLDER".to_owned(),
            )),
            (format, path) => Ok(Self::One(format, Output::open(path)?, place)),
        }
    }

    fn write(self, report: &Report, fallback: &Fallback) -> Result<(), Error> {
        match self {
            Self::Tables(folder) => folder.write(report),
            Self::One(format, output, place) => output.write(|writer| match format {
                ReportFormat::Json => render::json::render(report, writer),
                ReportFormat::Html => render::html::render(report, writer),
                ReportFormat::Markdown => render::markdown::render(report, place.rows(), writer),
                ReportFormat::Ndjson => render::ndjson::render(report, writer),
                ReportFormat::Ocsf => render::ocsf::render(report, fallback, writer),
                ReportFormat::Asff => render::asff::render(report, fallback, writer),
                ReportFormat::Sarif => {
                    let lines = lines::find(&report.snapshot_files(), &render::sarif::names(report));
                    render::sarif::render(report, &lines, writer)
                }
                ReportFormat::Text | ReportFormat::Csv => render::text::render(report, page(place), writer),
            }),
        }
    }
}

/// Findings that Security Hub would refuse, and what to do about it.
fn left_out(report: &Report, fallback: &Fallback) -> Vec<String> {
    let LeftOut { no_account, no_region, other_cloud } = render::asff::left_out(report, fallback);
    let cases = [
        (no_account, "no document says the account (OwnerId, twelve digits): give --account ID"),
        (no_region, "no document says the region (SecurityGroupArn, AvailabilityZone): give --region NAME"),
        (other_cloud, "Security Hub takes findings of AWS alone"),
    ];
    let told = cases.into_iter().filter(|(findings, _)| *findings > 0);
    told.map(|(findings, why)| format!("--format asff: findings left out: {findings}; {why}")).collect()
}

/// Opens the places of the report, makes the report and writes it.
fn write_report(
    options: &ReportOptions,
    owner: &Owner,
    make: impl FnOnce() -> Result<Report, Error>,
) -> Result<Status, Error> {
    write_report_and(options, owner, || Ok((make()?, ())), |_, ()| Ok(()))
}

/// The same; `finish` writes what goes beside it.
fn write_report_and<T>(
    options: &ReportOptions,
    owner: &Owner,
    make: impl FnOnce() -> Result<(Report, T), Error>,
    finish: impl FnOnce(&Report, T) -> Result<(), Error>,
) -> Result<Status, Error> {
    let text = [Target { format: ReportFormat::Text, path: None }];
    let targets = if options.format.is_empty() { &text[..] } else { &options.format };
    if targets.iter().filter(|target| target.path.is_none()).count() > 1 {
        return Err(Error::Usage(
            "--format: several reports cannot go to one place; name a file for all but one, as in --format \
             json=report.json"
                .to_owned(),
        ));
    }
    if options.output.is_some() && targets.iter().all(|target| target.path.is_some()) {
        return Err(Error::Usage("--output: every --format has a place of its own".to_owned()));
    }
    let mut places = options.files();
    places.sort();
    if let Some(twice) = places.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::Usage(format!("{}: two reports cannot go to one place", twice[0].display())));
    }
    let written: Vec<Written> =
        targets.iter().map(|target| Written::open(target, options)).collect::<Result<_, _>>()?;
    let suppressions = options.suppress.as_deref().map(Suppressions::read).transpose()?;
    let baseline = options.baseline.as_deref().map(Baseline::read).transpose()?;
    let (mut report, rest) = make()?;
    let mut warnings: Vec<String> =
        report.coverage.files.failures.iter().map(|it| format!("{}: {}", it.file, it.error)).collect();
    if let Some(suppressions) = suppressions {
        let show = if options.show_suppressed { ShowSuppressed::Yes } else { ShowSuppressed::No };
        warnings.extend(suppressions.apply(&mut report, time::now(), show));
    }
    if let Some(baseline) = baseline {
        baseline.apply(&mut report);
    }
    let fallback = Fallback { account: owner.account.clone(), region: owner.region.clone(), at: time::now() };
    if targets.iter().any(|target| target.format == ReportFormat::Asff) {
        warnings.extend(left_out(&report, &fallback));
    }
    if !options.quiet {
        for warning in &warnings {
            complain(&format!("warning: {warning}"));
        }
    }
    written.into_iter().try_for_each(|written| written.write(&report, &fallback))?;
    finish(&report, rest)?;
    let status = status(&report.coverage, has_found(&report, options.fail_on.map(Severity::from)));
    // The process ends now, and takes back a hundred thousand strings faster than they are freed one by one.
    std::mem::forget(report);
    Ok(status)
}

fn run_replay(arguments: &Replay) -> Result<Status, Error> {
    let out = Output::open(arguments.output.as_deref())?;
    let commands = arguments.remediation.as_deref().map(Commands::open).transpose()?;
    let replay::Answer { report, remediation } = replay::replay(arguments)?;
    if let (Some(commands), Some(remediation)) = (commands, remediation) {
        commands.write(remediation)?;
    }
    if !arguments.quiet {
        for failure in &report.coverage.files.failures {
            complain(&format!("warning: {}: {}", failure.file, failure.error));
        }
        for warning in &report.warnings {
            complain(&format!("warning: {}: {warning}", arguments.proposed.display()));
        }
    }
    let place =
        Place { attended: arguments.output.is_none(), color: arguments.color, limit: arguments.limit };
    out.write(|writer| match arguments.format {
        Format::Json => write_json(&report, writer),
        Format::Text => render::text::replay::render(&report, page(place), writer),
    })?;
    // What is gone already is not blocked by the proposal.
    let lost = &report.newly_blocked;
    let blocked = lost.records + lost.possible_records > lost.gone_before_records;
    let found = match arguments.fail_on {
        None => false,
        Some(ReplayFailOn::Blocked) => blocked,
        Some(ReplayFailOn::Changed) => blocked || report.newly_opened.records > 0,
    };
    Ok(status(&report.coverage, found))
}

fn run_investigate(arguments: &Investigate) -> Result<Status, Error> {
    let out = Output::open(arguments.output.as_deref())?;
    let report = investigation::investigate(arguments)?;
    if !arguments.quiet {
        for failure in &report.coverage.files.failures {
            complain(&format!("warning: {}: {}", failure.file, failure.error));
        }
    }
    let place =
        Place { attended: arguments.output.is_none(), color: arguments.color, limit: arguments.limit };
    out.write(|writer| match arguments.format {
        InvestigationFormat::Json => render::json::investigation::render(&report, writer),
        InvestigationFormat::Html => render::html::investigation::render(&report, writer),
        InvestigationFormat::Csv => render::csv::investigation::render(&report, writer),
        InvestigationFormat::Text => render::text::investigation::render(&report, page(place), writer),
    })?;
    let level = arguments.fail_on.map(Severity::from);
    let found = level.is_some_and(|level| report.findings.iter().any(|finding| finding.severity >= level));
    let status = status(&report.coverage, found);
    // What is not needed any more is freed with the process.
    std::mem::forget(report);
    Ok(status)
}

/// A file or a pipe gets the width that most terminals and reviews have room for.
const PLAIN_WIDTH: usize = 100;

/// Where a text goes.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Whether it goes to standard output.
    attended: bool,
    color: Color,
    limit: usize,
}

impl Place {
    fn rows(self) -> usize {
        if self.limit == 0 { usize::MAX } else { self.limit }
    }
}

fn page(options: Place) -> Page {
    let terminal = Term::stdout();
    let attended = options.attended && terminal.is_term();
    let width = if attended { usize::from(terminal.size().1).max(40) } else { PLAIN_WIDTH };
    let paint = match options.color {
        Color::Always => Paint::Color,
        Color::Auto if attended && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) => {
            Paint::Color
        }
        Color::Auto | Color::Never => Paint::Plain,
    };
    Page { width, limit: options.rows(), paint }
}

/// A run that could not read all says so, whatever it found.
fn status(coverage: &Coverage, found: bool) -> Status {
    if coverage.files.failed > 0 {
        Status::Partial
    } else if found {
        Status::Found
    } else {
        Status::Done
    }
}

fn has_found(report: &Report, fail_on: Option<Severity>) -> bool {
    fail_on.is_some_and(|level| {
        report.findings.iter().any(|finding| finding.severity >= level && finding.suppressed.is_none())
    })
}

fn run_diff(arguments: &cli::Diff) -> Result<Status, Error> {
    let out = Output::open(arguments.answer.output.as_deref())?;
    let diff = followup::diff::diff(&arguments.old, &arguments.new)?;
    out.write(|writer| match arguments.answer.format {
        Format::Json => write_json(&diff, writer),
        Format::Text => followup::diff::render(&diff, writer),
    })?;
    Ok(Status::Done)
}

fn run_snapshot(command: &SnapshotCommand) -> Result<Status, Error> {
    match command {
        SnapshotCommand::Check { paths, answer, access } => {
            let out = Output::open(answer.output.as_deref())?;
            let check = snapshot::check::check(&snapshot::read(paths, access)?);
            out.write(|writer| match answer.format {
                Format::Json => write_json(&check, writer),
                Format::Text => snapshot::check::render(&check, writer),
            })?;
        }
        SnapshotCommand::Diff { first, second, answer, access } => {
            let out = Output::open(answer.output.as_deref())?;
            let diff = difference(first, second.as_deref(), access)?;
            out.write(|writer| match answer.format {
                Format::Json => write_json(&diff, writer),
                Format::Text => snapshot::diff::render(&diff, writer),
            })?;
        }
        SnapshotCommand::Show { paths, at, output, access } => {
            let out = Output::open(output.as_deref())?;
            let history = snapshot::read(paths, access)?;
            let Some((state, placement)) = snapshot::show::at(&history.timeline, *at) else {
                return Err(Error::Input(format!("{}: no state of any time", paths.join(", "))));
            };
            if let (Placement::BeforeFirst, Some(from)) = (placement, state.from) {
                let from = flowaudit::time::format(from);
                complain(&format!(
                    "warning: nothing is known of that time; this is the first state, in force from {from}"
                ));
            }
            let document = snapshot::show::document(&history.timeline, state);
            out.write(|writer| write_json(&document, writer))?;
        }
        SnapshotCommand::Capture(arguments) => return run_capture(arguments),
    }
    Ok(Status::Done)
}

fn run_capture(arguments: &cli::Capture) -> Result<Status, Error> {
    let options = capture::Options {
        cloud: arguments.cloud.into(),
        out: arguments.out.clone().unwrap_or_default(),
        profiles: arguments.profile.clone(),
        regions: arguments.region.clone(),
        roles: arguments.role.clone(),
    };
    let out = Output::open(None)?;
    if arguments.print_policy {
        out.write(|writer| write_json(&capture::policy::policy(&options), writer))?;
        return Ok(Status::Done);
    }
    if arguments.print_commands {
        out.write(|writer| writer.write_all(capture::commands(&options).as_bytes()))?;
        return Ok(Status::Done);
    }
    if arguments.out.is_none() {
        return Err(Error::Usage("snapshot capture: expected --out FOLDER, found none".to_owned()));
    }
    let captured = capture::capture(&options)?;
    for (account, region, missing) in captured.manifest.missing() {
        complain(&format!(
            "warning: {} {}: {}: {}",
            account.account_id, region.region, missing.action, missing.message
        ));
    }
    let partial = captured.manifest.missing().next().is_some();
    out.write(|writer| capture::summary(&captured, writer))?;
    Ok(if partial { Status::Partial } else { Status::Done })
}

/// Of a plan, what is there comes first and what is proposed second.
fn difference(first: &str, second: Option<&str>, access: &Access) -> Result<Diff, Error> {
    let before = snapshot::read(&[first.to_owned()], access)?;
    let after = match second {
        None => {
            return snapshot::diff::proposed(&before)
                .map(|proposed| snapshot::diff::diff(&before.timeline, &proposed))
                .ok_or_else(|| {
                    Error::Usage(format!(
                        "{first}: not a Terraform plan; give a second PATH to compare it with"
                    ))
                });
        }
        Some(second) => snapshot::read(&[second.to_owned()], access)?,
    };
    let proposed = snapshot::diff::proposed(&after);
    Ok(snapshot::diff::diff(&before.timeline, proposed.as_ref().unwrap_or(&after.timeline)))
}

fn write_json(value: &impl serde::Serialize, writer: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *writer, value)?;
    writeln!(writer)
}

fn run_generate(arguments: &Generate) -> Result<Status, Error> {
    let options = generate::GenerateOptions {
        seed: arguments.seed,
        cloud: arguments.cloud,
        out: arguments.out.clone(),
    };
    let summary = generate::generate(&options)
        .map_err(|source| Error::Write { path: arguments.out.display().to_string(), source })?;
    complain(&format!("{} records in {} files", summary.records, summary.files.len()));
    Ok(Status::Done)
}

/// A message on stderr; what cannot be said there is not said. Paths and values in it may be anybody's.
fn complain(message: &str) {
    let lines: Vec<_> = message.split('\n').map(render::sanitize::terminal).collect();
    let _ = writeln!(io::stderr().lock(), "flowaudit: {}", lines.join("\n"));
}

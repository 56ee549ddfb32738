//! `--format html`: one page that needs no network and no server, to be read, searched, printed and archived.
//!
//! Names are written by anybody: every string is escaped, nothing is an attribute of a script or a style, and the page
//! forbids all scripts and styles but its own two by their hashes.

mod blocked;
mod coverage;
mod findings;
mod groups;
pub mod investigation;
mod markup;
mod summary;
mod time;
mod timeline;
mod wider;

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::render::text::figures::window;
use crate::report::{Generator, Report};
use markup::Escaped;
use time::Layout;

/// Rows of a section, at most; the rest is counted.
const MOST_ROWS: usize = 2_000;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// Writes the page.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    head(&format!("Security groups, {}", window(&report.window)), "findings", &SECTIONS, out)?;
    summary::write(report, out)?;
    findings::write(report, out)?;
    findings::removal(report, out)?;
    wider::write(report, out)?;
    let layout = Layout::of(report);
    time::write(report, &layout, out)?;
    groups::write(report, &layout, out)?;
    blocked::write(report, out)?;
    coverage::write(report, out)?;
    foot(&report.generator, out)
}

/// Sections of the page and what they are called.
const SECTIONS: [(&str, &str); 8] = [
    ("summary", "Summary"),
    ("findings", "Findings"),
    ("removal", "What can go"),
    ("wider", "What should shrink"),
    ("time", "Over time"),
    ("groups", "Rules by group"),
    ("blocked", "Blocked"),
    ("coverage", "What was read"),
];

fn foot(generator: &Generator, out: &mut dyn Write) -> io::Result<()> {
    write!(
        out,
        "</main>\n<footer>Made by {} {}. The page is one file; it loads nothing.</footer>\n<script>{SCRIPT}</script>\n\
         </body>\n</html>\n",
        generator.name, generator.version
    )
}

fn head(title: &str, first: &str, sections: &[(&str, &str)], out: &mut dyn Write) -> io::Result<()> {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#{first}\">To the findings</a>\n<header>\n<h1>{title}</h1>\n\
         <nav aria-label=\"Sections\"><ul>",
        title = Escaped(title)
    )?;
    for (id, name) in sections {
        write!(out, "<li><a href=\"#{id}\">{name}</a></li>")?;
    }
    writeln!(out, "</ul></nav>\n</header>\n<main>")
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

//! `--format html`: one page that needs no network and no server, to be read, searched, printed and archived.
//!
//! Names are written by anybody: every string is escaped, nothing is an attribute of a script or a style, and the page
//! forbids all scripts and styles but its own two by their hashes.

mod blocked;
mod coverage;
mod findings;
mod groups;
mod markup;
mod summary;
mod time;
mod wider;

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::render::text::figures::window;
use crate::report::Report;
use markup::Escaped;
use time::Layout;

/// Rows of a section, at most; the rest is counted.
const MOST_ROWS: usize = 2_000;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// Writes the page.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    head(report, out)?;
    summary::write(report, out)?;
    findings::write(report, out)?;
    findings::removal(report, out)?;
    wider::write(report, out)?;
    let layout = Layout::of(report);
    time::write(report, &layout, out)?;
    groups::write(report, &layout, out)?;
    blocked::write(report, out)?;
    coverage::write(report, out)?;
    write!(
        out,
        "</main>\n<footer>Made by {} {}. The page is one file; it loads nothing.</footer>\n<script>{SCRIPT}</script>\n\
         </body>\n</html>\n",
        report.generator.name, report.generator.version
    )
}

fn head(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let title = format!("Security groups, {}", window(&report.window));
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
         <a class=\"skip\" href=\"#findings\">To the findings</a>\n<header>\n<h1>{title}</h1>\n\
         <nav aria-label=\"Sections\"><ul><li><a href=\"#summary\">Summary</a></li><li><a href=\"#findings\">Findings</a></li>\
         <li><a href=\"#removal\">What can go</a></li><li><a href=\"#wider\">What should shrink</a></li>\
         <li><a href=\"#time\">Over time</a></li><li><a href=\"#groups\">Rules by group</a></li>\
         <li><a href=\"#blocked\">Blocked</a></li><li><a href=\"#coverage\">What was read</a></li></ul></nav>\n</header>\n<main>\n",
        title = Escaped(&title)
    )
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

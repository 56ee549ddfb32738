//! The page in a real browser: nothing is loaded, nothing is reported on the console, and searching, filtering and
//! sorting do what they say. Without a browser (chromium) the test says that it was skipped.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod browser;
#[path = "../cli/fixture.rs"]
#[allow(dead_code, reason = "other programs use more of it")]
#[allow(clippy::print_stderr, reason = "what failed is said")]
mod fixture;

use browser::Browser;
use fixture::{Fixture, Object, T0, group, interface, row, row_at};
use serde_json::{Value, json};

const HOSTILE: &str = "<img src=x onerror=alert(1)></title><script>alert(1)</script>\"' onload=alert(1)";

fn page(objects: &[Object], rows: &[String]) -> Fixture {
    let fixture = Fixture::new();
    fixture.snapshot("snap", objects);
    fixture.log("log", rows);
    let run = fixture.run(&["analyze", "log", "--snapshot", "snap", "--format", "html=page.html"]);
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
    fixture
}

fn small() -> Fixture {
    let objects = [
        group("sg-a").with("GroupName", HOSTILE).ingress("tcp", 22, 22, "0.0.0.0/0").ingress(
            "tcp",
            443,
            443,
            "10.0.0.0/8",
        ),
        group("sg-b").with("GroupName", "quiet").ingress("tcp", 99, 99, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a", "sg-b"]),
    ];
    let rows = [
        row("eni-a 192.0.2.1 10.0.0.5 40000 22 6 ACCEPT"),
        row("eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT"),
        row("eni-a 10.0.0.9 10.0.0.5 40001 443 6 ACCEPT"),
        row("eni-a 192.0.2.1 10.0.0.5 40000 8080 6 REJECT"),
    ];
    page(&objects, &rows)
}

#[test]
fn a_hostile_name_is_text_and_nothing_is_said_on_the_console() {
    let Some(mut browser) = Browser::open() else { return };
    let fixture = small();
    let said = browser.visit(&fixture.path("page.html"));
    assert_eq!(said, [""; 0], "messages on the console");
    assert_eq!(browser.value("document.images.length + document.scripts.length"), json!(1));
    assert_eq!(browser.value("document.querySelector('#groups h3').textContent"), json!(HOSTILE));
    let loaded = browser.value("performance.getEntriesByType('resource').length");
    assert_eq!(loaded, json!(0), "the page loads nothing");
}

#[test]
fn searching_and_filtering_show_what_fits_and_count_it() {
    let Some(mut browser) = Browser::open() else { return };
    let fixture = small();
    browser.visit(&fixture.path("page.html"));
    let shown = "Array.from(document.querySelectorAll('#groups tbody tr')).filter((row) => row.offsetParent !== null).length";
    let type_in = |text: &str| {
        format!(
            "(() => {{ const box = document.querySelector('#groups input'); box.value = {}; \
             box.dispatchEvent(new Event('input', {{ bubbles: true }})); \
             return [{shown}, document.querySelector('#groups output').textContent]; }})()",
            json!(text)
        )
    };
    assert_eq!(browser.value(&type_in("tcp/443")), json!([1, "1 of 3 shown"]));
    assert_eq!(browser.value(&type_in("quiet")), json!([1, "1 of 3 shown"]));
    assert_eq!(browser.value(&type_in("no such thing")), json!([0, "0 of 3 shown"]));
    let pick = format!(
        "(() => {{ const box = document.querySelector('#groups input'); box.value = ''; \
         const pick = document.querySelector('#groups select'); pick.value = 'used'; \
         pick.dispatchEvent(new Event('input', {{ bubbles: true }})); return {shown}; }})()"
    );
    assert_eq!(browser.value(&pick), json!(2));
}

#[test]
fn what_came_when_and_when_rules_were_used_is_drawn_to_size_and_told() {
    let Some(mut browser) = Browser::open() else { return };
    let fixture = small();
    browser.visit(&fixture.path("page.html"));
    // One day: each bar is as wide as the chart, and the higher the more.
    let bars = browser.value(
        "Array.from(document.querySelectorAll('#time svg.bars'), (bar) => [bar.getAttribute('aria-label'), \
         bar.querySelector('path').getBBox().height])",
    );
    let label = |what: &str| format!("{what} records from 2026-01-01 to 2026-01-01");
    assert_eq!(bars, json!([[label("Accepted"), 100], [label("Refused"), 100]]));
    let strips = browser.value(
        "Array.from(document.querySelectorAll('#groups tbody tr'), (row) => row.querySelector('svg.strip')?.getAttribute('aria-label') \
         ?? null)",
    );
    let used = "used in 1 of 1 columns of a day, last in that of 2026-01-01";
    assert_eq!(strips, json!([used, used, null]));
    let width = browser.value(
        "(() => { document.querySelector('#groups details').open = true; \
         return document.querySelector('svg.strip').getBoundingClientRect().width > 100; })()",
    );
    assert_eq!(width, json!(true));
}

#[test]
fn columns_are_sorted_by_their_heads_and_say_how() {
    let Some(mut browser) = Browser::open() else { return };
    let fixture = small();
    browser.visit(&fixture.path("page.html"));
    let click = "(() => { const group = document.querySelector('#groups details'); group.open = true; \
                 const head = group.querySelectorAll('th')[2]; head.querySelector('button').click(); \
                 return [head.getAttribute('aria-sort'), ...Array.from(group.querySelectorAll('tbody tr'), \
                 (row) => row.cells[2].textContent)]; })()";
    assert_eq!(browser.value(click), json!(["descending", "2", "1"]));
    assert_eq!(browser.value(click), json!(["ascending", "1", "2"]));
    let severities = "(() => { const head = document.querySelector('#findings th'); head.querySelector('button').click(); \
                      return Array.from(document.querySelectorAll('#findings tbody tr'), (row) => row.dataset.severity); })()";
    let rising: Vec<Value> = browser.value(severities).as_array().unwrap().clone();
    let rank =
        |value: &Value| ["info", "low", "medium", "high", "critical"].iter().position(|name| value == name);
    assert!(rising.len() > 1 && rising.is_sorted_by_key(rank), "{rising:?}");
}

#[test]
fn a_page_of_five_thousand_rules_is_small_and_opens_at_once() {
    let Some(mut browser) = Browser::open() else { return };
    let mut objects = Vec::new();
    for number in 0..100_i64 {
        let mut one = group(&format!("sg-{number}"));
        for port in 1..=50 {
            one = one.ingress("tcp", number * 60 + port, number * 60 + port, "0.0.0.0/0");
        }
        objects.push(one);
        let address = format!("10.0.{number}.5");
        objects.push(interface(&format!("eni-{number}"), &address, &[&format!("sg-{number}")]));
    }
    let fixture = page(&objects, &[row("eni-1 192.0.2.1 10.0.1.5 40000 61 6 ACCEPT")]);
    let size = fixture.path("page.html").metadata().unwrap().len();
    assert!(size < 10_000_000, "{size} bytes");
    let said = browser.visit(&fixture.path("page.html"));
    assert_eq!(said, [""; 0]);
    let opened = browser.value("performance.timing.loadEventEnd - performance.timing.navigationStart");
    assert!(opened.as_u64().unwrap() < 2_000, "{opened} ms");
    let counted =
        browser.value("document.querySelector('#groups').textContent.includes('… 3,000 more rows')");
    assert_eq!(counted, json!(true), "what is left out is counted");
}

#[test]
fn nothing_is_wider_than_a_narrow_window() {
    let Some(mut browser) = Browser::open() else { return };
    let fixture = small();
    for width in [400, 1280] {
        browser.resize(width);
        browser.visit(&fixture.path("page.html"));
        let wide = browser.value("document.documentElement.scrollWidth <= window.innerWidth");
        assert_eq!(wide, json!(true), "{width}");
    }
}

/// A week of one interface: a scan, one way in, a peer of every day.
fn investigated() -> Fixture {
    let fixture = Fixture::new();
    let objects = [
        group("sg-a").ingress("tcp", 22, 22, "0.0.0.0/0").ingress("tcp", 443, 443, "10.0.0.0/8"),
        interface("eni-a", "10.0.0.5", &["sg-a"]).with("Description", HOSTILE),
    ];
    fixture.snapshot("snap", &objects);
    let day = 86_400;
    let mut rows: Vec<String> = (0..40)
        .map(|at| row_at(T0 + at, &format!("eni-a 192.0.2.1 10.0.0.5 40000 {} 6 REJECT", 1000 + at)))
        .collect();
    rows.push(row_at(T0 + day, "eni-a 192.0.2.1 10.0.0.5 40000 22 6 ACCEPT"));
    rows.extend((0..7).map(|at| row_at(T0 + at * day, "eni-a 10.0.0.9 10.0.0.5 40000 443 6 ACCEPT")));
    fixture.log("log", &rows);
    let run = fixture.run(&[
        "investigate",
        "log",
        "--snapshot",
        "snap",
        "--interface",
        "eni-a",
        "--follow",
        "--format",
        "html",
        "--output",
        "page.html",
    ]);
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
    fixture
}

#[test]
fn an_investigation_draws_what_came_when_and_hides_nothing() {
    let Some(mut browser) = Browser::open() else { return };
    let fixture = investigated();
    for width in [1280, 400] {
        browser.resize(width);
        assert_eq!(browser.visit(&fixture.path("page.html")), [""; 0], "messages on the console");
        let narrow = browser.value("document.documentElement.scrollWidth <= window.innerWidth");
        assert_eq!(narrow, json!(true), "{width}");
    }
    assert_eq!(browser.value("document.images.length + document.scripts.length"), json!(1));
    assert_eq!(browser.value("performance.getEntriesByType('resource').length"), json!(0));
    browser.resize(1280);
    browser.visit(&fixture.path("page.html"));
    let lanes =
        "Array.from(document.querySelectorAll('#timeline tbody tr'), (row) => row.cells[0].textContent)";
    assert_eq!(browser.value(lanes), json!(["10.0.0.9", "192.0.2.1"]));
    // Seven days with a bar each; the scan at the left, and the way in a sixth of the way to the right.
    let bars = |lane: usize, class: &str| {
        format!(
            "(document.querySelectorAll('#timeline tbody tr')[{lane}].querySelector('.{class}')?.getAttribute('d') ?? '')\
             .split('z').filter(Boolean)"
        )
    };
    assert_eq!(browser.value(&format!("{}.length", bars(0, "t-in"))), json!(7));
    assert_eq!(browser.value(&format!("{}.length", bars(1, "t-refused"))), json!(40));
    let into = browser.value(&bars(1, "t-in"));
    assert!(into[0].as_str().unwrap().starts_with("M166 "), "{into}");
    let drawn = "(() => { const lane = document.querySelectorAll('#timeline .lane')[1].getBoundingClientRect(); return lane.width > \
                 300 && lane.height > 10; })()";
    assert_eq!(browser.value(drawn), json!(true));
    let findings = browser.value("document.querySelectorAll('#findings tbody tr').length");
    assert_eq!(findings, json!(4));
    let shown = "(() => { const pick = document.querySelector('#conversations select'); pick.value = 'refused'; \
                 pick.dispatchEvent(new Event('input', { bubbles: true })); return \
                 document.querySelectorAll('#conversations tbody tr:not([hidden])').length; })()";
    assert_eq!(browser.value(shown), json!(40));
}

//! What a run counts and judges by besides logs and snapshots. States of different terms do not add up.

use serde::{Deserialize, Serialize};

use crate::findings::ports::SensitivePort;
use crate::findings::settings::{DAY, Settings};
use crate::flow::{Seconds, protocol_name};
use crate::time;

/// Everything besides logs and snapshots that changes a tally or a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What findings are judged by.
    pub settings: Settings,
    /// `--since`.
    pub since: Option<Seconds>,
    /// `--until`.
    pub until: Option<Seconds>,
    /// `--fields`, as it was given.
    pub fields: Option<String>,
    /// `--flow-log`, best first.
    pub flow_logs: Vec<String>,
}

/// One setting in which two terms differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The option.
    pub option: &'static str,
    /// What the first terms say.
    pub first: String,
    /// What the second terms say.
    pub second: String,
}

impl Terms {
    /// The first setting in which they differ.
    pub fn difference(&self, other: &Self) -> Option<Difference> {
        let pairs = self.described().into_iter().zip(other.described());
        let mut differing = pairs.filter(|((_, first), (_, second))| first != second);
        differing.next().map(|((option, first), (_, second))| Difference { option, first, second })
    }

    fn described(&self) -> [(&'static str, String); 9] {
        let time = |time: Option<Seconds>| time.map_or_else(|| "none".to_owned(), time::format);
        let list = |words: &[String]| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
        let settings = &self.settings;
        let fields = self.fields.as_deref().map(|fields| fields.split_whitespace().collect::<Vec<_>>());
        [
            ("--review-period", period(settings.review_period)),
            ("--port-profile", settings.profile.name.clone()),
            ("sensitive_ports", list(&ports(&settings.profile.services))),
            ("rare_words", list(&settings.rare_words())),
            ("--max-rules-per-rule", settings.max_rules_per_rule.to_string()),
            ("--since", time(self.since)),
            ("--until", time(self.until)),
            ("--fields", fields.map_or_else(|| "none".to_owned(), |fields| fields.join(" "))),
            ("--flow-log", list(&self.flow_logs)),
        ]
    }
}

fn period(seconds: Seconds) -> String {
    if seconds % DAY == 0 { format!("{}d", seconds / DAY) } else { format!("{}h", seconds / 3600) }
}

fn ports(services: &[SensitivePort]) -> Vec<String> {
    let described = services.iter().map(|service| {
        let SensitivePort { protocol, port, name, class, severity } = service;
        let severity = severity.as_str();
        format!("{}/{port} {name} {class:?} {severity}", protocol_name(*protocol))
    });
    described.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::ports::PortProfile;

    fn terms() -> Terms {
        let profile = PortProfile::named("default").unwrap();
        let settings = Settings::new(90 * DAY, &["dr"], profile);
        Terms { settings, since: None, until: None, fields: None, flow_logs: Vec::new() }
    }

    #[test]
    fn the_setting_that_differs_is_named_with_both_values() {
        type Change = fn(&mut Terms);
        let changed = |change: Change| {
            let mut other = terms();
            change(&mut other);
            let difference = terms().difference(&other);
            difference.map(|it| format!("{} {} {}", it.option, it.first, it.second))
        };
        assert_eq!(changed(|_| ()), None);
        let cases: [(Change, &str); 7] = [
            (|terms| terms.settings.max_rules_per_rule = 2, "--max-rules-per-rule 5 2"),
            (|terms| terms.settings.review_period = 36 * 3600, "--review-period 90d 36h"),
            (|terms| terms.since = Some(0), "--since none 1970-01-01T00:00:00Z"),
            (|terms| terms.until = Some(1), "--until none 1970-01-01T00:00:01Z"),
            (|terms| terms.fields = Some("a  b".to_owned()), "--fields none a b"),
            (|terms| terms.flow_logs = vec!["fl-1".to_owned()], "--flow-log none fl-1"),
            (
                |terms| {
                    let profile = terms.settings.profile.clone();
                    terms.settings = Settings::new(90 * DAY, &["Break-Glass"], profile);
                },
                "rare_words dr break glass",
            ),
        ];
        for (change, expected) in cases {
            assert_eq!(changed(change).as_deref(), Some(expected));
        }
    }

    #[test]
    fn terms_survive_as_json() {
        let text = serde_json::to_string(&terms()).unwrap();
        assert_eq!(serde_json::from_str::<Terms>(&text).unwrap(), terms());
    }
}

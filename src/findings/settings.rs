//! What findings are judged by, as the command line and the configuration file say.

use serde::{Deserialize, Serialize};

use super::ports::PortProfile;

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// Words that mark a rule kept for rare events, unless the configuration names others.
pub const RARE_WORDS: [&str; 12] = [
    "dr",
    "disaster",
    "backup",
    "break-glass",
    "breakglass",
    "emergency",
    "failover",
    "fail-over",
    "fallback",
    "health check",
    "healthcheck",
    "standby",
];

/// Settings of the findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// "Not seen" in a shorter window is trusted less; in seconds.
    pub review_period: i64,
    /// Words that mark a rule kept for rare events, each as its lower-case words.
    rare_words: Vec<Vec<String>>,
    /// Which ports are sensitive.
    pub profile: PortProfile,
    /// At most so many narrower rules are proposed in place of one.
    pub max_rules_per_rule: usize,
}

/// Unless the command line or the configuration says otherwise.
pub const MAX_RULES_PER_RULE: usize = 5;

impl Settings {
    /// Settings from their parts.
    pub fn new(review_period: i64, rare_words: &[impl AsRef<str>], profile: PortProfile) -> Self {
        let rare_words = rare_words.iter().map(|word| words(word.as_ref())).filter(|word| !word.is_empty());
        let max_rules_per_rule = MAX_RULES_PER_RULE;
        Self { review_period, rare_words: rare_words.collect(), profile, max_rules_per_rule }
    }

    /// The words that mark a rule kept for rare events, in lower case.
    pub fn rare_words(&self) -> Vec<String> {
        self.rare_words.iter().map(|words| words.join(" ")).collect()
    }

    /// The word by which a description or tag says that a rule is for rare events, if it does: whole words, in any case.
    pub fn rare_event(&self, text: &str) -> Option<String> {
        let text = words(text);
        let named = |rare: &&Vec<String>| text.windows(rare.len()).any(|window| window == *rare);
        self.rare_words.iter().find(named).map(|rare| rare.join(" "))
    }
}

fn words(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    parts.map(str::to_lowercase).collect()
}

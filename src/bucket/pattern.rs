//! Patterns over keys, as over files: what matches may be a folder, and then all of it is meant.

use glob::{MatchOptions, Pattern};

const SEPARATE: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// A pattern.
#[derive(Debug)]
pub(super) struct KeyPattern {
    whole: Pattern,
    /// Part by part, up to the first that stands for any number of folders.
    parts: Vec<Pattern>,
}

impl KeyPattern {
    /// Reads a pattern.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let pattern = |text: &str| Pattern::new(text).map_err(|error| format!("expected a pattern: {error}"));
        let text = text.trim_end_matches('/');
        let closed: Vec<&str> = text.split('/').take_while(|part| *part != "**").collect();
        Ok(Self {
            whole: pattern(text)?,
            parts: closed.iter().map(|part| pattern(part)).collect::<Result<_, _>>()?,
        })
    }

    /// Whether a key is meant: it, or a folder that it is in.
    pub(super) fn takes(&self, key: &str) -> bool {
        let ends = key.match_indices('/').map(|(at, _)| at).chain([key.len()]);
        ends.into_iter().any(|end| self.whole.matches_with(&key[..end], SEPARATE))
    }

    /// Whether something in a folder may be meant.
    pub(super) fn may_take_below(&self, folder: &str) -> bool {
        let mut parts = self.parts.iter();
        folder.split('/').all(|name| match parts.next() {
            Some(part) => part.matches_with(name, SEPARATE),
            // It is below what the pattern means, or the pattern goes on.
            None => true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_what_it_means_on_disk() {
        let cases = [
            ("a/*", "a/b/c.log", true),
            ("a/*", "a", false),
            ("a/*/c.log", "a/b/c.log", true),
            ("a/*/c.log", "a/b/d/c.log", false),
            ("a/**/03/*", "a/b/2026/03/05/x.log", true),
            ("a/**/03/*", "a/b/2026/04/05/x.log", false),
            ("a/0[12]", "a/01/x", true),
            ("a/0[12]", "a/03/x", false),
            ("**/*.gz", "x.gz", true),
            ("**/*.gz", "a/b/x.gz", true),
            ("a/*/", "a/b/c.log", true),
        ];
        for (pattern, key, taken) in cases {
            let pattern = KeyPattern::new(pattern).unwrap();
            assert_eq!(pattern.takes(key), taken, "{pattern:?} {key}");
            // What is taken is found.
            let folders = key.match_indices('/').map(|(at, _)| &key[..at]);
            assert!(
                !taken || folders.into_iter().all(|folder| pattern.may_take_below(folder)),
                "{pattern:?} {key}"
            );
        }
        let pattern = KeyPattern::new("AWSLogs/*/vpcflowlogs/eu-west-1/2026/03/02/*").unwrap();
        for (folder, may) in [
            ("AWSLogs/1", true),
            ("AWSLogs/1/CloudTrail", false),
            ("AWSLogs/1/vpcflowlogs/us-east-1", false),
            ("AWSLogs/1/vpcflowlogs/eu-west-1/2026/03", true),
            ("AWSLogs/1/vpcflowlogs/eu-west-1/2026/04", false),
            ("AWSLogs/1/vpcflowlogs/eu-west-1/2026/03/02/deeper", true),
        ] {
            assert_eq!(pattern.may_take_below(folder), may, "{folder}");
        }
    }
}

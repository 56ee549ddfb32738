//! Commands of a shell, in which no value is anything but a word.

use std::fmt;

/// A command, word by word.
#[derive(Debug, Clone)]
pub(super) struct Command {
    words: Vec<String>,
}

impl Command {
    /// Of words that need no quotes.
    pub(super) fn new(words: &[&str]) -> Self {
        Self { words: words.iter().map(|word| (*word).to_owned()).collect() }
    }

    /// A value, whatever it holds.
    #[must_use]
    pub(super) fn value(mut self, value: &str) -> Self {
        self.words.push(quoted(value));
        self
    }

    /// An option and its value, whatever it holds.
    #[must_use]
    pub(super) fn option(mut self, name: &str, value: &str) -> Self {
        self.words.push(name.to_owned());
        self.words.push(quoted(value));
        self
    }

    /// An option and its value as one word: some programs take a value that begins with a dash for an option.
    #[must_use]
    pub(super) fn joined(mut self, name: &str, value: &str) -> Self {
        self.words.push(format!("{name}={}", quoted(value)));
        self
    }

    /// The same, where there is a value.
    #[must_use]
    pub(super) fn joined_if(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.joined(name, value) }
    }

    /// An option and its value, where there is one.
    #[must_use]
    pub(super) fn option_if(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.option(name, value) }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

/// One word. What no terminal should see is left to the reader of the word: JSON has escapes of its own.
pub(crate) fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_word() {
        for value in ["a b", "'; rm -rf ~ #", "$(x)`y`", "\"", "\\", "-x", "", "a\nb", "!1"] {
            let quoted = quoted(value);
            // What stands between quotes is the value, and every quote of the value stands outside of them.
            let parts: Vec<&str> = quoted.split(r"'\''").collect();
            let inner = parts.join("'");
            assert_eq!(&inner[1..inner.len() - 1], value);
            assert!(parts.iter().all(|part| part.trim_matches('\'').chars().all(|c| c != '\'')), "{quoted}");
        }
    }
}

//! `s3://BUCKET/KEY` and `oss://BUCKET/KEY`.

use std::fmt;

/// Whose storage it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Amazon S3, or what speaks like it.
    S3,
    /// Alibaba Cloud OSS, which speaks like S3.
    Oss,
}

/// Where objects are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// Whose storage.
    pub scheme: Scheme,
    /// The bucket.
    pub bucket: String,
    /// A key, a folder of keys or a pattern; empty: the whole bucket.
    pub key: String,
}

impl Scheme {
    const ALL: [(&'static str, Self); 2] = [("s3://", Self::S3), ("oss://", Self::Oss)];
}

/// Whether an argument is the address of something in a bucket.
pub fn is_address(argument: &str) -> bool {
    Scheme::ALL.iter().any(|(prefix, _)| argument.starts_with(prefix))
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts =
            Scheme::ALL.iter().find_map(|(prefix, scheme)| Some((*scheme, text.strip_prefix(prefix)?)));
        let (scheme, rest) = parts.ok_or_else(|| format!("{text}: expected s3://BUCKET/PREFIX"))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if bucket.is_empty() || !bucket.bytes().all(fits) {
            return Err(format!(
                "{text}: expected the name of a bucket behind the slashes, found \"{bucket}\""
            ));
        }
        Ok(Self { scheme, bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// Another key of the same bucket.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// The part of the key that every match of a pattern begins with, and whether there is a pattern.
    pub(super) fn literal(&self) -> (&str, bool) {
        match self.key.find(['*', '?', '[']) {
            None => (&self.key, false),
            Some(at) => (self.key[..at].rfind('/').map_or("", |slash| &self.key[..=slash]), true),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.scheme {
            Scheme::S3 => "s3://",
            Scheme::Oss => "oss://",
        };
        write!(to, "{prefix}{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for text in ["s3://bucket/AWSLogs/1/", "oss://b.c-d/", "s3://b/a//b", "s3://b/ä ö"] {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Address::parse("s3://b").unwrap().to_string(), "s3://b/");
        for text in
            ["s3://", "s3:///key", "s3://b c/key", "s3://b@evil/key", "s3://b?x=/key", "gs://b/key", "b/key"]
        {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        assert!(is_address("s3://b") && is_address("oss://b") && !is_address("logs/s3://b"));
    }

    #[test]
    fn a_pattern_is_listed_from_its_last_folder_on() {
        for (key, literal) in [("a/b/*.gz", ("a/b/", true)), ("a*", ("", true)), ("a/b", ("a/b", false))] {
            let address = Address::parse(&format!("s3://bucket/{key}")).unwrap();
            assert_eq!(address.literal(), literal, "{key}");
        }
    }
}

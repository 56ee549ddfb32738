//! What a store refused → what to do about it. Of an answer only its code and its message are told: the rest of it may
//! repeat what signed the request.

use std::error::Error as _;

use object_store::Error;
use object_store::client::HttpError;

use super::address::{Address, Scheme};

/// What was asked of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A list of keys.
    List,
    /// The bytes of an object.
    Get,
}

/// Characters of a message that are kept.
const MOST_SAID: usize = 400;

/// What a store said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    status: Option<u16>,
    code: String,
    message: String,
}

/// Why something cannot be had, and the remedy where there is one.
pub(super) fn explain(asked: Asked, address: &Address, partition: &str, error: &Error) -> String {
    explain_answer(asked, address, partition, &Answer::of(&chain(error)))
        .unwrap_or_else(|| shortened(&last(error)))
}

/// Whether the store said nothing at all.
pub(super) fn is_silence(error: &Error) -> bool {
    Answer::of(&chain(error)) == Answer::default() && !matches!(error, Error::Precondition { .. })
}

/// The same of an answer. None: it says nothing.
pub(super) fn explain_answer(
    asked: Asked,
    address: &Address,
    partition: &str,
    answer: &Answer,
) -> Option<String> {
    let Answer { status, code, message } = answer;
    let (permission, resource) = permission(asked, address, partition);
    let said = if message.is_empty() { String::new() } else { format!(" ({message})") };
    Some(match (code.as_str(), *status) {
        ("AccessDenied" | "AllAccessDisabled", _) | ("", Some(403)) => {
            let kms = asked == Asked::Get && address.scheme == Scheme::S3;
            let more = match asked {
                Asked::Get if kms => ", and kms:Decrypt on the key if one encrypts the object".to_owned(),
                Asked::List if !address.key.is_empty() => format!(" for the prefix \"{}\"", address.key),
                _ => String::new(),
            };
            format!("access denied: needs {permission} on {resource}{more}{said}")
        }
        (code, _) if code.starts_with("KMS") => {
            format!("the key that encrypts the object cannot be used: needs kms:Decrypt on it{said}")
        }
        ("InvalidObjectState", _) => {
            format!("the object is archived; restore it first (aws s3api restore-object){said}")
        }
        ("NoSuchBucket", _) => format!("no bucket {}{said}", address.bucket),
        ("NoSuchKey", _) => "there is no such object any more".to_owned(),
        ("ExpiredToken" | "ExpiredTokenException", _) => {
            format!("the credentials have expired: sign in again{said}")
        }
        ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken", _) => {
            format!("the credentials are not accepted: {code}; is --profile or AWS_PROFILE the right one?")
        }
        ("RequestTimeTooSkewed", _) => format!("the clock of this machine is wrong{said}"),
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
        | ("", Some(301 | 307)) => {
            format!("the bucket is in another region: set AWS_REGION to it{said}")
        }
        (_, Some(412)) => CHANGED.to_owned(),
        ("", Some(404)) => match asked {
            Asked::List => format!("no bucket {}", address.bucket),
            Asked::Get => "there is no such object any more".to_owned(),
        },
        ("SlowDown" | "RequestLimitExceeded" | "TooManyRequests", _) | ("", Some(429 | 503)) => {
            format!("the store asks to slow down, and did so after several attempts{said}")
        }
        ("", None) => return None,
        ("", Some(status)) => format!("the store answered {status}{said}"),
        (code, _) => format!("{code}{said}"),
    })
}

/// An object that is not the one that was listed is not read on: its first half would be of another time.
pub(super) const CHANGED: &str =
    "the object has changed while it was read; read it again when nobody writes it";

/// The permission that it takes, and on what.
fn permission(asked: Asked, address: &Address, partition: &str) -> (String, String) {
    let (service, prefix) = match address.scheme {
        Scheme::S3 => ("s3", format!("arn:{partition}:s3:::")),
        Scheme::Oss => ("oss", "acs:oss:*:*:".to_owned()),
    };
    let bucket = &address.bucket;
    match asked {
        Asked::List => {
            let action = if address.scheme == Scheme::S3 { "ListBucket" } else { "ListObjects" };
            (format!("{service}:{action}"), format!("{prefix}{bucket}"))
        }
        Asked::Get => (format!("{service}:GetObject"), format!("{prefix}{bucket}/{}", address.key)),
    }
}

/// An error with all that it comes from.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push('\n');
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// What is behind an error, without the address that was asked: what a connection died of.
pub(super) fn last(error: &Error) -> String {
    let mut source = error.source();
    let mut last = error.to_string();
    while let Some(error) = source {
        // What comes before it repeats the whole request.
        if error.downcast_ref::<HttpError>().is_none() {
            last = error.to_string();
        }
        source = error.source();
    }
    last
}

/// What an error comes from in the end.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    shortened(&innermost.to_string())
}

pub(super) fn shortened(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(MOST_SAID).collect()
}

impl Answer {
    /// The body of an answer with this status.
    pub(super) fn of_status(status: u16, body: &str) -> Self {
        Self { status: Some(status), ..Self::of(body) }
    }

    fn of(text: &str) -> Self {
        let between = |open: &str, close: &str| {
            let (_, rest) = text.split_once(open)?;
            rest.split_once(close).map(|(inner, _)| shortened(inner))
        };
        // The same characters as in a code or a status, whoever wrote the answer.
        let word = |text: String| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        let status = between("status code: ", " ").and_then(|status| status.parse().ok());
        Self {
            status: status.filter(|status| (300..600).contains(status)),
            code: between("<Code>", "</Code>").map(word).unwrap_or_default(),
            message: between("<Message>", "</Message>").unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer as the store's client tells it.
    fn told(status: u16, body: &str) -> Error {
        let text = format!(
            "Error performing GET https://b/k in 1ms - Server returned non-2xx status code: {status} X: {body}"
        );
        Error::Generic { store: "S3", source: text.into() }
    }

    #[test]
    fn a_refusal_names_the_permission_and_what_it_is_on() {
        let address = Address::parse("s3://logs/AWSLogs/k.gz").unwrap();
        let denied =
            told(403, "<Error><Code>AccessDenied</Code><Message>no</Message><Secret>x</Secret></Error>");
        let get = explain(Asked::Get, &address, "aws", &denied);
        assert!(
            get.contains("s3:GetObject on arn:aws:s3:::logs/AWSLogs/k.gz") && get.contains("kms:Decrypt"),
            "{get}"
        );
        assert!(get.ends_with("(no)"), "{get}");
        let list = explain(Asked::List, &address, "aws-cn", &denied);
        assert!(
            list.contains("s3:ListBucket on arn:aws-cn:s3:::logs for the prefix \"AWSLogs/k.gz\" (no)"),
            "{list}"
        );
        let oss = Address { scheme: Scheme::Oss, ..address };
        assert!(
            explain(Asked::Get, &oss, "aws", &denied)
                .contains("oss:GetObject on acs:oss:*:*:logs/AWSLogs/k.gz")
        );
    }

    #[test]
    fn every_answer_has_a_remedy_and_shows_no_secret() {
        let address = Address::parse("s3://logs/k").unwrap();
        let cases = [
            (403, "InvalidAccessKeyId", "--profile"),
            (403, "SignatureDoesNotMatch", "--profile"),
            (400, "ExpiredToken", "sign in again"),
            (301, "PermanentRedirect", "AWS_REGION"),
            (403, "InvalidObjectState", "restore"),
            (404, "NoSuchBucket", "no bucket logs"),
            (400, "KMS.DisabledException", "kms:Decrypt"),
            (412, "PreconditionFailed", "has changed"),
            (503, "SlowDown", "slow down"),
            (418, "Teapot", "Teapot"),
        ];
        for (status, code, expected) in cases {
            let body = format!(
                "<Error><Code>{code}</Code><AWSAccessKeyId>AKIASECRET</AWSAccessKeyId><StringToSign>SECRET</StringToSign></Error>"
            );
            let text = explain(Asked::Get, &address, "aws", &told(status, &body));
            assert!(text.contains(expected) && !text.contains("SECRET"), "{code}: {text}");
        }
    }
}

//! One page of a list of keys, as they are: those of other tools hold whatever bytes a key may hold.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>.

use std::time::Duration;

use chrono::DateTime;
use object_store::aws::AwsAuthorizer;
use object_store::client::HttpRequestBody;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::complaint::{Answer, Asked, explain_answer, innermost, last};
use super::connect::Bucket;

/// An object of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) bytes: u64,
    pub(super) etag: Option<String>,
    /// Nanoseconds since 1970.
    pub(super) modified: i64,
}

/// One page.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) objects: Vec<Listed>,
    /// With the slash at their end.
    pub(super) folders: Vec<String>,
    /// What to ask the next page with.
    pub(super) next: Option<String>,
}

/// Why there is no page.
#[derive(Debug)]
pub(super) struct Refusal {
    /// What the store said, with the remedy.
    pub(super) why: String,
    /// Whether it is a matter of permission.
    pub(super) is_denied: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answered {
    #[serde(default)]
    contents: Vec<Content>,
    #[serde(default)]
    common_prefixes: Vec<Prefix>,
    next_continuation_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    key: String,
    #[serde(default)]
    size: u64,
    #[serde(rename = "ETag")]
    etag: Option<String>,
    #[serde(default)]
    last_modified: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Prefix {
    prefix: String,
}

/// Whether folders are told apart, or all below a prefix is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Folders,
    All,
}

/// Attempts at a page that the store could not answer just then.
const ATTEMPTS: u32 = 6;

impl Bucket {
    /// Asks for a page.
    pub(super) async fn page(
        &self,
        prefix: &str,
        depth: Depth,
        token: Option<&str>,
    ) -> Result<Page, Refusal> {
        let _permit = self.permits.acquire().await;
        let (mut attempts, mut wait) = (1, Duration::from_millis(100));
        loop {
            // A store that never answered is not waited for as one that does.
            let most = if self.has_answered() { ATTEMPTS } else { 3 };
            match self.ask(prefix, depth, token).await {
                Ok(page) => return Ok(page),
                Err((_, Again::Later)) if attempts < most => {}
                Err((refusal, _)) => return Err(refusal),
            }
            tokio::time::sleep(wait).await;
            (attempts, wait) = (attempts + 1, (wait * 2).min(Duration::from_secs(5)));
        }
    }

    async fn ask(&self, prefix: &str, depth: Depth, token: Option<&str>) -> Result<Page, (Refusal, Again)> {
        let failed = |why: String, again| (Refusal { why, is_denied: false }, again);
        let mut url = self.url.clone();
        {
            let mut query = url.query_pairs_mut();
            // In the order of names, as they are signed.
            if let Some(token) = token {
                query.append_pair("continuation-token", token);
            }
            if depth == Depth::Folders {
                query.append_pair("delimiter", "/");
            }
            query
                .append_pair("encoding-type", "url")
                .append_pair("list-type", "2")
                .append_pair("prefix", prefix);
        }
        // A plus is a space to some and a plus to others.
        let url = url.as_str().replace('+', "%20");
        let mut request = http::Request::new(HttpRequestBody::empty());
        *request.uri_mut() = url.parse().map_err(|error| failed(format!("{url}: {error}"), Again::No))?;
        if let Some(credentials) = &self.credentials {
            let credential = credentials.get_credential().await;
            let credential = credential.map_err(|error| failed(last(&error), Again::Later))?;
            AwsAuthorizer::new(&credential, "s3", &self.region)
                .with_request_payer(self.requester_pays)
                .try_authorize(&mut request, None)
                .map_err(|error| failed(last(&error), Again::No))?;
        }
        let asked = self.http.get(url).headers(request.headers().clone()).send().await;
        let unreachable = |error: &reqwest::Error| {
            let host = self.url.host_str().unwrap_or_default();
            failed(format!("{host}: {}", innermost(error)), Again::Later)
        };
        let answer = asked.map_err(|error| unreachable(&error))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| unreachable(&error))?;
        if !status.is_success() {
            let again = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
            let answer = Answer::of_status(status.as_u16(), &text);
            let address = self.address.with_key(prefix);
            let refusal = Refusal {
                why: explain_answer(Asked::List, &address, self.partition(), &answer)
                    .unwrap_or_else(|| format!("the store answered {status}")),
                is_denied: status.as_u16() == 403,
            };
            return Err((refusal, if again { Again::Later } else { Again::No }));
        }
        self.note_answer();
        read(&text).map_err(|why| failed(why, Again::No))
    }
}

/// Whether another attempt may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    Later,
    No,
}

fn read(text: &str) -> Result<Page, String> {
    let expected = |error: quick_xml::DeError| format!("expected a list of objects from the store: {error}");
    let answered: Answered = quick_xml::de::from_str(text).map_err(expected)?;
    let objects = answered.contents.into_iter().map(|content| Listed {
        key: decoded(&content.key),
        bytes: content.size,
        etag: content.etag.filter(|etag| !etag.is_empty()),
        modified: DateTime::parse_from_rfc3339(&content.last_modified)
            .ok()
            .and_then(|time| time.timestamp_nanos_opt())
            .unwrap_or(0),
    });
    Ok(Page {
        objects: objects.collect(),
        folders: answered.common_prefixes.iter().map(|folder| decoded(&folder.prefix)).collect(),
        next: answered.next_continuation_token.filter(|token| !token.is_empty()),
    })
}

/// `a%2Fb+c` → `a/b c`: keys are told so, for XML cannot hold every character.
fn decoded(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_with_whatever_keys_it_has() {
        let text = r#"<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>
            <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>a+b/=</NextContinuationToken>
            <Contents><Key>a//b%2B%20c+d/%C3%A9</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;x&quot;</ETag>
            <Size>7</Size></Contents><Contents><Key>m/</Key><Size>0</Size></Contents>
            <CommonPrefixes><Prefix>a/../</Prefix></CommonPrefixes></ListBucketResult>"#;
        let page = read(text).unwrap();
        let first = Listed {
            key: "a//b+ c d/é".to_owned(),
            bytes: 7,
            etag: Some("\"x\"".to_owned()),
            modified: 1_767_225_600_000_000_000,
        };
        let marker = Listed { key: "m/".to_owned(), bytes: 0, etag: None, modified: 0 };
        assert_eq!(page.objects, [first, marker]);
        assert_eq!((page.folders, page.next), (vec!["a/../".to_owned()], Some("a+b/=".to_owned())));
        assert!(read("<html>").is_err() && read("").is_err());
        assert!(
            read("<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>").unwrap().objects.is_empty()
        );
    }
}

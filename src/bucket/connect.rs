//! An address and how to reach it → a bucket that answers.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use object_store::aws::{
    AmazonS3, AmazonS3Builder, AwsCredential, AwsCredentialProvider, resolve_bucket_region,
};
use object_store::client::{HttpClient, HttpConnector};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use reqwest::Url;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use super::address::{Address, Scheme};
use super::complaint::{last, shortened};
use super::credentials::{Cli, Source};
use crate::cli::Access;

/// Threads for the network: most of what they do is wait.
const THREADS: usize = 2;
/// So many requests are under way at once.
const REQUESTS: usize = 64;
/// How long a store that does not accept connections is waited for.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may stand still before it is asked for again.
const STILL: Duration = Duration::from_secs(20);
/// How long one request may take: a piece on a slow line.
const REQUEST: Duration = Duration::from_secs(120);
/// After so many requests in a row without any answer, the rest of a bucket is not asked for.
const MOST_SILENT: u32 = 8;

/// The bucket of an address, and what asks it.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) store: AmazonS3,
    /// The bucket; its key means nothing.
    pub(super) address: Address,
    /// The same for lists, which the store's client does not hand out as they are.
    pub(super) http: reqwest::Client,
    pub(super) url: Url,
    pub(super) region: String,
    /// None: nobody asks.
    pub(super) credentials: Option<AwsCredentialProvider>,
    pub(super) requester_pays: bool,
    pub(super) permits: Semaphore,
    answered: AtomicBool,
    silent: AtomicU32,
}

/// The threads for the network.
pub(super) fn runtime() -> Result<Arc<Runtime>, String> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(THREADS).thread_name("network").enable_all();
    builder.build().map(Arc::new).map_err(|error| format!("threads for the network: {error}"))
}

/// Attempts at a request that the store could not answer just then: 0.1 s apart at first, then ever longer.
fn patience(retries: usize) -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(10),
        base: 2.0,
    };
    RetryConfig { backoff, max_retries: retries, retry_timeout: Duration::from_secs(150) }
}

/// What variables say, as [`AmazonS3Builder::from_env`] reads them, but for those that are set to nothing, and without the
/// line ends that files leave at the end of some.
fn from_variables() -> AmazonS3Builder {
    let set = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    set.filter(|(name, value)| name.starts_with("AWS_") && !value.trim().is_empty())
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value.trim().to_owned())))
        .fold(AmazonS3Builder::new(), |builder, (key, value)| builder.with_config(key, value))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// Asks without a proxy: the machine's own credentials are not for others.
#[derive(Debug)]
struct Direct;

impl HttpConnector for Direct {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(1))
            .timeout(Duration::from_secs(10))
            .build()
            .map_err(|error| object_store::Error::Generic { store: "credentials", source: error.into() })?;
        Ok(HttpClient::new(client))
    }
}

impl Bucket {
    /// Finds out who asks and where the bucket is.
    pub(super) fn connect(address: &Address, access: &Access, runtime: &Runtime) -> Result<Self, String> {
        // Nothing else of this program does TLS; a provider that is there already does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options =
            ClientOptions::new().with_connect_timeout(CONNECT).with_read_timeout(STILL).with_timeout(REQUEST);
        let given = endpoint(address, access)?;
        let region = region(address, given.is_some(), &options, runtime)?;
        let url = bucket_url(address, given.as_ref(), &region)?;
        let options = options.with_allow_http(url.scheme() == "http");
        let credentials =
            if access.no_sign_request { None } else { Some(credentials(address, access, &region, runtime)?) };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&address.bucket)
            .with_region(&region)
            .with_client_options(options)
            .with_request_payer(access.requester_pays)
            .with_retry(patience(8))
            // The bucket is in the address already.
            .with_virtual_hosted_style_request(true)
            .with_endpoint(url.as_str().trim_end_matches('/'));
        builder = match &credentials {
            Some(credentials) => builder.with_credentials(Arc::clone(credentials)),
            None => builder.with_skip_signature(true),
        };
        let store = builder.build().map_err(|error| format!("{address}: {}", last(&error)))?;
        let http = reqwest::Client::builder().connect_timeout(CONNECT).read_timeout(STILL).timeout(REQUEST);
        let http = http.build().map_err(|error| format!("{address}: {error}"))?;
        Ok(Self {
            store,
            address: address.clone(),
            http,
            url,
            region,
            credentials,
            requester_pays: access.requester_pays,
            permits: Semaphore::new(REQUESTS),
            answered: AtomicBool::new(false),
            silent: AtomicU32::new(0),
        })
    }

    /// Where resources of this region are named: `aws`, `aws-cn`, `aws-us-gov`.
    pub(super) fn partition(&self) -> &'static str {
        match &self.region {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// The store has said something, whatever it was.
    pub(super) fn note_answer(&self) {
        self.answered.store(true, Ordering::Relaxed);
        self.silent.store(0, Ordering::Relaxed);
    }

    /// The store did not answer, after all attempts.
    pub(super) fn note_silence(&self) {
        self.silent.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it has ever answered.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Whether it does not answer any more.
    pub(super) fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed) >= MOST_SILENT
    }
}

/// Where the store is, if not at Amazon.
fn endpoint(address: &Address, access: &Access) -> Result<Option<Url>, String> {
    let given = access.endpoint.clone();
    let text = match address.scheme {
        Scheme::S3 => given
            .or_else(|| variable("AWS_ENDPOINT_URL_S3"))
            .or_else(|| variable("AWS_ENDPOINT_URL"))
            .or_else(|| variable("AWS_ENDPOINT")),
        Scheme::Oss => Some(given.or_else(|| variable("OSS_ENDPOINT")).ok_or_else(|| {
            format!("{address}: expected where the store is: --endpoint https://oss-REGION.aliyuncs.com")
        })?),
    };
    text.map(|text| endpoint_url(&text)).transpose()
}

fn endpoint_url(text: &str) -> Result<Url, String> {
    let expected = || format!("--endpoint {text}: expected an address such as https://s3.example.com");
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = Url::parse(&whole).map_err(|_| expected())?;
    let fits = matches!(url.scheme(), "http" | "https")
        && url.host_str().is_some_and(|host| !host.is_empty())
        && url.username().is_empty()
        && url.query().is_none();
    fits.then_some(url).ok_or_else(expected)
}

/// The address of the bucket itself.
fn bucket_url(address: &Address, endpoint: Option<&Url>, region: &str) -> Result<Url, String> {
    let wrong = |error: String| format!("{address}: {error}");
    let Some(endpoint) = endpoint else {
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let text = format!("https://s3.{region}.{domain}/{}", address.bucket);
        return Url::parse(&text).map_err(|error| wrong(error.to_string()));
    };
    let host = endpoint.host_str().unwrap_or_default();
    // Buckets of OSS are hosts of their own, unless the store has no name but a number:
    // https://www.alibabacloud.com/help/en/oss/developer-reference/compatibility-with-amazon-s3.
    let is_number = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    let has_name = host.contains('.') && !is_number;
    let mut url = endpoint.clone();
    if address.scheme == Scheme::Oss && has_name {
        let own = format!("{}.", address.bucket);
        if !host.starts_with(&own) {
            url.set_host(Some(&format!("{own}{host}"))).map_err(|error| wrong(error.to_string()))?;
        }
    } else {
        let path = format!("{}/{}", endpoint.path().trim_end_matches('/'), address.bucket);
        url.set_path(&path);
    }
    Ok(url)
}

/// The region of a bucket: the bucket itself says it, unless the store is not Amazon's.
fn region(
    address: &Address,
    elsewhere: bool,
    options: &ClientOptions,
    runtime: &Runtime,
) -> Result<String, String> {
    let set = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    if elsewhere {
        return Ok(set.unwrap_or_else(|| "us-east-1".to_owned()));
    }
    // Other partitions have other hosts, which only those who are in them know.
    if let Some(region) =
        set.clone().filter(|region| region.starts_with("cn-") || region.starts_with("us-gov-"))
    {
        return Ok(region);
    }
    match runtime.block_on(resolve_bucket_region(&address.bucket, options)) {
        Ok(region) => Ok(region),
        Err(error) => set.ok_or_else(|| {
            format!(
                "{address}: where is the bucket? {}; set AWS_REGION to its region",
                shortened(&last(&error))
            )
        }),
    }
}

/// Who asks: what cannot be had is said before anything is asked for.
fn credentials(
    address: &Address,
    access: &Access,
    region: &str,
    runtime: &Runtime,
) -> Result<AwsCredentialProvider, String> {
    let remedy = "give --profile NAME, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or --no-sign-request for a \
                  bucket that everybody may read";
    if address.scheme == Scheme::Oss && access.profile.is_none() {
        let id = variable("ALIBABA_CLOUD_ACCESS_KEY_ID").or_else(|| variable("OSS_ACCESS_KEY_ID"));
        let secret =
            variable("ALIBABA_CLOUD_ACCESS_KEY_SECRET").or_else(|| variable("OSS_ACCESS_KEY_SECRET"));
        let token = variable("ALIBABA_CLOUD_SECURITY_TOKEN").or_else(|| variable("OSS_SESSION_TOKEN"));
        let (Some(key_id), Some(secret_key)) = (id, secret) else {
            // Those of another cloud are not shown to this one.
            return Err(format!(
                "{address}: no credentials found; set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or \
                 give --no-sign-request"
            ));
        };
        let credential = AwsCredential { key_id, secret_key, token };
        check(&credential).map_err(|why| format!("{address}: {why}"))?;
        return Ok(Arc::new(object_store::StaticCredentialProvider::new(credential)));
    }
    let source = Source::of(access.profile.as_deref(), variable, Source::has_files());
    if let Source::Cli(profile) = &source {
        let asked = access.profile.is_some() || variable("AWS_PROFILE").is_some();
        let cli = Arc::new(Cli::new(profile.clone()));
        match cli.ask().and_then(|credential| check(&credential)) {
            Ok(()) => return Ok(cli),
            // Files may be there for other things; an instance has its role all the same.
            Err(why) if asked => return Err(format!("{address}: {why}")),
            Err(_) => {}
        }
    }
    let is_set = |name: &str| variable(name).is_some();
    let here = ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"].into_iter().any(is_set);
    let container = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
    let disabled = variable("AWS_EC2_METADATA_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    if disabled && !here && !container.into_iter().any(is_set) {
        return Err(format!("{address}: no credentials found; {remedy}"));
    }
    let mut builder = from_variables().with_bucket_name(&address.bucket).with_region(region);
    if !here {
        builder = builder.with_http_connector(Direct);
    }
    let of = |retries: usize| {
        let built = builder.clone().with_retry(patience(retries)).build();
        built.map_err(|error| format!("{address}: {}; {remedy}", shortened(&last(&error))))
    };
    // Asked once here, and not patiently: away from a cloud nobody would answer.
    let probe = of(1)?;
    let credential = runtime.block_on(async { probe.credentials().get_credential().await });
    let credential = credential.map_err(|error| {
        format!("{address}: no credentials found ({}); {remedy}", shortened(&last(&error)))
    })?;
    check(&credential).map_err(|why| format!("{address}: {why}"))?;
    Ok(Arc::clone(of(5)?.credentials()))
}

/// What signs a request stands in its head, where not every character may stand.
fn check(credential: &AwsCredential) -> Result<(), String> {
    let token = credential.token.as_deref().unwrap_or_default();
    let fits = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits(&credential.key_id) && fits(token) {
        return Ok(());
    }
    Err("credentials: expected letters and digits, found spaces or line ends; is a variable cut in two?"
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(address: &str, endpoint: Option<&str>, region: &str) -> String {
        let endpoint = endpoint.map(|text| endpoint_url(text).unwrap());
        bucket_url(&Address::parse(address).unwrap(), endpoint.as_ref(), region).unwrap().to_string()
    }

    #[test]
    fn a_bucket_has_an_address_at_every_kind_of_store() {
        let own = "https://logs.oss-cn-hangzhou.aliyuncs.com/";
        let cases = [
            ("s3://logs", None, "eu-west-1", "https://s3.eu-west-1.amazonaws.com/logs"),
            (
                "s3://logs.with.dots",
                None,
                "cn-north-1",
                "https://s3.cn-north-1.amazonaws.com.cn/logs.with.dots",
            ),
            ("s3://logs", Some("http://127.0.0.1:9000"), "", "http://127.0.0.1:9000/logs"),
            ("s3://logs", Some("store.example.com/s3/"), "", "https://store.example.com/s3/logs"),
            ("oss://logs", Some("https://oss-cn-hangzhou.aliyuncs.com"), "", own),
            ("oss://logs", Some("oss-cn-hangzhou.aliyuncs.com"), "", own),
            ("oss://logs", Some(own), "", own),
            ("oss://logs", Some("http://127.0.0.1:9000"), "", "http://127.0.0.1:9000/logs"),
        ];
        for (address, endpoint, region, expected) in cases {
            assert_eq!(url(address, endpoint, region), expected);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in ["", "ftp://x", "http://", "https://user@host", "localhost 9000", "https://host?x=1"] {
            assert!(endpoint_url(text).is_err(), "{text}");
        }
        assert!(endpoint_url("localhost:9000").is_ok());
    }

    #[test]
    fn a_token_with_a_line_end_is_no_token() {
        let credential = |token: &str| AwsCredential {
            key_id: "AKIA".to_owned(),
            secret_key: String::new(),
            token: Some(token.to_owned()),
        };
        assert!(check(&credential("abc+/=")).is_ok());
        let why = check(&credential("SECRET\r\nX")).unwrap_err();
        assert!(!why.contains("SECRET"));
    }
}

//! An address and how to reach it → a store that answers.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, resolve_bucket_region};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use super::address::{Address, Scheme};
use super::complaint::last;
use super::credentials::{Cli, Source};
use crate::cli::Access;

/// Threads for the network: most of what they do is wait.
const THREADS: usize = 2;
/// So many requests are under way at once.
pub(super) const REQUESTS: usize = 64;
/// How long a store that does not accept connections is waited for.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may stand still before it is asked for again.
const STILL: Duration = Duration::from_secs(20);
/// How long one request may take: a piece on a slow line.
const REQUEST: Duration = Duration::from_secs(120);

/// The bucket of an address, and what asks it.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) store: AmazonS3,
    /// The bucket; its key means nothing.
    pub(super) address: Address,
    pub(super) permits: Semaphore,
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

/// What variables say, as [`AmazonS3Builder::from_env`] reads them, but for those that are set to nothing.
fn from_variables() -> AmazonS3Builder {
    let set = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    set.filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty())
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value)))
        .fold(AmazonS3Builder::new(), |builder, (key, value)| builder.with_config(key, value))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

impl Bucket {
    /// Finds out who asks and where the bucket is.
    pub(super) fn connect(address: &Address, access: &Access, runtime: &Runtime) -> Result<Self, String> {
        // Nothing else of this program does TLS; a provider that is there already does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = from_variables().with_bucket_name(&address.bucket);
        let endpoint = endpoint(address, access)?;
        let mut options =
            ClientOptions::new().with_connect_timeout(CONNECT).with_read_timeout(STILL).with_timeout(REQUEST);
        if let Some(endpoint) = &endpoint {
            options = options.with_allow_http(endpoint.starts_with("http://"));
            builder = builder.with_endpoint(endpoint);
        }
        let is_hosted =
            endpoint.as_deref().is_some_and(|endpoint| hosted(endpoint, &address.bucket).is_some());
        if address.scheme == Scheme::Oss && is_hosted {
            // It takes no other: https://www.alibabacloud.com/help/en/oss/developer-reference/compatibility-with-amazon-s3.
            builder = builder.with_virtual_hosted_style_request(true);
        }
        let region = region(address, endpoint.is_some(), &options, runtime)?;
        builder = builder
            .with_region(region)
            .with_client_options(options)
            .with_request_payer(access.requester_pays);
        if access.no_sign_request {
            builder = builder.with_skip_signature(true);
        } else {
            builder = signed(builder, address, access, runtime)?;
        }
        let built = builder.with_retry(patience(8)).build();
        let store = built.map_err(|error| format!("{address}: {}", last(&error)))?;
        Ok(Self { store, address: address.clone(), permits: Semaphore::new(REQUESTS) })
    }
}

/// Where the store is, if not at Amazon.
fn endpoint(address: &Address, access: &Access) -> Result<Option<String>, String> {
    let given = access.endpoint.clone().map(|endpoint| endpoint.trim_end_matches('/').to_owned());
    match address.scheme {
        Scheme::S3 => {
            Ok(given.or_else(|| variable("AWS_ENDPOINT_URL_S3")).or_else(|| variable("AWS_ENDPOINT_URL")))
        }
        Scheme::Oss => {
            let endpoint = given.or_else(|| variable("OSS_ENDPOINT")).ok_or_else(|| {
                format!("{address}: expected where the store is: --endpoint https://oss-REGION.aliyuncs.com")
            })?;
            Ok(Some(match hosted(&endpoint, &address.bucket) {
                Some(hosted) => hosted,
                None => endpoint,
            }))
        }
    }
}

/// The host that a bucket is at a store: each bucket has one of its own. None: the store has no name, but a number.
fn hosted(endpoint: &str, bucket: &str) -> Option<String> {
    let (scheme, host) = endpoint.split_once("://").unwrap_or(("https", endpoint));
    let name = host.split(':').next().unwrap_or_default();
    let has_name = name.contains('.') && name.parse::<std::net::IpAddr>().is_err();
    let own = format!("{bucket}.");
    let host = if host.starts_with(&own) { host.to_owned() } else { format!("{own}{host}") };
    has_name.then(|| format!("{scheme}://{host}"))
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
            format!("{address}: where is the bucket? {}; set AWS_REGION to its region", last(&error))
        }),
    }
}

/// With credentials that are there: what cannot be had is said before anything is asked for.
fn signed(
    builder: AmazonS3Builder,
    address: &Address,
    access: &Access,
    runtime: &Runtime,
) -> Result<AmazonS3Builder, String> {
    let remedy = "give --profile NAME, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or --no-sign-request for a \
                  bucket that everybody may read";
    if address.scheme == Scheme::Oss && access.profile.is_none() {
        let id = variable("ALIBABA_CLOUD_ACCESS_KEY_ID").or_else(|| variable("OSS_ACCESS_KEY_ID"));
        let secret =
            variable("ALIBABA_CLOUD_ACCESS_KEY_SECRET").or_else(|| variable("OSS_ACCESS_KEY_SECRET"));
        if let (Some(id), Some(secret)) = (id, secret) {
            let builder = builder.with_access_key_id(id).with_secret_access_key(secret);
            let token = variable("ALIBABA_CLOUD_SECURITY_TOKEN").or_else(|| variable("OSS_SESSION_TOKEN"));
            return Ok(match token {
                Some(token) => builder.with_token(token),
                None => builder,
            });
        }
    }
    match Source::of(access.profile.as_deref(), variable, Source::has_files()) {
        Source::Cli(profile) => {
            let asked = access.profile.is_some() || variable("AWS_PROFILE").is_some();
            let cli = Arc::new(Cli::new(profile));
            match cli.ask() {
                Ok(_) => return Ok(builder.with_credentials(cli)),
                // Files may be there for other things; an instance has its role all the same.
                Err(why) if asked => return Err(format!("{address}: {why}")),
                Err(_) => {}
            }
        }
        Source::Surroundings => {}
    }
    // Asked once here, and not patiently: away from a cloud nobody would answer.
    let probe = builder.clone().with_retry(patience(1)).build();
    let probe = probe.map_err(|error| format!("{address}: {}; {remedy}", last(&error)))?;
    match runtime.block_on(async { probe.credentials().get_credential().await }) {
        Ok(_) => Ok(builder.with_credentials(Arc::clone(probe.credentials()))),
        Err(error) => Err(format!("{address}: no credentials found ({}); {remedy}", last(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_of_oss_is_a_host_of_its_own() {
        let at = "https://logs.oss-cn-hangzhou.aliyuncs.com";
        assert_eq!(hosted("https://oss-cn-hangzhou.aliyuncs.com", "logs").as_deref(), Some(at));
        assert_eq!(hosted("oss-cn-hangzhou.aliyuncs.com", "logs").as_deref(), Some(at));
        assert_eq!(hosted(at, "logs").as_deref(), Some(at));
        assert_eq!(hosted("http://127.0.0.1:9000", "logs"), None);
        assert_eq!(hosted("http://localhost:9000", "logs"), None);
    }
}

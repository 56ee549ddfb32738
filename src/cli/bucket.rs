//! Options of every command that reads from buckets.

use clap::Args;

/// How buckets are reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Buckets (s3://, oss://)")]
pub struct Access {
    /// Credentials of this profile, as aws configure export-credentials says them [default: as the AWS CLI finds them]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// A store that is not Amazon's, or another door to it (for `oss://`: `https://oss-REGION.aliyuncs.com`)
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Pay for what is read from buckets that ask for it
    #[arg(long)]
    pub requester_pays: bool,
    /// Ask without credentials, for buckets that everybody may read
    #[arg(long)]
    pub no_sign_request: bool,
}

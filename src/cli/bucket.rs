//! Options of every command that reads from buckets.

use clap::Args;

/// On each of them: a heading of the whole would be one of all that comes behind it, too.
const HEADING: &str = "Buckets (s3://, oss://)";

/// How buckets are reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Access {
    /// Credentials of this profile, as aws configure export-credentials says them [default: as the AWS CLI finds them]
    #[arg(long, help_heading = HEADING, value_name = "NAME")]
    pub profile: Option<String>,
    /// A store that is not Amazon's, or another door to it (for `oss://`: `https://oss-REGION.aliyuncs.com`)
    #[arg(long, help_heading = HEADING, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Pay for what is read from buckets that ask for it
    #[arg(long, help_heading = HEADING)]
    pub requester_pays: bool,
    /// Ask without credentials, for buckets that everybody may read
    #[arg(long, help_heading = HEADING)]
    pub no_sign_request: bool,
}

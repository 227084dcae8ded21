//! `tidemill sql` of a binary without the feature `sql`.

use tidemill_core::{Code, Failure};

use crate::cli::{Global, SqlArgs};

#[allow(clippy::unused_async, reason = "stands in the place of the one that answers")]
pub async fn sql(_: &SqlArgs, _: &Global) -> Result<u8, Failure> {
    Err(Failure::new(Code::SqlAbsent, "this binary was built without SQL")
        .with_hint("build it with `cargo build --release`, without `--no-default-features`"))
}

//! Object store clients, configured from the environment.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};
use tidemill_data::DataError;

use super::explain::explain;
use super::place::Place;

/// Time limit of a request: one piece of an object over a slow connection.
const TIMEOUT: (ClientConfigKey, &str) = (ClientConfigKey::Timeout, "3 minutes");
/// A cloud machine has an address that issues credentials; elsewhere it does not respond.
const NO_CREDENTIALS_TIMEOUT: (ClientConfigKey, &str) = (ClientConfigKey::ConnectTimeout, "1 second");

/// The variables with credentials, by scheme: those of the vendors' own tools.
fn credentials(scheme: &str) -> &'static [&'static str] {
    match scheme {
        "s3" => &[
            "AWS_ACCESS_KEY_ID",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_SKIP_SIGNATURE",
        ],
        "gs" => &[
            "GOOGLE_APPLICATION_CREDENTIALS",
            "GOOGLE_SERVICE_ACCOUNT",
            "GOOGLE_SERVICE_ACCOUNT_PATH",
            "GOOGLE_SERVICE_ACCOUNT_KEY",
            "GOOGLE_SKIP_SIGNATURE",
        ],
        _ => &[
            "AZURE_STORAGE_ACCOUNT_KEY",
            "AZURE_STORAGE_ACCESS_KEY",
            "AZURE_STORAGE_SAS_TOKEN",
            "AZURE_STORAGE_SAS_KEY",
            "AZURE_STORAGE_TOKEN",
            "AZURE_CLIENT_SECRET",
            "AZURE_STORAGE_CLIENT_SECRET",
            "AZURE_FEDERATED_TOKEN_FILE",
            "AZURE_STORAGE_USE_EMULATOR",
            "AZURE_SKIP_SIGNATURE",
        ],
    }
}

/// Whether the environment has credentials.
pub(super) fn has_credentials(scheme: &str) -> bool {
    credentials(scheme).iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Creates the client for the bucket of a place. Sends nothing yet.
pub(super) fn client(place: &Place) -> Result<Arc<dyn ObjectStore>, DataError> {
    let known = has_credentials(place.scheme);
    let retry = RetryConfig {
        max_retries: if known { 6 } else { 1 },
        retry_timeout: Duration::from_mins(1),
        ..RetryConfig::default()
    };
    let settings: &[(ClientConfigKey, &str)] = if known { &[TIMEOUT] } else { &[TIMEOUT, NO_CREDENTIALS_TIMEOUT] };
    let failed = |error| explain(place, error);
    Ok(match place.scheme {
        "s3" => {
            let mut builder = AmazonS3Builder::from_env().with_bucket_name(&place.bucket).with_retry(retry);
            for (key, value) in settings {
                builder = builder.with_config(AmazonS3ConfigKey::Client(*key), *value);
            }
            Arc::new(builder.build().map_err(failed)?)
        }
        "gs" => {
            let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(&place.bucket).with_retry(retry);
            for (key, value) in settings {
                builder = builder.with_config(GoogleConfigKey::Client(*key), *value);
            }
            Arc::new(builder.build().map_err(failed)?)
        }
        _ => {
            let mut builder = MicrosoftAzureBuilder::from_env().with_container_name(&place.bucket).with_retry(retry);
            for (key, value) in settings {
                builder = builder.with_config(AzureConfigKey::Client(*key), *value);
            }
            Arc::new(builder.build().map_err(failed)?)
        }
    })
}

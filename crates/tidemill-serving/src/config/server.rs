//! `MonitoringConfig` and `SSLConfig`.

use std::path::Path;

use super::{ConfigError, text};
use crate::TlsOptions;
use crate::protocol::grpc::proto::tensorflow::serving as proto;

/// The path of the metrics, as TF Serving's `--monitoring_config_file` gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitoringConfig {
    /// The path besides `/metrics`.
    pub path: String,
}

impl MonitoringConfig {
    /// Reads a file with the text of a `MonitoringConfig`. Metrics are always on here; `None` if it gives no path.
    pub fn read_file(file: &Path) -> Result<Option<Self>, ConfigError> {
        let config: proto::MonitoringConfig = text::read(file, "MonitoringConfig")?;
        let path = config.prometheus_config.map(|prometheus| prometheus.path).filter(|path| !path.is_empty());
        match path {
            Some(path) if !path.starts_with('/') => {
                Err(ConfigError::invalid(file, format!("the path `{path}` does not begin with `/`")))
            }
            path => Ok(path.map(|path| Self { path })),
        }
    }
}

impl TlsOptions {
    /// Reads a file with the text of an `SSLConfig`, as TF Serving's `--ssl_config_file`.
    pub fn read_file(file: &Path) -> Result<Self, ConfigError> {
        let config: proto::SslConfig = text::read(file, "SSLConfig")?;
        for (name, pem) in [("server_key", &config.server_key), ("server_cert", &config.server_cert)] {
            if pem.is_empty() {
                return Err(ConfigError::invalid(file, format!("`{name}` is missing")));
            }
        }
        Ok(Self {
            certificate: config.server_cert.into_bytes(),
            key: config.server_key.into_bytes(),
            client_authorities: (!config.custom_ca.is_empty()).then(|| config.custom_ca.into_bytes()),
            client_required: config.client_verify,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monitoring_and_tls() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.config");
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        write("prometheus_config { enable: true, path: \"/watch\" }");
        assert_eq!(MonitoringConfig::read_file(&file).unwrap().unwrap().path, "/watch");
        write("prometheus_config { enable: true }");
        assert_eq!(MonitoringConfig::read_file(&file).unwrap(), None);
        write("prometheus_config { path: \"watch\" }");
        assert!(MonitoringConfig::read_file(&file).is_err());

        write("server_key: \"K\\nK\"\nserver_cert: \"C\"\nclient_verify: true custom_ca: \"A\"");
        let tls = TlsOptions::read_file(&file).unwrap();
        assert_eq!((&tls.key[..], &tls.certificate[..], tls.client_required), (&b"K\nK"[..], &b"C"[..], true));
        assert_eq!(tls.client_authorities.as_deref(), Some(&b"A"[..]));
        write("server_key: \"K\"");
        assert!(TlsOptions::read_file(&file).unwrap_err().to_string().contains("`server_cert` is missing"));
    }
}

//! TLS to the server: the trusted authorities and the client's certificate.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::LoadError;

/// Certificates for TLS. All texts are PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Authorities, one of which must have signed the server's certificate. `None`: the authorities of this machine.
    pub authorities: Option<Vec<u8>>,
    /// This client's certificate, with the chain to its authority, and its private key.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

/// A TLS configuration, ready to connect. Clones share it.
#[derive(Clone)]
pub(crate) struct Tls {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.http1, &other.http1)
    }
}

impl Eq for Tls {}

impl Tls {
    pub(crate) fn new(certificates: &Certificates) -> Result<Self, LoadError> {
        let mut roots = RootCertStore::empty();
        match &certificates.authorities {
            Some(pem) => {
                for authority in chain(pem, "the authorities")? {
                    roots.add(authority).map_err(|error| tls_error("the authorities", &error))?;
                }
            }
            // Certificates that cannot be parsed are not trusted; the handshake fails if the server needs them.
            None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| tls_error("the versions of the protocol", &error))?
            .with_root_certificates(roots);
        let mut config = match &certificates.client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| tls_error("the private key", &error))?;
                let certificate = chain(certificate, "the certificate")?;
                builder
                    .with_client_auth_cert(certificate, key)
                    .map_err(|error| tls_error("certificate and private key", &error))?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let http1 = Arc::new(config.clone());
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { http1, http2: Arc::new(config) })
    }

    /// Performs the handshake, for HTTP/2 or HTTP/1.1. `authority` is `host:port`.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        authority: &str,
        http2: bool,
    ) -> Result<TlsStream<TcpStream>, Box<dyn std::error::Error + Send + Sync>> {
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
        let config = if http2 { &self.http2 } else { &self.http1 };
        Ok(TlsConnector::from(Arc::clone(config)).connect(name, stream).await?)
    }
}

fn chain(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| tls_error(what, &error))?;
    if found.is_empty() {
        return Err(LoadError::Tls { what, reason: "there is no certificate in it".to_owned() });
    }
    Ok(found)
}

fn tls_error(what: &'static str, error: &dyn fmt::Display) -> LoadError {
    LoadError::Tls { what, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_named() {
        let of = |authorities: Option<&[u8]>, client: Option<(&[u8], &[u8])>| {
            let certificates = Certificates {
                authorities: authorities.map(<[u8]>::to_vec),
                client: client.map(|(certificate, key)| (certificate.to_vec(), key.to_vec())),
            };
            Tls::new(&certificates).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(of(None, None), Ok(()), "a machine with no authorities of its own trusts nobody, which is no error");
        let empty = of(Some(b""), None).unwrap_err();
        assert_eq!(empty, "TLS: the authorities cannot be used: there is no certificate in it");
        assert!(of(None, Some((b"", b"no key"))).unwrap_err().starts_with("TLS: the private key cannot be used"));
    }
}

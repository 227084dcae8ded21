//! TLS: certificate and key of the server, and the accepted authorities of client certificates.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::ServeError;

/// TLS 1.2 and 1.3 on both ports. All texts are PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// The server's certificate, followed by the chain to its authority.
    pub certificate: Vec<u8>,
    /// The private key of that certificate.
    pub key: Vec<u8>,
    /// Authorities of client certificates.
    pub client_authorities: Option<Vec<u8>>,
    /// Whether clients must have a certificate of one of these authorities.
    pub client_required: bool,
}

impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions").field("client_required", &self.client_required).finish_non_exhaustive()
    }
}

/// The TLS acceptors of each port.
#[derive(Clone)]
pub(super) struct Acceptors {
    /// HTTP/2 and HTTP/1.
    pub(super) rest: TlsAcceptor,
    /// HTTP/2 alone.
    pub(super) grpc: TlsAcceptor,
}

impl TlsOptions {
    pub(super) fn acceptors(&self) -> Result<Acceptors, ServeError> {
        Ok(Acceptors { rest: self.acceptor(&["h2", "http/1.1"])?, grpc: self.acceptor(&["h2"])? })
    }

    fn acceptor(&self, protocols: &[&str]) -> Result<TlsAcceptor, ServeError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| tls_error("protocol versions", &error))?;
        let verifier: Arc<dyn ClientCertVerifier> = match &self.client_authorities {
            None if self.client_required => {
                let reason = "clients must have a certificate, and no authority is given that signs them";
                return Err(ServeError::Tls { what: "client certificates", reason: reason.to_owned() });
            }
            None => Arc::new(NoClientAuth),
            Some(authorities) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(authorities, "the authorities of clients")? {
                    roots.add(authority).map_err(|error| tls_error("the authorities of clients", &error))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = if self.client_required { verifier } else { verifier.allow_unauthenticated() };
                verifier.build().map_err(|error| tls_error("the authorities of clients", &error))?
            }
        };
        let chain = certificates(&self.certificate, "the certificate")?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| tls_error("the private key", &error))?;
        let mut config = builder
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| tls_error("certificate and private key", &error))?;
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, ServeError> {
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| tls_error(what, &error))?;
    if found.is_empty() {
        return Err(ServeError::Tls { what, reason: "there is no certificate in it".to_owned() });
    }
    Ok(found)
}

fn tls_error(what: &'static str, error: &dyn fmt::Display) -> ServeError {
    ServeError::Tls { what, reason: error.to_string() }
}

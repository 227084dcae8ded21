//! A local socket in the file system that serves gRPC.

use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::ACCEPT_PAUSE;
use crate::ServeError;

/// A listening socket; dropping it removes its file.
#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens on `path`. Replaces a socket without a listener; leaves any other file alone.
    pub(super) fn listen(path: &Path) -> Result<Self, ServeError> {
        let failed = |source: io::Error| ServeError::Socket { path: path.to_owned(), source };
        if let Ok(found) = std::fs::symlink_metadata(path) {
            let abandoned = found.file_type().is_socket() && std::os::unix::net::UnixStream::connect(path).is_err();
            if !abandoned {
                return Err(failed(io::Error::from(io::ErrorKind::AddrInUse)));
            }
            std::fs::remove_file(path).map_err(failed)?;
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> UnixStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "the socket is gone already");
        }
    }
}

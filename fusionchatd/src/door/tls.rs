//! TLS in front of a door. A certificate and its key are read from files, again when those change; a pair that
//! cannot be used leaves the one before in place.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{InconsistentKeys, ServerConfig};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::door::patient::Patient;
use crate::door::transport::Transport;

/// The most handshakes under way at a door; further ones wait for theirs, which counts as time of the handshake.
const HANDSHAKES_MAX: usize = 256;
/// The largest certificate or key file, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where a certificate chain and its key are, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those between it and the root.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What a door speaks after the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, for gRPC.
    Http2,
}

impl Protocol {
    fn alpn(self) -> Vec<u8> {
        match self {
            Self::Http1 => b"http/1.1".to_vec(),
            Self::Http2 => b"h2".to_vec(),
        }
    }
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// The certificate file is none.
    #[error("{} holds no certificate in PEM", .0.display())]
    NoCertificate(PathBuf),
    /// The key file is none.
    #[error("{} holds no private key in PEM (encrypted keys cannot be read)", .0.display())]
    NoKey(PathBuf),
    /// Both are fine, but not of each other.
    #[error(
        "the certificate {} does not match the key {}: they are not of one pair; \
         use the files issued together",
        cert.display(), key.display()
    )]
    Mismatch {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The pair cannot be used for another reason.
    #[error("the certificate {} cannot be used: {reason}", cert.display())]
    Unusable {
        /// The certificate.
        cert: PathBuf,
        /// What rustls says.
        reason: rustls::Error,
    },
}

/// What is seen of the files from outside: when it differs, they are read again.
type Look = [Option<(SystemTime, u64)>; 2];

/// The files in use and what was last seen of them.
#[derive(Clone)]
struct Source {
    files: TlsFiles,
    look: Look,
}

/// TLS of one door.
pub struct Tls {
    protocol: Protocol,
    current: ArcSwap<ServerConfig>,
    source: Mutex<Source>,
    handshakes: Semaphore,
    loads: AtomicU64,
    failures: AtomicU64,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl Tls {
    /// TLS with the pair in these files.
    ///
    /// # Errors
    /// The pair cannot be read or used.
    pub fn open(files: TlsFiles, protocol: Protocol) -> Result<Self, TlsError> {
        let look = look_at(&files);
        let config = read(&files, protocol)?;
        Ok(Self {
            protocol,
            current: ArcSwap::new(config),
            source: Mutex::new(Source { files, look }),
            handshakes: Semaphore::new(HANDSHAKES_MAX),
            loads: AtomicU64::new(1),
            failures: AtomicU64::new(0),
        })
    }

    /// Uses what another one has read, from the next handshake on.
    pub fn adopt(&self, other: &Self) {
        let theirs = other.source.lock().unwrap_or_else(PoisonError::into_inner).clone();
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = theirs;
        self.current.store(other.current.load_full());
        self.loads.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a pair that could not be used.
    pub fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads the pair again if its files have changed; whether they had.
    ///
    /// # Errors
    /// They have, and cannot be used; the pair before stays.
    pub fn look(&self) -> Result<bool, TlsError> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let look = look_at(&source.files);
        if look == source.look {
            return Ok(false);
        }
        // Broken files are not tried again until they change once more.
        source.look = look;
        match read(&source.files, self.protocol) {
            Ok(config) => {
                self.current.store(config);
                self.loads.fetch_add(1, Ordering::Relaxed);
                Ok(true)
            }
            Err(error) => {
                self.count_failure();
                Err(error)
            }
        }
    }

    /// The door's name.
    pub fn name(&self) -> &'static str {
        match self.protocol {
            Protocol::Http1 => "http",
            Protocol::Http2 => "grpc",
        }
    }

    /// How often a pair was taken into use, and how often one could not be.
    pub fn counts(&self) -> (u64, u64) {
        (self.loads.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }

    /// The handshake of a connection. The caller bounds its time.
    pub(super) async fn handshake(
        self: Arc<Self>,
        stream: Patient<TcpStream>,
    ) -> io::Result<Transport> {
        let _turn = self.handshakes.acquire().await.map_err(io::Error::other)?;
        let stream = TlsAcceptor::from(self.current.load_full()).accept(stream).await?;
        Ok(Transport::Tls(Box::new(stream)))
    }
}

fn look_at(files: &TlsFiles) -> Look {
    [&files.cert, &files.key].map(|path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

/// Reads a pair and checks that it is one.
fn read(files: &TlsFiles, protocol: Protocol) -> Result<Arc<ServerConfig>, TlsError> {
    let TlsFiles { cert, key } = files;
    let chain = CertificateDer::pem_slice_iter(&bytes(cert)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| TlsError::NoCertificate(cert.clone()))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(cert.clone()));
    }
    let private = PrivateKeyDer::from_pem_slice(&bytes(key)?);
    let private = private.map_err(|_| TlsError::NoKey(key.clone()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unusable = |reason| {
        if reason == rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) {
            return TlsError::Mismatch { cert: cert.clone(), key: key.clone() };
        }
        TlsError::Unusable { cert: cert.clone(), reason }
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(unusable)?;
    config.alpn_protocols = vec![protocol.alpn()];
    Ok(Arc::new(config))
}

fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |reason| TlsError::Unreadable { path: path.to_owned(), reason };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > FILE_BYTES_MAX {
        return Err(unreadable(io::Error::other("it is larger than 1 MiB")));
    }
    std::fs::read(path).map_err(unreadable)
}

//! The connection: plaintext or TLS, with limits against a hostile server.

use std::ffi::CString;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fmt, fs};

use grpcio::{
    Channel, ChannelBuilder, ChannelCredentials, ChannelCredentialsBuilder, Client, ResourceQuota,
};

use super::core::Core;
use super::endpoint::{Endpoint, Security, Tls};
use super::transport::{Connection, Transport};
use crate::sys::{self, words};

/// The system has no CA bundle at the usual paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemRootsError;

impl std::error::Error for SystemRootsError {}

impl fmt::Display for SystemRootsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(words::NO_SYSTEM_ROOTS)
    }
}

/// gRPC to one endpoint: each channel has a connection of its own.
pub(super) struct GrpcTransport {
    core: Core,
    endpoint: Endpoint,
    system_roots: Vec<u8>,
}

impl Transport for GrpcTransport {
    fn connect(&mut self, tls: Option<Tls>) -> Box<dyn Connection> {
        self.read_system_roots();
        if let Some(tls) = tls {
            self.endpoint.security = Security::Tls(tls);
        }
        Box::new(Client::new(self.channel()))
    }

    fn end(&mut self) {
        self.core.end();
    }
}

impl GrpcTransport {
    /// Creates a transport, and reads the system's CAs if they are needed.
    pub fn new(endpoint: Endpoint) -> Result<GrpcTransport, SystemRootsError> {
        let system_roots = match &endpoint.security {
            Security::Tls(Tls { roots: None, .. }) => system_roots().ok_or(SystemRootsError)?,
            _ => Vec::new(),
        };
        Ok(GrpcTransport {
            core: Core::default(),
            endpoint,
            system_roots,
        })
    }

    /// Reads the system's CAs again, if they are used; if there are none, the old ones stay.
    fn read_system_roots(&mut self) {
        if let Security::Tls(Tls { roots: None, .. }) = &self.endpoint.security {
            if let Some(roots) = system_roots() {
                self.system_roots = roots;
            }
        }
    }

    /// Returns a channel; it connects at its first call.
    fn channel(&mut self) -> Channel {
        let mut builder = ChannelBuilder::new(self.core.environment())
            .max_receive_message_len(self.endpoint.max_answer)
            // the receive limit is checked when the whole response has arrived: without this quota,
            // 200 MB of it would be buffered
            .set_resource_quota(self.quota())
            .initial_reconnect_backoff(Duration::from_millis(200))
            .max_reconnect_backoff(Duration::from_secs(2))
            // an attempt to connect without any reply fails after 3 s instead of 20 s
            .raw_cfg_int(c"grpc.min_reconnect_backoff_ms".into(), 3000)
            // no compression, because the receive limit does not cover the decompressed size
            .raw_cfg_int(
                CString::from(c"grpc.compression_enabled_algorithms_bitset"),
                1,
            )
            // never decompress, not even before the server has received the headers that refuse compression
            .raw_cfg_int(CString::from(c"grpc.per_message_decompression"), 0)
            // otherwise the window for unrequested data grows from 64 KiB with each fast response
            .raw_cfg_int(CString::from(c"grpc.http2.bdp_probe"), 0)
            .enable_http_proxy(false)
            .enable_retry(false)
            // otherwise a new channel takes over a stalled connection
            .use_local_subchannel_pool(true)
            .primary_user_agent(concat!("immuaudit/", env!("CARGO_PKG_VERSION")));
        if let Security::Tls(tls) = &self.endpoint.security {
            if let Some(name) = &tls.server_name {
                builder = builder.override_ssl_target(name.as_str());
            }
            builder = builder.set_credentials(self.credentials(tls));
        }
        builder.connect(&self.endpoint.authority())
    }

    /// Returns the memory quota: two of the largest responses, and the buffers of HTTP/2.
    fn quota(&self) -> ResourceQuota {
        let answer = usize::try_from(self.endpoint.max_answer).unwrap_or(usize::MAX);
        let bytes = answer.saturating_mul(2).saturating_add(4 << 20);
        ResourceQuota::new(Some("immuaudit")).resize_memory(bytes)
    }

    fn credentials(&self, tls: &Tls) -> ChannelCredentials {
        let roots = match &tls.roots {
            Some(pem) => pem.clone().into_bytes(),
            None => self.system_roots.clone(),
        };
        let mut builder = ChannelCredentialsBuilder::new().root_cert(roots);
        if let Some(client) = &tls.client {
            let key = client.key.expose().as_bytes().to_vec();
            builder = builder.cert(client.certificate.clone().into_bytes(), key);
        }
        builder.build()
    }
}

/// Returns the CA certificates that this system trusts, as PEM; `None` if it has none.
pub fn system_roots() -> Option<Vec<u8>> {
    let given = env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let usual = sys::ROOT_FILES.iter().map(PathBuf::from);
    given
        .into_iter()
        .chain(usual)
        .filter_map(|path| fs::read(path).ok())
        .find(|pem| contains_certificate(pem) && !pem.contains(&0))
        .or_else(sys::certificate_store)
}

fn contains_certificate(pem: &[u8]) -> bool {
    let begin = b"-----BEGIN CERTIFICATE-----";
    pem.windows(begin.len()).any(|window| window == begin)
}

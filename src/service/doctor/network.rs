//! The way to a server, step by step: name, connection, TLS. The HTTP client would tell of any of them
//! only that there is no connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error as TlsError};

use super::report::Check;
use super::shown::took;

/// For each step.
const STEP_TIMEOUT: Duration = Duration::from_secs(3);
/// For one of several addresses.
const ADDRESS_TIMEOUT: Duration = Duration::from_millis(1500);
/// A name with more has the others for when these are down.
const MAX_ADDRESSES: usize = 4;

/// Why a step failed.
pub(super) struct Failure {
    pub(super) code: &'static str,
    pub(super) summary: String,
    pub(super) fix: String,
}

impl Failure {
    pub(super) fn check(self, id: &'static str) -> Check {
        Check::wrong(id, self.code, self.summary).fix(self.fix)
    }
}

/// A host to go to.
pub(super) struct Target {
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    tls: bool,
}

impl Target {
    /// `None` for a URL without a host.
    pub(super) fn of(url: &Url) -> Option<Self> {
        let host = url
            .host_str()?
            .trim_start_matches('[')
            .trim_end_matches(']');
        Some(Self {
            host: host.to_owned(),
            port: url.port_or_known_default()?,
            tls: url.scheme() == "https",
        })
    }

    /// The proxy that the HTTP client goes through to a URL, by the environment's variables.
    pub(super) fn proxy_for(url: &Url) -> Option<Self> {
        let proxy = Matcher::from_system().intercept(&url.as_str().parse().ok()?)?;
        // Its user and password stay where they are.
        Some(Self {
            host: proxy.uri().host()?.to_owned(),
            port: proxy.uri().port_u16().unwrap_or(80),
            tls: false,
        })
    }

    pub(super) fn uses_tls(&self) -> bool {
        self.tls
    }

    pub(super) fn name(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// The addresses of the name.
    pub(super) async fn resolve(&self) -> Result<(Vec<SocketAddr>, Duration), Failure> {
        let began = Instant::now();
        let failure = |code, why: &str| {
            Failure {
            code,
            summary: format!("the name {} {why}", self.host),
            fix: "correct the host in the URL, or the DNS entry; in a container, use a name that is known \
                  in its network"
                .to_owned(),
        }
        };
        match timeout(STEP_TIMEOUT, lookup_host((self.host.as_str(), self.port))).await {
            Err(_) => Err(failure("dns_timeout", "was not resolved in time")),
            Ok(Err(_)) => Err(failure("dns", "cannot be resolved")),
            Ok(Ok(addresses)) => match addresses.collect::<Vec<_>>() {
                none if none.is_empty() => Err(failure("dns", "has no address")),
                addresses => Ok((addresses, began.elapsed())),
            },
        }
    }

    /// A connection to the first address that takes one.
    pub(super) async fn connect(&self, addresses: &[SocketAddr]) -> Result<Connected, Failure> {
        let mut refusals = Vec::new();
        let mut code = "refused";
        for address in addresses.iter().take(MAX_ADDRESSES) {
            let began = Instant::now();
            let why = match timeout(ADDRESS_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    return Ok(Connected {
                        stream,
                        address: *address,
                        took: began.elapsed(),
                        refusals,
                    });
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    "nothing listens there".to_owned()
                }
                Ok(Err(error)) => {
                    code = "unreachable";
                    error.to_string()
                }
                Err(_) => {
                    code = "connect_timeout";
                    "no answer".to_owned()
                }
            };
            refusals.push(format!("{address}: {why}"));
        }
        let fix = match code {
            "refused" => {
                "start the server, or correct the port in the URL; in a container, localhost is \
                          the container itself"
            }
            _ => "correct the host in the URL, or let the connection through the firewall",
        };
        Err(Failure {
            code,
            summary: format!("no connection to {}: {}", self.name(), refusals.join("; ")),
            fix: fix.to_owned(),
        })
    }

    /// TLS with the roots and the algorithms of the HTTP client.
    pub(super) async fn handshake(&self, stream: TcpStream) -> Result<(String, Duration), Failure> {
        let began = Instant::now();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_platform_verifier())
            .map(|builder| builder.with_no_client_auth());
        let config = config.map_err(|error| Failure {
            code: "tls_roots",
            summary: format!("TLS cannot be set up: {error}"),
            fix: "install the root certificates (ca-certificates), or set SSL_CERT_FILE".to_owned(),
        })?;
        let name = ServerName::try_from(self.host.clone()).map_err(|_| Failure {
            code: "tls_name",
            summary: format!("{} is no name that a certificate could be for", self.host),
            fix: "correct the host in the URL".to_owned(),
        })?;
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        match timeout(STEP_TIMEOUT, connecting).await {
            Ok(Ok(stream)) => {
                let version = stream.get_ref().1.protocol_version();
                let version = version
                    .and_then(|version| version.as_str())
                    .unwrap_or("TLS");
                Ok((
                    version.replace('_', ".").replace("TLSv", "TLS "),
                    began.elapsed(),
                ))
            }
            Ok(Err(error)) => Err(self.tls_failure(&error)),
            Err(_) => Err(Failure {
                code: "tls_timeout",
                summary: format!("{} does not answer the TLS handshake", self.name()),
                fix: "check that this port speaks TLS".to_owned(),
            }),
        }
    }

    fn tls_failure(&self, error: &io::Error) -> Failure {
        let tls = error
            .get_ref()
            .and_then(|error| error.downcast_ref::<TlsError>());
        let (code, summary, fix) = match tls {
            Some(TlsError::InvalidCertificate(error)) => match error {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
                    "certificate_expired",
                    "the certificate has expired".to_owned(),
                    "renew the server's certificate",
                ),
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
                    "certificate_not_valid_yet",
                    "the certificate is not valid yet".to_owned(),
                    "correct this machine's clock, or the certificate",
                ),
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => (
                    "certificate_for_another_name",
                    format!("the certificate is not for {}", self.host),
                    "use the name that the certificate is for, or get one for this name",
                ),
                CertificateError::UnknownIssuer => (
                    "certificate_untrusted",
                    "nobody whom this machine trusts has signed the certificate".to_owned(),
                    "let the server send its intermediate certificates; for an authority of your own, set \
                     SSL_CERT_FILE to its certificate",
                ),
                error => (
                    "certificate_invalid",
                    format!("the certificate is not accepted: {error}"),
                    "replace the server's certificate",
                ),
            },
            Some(TlsError::InvalidMessage(_)) => (
                "not_tls",
                "the port does not speak TLS".to_owned(),
                "use the port that does, or http:// where that is allowed",
            ),
            _ => (
                "tls",
                format!("the TLS handshake failed: {error}"),
                "check that this port speaks TLS, version 1.2 or 1.3",
            ),
        };
        Failure {
            code,
            summary: format!("{}: {summary}", self.name()),
            fix: fix.to_owned(),
        }
    }
}

/// An open connection.
pub(super) struct Connected {
    pub(super) stream: TcpStream,
    address: SocketAddr,
    pub(super) took: Duration,
    /// The addresses that took none.
    refusals: Vec<String>,
}

/// The ids of the three steps.
pub(super) struct Steps {
    pub(super) name: &'static str,
    pub(super) connection: &'static str,
    pub(super) tls: &'static str,
}

/// Takes the three steps, and says of each how it went. Whether all went well.
pub(super) async fn walk(target: &Target, steps: &Steps, checks: &mut Vec<Check>) -> bool {
    let addresses = match target.resolve().await {
        Ok((addresses, time)) => {
            let list: Vec<_> = addresses.iter().map(|it| it.ip().to_string()).collect();
            let summary = format!("{}: {} ({})", target.host, list.join(", "), took(time));
            checks.push(Check::ok(steps.name, summary));
            addresses
        }
        Err(failure) => {
            checks.push(failure.check(steps.name));
            return false;
        }
    };
    let connected = match target.connect(&addresses).await {
        Ok(connected) => connected,
        Err(failure) => {
            checks.push(failure.check(steps.connection));
            return false;
        }
    };
    let summary = format!("{} ({})", connected.address, took(connected.took));
    let check = match connected.refusals.is_empty() {
        true => Check::ok(steps.connection, summary),
        false => Check::warning(steps.connection, "address_refused", summary)
            .details(connected.refusals)
            .fix(
                "let the server listen on every address that its name has, or take out the others",
            ),
    };
    checks.push(check);
    if !target.uses_tls() {
        return true;
    }
    match target.handshake(connected.stream).await {
        Ok((version, time)) => {
            checks.push(Check::ok(steps.tls, format!("{version} ({})", took(time))));
            true
        }
        Err(failure) => {
            checks.push(failure.check(steps.tls));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// As with a server that listens on 127.0.0.1 and a name that is ::1 first.
    #[tokio::test]
    async fn an_address_that_refuses_is_told_of_beside_the_one_that_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let refused = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bad = refused.local_addr().unwrap();
        drop(refused);
        let target = Target::of(&Url::parse("http://localhost:1").unwrap()).unwrap();
        let connected = target.connect(&[bad, good]).await.ok().unwrap();
        assert_eq!(connected.address, good);
        assert_eq!(
            connected.refusals,
            [format!("{bad}: nothing listens there")]
        );
        let failure = target.connect(&[bad]).await.err().unwrap();
        assert_eq!(failure.code, "refused");
    }

    #[test]
    fn a_target_is_a_host_and_a_port() {
        for (url, name, tls) in [
            ("https://auth.example.com/x", "auth.example.com:443", true),
            ("http://[::1]:3000/", "[::1]:3000", false),
            ("http://127.0.0.1", "127.0.0.1:80", false),
        ] {
            let target = Target::of(&Url::parse(url).unwrap()).unwrap();
            assert_eq!((target.name().as_str(), target.uses_tls()), (name, tls));
        }
        assert!(Target::of(&Url::parse("data:x").unwrap()).is_none());
    }
}

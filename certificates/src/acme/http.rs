//! Requests to an authority.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient, Problem};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// No answer of an authority takes longer.
const DEADLINE: Duration = Duration::from_secs(20);
/// None of them is larger: certificates come in a few thousand bytes.
const LARGEST: usize = 1 << 20;
/// Of what it says against something people are shown so much.
const LONGEST_DETAIL: usize = 400;

/// The authority asks for patience: it said so, or fell over.
#[derive(Clone, Debug, thiserror::Error)]
#[error("it answered {status}{}{said}", if said.is_empty() { "" } else { ": " })]
pub(super) struct Busy {
    pub(super) status: u16,
    /// In its words, such as which limit was met.
    pub(super) said: String,
    /// For how long, where it said that.
    pub(super) after: Option<Duration>,
}

/// Small requests leave at once: with Nagle's algorithm each of them waits for 40 ms.
pub(super) struct Http(Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>);

impl Http {
    pub(super) fn new(root: Option<&str>) -> Result<Self, Error> {
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Other(error.into()))?;
        let tls = match root {
            None => tls.try_with_platform_verifier().map_err(|error| Error::Other(error.into()))?,
            Some(pem) => tls.with_root_certificates(roots(pem)?),
        };
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(DEADLINE));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.with_no_client_auth())
            .https_only()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }
}

fn roots(pem: &str) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let root = root.map_err(|error| Error::Other(error.into()))?;
        roots.add(root).map_err(|error| Error::Other(error.into()))?;
    }
    Ok(roots)
}

impl HttpClient for Http {
    fn request(
        &self,
        request: hyper::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let answer = self.0.request(request);
        // To its end: a body that stands still would hold up everybody who waits for an account.
        let whole = async move {
            let answer = answer.await.map_err(|error| Error::Other(error.into()))?;
            let status = answer.status();
            if status == hyper::StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
                let after = after(answer.headers(), SystemTime::now());
                let body = Limited::new(answer.into_body(), LARGEST).collect().await;
                let said = body.map(|body| detail(&body.to_bytes())).unwrap_or_default();
                return Err(Error::Other(Busy { status: status.as_u16(), said, after }.into()));
            }
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, LARGEST).collect().await.map_err(Error::Other)?;
            let body = Full::new(body.to_bytes());
            Ok(BytesResponse::from(hyper::Response::from_parts(head, body)))
        };
        Box::pin(async move {
            let answer = tokio::time::timeout(DEADLINE, whole).await;
            answer.map_err(|late| Error::Other(late.into()))?
        })
    }
}

/// What a problem says, in a line that people can be shown.
fn detail(body: &[u8]) -> String {
    let problem: Option<Problem> = serde_json::from_slice(body).ok();
    let said = problem.and_then(|problem| problem.detail).unwrap_or_default();
    said.chars().filter(|char| !char.is_control()).take(LONGEST_DETAIL).collect()
}

/// `Retry-After`: seconds, or a date.
fn after(headers: &hyper::HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(hyper::header::RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_may_ask_for_patience_in_seconds_or_until_a_date() {
        let read = |text: &str| {
            let headers = [(hyper::header::RETRY_AFTER, text.parse().unwrap())];
            after(&hyper::HeaderMap::from_iter(headers), SystemTime::UNIX_EPOCH)
        };
        assert_eq!(read("120"), Some(Duration::from_mins(2)));
        assert_eq!(read("Thu, 01 Jan 1970 00:01:00 GMT"), Some(Duration::from_mins(1)));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn what_an_authority_says_against_something_is_told() {
        let problem =
            br#"{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many\n"}"#;
        let busy = |body: &[u8]| Busy { status: 429, said: detail(body), after: None }.to_string();
        assert_eq!(busy(problem), "it answered 429: too many");
        assert_eq!(busy(b"<html>"), "it answered 429");
    }
}

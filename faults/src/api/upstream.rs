//! The API server behind the proxy.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TRANSFER_ENCODING,
};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, retry};
use serde_json::Value;

/// Headers of one connection, which do not pass; and answers that are packed could not be read.
const OWN: [HeaderName; 5] = [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, ACCEPT_ENCODING];
const CONNECT: Duration = Duration::from_secs(5);

/// An API server, and as whom it is asked.
#[derive(Clone)]
pub struct Upstream {
    http: Client,
    url: String,
    /// None: the caller's own.
    token: Option<String>,
}

/// A kubeconfig that is of no use here.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It, or a file that it names, cannot be read.
    #[error("cannot read {file}: {error}")]
    Unread {
        /// Which.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Something is not there, or not as `cargo xtask cluster` writes it.
    #[error("{file} has no {what}; one of `cargo xtask cluster` has it, as JSON")]
    Lacks {
        /// Which.
        file: PathBuf,
        /// What.
        what: &'static str,
    },
    /// No client can be made of it.
    #[error("no client can be made of it: {0}")]
    Client(#[from] reqwest::Error),
}

impl Upstream {
    /// One that speaks plain HTTP, such as `http://127.0.0.1:8001`; it is asked as the caller.
    pub fn plain(url: &str) -> Result<Self, Unusable> {
        let http = client().build()?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), token: None })
    }

    /// The one of a kubeconfig that `cargo xtask cluster` wrote, asked as who is named there.
    pub fn of_kubeconfig(file: &Path) -> Result<Self, Unusable> {
        let lacks = |what| Unusable::Lacks { file: file.to_owned(), what };
        let config: Value = serde_json::from_slice(&read(file)?).map_err(|_| lacks("JSON"))?;
        let cluster = &config["clusters"][0]["cluster"];
        let url = cluster["server"].as_str().ok_or_else(|| lacks("server"))?;
        let authority = cluster["certificate-authority"].as_str();
        let authority = read(Path::new(authority.ok_or_else(|| lacks("certificate-authority"))?))?;
        let token = config["users"][0]["user"]["token"].as_str().ok_or_else(|| lacks("token"))?;
        let http = client().tls_certs_only([Certificate::from_pem(&authority)?]).build()?;
        Ok(Self { http, url: url.to_owned(), token: Some(token.to_owned()) })
    }

    /// The same, asked as the caller, whose header `Authorization` passes.
    #[must_use]
    pub fn as_the_caller(self) -> Self {
        Self { token: None, ..self }
    }

    pub(super) async fn ask(
        &self,
        mut request: Request<Bytes>,
    ) -> reqwest::Result<reqwest::Response> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let url = format!("{}{path}", self.url);
        let mut headers = std::mem::take(request.headers_mut());
        for own in OWN {
            headers.remove(own);
        }
        if self.token.is_some() {
            headers.remove(AUTHORIZATION);
        }
        let mut passed_on = self.http.request(request.method().clone(), url).headers(headers);
        if let Some(token) = &self.token {
            passed_on = passed_on.bearer_auth(token);
        }
        passed_on.body(request.into_body()).send().await
    }
}

/// Without an end for answers, for watches last; and nothing is asked twice.
fn client() -> reqwest::ClientBuilder {
    let client = Client::builder().no_proxy().redirect(Policy::none()).retry(retry::never());
    client.connect_timeout(CONNECT)
}

fn read(file: &Path) -> Result<Vec<u8>, Unusable> {
    std::fs::read(file).map_err(|error| Unusable::Unread { file: file.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_that_is_of_no_use_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kubeconfig");
        let told = |text: Option<&str>| {
            if let Some(text) = text {
                std::fs::write(&file, text).unwrap();
            }
            Upstream::of_kubeconfig(&file).err().unwrap().to_string()
        };
        assert!(told(None).starts_with("cannot read"));
        assert!(told(Some("clusters: []")).contains("has no JSON"));
        let server = r#"{"clusters": [{"cluster": {"server": "https://x"}}]}"#;
        assert!(told(Some(server)).contains("has no certificate-authority"));
    }
}

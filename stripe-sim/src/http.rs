//! The simulator on a port.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State as Kept;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::pages;
use crate::sim::{Answer, Request, Sim};

/// Marks an answer that must not be sent.
#[derive(Clone, Copy)]
struct Cut;

/// A connection that ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut, as was asked")]
struct WasCut;

impl Sim {
    /// The API and the pages. Where it is served by others than [`Sim::serve`], a request whose
    /// answer is lost is answered by an empty 502 instead of a closed connection.
    pub fn router(&self) -> Router {
        pages::router().fallback(api).with_state(self.clone())
    }

    /// Serves for ever; connections are cut where a fault says so.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<Infallible> {
        let router = self.router();
        loop {
            let (socket, _) = listener.accept().await?;
            let router = router.clone();
            tokio::spawn(async move {
                let service = hyper::service::service_fn(move |request| {
                    let router = router.clone();
                    async move {
                        let response = match router.oneshot(request).await {
                            Ok(response) => response,
                            Err(never) => match never {},
                        };
                        match response.extensions().get::<Cut>() {
                            Some(Cut) => Err(WasCut),
                            None => Ok(response),
                        }
                    }
                });
                let http = hyper::server::conn::http1::Builder::new();
                // Who goes away, or is cut off, is no concern of ours.
                let _ = http.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    }

    /// Serves on a port of this machine that nobody else has; where it is.
    pub async fn start(&self) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        self.pages_are_at(&format!("http://{address}"));
        tokio::spawn(self.clone().serve(listener));
        Ok(address)
    }
}

async fn api(
    Kept(sim): Kept<Sim>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
    let request = Request {
        method: method.to_string(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        body: body.to_vec(),
        authorization: text("authorization"),
        account: text("stripe-account"),
        key: text("idempotency-key"),
        version: text("stripe-version"),
    };
    // It goes on when who asked has gone, as Stripe does.
    let task = tokio::spawn(async move { sim.request(request).await });
    response(task.await.unwrap_or(Answer::Cut))
}

fn response(answer: Answer) -> Response {
    let mut response = Response::new(Body::empty());
    match answer {
        Answer::Cut => {
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response.extensions_mut().insert(Cut);
        }
        Answer::Sent { status, body, headers } => {
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            for (name, value) in headers {
                let name = HeaderName::from_bytes(name.as_bytes());
                if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
                    response.headers_mut().insert(name, value);
                }
            }
            *response.body_mut() = Body::from(body.to_string());
        }
    }
    response
}

/// The name of `name:password`, as curl's `-u KEY:` sends it.
pub(crate) fn user_of(encoded: &str) -> String {
    let decoded = STANDARD.decode(encoded).unwrap_or_default();
    let text = String::from_utf8(decoded).unwrap_or_default();
    text.split(':').next().unwrap_or_default().to_owned()
}

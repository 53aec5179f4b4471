//! What the edge before us knows and we do not: who the visitor is, and that the line to them is
//! encrypted. Nobody but the edge reaches this port; network policies hold that.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use web::Problem;
use web::serve::Peer;

use crate::app::WeakApp;

/// Who asks for these asks for no host: the probes of the node.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// The edge that hands visitors on to us.
#[derive(Clone)]
pub(super) struct Edge {
    app: WeakApp,
    own_host: Arc<str>,
}

impl Edge {
    /// The platform's first name is `own_host`; its blueprint has the others.
    pub(super) fn new(app: WeakApp, own_host: String) -> Self {
        Self { app, own_host: own_host.into() }
    }

    /// The same routes, behind the edge.
    pub(super) fn before(self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self, handed_on))
    }

    /// Whether the platform is the one that is meant. A name of somebody else's that comes here is
    /// the edge's mistake, and must not be answered.
    fn is_ours(&self, host: &str) -> bool {
        if *host == *self.own_host {
            return true;
        }
        let Some(app) = self.app.upgrade() else { return false };
        app.site().blueprint.spec.domains.iter().any(|domain| domain.as_str() == host)
    }
}

async fn handed_on(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    if PROBES.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let host = web::host::of(request.uri(), request.headers());
    let Some(host) = host.filter(|host| edge.is_ours(host)) else {
        return Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "misdirected",
            "This platform does not answer under that name.",
        )
        .into_response();
    };
    if let Some(peer) = request.extensions().get::<Peer>() {
        let visitor = visitor(request.headers()).unwrap_or_else(|| peer.address.ip());
        let peer = Peer { address: SocketAddr::new(visitor, 0), tls_name: Some(host.into()) };
        request.extensions_mut().insert(peer);
    }
    next.run(request).await
}

/// The address that the edge saw: it writes the last one, whatever stood before.
fn visitor(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_visitor_is_whom_the_edge_saw_whatever_the_visitor_says() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            visitor(&headers).map(|ip| ip.to_string())
        };
        assert_eq!(of(&["203.0.113.9"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(of(&["198.51.100.1, 2001:db8::7"]).as_deref(), Some("2001:db8::7"));
        assert_eq!(of(&["198.51.100.1", "203.0.113.9"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(of(&["not an address"]), None);
        assert_eq!(of(&[]), None);
    }
}

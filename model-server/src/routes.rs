//! The engines of the models that are not, or not only, here: in order, each with a breaker.

use std::collections::BTreeMap;
use std::sync::Arc;

use inference::Engine;
use inference::prices::Prices;
use inference::route::{Breaker, Fuse, PriceTable, Priced, Retries, Route, Unpriced};
use inference::upstream;

use crate::config::{ConfigError, Upstream};

/// Why a model of others cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// What the configuration says.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What an upstream's configuration says.
    #[error(transparent)]
    Upstream(#[from] upstream::ConfigError),
    /// It has no price.
    #[error(transparent)]
    Unpriced(#[from] Unpriced),
}

#[derive(Debug, Clone)]
struct Table(Prices);

impl PriceTable for Table {
    fn has(&self, entry: &str) -> bool {
        self.0.of(entry).is_ok()
    }
}

/// What the upstreams offer. Each upstream is there once, whichever of its models is asked for: so
/// many answers at once are its own, and so is whether it is left alone.
#[derive(Debug, Clone)]
pub struct Offers {
    upstreams: Vec<Priced>,
    ids: Vec<String>,
    table: Table,
}

impl Offers {
    /// Checks the upstreams and the prices of their models; connects to nobody yet.
    pub fn new(upstreams: &[Upstream], prices: Prices) -> Result<Self, RouteError> {
        let table = Table(prices);
        let mut ids = Vec::new();
        for model in upstreams.iter().flat_map(|upstream| &upstream.models) {
            if !ids.contains(&model.id) {
                ids.push(model.id.clone());
            }
        }
        let leg = |upstream: &Upstream| -> Result<Priced, RouteError> {
            let upstream = upstream::Upstream::new(upstream.config()?)?;
            let breaker = Breaker::new(Fuse::default());
            Ok(Priced::upstream(upstream, &table)?.with_breaker(breaker))
        };
        let upstreams = upstreams.iter().map(leg).collect::<Result<_, _>>()?;
        Ok(Self { upstreams, ids, table })
    }

    /// The models that they offer, each once, in the order of the file.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    /// An engine that answers for `model`: `here`, if it is here too, then each upstream that
    /// offers it. Whoever answers, the model has one price. `None` if nobody does. Must be called
    /// from within a runtime.
    pub fn route(
        &self,
        model: &str,
        here: Option<Arc<dyn Engine>>,
    ) -> Result<Option<Arc<dyn Engine>>, Unpriced> {
        let others = self.upstreams.iter().filter_map(|priced| priced.clone().only(model));
        let mut legs = Vec::new();
        if let Some(here) = here {
            let entries = BTreeMap::from([(model.to_owned(), model.to_owned())]);
            legs.push(Priced::engine("here", here, entries, &self.table)?);
        }
        legs.extend(others);
        // The waits only have to differ between servers.
        let seed = u64::from(std::process::id());
        let route = Route::new(legs, Fuse::default(), Retries::default(), seed);
        Ok(route.map(|route| Arc::new(route) as Arc<dyn Engine>))
    }
}

#[cfg(test)]
mod tests {
    use inference::engine::{EngineError, Piece, Prompt, Reason};
    use inference::{Job, Meter};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn reason(engine: &dyn Engine, model: &str) -> Reason {
        let job = Job::new(model, Prompt::question("Hi"), 1);
        let mut stream = engine.generate(job, Meter::default()).await.unwrap();
        loop {
            if let Some(Piece::End { reason, .. }) = stream.next().await {
                return reason;
            }
        }
    }

    #[tokio::test]
    async fn an_upstream_that_refuses_its_key_is_left_alone_for_all_its_models() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut asked, _) = listener.accept().await.unwrap();
                let _ = asked.read(&mut [0; 4096]).await;
                let refused = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
                let _ = asked.write_all(refused.as_bytes()).await;
            }
        });
        let free = "{currency: USD, prompt: 0, cachedPrompt: 0, completion: 0}";
        let prices = serde_saphyr::from_str(&format!("{{a: {free}, b: {free}}}")).unwrap();
        let upstreams: Vec<Upstream> = serde_saphyr::from_str(&format!(
            "- {{name: other, baseUrl: 'http://{at}/v1', models: [
                {{id: a, upstreamId: a, title: A, contextTokens: 64}},
                {{id: b, upstreamId: b, title: B, contextTokens: 64}}]}}"
        ))
        .unwrap();
        let offers = Offers::new(&upstreams, prices).unwrap();
        assert_eq!(offers.ids().collect::<Vec<_>>(), ["a", "b"]);
        let route = |model| offers.route(model, None).unwrap().unwrap();
        let (a, b) = (route("a"), route("b"));
        assert_eq!(b.models().iter().map(|card| &card.id).collect::<Vec<_>>(), ["b"]);
        let refused = reason(a.as_ref(), "a").await;
        assert!(matches!(refused, Reason::Failed(EngineError::Broken(_))), "{refused:?}");
        let left_alone = reason(b.as_ref(), "b").await;
        assert!(matches!(left_alone, Reason::Failed(EngineError::Busy { .. })), "{left_alone:?}");
        assert!(offers.route("c", None).unwrap().is_none());
    }
}

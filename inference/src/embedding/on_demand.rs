//! An embedder that is fetched and loaded when the first text comes: who needs no vectors pays
//! nothing for them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::{EmbedError, Embedder, Embedding, EmbeddingCard, Turns};

/// Whoever waits longer is told to come back: it may be fetched from far away.
const PATIENCE: Duration = Duration::from_secs(20);
/// What failed is not tried again for so long.
const PAUSE: Duration = Duration::from_secs(30);

/// Brings the embedder, or says why not. Asked for once at a time.
type Bring = dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Embedder>, String>> + Send + Sync;

/// An embedder that comes when it is needed.
pub struct OnDemand {
    card: EmbeddingCard,
    bring: Box<Bring>,
    state: watch::Sender<State>,
}

enum State {
    Asleep,
    Coming,
    Awake(Arc<dyn Embedder>),
    Failed { why: String, at: Instant },
}

impl OnDemand {
    /// The model `card`, which `bring` brings. That goes on when whoever asked first has left.
    pub fn new<F, Fut>(card: EmbeddingCard, bring: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Arc<dyn Embedder>, String>> + Send + 'static,
    {
        let bring = Box::new(move || -> BoxFuture<'static, _> { Box::pin(bring()) });
        Self { card, bring, state: watch::Sender::new(State::Asleep) }
    }

    async fn awake(&self) -> Result<Arc<dyn Embedder>, EmbedError> {
        self.state.send_if_modified(|state| {
            let begins = match state {
                State::Asleep => true,
                State::Failed { at, .. } => at.elapsed() >= PAUSE,
                State::Coming | State::Awake(_) => false,
            };
            if begins {
                *state = State::Coming;
                self.begin();
            }
            begins
        });
        let mut states = self.state.subscribe();
        let settled = states.wait_for(|state| !matches!(state, State::Coming));
        match timeout(PATIENCE, settled).await {
            Ok(Ok(state)) => match &*state {
                State::Awake(embedder) => Ok(Arc::clone(embedder)),
                State::Failed { why, .. } => Err(EmbedError::Broken(why.clone())),
                State::Asleep | State::Coming => Err(EmbedError::Busy),
            },
            Ok(Err(_)) | Err(_) => Err(EmbedError::Busy),
        }
    }

    fn begin(&self) {
        let (state, coming) = (self.state.clone(), tokio::spawn((self.bring)()));
        tokio::spawn(async move {
            let came = coming.await.unwrap_or_else(|error| Err(error.to_string()));
            state.send_replace(match came {
                Ok(embedder) => State::Awake(embedder),
                Err(why) => {
                    tracing::warn!(why, "there are no embeddings");
                    State::Failed { why, at: Instant::now() }
                }
            });
        });
    }
}

#[async_trait]
impl Embedder for OnDemand {
    fn models(&self) -> Vec<EmbeddingCard> {
        vec![self.card.clone()]
    }

    async fn embed(
        &self,
        model: &str,
        texts: Vec<String>,
        turns: &mut Turns,
    ) -> Result<Vec<Embedding>, EmbedError> {
        if model != self.card.id {
            return Err(EmbedError::UnknownModel(model.to_owned()));
        }
        self.awake().await?.embed(model, texts, turns).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::embedding::{SIMULATED_EMBEDDINGS, SimulatedEmbedder};

    /// One that takes a while to come and fails the first `failures` times; how often it was
    /// asked for is counted.
    fn coming(takes: Duration, failures: usize) -> (OnDemand, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let card = SimulatedEmbedder::default().models().remove(0);
        let bring = move || {
            let fails = count.fetch_add(1, Ordering::SeqCst) < failures;
            async move {
                tokio::time::sleep(takes).await;
                if fails {
                    return Err("no network".to_owned());
                }
                Ok(Arc::new(SimulatedEmbedder::default()) as Arc<dyn Embedder>)
            }
        };
        (OnDemand::new(card, bring), asked)
    }

    async fn ask(embedder: &OnDemand) -> Result<usize, EmbedError> {
        let made = embedder
            .embed(SIMULATED_EMBEDDINGS, vec!["a cat".to_owned()], &mut Turns::default())
            .await?;
        Ok(made.len())
    }

    #[tokio::test(start_paused = true)]
    async fn it_comes_once_for_all_who_ask() {
        let (embedder, asked) = coming(Duration::from_secs(1), 0);
        assert_eq!(embedder.models()[0].id, SIMULATED_EMBEDDINGS);
        assert!(embedder.embed("other", Vec::new(), &mut Turns::default()).await.is_err());
        assert_eq!(asked.load(Ordering::SeqCst), 0, "looking wakes nobody");
        assert_eq!(tokio::join!(ask(&embedder), ask(&embedder)), (Ok(1), Ok(1)));
        assert_eq!(ask(&embedder).await, Ok(1));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_comes_back_and_it_is_there() {
        let (embedder, asked) = coming(PATIENCE + Duration::from_secs(5), 0);
        assert_eq!(ask(&embedder).await, Err(EmbedError::Busy));
        assert_eq!(ask(&embedder).await, Ok(1));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_is_tried_again_after_a_pause() {
        let (embedder, asked) = coming(Duration::from_secs(1), 1);
        let failed = Err(EmbedError::Broken("no network".to_owned()));
        assert_eq!(ask(&embedder).await, failed);
        assert_eq!(ask(&embedder).await, failed);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        tokio::time::sleep(PAUSE).await;
        assert_eq!(ask(&embedder).await, Ok(1));
    }
}

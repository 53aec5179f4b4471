//! The turns of one request at an embedder: one for each batch, so that who asks for much lets
//! others go first in between, and pays for what was computed when leaving.

use tokio_util::sync::CancellationToken;

use super::EmbedError;
use crate::admission::{Cost, Place};

/// The turns of one request, and what was read in them.
#[derive(Debug, Default)]
pub struct Turns {
    /// None where nobody else is about.
    place: Option<Place>,
    left: CancellationToken,
    /// Something was read since the last turn came.
    is_used: bool,
    tokens: usize,
}

/// What a batch probably costs before its length is known.
pub(crate) const BATCH: Cost = Cost { prompt_tokens: 1024, max_tokens: 0 };

impl Turns {
    /// Turns by this place, until `left` is cancelled.
    pub(crate) fn new(place: Place, left: CancellationToken) -> Self {
        Self { place: Some(place), left, ..Self::default() }
    }

    /// Waits until the next batch may be computed; [`EmbedError::Left`] once nobody waits for it.
    pub async fn next(&mut self) -> Result<(), EmbedError> {
        let Self { place, left, is_used, .. } = self;
        if std::mem::take(is_used)
            && let Some(place) = place
        {
            place.again(BATCH);
        }
        let turn = async {
            if let Some(place) = place {
                place.turn().await;
            }
        };
        tokio::select! {
            biased;
            () = left.cancelled() => Err(EmbedError::Left),
            () = turn => Ok(()),
        }
    }

    /// So many tokens were read in this turn.
    pub fn read(&mut self, tokens: usize) {
        self.is_used = true;
        self.tokens += tokens;
        if let Some(place) = &self.place {
            place.charge().read(tokens);
        }
    }

    /// Tokens read until now.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Cancelled once nobody waits: for what comes before the first batch.
    pub fn left(&self) -> &CancellationToken {
        &self.left
    }
}

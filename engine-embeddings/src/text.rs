//! Texts become tokens, with one at the beginning and one at the end.

use std::path::Path;

use inference::embedding::EmbedError;
use tokenizers::Tokenizer;
use tokio_util::sync::CancellationToken;

/// Bytes of a text that are looked at. No text of so many tokens as a model reads has more, but
/// for one that is mostly blanks.
const LONGEST: usize = 16 << 10;

/// Makes tokens.
pub(crate) struct Texts {
    tokenizer: Tokenizer,
    /// The longest text, in tokens.
    pub(crate) limit: usize,
}

impl Texts {
    pub(crate) fn load(path: &Path, limit: usize) -> Result<Self, String> {
        let mut tokenizer = Tokenizer::from_file(path).map_err(|error| error.to_string())?;
        // The file asks for 128 tokens, cut or filled up: we neither cut nor fill up.
        tokenizer.with_truncation(None).map_err(|error| error.to_string())?;
        tokenizer.with_padding(None);
        Ok(Self { tokenizer, limit })
    }

    /// The tokens of each text, or the first text that is too long. Blocks; ends early, with
    /// nothing of use, when nobody waits any more.
    pub(crate) fn tokens(
        &self,
        texts: &[String],
        nobody_waits: &CancellationToken,
    ) -> Result<Vec<Vec<u32>>, EmbedError> {
        let mut all = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            if nobody_waits.is_cancelled() {
                break;
            }
            let looked_at = &text[..text.floor_char_boundary(LONGEST)];
            let found = self
                .tokenizer
                .encode_fast(looked_at, true)
                .map_err(|error| EmbedError::Broken(error.to_string()))?;
            let mut tokens = found.len();
            if looked_at.len() < text.len() {
                tokens = tokens.max(self.limit + 1);
            }
            if tokens > self.limit {
                return Err(EmbedError::TooLong { index, tokens, limit: self.limit });
            }
            all.push(found.get_ids().to_vec());
        }
        Ok(all)
    }

    /// Tokens it knows.
    pub(crate) fn vocabulary(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }
}

//! Answers of a given shape: which tokens a grammar allows next.

use std::sync::{Arc, OnceLock};

use inference::{EngineError, Shape};
use llama_cpp_2::model::LlamaModel;
use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use llguidance::{JsonCompileOptions, Matcher, ParserFactory};
use serde_json::{Value, json};

/// Makes grammars for one model. What they all need is made with the first.
pub(crate) struct Shapes {
    model: Arc<LlamaModel>,
    factory: OnceLock<Result<ParserFactory, String>>,
}

impl Shapes {
    pub(crate) fn new(model: Arc<LlamaModel>) -> Self {
        Self { model, factory: OnceLock::new() }
    }

    /// What keeps an answer to its shape; `None` if any will do.
    pub(crate) fn matcher(&self, shape: &Shape) -> Result<Option<Matcher>, EngineError> {
        let mut schema = match shape {
            Shape::Free => return Ok(None),
            Shape::Json => json!({"type": "object"}),
            Shape::Schema(schema) => Value::clone(schema),
        };
        if !schema.is_object() {
            return Err(EngineError::BadShape("a schema is a JSON object".to_owned()));
        }
        // Blanks where a model likes to put them, but not any number of them: small ones go on
        // with blanks for ever.
        let options = JsonCompileOptions {
            whitespace_flexible: false,
            item_separator: ", ".to_owned(),
            key_separator: ": ".to_owned(),
            ..JsonCompileOptions::default()
        };
        options.apply_to(&mut schema);
        let factory = self.factory.get_or_init(|| factory(&self.model));
        let factory = factory.as_ref().map_err(|error| EngineError::Broken(error.clone()))?;
        let parser = factory.create_parser(TopLevelGrammar::from_json_schema(schema));
        let parser = parser.map_err(|error| EngineError::BadShape(first_line(&error)))?;
        Ok(Some(Matcher::new(Ok(parser))))
    }
}

/// The rest of its errors is for whoever works on grammars.
fn first_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn factory(model: &LlamaModel) -> Result<ParserFactory, String> {
    let mut factory = ParserFactory::new_simple(&vocabulary(model)).map_err(|e| e.to_string())?;
    // It prints otherwise, and tells what people wrote.
    factory.quiet();
    factory.limits_mut().verbose_errors = false;
    Ok(factory)
}

/// Every token's bytes. Those that are no text are marked, so that no grammar takes them for it.
fn vocabulary(model: &LlamaModel) -> TokEnv {
    let vocab = model.vocab();
    let mut ends = Vec::new();
    let mut words = Vec::new();
    for token in vocab.tokens() {
        if vocab.is_eog(token) {
            ends.push(token.0.cast_unsigned());
        }
        let mut bytes = vocab.token_to_piece(token, false, None);
        if bytes.is_empty() {
            bytes = vocab.token_to_piece(token, true, None);
            if !bytes.is_empty() {
                bytes.insert(0, TokTrie::SPECIAL_TOKEN_MARKER);
            }
        }
        words.push(bytes);
    }
    let end = ends.first().copied().unwrap_or_default();
    let info = TokRxInfo::new(vocab.n_tokens().cast_unsigned(), end);
    let trie = TokTrie::from(&info, &words).with_eos_tokens(&ends);
    Arc::new(ApproximateTokEnv::new(trie))
}

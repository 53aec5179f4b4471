//! Tokens from prompts. Control tokens come from the template alone: what people write is read
//! as text, whatever it looks like.

use std::sync::Arc;

use inference::marks::{Marks, marks_a_turn};
use inference::{Message, Prompt};
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token_type::LlamaTokenAttr;
use llama_cpp_2::vocab::LlamaVocab;

use crate::template::{Bit, Template};

/// A prompt as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// At least one.
    pub(crate) all: Vec<LlamaToken>,
    /// So many of the first ones come from messages that all people of the tenant share.
    pub(crate) shared: usize,
}

/// A model's tokenizer and template.
pub(crate) struct Tokenizer {
    model: Arc<LlamaModel>,
    template: Template,
    /// Control tokens and how they are written, the longest first.
    control: Vec<(String, LlamaToken)>,
    /// Tokens that steer although they are none of those.
    marks: Marks,
    longest: usize,
}

impl Tokenizer {
    /// Reads the vocabulary. The error is for people.
    pub(crate) fn new(model: &Arc<LlamaModel>) -> Result<Self, String> {
        let no_template = "it has no chat template, so it is not a model to talk to";
        let source = model.chat_template(None).map_err(|_| no_template.to_owned())?;
        let source = source.to_string().map_err(|_| "its chat template is not text".to_owned())?;

        let vocab = model.vocab();
        let written = |token| written(&vocab, token).unwrap_or_default();
        let (begin, end) = (written(vocab.bos()), written(vocab.eos()));
        let template = Template::new(&source, begin, end);
        let template = template.map_err(|error| format!("its chat template is broken: {error}"))?;

        let control = vocab.tokens().filter(|token| vocab.is_control(*token));
        let mut control: Vec<_> = control.map(|token| (written(token), token)).collect();
        control.retain(|(text, _)| !text.is_empty());
        control.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        // These the library reads in one piece wherever they stand.
        let is_defined = |token| vocab.attr(token).contains(LlamaTokenAttr::UserDefined);
        let defined = vocab.tokens().filter(|token| is_defined(*token)).map(written);
        let marks = Marks::new(defined.filter(|text| marks_a_turn(text)));
        let longest = vocab.tokens().map(|token| written(token).len()).max().unwrap_or(1).max(1);

        let tokenizer = Self { model: Arc::clone(model), template, control, marks, longest };
        let hello = Message { role: inference::Role::User, content: "Hello".to_owned() };
        tokenizer.chat(&[hello], 0)?;
        Ok(tokenizer)
    }

    /// The tokens of a prompt. The error is for people.
    pub(crate) fn tokens(&self, prompt: &Prompt, shared_messages: usize) -> Result<Tokens, String> {
        let mut tokens = match prompt {
            Prompt::Chat(messages) => self.chat(messages, shared_messages)?,
            Prompt::Text(text) => {
                let mut all = Vec::new();
                self.append(&self.marks.broken_up(text), &mut all);
                Tokens { all, shared: 0 }
            }
        };
        let vocab = self.model.vocab();
        if vocab.should_add_bos() && tokens.all.first() != Some(&vocab.bos()) {
            tokens.all.insert(0, vocab.bos());
            tokens.shared += usize::from(tokens.shared > 0);
        }
        if tokens.all.is_empty() {
            return Err("the prompt is empty".to_owned());
        }
        Ok(tokens)
    }

    /// Whether a prompt surely has more than `most` tokens, seen by its length alone.
    pub(crate) fn is_longer_than(&self, most: usize, prompt: &Prompt) -> bool {
        let bytes: usize = match prompt {
            Prompt::Chat(messages) => messages.iter().map(|message| message.content.len()).sum(),
            Prompt::Text(text) => text.len(),
        };
        bytes / self.longest > most
    }

    fn chat(&self, messages: &[Message], shared_messages: usize) -> Result<Tokens, String> {
        let refused = |error: minijinja::Error| {
            let why = error.detail().map_or_else(|| error.to_string(), str::to_owned);
            format!("the model's template refuses this conversation: {why}")
        };
        let mut tokens = Vec::new();
        let mut shared = None;
        // Text between two control tokens is read in one piece, whoever it comes from, since that
        // is how the model has learnt to read.
        let mut text = String::new();
        for bit in self.template.fill(messages).map_err(refused)? {
            match bit {
                Bit::Said(number) => {
                    if number >= shared_messages {
                        shared.get_or_insert(tokens.len());
                    }
                    text.push_str(&self.marks.broken_up(&messages[number].content));
                }
                Bit::Own(own) => {
                    let mut own = own.as_str();
                    while let Some((before, token, after)) = self.next_control(own) {
                        text.push_str(before);
                        self.append(&text, &mut tokens);
                        text.clear();
                        tokens.push(token);
                        own = after;
                    }
                    text.push_str(own);
                }
            }
        }
        self.append(&text, &mut tokens);
        let shared = if shared_messages == 0 { 0 } else { shared.unwrap_or(tokens.len()) };
        Ok(Tokens { all: tokens, shared })
    }

    /// The first control token in a text, and what is before and after it.
    fn next_control<'a>(&self, text: &'a str) -> Option<(&'a str, LlamaToken, &'a str)> {
        text.char_indices().find_map(|(at, _)| {
            let (before, rest) = text.split_at(at);
            let here = |(written, token): &(String, LlamaToken)| {
                rest.strip_prefix(written.as_str()).map(|after| (before, *token, after))
            };
            self.control.iter().find_map(here)
        })
    }

    fn append(&self, text: &str, tokens: &mut Vec<LlamaToken>) {
        if !text.is_empty() {
            tokens.append(&mut self.model.vocab().tokenize(text.as_bytes(), false, false));
        }
    }
}

/// How the file writes a token. `None` for a token that the model does not have.
fn written(vocab: &LlamaVocab<'_>, token: LlamaToken) -> Option<String> {
    if !(0..vocab.n_tokens()).contains(&token.0) {
        return None;
    }
    Some(vocab.text(token)?.to_string_lossy().into_owned())
}

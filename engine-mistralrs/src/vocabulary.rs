//! What a single token says, for people who want to see the chances of each.

use anyhow::Result;
use candle_core::quantized::gguf_file::Content;
use inference::engine::Chance;

use crate::gguf::{text, value};

/// The tokens of a model, as its file writes them.
#[derive(Debug, Clone)]
pub(crate) struct Vocabulary {
    tokens: Vec<String>,
    spelling: Spelling,
}

/// How a file writes the bytes of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// A character for each byte (GPT-2's table).
    ByteLevel,
    /// Text with `▁` for a blank, and `<0x0A>` for a byte that is no text (`SentencePiece`).
    Pieces,
}

impl Vocabulary {
    pub(crate) fn read(content: &Content) -> Result<Self> {
        let spelling = match text(content, "tokenizer.ggml.model")? {
            "gpt2" => Spelling::ByteLevel,
            _ => Spelling::Pieces,
        };
        let tokens = value(content, "tokenizer.ggml.tokens")?.to_vec()?;
        let tokens = tokens.iter().map(|token| Ok(token.to_string()?.clone()));
        Ok(Self { tokens: tokens.collect::<Result<_>>()?, spelling })
    }

    pub(crate) fn chance(&self, token: u32, logprob: f32) -> Chance {
        let bytes = self.bytes(token);
        Chance { text: String::from_utf8_lossy(&bytes).into_owned(), bytes, logprob }
    }

    fn bytes(&self, token: u32) -> Vec<u8> {
        let Some(token) = self.tokens.get(token as usize) else { return Vec::new() };
        match self.spelling {
            // Control tokens are written as they are, with characters of the table's first part.
            Spelling::ByteLevel => token.chars().filter_map(byte_of).collect(),
            Spelling::Pieces => match byte_piece(token) {
                Some(byte) => vec![byte],
                None => token.replace('▁', " ").into_bytes(),
            },
        }
    }
}

/// GPT-2's table backwards: printable characters of Latin-1 stand for themselves, the other bytes
/// follow from U+0100 on.
fn byte_of(character: char) -> Option<u8> {
    let is_itself = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let code = u32::from(character);
    if let Ok(byte) = u8::try_from(code) {
        return is_itself(byte).then_some(byte);
    }
    let at = usize::try_from(code.checked_sub(0x100)?).ok()?;
    (0..=u8::MAX).filter(|byte| !is_itself(*byte)).nth(at)
}

fn byte_piece(token: &str) -> Option<u8> {
    let hex = token.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(hex, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(spelling: Spelling, token: &str) -> Vec<u8> {
        Vocabulary { tokens: vec![token.to_owned()], spelling }.bytes(0)
    }

    #[test]
    fn each_spelling_is_read_as_bytes() {
        assert_eq!(said(Spelling::ByteLevel, "ĠParis"), b" Paris");
        assert_eq!(said(Spelling::ByteLevel, "Ċ"), b"\n");
        assert_eq!(said(Spelling::ByteLevel, "Ã¼"), "ü".as_bytes());
        assert_eq!(said(Spelling::ByteLevel, "<|im_end|>"), b"<|im_end|>");
        assert_eq!(said(Spelling::Pieces, "▁Paris"), b" Paris");
        assert_eq!(said(Spelling::Pieces, "<0x0A>"), b"\n");
    }

    #[test]
    fn half_a_character_shows_as_such_and_an_unknown_token_as_nothing() {
        let vocabulary =
            Vocabulary { tokens: vec!["Ã".to_owned()], spelling: Spelling::ByteLevel };
        let half = vocabulary.chance(0, -1.0);
        assert_eq!((half.text.as_str(), half.bytes.as_slice()), ("\u{fffd}", &[0xc3][..]));
        assert!(vocabulary.chance(9, -1.0).bytes.is_empty());
    }

    #[test]
    fn every_byte_has_one_character() {
        let of_byte = |wanted: u8| {
            let mut all = (0..0x200).filter_map(char::from_u32);
            all.find(|character| byte_of(*character) == Some(wanted))
        };
        assert!((0..=u8::MAX).all(|byte| of_byte(byte).is_some()));
    }
}

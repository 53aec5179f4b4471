//! Smaller forms of a file. Pages are never made smaller here: how much smaller one gets would tell
//! what secrets are in it (BREACH).

use std::io::Write as _;

use axum::body::Bytes;
use axum::http::header::{self, HeaderMap};

/// Of less than that nothing is saved.
const SMALLEST: usize = 512;
/// Smaller by so much, in percent, or it is not worth the reading.
const SAVES: usize = 10;
/// Each takes about a fifth of a second for a megabyte.
const BROTLI: i32 = 6;
const ZSTD: i32 = 9;

/// How a file is made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Brotli,
    Zstd,
}

/// What a file was made to.
#[derive(Clone, Debug, Default)]
pub(super) struct Made(Vec<(Encoding, Bytes)>);

impl Encoding {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

impl Made {
    /// Smaller forms of a file, the best first.
    pub(super) fn of(file: &[u8]) -> Self {
        let enough = file.len() - file.len() * SAVES / 100;
        let all = [(Encoding::Brotli, brotli(file)), (Encoding::Zstd, zstd(file))];
        let mut all: Vec<_> = all
            .into_iter()
            .filter_map(|(encoding, made)| Some((encoding, Bytes::from(made?))))
            .filter(|(_, made)| made.len() <= enough)
            .collect();
        all.sort_by_key(|(_, made)| made.len());
        Self(all)
    }

    pub(super) fn size(&self) -> usize {
        self.0.iter().map(|(_, made)| made.len()).sum()
    }

    /// The smallest that whoever asks takes.
    pub(super) fn best(&self, asked: &HeaderMap) -> Option<(Encoding, &Bytes)> {
        let all = self.0.iter();
        let mut taken = all.filter(|(encoding, _)| takes(asked, encoding.word()));
        taken.next().map(|(encoding, made)| (*encoding, made))
    }
}

/// Whether files of this sort get smaller at all.
pub(super) fn are_worth_it(headers: &HeaderMap, file: &[u8]) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_text = kind.starts_with("text/")
        || matches!(
            kind,
            "application/javascript"
                | "application/json"
                | "application/manifest+json"
                | "application/wasm"
                | "image/svg+xml"
        );
    is_text && file.len() >= SMALLEST
}

/// Whether a form is named, and not with a weight of nought. What is only meant by `*` is not
/// counted on.
fn takes(asked: &HeaderMap, encoding: &str) -> bool {
    let lines = asked.get_all(header::ACCEPT_ENCODING).iter();
    let words = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    words.into_iter().any(|word| {
        let mut parts = word.split(';').map(str::trim);
        let is_it = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
        is_it && weight.is_none_or(|weight| weight > 0.0)
    })
}

fn brotli(file: &[u8]) -> Option<Vec<u8>> {
    let mut made = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams { quality: BROTLI, ..Default::default() };
    let mut writer = brotli::CompressorWriter::with_params(&mut made, 4_096, &parameters);
    writer.write_all(file).ok()?;
    drop(writer);
    Some(made)
}

fn zstd(file: &[u8]) -> Option<Vec<u8>> {
    zstd::bulk::compress(file, ZSTD).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn asked(said: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, said.parse().unwrap())])
    }

    #[test]
    fn whoever_asks_gets_the_smallest_that_they_take_and_it_is_the_same_file() {
        let file = "a { color: red } ".repeat(200);
        let made = Made::of(file.as_bytes());
        assert_eq!(made.0.len(), 2);
        for said in ["", "gzip", "br;q=0, zstd; q=0.0", "*", "identity"] {
            assert!(made.best(&asked(said)).is_none(), "{said}");
        }
        let (encoding, small) = made.best(&asked("gzip, BR;q=0.5")).unwrap();
        assert_eq!(encoding, Encoding::Brotli);
        let mut whole = String::new();
        brotli::Decompressor::new(&small[..], 4_096).read_to_string(&mut whole).unwrap();
        assert!(whole == file);
        let (encoding, small) = made.best(&asked("gzip, zstd")).unwrap();
        assert_eq!(encoding, Encoding::Zstd);
        assert!(zstd::bulk::decompress(small, file.len()).unwrap() == file.as_bytes());
    }

    #[test]
    fn what_does_not_get_smaller_stays_as_it_is() {
        let noise: Vec<u8> = (0..256).flat_map(|_| uuid::Uuid::new_v4().into_bytes()).collect();
        assert_eq!(Made::of(&noise).size(), 0);
        let kind =
            |kind: &str| HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]);
        assert!(are_worth_it(&kind("text/css; charset=utf-8"), &[0; 600]));
        assert!(!are_worth_it(&kind("image/png"), &[0; 600]));
        assert!(!are_worth_it(&kind("text/css"), &[0; 100]));
    }
}

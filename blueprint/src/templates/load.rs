//! A template's folder, read into types:
//!
//! ```text
//! template.yaml    name, version, title, summary, and the order of agents and pages
//! blueprint.yaml   its part of `spec`
//! agents/*.yaml    one agent each
//! pages/*.md       one page each; the first line is `# Title`
//! brand/*          logo and the like
//! README.md        how to go on
//! ```

use include_dir::{Dir, include_dir};
use semver::Version;
use serde::Deserialize;

use super::{Seed, SeedAgent, SeedFile, SeedPage, Template};

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../templates");

/// Why a template's folder is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error("there is no {0}, or it is not text")]
    Missing(String),
    #[error("{path}: {error}")]
    Yaml { path: String, error: String },
    #[error("{0}: the first line is not `# Title`")]
    Untitled(String),
    #[error("{folder} has {found} files, template.yaml lists {listed}")]
    Unlisted { folder: String, found: usize, listed: usize },
    #[error("template.yaml says it is {0}")]
    OtherName(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: String,
    version: Version,
    title: String,
    summary: String,
    agents: Vec<String>,
    pages: Vec<String>,
}

pub(super) fn load(name: &str) -> Result<Template, LoadError> {
    let manifest: Manifest = yaml(&format!("{name}/template.yaml"))?;
    let Manifest { name: own_name, version, title, summary, agents, pages } = manifest;
    if own_name != name {
        return Err(LoadError::OtherName(own_name));
    }
    all_listed(&format!("{name}/agents"), agents.len())?;
    all_listed(&format!("{name}/pages"), pages.len())?;
    let seed = Seed {
        agents: agents.iter().map(|slug| agent(name, slug)).collect::<Result<_, _>>()?,
        pages: pages.iter().map(|slug| page(name, slug)).collect::<Result<_, _>>()?,
    };
    Ok(Template {
        name: own_name,
        version,
        title,
        summary,
        seed,
        readme: text(&format!("{name}/README.md"))?.to_owned(),
        brand: brand(name),
        defaults: yaml(&format!("{name}/blueprint.yaml"))?,
    })
}

fn agent(template: &str, slug: &str) -> Result<SeedAgent, LoadError> {
    let agent: SeedAgent = yaml(&format!("{template}/agents/{slug}.yaml"))?;
    let instructions = agent.instructions.trim_end().to_owned();
    Ok(SeedAgent { slug: slug.to_owned(), instructions, ..agent })
}

fn page(template: &str, slug: &str) -> Result<SeedPage, LoadError> {
    let path = format!("{template}/pages/{slug}.md");
    let text = text(&path)?;
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let title = first.strip_prefix("# ").ok_or(LoadError::Untitled(path))?;
    let markdown = rest.trim_start().to_owned();
    Ok(SeedPage { slug: slug.to_owned(), title: title.trim().to_owned(), markdown })
}

fn brand(template: &str) -> Vec<SeedFile> {
    let folder: Option<&'static Dir<'static>> = TEMPLATES.get_dir(format!("{template}/brand"));
    let files = folder.into_iter().flat_map(Dir::files);
    let file = |file: &'static include_dir::File<'static>| {
        let name = file.path().file_name()?.to_str()?;
        Some(SeedFile { path: format!("brand/{name}"), bytes: file.contents() })
    };
    files.filter_map(file).collect()
}

/// A file nobody lists would silently not be there.
fn all_listed(folder: &str, listed: usize) -> Result<(), LoadError> {
    let found = TEMPLATES.get_dir(folder).map_or(0, |dir| dir.files().count());
    if found == listed {
        Ok(())
    } else {
        Err(LoadError::Unlisted { folder: folder.to_owned(), found, listed })
    }
}

fn yaml<T: serde::de::DeserializeOwned>(path: &str) -> Result<T, LoadError> {
    serde_saphyr::from_str(text(path)?)
        .map_err(|error| LoadError::Yaml { path: path.to_owned(), error: error.to_string() })
}

fn text(path: &str) -> Result<&'static str, LoadError> {
    let file = TEMPLATES.get_file(path).and_then(include_dir::File::contents_utf8);
    file.ok_or_else(|| LoadError::Missing(path.to_owned()))
}

//! The folder of a platform: what a person edits and keeps in git.

use std::path::{Path, PathBuf};

use blueprint::templates::Template;
use blueprint::{BlueprintName, PlatformBlueprint};

use crate::failure::{Failure, Kind, Result};

const BLUEPRINT: &str = "blueprint.yaml";
/// Where the schema for editors lies, as named in the first line of the blueprint.
pub const SCHEMA: &str = ".soulfra/blueprint.schema.json";

/// A platform's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at a path; made absolute, since the host process runs elsewhere.
    pub fn at(path: &Path) -> Result<Self> {
        std::path::absolute(path).map(Self).map_err(|error| Failure::file("find", path, &error))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file that describes the platform.
    pub fn blueprint_file(&self) -> PathBuf {
        self.0.join(BLUEPRINT)
    }

    /// Whether a platform is described here.
    pub fn exists(&self) -> bool {
        self.blueprint_file().exists()
    }

    /// Makes the folder from a template. All of it appears at once or not at all; a folder that
    /// is there already, and is not empty, is left alone.
    pub fn create(&self, template: &Template, blueprint: &PlatformBlueprint) -> Result<()> {
        let occupied = std::fs::read_dir(&self.0).is_ok_and(|mut files| files.next().is_some());
        if occupied {
            return Err(Failure::new(
                Kind::Files,
                format!("{} is there already and is not a platform", self.0.display()),
                "Choose another name, or move that folder away.",
            ));
        }
        let parent = self.0.parent().unwrap_or(Path::new("/"));
        let building = tempfile::Builder::new()
            .prefix(".create-ai-platform-")
            .tempdir_in(parent)
            .map_err(|error| Failure::file("write in", parent, &error))?;
        let name = blueprint.metadata.name.as_deref().unwrap_or_default();
        for (path, bytes) in files(name, template, blueprint) {
            let path = building.path().join(path);
            let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            made.and_then(|()| std::fs::write(&path, bytes))
                .map_err(|error| Failure::file("write", &path, &error))?;
        }
        if self.0.exists() {
            std::fs::remove_dir(&self.0)
                .map_err(|error| Failure::file("replace", &self.0, &error))?;
        }
        let built = building.keep();
        let placed = std::fs::rename(&built, &self.0);
        if let Err(error) = placed {
            _ = std::fs::remove_dir_all(&built);
            return Err(Failure::file("make", &self.0, &error));
        }
        open_to_others(&self.0)
    }

    /// Reads the blueprint; the text too, to see later whether it changed.
    pub fn read(&self) -> Result<(PlatformBlueprint, String)> {
        let text = self.text()?;
        Ok((self.understand(&text)?, text))
    }

    /// Which platform is described here, as that may have changed since it was remembered; `None`
    /// where nothing is, or what cannot be used.
    pub fn described(&self) -> Option<BlueprintName> {
        self.read().ok()?.0.platform_name().ok()
    }

    /// The blueprint as it is written.
    pub fn text(&self) -> Result<String> {
        let path = self.blueprint_file();
        std::fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))
    }

    /// What a text means in the place of the blueprint.
    pub fn understand(&self, text: &str) -> Result<PlatformBlueprint> {
        blueprint::read(text).map_err(|problems| {
            let lines: Vec<String> = problems
                .iter()
                .map(|problem| format!("\n  {}", problem.in_file(BLUEPRINT)))
                .collect();
            Failure::new(
                Kind::Blueprint,
                format!("{} cannot be used:{}", self.blueprint_file().display(), lines.concat()),
                "Mend these lines and run the same command again.",
            )
        })
    }
}

/// A blueprint as text in place of an older one. A person's comments and order stay, wherever their
/// text can be changed in place.
pub fn rewrite(text: &str, wanted: &PlatformBlueprint) -> String {
    blueprint::edit(text, wanted)
        .unwrap_or_else(|| blueprint::write_with_schema_line(wanted, SCHEMA))
}

/// Everything a new folder holds.
fn files(
    name: &str,
    template: &Template,
    blueprint: &PlatformBlueprint,
) -> Vec<(PathBuf, Vec<u8>)> {
    let schema = SCHEMA;
    let mut files = vec![
        (
            PathBuf::from(BLUEPRINT),
            blueprint::write_with_schema_line(blueprint, schema).into_bytes(),
        ),
        (PathBuf::from(".gitignore"), b"/.soulfra/\n".to_vec()),
        (PathBuf::from("README.md"), readme(name, template).into_bytes()),
        (PathBuf::from(schema), blueprint::json_schema_text().into_bytes()),
    ];
    files
        .extend(template.brand.iter().map(|file| (PathBuf::from(&file.path), file.bytes.to_vec())));
    files
}

fn readme(name: &str, template: &Template) -> String {
    let longest = "backup ".len() + name.len();
    let commands = [
        (name.to_owned(), "run it"),
        ("status".to_owned(), "what runs, and where"),
        (format!("stop {name}"), "stop it; nothing is lost"),
        (format!("backup {name}"), "everything it holds, in one file"),
    ]
    .map(|(command, what)| format!("create-ai-platform {command:longest$}   # {what}\n"))
    .concat();
    format!(
        "# {name}\n\n\
         An AI platform, described by `blueprint.yaml`.\n\n\
         ```sh\n\
         {commands}\
         ```\n\n\
         Edit `blueprint.yaml` while it runs: a good edit is applied at once, a bad one is refused\n\
         and the old one goes on serving. An operator on Kubernetes takes it as it is.\n\n\
         {}\n",
        template.readme.trim()
    )
}

/// A temporary folder is made private; this one is the person's own to share.
fn open_to_others(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
        .map_err(|error| Failure::file("open", folder, &error))
}

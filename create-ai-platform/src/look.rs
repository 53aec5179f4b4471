//! What of a platform's look cannot be shown as its blueprint has it. A platform starts all the
//! same, so a person must be told what pages use instead.

use std::fmt;

use blueprint::PlatformBlueprint;
use pages::{Brand, ContrastProblem};
use tenant_runtime::Picture;
use tenant_runtime::site::brand_input;

use crate::folder::Folder;

/// The largest picture, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// Why a picture is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotShown {
    /// It is not there, or cannot be read.
    Missing,
    /// It is of a kind that pages do not show.
    Kind,
    /// It is not a file, or leads out of the folder.
    Elsewhere,
    /// It is too large.
    Large,
}

impl fmt::Display for NotShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no such file, or it cannot be read",
            Self::Kind => "pages show .svg and .png only",
            Self::Elsewhere => "it is not a file inside the platform's folder",
            Self::Large => "it is larger than 1 MiB",
        })
    }
}

/// Each thing that is not shown as it is written: which, why, and what is used instead.
pub fn warnings(folder: &Folder, blueprint: &PlatformBlueprint) -> Vec<String> {
    let (_, mended) = Brand::mend(brand_input(blueprint));
    let mut warnings: Vec<String> = mended.iter().map(unreadable).collect();
    let logo = blueprint.spec.identity.branding.logo.as_deref();
    if let Some((logo, why)) = logo.and_then(|logo| Some((logo, picture(folder, logo).err()?))) {
        warnings.push(format!(
            "spec.identity.branding.logo: {logo} is not shown, because {why}; \
             the name's first letter stands in"
        ));
    }
    warnings
}

/// The fields that a person has set, or changed, and that change nothing yet.
pub fn without_effect(fields: &[&str]) -> Option<String> {
    let named = fields.join(", ");
    (!named.is_empty()).then(|| format!("not in effect yet: {named} (what there is: README.md)"))
}

fn unreadable(problem: &ContrastProblem) -> String {
    let ContrastProblem { token, ratio, needed, suggestion } = problem;
    // Cut, not rounded: 4.46 must not read as the 4.5 that is needed.
    let ratio = (ratio * 10.0).floor() / 10.0;
    format!(
        "spec.identity.branding.palette.{token}: its contrast is {ratio:.1}:1 and has to be \
         {needed:.1}:1, or people cannot read it; {suggestion} is used instead"
    )
}

/// A brand file of the folder, if it is a picture we serve and really lies inside the folder: a
/// link in a folder that somebody else made must not publish a file of this machine.
pub fn picture(folder: &Folder, path: &str) -> Result<Picture, NotShown> {
    let content_type = match path.rsplit_once('.') {
        Some((_, "svg")) => "image/svg+xml",
        Some((_, "png")) => "image/png",
        _ => return Err(NotShown::Kind),
    };
    let within = folder.path().canonicalize().map_err(|_| NotShown::Missing)?;
    let file = within.join(path).canonicalize().map_err(|_| NotShown::Missing)?;
    // Looked at before it is opened: opening a pipe would wait for ever.
    let data = std::fs::symlink_metadata(&file).map_err(|_| NotShown::Missing)?;
    if !file.starts_with(&within) || !data.is_file() {
        return Err(NotShown::Elsewhere);
    }
    if data.len() > LARGEST {
        return Err(NotShown::Large);
    }
    let bytes = std::fs::read(&file).map_err(|_| NotShown::Missing)?;
    Ok(Picture { content_type, bytes: bytes.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_without_effect_are_named_in_one_line() {
        assert_eq!(without_effect(&[]), None);
        assert_eq!(
            without_effect(&["features", "ai.safety"]).unwrap(),
            "not in effect yet: features, ai.safety (what there is: README.md)"
        );
    }

    #[test]
    fn a_picture_that_is_not_shown_says_why() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::at(place.path()).unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(place.path().join(name), bytes);
        write("good.svg", b"<svg/>").unwrap();
        write("photo.webp", b"RIFF").unwrap();
        write("large.png", &vec![0; 1024 * 1024 + 1]).unwrap();
        std::fs::create_dir(place.path().join("folder.png")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", place.path().join("link.png")).unwrap();
        let why = |path| picture(&folder, path).map(|picture| picture.content_type);
        assert_eq!(why("good.svg"), Ok("image/svg+xml"));
        assert_eq!(why("gone.svg"), Err(NotShown::Missing));
        assert_eq!(why("photo.webp"), Err(NotShown::Kind));
        assert_eq!(why("large.png"), Err(NotShown::Large));
        assert_eq!(why("folder.png"), Err(NotShown::Elsewhere));
        assert_eq!(why("link.png"), Err(NotShown::Elsewhere));
    }
}

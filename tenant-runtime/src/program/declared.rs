//! What others have declared about the platform: its blueprint, what its organization pays for and asks of who
//! runs it, and which control plane's grants it takes.
//!
//! Kubernetes swaps all files of a mounted `ConfigMap` at once, within about a minute of a change.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use blueprint::status::Staff;
use blueprint::{BlueprintName, Entitlements, PlatformBlueprint};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use web::grant::{PublicKey, Trust, audience};

use super::settings::{StartError, read};
use crate::app::WeakApp;
use crate::site::Site;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Beside the blueprint: what the organization pays for, as it was confirmed.
const ENTITLEMENTS: &str = "entitlements.json";
/// Beside it too: what the organization asks of who runs the platform. Who planned it earlier wrote none.
const STAFF: &str = "staff.json";
/// Beside it too, where there is a control plane: who it is.
const CONTROL_PLANE: &str = "control-plane.json";

/// A blueprint with what it may use.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    /// The platform's name, which it keeps.
    pub(super) name: BlueprintName,
    blueprint: PlatformBlueprint,
    entitlements: Entitlements,
    staff: Staff,
    trust: Option<Trust>,
    /// The files as they are.
    texts: Texts,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Texts {
    blueprint: String,
    entitlements: String,
    staff: Option<String>,
    control_plane: Option<String>,
}

/// The control plane, and how it calls this platform. An operator of a later version may say more.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ControlPlane {
    issuer: String,
    /// The uid of the blueprint.
    platform: String,
    keys: Vec<PublicKey>,
}

impl Texts {
    fn read(file: &Path) -> Result<Self, StartError> {
        let entitlements = read(&file.with_file_name(ENTITLEMENTS))?;
        let staff = beside(file, STAFF)?;
        // Without a control plane there is no such file.
        let control_plane = beside(file, CONTROL_PLANE)?;
        Ok(Self { blueprint: read(file)?, entitlements, staff, control_plane })
    }
}

/// What may be left out; what is there and cannot be read is not left out.
fn beside(file: &Path, name: &str) -> Result<Option<String>, StartError> {
    match read(&file.with_file_name(name)) {
        Ok(text) => Ok(Some(text)),
        Err(StartError::File { cause, .. }) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Declared {
    /// Reads the blueprint's file, and what lies beside it.
    pub(super) fn read(file: &Path) -> Result<Self, StartError> {
        Self::of(Texts::read(file)?, file)
    }

    fn of(texts: Texts, file: &Path) -> Result<Self, StartError> {
        let refused = |path: PathBuf, why| StartError::Content { path, why };
        let blueprint = blueprint::read(&texts.blueprint).map_err(|problems| {
            let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
            refused(file.to_owned(), lines.join("; "))
        })?;
        let name = blueprint
            .platform_name()
            .map_err(|error| refused(file.to_owned(), format!("metadata.name: {error}")))?;
        let entitlements = serde_json::from_str(&texts.entitlements)
            .map_err(|error| refused(file.with_file_name(ENTITLEMENTS), error.to_string()))?;
        let staff = texts.staff.as_deref().map(serde_json::from_str).transpose();
        let staff =
            staff.map_err(|error| refused(file.with_file_name(STAFF), error.to_string()))?;
        let staff = staff.unwrap_or_default();
        let trust = texts.control_plane.as_deref().and_then(|text| trusted(text, &name));
        Ok(Self { name, blueprint, entitlements, staff, trust, texts })
    }

    /// What it makes of the platform. Pictures are no files here.
    pub(super) fn site(&self) -> Site {
        Site::new(self.blueprint.clone(), |_| None)
            .entitled_to(self.entitlements)
            .run_by(self.staff.clone())
    }

    /// Whose grants it takes.
    pub(super) fn trust(&self) -> Option<Trust> {
        self.trust.clone()
    }
}

/// Whose grants are taken. What cannot be read is told, and keeps nobody from being served.
fn trusted(text: &str, name: &BlueprintName) -> Option<Trust> {
    let known = serde_json::from_str(text).inspect_err(
        |error| tracing::error!(%error, "{CONTROL_PLANE} cannot be used: no grants are taken"),
    );
    let ControlPlane { issuer, platform, keys } = known.ok()?;
    Some(Trust { issuer, audience: audience(name.as_str(), &platform), keys })
}

/// Puts each change of the files into effect, until `stop`. What cannot be used changes nothing,
/// and is told once.
pub(super) async fn follow(
    file: PathBuf,
    mut declared: Declared,
    app: WeakApp,
    stop: CancellationToken,
) {
    let mut seen = declared.texts.clone();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let Some(app) = app.upgrade() else { return };
        // Files that are away for a moment are being swapped.
        let Ok(texts) = Texts::read(&file) else { continue };
        if texts == seen {
            continue;
        }
        seen = texts.clone();
        match Declared::of(texts, &file) {
            Ok(next) if next.name == declared.name => {
                for change in blueprint::changes(&declared.blueprint, &next.blueprint) {
                    tracing::info!(%change, "the blueprint was changed");
                }
                app.apply(next.site());
                app.take_grants_of(next.trust());
                declared = next;
            }
            Ok(next) => tracing::error!(
                name = %next.name,
                "a changed blueprint is of another platform, and changes nothing here"
            ),
            Err(error) => tracing::error!(%error, "a changed blueprint changes nothing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_not_taken_for_what_is_not_asked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("blueprint.yaml");
        for name in ["blueprint.yaml", ENTITLEMENTS] {
            std::fs::write(file.with_file_name(name), "{}").unwrap();
        }
        let texts = Texts::read(&file).unwrap();
        assert_eq!((texts.staff, texts.control_plane), (None, None));
        for name in [STAFF, CONTROL_PLANE] {
            // It is there, and gives nothing.
            std::fs::create_dir(file.with_file_name(name)).unwrap();
            let told = Texts::read(&file).unwrap_err().to_string();
            assert!(told.contains(name), "{told}");
            std::fs::remove_dir(file.with_file_name(name)).unwrap();
        }
    }

    #[test]
    fn a_control_plane_is_known_also_where_a_later_operator_says_more_of_it() {
        let text =
            r#"{"issuer": "https://console.example", "platform": "1", "keys": [], "more": 1}"#;
        let trust = trusted(text, &"acme".parse().unwrap()).unwrap();
        assert_eq!(trust.audience, "acme/1");
    }
}

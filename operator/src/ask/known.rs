//! What is known of all platforms, read once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use api_server::ConnectError;
use blueprint::{BlueprintStatus, PlatformBlueprint, Problem};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use plan::{Installation, Plan};
use serde::Deserialize as _;
use serde_json::Value;

use crate::cluster::{CallError, timed};
use crate::kind::Kind;
use crate::reconcile::{Load, seen};
use crate::seen::watch::{blueprints, news_of_blueprint, news_of_child};
use crate::seen::{News, Seen};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no way to the API server.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The API server does not tell.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A file cannot be used.
    #[error("{file}: {why}", file = file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// What is asked for is not there, or cannot be; in words, with what there is.
    #[error("{0}")]
    Not(String),
}

/// Larger files are not read, in bytes: a list of ten thousand blueprints is about half of it.
const MOST: u64 = 128 << 20;
/// Objects in one answer of the API server.
const PAGE: u32 = 200;

/// What is known of all platforms.
pub struct Known {
    pub(super) installation: Installation,
    pub(super) blueprints: BTreeMap<String, PlatformBlueprint>,
    /// Those that this version cannot read, and why.
    pub(super) unreadable: BTreeMap<String, String>,
    /// Volumes, which plans do not shrink.
    seen: Seen,
}

impl Known {
    fn nothing(installation: Installation) -> Self {
        Self {
            installation,
            blueprints: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            seen: Seen::default(),
        }
    }

    /// What the API server has now.
    ///
    /// # Errors
    /// Where it does not tell.
    pub async fn of_cluster(client: &Client, installation: Installation) -> Result<Self, AskError> {
        let mut known = Self::nothing(installation);
        for object in all(client, &blueprints(), ListParams::default()).await? {
            let Some(News::Blueprint(name, resource)) = news_of_blueprint(&object) else {
                continue;
            };
            match &resource.blueprint {
                Ok(blueprint) => {
                    known.blueprints.insert(name.into(), blueprint.clone());
                }
                Err(unreadable) => {
                    known.unreadable.insert(name.into(), unreadable.why.clone());
                }
            }
        }
        for kind in [Kind::PersistentVolumeClaim, Kind::DatabaseCluster] {
            let ours = ListParams::default().labels(plan::TENANT);
            let found = match all(client, &kind.resource(), ours).await {
                // Another program would have brought it.
                Err(CallError::Missing(_)) if kind.of_others() => continue,
                found => found?,
            };
            for news in found.iter().filter_map(|object| news_of_child(kind, object)) {
                known.seen.hear(news);
            }
        }
        Ok(known)
    }

    /// What files say. A `status` in them counts: it says where data is.
    ///
    /// # Errors
    /// Where one cannot be read, with every problem of it.
    pub fn of_files(files: &[PathBuf], installation: Installation) -> Result<Self, AskError> {
        let mut known = Self::nothing(installation);
        for file in files {
            let text = text_of(file)?;
            let refused = |why: String| AskError::File { file: file.clone(), why };
            let documents: Vec<Value> = serde_saphyr::from_multiple(&text)
                .map_err(|error| refused(error.without_snippet().to_string()))?;
            for document in documents {
                let items = match document.get("items") {
                    Some(Value::Array(items)) => items.clone(),
                    _ => vec![document],
                };
                for item in items {
                    let text = item.to_string();
                    let mut blueprint =
                        blueprint::read(&text).map_err(|problems| refused(words(&problems)))?;
                    blueprint.status = BlueprintStatus::deserialize(&item["status"]).ok();
                    known.blueprints.insert(name_of(&blueprint), blueprint);
                }
            }
        }
        Ok(known)
    }

    /// The installation, as the operator would find it for this platform.
    pub(super) fn installation_for(
        &self,
        installation: &Installation,
        blueprint: &PlatformBlueprint,
    ) -> Installation {
        Load::on(installation, blueprint, |load| {
            self.blueprints.values().for_each(|other| load.add(other.status.as_ref()));
        })
    }

    /// What the operator would plan; else every problem, in words.
    pub(super) fn plan<'a>(
        &self,
        blueprint: &'a PlatformBlueprint,
        installation: &'a Installation,
    ) -> Result<Plan<'a>, String> {
        let tenant = self.seen.of(&name_of(blueprint));
        Plan::new(blueprint, installation, seen(blueprint, &tenant))
            .map_err(|problems| words(&problems))
    }
}

/// A blueprint as a person wrote it.
pub(super) fn read(file: &Path) -> Result<PlatformBlueprint, AskError> {
    let text = text_of(file)?;
    let shown = file.display().to_string();
    blueprint::read(&text).map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(|problem| problem.in_file(&shown)).collect();
        AskError::Not(problems.join("\n"))
    })
}

pub(super) fn name_of(blueprint: &PlatformBlueprint) -> String {
    blueprint.metadata.name.clone().unwrap_or_default()
}

pub(super) fn words(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn text_of(file: &Path) -> Result<String, AskError> {
    let refused = |why: String| AskError::File { file: file.to_owned(), why };
    let size = std::fs::metadata(file).map_err(|error| refused(error.to_string()))?.len();
    if size > MOST {
        return Err(refused(format!("it has {size} bytes, and at most {MOST} are read")));
    }
    std::fs::read_to_string(file).map_err(|error| refused(error.to_string()))
}

async fn all(
    client: &Client,
    resource: &ApiResource,
    mut some: ListParams,
) -> Result<Vec<DynamicObject>, CallError> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
    some = some.limit(PAGE);
    let mut found = Vec::new();
    loop {
        let page = timed(&resource.plural, api.list(&some)).await?;
        found.extend(page.items);
        match page.metadata.continue_.filter(|more| !more.is_empty()) {
            Some(more) => some = some.continue_token(&more),
            None => return Ok(found),
        }
    }
}

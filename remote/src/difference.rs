//! Between what a file says and what is there: the same for looking at it and for doing it.

use blueprint::{BlueprintName, BlueprintSpec, Change, PlanName, PlatformBlueprint};
use reqwest::header::HeaderValue;

use crate::client::{Ask, Client};
use crate::error::{Error, Kind, Result};
use crate::fleet::{organization, search};
use crate::plain::Plain;
use crate::views::{Organization, Platform};

/// What would be done.
#[derive(Debug)]
pub struct Difference {
    name: BlueprintName,
    wanted: PlatformBlueprint,
    /// Nothing: it is new.
    there: Option<Seen>,
    changes: Vec<Change>,
    overruled: Option<Overruled>,
}

/// In a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// There is no such platform yet.
    New,
    /// It is there, and is otherwise.
    Changed,
    /// It is there as it is wanted.
    Same,
}

/// A plan that a file wishes for, and the one that its organization pays for, which counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overruled {
    /// What the file says.
    pub wished: PlanName,
    /// What counts.
    pub paid: PlanName,
}

/// What was done.
#[derive(Debug)]
pub enum Applied {
    /// It is new.
    Created(Box<Platform>),
    /// These fields are otherwise now.
    Changed(Box<Platform>, Vec<Change>),
    /// It was so already.
    Unchanged(Box<Platform>),
}

/// A platform that is there, and the name of the state that it was seen in.
#[derive(Debug)]
struct Seen {
    platform: Platform,
    tag: HeaderValue,
}

impl Difference {
    /// Looks at what is there. Changes nothing.
    pub async fn between(
        client: &Client,
        name: BlueprintName,
        spec: BlueprintSpec,
    ) -> Result<Self> {
        let (wanted, overruled) = as_stored(&name, spec, &organization(client).await?);
        let (there, changes) = match seen(client, &name).await? {
            None => (None, Vec::new()),
            Some((seen, now)) => (Some(seen), blueprint::changes(&now, &wanted)),
        };
        Ok(Self { name, wanted, there, changes, overruled })
    }

    /// Between what is there and the same with a change of it, so that nothing else is changed along.
    pub(crate) async fn of_change(
        client: &Client,
        name: &BlueprintName,
        change: impl FnOnce(&mut BlueprintSpec),
    ) -> Result<Self> {
        let there = seen(client, name).await?;
        let (seen, now) = there.ok_or_else(|| Error::NoPlatform(name.clone()))?;
        let mut spec = now.spec.clone();
        change(&mut spec);
        let wanted = PlatformBlueprint::new(name.as_str(), spec);
        let changes = blueprint::changes(&now, &wanted);
        Ok(Self { name: name.clone(), wanted, there: Some(seen), changes, overruled: None })
    }

    /// The platform's name.
    pub fn name(&self) -> &BlueprintName {
        &self.name
    }

    /// In a word.
    pub fn state(&self) -> State {
        match &self.there {
            None => State::New,
            Some(_) if self.changes.is_empty() => State::Same,
            Some(_) => State::Changed,
        }
    }

    /// Each field that is otherwise; of a new platform none, since all of it is.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The changes as people read them.
    pub fn lines(&self) -> Vec<Plain> {
        self.changes.iter().map(|change| change.to_string().into()).collect()
    }

    /// What is wanted, as it is sent.
    pub(crate) fn yaml(&self) -> String {
        blueprint::write(&self.wanted)
    }

    /// The plan of the file, where another one counts.
    pub fn overruled(&self) -> Option<Overruled> {
        self.overruled
    }

    /// Does it, unless it was changed since it was looked at. `attempt` makes sure that a new
    /// platform is made once: any number that was not used before.
    pub async fn apply(self, client: &Client, attempt: u64) -> Result<Applied> {
        let yaml = self.yaml();
        match self.there {
            None => {
                let made = create(client, attempt, yaml).await?;
                Ok(Applied::Created(Box::new(made)))
            }
            Some(Seen { platform, .. }) if self.changes.is_empty() => {
                Ok(Applied::Unchanged(Box::new(platform)))
            }
            Some(Seen { platform, tag }) => {
                let url = client.at(&["v1", "platforms", platform.id.as_str(), "blueprint"]);
                client.ask(Ask::replace(url, tag, yaml)).await?;
                // How often it was changed by now.
                let url = client.at(&["v1", "platforms", platform.id.as_str()]);
                let now = client.ask(Ask::get(url)).await?.read()?;
                Ok(Applied::Changed(Box::new(now), self.changes))
            }
        }
    }

    /// Makes a new platform, or finds that it is there as it is wanted. One that is otherwise is not
    /// changed.
    pub async fn create(self, client: &Client, attempt: u64) -> Result<Platform> {
        match self.there {
            None => create(client, attempt, self.yaml()).await,
            Some(seen) if self.changes.is_empty() => Ok(seen.platform),
            Some(_) => Err(Error::IsOther(self.name)),
        }
    }
}

async fn create(client: &Client, attempt: u64, yaml: String) -> Result<Platform> {
    client.ask(Ask::create(client.at(&["v1", "platforms"]), attempt, yaml)).await?.read()
}

/// As the control plane would store it: organization and plan are those of the key, and of the rest of
/// the metadata nothing is kept. Another organization is left, for it to refuse.
fn as_stored(
    name: &BlueprintName,
    mut spec: BlueprintSpec,
    organization: &Organization,
) -> (PlatformBlueprint, Option<Overruled>) {
    spec.organization.get_or_insert_with(|| organization.slug.clone());
    let paid = organization.plan;
    let wished = spec.plan.replace(paid).filter(|wished| *wished != paid);
    let overruled = wished.map(|wished| Overruled { wished, paid });
    (PlatformBlueprint::new(name.as_str(), spec), overruled)
}

/// The platform of this name, and its blueprint. One whose blueprint was never made is as good as none.
async fn seen(client: &Client, name: &BlueprintName) -> Result<Option<(Seen, PlatformBlueprint)>> {
    let Some(platform) = search(client, name).await? else { return Ok(None) };
    if platform.is_deleted() {
        return Err(Error::IsDeleted(name.clone()));
    }
    let url = client.at(&["v1", "platforms", platform.id.as_str(), "blueprint"]);
    let answer = match client.ask(Ask::get(url)).await {
        Err(error) if error.kind() == Kind::NoPlatform => return Ok(None),
        answer => answer?,
    };
    let tag =
        answer.tag.clone().ok_or_else(|| client.not_ours("a blueprint comes without ETag"))?;
    let read = blueprint::read(&answer.text()).map_err(|problems| {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        Error::Strange { name: name.clone(), why: first.into() }
    })?;
    Ok(Some((Seen { platform, tag }, read)))
}

//! Names of a platform's own: named, taken away, and looked at again.

use std::time::Duration;

use blueprint::{BlueprintName, Domain as Name};

use crate::client::{Ask, Client};
use crate::difference::{Applied, Difference};
use crate::error::Result;
use crate::fleet::find;
use crate::news;
use crate::views::{Domain, Platform};

/// What came of looking at a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// Something is told of it that was not told before.
    News(Domain),
    /// Nothing else was told of it in that time; what was told last, if anything was.
    Nothing(Option<Domain>),
}

/// Gives a platform this name too. One that it has is no error.
pub async fn add_domain(client: &Client, name: &BlueprintName, domain: &Name) -> Result<Applied> {
    let wanted = Difference::of_change(client, name, |spec| {
        if !spec.domains.contains(domain) {
            spec.domains.push(domain.clone());
        }
    });
    // It is there, so that no new one is made, whatever the number.
    wanted.await?.apply(client, 0).await
}

/// Takes this name from a platform. One that it does not have is no error.
pub async fn remove_domain(
    client: &Client,
    name: &BlueprintName,
    domain: &Name,
) -> Result<Applied> {
    let wanted = Difference::of_change(client, name, |spec| spec.domains.retain(|it| it != domain));
    wanted.await?.apply(client, 0).await
}

/// Has all names of a platform be looked at again at once; how it stands before that.
pub async fn recheck(client: &Client, name: &BlueprintName) -> Result<Platform> {
    let before = find(client, name).await?;
    let url = client.at(&["v1", "platforms", before.id.as_str(), "retry"]);
    client.ask(Ask::post(url)).await?;
    Ok(before)
}

/// Waits until something else is told of a name than in `before`, or it serves; no longer than `patience`.
pub async fn watch_domain(
    client: &Client,
    before: &Platform,
    domain: &str,
    patience: Duration,
) -> Result<Looked> {
    let was = of(before, domain).cloned();
    if was.as_ref().is_some_and(Domain::is_served) {
        return Ok(Looked::Nothing(was));
    }
    let is_news = |now: &Platform| of(now, domain).is_some_and(|now| Some(now) != was.as_ref());
    let now = news::until(client, before, patience, is_news).await?;
    Ok(match now.as_ref().and_then(|now| of(now, domain)) {
        Some(now) => Looked::News(now.clone()),
        None => Looked::Nothing(was),
    })
}

fn of<'a>(platform: &'a Platform, domain: &str) -> Option<&'a Domain> {
    platform.domains.iter().find(|it| it.name.as_str() == domain)
}

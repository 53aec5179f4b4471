//! The platforms of an organization.

use blueprint::BlueprintName;

use crate::client::{Ask, Client};
use crate::error::{Error, Result};
use crate::views::{AdminLink, Operation, Organization, Page, Platform};

/// Entries of a page.
const PAGE: &str = "100";
/// The most pages of a list.
const PAGES: usize = 1_000;

/// The organization of the key, which shows that the key is good.
pub async fn organization(client: &Client) -> Result<Organization> {
    client.ask(Ask::get(client.at(&["v1", "organization"]))).await?.read()
}

/// All platforms, by name.
pub async fn list(client: &Client) -> Result<Vec<Platform>> {
    let mut all = Vec::new();
    walk(client, None, |page| {
        all.extend(page);
        None::<()>
    })
    .await?;
    Ok(all)
}

/// The platform of this name.
pub async fn find(client: &Client, name: &BlueprintName) -> Result<Platform> {
    let found = search(client, name).await?;
    found.ok_or_else(|| Error::NoPlatform(name.clone()))
}

/// Stops a platform; its data is kept for 30 days. `typed` is its name as a person wrote it again.
pub async fn delete(client: &Client, name: &BlueprintName, typed: &str) -> Result<Platform> {
    if typed != name.as_str() {
        return Err(Error::NotTyped(name.clone()));
    }
    let id = find(client, name).await?.id;
    let mut url = client.at(&["v1", "platforms", id.as_str()]);
    url.query_pairs_mut().append_pair("name", name.as_str());
    client.ask(Ask::delete(url)).await?.read()
}

/// Brings a deleted platform back, as it was.
pub async fn undelete(client: &Client, name: &BlueprintName) -> Result<Platform> {
    let id = find(client, name).await?.id;
    let url = client.at(&["v1", "platforms", id.as_str(), "undelete"]);
    client.ask(Ask::post(url)).await?.read()
}

/// Has a platform make a link that lets somebody in as its owner, in place of a former one.
pub async fn admin_link(client: &Client, platform: &Platform) -> Result<AdminLink> {
    let url = client.at(&["v1", "platforms", platform.id.as_str(), "admin-link"]);
    client.ask(Ask::post(url)).await?.read()
}

/// What was done to a platform of late, the latest last.
pub async fn operations(client: &Client, platform: &Platform) -> Result<Vec<Operation>> {
    let mut url = client.at(&["v1", "platforms", platform.id.as_str(), "operations"]);
    url.query_pairs_mut().append_pair("limit", PAGE);
    let page: Page<Operation> = client.ask(Ask::get(url)).await?.read()?;
    Ok(page.items.into_iter().rev().collect())
}

/// The platform of this name, if there is one.
pub(crate) async fn search(client: &Client, name: &BlueprintName) -> Result<Option<Platform>> {
    let of_it = |page: Vec<Platform>| page.into_iter().find(|platform| platform.name == *name);
    walk(client, Some(name), of_it).await
}

/// Page by page, until something is found; those of this name alone, where one is said.
async fn walk<T>(
    client: &Client,
    name: Option<&BlueprintName>,
    mut found: impl FnMut(Vec<Platform>) -> Option<T>,
) -> Result<Option<T>> {
    let mut next: Option<String> = None;
    for _ in 0..PAGES {
        let mut url = client.at(&["v1", "platforms"]);
        url.query_pairs_mut().append_pair("limit", PAGE);
        if let Some(name) = name {
            url.query_pairs_mut().append_pair("name", name.as_str());
        }
        if let Some(next) = &next {
            url.query_pairs_mut().append_pair("after", next);
        }
        let page: Page<Platform> = client.ask(Ask::get(url)).await?.read()?;
        if let Some(found) = found(page.items) {
            return Ok(Some(found));
        }
        next = page.next;
        if next.is_none() {
            return Ok(None);
        }
    }
    Err(client.not_ours("its list of platforms has no end"))
}

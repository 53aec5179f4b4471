//! News of organizations: what becomes of the platforms of one is looked after once, for all who listen.
//!
//! Each platform has the number of its last change. Whoever listens keeps a number and nothing else: what
//! they have not heard is what has a later one. So many changes of one platform are one to somebody slow,
//! and who was cut off goes on behind what they heard, as long as somebody looks after it here. Elsewhere, or
//! later, the numbers are others: then they hear all of it again.

mod streams;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use serde_json::json;
use tokio::sync::watch::{self, Receiver, Sender};
use tokio::time::Instant;
use uuid::Uuid;

use crate::app::App;
use crate::db::platforms::{self, Owned};
use crate::domain::id::{OrganizationId, PlatformId};
use crate::http::platforms::events::{UNSEEN, now};

pub(crate) use streams::{Stream, Streams};

/// Which platforms there are is looked at so often.
const EVERY: Duration = Duration::from_secs(3);
/// After so many looks with nobody who listens nobody looks any more.
const LOOKS_ALONE: u32 = 20;
/// So many that are gone are remembered.
const GONE: usize = 1_000;
/// Platforms that are read at once.
const BATCH: usize = 500;

/// What is told here, and to how many.
#[derive(Default)]
pub(crate) struct News {
    /// Organizations that somebody listens to, or listened to until just now.
    all: Mutex<HashMap<OrganizationId, Arc<Fleet>>>,
    streams: Streams,
}

/// The platforms of an organization, as those who listen hear of them.
pub(crate) struct Fleet {
    /// By which its numbers are known from others.
    epoch: Uuid,
    changed: Receiver<()>,
    state: Mutex<State>,
}

/// Something that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// What whoever was cut off says again; none where that would leave out something.
    pub(crate) id: Option<String>,
    /// `platform`, `gone` or `all`.
    pub(crate) kind: &'static str,
    /// In JSON.
    pub(crate) data: Arc<str>,
}

#[derive(Default)]
struct State {
    /// Whether all there is was looked at.
    is_known: bool,
    /// Of the last change.
    last: u64,
    /// Up to this number some that are gone were forgotten.
    forgotten: u64,
    all: HashMap<PlatformId, Known>,
}

struct Known {
    number: u64,
    owned: Owned,
    /// By what it is known again how it stands; nothing of what is gone.
    version: Option<String>,
    data: Arc<str>,
}

impl News {
    /// The platforms of this organization, looked after from now on.
    pub(crate) fn of(&self, app: &App, organization: OrganizationId) -> (Arc<Fleet>, Receiver<()>) {
        let mut all = self.lock();
        // Whoever looked after it may have come to an end, whatever the reason.
        let found = all.get(&organization).filter(|fleet| fleet.changed.has_changed().is_ok());
        let fleet = if let Some(fleet) = found {
            fleet.clone()
        } else {
            let (sender, changed) = watch::channel(());
            let state = Mutex::default();
            let fleet = Arc::new(Fleet { epoch: Uuid::new_v4(), changed, state });
            all.insert(organization, fleet.clone());
            tokio::spawn(look_after(app.clone(), organization, fleet.clone(), sender));
            fleet
        };
        let changed = fleet.changed.clone();
        (fleet, changed)
    }

    /// False where somebody listens: it is looked after, and known here, until nobody does.
    fn let_go(&self, organization: OrganizationId, fleet: &Arc<Fleet>) -> bool {
        let mut all = self.lock();
        if listeners(fleet) > 0 {
            return false;
        }
        if all.get(&organization).is_some_and(|it| Arc::ptr_eq(it, fleet)) {
            all.remove(&organization);
        }
        true
    }

    /// Of all who listen: to an organization, and to one platform alike.
    pub(crate) fn streams(&self) -> &Streams {
        &self.streams
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrganizationId, Arc<Fleet>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Beside who looks after it, and the list of all.
fn listeners(fleet: &Arc<Fleet>) -> usize {
    Arc::strong_count(fleet).saturating_sub(2)
}

impl Fleet {
    /// Up to where somebody heard all that is still known here; `None`: they hear all of it anew.
    pub(crate) fn place(&self, heard: &str) -> Option<u64> {
        let (epoch, number) = heard.split_once('-')?;
        let number = number.parse().ok().filter(|_| epoch == self.epoch.simple().to_string())?;
        let state = self.lock();
        (state.forgotten <= number && number <= state.last).then_some(number)
    }

    /// What is not heard by somebody who heard up to there, and up to where that goes; `None` where there
    /// is nothing.
    pub(crate) fn since(&self, heard: Option<u64>) -> Option<(u64, VecDeque<Told>)> {
        let state = self.lock();
        let is_new = |heard: u64| heard >= state.forgotten;
        let Some(heard) = heard.filter(|heard| is_new(*heard)) else {
            return state.is_known.then(|| (state.last, self.all(&state)));
        };
        if heard == state.last {
            return None;
        }
        let mut later: Vec<_> = state.all.values().filter(|it| it.number > heard).collect();
        later.sort_unstable_by_key(|it| it.number);
        let told = later.into_iter().map(|it| Told { id: Some(self.id(it.number)), ..it.told() });
        Some((state.last, told.collect()))
    }

    /// All there is. Only with the last word it is known that nothing is missing.
    fn all(&self, state: &State) -> VecDeque<Told> {
        let mut there: Vec<_> = state.all.values().filter(|it| it.version.is_some()).collect();
        there.sort_unstable_by(|one, other| one.owned.name.as_str().cmp(other.owned.name.as_str()));
        let data = json!({"platforms": there.len()}).to_string().into();
        let end = Told { id: Some(self.id(state.last)), kind: "all", data };
        there.into_iter().map(Known::told).chain([end]).collect()
    }

    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.epoch.simple())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn told(&self) -> Told {
        let kind = if self.version.is_some() { "platform" } else { "gone" };
        Told { id: None, kind, data: self.data.clone() }
    }
}

impl State {
    /// Whether each change of it is heard of by who waits for it: not what the database alone knows, that
    /// it was deleted, or claimed.
    fn is_heard(&self, owned: &Owned) -> bool {
        let known = self.all.get(&owned.id).filter(|known| known.owned == *owned);
        let version = known.and_then(|known| known.version.as_deref());
        version.is_some_and(|version| !version.starts_with(UNSEEN))
    }

    /// One that is the organization's.
    fn there(&self, id: PlatformId) -> Option<Owned> {
        let known = self.all.get(&id).filter(|it| it.version.is_some());
        known.map(|it| it.owned.clone())
    }

    /// How it stands is looked at again with the next round.
    fn unsure(&mut self, id: PlatformId) {
        if let Some(known) = self.all.get_mut(&id).filter(|it| it.version.is_some()) {
            known.version = Some(UNSEEN.to_owned());
        }
    }

    /// Those that are not among these.
    fn all_but(&self, there: &HashSet<PlatformId>) -> Vec<Owned> {
        let known = self.all.values().filter(|it| it.version.is_some());
        known.filter(|it| !there.contains(&it.owned.id)).map(|it| it.owned.clone()).collect()
    }

    /// It stands so; false where that was known.
    fn stands(&mut self, owned: &Owned, version: &str, data: Arc<str>) -> bool {
        let known = self.all.get(&owned.id);
        if known.is_some_and(|it| it.version.as_deref() == Some(version) && it.owned == *owned) {
            return false;
        }
        self.put(owned.clone(), Some(version.to_owned()), data);
        true
    }

    /// It is the organization's no more.
    fn gone(&mut self, owned: &Owned) {
        let data = json!({"id": owned.id, "name": owned.name}).to_string().into();
        self.put(owned.clone(), None, data);
        let mut gone: Vec<_> =
            self.all.values().filter(|it| it.version.is_none()).map(|it| it.number).collect();
        if gone.len() > GONE {
            gone.sort_unstable();
            self.forgotten = gone[gone.len() / 2];
            let forgotten = self.forgotten;
            self.all.retain(|_, it| it.version.is_some() || it.number > forgotten);
        }
    }

    fn put(&mut self, owned: Owned, version: Option<String>, data: Arc<str>) {
        self.last += 1;
        self.all.insert(owned.id, Known { number: self.last, owned, version, data });
    }
}

/// What is waited for: that platforms change, each of them once.
#[derive(Default)]
struct Waits {
    ids: HashSet<PlatformId>,
    all: FuturesUnordered<BoxFuture<'static, (PlatformId, Option<Receiver<()>>)>>,
}

impl Waits {
    /// For this one as well; false where it is waited for.
    fn put(&mut self, id: PlatformId, news: impl FnOnce() -> Receiver<()>) -> bool {
        let is_new = self.ids.insert(id);
        if is_new {
            self.all.push(wait(id, news()));
        }
        is_new
    }

    /// One that changed, which is waited for no more; without news where there are to be none.
    async fn next(&mut self) -> Option<(PlatformId, Option<Receiver<()>>)> {
        let (id, news) = self.all.next().await?;
        self.ids.remove(&id);
        Some((id, news))
    }
}

/// Looks after an organization until nobody has listened for a while.
async fn look_after(app: App, organization: OrganizationId, fleet: Arc<Fleet>, sender: Sender<()>) {
    let (mut waits, mut alone) = (Waits::default(), 0);
    loop {
        if let Err(error) = round(&app, organization, (&fleet, &sender), &mut waits).await {
            if matches!(error, sqlx::Error::PoolClosed) {
                return;
            }
            tracing::warn!(%organization, %error, "its news are late");
        }
        alone = if listeners(&fleet) > 0 { 0 } else { alone + 1 };
        if alone > LOOKS_ALONE && app.news().let_go(organization, &fleet) {
            return;
        }
        let next = Instant::now() + EVERY;
        // Where some always change, the others have their round all the same.
        while Instant::now() < next {
            let changed = tokio::time::timeout_at(next, waits.next()).await;
            let Ok(Some((id, news))) = changed else { break };
            let owned = fleet.lock().there(id);
            let (Some(owned), Some(news)) = (owned, news) else { continue };
            waits.put(id, || news);
            if let Err(error) = look(&app, &owned, (&fleet, &sender)).await {
                tracing::warn!(platform = %id, %error, "its news are late");
                fleet.lock().unsure(id);
            }
        }
        tokio::time::sleep_until(next).await;
    }
}

fn wait(
    id: PlatformId,
    mut news: Receiver<()>,
) -> BoxFuture<'static, (PlatformId, Option<Receiver<()>>)> {
    Box::pin(async move {
        let changed = news.changed().await;
        (id, changed.ok().map(|()| news))
    })
}

/// Which platforms there are; how those stand of which nothing else tells.
async fn round(
    app: &App,
    organization: OrganizationId,
    at: (&Fleet, &Sender<()>),
    waits: &mut Waits,
) -> sqlx::Result<()> {
    // What is not known yet would all be told as if it were not there.
    if !app.cluster().is_known() {
        return Ok(());
    }
    let there = all(app, organization).await?;
    let (fleet, sender) = at;
    let ids: HashSet<_> = there.iter().map(|owned| owned.id).collect();
    let gone = fleet.lock().all_but(&ids);
    for owned in &gone {
        fleet.lock().gone(owned);
    }
    for owned in &there {
        let is_new = waits.put(owned.id, || app.cluster().watch(&owned.name));
        let is_heard = fleet.lock().is_heard(owned);
        if is_new || !is_heard {
            look(app, owned, at).await?;
        }
    }
    let is_first = !std::mem::replace(&mut fleet.lock().is_known, true);
    if is_first || !gone.is_empty() {
        sender.send_replace(());
    }
    Ok(())
}

/// How it stands by now.
async fn look(
    app: &App,
    owned: &Owned,
    (fleet, sender): (&Fleet, &Sender<()>),
) -> sqlx::Result<()> {
    let (version, platform) = now(app, owned).await?;
    if fleet.lock().stands(owned, &version, json!(platform).to_string().into()) {
        sender.send_replace(());
    }
    Ok(())
}

async fn all(app: &App, organization: OrganizationId) -> sqlx::Result<Vec<Owned>> {
    let mut all = Vec::<Owned>::new();
    loop {
        let after = all.last().map(|last| last.name.to_string());
        let mut conn = app.conn().await?;
        let batch = platforms::list(&mut conn, organization, after.as_deref(), BATCH).await?;
        let is_last = batch.len() < BATCH;
        all.extend(batch);
        if is_last {
            return Ok(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet() -> Fleet {
        let (_, changed) = watch::channel(());
        Fleet { epoch: Uuid::from_u128(1), changed, state: Mutex::default() }
    }

    fn owned(number: u128) -> Owned {
        Owned {
            id: PlatformId(Uuid::from_u128(number)),
            name: format!("name-{number}").parse().unwrap(),
            organization: OrganizationId(Uuid::nil()),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            found: None,
        }
    }

    /// Up to where it is heard, and the kinds of what is told.
    fn since(fleet: &Fleet, heard: Option<u64>) -> (u64, Vec<&'static str>) {
        let (heard, told) = fleet.since(heard).unwrap();
        (heard, told.iter().map(|it| it.kind).collect())
    }

    #[test]
    fn who_heard_nothing_hears_all_once_it_is_known_and_others_what_is_later() {
        let fleet = fleet();
        assert!(fleet.lock().stands(&owned(1), "a", "{}".into()));
        assert!(!fleet.lock().stands(&owned(1), "a", "{}".into()));
        assert_eq!(fleet.since(None), None, "there may be more");
        fleet.lock().is_known = true;
        assert_eq!(since(&fleet, None), (1, vec!["platform", "all"]));
        assert_eq!(fleet.since(Some(1)), None);
        for version in ["b", "c"] {
            fleet.lock().stands(&owned(1), version, "{}".into());
        }
        assert_eq!(since(&fleet, Some(1)), (3, vec!["platform"]), "of several, the last");
        fleet.lock().gone(&owned(1));
        assert_eq!(since(&fleet, Some(3)), (4, vec!["gone"]));
        assert_eq!(since(&fleet, None), (4, vec!["all"]));
    }

    #[test]
    fn a_place_is_known_where_it_was_given_and_nothing_since_was_forgotten() {
        let fleet = fleet();
        fleet.lock().is_known = true;
        for number in 1..=u128::try_from(GONE).unwrap() + 1 {
            fleet.lock().gone(&owned(number));
        }
        let last = fleet.lock().last;
        assert_eq!(fleet.place(&fleet.id(last)), Some(last));
        assert_eq!(fleet.place(&fleet.id(last + 1)), None);
        assert_eq!(fleet.place(&fleet.id(1)), None, "what was gone then is forgotten");
        assert_eq!(fleet.place(&format!("{}-1", Uuid::nil().simple())), None);
        assert_eq!(fleet.place("x"), None);
        assert!(fleet.lock().all.len() <= GONE);
    }

    #[test]
    fn what_could_not_be_looked_at_is_looked_at_again() {
        let fleet = fleet();
        fleet.lock().stands(&owned(1), "a", "{}".into());
        assert!(fleet.lock().is_heard(&owned(1)));
        fleet.lock().unsure(owned(1).id);
        assert!(!fleet.lock().is_heard(&owned(1)));
        assert!(!fleet.lock().is_heard(&owned(2)));
    }

    #[tokio::test]
    async fn a_platform_that_comes_again_is_waited_for_once() {
        let (sender, news) = watch::channel(());
        let (id, mut waits) = (owned(1).id, Waits::default());
        assert!(waits.put(id, || news.clone()));
        assert!(!waits.put(id, || news.clone()));
        sender.send_replace(());
        let (changed, heard) = waits.next().await.unwrap();
        assert_eq!((changed, heard.is_some()), (id, true));
        assert!(waits.next().await.is_none());
        assert!(waits.put(id, || news));
    }
}

//! Five organizations, each with something of every kind: every text of it holds a canary that names it.

use accounts::sessions;
use blueprint::status::Phase;
use blueprint::{BlueprintStatus, PlanName};
use control_plane::admit::{self, New};
use control_plane::domain::scope::Scope;
use control_plane::model_servers;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::Rig;
use crate::browser::Browser;
use crate::rig::{Caller, URL};

/// So many organizations.
const ORGANIZATIONS: usize = 5;

pub(crate) struct World {
    pub(crate) rig: Rig,
    pub(crate) organizations: Vec<Organization>,
}

/// Two of a kind: what nobody may touch, and what its own people do things to.
#[derive(Clone, Debug)]
pub(crate) struct Two {
    pub(crate) kept: String,
    pub(crate) spare: String,
}

pub(crate) struct Organization {
    /// In every text of it, and in nobody else's.
    pub(crate) canary: String,
    pub(crate) slug: String,
    id: String,
    pub(crate) platforms: Two,
    pub(crate) names: Two,
    pub(crate) keys: Two,
    pub(crate) invitations: Two,
    pub(crate) people: Two,
    pub(crate) webhooks: Two,
    /// What was done to the platforms.
    pub(crate) operations: Two,
    pub(crate) tickets: Two,
    /// Something that the webhook was told that is kept.
    pub(crate) delivery: String,
    pub(crate) sessions: Vec<String>,
    /// The `ETag` of the blueprint that is kept.
    pub(crate) tag: String,
    /// The link of an invitation that was accepted.
    pub(crate) used_link: String,
    pub(crate) secrets: Secrets,
    pub(crate) cookies: Cookies,
    /// What is secret, or nobody's business.
    hidden: Vec<String>,
}

/// Keys, as they are sent.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    pub(crate) all: String,
    pub(crate) audit: String,
    pub(crate) organization: String,
    pub(crate) expired: String,
    pub(crate) revoked: String,
    /// A model server's.
    pub(crate) model_server: String,
}

/// Sessions, as browsers send them.
#[derive(Clone, Debug)]
pub(crate) struct Cookies {
    pub(crate) owner: String,
    pub(crate) viewer: String,
    pub(crate) ended: String,
}

impl World {
    pub(crate) async fn new(db: PgPool) -> Self {
        let rig = Rig::new(db).await;
        let mut organizations = Vec::new();
        for number in 0..ORGANIZATIONS {
            organizations.push(Box::pin(Organization::new(&rig, number)).await);
        }
        // Whatever was to end has ended.
        rig.clock.advance(SignedDuration::from_hours(49));
        Self { rig, organizations }
    }

    /// Nothing of the others is in what is told to somebody of this organization, but what they said
    /// themselves.
    pub(crate) fn must_not_know(&self, own: usize, asked: &str, told: &str) {
        let (asked, told) = (asked.to_lowercase(), told.to_lowercase());
        for (number, other) in self.organizations.iter().enumerate() {
            if number == own {
                continue;
            }
            let canary = std::iter::once(&other.canary);
            for word in canary.chain(&other.hidden) {
                let is_told = told.contains(word.as_str()) && !asked.contains(word.as_str());
                assert!(!is_told, "{word} of {}\n{asked}\n\n{told}", other.slug);
            }
        }
    }

    /// How everything stands that nobody may touch.
    pub(crate) async fn kept(&self) -> Vec<Value> {
        let mut kept = Vec::new();
        for organization in &self.organizations {
            let caller = self.rig.caller(Some(&organization.secrets.all));
            let platform = format!("/v1/platforms/{}", organization.platforms.kept);
            let mut all = vec![
                caller.get(&platform).await.body,
                caller.get(&format!("{platform}/blueprint")).await.body,
                caller.get("/v1/organization").await.body,
                caller.get(&format!("/v1/tickets/{}", organization.tickets.kept)).await.body,
            ];
            for (list, id) in [
                ("/v1/members", &organization.people.kept),
                ("/v1/invitations", &organization.invitations.kept),
                ("/v1/webhooks", &organization.webhooks.kept),
            ] {
                let items = caller.get(&format!("{list}?limit=100")).await.body["items"].clone();
                let item = items.as_array().unwrap().iter().find(|it| it["id"] == **id).cloned();
                all.push(item.unwrap());
            }
            let good = "select count(*) from control.api_key
                        where id = $1 and revoked_at is null and name like '%' || $2 || '%'";
            let key: Uuid = organization.keys.kept.strip_prefix("key_").unwrap().parse().unwrap();
            let good: i64 = sqlx::query_scalar(good)
                .bind(key)
                .bind(&organization.canary)
                .fetch_one(&self.rig.db)
                .await
                .unwrap();
            all.push(json!(good));
            kept.push(Value::Array(all));
        }
        kept
    }
}

impl Organization {
    async fn new(rig: &Rig, number: usize) -> Self {
        let (slug, canary) = (format!("slug-qx{number}"), format!("canaryzq{number}"));
        let new = New {
            slug: slug.parse().unwrap(),
            name: format!("Works {canary}"),
            plan: PlanName::Business,
            owner: Some(format!("owner@{canary}.test").parse().unwrap()),
        };
        let admitted = admit::organization(&rig.db, &URL.parse().unwrap(), new, rig.clock.now())
            .await
            .unwrap();
        let all = admitted.key.expose().to_owned();
        let caller = rig.caller(Some(&all));
        let used_link = admitted.invitation.unwrap();
        let owner = Browser::join(rig, &used_link, &format!("Owner {canary}")).await;
        let viewer = invited(rig, &caller, "viewer", &canary).await;
        let mut ended = invited(rig, &caller, "ended", &canary).await;
        let ended_cookie = cookie_of(&ended);
        ended.fill("/signout", &[]).await.is(303);
        invited(rig, &caller, "spare", &canary).await;

        let names = Two { kept: format!("kept-qx{number}"), spare: format!("spare-qx{number}") };
        let platforms = Two {
            kept: platform(rig, &caller, &names.kept, &canary).await,
            spare: platform(rig, &caller, &names.spare, &canary).await,
        };
        let blueprint = caller.get(&format!("/v1/platforms/{}/blueprint", platforms.kept)).await;
        let operations = Two {
            kept: operation(&caller, &platforms.kept).await,
            spare: operation(&caller, &platforms.spare).await,
        };
        let model_server = used(rig, &names, &canary).await;
        let (keys, secrets, mut hidden) = keys(&caller, all.clone(), &canary).await;
        let secrets = Secrets { model_server, ..secrets };
        let invitations = Two {
            kept: invitation(&caller, "kept", &canary).await["id"].as_str().unwrap().to_owned(),
            spare: invitation(&caller, "spare-one", &canary).await["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        };
        let (webhooks, delivery, webhook_secrets) = webhooks(&caller, &canary).await;
        hidden.extend(webhook_secrets);
        let tickets = Two {
            kept: ticket(&caller, &platforms.kept, &canary).await,
            spare: ticket(&caller, &platforms.spare, &canary).await,
        };
        let members = caller.get("/v1/members").await.body["items"].clone();
        let person = |word: &str| {
            let mut members = members.as_array().unwrap().iter();
            let it = members.find(|it| it["email"].as_str().unwrap().starts_with(word)).unwrap();
            it["id"].as_str().unwrap().to_owned()
        };
        let people = Two { kept: person("viewer@"), spare: person("spare@") };
        let owner_id = person("owner@");
        let mut all_sessions = Vec::new();
        for person in [&owner_id, &people.kept] {
            let person: Uuid = person.strip_prefix("usr_").unwrap().parse().unwrap();
            let mut conn = rig.db.acquire().await.unwrap();
            let list = sessions::list(&mut conn, person, rig.clock.now()).await.unwrap();
            all_sessions.extend(list.into_iter().map(|session| session.id.to_string()));
        }
        let id = caller.get("/v1/organization").await.body["id"].as_str().unwrap().to_owned();
        let tag = blueprint.header("etag").to_owned();
        let cookies =
            Cookies { owner: cookie_of(&owner), viewer: cookie_of(&viewer), ended: ended_cookie };
        let kinds = [&platforms, &keys, &invitations, &people, &webhooks, &operations, &tickets];
        for two in kinds {
            hidden.extend([&two.kept, &two.spare].map(|id| bare(id)));
        }
        hidden.extend([bare(&id), bare(&owner_id), bare(&delivery), slug.clone()]);
        hidden.extend([names.kept.clone(), names.spare.clone()]);
        hidden.extend(all_sessions.clone());
        hidden.push(tag.trim_matches('"').split('-').next().unwrap().to_owned());
        hidden.extend([&cookies.owner, &cookies.viewer, &secrets.all].map(|it| it.to_lowercase()));
        Self {
            canary,
            slug,
            id,
            platforms,
            names,
            keys,
            invitations,
            people,
            webhooks,
            operations,
            tickets,
            delivery,
            sessions: all_sessions,
            tag,
            used_link,
            secrets,
            cookies,
            hidden,
        }
    }

    /// The ids of everything it has that nobody may touch.
    pub(crate) fn ids(&self) -> [&str; 8] {
        [
            &self.platforms.kept,
            &self.keys.kept,
            &self.invitations.kept,
            &self.people.kept,
            &self.webhooks.kept,
            &self.operations.kept,
            &self.tickets.kept,
            &self.id,
        ]
    }
}

fn cookie_of(browser: &Browser<'_>) -> String {
    browser.cookies["__Host-session"].clone()
}

/// An id without what says of what it is.
pub(crate) fn bare(id: &str) -> String {
    id.split_once('_').unwrap().1.to_owned()
}

/// A blueprint of which every text holds the canary.
pub(crate) fn written(name: &str, canary: &str) -> String {
    format!(
        "apiVersion: soulfra.io/v1alpha1\nkind: PlatformBlueprint\nmetadata:\n  name: {name}\n\
         spec:\n  identity:\n    displayName: Called {canary}\n    tagline: Said by {canary}\n    \
         supportEmail: help@{canary}.test\n"
    )
}

async fn invitation(caller: &Caller<'_>, word: &str, canary: &str) -> Value {
    let wanted = json!({"email": format!("{word}@{canary}.test"), "role": "viewer"});
    let made = caller.post("/v1/invitations", &wanted).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.body
}

async fn invited<'a>(rig: &'a Rig, caller: &Caller<'_>, word: &str, canary: &str) -> Browser<'a> {
    let made = invitation(caller, word, canary).await;
    Browser::join(rig, made["url"].as_str().unwrap(), &format!("{word} {canary}")).await
}

/// A platform, and everything that an operator says of it.
async fn platform(rig: &Rig, caller: &Caller<'_>, name: &str, canary: &str) -> String {
    let made = caller.send("POST", "/v1/platforms", &[], written(name, canary)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let mut there = rig.cluster.of(name).unwrap();
    let mut status: BlueprintStatus = there.status.unwrap_or_default();
    status.phase = Some(Phase::Ready);
    status.url = Some(format!("https://{name}.{canary}.test"));
    let condition = json!({
        "type": "Ready", "status": "True", "reason": "Ready",
        "message": format!("Works for {canary}"), "lastTransitionTime": "2026-03-01T12:00:00Z",
    });
    status.conditions = vec![serde_json::from_value(condition).unwrap()];
    there.status = Some(status);
    rig.cluster.by_kubectl(there);
    made.body["id"].as_str().unwrap().to_owned()
}

/// What its platforms used, of a model that is called after it; the key of the model server that told it.
async fn used(rig: &Rig, names: &Two, canary: &str) -> String {
    let key = model_servers::add(&rig.db, canary, rig.clock.now()).await.unwrap();
    let server = rig.caller(Some(key.expose()));
    let event = |tenant: &str| {
        json!({
            "id": Uuid::now_v7(), "tenant": tenant, "user": canary, "agent": canary,
            "model": format!("model-{canary}"), "request": canary,
            "tokens": {"prompt": 1, "cached": 0, "completion": 1}, "cost": 5, "currency": "USD",
            "holding": null, "outcome": "finished", "startedAt": rig.clock.now(), "endedAt": rig.clock.now(),
        })
    };
    let told = json!({"events": [event(&names.kept), event(&names.spare)]});
    let answer = server.post("/v1/inference/usage", &told).await;
    assert_eq!((answer.status.as_u16(), &answer.body["new"]), (200, &json!(2)), "{answer:?}");
    key.expose().to_owned()
}

/// What was done to a platform last.
async fn operation(caller: &Caller<'_>, platform: &str) -> String {
    let listed = caller.get(&format!("/v1/platforms/{platform}/operations")).await.body;
    listed["items"][0]["id"].as_str().unwrap().to_owned()
}

/// A ticket about a platform, of which every text holds the canary.
async fn ticket(caller: &Caller<'_>, platform: &str, canary: &str) -> String {
    let wanted = json!({
        "subject": format!("About {canary}"), "urgency": "problem", "platform": platform,
        "text": format!("Said by {canary}"),
    });
    let made = caller.post("/v1/tickets", &wanted).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.body["id"].as_str().unwrap().to_owned()
}

/// The webhooks of an organization, something that one was told, and what of them is secret.
async fn webhooks(caller: &Caller<'_>, canary: &str) -> (Two, String, Vec<String>) {
    let make = async |word: &str| {
        let url = format!("https://{canary}.test/{word}");
        let wanted = json!({"url": url, "kinds": ["webhook.create"]});
        let made = caller.post("/v1/webhooks", &wanted).await;
        assert_eq!(made.status, 201, "{made:?}");
        let of = |field: &str| made.body[field].as_str().unwrap().to_owned();
        (of("id"), of("secret").to_lowercase())
    };
    let (kept, spare) = (make("kept").await, make("spare").await);
    let told = caller.get(&format!("/v1/webhooks/{}/deliveries", kept.0)).await.body;
    let delivery = told["items"][0]["id"].as_str().unwrap().to_owned();
    (Two { kept: kept.0, spare: spare.0 }, delivery, vec![kept.1, spare.1])
}

/// The keys of an organization, what they are, and what of them is secret.
async fn keys(caller: &Caller<'_>, all: String, canary: &str) -> (Two, Secrets, Vec<String>) {
    let make = async |word: &str, scopes: &[Scope], days: i64| {
        let wanted = json!({"name": format!("{word} {canary}"), "scopes": scopes, "days": days});
        let made = caller.post("/v1/keys", &wanted).await;
        assert_eq!(made.status, 201, "{made:?}");
        let of = |field: &str| made.body[field].as_str().unwrap().to_owned();
        (of("id"), of("secret"), of("prefix").to_lowercase())
    };
    let kept = make("kept", &Scope::ALL, 300).await;
    let spare = make("spare", &[Scope::AuditRead], 300).await;
    let audit = make("audit", &[Scope::AuditRead], 300).await;
    let organization = make("organization", &[Scope::OrganizationRead], 300).await;
    let expired = make("expired", &Scope::ALL, 1).await;
    let revoked = make("revoked", &Scope::ALL, 300).await;
    assert_eq!(caller.delete(&format!("/v1/keys/{}", revoked.0)).await.status, 204);
    let hidden = [&kept, &spare, &audit, &organization, &expired, &revoked];
    let hidden = hidden.iter().flat_map(|key| [bare(&key.0), key.1.to_lowercase(), key.2.clone()]);
    let hidden = hidden.collect();
    let secrets = Secrets {
        all,
        audit: audit.1,
        organization: organization.1,
        expired: expired.1,
        revoked: revoked.1,
        model_server: String::new(),
    };
    (Two { kept: kept.0, spare: spare.0 }, secrets, hidden)
}

//! Every operation of the API, as its own document lists them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use control_plane::router::document;
use faults::chance::Chance;
use futures::{StreamExt as _, stream};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use crate::asked::Asked;
use crate::world::{Organization, World, written};
use crate::{below, one};

/// Requests that are under way at once.
const AT_ONCE: usize = 8;

/// Something that can be asked for.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    is_open: bool,
}

impl Operation {
    fn is_of_model_servers(&self) -> bool {
        self.path.starts_with("/v1/inference/")
    }
}

/// How whoever asks says who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credential {
    None,
    Malformed,
    Unknown,
    Expired,
    Revoked,
    /// One that may do anything in its organization.
    Good,
    /// One that may do something else.
    Unfit,
    /// A person's, who may do the same by the console.
    Session,
    /// A good key, beside the session of a person of another organization.
    Both,
    /// That of a model server, which is heard at its own addresses alone.
    ModelServer,
}

impl Credential {
    const ALL: [Self; 10] = [
        Self::None,
        Self::Malformed,
        Self::Unknown,
        Self::Expired,
        Self::Revoked,
        Self::Good,
        Self::Unfit,
        Self::Session,
        Self::Both,
        Self::ModelServer,
    ];

    fn lets_in(self) -> bool {
        matches!(self, Self::Good | Self::Unfit | Self::Both)
    }

    fn headers(
        self,
        own: &Organization,
        other: &Organization,
        operation: &Operation,
        chance: &mut Chance,
    ) -> Vec<(&'static str, String)> {
        let bearer = |key: &str| vec![("authorization", format!("Bearer {key}"))];
        let cookie = |of: &Organization| ("cookie", format!("__Host-session={}", of.cookies.owner));
        match self {
            Self::None => Vec::new(),
            Self::Malformed => match below(chance, 5) {
                0 => bearer("soulfra_short"),
                1 => bearer(&own.secrets.all.to_uppercase()),
                2 => vec![("authorization", format!("Basic {}", own.secrets.all))],
                3 => bearer(&format!("{}, {}", own.secrets.all, own.secrets.audit)),
                _ => [bearer(&own.secrets.all), bearer(&own.secrets.all)].concat(),
            },
            Self::Unknown => {
                let bits = [chance.number(); 4].map(u64::to_le_bytes).concat();
                bearer(&format!("soulfra_{}", URL_SAFE_NO_PAD.encode(bits)))
            }
            Self::Expired => bearer(&own.secrets.expired),
            Self::Revoked => bearer(&own.secrets.revoked),
            Self::Good => bearer(&own.secrets.all),
            Self::Unfit if operation.path == "/v1/audit" => bearer(&own.secrets.organization),
            Self::Unfit => bearer(&own.secrets.audit),
            Self::Session => vec![cookie(own)],
            Self::Both => [bearer(&own.secrets.all), vec![cookie(other)]].concat(),
            Self::ModelServer => bearer(&own.secrets.model_server),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
enum Wanted {
    /// Of one's own, what may come to harm or not.
    Own(String),
    /// What is another organization's, and something of the same kind that is nowhere.
    Foreign { there: String, absent: String },
    /// Neither.
    Other(String),
}

/// Every operation there is.
pub(crate) fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(document()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, operations)| {
        operations.as_object().unwrap().iter().map(|(method, operation)| Operation {
            method: method.to_uppercase(),
            path: path.clone(),
            is_open: operation["security"] == json!([{}]),
        })
    });
    operations.collect()
}

/// An id of this kind that nobody has.
pub(crate) fn absent(like: &str, chance: &mut Chance) -> String {
    let (prefix, _) = like.split_once('_').unwrap();
    let random = u128::from(chance.number()) << 64 | u128::from(chance.number());
    let version = 0x7 << 76 | 0b10 << 62;
    let id = random >> 12 & !(0xf << 76) & !(0b11 << 62) | version | 0x0192 << 112;
    format!("{prefix}_{}", Uuid::from_u128(id).simple())
}

fn wanted(
    operation: &Operation,
    own: &Organization,
    other: &Organization,
    chance: &mut Chance,
) -> Wanted {
    let kinds = [
        &own.platforms,
        &own.keys,
        &own.invitations,
        &own.people,
        &own.webhooks,
        &own.operations,
        &own.tickets,
    ];
    match below(chance, 8) {
        0 | 1 => {
            // Of every kind, above all of the right one.
            let right = match operation.path.split('/').nth(2).unwrap() {
                "platforms" => 0,
                "keys" => 1,
                "invitations" => 2,
                "webhooks" => 4,
                "operations" => 5,
                "tickets" => 6,
                _ => 3,
            };
            let kind = if chance.once_in(4) { below(chance, kinds.len()) } else { right };
            let looks = operation.method == "GET";
            let two = kinds[kind];
            Wanted::Own(if looks { two.kept.clone() } else { two.spare.clone() })
        }
        2..=5 => {
            let ids = other.ids();
            let there = one(chance, &ids).to_owned();
            let absent = absent(&there, chance);
            Wanted::Foreign { there, absent }
        }
        6 => Wanted::Other(absent("plt_", chance)),
        _ => {
            let id = one(chance, &other.ids()).to_owned();
            let bare = crate::world::bare(&id);
            let long = "plt_0".repeat(400);
            let hyphens: Uuid = bare.parse().unwrap();
            let forms = [
                bare.clone(),
                format!("plt_{}", &bare[1..]),
                format!("key_{bare}"),
                format!("PLT_{bare}"),
                id.to_uppercase(),
                format!("plt_{hyphens}"),
                format!("{id}%00"),
                format!("{id}%2F"),
                format!("{id}%20"),
                format!("{id}%ff"),
                format!("..%2f{id}"),
                format!("{id}'%20or%201=1--"),
                "plt_".to_owned(),
                "%".to_owned(),
                long,
            ];
            Wanted::Other(forms[below(chance, forms.len())].clone())
        }
    }
}

fn query(
    operation: &Operation,
    own: &Organization,
    other: &Organization,
    chance: &mut Chance,
) -> String {
    if operation.method == "DELETE" && operation.path.starts_with("/v1/platforms") {
        let names = [own.names.spare.as_str(), &other.names.kept, "", "%"];
        return format!("?name={}", one(chance, &names));
    }
    if operation.method != "GET" || operation.path.contains("{id}") {
        return String::new();
    }
    let after =
        [other.ids()[below(chance, other.ids().len())], &other.names.kept, "1", "-1", "%", ""];
    let after = one(chance, &after);
    match below(chance, 6) {
        0 => format!("?after={}&limit=3", URL_SAFE_NO_PAD.encode(after)),
        1 => format!("?after={after}"),
        2 => format!("?limit={}", below(chance, 120)),
        3 => format!("?organization={}", other.slug),
        _ => String::new(),
    }
}

fn body(
    operation: &Operation,
    own: &Organization,
    other: &Organization,
    chance: &mut Chance,
) -> String {
    if operation.method == "GET" || operation.method == "DELETE" {
        return String::new();
    }
    if chance.once_in(8) {
        return (*one(chance, &["", "{", "[]", "null", "\0", "{\"role\": \"emperor\"}"]))
            .to_owned();
    }
    match operation.path.as_str() {
        "/v1/platforms/{id}/clone" => {
            let fresh = format!("copy-{}", own.slug);
            let name = one(chance, &[fresh.as_str(), &own.names.kept, &other.names.kept, "%"]);
            format!("{{\"name\": \"{name}\"}}")
        }
        "/v1/members/{id}/role" => "{\"role\": \"developer\"}".to_owned(),
        "/v1/keys" => format!("{{\"name\": \"{}\", \"scopes\": [\"audit:read\"]}}", own.canary),
        // What would keep everybody out is refused, so it is asked too.
        "/v1/organization/policy" => (*one(
            chance,
            &[
                r#"{"secondFactor": "optional"}"#,
                r#"{"secondFactor": "optional", "allowedAddresses": ["192.0.2.0/24"]}"#,
                r#"{"secondFactor": "optional", "singleSignOnOnly": true}"#,
            ],
        ))
        .to_owned(),
        "/v1/organization/single-sign-on" => format!(
            "{{\"issuer\": \"https://10.0.0.1\", \"clientId\": \"x\", \"clientSecret\": \"{0}\", \
             \"domains\": [\"{0}.test\"]}}",
            own.canary
        ),
        "/v1/tickets" => {
            let platform = one(chance, &[own.platforms.kept.as_str(), &other.platforms.kept]);
            json!({"subject": own.canary, "urgency": "outage", "platform": platform, "text": own.canary})
                .to_string()
        }
        "/v1/tickets/{id}/messages" => json!({"text": own.canary}).to_string(),
        "/v1/webhooks" => format!("{{\"url\": \"https://{}.test/more\"}}", own.canary),
        "/v1/inference/leases" => {
            let tenant = one(chance, &[own.names.kept.as_str(), &other.names.kept, "nobody"]);
            let (number, currency) = (below(chance, 50), one(chance, &["USD", "EUR"]));
            format!(
                "{{\"holding\": \"{}\", \"number\": {number}, \"tenant\": \"{tenant}\", \
                 \"currency\": \"{currency}\", \"spent\": 0, \"want\": 5}}",
                Uuid::from_u128(u128::from(chance.number() % 8))
            )
        }
        "/v1/inference/usage" => "{\"events\": []}".to_owned(),
        "/v1/invitations" => {
            let email = format!("{}@{}.test", one(chance, &["owner", "new", "newer"]), own.canary);
            format!("{{\"email\": \"{email}\", \"role\": \"viewer\"}}")
        }
        _ => {
            let fresh = format!("fresh-{}", own.slug);
            let name = [&own.names.spare, &own.names.kept, &other.names.kept, &fresh];
            let text = written(name[below(chance, name.len())], &own.canary);
            let slug = one(chance, &[own.slug.as_str(), &other.slug, "nobodys"]);
            if chance.once_in(4) { format!("{text}  organization: {slug}\n") } else { text }
        }
    }
}

fn headers(
    own: &Organization,
    other: &Organization,
    chance: &mut Chance,
) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    match below(chance, 4) {
        0 => headers.push(("if-match", own.tag.clone())),
        1 => headers.push(("if-match", other.tag.clone())),
        _ => {}
    }
    // The same ones everywhere: nobody may be answered what somebody else was.
    if chance.once_in(3) {
        headers.push(("idempotency-key", format!("key-{}", below(chance, 3))));
    }
    headers
}

/// Asks, and holds what is told of a foreign thing against what is told of none; how many were asked.
async fn ask(world: &World, operation: &Operation, mut chance: Chance) -> usize {
    let (own, other) = two_of(world, &mut chance);
    let (mine, others) = (&world.organizations[own], &world.organizations[other]);
    let credential = Credential::ALL[below(&mut chance, Credential::ALL.len())];
    let wanted = wanted(operation, mine, others, &mut chance);
    let has_id = operation.path.contains("{id}");
    let id = match &wanted {
        Wanted::Own(id) | Wanted::Other(id) | Wanted::Foreign { there: id, .. } => id,
    };
    let query = query(operation, mine, others, &mut chance);
    let credentials = credential.headers(mine, others, operation, &mut chance);
    let delivery = one(&mut chance, &[mine.delivery.as_str(), &others.delivery]).to_owned();
    let path = operation.path.replace("{id}", id).replace("{delivery}", &delivery);
    let path = path.replace("{revision}", "1");
    let asked = Asked {
        method: operation.method.clone(),
        path: format!("{path}{query}"),
        headers: [credentials, headers(mine, others, &mut chance)].concat(),
        body: body(operation, mine, others, &mut chance),
    };
    let told = asked.send(&world.rig).await;
    // Whom a bad key is of is not known: to them nothing at all is told.
    let own = if credential.lets_in() { own } else { usize::MAX };
    world.must_not_know(own, &asked.text(), &told.text());
    assert_ne!(told.status, 500, "{asked:?} {told:?}");
    let is_heard = credential == Credential::ModelServer && operation.is_of_model_servers();
    if !credential.lets_in() && !operation.is_open && !is_heard && !id.contains('%') {
        assert_eq!(told.status, 401, "{asked:?} {told:?}");
    }
    match &wanted {
        Wanted::Foreign { there, absent } if has_id => {
            let nothing = asked.with(&[(there.clone(), absent.clone())]);
            let nothing = nothing.send(&world.rig).await;
            let both = [there.as_str(), absent];
            let (told, nothing) = (told.without(&both), nothing.without(&both));
            assert_eq!(told, nothing, "{asked:?}");
            assert!((400..500).contains(&told.status), "{asked:?} {told:?}");
            2
        }
        // What refuses everything would tell nothing either.
        Wanted::Own(id)
            if has_id && *id == mine.platforms.kept && credential == Credential::Good =>
        {
            let is_shown = told.status == 200 && told.body.contains(&mine.canary);
            let lists = ["operations", "history"];
            let lists = lists.iter().any(|list| operation.path.ends_with(list));
            let looks = operation.method == "GET" && operation.path.contains("platforms") && !lists;
            assert!(is_shown || !looks, "{asked:?} {told:?}");
            1
        }
        _ => 1,
    }
}

/// Somebody's organization, and another one.
pub(crate) fn two_of(world: &World, chance: &mut Chance) -> (usize, usize) {
    let count = world.organizations.len();
    let own = below(chance, count);
    (own, (own + 1 + below(chance, count - 1)) % count)
}

#[sqlx::test(migrations = false)]
async fn whatever_is_asked_nothing_is_told_of_what_is_anothers(db: PgPool) {
    let (seed, rounds) =
        (crate::number("SOULFRA_SEED", 1), crate::number("SOULFRA_ROUNDS", 50_000));
    println!("SOULFRA_SEED={seed} SOULFRA_ROUNDS={rounds}");
    let world = Box::pin(World::new(db)).await;
    let (operations, kept) = (operations(), world.kept().await);
    let (mut chance, mut asked) = (Chance::new(seed), 0);
    let rounds = usize::try_from(rounds).unwrap();
    while asked < rounds {
        // Each has its own chance, so that who is quicker changes nothing.
        let batch: Vec<_> = (0..(rounds - asked).min(1_000))
            .map(|_| (&operations[below(&mut chance, operations.len())], chance.number()))
            .collect();
        let counts = stream::iter(batch)
            .map(|(operation, seed)| ask(&world, operation, Chance::new(seed)))
            .buffer_unordered(AT_ONCE)
            .fold(0, async |sum, count| sum + count);
        asked += counts.await;
    }
    assert_eq!(world.kept().await, kept, "what nobody may touch was touched");
    let (operations, credentials) = (operations.len(), Credential::ALL.len());
    println!(
        "counted: {asked} requests of {operations} operations with {credentials} kinds of credential, \
         0 told anything of another organization"
    );
}

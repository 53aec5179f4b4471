//! Every page and every form of the console, as its own list of routes has them.

use faults::chance::Chance;
use futures::{StreamExt as _, stream};
use sqlx::PgPool;

use crate::api::{absent, two_of};
use crate::asked::Asked;
use crate::world::{Organization, World, written};
use crate::{below, one};

/// Requests that are under way at once.
const AT_ONCE: usize = 8;
/// Where its routes are.
const ROUTES: &str = include_str!("../../src/console.rs");

/// Who opens a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Visitor {
    Nobody,
    Malformed,
    Unknown,
    SignedOut,
    Owner,
    Viewer,
    /// A key is good for the API alone.
    Key,
}

impl Visitor {
    const ALL: [Self; 7] = [
        Self::Nobody,
        Self::Malformed,
        Self::Unknown,
        Self::SignedOut,
        Self::Owner,
        Self::Viewer,
        Self::Key,
    ];

    fn is_in(self) -> bool {
        matches!(self, Self::Owner | Self::Viewer)
    }

    fn headers(self, own: &Organization, chance: &mut Chance) -> Vec<(&'static str, String)> {
        let session = |token: &str| vec![("cookie", format!("__Host-session={token}"))];
        match self {
            Self::Nobody => Vec::new(),
            Self::Malformed => {
                let sent = ["", "x", "%00", "; __Host-session=", "\"", "=;="];
                session(one(chance, &sent))
            }
            Self::Unknown => session(&"A".repeat(43)),
            Self::SignedOut => session(&own.cookies.ended),
            Self::Owner => session(&own.cookies.owner),
            Self::Viewer => session(&own.cookies.viewer),
            Self::Key => vec![("authorization", format!("Bearer {}", own.secrets.all))],
        }
    }
}

/// Method and path of every page and form.
pub(crate) fn routes() -> Vec<(&'static str, &'static str)> {
    let calls = ROUTES.split(".route(").skip(1);
    calls
        .flat_map(|call| {
            let (path, does) = call.trim_start()[1..].split_once('"').unwrap();
            // What else stands there is no way in.
            let does = does.split([';', '/']).next().unwrap();
            let kinds = [("get(", "GET"), ("post(", "POST")];
            let kinds: Vec<_> = kinds.into_iter().filter(|(word, _)| does.contains(word)).collect();
            assert!(!kinds.is_empty(), "{path} is read wrongly");
            kinds.into_iter().map(move |it| (it.1, path))
        })
        .collect()
}

/// What is in a path in place of a word in braces, and what is nowhere in its place where it is
/// another organization's.
struct Named {
    word: &'static str,
    is: String,
    absent: Option<String>,
}

fn named(
    word: &'static str,
    path: &str,
    (own, other): (&Organization, &Organization),
    chance: &mut Chance,
) -> Named {
    let looks_at = if path.contains("/people/") {
        (&own.people, &other.people)
    } else if path.contains("/invitations/") {
        (&own.invitations, &other.invitations)
    } else if path.contains("/webhooks/") {
        (&own.webhooks, &other.webhooks)
    } else if path.contains("/tickets/") {
        (&own.tickets, &other.tickets)
    } else {
        (&own.keys, &other.keys)
    };
    if word == "{revision}" {
        return Named { word, is: (*one(chance, &["1", "2", "x"])).to_owned(), absent: None };
    }
    let random = chance.number();
    let (mine, theirs, nobodys) = match word {
        "{slug}" => (own.slug.clone(), other.slug.clone(), format!("nobody-{random:x}")),
        "{name}" => {
            let mine = if path.ends_with("{name}") { &own.names.kept } else { &own.names.spare };
            (mine.clone(), other.names.kept.clone(), format!("nothing-{random:x}"))
        }
        "{id}" if path.starts_with("/account") => {
            let nobodys = absent("x_", chance);
            let (_, nobodys) = nobodys.split_once('_').unwrap();
            // One's own would be ended.
            (nobodys.to_owned(), other.sessions[0].replace('-', ""), nobodys.to_owned())
        }
        "{id}" => {
            let nobodys = absent(&looks_at.1.kept, chance);
            (looks_at.0.spare.clone(), looks_at.1.kept.clone(), nobodys)
        }
        "{delivery}" => {
            let nobodys = absent(&other.delivery, chance);
            (own.delivery.clone(), other.delivery.clone(), nobodys)
        }
        "{link}" => {
            let used = other.used_link.rsplit_once('/').unwrap().1.to_owned();
            let nobodys = format!("{random:A<43x}");
            (nobodys.clone(), used, nobodys)
        }
        _ => ("app.css".to_owned(), other.slug.clone(), format!("nothing-{random:x}")),
    };
    let own_often = if word == "{slug}" { 5 } else { 2 };
    match below(chance, own_often + 4) {
        0 | 1 => Named { word, is: theirs, absent: Some(nobodys) },
        2 => Named { word, is: nobodys, absent: None },
        3 => {
            let forms = [
                "%".to_owned(),
                "%00".to_owned(),
                "%2e%2e".to_owned(),
                theirs.to_uppercase(),
                format!("{theirs}%20"),
                format!("{theirs}%2F"),
                "x".repeat(2_000),
            ];
            Named { word, is: forms[below(chance, forms.len())].clone(), absent: None }
        }
        _ => Named { word, is: mine, absent: None },
    }
}

fn form(path: &str, own: &Organization, chance: &mut Chance) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    let fields: Vec<(&str, String)> = match path {
        "/o/{slug}/people" => vec![
            ("email", format!("{}@{}.test", one(chance, &["owner", "new"]), own.canary)),
            ("role", "viewer".to_owned()),
        ],
        "/o/{slug}/people/{id}/role" => vec![("role", "developer".to_owned())],
        "/o/{slug}/keys" => vec![
            ("name", own.canary.clone()),
            ("days", "7".to_owned()),
            ("audit:read", "on".to_owned()),
        ],
        "/o/{slug}/webhooks" => vec![("url", format!("https://{}.test/more", own.canary))],
        "/o/{slug}/tickets/new" => vec![
            ("subject", own.canary.clone()),
            ("urgency", "problem".to_owned()),
            ("platform", own.names.kept.clone()),
            ("text", own.canary.clone()),
        ],
        "/o/{slug}/tickets/{id}/messages" => vec![("text", own.canary.clone())],
        "/o/{slug}/platforms/{name}/delete" => vec![("name", own.names.spare.clone())],
        "/o/{slug}/new" => vec![("blueprint", written(&own.names.spare, &own.canary))],
        "/o/{slug}/platforms/{name}/blueprint" => vec![
            ("blueprint", written(&own.names.spare, &own.canary)),
            ("seen", own.tag.trim_matches('"').to_owned()),
        ],
        "/join/{link}" => {
            vec![("name", "Eve".to_owned()), ("password", "correct horse battery".to_owned())]
        }
        _ => Vec::new(),
    };
    form.extend_pairs(if chance.once_in(8) { Vec::new() } else { fields });
    form.finish()
}

async fn open(world: &World, (method, path): (&str, &'static str), mut chance: Chance) -> usize {
    let (own, other) = two_of(world, &mut chance);
    let (mine, others) = (&world.organizations[own], &world.organizations[other]);
    let visitor = Visitor::ALL[below(&mut chance, Visitor::ALL.len())];
    // It would end the session that the others come with.
    if path == "/signout" && visitor.is_in() {
        return 0;
    }
    let words = ["{slug}", "{name}", "{id}", "{delivery}", "{link}", "{file}", "{revision}"];
    let words = words.into_iter().filter(|word| path.contains(word));
    let named: Vec<_> = words.map(|word| named(word, path, (mine, others), &mut chance)).collect();
    let place = |by: fn(&Named) -> &String| {
        named.iter().fold(path.to_owned(), |path, it| path.replace(it.word, by(it)))
    };
    let mut headers = visitor.headers(mine, &mut chance);
    headers.push(("accept", "text/html".to_owned()));
    let body = if method == "POST" {
        headers.push(("sec-fetch-site", "same-origin".to_owned()));
        headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
        form(path, mine, &mut chance)
    } else {
        String::new()
    };
    let asked = Asked { method: method.to_owned(), path: place(|it| &it.is), headers, body };
    let told = asked.send(&world.rig).await;
    let own = if visitor.is_in() { own } else { usize::MAX };
    world.must_not_know(own, &asked.text(), &told.text());
    assert_ne!(told.status, 500, "{asked:?} {told:?}");
    let is_anybodys =
        ["/signin", "/join/", "/assets/", "/brand/"].iter().any(|it| path.starts_with(it));
    if !visitor.is_in() && !is_anybodys {
        assert!([303, 400, 401, 404].contains(&told.status), "{asked:?} {told:?}");
    }
    if named.iter().all(|it| it.absent.is_none()) {
        return 1;
    }
    let nothing = Asked { path: place(|it| it.absent.as_ref().unwrap_or(&it.is)), ..asked.clone() };
    let nothing = nothing.send(&world.rig).await;
    let foreign = named.iter().filter_map(|it| Some((it.is.as_str(), it.absent.as_deref()?)));
    let both: Vec<&str> = foreign.flat_map(|(there, absent)| [there, absent]).collect();
    assert_eq!(told.without(&both), nothing.without(&both), "{asked:?}");
    2
}

#[sqlx::test(migrations = false)]
async fn whatever_page_is_opened_nothing_is_told_of_what_is_anothers(db: PgPool) {
    let seed = crate::number("SOULFRA_SEED", 1);
    let rounds = usize::try_from(crate::number("SOULFRA_ROUNDS", 50_000) / 10).unwrap();
    println!("SOULFRA_SEED={seed} SOULFRA_ROUNDS={rounds}");
    let world = Box::pin(World::new(db)).await;
    let kept = world.kept().await;
    // Passwords are guessed elsewhere: here nobody is to be locked out.
    let routes: Vec<_> = routes().into_iter().filter(|it| *it != ("POST", "/signin")).collect();
    let (mut chance, mut asked) = (Chance::new(seed), 0);
    while asked < rounds {
        let batch: Vec<_> = (0..(rounds - asked).min(1_000))
            .map(|_| (routes[below(&mut chance, routes.len())], chance.number()))
            .collect();
        let counts = stream::iter(batch)
            .map(|(route, seed)| open(&world, route, Chance::new(seed)))
            .buffer_unordered(AT_ONCE)
            .fold(0, async |sum, count| sum + count);
        asked += counts.await;
    }
    assert_eq!(world.kept().await, kept, "what nobody may touch was touched");
    let (routes, visitors) = (routes.len(), Visitor::ALL.len());
    println!(
        "counted: {asked} requests of {routes} pages and forms by {visitors} kinds of visitor, 0 told \
         anything of another organization"
    );
}

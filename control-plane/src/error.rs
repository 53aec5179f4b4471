//! What can go wrong while serving, and the one place where it becomes an answer.

use std::net::IpAddr;
use std::time::Duration;

use accounts::passwords::PasswordsError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use blueprint::Slug;
use jiff::SignedDuration;
use serde::Serialize;
use usage::TreasuryError;
use web::Problem;

use crate::cluster::ClusterError;
use crate::domain::id::PlatformId;
use crate::domain::page::NoPage;
use crate::domain::policy::Barred;
use crate::domain::scope::Scope;
use crate::domain::ticket::{MOST_MADE, MOST_OPEN, Refusal};
use crate::tickets::TicketError;

/// What a handler gives back.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything a handler can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No key, or none that is good.
    #[error("no good key")]
    NoKey,
    /// Nobody is signed in; where they wanted to go.
    #[error("nobody is signed in")]
    SignInFirst(String),
    /// Their organization needs them to set up a second factor; where they wanted to go.
    #[error("no second factor")]
    SecondFactorFirst(String),
    /// Their organization has them come by its single sign-on; where they wanted to go.
    #[error("not by single sign-on")]
    SingleSignOnFirst(Slug, String),
    /// Their organization lets nobody in from there.
    #[error("not from {0}")]
    NotFromHere(IpAddr),
    /// Their organization has keys end earlier.
    #[error("the key is too old")]
    OldKey,
    /// What they ask of those who come in would keep themselves out.
    #[error("it would shut out who asks it: {0:?}")]
    ShutsYouOut(Barred),
    /// Members come by single sign-on alone, so it stays.
    #[error("single sign-on is the only way in")]
    OnlyWayIn,
    /// They have a passkey, and an organization of theirs asks for more than a password; where to go then.
    #[error("no passkey was shown")]
    PasskeyFirst(String),
    /// They are the last owner, and somebody has to be it.
    #[error("the last owner")]
    LastOwner,
    /// Whom to invite is here already.
    #[error("a member already")]
    IsMember,
    /// More people sign in than passwords can be looked at.
    #[error("too many people are signing in right now")]
    TooBusy,
    /// The key or the person may not do that.
    #[error("needs the scope {0}")]
    NotAllowed(Scope),
    /// Nothing of that kind under that id, or not this organization's.
    #[error("there is no such {0}")]
    Nothing(&'static str),
    /// What was sent cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// What was sent breaks rules: every one of them, each with its place.
    #[error("{} rules are broken", .0.len())]
    BreaksRules(Vec<Broken>),
    /// The name is somebody's.
    #[error("the name {0} is taken")]
    NameTaken(String),
    /// A platform of this name was deleted, and can be brought back.
    #[error("{0} is deleted")]
    IsDeleted(PlatformId),
    /// An organization has no more webhooks than this.
    #[error("{0} webhooks")]
    TooManyWebhooks(i64),
    /// A webhook answered that it is there no more.
    #[error("the webhook is gone")]
    WebhookGone,
    /// It has no address yet at which somebody answers.
    #[error("the platform is not ready")]
    NotReady,
    /// It does not answer; why is the log's.
    #[error("the platform does not answer")]
    NotAnswering,
    /// It takes no grants, or not ours.
    #[error("the platform takes no grants")]
    NotTaken,
    /// Our own settings keep us from asking it: why, and what to do.
    #[error("the platform is not asked: {0}")]
    NotAsked(String),
    /// What is to be told again is still being told.
    #[error("it is still being told")]
    StillTold,
    /// An organization has no more tickets that are not closed.
    #[error("{0} tickets")]
    TooManyTickets(i64),
    /// An organization makes no more tickets within a day.
    #[error("{0} tickets within a day")]
    TooManyTicketsMade(i64),
    /// Whoever listens has as many streams as there can be, or their organization has.
    #[error("too many streams")]
    TooManyStreams,
    /// Nothing more is said in a ticket.
    #[error(transparent)]
    Ticket(#[from] Refusal),
    /// It is being stopped, and comes back when it has.
    #[error("it is still going")]
    StillGoing,
    /// Too many were deleted of late; until another one can be.
    #[error("too many were deleted")]
    TooManyDeleted(SignedDuration),
    /// The organization asks more than there is for each; until it may ask again.
    #[error("too many requests")]
    TooMuch(Duration),
    /// It was changed since it was seen.
    #[error("changed meanwhile")]
    Changed,
    /// Whoever changes it has to say which state was seen.
    #[error("no If-Match")]
    NotSeen,
    /// Somebody else writes its spec.
    #[error("its spec is written by {0}")]
    ManagedBy(String),
    /// Somebody else writes its spec, and it was asked to be otherwise: who does, and what would change.
    #[error("the spec of {platform} is written by {who}")]
    WrittenElsewhere {
        /// Which platform.
        platform: PlatformId,
        /// What its label says.
        who: String,
        /// A line for each field; none where nothing of its spec was to change.
        changes: Vec<String>,
    },
    /// The same `Idempotency-Key` came with another request.
    #[error("the idempotency key was used for another request")]
    OtherRequest,
    /// A claim that is given no lease.
    #[error("no lease: {0}")]
    NoLease(TreasuryError),
    /// More model servers tell and claim at once than there are places for.
    #[error("too many model servers at once")]
    NoPlace,
    /// The cluster does not take it.
    #[error("the cluster refuses it: {0}")]
    Refused(String),
    /// The cluster does not answer.
    #[error("the cluster does not answer: {0}")]
    NoCluster(String),
    /// The database failed.
    #[error("use the database: {0}")]
    Database(#[from] sqlx::Error),
    /// Anything else of ours.
    #[error("{0}")]
    Internal(String),
}

/// A rule that a blueprint breaks.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Broken {
    /// Where, such as `spec.domains[0]`.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl From<NoPage> for Error {
    fn from(error: NoPage) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl From<PasswordsError> for Error {
    fn from(error: PasswordsError) -> Self {
        match error {
            PasswordsError::Busy => Self::TooBusy,
            broken @ PasswordsError::Failed(_) => Self::Internal(broken.to_string()),
        }
    }
}

impl From<pages::RenderError> for Error {
    fn from(error: pages::RenderError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<TicketError> for Error {
    fn from(error: TicketError) -> Self {
        match error {
            TicketError::Nothing => Self::Nothing("ticket"),
            TicketError::TooMany => Self::TooManyTickets(MOST_OPEN),
            TicketError::TooManyMade => Self::TooManyTicketsMade(MOST_MADE),
            TicketError::Refused(why) => Self::Ticket(why),
            TicketError::Database(error) => Self::Database(error),
        }
    }
}

impl From<ClusterError> for Error {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::Taken => Self::Internal("a blueprint is there that is nobody's".into()),
            ClusterError::Missing => Self::Nothing("platform"),
            ClusterError::Changed => Self::Changed,
            ClusterError::ManagedBy(who) => Self::ManagedBy(who),
            ClusterError::Refused(why) => Self::Refused(why),
            ClusterError::Unavailable(why) => Self::NoCluster(why),
        }
    }
}

impl Error {
    /// Why, and what to do: as people read it.
    pub fn detail(&self) -> String {
        self.problem().detail.unwrap_or_default()
    }

    fn problem(&self) -> Problem {
        let new = Problem::new;
        match self {
            Self::NoKey => new(
                StatusCode::UNAUTHORIZED,
                "no-key",
                "This needs a key that is good.",
            )
            .detail(
                "Send one as `Authorization: Bearer KEY`. It may have ended or been taken back.",
            ),
            Self::NotAllowed(scope) => new(
                StatusCode::FORBIDDEN,
                "not-allowed",
                "You may not do that.",
            )
            .detail(format!(
                "It needs the scope {scope}: of a key that has it, or a person whose role has it."
            )),
            Self::Nothing(what) => {
                Problem::not_found("not-found", format!("There is no such {what}."))
                    .detail("It may have been removed, or it belongs to somebody else.")
            }
            Self::Unreadable(why) => {
                Problem::bad_request("unreadable", "This could not be read.").detail(why.as_str())
            }
            Self::BreaksRules(rules) => {
                let lines: Vec<_> =
                    rules.iter().map(|rule| format!("{}: {}", rule.path, rule.message)).collect();
                let title = "The blueprint breaks rules. Nothing was done.";
                new(StatusCode::UNPROCESSABLE_ENTITY, "breaks-rules", title)
                    .detail(lines.join("\n"))
            }
            Self::NameTaken(name) => new(StatusCode::CONFLICT, "name-taken", "This name is taken.")
                .detail(format!("Another platform is called {name}. Choose another name.")),
            Self::Changed => {
                let title = "It was changed meanwhile. Nothing was done.";
                new(StatusCode::PRECONDITION_FAILED, "changed", title)
                    .detail("Look at how it is now, and decide again.")
            }
            Self::NotSeen => {
                let title = "Which state is to be changed was not said. Nothing was done.";
                new(StatusCode::PRECONDITION_REQUIRED, "no-if-match", title)
                    .detail("Send the `ETag` that the blueprint came with as `If-Match`.")
            }
            Self::ManagedBy(who) => {
                let title = "This platform's blueprint is written by somebody else.";
                new(StatusCode::CONFLICT, "managed-elsewhere", title)
                    .detail(format!("Its label soulfra.io/managed-by says {who}: change it there."))
            }
            Self::WrittenElsewhere { platform, who, changes } => {
                let title = "This platform's blueprint is written by somebody else.";
                let mut lines = vec![format!(
                    "Nothing was done. Its label soulfra.io/managed-by says {who}: change it there, or have \
                     it be written here from now on: POST /v1/platforms/{platform}/claim, with the `ETag` \
                     of its blueprint as `If-Match`."
                )];
                lines.extend(changes.iter().cloned());
                new(StatusCode::CONFLICT, "managed-elsewhere", title).detail(lines.join("\n"))
            }
            Self::TooMuch(wait) => {
                let title = "Your organization asks more than there is for each at the moment.";
                new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", title)
                    .detail("Nothing was done. `RateLimit` says in each answer how much is left.")
                    .retry_after(wait.as_secs() + 1)
            }
            Self::OtherRequest => {
                let title = "This Idempotency-Key came with another request before.";
                new(StatusCode::CONFLICT, "other-request", title)
                    .detail("Send each request with a key of its own. Nothing was done.")
            }
            Self::Refused(why) => {
                new(StatusCode::UNPROCESSABLE_ENTITY, "refused", "The cluster does not take this.")
                    .detail(why.as_str())
            }
            Self::NoCluster(_) => {
                let title = "The cluster does not answer at the moment.";
                new(StatusCode::SERVICE_UNAVAILABLE, "no-cluster", title)
                    .detail("Platforms go on as they are. Try again with the same Idempotency-Key.")
                    .retry_after(5)
            }
            Self::Database(error) if is_away(error) => {
                let title = "The control plane's database does not answer at the moment.";
                new(StatusCode::SERVICE_UNAVAILABLE, "no-database", title)
                    .detail("Platforms go on as they are. Try again with the same Idempotency-Key.")
                    .retry_after(5)
            }
            error => {
                let known = error.of_people().or_else(|| error.of_deletions());
                let known = known.or_else(|| error.of_webhooks()).or_else(|| error.of_policies());
                let known = known.or_else(|| error.of_tickets());
                let known = known.or_else(|| error.of_model_servers());
                let known = known.or_else(|| error.of_grants());
                known.unwrap_or_else(Problem::internal)
            }
        }
    }

    fn of_people(&self) -> Option<Problem> {
        let new = Problem::new;
        Some(match self {
            Self::SignInFirst(_) => new(StatusCode::UNAUTHORIZED, "sign-in", "Sign in first."),
            Self::SecondFactorFirst(_) => {
                let title = "Set up a second factor first.";
                new(StatusCode::FORBIDDEN, "second-factor", title)
                    .detail("The organization asks it of all members: your account's page has it.")
            }
            Self::LastOwner => new(StatusCode::CONFLICT, "last-owner", "This is the last owner.")
                .detail("Somebody has to own the organization: make somebody else an owner first."),
            Self::IsMember => {
                new(StatusCode::CONFLICT, "is-member", "Somebody of this address is a member.")
                    .detail("Nothing was sent. Change what they are in the list of people.")
            }
            Self::TooBusy => {
                let title = "Too many people are signing in right now.";
                new(StatusCode::SERVICE_UNAVAILABLE, "too-busy", title)
                    .detail("Try again in a moment. Nothing was done.")
                    .retry_after(5)
            }
            _ => return None,
        })
    }

    fn of_policies(&self) -> Option<Problem> {
        let new = Problem::new;
        Some(match self {
            Self::SingleSignOnFirst(..) => {
                let title = "Sign in with your company first.";
                new(StatusCode::FORBIDDEN, "single-sign-on", title)
                    .detail("The organization has its members come by its own single sign-on.")
            }
            Self::NotFromHere(from) => {
                let title = "The organization lets nobody in from this address.";
                new(StatusCode::FORBIDDEN, "address", title).detail(format!(
                    "You come from {from}. Come from one of its own networks, or ask an owner to add \
                     this address to its settings."
                ))
            }
            Self::OldKey => {
                let title = "This key is too old for its organization.";
                new(StatusCode::UNAUTHORIZED, "key-too-old", title)
                    .detail("It has all keys end after so many days. Make a new one.")
            }
            Self::ShutsYouOut(barred) => {
                let title = "This would shut you out yourself. Nothing was changed.";
                let detail = match barred {
                    Barred::Address => "You come from an address that is not in allowedAddresses.",
                    Barred::OldKey => "Your key is older than that: make a new one first.",
                    _ => {
                        "That members come by single sign-on alone is said by an owner who is signed \
                         in by it in the console: then it is known to work."
                    }
                };
                new(StatusCode::CONFLICT, "shuts-you-out", title).detail(detail)
            }
            Self::OnlyWayIn => {
                let title = "Members come in by single sign-on alone. Nothing was changed.";
                new(StatusCode::CONFLICT, "only-way-in", title)
                    .detail("Let them come in otherwise first: singleSignOnOnly of the policy.")
            }
            Self::PasskeyFirst(_) => {
                let title = "Sign in with your passkey first.";
                new(StatusCode::FORBIDDEN, "passkey", title)
                    .detail("An organization of yours asks for more than a password.")
            }
            _ => return None,
        })
    }

    fn of_model_servers(&self) -> Option<Problem> {
        let new = Problem::new;
        Some(match self {
            Self::NoLease(why) => {
                let (title, detail) = match why {
                    TreasuryError::Ended => (
                        "This holding has ended.",
                        "It was not renewed in time. What it spent counts by its records: begin another one.",
                    ),
                    TreasuryError::Stale => (
                        "A later claim of this holding was answered already.",
                        "Nothing was done. Number the next claim above all before it.",
                    ),
                    TreasuryError::Currency => (
                        "The tenant's budget is in another currency.",
                        "Nothing was leased. State its budget and the prices of its models in one currency.",
                    ),
                    TreasuryError::Unreachable(_) => return None,
                };
                new(StatusCode::CONFLICT, why.code()?, title).detail(detail)
            }
            Self::NoPlace => {
                let title = "Too many model servers are being heard right now.";
                new(StatusCode::SERVICE_UNAVAILABLE, "too-busy", title)
                    .detail("Nothing was done. Send the same again in a moment.")
                    .retry_after(1)
            }
            _ => return None,
        })
    }

    fn of_grants(&self) -> Option<Problem> {
        let new = Problem::new;
        Some(match self {
            Self::NotReady => {
                let title = "Nobody answers at this platform yet.";
                new(StatusCode::CONFLICT, "not-ready", title).detail(
                    "It is on its way, stopped or being deleted. Try again once it is ready.",
                )
            }
            Self::NotAnswering => {
                let title = "The platform does not answer at the moment.";
                new(StatusCode::SERVICE_UNAVAILABLE, "platform-not-answering", title)
                    .detail(
                        "One that sleeps takes a few seconds to wake up. Try again in a moment.",
                    )
                    .retry_after(5)
            }
            Self::NotTaken => {
                let title = "The platform takes no grants of this control plane.";
                new(StatusCode::CONFLICT, "grant-not-taken", title).detail(
                    "Whoever runs the cluster has to name the keys of this control plane in the operator's \
                     settings (controlPlane.grants): platforms know them a minute later. Where they are \
                     named, the clocks of both machines have to agree: a grant is good for a minute.",
                )
            }
            Self::NotAsked(why) => {
                let title = "This control plane does not ask the platform for a link.";
                new(StatusCode::CONFLICT, "platform-not-asked", title).detail(why.as_str())
            }
            _ => return None,
        })
    }

    fn of_webhooks(&self) -> Option<Problem> {
        let new = Problem::new;
        Some(match self {
            Self::TooManyWebhooks(most) => {
                let title = "There are as many webhooks as there can be.";
                new(StatusCode::CONFLICT, "too-many-webhooks", title)
                    .detail(format!("An organization has {most} at most: delete one first."))
            }
            Self::WebhookGone => {
                let title = "This webhook is told nothing any more.";
                new(StatusCode::CONFLICT, "webhook-gone", title)
                    .detail("It answered that it is there no more (410). Make a new one.")
            }
            Self::TooManyStreams => {
                let title = "There are as many streams of events as there can be.";
                new(StatusCode::TOO_MANY_REQUESTS, "too-many-streams", title)
                    .detail(
                        "Of each person or key there are 20 at once, of an organization 300: end one, or \
                         listen to all platforms by one (GET /v1/events).",
                    )
                    .retry_after(60)
            }
            Self::StillTold => new(StatusCode::CONFLICT, "still-told", "This is still being told.")
                .detail(
                    "It is tried again by itself; replay it once it was delivered or has failed.",
                ),
            _ => return None,
        })
    }

    fn of_tickets(&self) -> Option<Problem> {
        let new = Problem::new;
        Some(match self {
            Self::TooManyTickets(most) => {
                let title = "There are as many tickets as there can be.";
                new(StatusCode::CONFLICT, "too-many-tickets", title).detail(format!(
                    "An organization has {most} at most that are not closed: close one that is settled."
                ))
            }
            Self::TooManyTicketsMade(most) => {
                let title = "Too many tickets were made within a day.";
                new(StatusCode::TOO_MANY_REQUESTS, "too-many-tickets-made", title)
                    .detail(format!(
                        "An organization makes {most} at most within 24 hours. Say it in one there is, or \
                         try again later. Nothing was done."
                    ))
                    .retry_after(3_600)
            }
            Self::Ticket(Refusal::Full) => new(
                StatusCode::CONFLICT,
                "ticket-full",
                "Nothing more can be said in this ticket.",
            )
            .detail(
                "It has 200 messages, and no ticket has more. Make a new one, and name this one.",
            ),
            Self::Ticket(Refusal::Over) => {
                new(StatusCode::CONFLICT, "ticket-over", "This ticket stays closed.").detail(
                    "It was closed more than 30 days ago. Make a new one, and name this one.",
                )
            }
            _ => return None,
        })
    }

    fn of_deletions(&self) -> Option<Problem> {
        let new = Problem::new;
        Some(match self {
            Self::IsDeleted(id) => {
                let title = "A platform of this name was deleted, and its data is kept.";
                new(StatusCode::CONFLICT, "is-deleted", title)
                    .detail(format!("Bring it back: POST /v1/platforms/{id}/undelete."))
            }
            Self::StillGoing => {
                let title = "It is still being stopped. Nothing was done.";
                new(StatusCode::CONFLICT, "still-going", title)
                    .detail("Try again in a moment: it comes back once it has stopped.")
                    .retry_after(2)
            }
            Self::TooManyDeleted(wait) => {
                let title = "Too many platforms were deleted of late. Nothing was done.";
                let minutes = (wait.as_secs() + 59) / 60;
                new(StatusCode::TOO_MANY_REQUESTS, "mass-deletion", title)
                    .detail(format!(
                        "Five in a hundred can be deleted in an hour, and a few in any case, so that a \
                         mistake stops here. The next one in {minutes} minutes; those that were deleted \
                         can be brought back."
                    ))
                    .retry_after(wait.as_secs().unsigned_abs().max(1))
            }
            _ => return None,
        })
    }
}

/// As a part of a query.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Whether it is not there just now, and nothing of ours is wrong.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        // Starting, stopping, out of connections, read-only, too slow, held up.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            ["57P01", "57P02", "57P03", "53300", "25006", "57014", "55P03"].contains(&&*code)
                || code.starts_with("08")
        }),
        _ => false,
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if let Self::Database(_) | Self::Internal(_) | Self::NoCluster(_) = &self {
            tracing::error!("could not serve: {self}");
        }
        if let Self::SignInFirst(next) = &self {
            return Redirect::to(&format!("/signin?next={}", encoded(next))).into_response();
        }
        if let Self::SecondFactorFirst(next) = &self {
            let to = format!("/account/second-factor?next={}", encoded(next));
            return Redirect::to(&to).into_response();
        }
        if let Self::SingleSignOnFirst(slug, next) = &self {
            let to = format!("/signin/company?who={slug}&next={}", encoded(next));
            return Redirect::to(&to).into_response();
        }
        if let Self::PasskeyFirst(next) = &self {
            let to = format!("/signin/passkey?next={}", encoded(next));
            return Redirect::to(&to).into_response();
        }
        let mut response = self.problem().into_response();
        if let Self::NoKey | Self::OldKey = self {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

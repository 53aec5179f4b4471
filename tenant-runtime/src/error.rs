//! What can go wrong while serving, and the one place where it becomes an answer.

use accounts::Permission;
use accounts::passwords::PasswordsError;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use web::Problem;

/// What a handler gives back.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything a handler can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing of that kind under that name, or not this person's.
    #[error("there is no such {0}")]
    Nothing(&'static str),
    /// Only for people who are signed in; where they wanted to go.
    #[error("sign in first")]
    SignInFirst(String),
    /// Signed in, but not allowed.
    #[error("needs the permission {0:?}")]
    NotAllowed(Permission),
    /// What was sent cannot be used; the text is for the person.
    #[error("{0}")]
    Unusable(String),
    /// The address or the form could not be read; with this status.
    #[error("unreadable: {0}")]
    Unreadable(StatusCode),
    /// It collides with something that happened meanwhile; the text is for the person.
    #[error("{0}")]
    Conflict(String),
    /// Too often; try again after so many seconds.
    #[error("too many tries")]
    TooOften(u64),
    /// Too many people at once for a costly step; nothing was done.
    #[error("too busy")]
    TooBusy,
    /// A grant that is not good; why is the log's.
    #[error("a grant was refused")]
    BadGrant,
    /// The database failed.
    #[error("use the database: {0}")]
    Database(#[from] sqlx::Error),
    /// A page could not be made.
    #[error("render a page: {0}")]
    Page(#[from] pages::RenderError),
    /// Anything else of ours.
    #[error("{0:#}")]
    Internal(#[from] anyhow::Error),
}

impl From<PasswordsError> for Error {
    fn from(error: PasswordsError) -> Self {
        match error {
            PasswordsError::Busy => Self::TooBusy,
            broken @ PasswordsError::Failed(_) => Self::Internal(broken.into()),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let problem = match self {
            Self::SignInFirst(next) => {
                let mut query = url::form_urlencoded::Serializer::new(String::new());
                query.append_pair("next", &next);
                return Redirect::to(&format!("/signin?{}", query.finish())).into_response();
            }
            Self::Nothing(what) => {
                Problem::not_found("not-found", format!("There is no such {what}."))
                    .detail("It may have been removed, or it belongs to somebody else.")
            }
            Self::NotAllowed(_) => {
                Problem::new(StatusCode::FORBIDDEN, "not-allowed", "Your role does not allow this.")
                    .detail("Ask an admin of this platform.")
            }
            Self::Unusable(text) => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unusable", text)
            }
            Self::Unreadable(status @ StatusCode::PAYLOAD_TOO_LARGE) => {
                Problem::new(status, "too-large", "This is more than can be sent at once.")
                    .detail("Send it in parts.")
            }
            Self::Unreadable(status @ StatusCode::METHOD_NOT_ALLOWED) => {
                Problem::new(status, "not-here", "That cannot be done at this address.")
            }
            Self::Unreadable(status) => {
                Problem::new(status, "unreadable", "This could not be read.")
                    .detail("Something in the address or in the form is not as it should be.")
            }
            Self::Conflict(text) => Problem::new(StatusCode::CONFLICT, "conflict", text),
            Self::TooOften(seconds) => {
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-often", "Too many tries in a row.")
                    .detail(format!("Wait {seconds} seconds and try again."))
                    .retry_after(seconds)
            }
            Self::TooBusy => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Too many people are signing in right now.",
            )
            .detail("Wait a few seconds and try again.")
            .retry_after(5),
            // Not a word more: whoever forges one is not to learn how far they came.
            Self::BadGrant => {
                Problem::new(StatusCode::FORBIDDEN, "grant-refused", "This grant is not taken.")
            }
            Self::Database(_) | Self::Page(_) | Self::Internal(_) => {
                tracing::error!("could not serve: {self}");
                Problem::internal()
            }
        };
        problem.into_response()
    }
}

//! How Stripe says no.

use serde_json::{Value, json};

use crate::value::Fields;

/// An error in Stripe's shape, and the status it comes with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    message: String,
    param: Option<String>,
    // A list and no map: most refusals have none, and each answer is as large as a refusal may be.
    more: Vec<(&'static str, Value)>,
    /// Whether an idempotency key remembers it: only where the endpoint had begun.
    pub(crate) begun: bool,
}

impl Refusal {
    fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        let (code, param, more) = (None, None, Vec::new());
        Self { status, kind, code, message: message.into(), param, more, begun: true }
    }

    /// The request cannot be done as it is.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    /// What the simulator does not do, though Stripe may: never passed over in silence.
    pub(crate) fn not_simulated(what: &str) -> Self {
        let message = format!("stripe-sim does not do this: {what}. Stripe may.");
        Self::new(501, "api_error", message).unbegun()
    }

    pub(crate) fn missing(object: &str, id: &str, param: &str) -> Self {
        let words = object.replace(['_', '.'], " ");
        Self::new(404, "invalid_request_error", format!("No such {words}: '{id}'"))
            .code("resource_missing")
            .param(param)
    }

    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, "invalid_request_error", message).unbegun()
    }

    pub(crate) fn no_access(account: &str) -> Self {
        let message = format!(
            "The provided key does not have access to account '{account}' (or that account does \
             not exist). Application access may have been revoked."
        );
        Self::new(403, "invalid_request_error", message).code("account_invalid").unbegun()
    }

    pub(crate) fn no_url(method: &str, path: &str) -> Self {
        let message = format!("Unrecognized request URL ({method}: {path}).");
        Self::new(404, "invalid_request_error", message).unbegun()
    }

    pub(crate) fn too_many() -> Self {
        let message = "Request rate limit exceeded. Learn more about rate limits here \
                       https://stripe.com/docs/rate-limits.";
        Self::new(429, "invalid_request_error", message).code("rate_limit").unbegun()
    }

    pub(crate) fn locked() -> Self {
        let message = "This object cannot be accessed right now because another API request or \
                       Stripe process is currently accessing it. If you see this error \
                       intermittently, retry the request.";
        Self::new(429, "invalid_request_error", message).code("lock_timeout").unbegun()
    }

    pub(crate) fn broken() -> Self {
        let message = "An unknown error occurred while processing the request. Simulated.";
        Self::new(500, "api_error", message)
    }

    pub(crate) fn key_in_use(key: &str) -> Self {
        let message = format!(
            "There is currently another in-progress request using this Idempotent Key (that \
             probably means you submitted twice, and the other request is still going through): \
             {key}. Please try again later."
        );
        Self::new(409, "idempotency_error", message).code("idempotency_key_in_use").unbegun()
    }

    pub(crate) fn key_reused(key: &str, what: &str) -> Self {
        let message = format!(
            "Keys for idempotent requests can only be used {what} they were first used with. Try \
             using a key other than '{key}' if you meant to execute a different request."
        );
        Self::new(400, "idempotency_error", message).unbegun()
    }

    /// A card said no; `payment_intent` and `charge` are told by whoever has them.
    pub(crate) fn card(code: &'static str, decline: &str, message: &str) -> Self {
        Self::new(402, "card_error", message).code(code).with("decline_code", json!(decline))
    }

    pub(crate) fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    pub(crate) fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: Value) -> Self {
        self.more.push((name, value));
        self
    }

    /// Found before the endpoint began: the key stays free.
    pub(crate) fn unbegun(mut self) -> Self {
        self.begun = false;
        self
    }

    /// The error object, without the envelope.
    pub(crate) fn error(&self) -> Value {
        let more = self.more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let mut error: Fields = more.collect();
        error.insert("type".into(), json!(self.kind));
        error.insert("message".into(), json!(self.message));
        if let Some(code) = self.code {
            error.insert("code".into(), json!(code));
            let url = format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-"));
            error.insert("doc_url".into(), json!(url));
        }
        if let Some(param) = &self.param {
            error.insert("param".into(), json!(param));
        }
        Value::Object(error)
    }

    pub(crate) fn body(&self) -> Value {
        json!({ "error": self.error() })
    }
}

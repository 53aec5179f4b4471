//! The simulator as its owner holds it, and what becomes of a request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::call::Call;
use crate::faults::{Fault, RequestFaults, WebhookFaults};
use crate::keys::{Answered, Asked};
use crate::parameters::PARAMETERS;
use crate::refusal::Refusal;
use crate::settings::{Limits, Settings};
use crate::state::{API_VERSION, PLATFORM, State};
use crate::value::{Fields, Read, told};
use crate::{expand, form, operations};

/// A Stripe. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Sim {
    pub(crate) state: Arc<Mutex<State>>,
    gate: watch::Sender<u64>,
    pub(crate) client: reqwest::Client,
}

/// A request to the API.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, `POST`, `DELETE`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// The query, as it came.
    pub query: String,
    /// The body, as it came.
    pub body: Vec<u8>,
    /// `Authorization`.
    pub authorization: Option<String>,
    /// `Stripe-Account`.
    pub account: Option<String>,
    /// `Idempotency-Key`.
    pub key: Option<String>,
    /// `Stripe-Version`.
    pub version: Option<String>,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// An answer.
    Sent {
        /// The status.
        status: u16,
        /// The JSON.
        body: Value,
        /// Stripe's own headers.
        headers: Vec<(&'static str, String)>,
    },
    /// The connection closes without one.
    Cut,
}

/// A request that was understood, before it is done.
struct Understood {
    operation: &'static str,
    account: String,
    places: Vec<String>,
    given: Fields,
    expand: Vec<String>,
    key: Option<String>,
    asked: Asked,
}

enum Next {
    /// Nothing is left to do.
    Answer(Answer),
    /// It is to be done, or not, with this fault.
    Do(Understood, Option<Fault>),
}

impl Sim {
    /// A simulator in which nothing has happened yet.
    pub fn new(settings: Settings) -> Self {
        let (gate, _) = watch::channel(0);
        Self {
            state: Arc::new(Mutex::new(State::new(settings))),
            gate,
            client: crate::webhooks::client(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next request that does this operation gets this fault.
    pub fn fault(&self, operation: &str, fault: Fault) {
        self.lock().faults.ask(operation, fault);
    }

    /// What goes wrong by chance from now on.
    pub fn faults(&self, requests: RequestFaults, webhooks: WebhookFaults) {
        let mut state = self.lock();
        state.faults.often = requests;
        state.deliveries.faults = webhooks;
    }

    /// How many requests and how many deliveries went wrong by now, as was asked or by chance.
    pub fn went_wrong(&self) -> (u64, u64) {
        let state = self.lock();
        (state.faults.came, state.deliveries.went_wrong)
    }

    /// How much may be asked from now on.
    pub fn limits(&self, limits: Limits) {
        self.lock().settings.limits = limits;
    }

    /// Lets those requests go on that were held.
    pub fn let_go(&self) {
        self.gate.send_modify(|opened| *opened += 1);
    }

    /// The id of the account that the secret key belongs to.
    pub fn platform(&self) -> &'static str {
        PLATFORM
    }

    /// Where pages for people are: known once somebody listens.
    pub fn pages_are_at(&self, url: &str) {
        url.clone_into(&mut self.lock().settings.pages);
    }

    /// Does a request, whoever asks.
    pub async fn request(&self, request: Request) -> Answer {
        let mut gate = self.gate.subscribe();
        let id = self.lock().id("req");
        let next = self.begin(&request, &id);
        let (understood, fault) = match next {
            Ok(Next::Answer(answer)) => return answer,
            Ok(Next::Do(understood, fault)) => (understood, fault),
            Err(refusal) => return refused(&refusal, &id),
        };
        if fault == Some(Fault::Held) {
            // The other end is here as long as this is.
            let _ = gate.changed().await;
        }
        self.carry_out(understood, fault, &id)
    }

    /// Everything that comes before an operation begins.
    fn begin(&self, request: &Request, id: &str) -> Result<Next, Refusal> {
        let mut state = self.lock();
        let account = allowed(&state, request)?;
        let method = request.method.to_lowercase();
        let found = PARAMETERS.find(&method, &request.path);
        let no_url = || Refusal::no_url(&request.method, &request.path);
        let (operation, places) = found.ok_or_else(no_url)?;
        let now = state.now;
        let limits = state.settings.limits.clone();
        if let Some(reason) = state.buckets.refuse(&limits, operation, now) {
            return Ok(Next::Answer(rate_limited(id, reason)));
        }
        let fault = state.faults.next(operation);
        let is_at_once =
            matches!(fault, Some(Fault::RateLimited | Fault::CutBefore | Fault::LockTimeout));
        state.faults.came += u64::from(is_at_once);
        match fault {
            Some(Fault::RateLimited) => {
                return Ok(Next::Answer(rate_limited(id, "endpoint-rate")));
            }
            Some(Fault::CutBefore) => return Ok(Next::Answer(Answer::Cut)),
            Some(Fault::LockTimeout) => return Err(Refusal::locked()),
            _ => {}
        }
        let mut given = parameters(operation, request)?;
        let parameters = Value::Object(given.clone());
        let expand = given.remove("expand").unwrap_or_default();
        let expand = expand.as_array().into_iter().flatten();
        let expand = expand.filter_map(Value::as_str).map(str::to_owned).collect();
        // Of anything but POST a key has no effect.
        let key = request.key.clone().filter(|_| method == "post");
        let asked = Asked { endpoint: request.path.clone(), parameters };
        if let Some(key) = &key {
            check_length(key)?;
            if let Some(answered) = state.keys.take(&account, key, &asked, now)? {
                return Ok(Next::Answer(replayed(answered, id, key)));
            }
        }
        let understood = Understood { operation, account, places, given, expand, key, asked };
        Ok(Next::Do(understood, fault))
    }

    /// Does it, and keeps the answer under its key.
    fn carry_out(&self, understood: Understood, fault: Option<Fault>, id: &str) -> Answer {
        let Understood { operation, account, places, given, expand, key, asked } = understood;
        let mut state = self.lock();
        state.faults.came += u64::from(fault.is_some());
        state.asking = (Some(id.to_owned()), key.clone());
        let mut outcome = if fault == Some(Fault::ErrorBefore) {
            Err(Refusal::broken())
        } else {
            let mut call = Call::new(&mut state, &account, &asked.endpoint, places, given);
            operations::run(operation, &mut call)
        };
        state.asking = (None, None);
        if fault == Some(Fault::ErrorAfter) {
            outcome = Err(Refusal::broken());
        }
        let outcome = outcome.and_then(|mut object| {
            for path in &expand {
                expand::expand(&state, &account, &mut object, path)?;
            }
            Ok(told(&object))
        });
        let (status, body, begun) = match outcome {
            Ok(body) => (200, body, true),
            Err(refusal) => (refusal.status, told(&refusal.body()), refusal.begun),
        };
        let mut headers = headers(id);
        if let Some(key) = key {
            if begun {
                let request = id.to_owned();
                let answered = Answered { status, body: body.clone(), request };
                state.keys.keep(&account, &key, answered);
            } else {
                state.keys.let_go(&account, &key);
            }
            headers.push(("Idempotency-Key", key));
            headers.push(("Original-Request", id.to_owned()));
        }
        if fault == Some(Fault::CutAfter) {
            return Answer::Cut;
        }
        Answer::Sent { status, body, headers }
    }
}

/// Whose books the request may see.
fn allowed(state: &State, request: &Request) -> Result<String, Refusal> {
    let authorization = request.authorization.as_deref().unwrap_or_default();
    let key = match authorization.split_once(' ') {
        Some(("Bearer", key)) => key.to_owned(),
        Some(("Basic", encoded)) => crate::http::user_of(encoded),
        _ => {
            let message = "You did not provide an API key. You need to provide your API key in the \
                           Authorization header, using Bearer auth.";
            return Err(Refusal::unauthorized(message));
        }
    };
    if key != state.settings.secret_key {
        let end: String = key.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
        return Err(Refusal::unauthorized(format!("Invalid API Key provided: ****{end}")));
    }
    if let Some(version) = &request.version
        && version != API_VERSION
    {
        let message = format!("Invalid Stripe API version: {version}; this speaks {API_VERSION}");
        return Err(Refusal::invalid(message).unbegun());
    }
    match &request.account {
        Some(account) if account == PLATFORM => Ok(account.clone()),
        Some(account) if state.look(PLATFORM, "account", account).is_some() => Ok(account.clone()),
        Some(account) => Err(Refusal::no_access(account)),
        None => Ok(PLATFORM.to_owned()),
    }
}

fn parameters(operation: &str, request: &Request) -> Result<Fields, Refusal> {
    let wrong = |name: String| {
        Refusal::invalid(format!("Invalid parameter name: {name}")).param(name).unbegun()
    };
    let mut form = form::parse(request.query.as_bytes()).map_err(wrong)?;
    form.extend(form::parse(&request.body).map_err(wrong)?);
    PARAMETERS.check(operation, form)
}

fn check_length(key: &str) -> Result<(), Refusal> {
    if key.is_empty() || key.len() > 255 {
        let message = "Idempotency keys are from 1 to 255 characters long";
        return Err(Refusal::invalid(message).unbegun());
    }
    Ok(())
}

fn headers(id: &str) -> Vec<(&'static str, String)> {
    vec![("Request-Id", id.to_owned()), ("Stripe-Version", API_VERSION.to_owned())]
}

fn replayed(answered: Answered, id: &str, key: &str) -> Answer {
    let Answered { status, body, request } = answered;
    let mut headers = headers(id);
    headers.push(("Idempotent-Replayed", "true".to_owned()));
    headers.push(("Idempotency-Key", key.to_owned()));
    headers.push(("Original-Request", request));
    Answer::Sent { status, body, headers }
}

fn rate_limited(id: &str, reason: &str) -> Answer {
    let mut headers = headers(id);
    headers.push(("Stripe-Rate-Limited-Reason", reason.to_owned()));
    Answer::Sent { status: 429, body: Refusal::too_many().body(), headers }
}

fn refused(refusal: &Refusal, id: &str) -> Answer {
    Answer::Sent { status: refusal.status, body: refusal.body(), headers: headers(id) }
}

impl Answer {
    /// The body where the request was done; tests read on from there.
    pub fn body(&self) -> Value {
        match self {
            Self::Sent { body, .. } => body.clone(),
            Self::Cut => json!(null),
        }
    }

    /// The status, where there is one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Sent { status, .. } => Some(*status),
            Self::Cut => None,
        }
    }

    /// The code of an error.
    pub fn code(&self) -> String {
        self.body()["error"].text("code").to_owned()
    }
}

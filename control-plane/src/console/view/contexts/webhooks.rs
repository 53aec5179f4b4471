//! Webhooks, and what one was told.

use jiff::Timestamp;
use pages::parts::{Field, Pagination};
use serde::Serialize;

use crate::db::deliveries::Delivery;
use crate::db::names::Names;
use crate::db::webhooks::Known;

/// The webhooks of an organization.
#[derive(Clone, Debug, Serialize)]
pub struct Webhooks {
    /// Why none was made.
    pub refused: Option<String>,
    /// Of the one that was just made.
    pub secret: Option<String>,
    /// This page.
    pub base: String,
    /// Those there are.
    pub rows: Vec<WebhookRow>,
    /// Where the list goes on.
    pub pages: Pagination,
    /// Where a new one is.
    pub url: Field,
    /// What it is told, where nothing is ticked.
    pub unticked: &'static str,
    /// What it can be told.
    pub kinds: Vec<Field>,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct WebhookRow {
    /// Its page.
    pub base: String,
    /// Where it is.
    pub url: String,
    /// What it is told.
    pub kinds: String,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub created_at: Timestamp,
    /// How it is.
    pub state: &'static str,
    /// The same as a colour.
    pub tone: &'static str,
}

impl WebhookRow {
    /// One whose page is below this one, as it is now.
    pub fn of(known: &Known, base: &str, names: &Names, now: Timestamp) -> Self {
        let waits = known.waits_until.is_some_and(|until| until > now);
        let (state, tone) = match (known.gone_at.is_some(), waits) {
            (true, _) => ("Gone: it said so itself (410)", "danger"),
            (false, true) => ("Failed; tried again later", "warning"),
            (false, false) => ("Listens", "success"),
        };
        let kinds = match &known.kinds[..] {
            [] => "everything".to_owned(),
            kinds => kinds.join(", "),
        };
        Self {
            base: format!("{base}/{}", known.id),
            url: known.url.clone(),
            kinds,
            made_by: names.of(&known.made_by),
            created_at: known.created_at,
            state,
            tone,
        }
    }
}

/// A webhook, and what it was told.
#[derive(Clone, Debug, Serialize)]
pub struct WebhookPage {
    /// Itself.
    pub webhook: WebhookRow,
    /// Its secret that was just made.
    pub secret: Option<String>,
    /// Until then the one before signs as well.
    pub before_until: Option<Timestamp>,
    /// Why nothing is told again.
    pub refused: Option<String>,
    /// The newest first.
    pub rows: Vec<DeliveryRow>,
    /// Where the list goes on.
    pub pages: Pagination,
}

/// Something that it was told, or is to be.
#[derive(Clone, Debug, Serialize)]
pub struct DeliveryRow {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub kind: String,
    /// When it was.
    pub created_at: Timestamp,
    /// How far it is.
    pub state: &'static str,
    /// The same as a colour.
    pub tone: &'static str,
    /// Tries so far.
    pub attempts: i32,
    /// What was answered the last time, or why nothing was.
    pub answer: String,
    /// Whether it can be told again.
    pub can_replay: bool,
}

impl DeliveryRow {
    /// One of a webhook that is there, or there no more.
    pub fn of(delivery: &Delivery, is_gone: bool) -> Self {
        let (state, tone) = match delivery.state.as_str() {
            "delivered" => ("Delivered", "success"),
            "failed" => ("Failed", "danger"),
            _ => ("Waits", "primary"),
        };
        let answer = delivery.status.map(|status| status.to_string());
        Self {
            id: delivery.id.to_string(),
            kind: delivery.kind.clone(),
            created_at: delivery.created_at,
            state,
            tone,
            attempts: delivery.attempts,
            answer: answer.or_else(|| delivery.why.clone()).unwrap_or_else(|| "nothing yet".into()),
            can_replay: !is_gone && delivery.state != "waiting",
        }
    }
}

//! What pages of the console show: one typed context for each template.

mod contexts;
mod preview;
#[cfg(test)]
mod samples;

pub use contexts::{
    Account, Audit, AuditRow, Confirm, DeletedRow, DeliveryRow, Device, EventRow, FactorRow, Fleet,
    InvitationRow, KeyRow, Keys, MemberRow, MessageRow, New, NewTicket, OperationRow, Operations,
    Organizations, PasskeyRow, People, PlatformPage, PlatformRow, Policy, Provider, RecoveryCodes,
    RevisionPage, RevisionRow, Revisions, SessionRow, SetUp, TemplateRow, TicketPage, TicketRow,
    Tickets, UsageTold, WebhookPage, WebhookRow, Webhooks, domains, urgency,
};

pub use preview::{PreviewPage, Ways};

use accounts::sessions::SignedIn;
use pages::parts::{Avatar, Pagination};
use pages::{Brand, BrandInput, BuildError, Color, Engine, NavItem, Page, Person};
use serde::Serialize;

use super::told::Done;
use super::visitor::Seat;
use crate::app::App;
use crate::domain::page::Wanted;
use crate::domain::scope::Scope;

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        /// Every template of the console, by name.
        const TEMPLATES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../templates/", $name, ".hbs")))),*];
    };
}

templates! {
    "organizations", "fleet", "new", "platform", "preview", "people", "keys", "audit", "account",
    "second-factor", "recovery-codes", "passkey", "policy", "webhooks", "webhook", "confirm", "tickets",
    "ticket", "new-ticket", "operations", "revisions", "revision",
}

/// What pages are made with.
///
/// # Errors
/// A template that cannot be used.
pub fn engine() -> Result<Engine, BuildError> {
    Engine::new(TEMPLATES)
}

/// What pages look like.
pub fn brand() -> Brand {
    let (primary, accent) = (Color::rgb(29, 78, 216), Color::rgb(194, 65, 12));
    Brand::mended(BrandInput::new("Soulfra", primary, accent))
}

/// A page with its body.
pub fn page<C: Serialize>(
    app: &App,
    signed_in: Option<&SignedIn>,
    title: &str,
    body: C,
) -> Page<C> {
    let mut page = Page::new(app.brand().view(None), title, body);
    page.person = signed_in.map(|SignedIn { person, .. }| Person {
        name: person.display_name.to_string(),
        role: person.email.to_string(),
        avatar: Avatar::of(person.display_name.as_str()),
        menu: vec![
            NavItem::new("Organizations", "/", ""),
            NavItem::new("Your account", "/account", ""),
        ],
        sign_out_href: "/signout".to_owned(),
    });
    page
}

/// A page of an organization; `part` is where in it the reader is, such as `/people`.
pub fn in_organization<C: Serialize>(
    app: &App,
    seat: &Seat,
    part: &str,
    title: &str,
    body: C,
) -> Page<C> {
    let base = format!("/o/{}", seat.organization.slug);
    let title = format!("{title} · {}", seat.organization.name);
    let mut page = page(app, Some(&seat.signed_in), &title, body);
    page.flash = seat.told.0.map(Done::flash);
    let parts = [
        ("Platforms", "", Scope::PlatformsRead),
        ("People", "/people", Scope::MembersRead),
        ("Keys", "/keys", Scope::KeysWrite),
        ("Webhooks", "/webhooks", Scope::WebhooksWrite),
        ("Audit", "/audit", Scope::AuditRead),
        ("Settings", "/settings", Scope::PolicyWrite),
        ("Help", "/tickets", Scope::PlatformsRead),
    ];
    page.nav = parts
        .into_iter()
        .filter(|(_, _, scope)| seat.caller.has(*scope))
        .map(|(label, at, _)| NavItem {
            label: label.to_owned(),
            href: format!("{base}{at}"),
            current: at == part || (at.is_empty() && part == "/new"),
        })
        .collect();
    if let Some(person) = &mut page.person {
        person.role = format!("{} of {}", seat.role.title(), seat.organization.name);
    }
    page
}

/// Where a list goes on whose first page is this.
pub fn paged(base: &str, wanted: &Wanted, next: Option<String>) -> Pagination {
    Pagination {
        summary: None,
        first: wanted.after.is_some().then(|| base.to_owned()),
        next: next.map(|next| format!("{base}?after={next}")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_template_renders_each_of_its_samples_as_sound_html() {
        let engine = engine().unwrap();
        let (mut problems, mut tried) = (Vec::new(), BTreeSet::new());
        macro_rules! pages {
            ($($name:literal: $context:ty),* $(,)?) => {
                $(problems.extend(engine.try_samples::<Page<$context>>($name)); tried.insert($name);)*
            };
        }
        pages! {
            "organizations": Organizations,
            "fleet": Fleet,
            "new": New,
            "platform": PlatformPage,
            "preview": PreviewPage,
            "people": People,
            "keys": Keys,
            "audit": Audit,
            "account": Account,
            "second-factor": SetUp,
            "recovery-codes": RecoveryCodes,
            "passkey": Device,
            "policy": Policy,
            "webhooks": Webhooks,
            "webhook": WebhookPage,
            "confirm": Confirm,
            "tickets": Tickets,
            "ticket": TicketPage,
            "new-ticket": NewTicket,
            "operations": Operations,
            "revisions": Revisions,
            "revision": RevisionPage,
        }
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(tried, TEMPLATES.iter().map(|(name, _)| *name).collect());
    }
}

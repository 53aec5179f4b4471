//! One value of each context for each state it has, to try the templates with.

use jiff::Timestamp;
use pages::Sample;
use pages::parts::{EmptyState, Field, Health, Notice, Pagination, QrCode};
use uuid::Uuid;

mod history;
mod tickets;

use super::PreviewPage;
use super::contexts::{
    Account, Audit, AuditRow, Confirm, DeletedRow, DeliveryRow, Device, DomainRow, EventRow,
    FactorRow, Fleet, InvitationRow, KeyRow, Keys, MemberRow, New, OrganizationRow, Organizations,
    PasskeyRow, People, PlatformPage, PlatformRow, Policy, Provider, RecoveryCodes, RoleChoice,
    SessionRow, SetUp, TemplateRow, UsageRow, UsageTold, WebhookPage, WebhookRow, Webhooks,
};

/// What nobody should be able to break a page with.
const ODD: &str = "Ada <b>\"&' {{x}} </textarea>";
const WHEN: Timestamp = Timestamp::UNIX_EPOCH;

fn odd() -> String {
    ODD.to_owned()
}

fn empty() -> EmptyState {
    EmptyState::samples().remove(0)
}

fn paged() -> Pagination {
    Pagination::samples().pop().unwrap()
}

impl Sample for Organizations {
    fn samples() -> Vec<Self> {
        let row = OrganizationRow {
            href: "/o/acme".to_owned(),
            name: odd(),
            plan: "business".to_owned(),
            role: "Owner",
        };
        vec![Self { rows: vec![row], empty: empty() }, Self { rows: vec![], empty: empty() }]
    }
}

impl Sample for Fleet {
    fn samples() -> Vec<Self> {
        let ready = PlatformRow {
            href: "/o/acme/platforms/harbour".to_owned(),
            title: odd(),
            name: "harbour".to_owned(),
            writer: Some(odd()),
            phase: "Ready".to_owned(),
            tone: "success",
            url: Some("https://harbour.example".to_owned()),
            plan: Some("business".to_owned()),
            version: Some("1.0.0".to_owned()),
        };
        let new = PlatformRow {
            href: "/o/acme/platforms/quay".to_owned(),
            name: "quay".to_owned(),
            writer: None,
            url: None,
            plan: None,
            version: None,
            ..ready.clone()
        };
        let full = Self {
            name: odd(),
            base: "/o/acme".to_owned(),
            new_href: Some("/o/acme/new".to_owned()),
            rows: vec![ready, new],
            empty: empty(),
            pages: paged(),
        };
        vec![Self { rows: vec![], new_href: None, ..full.clone() }, full]
    }
}

impl Sample for PlatformPage {
    fn samples() -> Vec<Self> {
        let domain = DomainRow {
            name: "shop.example".to_owned(),
            state: "Served",
            record: Some(odd()),
            found: Some(odd()),
        };
        let served = DomainRow { record: None, found: None, ..domain.clone() };
        let used = UsageRow {
            day: "2026-03-01".to_owned(),
            model: odd(),
            answers: "7, 1 failed".to_owned(),
            read: 1_200,
            made: 340,
            cost: "0.000317 USD".to_owned(),
        };
        let full = Self {
            title: odd(),
            name: "harbour".to_owned(),
            base: "/o/acme/platforms/harbour".to_owned(),
            phase: "Ready".to_owned(),
            tone: "success",
            url: Some("https://harbour.example".to_owned()),
            plan: Some("business".to_owned()),
            version: Some("1.0.0".to_owned()),
            created_at: WHEN,
            running: Some(history::operation()),
            conditions: Health::samples(),
            domains: vec![domain, served],
            usage: UsageTold { budgets: vec![odd()], rows: vec![used] },
            is_there: true,
            settled: None,
            deleted: None,
            new_href: None,
            is_suspended: false,
            can_write: true,
            writer: Some(odd()),
            claim_href: None,
            release_href: Some("/o/acme/platforms/harbour/release".to_owned()),
            retry_href: Some("/o/acme/platforms/harbour/retry".to_owned()),
            help_href: Some("/o/acme/tickets/new?platform=harbour".to_owned()),
            admin_link_href: Some("/o/acme/platforms/harbour/admin-link".to_owned()),
            admin_link: Some("https://harbour.example/welcome/x".to_owned()),
            problems: vec![odd()],
            seen: Some("x-1".to_owned()),
            blueprint: Field::textarea("blueprint", "Blueprint", 24).value(ODD),
            name_field: Field::text("name", "Its name").error(Some(odd())),
        };
        let unused = UsageTold::default();
        let stopped = Self {
            is_suspended: true,
            running: None,
            admin_link: None,
            problems: vec![],
            usage: unused,
            ..full.clone()
        };
        let looked_at = Self {
            can_write: false,
            release_href: None,
            retry_href: None,
            help_href: None,
            admin_link_href: None,
            ..stopped.clone()
        };
        let elsewhere = Self {
            claim_href: Some("/o/acme/platforms/harbour/claim".to_owned()),
            ..looked_at.clone()
        };
        let new = Self {
            url: None,
            plan: None,
            version: None,
            conditions: vec![],
            domains: vec![],
            is_there: false,
            can_write: false,
            new_href: Some("/o/acme/new".to_owned()),
            seen: None,
            ..full.clone()
        };
        let going = Self { settled: Some("It is going."), can_write: false, ..full.clone() };
        let row = |can_undo| Some(DeletedRow { by: odd(), at: WHEN, can_undo });
        let deleted = Self { deleted: row(true), new_href: None, ..new.clone() };
        let seen = Self { deleted: row(false), ..deleted.clone() };
        vec![full, stopped, looked_at, elsewhere, going, new, deleted, seen]
    }
}

impl Sample for New {
    fn samples() -> Vec<Self> {
        let action = || "/o/acme/new".to_owned();
        let fields = vec![Field::text("name", "Name").error(Some(odd()))];
        let picture = Some("/brand/creator-1.svg".to_owned());
        let template = TemplateRow { title: odd(), summary: odd(), picture, shows: odd() };
        let plain = TemplateRow { picture: None, ..template.clone() };
        let text = Field::textarea("blueprint", "Blueprint", 24).value(ODD);
        vec![
            Self { templates: vec![template, plain], ..Self::first(action(), fields) },
            Self::second(action(), text.clone(), vec![odd()]),
            Self::second(action(), text, vec![]),
        ]
    }
}

impl Sample for People {
    fn samples() -> Vec<Self> {
        let choice = RoleChoice { value: "viewer", label: "Viewer", chosen: true };
        let member = MemberRow {
            id: "usr_1".to_owned(),
            name: odd(),
            email: odd(),
            role: "Owner",
            added_at: WHEN,
            roles: vec![choice],
        };
        let fixed = MemberRow { id: "usr_2".to_owned(), roles: vec![], ..member.clone() };
        let invitation = InvitationRow {
            id: "inv_1".to_owned(),
            email: odd(),
            role: "Viewer",
            made_by: odd(),
            expires_at: WHEN,
            can_revoke: true,
        };
        let kept = InvitationRow { can_revoke: false, ..invitation.clone() };
        let full = Self {
            refused: Some(odd()),
            link: Some("https://console.example/join/x".to_owned()),
            base: "/o/acme/people".to_owned(),
            rows: vec![member, fixed],
            pages: paged(),
            invitations_base: "/o/acme/invitations".to_owned(),
            invitations: vec![invitation, kept],
            fields: vec![Field::email("email", "E-mail address").error(Some(odd()))],
        };
        let bare =
            Self { refused: None, link: None, invitations: vec![], fields: vec![], ..full.clone() };
        vec![full, bare]
    }
}

impl Sample for Keys {
    fn samples() -> Vec<Self> {
        let good = KeyRow {
            id: "key_1".to_owned(),
            name: odd(),
            prefix: "abcdefgh".to_owned(),
            scopes: "audit:read".to_owned(),
            made_by: odd(),
            used_at: Some(WHEN),
            expires_at: WHEN,
            is_good: true,
            state: "Good",
        };
        let over = KeyRow { used_at: None, is_good: false, state: "Ended", ..good.clone() };
        let full = Self {
            refused: Some(odd()),
            secret: Some("soulfra_x".to_owned()),
            base: "/o/acme/keys".to_owned(),
            rows: vec![good, over],
            pages: paged(),
            name: Field::text("name", "What it is for"),
            days: Field::select("days", "It ends after", &[("90", "90 days")]),
            scopes: vec![Field::checkbox("audit:read", "See what was done", false)],
        };
        vec![Self { refused: None, secret: None, rows: vec![], ..full.clone() }, full]
    }
}

impl Sample for Webhooks {
    fn samples() -> Vec<Self> {
        let full = Self {
            refused: Some(odd()),
            secret: Some("whsec_x".to_owned()),
            base: "/o/acme/webhooks".to_owned(),
            rows: vec![webhook()],
            pages: paged(),
            url: Field::input("url", "Address", "url").error(Some(odd())),
            unticked: "All of it.",
            kinds: vec![Field::checkbox("platform.phase", "platform.phase", true)],
        };
        vec![Self { refused: None, secret: None, rows: vec![], ..full.clone() }, full]
    }
}

impl Sample for WebhookPage {
    fn samples() -> Vec<Self> {
        let failed = DeliveryRow {
            id: "dlv_1".to_owned(),
            kind: "platform.phase".to_owned(),
            created_at: WHEN,
            state: "Failed",
            tone: "danger",
            attempts: 8,
            answer: odd(),
            can_replay: true,
        };
        let waits = DeliveryRow { id: "dlv_2".to_owned(), can_replay: false, ..failed.clone() };
        let full = Self {
            webhook: webhook(),
            secret: Some("whsec_x".to_owned()),
            before_until: Some(WHEN),
            refused: Some(odd()),
            rows: vec![failed, waits],
            pages: paged(),
        };
        let (secret, before_until, refused) = (None, None, None);
        vec![Self { secret, before_until, refused, rows: vec![], ..full.clone() }, full]
    }
}

impl Sample for Confirm {
    fn samples() -> Vec<Self> {
        vec![Self {
            heading: odd(),
            text: "It is gone for ever.",
            action: "/o/acme/people/usr_1/remove".to_owned(),
            button: "Take out",
            back: "/o/acme/people".to_owned(),
        }]
    }
}

fn webhook() -> WebhookRow {
    WebhookRow {
        base: "/o/acme/webhooks/whk_1".to_owned(),
        url: "https://acme.example/told?x=1&y".to_owned(),
        kinds: "everything".to_owned(),
        made_by: odd(),
        created_at: WHEN,
        state: "Listens",
        tone: "success",
    }
}

impl Sample for Audit {
    fn samples() -> Vec<Self> {
        let row = AuditRow {
            number: 1,
            at: WHEN,
            actor: "usr_1".to_owned(),
            action: "platform.create".to_owned(),
            target: odd(),
            detail: odd(),
        };
        vec![Self { rows: vec![row], pages: paged() }, Self { rows: vec![], pages: paged() }]
    }
}

impl Sample for Account {
    fn samples() -> Vec<Self> {
        let session = |number, current| SessionRow {
            id: Uuid::from_u128(number),
            device: odd(),
            ip: "2001:db8::1".to_owned(),
            last_seen_at: WHEN,
            current,
        };
        let sessions = vec![session(1, true), session(2, false)];
        let factor = Some(FactorRow { since: WHEN, codes: 10 });
        let passkey =
            |used_at| PasskeyRow { id: Uuid::from_u128(3), name: odd(), created_at: WHEN, used_at };
        let passkeys = vec![passkey(None), passkey(Some(WHEN))];
        let event = |failures| EventRow {
            what: "Signed in",
            failures,
            device: odd(),
            ip: "192.0.2.1".to_owned(),
            at: WHEN,
        };
        let both = Self {
            name: odd(),
            email: odd(),
            factor,
            has_site: true,
            passkeys,
            sessions,
            elsewhere: true,
            events: vec![event(0), event(1), event(7)],
        };
        let (sessions, passkeys, events) = (vec![session(1, true)], vec![], vec![]);
        let bare =
            Self { factor: None, passkeys, sessions, elsewhere: false, events, ..both.clone() };
        vec![Self { has_site: false, ..bare.clone() }, bare, both]
    }
}

impl Sample for SetUp {
    fn samples() -> Vec<Self> {
        let full = Self {
            notice: Some(Notice::samples().remove(0)),
            qr: QrCode::of(ODD, "otpauth://totp/x"),
            uri: "otpauth://totp/x".to_owned(),
            secret: "GEZD GNBV".to_owned(),
            code: Field::one_time_code("code", "Code").error(Some(odd())),
            next: format!("/{ODD}"),
        };
        vec![Self { notice: None, qr: None, ..full.clone() }, full]
    }
}

impl Sample for RecoveryCodes {
    fn samples() -> Vec<Self> {
        vec![Self { codes: vec![odd(), odd()], next: format!("/{ODD}") }]
    }
}

impl Sample for Policy {
    fn samples() -> Vec<Self> {
        let select = Field::select("second_factor", "A second factor", &[("optional", "x")]);
        let networks = Field::textarea("allowed_addresses", "Networks", 3).value(odd());
        let provider = Provider {
            action: "/o/acme/settings/single-sign-on".to_owned(),
            remove: None,
            redirect_url: "https://console.example/signin/company/return/org_1".to_owned(),
            fields: vec![Field::text("issuer", "Issuer").hint(odd()).value(odd())],
        };
        let plain = Self {
            is_changed: false,
            notice: None,
            base: "/o/acme/settings".to_owned(),
            fields: vec![select, networks],
            without: 1,
            provider,
        };
        let remove = Some("/o/acme/settings/single-sign-on/remove".to_owned());
        let provider = Provider { remove, ..plain.provider.clone() };
        let notice = Some(Notice::samples().remove(0));
        vec![Self { is_changed: true, notice, provider, ..plain.clone() }, plain]
    }
}

impl Sample for PreviewPage {
    fn samples() -> Vec<Self> {
        let blueprint = Field::textarea("blueprint", "Blueprint", 24).required().value(odd());
        let change = Self {
            summary: odd(),
            fields: vec![odd()],
            data: vec![odd()],
            restarts: vec![odd()],
            problems: vec![odd()],
            notes: vec![odd()],
            costs: vec![odd(), odd()],
            apply: "/o/acme/platforms/harbour/blueprint".to_owned(),
            apply_label: "Apply",
            again: "/o/acme/platforms/harbour/preview".to_owned(),
            back: "/o/acme/platforms/harbour".to_owned(),
            blueprint,
            seen: Some("0192-1".to_owned()),
        };
        let new = Self {
            fields: vec![],
            data: vec![],
            restarts: vec![],
            problems: vec![],
            notes: vec![],
            seen: None,
            ..change.clone()
        };
        vec![change, new]
    }
}

impl Sample for Device {
    fn samples() -> Vec<Self> {
        let adding = Self {
            heading: "Add a passkey",
            notice: Some(Notice::samples().remove(0)),
            lead: "Your device asks.",
            challenge: "AAAA".to_owned(),
            site: "console.example".to_owned(),
            user: "AAAA".to_owned(),
            account: odd(),
            known: "AAAA AAAB".to_owned(),
            action: "/account/passkeys",
            name: Some(Field::text("name", "Name").error(Some(odd()))),
            said: vec!["client_data", "device_data"],
            next: format!("/{ODD}"),
            button: "Make a passkey",
            back: "/account",
            otherwise: "Back",
        };
        let user = String::new();
        vec![Self { notice: None, user, name: None, ..adding.clone() }, adding]
    }
}

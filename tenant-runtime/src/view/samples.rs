//! One value of each context for each state it has, to try the templates with.

use jiff::Timestamp;
use pages::markdown::to_html;
use pages::parts::{
    AgentCard, Avatar, Checklist, Composer, EmptyState, ErrorSummary, Field, Health, Notice,
    Pagination, Tile,
};
use pages::{Html, Sample};
use uuid::Uuid;

use super::admin::{
    Account, BrandForm, Home as AdminHome, People, PersonRow, RoleChoice, SessionRow,
};
use super::agents::{AgentForm, AgentList, AgentPage, Home, Reading, Stored};
use super::chat::{Chat, ChatLink, Growing, History, Items, Place, Turn};
use super::forms::PasswordChange;
use crate::domain::agent::{Draft, FieldError};

/// What nobody should be able to break a page with.
const ODD: &str = "Ada <b>\"&' {{x}} </textarea>";

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn empty() -> EmptyState {
    EmptyState::samples().remove(0)
}

impl Sample for Home {
    fn samples() -> Vec<Self> {
        let full = Self {
            name: ODD.to_owned(),
            tagline: Some(ODD.to_owned()),
            introduction: Some(to_html("# Welcome\n\nto *this*.")),
            agents: AgentCard::samples(),
            empty: empty(),
            signed_in: false,
        };
        let bare = Self { tagline: None, introduction: None, agents: vec![], ..full.clone() };
        vec![full, Self { signed_in: true, ..bare }]
    }
}

impl Sample for AgentPage {
    fn samples() -> Vec<Self> {
        let visited = Self {
            name: ODD.to_owned(),
            avatar: Avatar::of(ODD),
            description: ODD.to_owned(),
            talk_href: "/agents/coach/talk".to_owned(),
            starters: vec![ODD.to_owned(), "Who are you?".to_owned()],
            composer: Composer::new("/agents/coach/talk", ODD),
            sign_in_href: Some("/signin?next=/agents/coach".to_owned()),
        };
        let signed_in = Self { sign_in_href: None, ..visited.clone() };
        let bare = |page: &Self| Self { starters: vec![], ..page.clone() };
        vec![bare(&visited), bare(&signed_in), visited, signed_in]
    }
}

impl Sample for Reading {
    fn samples() -> Vec<Self> {
        vec![Self { html: to_html("# Terms\n\n- one\n- two <b>") }, Self { html: Html::empty() }]
    }
}

impl Sample for AgentList {
    fn samples() -> Vec<Self> {
        let none = Self { agents: vec![], empty: empty() };
        vec![Self { agents: AgentCard::samples(), ..none.clone() }, none]
    }
}

impl Sample for AgentForm {
    fn samples() -> Vec<Self> {
        let draft = Draft {
            name: ODD.to_owned(),
            description: ODD.to_owned(),
            instructions: format!("\n{ODD}"),
            model: Some("small".to_owned()),
            starters: vec![ODD.to_owned(), "Who are you?".to_owned()],
        };
        let problems = ["name", "description", "instructions", "starters"]
            .map(|field| FieldError { field, message: ODD.to_owned() });
        let action = || "/admin/agents".to_owned();
        let models = ["small".to_owned(), ODD.to_owned()];
        let stored = |published| Stored {
            id: id(1),
            href: "/agents/coach".to_owned(),
            version: 2,
            published,
            is_published: published == Some(2),
        };
        let new = Self::new("New agent", action(), &draft, &models);
        let mut samples: Vec<_> = [None, Some(1), Some(2)]
            .map(|published| Self { stored: Some(stored(published)), ..new.clone() })
            .into();
        samples.push(Self::with_problems(ODD, action(), &draft, &models, &problems));
        samples.push(new);
        samples
    }
}

impl Sample for Account {
    fn samples() -> Vec<Self> {
        let session = |number, current| SessionRow {
            id: id(number),
            device: ODD.to_owned(),
            ip: "2001:db8::1".to_owned(),
            last_seen_at: Timestamp::UNIX_EPOCH,
            current,
        };
        let sessions = vec![session(1, true), session(2, false)];
        let wrong =
            PasswordChange { current_error: Some(ODD.to_owned()), new_error: Some(ODD.to_owned()) };
        let refused = Self {
            name: ODD.to_owned(),
            email: ODD.to_owned(),
            role: "Owner",
            summary: ErrorSummary::of(&wrong.fields().iter().collect::<Vec<_>>()),
            fields: wrong.fields(),
            sessions,
            elsewhere: true,
        };
        let sessions = vec![session(1, true)];
        let fields = PasswordChange::default().fields();
        let plain = Self { summary: None, fields, sessions, elsewhere: false, ..refused.clone() };
        vec![plain, refused]
    }
}

fn links() -> Vec<ChatLink> {
    let link = |number, title: &str| ChatLink {
        href: format!("/conversations/{}", id(number)),
        title: title.to_owned(),
        updated_at: Timestamp::UNIX_EPOCH,
        current: number == 1,
    };
    vec![link(1, ODD), link(2, &"long ".repeat(20))]
}

impl Sample for History {
    fn samples() -> Vec<Self> {
        let full = Self {
            query: String::new(),
            conversations: links(),
            empty: empty(),
            pages: Pagination::samples().remove(1),
        };
        let none = Self { query: ODD.to_owned(), conversations: vec![], ..full.clone() };
        vec![none, full]
    }
}

impl Sample for Turn {
    fn samples() -> Vec<Self> {
        let answer = Self {
            id: id(1),
            by_person: false,
            agent: ODD.to_owned(),
            avatar: Avatar::of(ODD),
            text: String::new(),
            html: to_html("# Plan\n\n- one\n- two\n\n```rust\nfn main() {}\n```\n"),
            streaming: false,
            growing: None,
            state: "done",
            note: None,
            place: None,
        };
        let place = |before, after| {
            Some(Place { number: 2, of: 3, before: Some(id(before)), after: Some(id(after)) })
        };
        let first = Some(Place { number: 1, of: 2, before: None, after: Some(id(3)) });
        let ended = |number, state| Self {
            id: id(number),
            state,
            note: Some(ODD.to_owned()),
            place: place(20, 21),
            ..answer.clone()
        };
        let question = Self {
            id: id(2),
            by_person: true,
            text: format!("\n{ODD}"),
            html: Html::empty(),
            ..answer.clone()
        };
        let streaming = Self { id: id(3), streaming: true, state: "streaming", ..answer.clone() };
        let growing =
            Some(Growing { mark: ODD.to_owned(), href: "/conversations/1#end".to_owned() });
        vec![
            Self { id: id(4), growing, ..streaming.clone() },
            Self { id: id(5), place: first, ..question.clone() },
            ended(6, "stopped"),
            ended(7, "failed"),
            ended(8, "interrupted"),
            streaming,
            question,
            answer,
        ]
    }
}

impl Sample for Items<'_> {
    fn samples() -> Vec<Self> {
        // The turns of a test last as long as the program.
        vec![Self { turns: Turn::samples().leak() }, Self { turns: &[] }]
    }
}

impl Sample for Chat {
    fn samples() -> Vec<Self> {
        let full = Self {
            id: id(1),
            title: ODD.to_owned(),
            agent_name: ODD.to_owned(),
            agent_href: Some("/agents/coach".to_owned()),
            recent: links(),
            turns: Turn::samples(),
            composer: Composer::new("/conversations/1/messages", ODD),
        };
        vec![Self { agent_href: None, recent: vec![], turns: vec![], ..full.clone() }, full]
    }
}

impl Sample for AdminHome {
    fn samples() -> Vec<Self> {
        let full = Self {
            notices: Notice::samples(),
            checklist: Some(Checklist::samples().remove(0)),
            tiles: Tile::samples(),
            health: Health::samples(),
            site: "http://acme.localhost:8080".to_owned(),
        };
        vec![Self { notices: vec![], checklist: None, ..full.clone() }, full]
    }
}

impl Sample for People {
    fn samples() -> Vec<Self> {
        let row = |number, status| PersonRow {
            id: id(number),
            name: ODD.to_owned(),
            email: ODD.to_owned(),
            role: "Owner",
            status,
            created_at: Timestamp::UNIX_EPOCH,
            roles: vec![],
            can_activate: false,
            can_suspend: false,
        };
        let role = |value, chosen| RoleChoice { value, label: value, chosen };
        let changeable = PersonRow {
            roles: vec![role("admin", false), role("user", true)],
            can_activate: true,
            can_suspend: true,
            ..row(2, "pending")
        };
        let rows = vec![row(1, "active"), changeable];
        let pages = Pagination::samples().remove(1);
        let sign_up = "http://acme.localhost:8080/signup".to_owned();
        let plain = Self { refused: None, sign_up, rows, pages };
        vec![Self { refused: Some(ODD.to_owned()), ..plain.clone() }, plain]
    }
}

impl Sample for BrandForm {
    fn samples() -> Vec<Self> {
        let fields = vec![
            Field::input("primary", "Main colour", "color").value("#1d4ed8").required(),
            Field::select("font", "Typeface", &super::brand::FONTS).value("slab").required(),
        ];
        let good = Self { problems: vec![], fields, base: "0123456789abcdef".to_owned() };
        vec![Self { problems: vec![ODD.to_owned()], ..good.clone() }, good]
    }
}

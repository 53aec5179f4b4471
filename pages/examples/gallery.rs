//! Writes a few pages made of our parts into a folder, with their style sheet and scripts, to
//! look at in a browser: `cargo run -p pages --example gallery -- FOLDER`.

use std::{error::Error, fs, path::Path};

use pages::{
    Brand, BrandInput, Engine, Flash, Font, NavItem, Page, Person, Sample, assets,
    markdown::to_html,
    parts::{
        AgentCard, Avatar, Checklist, Checklisted, Code, Composer, Conversations, Diff, EmptyState,
        ErrorSummary, Field, Health, Message, Notice, Pagination, Stream, Tile,
    },
};
use serde::Serialize;
use serde_json::json;

const TEMPLATES: [(&str, &str); 5] = [
    ("home", include_str!("gallery/home.hbs")),
    ("sign-in", include_str!("gallery/sign-in.hbs")),
    ("chat", include_str!("gallery/chat.hbs")),
    ("admin", include_str!("gallery/admin.hbs")),
    ("brand", include_str!("gallery/brand.hbs")),
];

const ANSWER: &str = "A week has room for **three** sessions of 40 minutes.\n\n\
    ## The plan\n\n1. Monday: read\n2. Wednesday: try\n3. Friday: tell someone\n\n\
    | Day | Minutes | What |\n|---|---:|---|\n| Mon | 40 | Chapter 1 |\n| Wed | 40 | Exercises |\n\n\
    ```rust\nfn main() {\n    println!(\"a line that is long enough to leave the narrow screen of a phone behind\");\n}\n```\n\n\
    - [x] bought the book\n- [ ] opened it\n\n> Little and often. See <https://example.test> for `more`.\n";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("give the folder to write to")?;
    let folder = Path::new(&folder);
    let engine = Engine::new(&TEMPLATES)?;
    let (primary, accent) = ("#4338ca".parse()?, "#c2410c".parse()?);
    let brand = Brand::mended(BrandInput::new("Brightpath", primary, accent));
    write(folder, &brand.view(None).css_href, brand.css())?;
    write(folder, &brand.view(None).icon_href, &brand.icon())?;
    for asset in assets() {
        write(folder, &asset.path, std::str::from_utf8(asset.bytes)?)?;
    }
    let page = |name: &str, body: serde_json::Value| -> Result<(), Box<dyn Error>> {
        let html = engine.render(name, &framed(&brand, name, body))?;
        write(folder, &format!("{name}.html"), &html)
    };
    page("home", home()?)?;
    page("sign-in", sign_in()?)?;
    page("chat", chat()?)?;
    page("admin", admin()?)?;
    page("brand", brand_form()?)
}

fn write(folder: &Path, path: &str, text: &str) -> Result<(), Box<dyn Error>> {
    let path = folder.join(path.trim_start_matches('/'));
    fs::create_dir_all(path.parent().ok_or("no parent")?)?;
    Ok(fs::write(path, text)?)
}

fn framed<C: Serialize>(brand: &Brand, name: &str, body: C) -> Page<C> {
    let path = format!("/{name}.html");
    let mut page = Page::new(brand.view(None), name, body);
    page.nav = ["home", "chat", "admin", "brand"]
        .map(|name| NavItem::new(name, &format!("/{name}.html"), &path))
        .to_vec();
    page.footer_line = Some("Answers come from an AI and can be wrong.".to_owned());
    page.footer_links = vec![NavItem::new("Privacy", "/privacy", &path)];
    if name == "home" || name == "sign-in" {
        page.sign_in_href = Some("/sign-in.html".to_owned());
    } else {
        page.person = Some(Person {
            name: "Ada Lovelace".to_owned(),
            role: "Owner".to_owned(),
            avatar: Avatar::of("Ada Lovelace"),
            menu: vec![NavItem::new("Your account", "/account", &path)],
            sign_out_href: "/sign-out".to_owned(),
        });
    }
    if name == "admin" {
        page.flash = Some(Flash::success("Your brand was saved."));
    }
    page
}

fn home() -> serde_json::Result<serde_json::Value> {
    let card = |name: &str, description: &str| AgentCard {
        name: name.to_owned(),
        description: description.to_owned(),
        avatar: Avatar::of(name),
        href: "/chat.html".to_owned(),
        badge: (name == "Essay Editor").then(|| "New".to_owned()),
    };
    serde_json::to_value(json!({
        "headline": "A tutor for every question",
        "lead": "Brightpath's agents explain, quiz and plan with you, at your pace and in your words.",
        "agents": [
            card("Study Coach", "Makes a plan for the week that you can keep, and asks how it went."),
            card("Maths Friend", "Explains one step at a time and never gives the answer away."),
            card("Essay Editor", "Reads what you wrote and says what a reader would stumble over."),
            card("Quiz Master", "Ten questions on anything, with the why behind each answer."),
        ],
    }))
}

fn sign_in() -> serde_json::Result<serde_json::Value> {
    let email = Field::email("email", "E-mail")
        .required()
        .value("ada@example")
        .error(Some("That is not a whole address.".to_owned()));
    let password = Field::password("password", "Password", "current-password").required();
    serde_json::to_value(json!({
        "summary": ErrorSummary::of(&[&email, &password]),
        "email": email,
        "password": password,
        "stay": Field::checkbox("stay", "Stay signed in", true).hint("Not on a shared computer."),
    }))
}

fn chat() -> serde_json::Result<serde_json::Value> {
    let stream = Stream {
        src: "/messages/4/stream".to_owned(),
        after: "0.0".to_owned(),
        live: String::new(),
        stop_action: "/messages/4/stop".to_owned(),
    };
    serde_json::to_value(json!({
        "title": "Study Coach",
        "avatar": Avatar::of("Study Coach"),
        "conversations": Conversations::samples().first(),
        "messages": [
            Message::user("1", "Help me learn Rust.\nI have a week."),
            Message::assistant("2", "Study Coach", to_html(ANSWER)),
            Message::user("3", "And on Saturday?"),
            Message::streaming("4", "Study Coach", pages::Html::empty(), stream),
        ],
        "starters": ["Plan my week", "Quiz me on verbs"],
        "composer": Composer::new("/conversations/1/messages", "Study Coach"),
    }))
}

fn admin() -> serde_json::Result<serde_json::Value> {
    let tiles = [Tile::samples(), Tile::samples()].concat();
    let steps = vec![
        Checklisted::new(
            "Choose your brand",
            "Colours and a logo.",
            "Open brand",
            "/brand.html",
            true,
        ),
        Checklisted::new(
            "Write your first agent",
            "Start from one of ours.",
            "Write it",
            "/x",
            false,
        ),
        Checklisted::new("Invite people", "Send a link or an e-mail.", "Invite", "/x", false),
    ];
    serde_json::to_value(json!({
        "checklist": Checklist::new("Get ready to open", steps),
        "tiles": tiles,
        "health": Health::samples(),
        "since": "2026-11-21T02:00:00Z",
        "pages": Pagination::samples()[1],
        "notices": Notice::samples(),
        "diff": Diff::samples()[0],
        "code": Code::samples()[0],
        "empty": EmptyState::samples()[0],
    }))
}

fn brand_form() -> serde_json::Result<serde_json::Value> {
    serde_json::to_value(json!({
        "primary": Field::input("primary", "Primary colour", "color").required().value("#4338ca"),
        "accent": Field::input("accent", "Accent colour", "color").required().value("#c2410c"),
        "font": Field::select("font", "Typeface", &Font::ALL.map(|(name, _)| (name, name))),
        "story": Field::textarea("story", "Story", 4).hint("What you are about."),
    }))
}

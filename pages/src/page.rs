//! The context of every page: what the layout needs, and the page's own `body`.

use serde::Serialize;

use crate::{BrandView, Sample, parts::Avatar};

/// A page. Templates reach their own context under `body`.
#[derive(Clone, Debug, Serialize)]
pub struct Page<C> {
    /// Heads the browser's tab, with the brand's name behind it. The page's own `h1` is the
    /// template's.
    pub title: String,
    /// A language tag, as in `en` or `pt-BR`.
    pub lang: String,
    /// `ltr` or `rtl`, by the language.
    pub dir: &'static str,
    /// Whose page it is.
    pub brand: BrandView,
    /// The main navigation; in `layout-admin` it stands at the side.
    pub nav: Vec<NavItem>,
    /// Who is signed in.
    pub person: Option<Person>,
    /// Where to sign in, shown while nobody is.
    pub sign_in_href: Option<String>,
    /// What came of the last thing that was done.
    pub flash: Option<Flash>,
    /// A line under every page; white-label plans have none.
    pub footer_line: Option<String>,
    /// Links under every page: privacy, terms.
    pub footer_links: Vec<NavItem>,
    /// Without scripts, load the page again after so many seconds (an answer is being written).
    pub refresh_seconds: Option<u32>,
    /// The page's own context.
    pub body: C,
}

/// A link of a navigation.
#[derive(Clone, Debug, Serialize)]
pub struct NavItem {
    /// What it says.
    pub label: String,
    /// Where it goes.
    pub href: String,
    /// Whether it is where the reader is.
    pub current: bool,
}

impl NavItem {
    /// A link; it is the current one if the page's path is below it.
    #[must_use]
    pub fn new(label: &str, href: &str, path: &str) -> Self {
        let below =
            path.strip_prefix(href).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        Self {
            label: label.to_owned(),
            href: href.to_owned(),
            current: below && (href != "/" || path == "/"),
        }
    }
}

/// The person who is signed in, for the menu at the top.
#[derive(Clone, Debug, Serialize)]
pub struct Person {
    /// As they want to be called.
    pub name: String,
    /// In words, as in `Owner`.
    pub role: String,
    /// Their picture or initials.
    pub avatar: Avatar,
    /// The menu: account, switch to the admin portal.
    pub menu: Vec<NavItem>,
    /// Where the form that signs out posts to.
    pub sign_out_href: String,
}

/// How a notice is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It worked.
    Success,
    /// Good to know.
    Info,
    /// Look at this before long.
    Warning,
    /// It did not work.
    Danger,
}

/// A notice: at the top of a page, what came of the last thing that was done.
#[derive(Clone, Debug, Serialize)]
pub struct Flash {
    /// How it is meant.
    pub kind: Kind,
    /// In one sentence.
    pub text: String,
}

impl Flash {
    /// It worked.
    #[must_use]
    pub fn success(text: impl Into<String>) -> Self {
        Self { kind: Kind::Success, text: text.into() }
    }

    /// Good to know.
    #[must_use]
    pub fn info(text: impl Into<String>) -> Self {
        Self { kind: Kind::Info, text: text.into() }
    }

    /// Look at this before long.
    #[must_use]
    pub fn warning(text: impl Into<String>) -> Self {
        Self { kind: Kind::Warning, text: text.into() }
    }

    /// It did not work.
    #[must_use]
    pub fn danger(text: impl Into<String>) -> Self {
        Self { kind: Kind::Danger, text: text.into() }
    }
}

impl<C> Page<C> {
    /// A page in English, for nobody in particular; set the other fields as needed.
    pub fn new(brand: BrandView, title: impl Into<String>, body: C) -> Self {
        Self {
            title: title.into(),
            lang: "en".to_owned(),
            dir: "ltr",
            brand,
            nav: Vec::new(),
            person: None,
            sign_in_href: None,
            flash: None,
            footer_line: None,
            footer_links: Vec::new(),
            refresh_seconds: None,
            body,
        }
    }

    /// In this language, in its direction.
    pub fn in_language(mut self, lang: &str) -> Self {
        let primary = lang.split('-').next().unwrap_or(lang);
        self.dir = if ["ar", "dv", "fa", "he", "ps", "ur", "yi"].contains(&primary) {
            "rtl"
        } else {
            "ltr"
        };
        lang.clone_into(&mut self.lang);
        self
    }
}

/// A page is tried for a visitor and for a person who is signed in and was just told something.
impl<C: Sample + Clone> Sample for Page<C> {
    fn samples() -> Vec<Self> {
        let nav = vec![NavItem::new("Agents", "/agents", "/"), NavItem::new("Home", "/", "/")];
        let person = Person {
            name: "Ada <b> Lovelace".to_owned(),
            role: "Owner".to_owned(),
            avatar: Avatar::of("Ada Lovelace"),
            menu: vec![NavItem::new("Account", "/account", "/")],
            sign_out_href: "/sign-out".to_owned(),
        };
        let brand = crate::parts::sample_brand();
        C::samples()
            .into_iter()
            .flat_map(|body| {
                let visitor = Self {
                    sign_in_href: Some("/sign-in".to_owned()),
                    footer_line: Some("Made with care".to_owned()),
                    ..Self::new(brand.view(None), "Sample", body.clone())
                };
                let signed_in = Self {
                    nav: nav.clone(),
                    person: Some(person.clone()),
                    flash: Some(Flash::success("Saved <i>it</i>.")),
                    footer_links: vec![NavItem::new("Privacy", "/privacy", "/")],
                    refresh_seconds: Some(3),
                    ..Self::new(brand.view(Some("/logo.png".to_owned())), "Sample", body)
                        .in_language("ar")
                };
                [visitor, signed_in]
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_current_on_its_page_and_below_it() {
        let current = |href, path| NavItem::new("x", href, path).current;
        assert!(current("/agents", "/agents") && current("/agents", "/agents/1"));
        assert!(!current("/agents", "/agentsmith") && !current("/", "/agents"));
        assert!(current("/", "/"));
    }

    #[test]
    fn a_language_brings_its_direction() {
        let page =
            |lang| Page::new(crate::parts::sample_brand().view(None), "x", ()).in_language(lang);
        assert_eq!((page("ar-EG").dir, page("he").dir, page("pt-BR").dir), ("rtl", "rtl", "ltr"));
    }
}

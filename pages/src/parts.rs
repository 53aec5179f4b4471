//! The contexts of the parts in `parts/`: a page puts one into its own context and writes
//! `{{> tile body.people}}`.
//!
//! Every field is always there, so that strict templates hold; build them with the functions
//! here and set what differs.

mod card;
mod chat;
mod code;
mod field;
mod lists;
mod qr;

pub use card::{CardForm, Nothing, Other};
pub use chat::{Composer, Conversation, Conversations, Message, Speaker, State, Stream};
pub use code::{Code, Diff, DiffLine, Line};
pub use field::{Choice, ErrorSummary, Field, FieldError, FieldKind};
pub use lists::{
    AgentCard, Checklist, Checklisted, EmptyState, Health, HealthState, Notice, Pagination, Tile,
    Trend,
};
pub use qr::QrCode;

use serde::Serialize;

/// How much a button stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// The one thing to do here.
    Primary,
    /// Something one may do.
    #[default]
    Secondary,
    /// Beside the point.
    Quiet,
    /// Destroys something.
    Danger,
}

/// A link that looks like a button: part `button`.
#[derive(Clone, Debug, Serialize)]
pub struct Action {
    /// What it says.
    pub label: String,
    /// Where it goes.
    pub href: String,
    /// How much it stands out.
    pub weight: Weight,
}

impl Action {
    /// The one thing to do here.
    #[must_use]
    pub fn primary(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { label: label.into(), href: href.into(), weight: Weight::Primary }
    }

    /// Something one may do.
    #[must_use]
    pub fn secondary(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { label: label.into(), href: href.into(), weight: Weight::Secondary }
    }
}

/// A form of one button, for what changes something: part `post-button`.
#[derive(Clone, Debug, Serialize)]
pub struct PostAction {
    /// What it says.
    pub label: String,
    /// Where the form posts to.
    pub action: String,
    /// How much it stands out.
    pub weight: Weight,
}

/// A picture of someone, or their initials on a colour that follows from the name: part
/// `avatar`. The name stands beside it, so it says nothing of its own.
#[derive(Clone, Debug, Serialize)]
pub struct Avatar {
    /// One or two letters.
    pub initials: String,
    /// Which of the five colours, 0 to 4.
    pub tint: u8,
    /// A picture instead.
    pub image_href: Option<String>,
}

impl Avatar {
    /// Without a picture.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let mut words =
            name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
        let letters = [words.next(), words.next_back()];
        let initials: String = letters.iter().flatten().flat_map(|c| c.to_uppercase()).collect();
        let sum = name.bytes().fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        Self {
            initials: if initials.is_empty() { "?".to_owned() } else { initials },
            tint: sum % 5,
            image_href: None,
        }
    }
}

/// A brand for tests.
pub(crate) fn sample_brand() -> crate::Brand {
    let (primary, accent) = (crate::Color::rgb(29, 78, 216), crate::Color::rgb(194, 65, 12));
    crate::Brand::mended(crate::BrandInput::new("Acme <Learning>", primary, accent))
}

impl crate::Sample for Action {
    fn samples() -> Vec<Self> {
        let weights = [Weight::Primary, Weight::Secondary, Weight::Quiet, Weight::Danger];
        weights
            .map(|weight| Self { weight, ..Self::primary("Go & see", "/x?a=1&b=\"2\"") })
            .to_vec()
    }
}

impl crate::Sample for PostAction {
    fn samples() -> Vec<Self> {
        vec![Self { label: "Delete".into(), action: "/x/delete".into(), weight: Weight::Danger }]
    }
}

impl crate::Sample for Avatar {
    fn samples() -> Vec<Self> {
        let pictured = Self { image_href: Some("/files/1.png".into()), ..Self::of("Ada") };
        vec![Self::of("Ada Lovelace"), Self::of(""), Self::of("<b>"), pictured]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, Page, Sample};

    #[test]
    fn every_part_renders_each_of_its_samples_as_sound_html() {
        let engine = Engine::new(&[]).unwrap();
        let problems = [
            engine.try_samples::<Action>("button"),
            engine.try_samples::<PostAction>("post-button"),
            engine.try_samples::<Avatar>("avatar"),
            engine.try_samples::<Notice>("notice"),
            engine.try_samples::<Field>("field"),
            engine.try_samples::<ErrorSummary>("error-summary"),
            engine.try_samples::<EmptyState>("empty-state"),
            engine.try_samples::<Tile>("tile"),
            engine.try_samples::<Checklist>("checklist"),
            engine.try_samples::<Health>("health"),
            engine.try_samples::<AgentCard>("agent-card"),
            engine.try_samples::<Pagination>("pagination"),
            engine.try_samples::<Conversations>("conversations"),
            engine.try_samples::<Message>("message"),
            engine.try_samples::<Composer>("composer"),
            engine.try_samples::<Code>("code"),
            engine.try_samples::<Diff>("diff"),
            engine.try_samples::<QrCode>("qr-code"),
            engine.try_samples::<Page<CardForm>>("card-form"),
            engine.try_samples::<Page<Nothing>>("nothing"),
        ];
        assert_eq!(problems.concat(), Vec::<String>::new());
    }

    #[test]
    fn every_layout_renders_for_a_visitor_and_for_a_person() {
        #[derive(Clone, Serialize)]
        struct Body {
            text: String,
        }
        impl Sample for Body {
            fn samples() -> Vec<Self> {
                vec![Self { text: "<hello>".to_owned() }]
            }
        }
        let block = |layout: &str| {
            format!(
                "{{{{#> {layout}}}}}{{{{#*inline \"page-head\"}}}}<script type=\"module\" \
                 src=\"{{{{asset \"chat-stream.js\"}}}}\"></script>{{{{/inline}}}}\
                 {{{{#*inline \"sidebar\"}}}}<p>aside {{{{body.text}}}}</p>{{{{/inline}}}}\
                 <h1>{{{{body.text}}}}</h1>{{{{/{layout}}}}}"
            )
        };
        for layout in ["layout", "layout-card", "layout-admin", "layout-chat"] {
            let engine = Engine::new(&[("page", &block(layout))]).unwrap();
            assert_eq!(engine.try_samples::<Page<Body>>("page"), Vec::<String>::new());
            for page in Page::<Body>::samples() {
                let html = engine.render("page", &page).unwrap();
                assert!(html.starts_with("<!doctype html>"), "{html}");
                assert_eq!(html.matches("<h1>&lt;hello&gt;</h1>").count(), 1, "{html}");
                assert_eq!(html.matches("chat-stream.").count(), 1, "{html}");
                assert_eq!(html.matches("id=\"main\"").count(), 1);
                assert_eq!(html.contains("aside &lt;hello&gt;"), layout == "layout-chat");
                assert!(html.contains("Acme &lt;Learning&gt;"));
                assert_eq!(html.contains("http-equiv"), page.refresh_seconds.is_some());
                assert_eq!(html.contains("Sign in"), page.person.is_none());
                assert_eq!(html.contains("Sign out"), page.person.is_some());
                assert_eq!(html.contains("Saved &lt;i&gt;it"), page.flash.is_some());
                for item in &page.nav {
                    assert_eq!(
                        html.matches(&format!("href=\"{}\"", item.href)).count(),
                        if item.href == "/" { 2 } else { 1 }
                    );
                }
            }
        }
    }

    #[test]
    fn initials_are_the_first_and_the_last_words() {
        assert_eq!(Avatar::of("Ada King Lovelace").initials, "AL");
        assert_eq!(Avatar::of("ß").initials, "SS");
        assert_eq!(Avatar::of("  ").initials, "?");
    }
}

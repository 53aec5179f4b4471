//! What pages show: one typed context for each template, made from the nouns.

pub mod admin;
pub mod agents;
pub mod brand;
pub mod chat;
pub mod forms;
pub mod shell;

#[cfg(test)]
mod samples;

use pages::{BuildError, Engine};

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        /// Every template of this crate, by name.
        const TEMPLATES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../templates/", $name, ".hbs")))),*];
    };
}

templates! {
    "home", "agent", "reading", "account",
    "history", "chat", "turn", "turns", "live-hint",
    "admin/home", "admin/agents", "admin/agent", "admin/people", "admin/brand",
}

/// The page engine with our templates.
pub fn engine() -> Result<Engine, BuildError> {
    Engine::new(TEMPLATES)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pages::{Page, Sample};

    use super::*;

    #[test]
    fn every_template_renders_each_of_its_samples_as_sound_html() {
        let engine = engine().unwrap();
        let (mut problems, mut tried) = (Vec::new(), BTreeSet::new());
        let mut note = |name, found: Vec<String>| {
            problems.extend(found);
            tried.insert(name);
        };
        macro_rules! pages {
            ($($name:literal: $context:ty),* $(,)?) => {
                $(note($name, engine.try_samples::<Page<$context>>($name));)*
            };
        }
        pages! {
            "home": agents::Home,
            "agent": agents::AgentPage,
            "reading": agents::Reading,
            "account": admin::Account,
            "history": chat::History,
            "chat": chat::Chat,
            "admin/home": admin::Home,
            "admin/agents": agents::AgentList,
            "admin/agent": agents::AgentForm,
            "admin/people": admin::People,
            "admin/brand": admin::BrandForm,
        }
        // Parts of pages, with contexts of their own.
        note("turn", engine.try_samples::<chat::Turn>("turn"));
        note("turns", engine.try_samples::<chat::Items<'_>>("turns"));
        note("live-hint", engine.try_samples::<chat::Turn>("live-hint"));
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(tried, TEMPLATES.iter().map(|(name, _)| *name).collect());
    }

    #[test]
    fn what_people_write_is_shown_as_they_wrote_it() {
        for page in Page::<agents::Home>::samples() {
            let html = engine().unwrap().render("home", &page).unwrap();
            assert!(html.contains("Ada &lt;b&gt;&quot;&amp;&#x27; {{x}} &lt;/textarea&gt;"));
        }
    }
}

//! What pages show: one typed context for each template, made from the nouns.

pub mod admin;
pub mod agents;
pub mod brand;
pub mod chat;
pub mod forms;
pub mod shell;

use pages::{BuildError, Engine};

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        /// Every template of this crate, by name.
        const TEMPLATES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../templates/", $name, ".hbs")))),*];
    };
}

templates! {
    "home", "agent", "reading", "card-form", "account", "nothing",
    "history", "chat", "turn", "turns", "live-hint",
    "admin/home", "admin/agents", "admin/agent", "admin/people", "admin/brand",
}

/// The page engine with our templates.
pub fn engine() -> Result<Engine, BuildError> {
    Engine::new(TEMPLATES)
}

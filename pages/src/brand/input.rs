//! What a person chooses of a brand.

use serde::{Deserialize, Serialize};

use super::Font;
use crate::Color;

/// What a person chooses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrandInput {
    /// The name people see.
    pub name: String,
    /// Buttons, links and what is selected.
    pub primary: Color,
    /// Highlights beside the primary colour.
    pub accent: Color,
    /// The page itself. Where both modes are shown, a dark one counts for the dark mode, and so
    /// do the surface and the text that are chosen with it.
    pub background: Option<Color>,
    /// Cards and bars on the page.
    pub surface: Option<Color>,
    /// Text on the page and on cards.
    pub text: Option<Color>,
    /// What is chosen for the dark mode alone.
    pub dark: Shades,
    /// The typeface.
    pub font: Font,
    /// Light, dark, or as the reader's device says.
    pub theme: Theme,
    /// How round corners are, in CSS pixels; above 24 counts as 24.
    pub radius_px: u8,
}

/// Colours of the dark mode; each that is left out is derived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shades {
    /// Buttons, links and what is selected.
    pub primary: Option<Color>,
    /// Highlights beside the primary colour.
    pub accent: Option<Color>,
    /// The page itself.
    pub background: Option<Color>,
    /// Cards and bars on the page.
    pub surface: Option<Color>,
    /// Text on the page and on cards.
    pub text: Option<Color>,
}

impl BrandInput {
    /// A brand of two colours, all else as it is by default.
    #[must_use]
    pub fn new(name: impl Into<String>, primary: Color, accent: Color) -> Self {
        Self {
            name: name.into(),
            primary,
            accent,
            background: None,
            surface: None,
            text: None,
            dark: Shades::default(),
            font: Font::System,
            theme: Theme::Auto,
            radius_px: 10,
        }
    }
}

/// Which of the two modes a site has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the reader's device says; the reader may choose.
    #[default]
    Auto,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

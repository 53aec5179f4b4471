//! Between the blueprint's branding and the page engine's brand.

use blueprint::spec::{Branding, Font, Palette, Radius, Theme};
use blueprint::text::Colour;
use pages::brand::Shades;
use pages::{BrandInput, Color};
use serde::{Deserialize, Serialize};

/// Used where a blueprint chooses no colours.
const PRIMARY: Color = Color::rgb(29, 78, 216);
const ACCENT: Color = Color::rgb(194, 65, 12);

/// What the form calls the colour of buttons and links.
pub const PRIMARY_LABEL: &str = "Main colour";
/// What the form calls the colour beside it.
pub const ACCENT_LABEL: &str = "Second colour";
/// The typefaces to choose from: as stored, and in words.
pub const FONTS: [(&str, &str); 8] = [
    ("system", "As on the reader's device"),
    ("humanist", "Even and warm"),
    ("geometric", "Round and plain"),
    ("rounded", "With soft ends"),
    ("transitional", "Bookish"),
    ("old-style", "Classical"),
    ("slab", "With heavy feet"),
    ("mono", "Fixed width"),
];
/// Light, dark or both: as stored, and in words.
pub const THEMES: [(&str, &str); 3] =
    [("auto", "As the reader's device says"), ("light", "Always light"), ("dark", "Always dark")];
/// How round corners are: as stored, and in words.
pub const RADII: [(&str, &str); 4] =
    [("none", "Square"), ("small", "Slightly round"), ("medium", "Round"), ("large", "Very round")];

/// What becomes of the colours that the form does not ask for: as sent, and in words.
pub const OTHERS: [(&str, &str); 2] =
    [("fit", "Keep those that still fit"), ("keep", "Keep all of them")];
/// Which do not fit.
pub const OTHERS_HINT: &str = "The blueprint also has colours for the background, cards, text or \
     the dark theme. Another main or second colour takes those of the dark theme out; going to or \
     from “Always dark” takes out background, cards and text. They are then derived anew.";

/// What becomes of the colours that the form does not ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Others {
    /// Those that were tuned for what has changed are derived anew.
    #[default]
    Fit,
    /// They stay.
    Keep,
}

/// Whether a blueprint says more about colours than the form asks for.
pub fn has_others(branding: &Branding) -> bool {
    branding.palette.as_ref().is_some_and(|palette| {
        let Palette { primary: _, accent: _, background, surface, text, dark } = palette;
        background.is_some() || surface.is_some() || text.is_some() || dark.is_some()
    })
}

/// A colour as the form calls it; one that the form does not ask for, by its place in the
/// blueprint.
pub fn label(token: &str) -> &'static str {
    match token {
        "primary" => PRIMARY_LABEL,
        "accent" => ACCENT_LABEL,
        "background" => "The blueprint’s palette.background",
        "surface" => "The blueprint’s palette.surface",
        "text" => "The blueprint’s palette.text",
        "dark.primary" => "The blueprint’s palette.dark.primary",
        "dark.accent" => "The blueprint’s palette.dark.accent",
        "dark.background" => "The blueprint’s palette.dark.background",
        "dark.surface" => "The blueprint’s palette.dark.surface",
        _ => "The blueprint’s palette.dark.text",
    }
}

/// The blueprint's branding as the page engine takes it.
pub fn input(name: &str, branding: &Branding) -> BrandInput {
    let Some(palette) = branding.palette.as_ref() else {
        return with_looks(BrandInput::new(name, PRIMARY, ACCENT), branding);
    };
    let dark = palette.dark.clone().unwrap_or_default();
    let input = BrandInput {
        background: color(palette.background.as_ref()),
        surface: color(palette.surface.as_ref()),
        text: color(palette.text.as_ref()),
        dark: Shades {
            primary: color(dark.primary.as_ref()),
            accent: color(dark.accent.as_ref()),
            background: color(dark.background.as_ref()),
            surface: color(dark.surface.as_ref()),
            text: color(dark.text.as_ref()),
        },
        ..BrandInput::new(
            name,
            color(Some(&palette.primary)).unwrap_or(PRIMARY),
            color(Some(&palette.accent)).unwrap_or(ACCENT),
        )
    };
    with_looks(input, branding)
}

fn with_looks(input: BrandInput, branding: &Branding) -> BrandInput {
    BrandInput {
        font: match branding.font {
            Font::System => pages::Font::System,
            Font::Humanist => pages::Font::Humanist,
            Font::Geometric => pages::Font::Geometric,
            Font::Rounded => pages::Font::Rounded,
            Font::Transitional => pages::Font::Transitional,
            Font::OldStyle => pages::Font::OldStyle,
            Font::Slab => pages::Font::Slab,
            Font::Mono => pages::Font::Mono,
        },
        theme: match branding.theme {
            Theme::Auto => pages::Theme::Auto,
            Theme::Light => pages::Theme::Light,
            Theme::Dark => pages::Theme::Dark,
        },
        radius_px: match branding.radius {
            Radius::None => 0,
            Radius::Small => 4,
            Radius::Medium => 10,
            Radius::Large => 18,
        },
        ..input
    }
}

fn color(colour: Option<&Colour>) -> Option<Color> {
    colour?.as_str().parse().ok()
}

/// What the brand form chooses, in place of what the blueprint says; the rest stays. `shown`: the
/// look the form was filled with, whose colours may be mended ones.
pub fn chosen(
    old: &Branding,
    shown: &BrandInput,
    primary: &str,
    accent: &str,
    looks: (Font, Theme, Radius),
    others: Others,
) -> Option<Branding> {
    let (primary, accent): (Colour, Colour) = (primary.parse().ok()?, accent.parse().ok()?);
    let (font, theme, radius) = looks;
    let mut palette = old.palette.clone().unwrap_or_else(|| Palette {
        primary: primary.clone(),
        accent: accent.clone(),
        background: None,
        surface: None,
        text: None,
        dark: None,
    });
    // Shades that were tuned for the old colours would not fit the new ones.
    let fit = others == Others::Fit;
    let is = |chosen: &Colour, shown: Color| color(Some(chosen)) == Some(shown);
    if fit && !(is(&primary, shown.primary) && is(&accent, shown.accent)) {
        palette.dark = None;
    }
    palette = Palette { primary, accent, ..palette };
    // Nor would the grounds of a light page fit a dark one: they are derived anew.
    if fit && (theme == Theme::Dark) != (old.theme == Theme::Dark) {
        palette = Palette { background: None, surface: None, text: None, ..palette };
    }
    Some(Branding { palette: Some(palette), font, theme, radius, ..old.clone() })
}

//! Between the blueprint's branding and the page engine's brand.

use blueprint::spec::{Branding, Font, Palette, Radius, Theme};
use blueprint::text::Colour;
use pages::brand::Shades;
use pages::{BrandInput, Color};

/// Used where a blueprint chooses no colours.
const PRIMARY: Color = Color::rgb(29, 78, 216);
const ACCENT: Color = Color::rgb(194, 65, 12);

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

/// What the brand form chooses, in place of what the blueprint says; the rest stays.
pub fn chosen(
    old: &Branding,
    primary: &str,
    accent: &str,
    looks: (Font, Theme, Radius),
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
    if palette.primary != primary || palette.accent != accent {
        palette = Palette { primary, accent, dark: None, ..palette };
    }
    // Nor would the grounds of a light page fit a dark one: they are derived anew.
    if (theme == Theme::Dark) != (old.theme == Theme::Dark) {
        palette = Palette { background: None, surface: None, text: None, ..palette };
    }
    Some(Branding { palette: Some(palette), font, theme, radius, ..old.clone() })
}

//! Every colour of one mode, derived from the few that were chosen.

use std::f64::consts::TAU;

use super::{BrandInput, Shades, Theme};
use crate::{Color, color::Oklch, contrast};

/// Light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Mode {
    /// The mode that the general choices (background, surface, text) belong to: the only one
    /// there is, or the one that they suit.
    pub(super) fn general(brand: &BrandInput) -> Self {
        match brand.theme {
            Theme::Light => Self::Light,
            Theme::Auto if brand.background.or(brand.surface).is_none_or(Color::is_light) => {
                Self::Light
            }
            Theme::Dark | Theme::Auto => Self::Dark,
        }
    }

    /// The text that stands out most.
    pub(super) const fn farthest_text(self) -> Color {
        match self {
            Self::Light => Color::BLACK,
            Self::Dark => Color::WHITE,
        }
    }
}

/// What a ground needs against black or white, so that text that is nearly so has enough.
pub(super) const GROUND: f64 = 9.0;

/// Which token has to stand out from which, and how far. Text needs 4.5, parts of the
/// interface (a field's edge, the focus ring, a button's shape) need 3.0.
pub const PAIRS: &[(&str, &str, f64)] = &[
    ("text", "page", 4.5),
    ("text", "surface", 4.5),
    ("text", "raised", 4.5),
    ("muted", "page", 4.5),
    ("muted", "surface", 4.5),
    ("muted", "raised", 4.5),
    ("link", "page", 4.5),
    ("link", "surface", 4.5),
    ("link", "raised", 4.5),
    ("on-primary", "primary", 4.5),
    ("on-primary", "primary-hover", 4.5),
    ("on-primary-soft", "primary-soft", 4.5),
    ("on-accent", "accent", 4.5),
    ("on-accent-soft", "accent-soft", 4.5),
    ("success", "page", 4.5),
    ("success", "surface", 4.5),
    ("success", "raised", 4.5),
    ("success", "success-soft", 4.5),
    ("text", "success-soft", 4.5),
    ("warning", "page", 4.5),
    ("warning", "surface", 4.5),
    ("warning", "raised", 4.5),
    ("warning", "warning-soft", 4.5),
    ("text", "warning-soft", 4.5),
    ("danger", "page", 4.5),
    ("danger", "surface", 4.5),
    ("danger", "raised", 4.5),
    ("danger", "danger-soft", 4.5),
    ("text", "danger-soft", 4.5),
    ("on-danger", "danger", 4.5),
    ("primary", "page", 3.0),
    ("primary", "surface", 3.0),
    ("accent", "page", 3.0),
    ("accent", "surface", 3.0),
    ("edge", "page", 3.0),
    ("edge", "surface", 3.0),
    ("focus", "page", 3.0),
    ("focus", "surface", 3.0),
    ("focus", "raised", 3.0),
];

/// The colours by token, without the leading `--`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette(Vec<(&'static str, Color)>);

impl Palette {
    /// The colour of a token; black for one there is not.
    #[must_use]
    pub fn get(&self, token: &str) -> Color {
        self.0.iter().find(|(name, _)| *name == token).map_or(Color::BLACK, |(_, color)| *color)
    }

    /// All of them, in the order of the style sheet.
    #[must_use]
    pub fn tokens(&self) -> &[(&'static str, Color)] {
        &self.0
    }

    pub(super) fn derive(brand: &BrandInput, mode: Mode) -> Self {
        let Chosen { primary: chosen, accent, page, surface, text } = Chosen::of(brand, mode);
        let ground = page.oklch();
        let lit = |by: f64| {
            let lightness = (ground.lightness + by).clamp(0.0, 1.0);
            Oklch { lightness, ..ground }.color()
        };
        // A card is lighter than the page in both modes; what is raised (a selected row, code)
        // goes towards the text.
        let (card, raised, border, part) = match mode {
            Mode::Light => (lit(0.02), lit(-0.025), lit(-0.085), 0.12),
            Mode::Dark => (lit(0.03), lit(0.07), lit(0.12), 0.28),
        };
        let surface = surface.unwrap_or(card);
        let grounds = [page, surface, raised];
        let grey = |lightness: f64| {
            Oklch { lightness, chroma: 0.012, hue: brand.primary.oklch().hue }.color()
        };
        let (ink, quiet, line) = match mode {
            Mode::Light => (grey(0.22), grey(0.5), grey(0.64)),
            Mode::Dark => (grey(0.95), grey(0.74), grey(0.52)),
        };
        let soft = |color: Color, part: f64| page.mix(color, part);

        let primary = chosen.reach(&[page, surface], 3.0);
        let on_primary = on(primary);
        // Away from the text on it, so that it can only get easier to read.
        let hover = Oklch {
            lightness: (primary.oklch().lightness
                + if on_primary.is_light() { -0.05 } else { 0.05 })
            .clamp(0.0, 1.0),
            ..primary.oklch()
        };
        let accent = accent.reach(&[page, surface], 3.0);
        let (primary_soft, accent_soft) = (soft(primary, part), soft(accent, part));
        let focus = chosen.reach(&grounds, 3.0);

        let mut tokens = vec![
            ("page", page),
            ("surface", surface),
            ("raised", raised),
            ("border", border),
            ("edge", line.reach(&[page, surface], 3.0)),
            ("muted", quiet.reach(&grounds, 4.5)),
            ("link", chosen.reach(&grounds, 4.5)),
            ("primary", primary),
            ("on-primary", on_primary),
            ("primary-hover", readable_under(hover.color(), on_primary, primary)),
            ("primary-soft", primary_soft),
            ("on-primary-soft", ink.mix(primary, 0.35).reach(&[primary_soft], 4.5)),
            ("accent", accent),
            ("on-accent", on(accent)),
            ("accent-soft", accent_soft),
            ("on-accent-soft", ink.mix(accent, 0.35).reach(&[accent_soft], 4.5)),
            ("focus", focus),
        ];
        let mut softs = Vec::from(grounds);
        for (name, soft_name, hue, chroma) in [
            ("success", "success-soft", 150.0, 0.13),
            ("warning", "warning-soft", 70.0, 0.13),
            ("danger", "danger-soft", 27.0, 0.19),
        ] {
            let shade = |lightness| Oklch { lightness, chroma, hue: hue / 360.0 * TAU }.color();
            let color = shade(if mode == Mode::Light { 0.52 } else { 0.76 });
            let ground = soft(shade(0.72), 0.18);
            softs.push(ground);
            let color = color.reach(&[page, surface, raised, ground], 4.5);
            tokens.push((name, color));
            tokens.push((soft_name, ground));
            if name == "danger" {
                tokens.push(("on-danger", on(color)));
            }
        }
        let text = text.map_or_else(|| ink.reach(&softs, 7.0), |text| text.reach(&softs, 4.5));
        tokens.insert(0, ("text", text));
        Self(tokens)
    }
}

/// What was chosen for one mode, and the page, which is always there.
pub(super) struct Chosen {
    pub(super) primary: Color,
    pub(super) accent: Color,
    pub(super) page: Color,
    pub(super) surface: Option<Color>,
    pub(super) text: Option<Color>,
}

impl Chosen {
    pub(super) fn of(brand: &BrandInput, mode: Mode) -> Self {
        let dark = if mode == Mode::Dark { brand.dark } else { Shades::default() };
        let general = |color: Option<Color>| color.filter(|_| mode == Mode::general(brand));
        // Grounds that no text could stand on are refused where they are shown, and paper has
        // no use for them.
        let ground = |color: Option<Color>| {
            color.filter(|color| contrast(*color, mode.farthest_text()) >= GROUND)
        };
        let primary = dark.primary.unwrap_or(brand.primary);
        let page = ground(dark.background.or(general(brand.background))).unwrap_or_else(|| {
            let (lightness, chroma) = match mode {
                Mode::Light => (0.985, 0.003),
                Mode::Dark => (0.19, 0.012),
            };
            Oklch { lightness, chroma, hue: brand.primary.oklch().hue }.color()
        });
        Self {
            primary,
            accent: dark.accent.unwrap_or(brand.accent),
            page,
            surface: ground(dark.surface.or(general(brand.surface))),
            text: dark.text.or(general(brand.text)),
        }
    }
}

/// What to write with on a colour: white where it can be read, else black. One of the two
/// always has 4.5:1.
fn on(ground: Color) -> Color {
    if contrast(Color::WHITE, ground) >= 4.5 { Color::WHITE } else { Color::BLACK }
}

fn readable_under(hover: Color, text: Color, otherwise: Color) -> Color {
    if contrast(hover, text) >= 4.5 { hover } else { otherwise }
}

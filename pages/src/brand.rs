//! A brand: from a few choices to a style sheet that can be read in light and in dark.
//!
//! Only a few colours are chosen; every other one is derived from them, and each derived pair
//! meets WCAG AA (4.5:1 for text, 3:1 for parts of the interface). What cannot be mended by
//! deriving, a primary colour that does not stand out from the page, is refused with the
//! nearest shade that would do.

mod check;
mod font;
mod icon;
mod input;
mod palette;
mod sketch;

pub use check::{ContrastProblem, check};
pub use font::Font;
pub use input::{BrandInput, Shades, Theme};
pub use palette::{Mode, PAIRS, Palette};

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::Color;

/// A brand whose every colour can be read.
#[derive(Clone, Debug)]
pub struct Brand {
    input: BrandInput,
    light: Palette,
    dark: Palette,
    css: String,
    hash: String,
}

/// What the layout needs to know of a brand.
#[derive(Clone, Debug, Serialize)]
pub struct BrandView {
    /// The name people see.
    pub name: String,
    /// Where the server serves [`Brand::css`].
    pub css_href: String,
    /// Where the server serves [`Brand::icon`], or the tenant's own icon.
    pub icon_href: String,
    /// The logo, if there is one; else the icon stands in.
    pub logo_href: Option<String>,
    /// Light, dark or as the device says.
    pub theme: Theme,
    /// Whether the reader cannot choose.
    pub theme_fixed: bool,
    /// The page's colour in light mode, for the frame around it on phones.
    pub page_light: Color,
    /// The same in dark mode.
    pub page_dark: Color,
}

impl Brand {
    /// Takes a brand as it is, or says which colours cannot be read and which would.
    pub fn new(input: BrandInput) -> Result<Self, Vec<ContrastProblem>> {
        let problems = check(&input);
        if problems.is_empty() { Ok(Self::readable(input)) } else { Err(problems) }
    }

    /// Takes a brand with each unreadable colour replaced by its suggestion: for a server that
    /// has to start, whatever is in the file.
    #[must_use]
    pub fn mended(input: BrandInput) -> Self {
        Self::mend(input).0
    }

    /// Like [`Brand::mended`], with what was replaced: each problem's suggestion is what is used.
    #[must_use]
    pub fn mend(mut input: BrandInput) -> (Self, Vec<ContrastProblem>) {
        let mut mended: Vec<ContrastProblem> = Vec::new();
        // Twice, because a new background may ask for another text or primary colour.
        for _ in 0..2 {
            for problem in check(&input) {
                match mended.iter_mut().find(|before| before.token == problem.token) {
                    Some(before) => before.suggestion = problem.suggestion,
                    None => mended.push(problem.clone()),
                }
                problem.mend(&mut input);
            }
        }
        (Self::readable(input), mended)
    }

    fn readable(input: BrandInput) -> Self {
        let light = Palette::derive(&input, Mode::Light);
        let dark = Palette::derive(&input, Mode::Dark);
        let css = css(&input, &light, &dark);
        let hash = hex::encode(&Sha256::digest(css.as_bytes())[..8]);
        Self { input, light, dark, css, hash }
    }

    /// What was chosen, as mended.
    pub fn input(&self) -> &BrandInput {
        &self.input
    }

    /// The colours of one mode.
    pub fn palette(&self, mode: Mode) -> &Palette {
        match mode {
            Mode::Light => &self.light,
            Mode::Dark => &self.dark,
        }
    }

    /// The style sheet: custom properties only. `base.css` says where they go.
    pub fn css(&self) -> &str {
        &self.css
    }

    /// Which style sheet it is: 16 hex digits of its content's SHA-256.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// An icon (SVG) with the name's first letter, for a brand that brought none.
    #[must_use]
    pub fn icon(&self) -> String {
        icon::svg(&self.input.name, &self.light, self.input.radius_px)
    }

    /// A picture (SVG) of a home page in its colours, with a line below the name and so many cards as there is
    /// room for.
    #[must_use]
    pub fn sketch(&self, line: &str, cards: &[&str]) -> String {
        let palette = self.palette(Mode::general(&self.input));
        sketch::svg((&self.input.name, line), cards, palette, self.input.radius_px)
    }

    /// For the layout, with the style sheet at `/brand/HASH.css` and the icon beside it.
    #[must_use]
    pub fn view(&self, logo_href: Option<String>) -> BrandView {
        BrandView {
            name: self.input.name.clone(),
            css_href: format!("/brand/{}.css", self.hash),
            icon_href: format!("/brand/{}.svg", self.hash),
            logo_href,
            theme: self.input.theme,
            theme_fixed: self.input.theme != Theme::Auto,
            page_light: self.light.get("page"),
            page_dark: self.dark.get("page"),
        }
    }
}

fn css(input: &BrandInput, light: &Palette, dark: &Palette) -> String {
    let (font, mono) = (input.font.stack(), Font::Mono.stack());
    let radius = input.radius_px.min(24);
    let mut css = format!(":root{{--font:{font};--mono:{mono};--radius:{radius}px;}}\n");
    // Paper is light, whatever the screen is.
    _ = writeln!(css, ":root{{{}}}", properties(light, Mode::Light));
    let dark = properties(dark, Mode::Dark);
    match input.theme {
        Theme::Light => {}
        Theme::Dark => _ = writeln!(css, "@media screen{{:root{{{dark}}}}}"),
        Theme::Auto => {
            _ = writeln!(
                css,
                "@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}"
            );
            _ = writeln!(css, "@media screen{{:root[data-theme=dark]{{{dark}}}}}");
        }
    }
    css
}

fn properties(palette: &Palette, mode: Mode) -> String {
    let mut css = match mode {
        Mode::Light => "color-scheme:light;--shade:rgb(0 0 0/.08);--veil:rgb(0 0 0/.4);".to_owned(),
        Mode::Dark => "color-scheme:dark;--shade:rgb(0 0 0/.5);--veil:rgb(0 0 0/.6);".to_owned(),
    };
    for (token, color) in palette.tokens() {
        _ = write!(css, "--{token}:{color};");
    }
    css
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contrast;

    pub(super) fn input(primary: Color, background: Option<Color>, theme: Theme) -> BrandInput {
        let accent = Color::rgb(0xc2, 0x41, 0x0c);
        BrandInput { background, theme, ..BrandInput::new("Acme", primary, accent) }
    }

    fn assert_readable(brand: &Brand) {
        for mode in [Mode::Light, Mode::Dark] {
            let palette = brand.palette(mode);
            for (front, ground, needed) in PAIRS {
                let ratio = contrast(palette.get(front), palette.get(ground));
                assert!(
                    ratio >= *needed,
                    "{mode:?}: {front} {} on {ground} {} is {ratio:.2}, not {needed}; {:?}",
                    palette.get(front),
                    palette.get(ground),
                    brand.input(),
                );
            }
        }
    }

    #[test]
    fn a_pale_primary_is_refused_with_a_shade_that_is_then_taken() {
        let mut brand = input("#fde047".parse().unwrap(), None, Theme::Auto);
        let problems = Brand::new(brand.clone()).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].token, "primary");
        assert!(problems[0].ratio < problems[0].needed);
        brand.primary = problems[0].suggestion;
        assert_readable(&Brand::new(brand).unwrap());
    }

    #[test]
    fn what_was_mended_is_told_with_what_is_used() {
        let mut brand = input("#fde047".parse().unwrap(), None, Theme::Light);
        brand.background = Some("#808080".parse().unwrap());
        let (used, mended) = Brand::mend(brand.clone());
        let tokens: Vec<_> = mended.iter().map(|problem| problem.token).collect();
        assert_eq!(tokens, ["background", "primary", "accent"]);
        assert_eq!(Some(mended[0].suggestion), used.input().background);
        assert_eq!(mended[1].suggestion, used.input().primary);
        assert_eq!(mended[2].suggestion, used.input().accent);
        assert!(Brand::mend(used.input().clone()).1.is_empty());
    }

    #[test]
    fn a_contrast_told_is_never_rounded_up_to_the_one_needed() {
        let brand = input("#777777".parse().unwrap(), Some(Color::WHITE), Theme::Light);
        let problems = Brand::new(brand).unwrap_err();
        let said = problems[0].said_of("Main colour");
        assert!(said.contains("its contrast is 4.4 and has to be 4.5 or more"), "{said}");
    }

    #[test]
    fn a_grey_background_is_refused() {
        let brand = input(Color::BLACK, Some("#808080".parse().unwrap()), Theme::Auto);
        let problems = Brand::new(brand).unwrap_err();
        assert_eq!(problems[0].token, "background");
    }

    #[test]
    fn a_light_background_is_refused_for_the_dark_mode() {
        let mut brand = input("#1d4ed8".parse().unwrap(), None, Theme::Auto);
        brand.dark.background = Some(Color::WHITE);
        assert_eq!(Brand::new(brand).unwrap_err()[0].token, "dark.background");
        let brand = input("#1d4ed8".parse().unwrap(), Some(Color::WHITE), Theme::Dark);
        assert_eq!(Brand::new(brand).unwrap_err()[0].token, "background");
    }

    #[test]
    fn text_that_cannot_be_read_on_a_card_is_refused() {
        let mut brand = input(Color::rgb(29, 78, 216), None, Theme::Auto);
        brand.text = Some("#777777".parse().unwrap());
        brand.surface = Some("#dddddd".parse().unwrap());
        let problems = Brand::new(brand).unwrap_err();
        assert!(problems.iter().any(|problem| problem.token == "text"), "{problems:?}");
    }

    #[test]
    fn a_mode_that_is_never_shown_is_not_looked_at() {
        let mut brand = input("#fde047".parse().unwrap(), None, Theme::Dark);
        assert!(Brand::new(brand.clone()).is_ok());
        brand.theme = Theme::Light;
        brand.primary = Color::BLACK;
        brand.dark.primary = Some(Color::BLACK);
        assert!(Brand::new(brand).is_ok());
    }

    #[test]
    fn what_is_chosen_and_can_be_read_is_used_as_it_is() {
        let color = |text: &str| text.parse::<Color>().unwrap();
        let mut brand = input(color("#17663d"), Some(color("#fdfbf5")), Theme::Auto);
        brand.surface = Some(color("#ffffff"));
        brand.text = Some(color("#1b2419"));
        brand.dark = Shades {
            primary: Some(color("#86d9a4")),
            accent: Some(color("#f7c66b")),
            background: Some(color("#0f1712")),
            surface: Some(color("#18231c")),
            text: Some(color("#eaf3ec")),
        };
        let brand = Brand::new(brand).unwrap();
        let is = |mode, token: &str| brand.palette(mode).get(token).to_string();
        assert_eq!(is(Mode::Light, "primary"), "#17663d");
        assert_eq!(is(Mode::Light, "page"), "#fdfbf5");
        assert_eq!(is(Mode::Light, "text"), "#1b2419");
        assert_eq!(is(Mode::Dark, "primary"), "#86d9a4");
        assert_eq!(is(Mode::Dark, "accent"), "#f7c66b");
        assert_eq!(is(Mode::Dark, "page"), "#0f1712");
        assert_eq!(is(Mode::Dark, "surface"), "#18231c");
        assert_eq!(is(Mode::Dark, "text"), "#eaf3ec");
        assert_readable(&brand);
    }

    #[test]
    fn the_same_brand_has_the_same_hash_and_another_has_another() {
        let blue = Brand::mended(input("#1d4ed8".parse().unwrap(), None, Theme::Auto));
        let again = Brand::mended(input("#1d4ed8".parse().unwrap(), None, Theme::Auto));
        let other = Brand::mended(input("#1d4ed9".parse().unwrap(), None, Theme::Auto));
        assert_eq!(blue.hash(), again.hash());
        assert_ne!(blue.hash(), other.hash());
        assert_eq!(blue.hash().len(), 16);
    }

    #[test]
    fn a_fixed_theme_has_no_other_on_the_screen() {
        let brand = |theme| Brand::mended(input(Color::rgb(29, 78, 216), None, theme));
        assert!(!brand(Theme::Light).css().contains("color-scheme:dark"));
        assert!(!brand(Theme::Dark).css().contains("prefers-color-scheme"));
        assert!(brand(Theme::Auto).css().contains("[data-theme=dark]"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn whatever_the_colours_every_derived_pair_can_be_read(
            primary: [u8; 3],
            accent: [u8; 3],
            chosen: [Option<[u8; 3]>; 8],
            theme in prop_oneof![Just(Theme::Auto), Just(Theme::Light), Just(Theme::Dark)],
        ) {
            let color = |[red, green, blue]: [u8; 3]| Color::rgb(red, green, blue);
            let [background, surface, text, rest @ ..] = chosen.map(|chosen| chosen.map(color));
            let [primary_in_dark, accent_in_dark, page_in_dark, surface_in_dark, text_in_dark] = rest;
            let dark = Shades {
                primary: primary_in_dark,
                accent: accent_in_dark,
                background: page_in_dark,
                surface: surface_in_dark,
                text: text_in_dark,
            };
            let plain = BrandInput::new("Acme", color(primary), color(accent));
            let brand = Brand::mended(BrandInput { background, surface, text, dark, theme, ..plain });
            prop_assert_eq!(check(brand.input()), vec![], "mended and still refused");
            assert_readable(&brand);
        }
    }
}

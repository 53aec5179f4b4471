//! Which of the chosen colours cannot be read, and the nearest that can.

use std::fmt;

use serde::Serialize;

use super::{
    BrandInput, Theme,
    palette::{Chosen, GROUND, Mode},
};
use crate::{Color, contrast};

/// A chosen colour that does not stand out enough.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContrastProblem {
    /// Which choice: `background`, `surface`, `text`, `primary` or `accent`, or one of those
    /// with `dark.` before it.
    pub token: &'static str,
    /// The contrast it has, cut to one digit: never rounded up to what it needs.
    pub ratio: f64,
    /// The contrast it needs.
    pub needed: f64,
    /// The nearest shade that has it.
    pub suggestion: Color,
}

impl ContrastProblem {
    /// The problem as a person reads it who knows the colour by this name.
    #[must_use]
    pub fn said_of(&self, name: &str) -> String {
        let Self { token: _, ratio, needed, suggestion } = self;
        format!(
            "{name} cannot be read: its contrast is {ratio:.1} and has to be {needed:.1} or more. \
             The nearest that can is {suggestion}."
        )
    }

    pub(super) fn mend(self, input: &mut BrandInput) {
        let color = self.suggestion;
        match self.token {
            "primary" => input.primary = color,
            "accent" => input.accent = color,
            "background" => input.background = Some(color),
            "surface" => input.surface = Some(color),
            "text" => input.text = Some(color),
            "dark.primary" => input.dark.primary = Some(color),
            "dark.accent" => input.dark.accent = Some(color),
            "dark.background" => input.dark.background = Some(color),
            "dark.surface" => input.dark.surface = Some(color),
            _ => input.dark.text = Some(color),
        }
    }
}

impl fmt::Display for ContrastProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said_of(self.token))
    }
}

/// Every problem at once, in the modes that the theme shows: grounds against the darkest or
/// lightest text there can be (9:1, which leaves quiet text on every ground its 4.5:1), text
/// and the primary colour against the grounds (4.5:1, links have it too), the accent (3:1).
///
/// In the dark mode only what was chosen for it is looked at; all else is derived, and can be
/// read.
#[must_use]
pub fn check(input: &BrandInput) -> Vec<ContrastProblem> {
    let mut problems = Vec::new();
    let mut need = |token, color: Option<Color>, against: &[Color], needed| {
        let Some(color) = color else { return };
        let ratio = against.iter().map(|other| contrast(color, *other)).fold(21.0, f64::min);
        if ratio < needed {
            let suggestion = color.reach(against, needed);
            let ratio = (ratio * 10.0).floor() / 10.0;
            problems.push(ContrastProblem { token, ratio, needed, suggestion });
        }
    };

    let grounds = |mode| {
        let chosen = Chosen::of(input, mode);
        [chosen.page, chosen.surface.unwrap_or(chosen.page)]
    };
    let general = Mode::general(input);
    need("background", input.background, &[general.farthest_text()], GROUND);
    need("surface", input.surface, &[general.farthest_text()], GROUND);
    need("text", input.text, &grounds(general), 4.5);
    if input.theme != Theme::Dark {
        need("primary", Some(input.primary), &grounds(Mode::Light), 4.5);
        need("accent", Some(input.accent), &grounds(Mode::Light), 3.0);
    }
    if input.theme != Theme::Light {
        need("dark.background", input.dark.background, &[Mode::Dark.farthest_text()], GROUND);
        need("dark.surface", input.dark.surface, &[Mode::Dark.farthest_text()], GROUND);
        need("dark.text", input.dark.text, &grounds(Mode::Dark), 4.5);
        need("dark.primary", input.dark.primary, &grounds(Mode::Dark), 4.5);
        need("dark.accent", input.dark.accent, &grounds(Mode::Dark), 3.0);
    }
    problems
}

//! A colour, how it contrasts with another, and the nearest shade that contrasts enough.
//!
//! Shades are looked for in OKLCH, where the same step of lightness looks the same in every
//! hue; contrast is WCAG's, on sRGB luminance.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An opaque sRGB colour, written `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Color {
    red: u8,
    green: u8,
    blue: u8,
}

/// Not a colour in the form `#rrggbb` or `#rgb`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a colour: write it as #rrggbb")]
pub struct NotAColor(String);

/// WCAG contrast of two colours, from 1.0 to 21.0, whichever is in front.
#[must_use]
pub fn contrast(one: Color, other: Color) -> f64 {
    let (one, other) = (one.luminance(), other.luminance());
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

impl Color {
    /// `#000000`
    pub const BLACK: Self = Self::rgb(0, 0, 0);
    /// `#ffffff`
    pub const WHITE: Self = Self::rgb(255, 255, 255);

    /// From its three channels.
    #[must_use]
    pub const fn rgb(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// WCAG relative luminance, from 0.0 (black) to 1.0 (white).
    #[must_use]
    pub fn luminance(self) -> f64 {
        let [red, green, blue] = self.linear();
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// Whether black reads better on it than white does.
    #[must_use]
    pub fn is_light(self) -> bool {
        contrast(self, Self::BLACK) >= contrast(self, Self::WHITE)
    }

    /// The shade nearest to this one, same hue, that has at least `ratio` against each of the
    /// others. Where none has, black or white, whichever comes closer.
    #[must_use]
    pub fn reach(self, against: &[Self], ratio: f64) -> Self {
        let worst =
            |shade: Self| against.iter().map(|other| contrast(shade, *other)).fold(21.0, f64::min);
        if worst(self) >= ratio {
            return self;
        }
        let own = self.oklch();
        (1..=200u8)
            .flat_map(|step| {
                let away = f64::from(step) * 0.005;
                [own.lightness - away, own.lightness + away]
            })
            .filter(|lightness| (0.0..=1.0).contains(lightness))
            .map(|lightness| Oklch { lightness, ..own }.color())
            .find(|shade| worst(*shade) >= ratio)
            .unwrap_or_else(|| {
                if worst(Self::BLACK) >= worst(Self::WHITE) { Self::BLACK } else { Self::WHITE }
            })
    }

    /// `part` of the other, from 0.0 to 1.0, laid over this one.
    #[must_use]
    pub fn mix(self, other: Self, part: f64) -> Self {
        let blend = |own: u8, other: u8| {
            channel((f64::from(own) * (1.0 - part) + f64::from(other) * part) / 255.0)
        };
        Self::rgb(
            blend(self.red, other.red),
            blend(self.green, other.green),
            blend(self.blue, other.blue),
        )
    }

    fn linear(self) -> [f64; 3] {
        [self.red, self.green, self.blue].map(|value| {
            let value = f64::from(value) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        })
    }

    pub(crate) fn oklch(self) -> Oklch {
        let [red, green, blue] = self.linear();
        let long =
            (0.412_221_470_8 * red + 0.536_332_536_3 * green + 0.051_445_992_9 * blue).cbrt();
        let medium =
            (0.211_903_498_2 * red + 0.680_699_545_1 * green + 0.107_396_956_6 * blue).cbrt();
        let short =
            (0.088_302_461_9 * red + 0.281_718_837_6 * green + 0.629_978_700_5 * blue).cbrt();
        let lightness = 0.210_454_255_3 * long + 0.793_617_785_0 * medium - 0.004_072_046_8 * short;
        let green_red = 1.977_998_495_1 * long - 2.428_592_205_0 * medium + 0.450_593_709_9 * short;
        let blue_yellow =
            0.025_904_037_1 * long + 0.782_771_766_2 * medium - 0.808_675_766_0 * short;
        Oklch { lightness, chroma: green_red.hypot(blue_yellow), hue: blue_yellow.atan2(green_red) }
    }
}

/// Lightness 0.0 to 1.0, chroma 0.0 to about 0.37, hue in radians.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Oklch {
    pub(crate) lightness: f64,
    pub(crate) chroma: f64,
    pub(crate) hue: f64,
}

impl Oklch {
    /// As a colour of sRGB; where the screen cannot show it, with less chroma.
    pub(crate) fn color(self) -> Color {
        let inside =
            |parts: &[f64; 3]| parts.iter().all(|part| (-0.000_5..=1.000_5).contains(part));
        let mut parts = self.linear();
        let (mut low, mut high) = (0.0, self.chroma);
        if !inside(&parts) {
            for _ in 0..16 {
                let chroma = f64::midpoint(low, high);
                let tried = Self { chroma, ..self }.linear();
                if inside(&tried) {
                    (low, parts) = (chroma, tried);
                } else {
                    high = chroma;
                }
            }
            if low == 0.0 {
                parts = Self { chroma: 0.0, ..self }.linear();
            }
        }
        let [red, green, blue] = parts.map(|part| {
            let part = part.clamp(0.0, 1.0);
            channel(if part <= 0.003_130_8 {
                part * 12.92
            } else {
                1.055 * part.powf(1.0 / 2.4) - 0.055
            })
        });
        Color::rgb(red, green, blue)
    }

    fn linear(self) -> [f64; 3] {
        let (sine, cosine) = self.hue.sin_cos();
        let (green_red, blue_yellow) = (self.chroma * cosine, self.chroma * sine);
        let long =
            (self.lightness + 0.396_337_777_4 * green_red + 0.215_803_757_3 * blue_yellow).powi(3);
        let medium =
            (self.lightness - 0.105_561_345_8 * green_red - 0.063_854_172_8 * blue_yellow).powi(3);
        let short =
            (self.lightness - 0.089_484_177_5 * green_red - 1.291_485_548_0 * blue_yellow).powi(3);
        [
            4.076_741_662_1 * long - 3.307_711_591_3 * medium + 0.230_969_929_2 * short,
            -1.268_438_004_6 * long + 2.609_757_401_1 * medium - 0.341_319_396_5 * short,
            -0.004_196_086_3 * long - 0.703_418_614_7 * medium + 1.707_614_701_0 * short,
        ]
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0.0 to 255.0 first"
)]
fn channel(part: f64) -> u8 {
    (part.clamp(0.0, 1.0) * 255.0).round() as u8
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

impl FromStr for Color {
    type Err = NotAColor;

    fn from_str(text: &str) -> Result<Self, NotAColor> {
        let no = || NotAColor(text.to_owned());
        let digits = text
            .strip_prefix('#')
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .ok_or_else(no)?;
        let full = match digits.len() {
            3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
            6 => digits.to_owned(),
            _ => return Err(no()),
        };
        let value = u32::from_str_radix(&full, 16).map_err(|_| no())?;
        let [_, red, green, blue] = value.to_be_bytes();
        Ok(Self { red, green, blue })
    }
}

impl Serialize for Color {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Color {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn black_on_white_has_the_highest_contrast_there_is() {
        assert!((contrast(Color::BLACK, Color::WHITE) - 21.0).abs() < 1e-9);
        assert!((contrast(Color::WHITE, Color::WHITE) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn short_and_long_forms_are_read_and_nothing_else_is() {
        assert_eq!("#fff".parse(), Ok(Color::WHITE));
        assert_eq!("#0A1b2C".parse(), Ok(Color::rgb(10, 27, 44)));
        for text in ["", "#", "fff", "#ffff", "#gggggg", "red", "#ffffff;}body{", "#é12"] {
            assert!(text.parse::<Color>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_shade_of_a_hue_keeps_the_hue() {
        let orange: Color = "#f97316".parse().unwrap();
        let shade = orange.reach(&[Color::WHITE], 4.5);
        assert!(contrast(shade, Color::WHITE) >= 4.5);
        assert!((shade.oklch().hue - orange.oklch().hue).abs() < 0.1, "{shade}");
    }

    proptest! {
        #[test]
        fn a_colour_survives_the_way_through_oklch(red: u8, green: u8, blue: u8) {
            let color = Color::rgb(red, green, blue);
            let back = color.oklch().color();
            let near = |one: u8, other: u8| one.abs_diff(other) <= 1;
            prop_assert!(
                near(back.red, red) && near(back.green, green) && near(back.blue, blue),
                "{color} came back as {back}"
            );
        }

        #[test]
        fn every_colour_has_a_readable_shade_on_white_and_on_black(red: u8, green: u8, blue: u8) {
            let color = Color::rgb(red, green, blue);
            for ground in [Color::WHITE, Color::BLACK] {
                prop_assert!(contrast(color.reach(&[ground], 4.5), ground) >= 4.5);
            }
        }
    }
}

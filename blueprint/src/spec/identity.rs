//! Who the platform is: names, addresses, looks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_default;
use crate::text::Colour;

/// Who the platform is to the people who meet it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The name people see, in any script.
    #[schemars(length(min = 1, max = 80))]
    pub display_name: String,
    /// One line on what the platform is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 160))]
    pub tagline: Option<String>,
    /// Where people write when they need help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 254))]
    pub support_email: Option<String>,
    /// Languages of the pages, the main one first, such as `en` or `pt-BR`; English when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 11)))]
    pub languages: Vec<String>,
    /// Logo, colours and letters.
    #[serde(default, skip_serializing_if = "is_default")]
    pub branding: Branding,
    /// The app for phones; needs a plan with the mobile project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mobile_app: Option<MobileApp>,
}

/// Logo, colours and letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Branding {
    /// The logo: a file beside the blueprint, such as `brand/logo.svg`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 120))]
    pub logo: Option<String>,
    /// The small picture in a browser's tab; made from the logo when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 120))]
    pub favicon: Option<String>,
    /// Colours; neutral ones when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub palette: Option<Palette>,
    /// The letters: a family that every device has, so that nothing is fetched. Default: system.
    #[serde(default, skip_serializing_if = "is_default")]
    pub font: Font,
    /// Light, dark, or as the device wishes. Default: auto.
    #[serde(default, skip_serializing_if = "is_default")]
    pub theme: Theme,
    /// How round corners are. Default: medium.
    #[serde(default, skip_serializing_if = "is_default")]
    pub radius: Radius,
}

/// Colours of the light theme, and of the dark one where they should not be derived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Palette {
    /// Buttons and links: `#rrggbb`.
    pub primary: Colour,
    /// What should catch the eye beside them.
    pub accent: Colour,
    /// Behind everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Colour>,
    /// Cards and bars on the background.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surface: Option<Colour>,
    /// Text on background and surface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Colour>,
    /// The dark theme; derived from the light one where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dark: Option<Shades>,
}

/// Colours of the dark theme; each is derived from the light theme where left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Shades {
    /// Buttons and links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<Colour>,
    /// What should catch the eye beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accent: Option<Colour>,
    /// Behind everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Colour>,
    /// Cards and bars on the background.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surface: Option<Colour>,
    /// Text on background and surface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Colour>,
}

/// Families of letters that every device has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Font {
    /// The device's own.
    #[default]
    System,
    /// Open and calm, as Seravek or Gill Sans.
    Humanist,
    /// Round and even, as Avenir or Montserrat.
    Geometric,
    /// Soft ends, for the young.
    Rounded,
    /// Bookish, as Charter or Cambria.
    Transitional,
    /// Classical, as Iowan or Palatino.
    OldStyle,
    /// Heavy feet, as Rockwell.
    Slab,
    /// Every letter as wide as the next.
    Mono,
}

/// Which theme people meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    /// Always light.
    Light,
    /// Always dark.
    Dark,
    /// As the device wishes.
    #[default]
    Auto,
}

/// How round corners are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Radius {
    /// Square.
    None,
    /// 4 px.
    Small,
    /// 8 px.
    #[default]
    Medium,
    /// 16 px.
    Large,
}

/// The app for phones, made as a project for the owner's own developer accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MobileApp {
    /// The identifier in both stores, such as `com.example.learning`.
    #[schemars(length(max = 120))]
    pub bundle_id: String,
    /// Name under the icon; the display name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 30))]
    pub name: Option<String>,
}

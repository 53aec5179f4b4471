//! The typefaces.

use serde::{Deserialize, Serialize};

/// The typefaces there are: stacks of what devices already have, so that nothing is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Font {
    /// The device's own.
    #[default]
    System,
    /// Open and calm: Seravek, Gill Sans, Ubuntu.
    Humanist,
    /// Round and even: Avenir, Montserrat, Corbel.
    Geometric,
    /// With soft ends: Nunito, Quicksand, SF Rounded.
    Rounded,
    /// Bookish: Charter, Cambria, Georgia.
    Transitional,
    /// Classical: Iowan, Palatino.
    OldStyle,
    /// With heavy feet: Rockwell, Roboto Slab.
    Slab,
    /// Fixed width.
    Mono,
}

impl Font {
    /// All of them, with the name each goes by.
    pub const ALL: [(&'static str, Self); 8] = [
        ("system", Self::System),
        ("humanist", Self::Humanist),
        ("geometric", Self::Geometric),
        ("rounded", Self::Rounded),
        ("transitional", Self::Transitional),
        ("old-style", Self::OldStyle),
        ("slab", Self::Slab),
        ("mono", Self::Mono),
    ];

    /// By its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(own, _)| *own == name).map(|(_, font)| *font)
    }

    pub(super) const fn stack(self) -> &'static str {
        match self {
            Self::System => "system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif",
            Self::Humanist => {
                "Seravek,\"Gill Sans Nova\",Ubuntu,Calibri,\"DejaVu Sans\",source-sans-pro,sans-serif"
            }
            Self::Geometric => "Avenir,Montserrat,Corbel,\"URW Gothic\",source-sans-pro,sans-serif",
            Self::Rounded => {
                "ui-rounded,\"SF Pro Rounded\",Nunito,Quicksand,\"Hiragino Maru Gothic ProN\",sans-serif"
            }
            Self::Transitional => {
                "Charter,\"Bitstream Charter\",\"Sitka Text\",Cambria,Georgia,serif"
            }
            Self::OldStyle => {
                "\"Iowan Old Style\",\"Palatino Linotype\",\"URW Palladio L\",P052,serif"
            }
            Self::Slab => "Rockwell,\"Rockwell Nova\",\"Roboto Slab\",\"DejaVu Serif\",serif",
            Self::Mono => {
                "ui-monospace,\"Cascadia Code\",Menlo,Consolas,\"DejaVu Sans Mono\",monospace"
            }
        }
    }
}

//! A text for a camera.

use qrcode::{Color, EcLevel};
use serde::Serialize;

use crate::Sample;

/// Around it cameras need so many squares of nothing.
const QUIET: usize = 4;

/// A QR code: part `qr-code`. Whoever cannot use a camera needs the same as text beside it.
#[derive(Clone, Debug, Serialize)]
pub struct QrCode {
    /// What it is, for those who do not see it.
    pub label: String,
    /// Squares on each side, those around it among them.
    pub side: usize,
    /// The dark squares, as the path of a drawing.
    pub path: String,
}

impl QrCode {
    /// Of this text; `None` where it is longer than one can hold.
    #[must_use]
    pub fn of(label: &str, text: &str) -> Option<Self> {
        let code = qrcode::QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let width = code.width();
        let colors = code.to_colors();
        let dark = colors.iter().enumerate().filter(|(_, color)| **color == Color::Dark);
        let square = |(at, _)| format!("M{} {}h1v1h-1z", at % width + QUIET, at / width + QUIET);
        let path = dark.map(square).collect();
        Some(Self { label: label.to_owned(), side: width + 2 * QUIET, path })
    }
}

impl Sample for QrCode {
    fn samples() -> Vec<Self> {
        Self::of("Ada <b>\"&' {{x}}", "https://acme.test").into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_corner_is_where_cameras_look_for_it() {
        let code = QrCode::of("x", "otpauth://totp/a?secret=b").unwrap();
        assert!(code.path.starts_with("M4 4h1v1h-1zM5 4h1v1h-1z"), "{}", code.path);
        // 21 squares for the smallest, four more for each size, and eight of nothing.
        assert_eq!((code.side - 8 - 21) % 4, 0);
        assert!(QrCode::of("x", &"y".repeat(4_000)).is_none());
    }
}

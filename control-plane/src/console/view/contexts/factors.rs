//! A second factor that is being set up.

use accounts::RecoveryCode;
use pages::parts::{Field, Notice, QrCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

/// What an app needs, and where its first code is typed.
#[derive(Clone, Debug, Serialize)]
pub struct SetUp {
    /// Why the first code was not taken.
    pub notice: Option<Notice>,
    /// For a camera.
    pub qr: Option<QrCode>,
    /// The same, for an app on the device that shows this.
    pub uri: String,
    /// The same, to be typed: in groups of four.
    pub secret: String,
    /// The first code.
    pub code: Field,
    /// Where to go afterwards.
    pub next: String,
}

impl SetUp {
    /// Of this secret.
    pub fn of(
        secret: &SecretString,
        uri: &SecretString,
        code: Field,
        next: &str,
        notice: Option<Notice>,
    ) -> Self {
        let letters: Vec<_> = secret.expose_secret().chars().collect();
        let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
        Self {
            notice,
            qr: QrCode::of("The secret, for the camera of your app", uri.expose_secret()),
            uri: uri.expose_secret().to_owned(),
            secret: groups.join(" "),
            code,
            next: next.to_owned(),
        }
    }
}

/// Codes on paper, shown once.
#[derive(Clone, Debug, Serialize)]
pub struct RecoveryCodes {
    /// As they are written down.
    pub codes: Vec<String>,
    /// Where to go afterwards.
    pub next: String,
}

impl RecoveryCodes {
    /// Those.
    pub fn of(codes: &[RecoveryCode], next: &str) -> Self {
        let written = |code: &RecoveryCode| code.text().expose_secret().to_owned();
        Self { codes: codes.iter().map(written).collect(), next: next.to_owned() }
    }
}

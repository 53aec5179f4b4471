//! `console`: where all platforms of this machine are seen and changed.

use crate::failure::{Failure, Kind, Result};
use crate::home::Home;
use crate::host::control::{self, Reply, Request};
use crate::host::unexpected;
use crate::printer::Printer;

use super::create::passed_on;

/// Prints where it is, or a link by which its owner joins.
pub async fn run(email: Option<String>, home: &Home, printer: &Printer) -> Result<()> {
    match control::ask(home, &Request::Console { email }).await? {
        Some(Reply::Console { url, link }) => {
            if printer.is_json() {
                printer.json(&serde_json::json!({ "url": url, "joinLink": link }));
                return Ok(());
            }
            printer.data(link.as_deref().unwrap_or(&url));
            printer.note(match link {
                Some(_) => "Open it once to choose a password: you own the console then.",
                None => {
                    "Sign in there. For another owner: create-ai-platform console --email ADDRESS"
                }
            });
            Ok(())
        }
        Some(Reply::Failed { code, what, hint }) => Err(passed_on(code, what, hint)),
        Some(other) => Err(unexpected(&format!("the host answered {other:?}"))),
        None => Err(Failure::new(
            Kind::Host,
            "no platform runs, and so no console",
            "Run one first: create-ai-platform my-company",
        )),
    }
}

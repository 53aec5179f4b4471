//! A person at the pages: makes an account, sends messages, hears answers.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::http::{Answer, Site};

const PASSWORD: &str = "engine-of-analysis-1843";
const AGENT: &str = "/agents/guide/talk";

/// Somebody with an account, at whatever port the site is.
pub(super) struct Person {
    cookie: String,
}

/// An answer that came to its end.
pub(super) struct Heard {
    /// From sending the message to the first words; none if there were no words.
    pub(super) first: Option<Duration>,
    /// From sending the message to the end of the answer.
    pub(super) whole: Duration,
    /// How it ended, as the site tells it.
    pub(super) ending: String,
}

impl Person {
    /// Becomes the owner.
    pub(super) fn welcome(site: &Site, admin_link: &str) -> Result<Self> {
        let at = admin_link.find("/welcome/").context("an admin link that leads elsewhere")?;
        Self::join(site, &admin_link[at..], "Ada Lovelace", "ada@example.com")
    }

    /// Makes an account of their own.
    pub(super) fn sign_up(site: &Site, number: usize) -> Result<Self> {
        let email = format!("person-{number}@example.com");
        Self::join(site, "/signup", "Mary Somerville", &email)
    }

    fn join(site: &Site, path: &str, name: &str, email: &str) -> Result<Self> {
        let form = [("name", name), ("email", email), ("password", PASSWORD)];
        let answer = site.post(path, &form, None)?;
        let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        match cookie.filter(|cookie| cookie.starts_with("session=")) {
            Some(cookie) => Ok(Self { cookie: cookie.to_owned() }),
            None => bail!("no account for {email}: status {}", answer.status),
        }
    }

    /// Begins a conversation with the first agent and listens to the end of its answer.
    pub(super) fn ask(&self, site: &Site, text: &str) -> Result<Heard> {
        let sent = Instant::now();
        let answer = site.post(AGENT, &[("text", text)], Some(&self.cookie))?;
        let Some(location) = answer.header("location").filter(|_| answer.status == 303) else {
            bail!("the message was refused with status {}", answer.status);
        };
        let path = location.split('#').next().unwrap_or_default().to_owned();
        let page = site.get(&path, Some(&self.cookie))?.text()?;
        let Some(stream) = stream_of(&page) else {
            // Ended before we looked: the page holds how.
            return Ok(Heard { first: None, whole: sent.elapsed(), ending: "at once".into() });
        };
        listen(site.get(stream, Some(&self.cookie))?, sent)
    }
}

/// Where the answer under way is told, if there is one on the page.
fn stream_of(page: &str) -> Option<&str> {
    page.split_once("data-src=\"")?.1.split('"').next()
}

fn listen(mut stream: Answer, sent: Instant) -> Result<Heard> {
    if stream.status != 200 {
        bail!("no stream of the answer: status {}", stream.status);
    }
    let mut first = None;
    let mut event = String::new();
    while let Some(line) = stream.line()? {
        if let Some(name) = line.strip_prefix("event: ") {
            name.clone_into(&mut event);
        }
        let Some(data) = line.strip_prefix("data: ") else { continue };
        match event.as_str() {
            "delta" => first = first.or_else(|| Some(sent.elapsed())),
            "done" => {
                let told: Value = serde_json::from_str(data)?;
                let ending = format!("{}, {}", told["state"], told["note"]);
                return Ok(Heard { first, whole: sent.elapsed(), ending });
            }
            _ => {}
        }
    }
    bail!("the answer broke off");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_found_on_the_page() {
        let page = "<p>hi</p><chat-stream data-src=\"/messages/7/stream\" data-after=\"0.0\">";
        assert_eq!(stream_of(page), Some("/messages/7/stream"));
        assert_eq!(stream_of("<p>all said</p>"), None);
    }
}

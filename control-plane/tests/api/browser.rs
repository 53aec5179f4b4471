//! A person before a browser that runs no scripts.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};

use crate::Rig;

/// What it remembers between two pages.
pub(crate) struct Browser<'a> {
    rig: &'a Rig,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// A page, or where it leads.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) location: String,
    /// What the next page will say was done.
    told: Option<String>,
    pub(crate) html: String,
}

impl Page {
    /// It says this.
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.html.contains(text), "{text:?} is not in {self:?}");
        self
    }

    pub(crate) fn says_nothing_of(&self, text: &str) -> &Self {
        assert!(!self.html.contains(text), "{text:?} is in {self:?}");
        self
    }

    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// It sends the browser there.
    pub(crate) fn leads_to(&self, location: &str) -> &Self {
        assert_eq!((self.status.as_u16(), self.location.as_str()), (303, location), "{self:?}");
        self
    }

    /// What stands between the first of this and the next of that.
    pub(crate) fn between(&self, before: &str, behind: &str) -> String {
        let (_, rest) = self.html.split_once(before).unwrap();
        rest.split_once(behind).unwrap().0.to_owned()
    }

    /// The same, as a person reads it.
    pub(crate) fn read_between(&self, before: &str, behind: &str) -> String {
        let signs =
            [("&quot;", "\""), ("&#x27;", "'"), ("&#x3D;", "="), ("&lt;", "<"), ("&gt;", ">")];
        let text = self.between(before, behind);
        let text = signs.iter().fold(text, |text, (from, to)| text.replace(from, to));
        text.replace("&amp;", "&")
    }
}

impl<'a> Browser<'a> {
    pub(crate) fn new(rig: &'a Rig) -> Self {
        Self { rig, cookies: BTreeMap::new() }
    }

    pub(crate) async fn open(&mut self, path: &str) -> Page {
        self.send(Request::get(path), String::new()).await
    }

    /// Sends a form.
    pub(crate) async fn fill(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let kind = "application/x-www-form-urlencoded";
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, kind)
            .header("sec-fetch-site", "same-origin");
        let page = self.send(request, form.finish()).await;
        // Who has to show first who they are has done nothing yet.
        let first = ["/signin", "/account/second-factor"];
        let leads_on = page.status == StatusCode::SEE_OTHER
            && !first.iter().any(|first| page.location.starts_with(first));
        assert!(!leads_on || page.told.is_some(), "nobody is told what became of {path}");
        page
    }

    /// What it would send.
    pub(crate) fn cookie(&self, name: &str) -> String {
        self.cookies[name].clone()
    }

    /// Somebody puts this among its cookies.
    pub(crate) fn take(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.to_owned(), value.to_owned());
    }

    /// Whoever holds the link of an invitation joins with a new account.
    pub(crate) async fn join(rig: &'a Rig, link: &str, name: &str) -> Self {
        let mut browser = Self::new(rig);
        let path = link.strip_prefix(crate::rig::URL).unwrap();
        let fields = [("name", name), ("password", PASSWORD)];
        browser.fill(path, &fields).await.is(303);
        browser
    }

    pub(crate) async fn send(
        &mut self,
        request: axum::http::request::Builder,
        body: String,
    ) -> Page {
        let cookies: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request
            .header(header::ACCEPT, "text/html,application/xhtml+xml")
            .header(header::COOKIE, cookies.join("; "))
            .body(Body::from(body));
        let (head, body) = self.rig.answer(request.unwrap()).await.into_parts();
        let mut told = None;
        for cookie in head.headers.get_all(header::SET_COOKIE) {
            let (pair, about) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            assert!(about.contains("HttpOnly") && about.contains("Secure"), "{about}");
            if about.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
                told = (name == "__Host-done").then(|| value.to_owned()).or(told);
            }
        }
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let kind = head.headers.get(header::CONTENT_TYPE);
        let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        assert!(head.status.is_redirection() || is_page, "{head:?}");
        let location = head.headers.get(header::LOCATION);
        Page {
            status: head.status,
            location: location.map_or("", |value| value.to_str().unwrap()).to_owned(),
            told,
            html: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}

/// Everybody's here.
pub(crate) const PASSWORD: &str = "correct horse battery";

//! A person's browser: keeps the cookie, sends forms as browsers do, and looks each page over.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header, request};
use futures::StreamExt;
use tenant_runtime::App;
use tower::ServiceExt;

use crate::platform::PASSWORD;
use crate::stream::Listener;

/// A browser at one platform.
pub(crate) struct Browser {
    router: Router,
    origin: String,
    /// By name, as `NAME=VALUE`.
    cookies: Mutex<BTreeMap<String, String>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn new(app: &App) -> Self {
        let router = tenant_runtime::router(app.clone());
        Self { router, origin: app.origin().to_owned(), cookies: Mutex::default() }
    }

    /// The same person at another runtime of the platform.
    pub(crate) fn at(&self, app: &App) -> Self {
        let cookies = Mutex::new(self.cookies.lock().unwrap().clone());
        Self { cookies, ..Self::new(app) }
    }

    /// The cookie the person is signed in by, as `NAME=VALUE`.
    pub(crate) fn cookie(&self) -> Option<String> {
        self.cookies.lock().unwrap().get("session").cloned()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, "text/html"), Body::empty()).await
    }

    /// Sends a form.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(self.form(path, "text/html"), encoded(fields)).await
    }

    /// Sends a form as our scripts do.
    pub(crate) async fn post_by_script(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(self.form(path, "application/json"), encoded(fields)).await
    }

    pub(crate) async fn sign_up(&self, name: &str) -> Answer {
        let email = format!("{name}@example.com");
        self.post("/signup", &[("name", name), ("email", &email), PASSWORD]).await
    }

    pub(crate) async fn sign_in(&self, name: &str) -> Answer {
        let email = format!("{name}@example.com");
        self.post("/signin", &[("email", &email), PASSWORD]).await
    }

    /// Begins a conversation.
    pub(crate) async fn asks(&self, agent: &str, text: &str) -> Chat<'_> {
        let sent = self.post(&format!("/agents/{agent}/talk"), &[("text", text)]).await.expect(303);
        let id = sent.location().strip_prefix("/conversations/").unwrap();
        Chat { browser: self, id: id.strip_suffix("#end").unwrap().to_owned() }
    }

    /// A conversation that is there already.
    pub(crate) fn chat(&self, id: &str) -> Chat<'_> {
        Chat { browser: self, id: id.to_owned() }
    }

    /// Sends any request with the cookie, and takes the answer whole.
    pub(crate) async fn send(&self, request: request::Builder, body: Body) -> Answer {
        let response = self.open(request, body).await;
        let (head, body) = response.into_parts();
        for set in head.headers.get_all(header::SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            if value.is_empty() {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), pair.to_owned());
            }
        }
        let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let answer = Answer { status: head.status, headers: head.headers, body };
        answer.look_over();
        answer
    }

    /// The same without waiting for its end.
    pub(crate) async fn open(
        &self,
        mut request: request::Builder,
        body: Body,
    ) -> axum::response::Response {
        request = request.header(header::HOST, self.origin.strip_prefix("http://").unwrap());
        let cookies: Vec<_> = self.cookies.lock().unwrap().values().cloned().collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap()
    }

    fn form(&self, path: &str, accept: &str) -> request::Builder {
        request(Method::POST, path, accept)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, &self.origin)
            .header("sec-fetch-site", "same-origin")
    }
}

/// A request of a browser.
pub(crate) fn request(method: Method, path: &str, accept: &str) -> request::Builder {
    Request::builder().method(method).uri(path).header(header::ACCEPT, accept)
}

fn encoded(fields: &[(&str, &str)]) -> Body {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    Body::from(form.extend_pairs(fields).finish())
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// With these words in it.
    #[track_caller]
    pub(crate) fn with(self, words: &str) -> Self {
        assert!(self.body.contains(words), "no {words:?} in {}", self.body);
        self
    }

    /// Without these words in it.
    #[track_caller]
    pub(crate) fn without(self, words: &str) -> Self {
        assert!(!self.body.contains(words), "{words:?} in {}", self.body);
        self
    }

    /// Where it leads.
    #[track_caller]
    pub(crate) fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().unwrap()
    }

    pub(crate) fn is_page(&self) -> bool {
        self.headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.to_str().unwrap().starts_with("text/html"))
    }

    /// Holds for every page: nothing inline, a policy that forbids it, and sound HTML.
    fn look_over(&self) {
        let policy = self.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        if self.is_page() {
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(pages::markup::problems(&self.body), Vec::<String>::new(), "{}", self.body);
        }
    }
}

/// A conversation, as its person has it open.
pub(crate) struct Chat<'a> {
    browser: &'a Browser,
    pub(crate) id: String,
}

impl Chat<'_> {
    pub(crate) fn path(&self) -> String {
        format!("/conversations/{}", self.id)
    }

    pub(crate) async fn page(&self) -> Answer {
        self.browser.get(&self.path()).await.expect(200)
    }

    /// Says something more.
    pub(crate) async fn say(&self, text: &str) -> Answer {
        self.browser.post(&format!("{}/messages", self.path()), &[("text", text)]).await
    }

    /// The ids of the messages that are shown, oldest first.
    pub(crate) async fn messages(&self) -> Vec<String> {
        let page = self.page().await.body;
        let ids = page.split("id=\"message-").skip(1);
        ids.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    }

    /// The id of the last message that is shown: the answer.
    pub(crate) async fn answer_id(&self) -> String {
        self.messages().await.pop().unwrap()
    }

    /// Hears the last answer from its beginning to its end.
    pub(crate) async fn hear(&self) -> Listener {
        let mut open = self.listen().await;
        while open.next().await {}
        open.heard
    }

    /// Begins to hear the last answer.
    pub(crate) async fn listen(&self) -> Open {
        self.listen_on(Listener::default()).await
    }

    /// Goes on hearing the last answer where a listener is.
    pub(crate) async fn listen_on(&self, heard: Listener) -> Open {
        let path = format!("/messages/{}/stream", self.answer_id().await);
        let request = request(Method::GET, &path, "text/event-stream");
        let request = request.header("last-event-id", heard.place());
        let response = self.browser.open(request, Body::empty()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        let bytes = response.into_body().into_data_stream().boxed();
        Open { bytes, rest: Vec::new(), heard }
    }
}

/// A stream that is being heard.
pub(crate) struct Open {
    bytes: futures::stream::BoxStream<'static, Result<Bytes, axum::Error>>,
    rest: Vec<u8>,
    pub(crate) heard: Listener,
}

impl Open {
    /// Hears what comes next; `false` at the end.
    pub(crate) async fn next(&mut self) -> bool {
        let Some(bytes) = self.bytes.next().await else {
            assert!(self.heard.done.is_some(), "it ended without a word");
            return false;
        };
        self.rest.extend(bytes.unwrap());
        let whole = self.heard.take(&self.rest);
        self.rest.drain(..whole);
        true
    }
}

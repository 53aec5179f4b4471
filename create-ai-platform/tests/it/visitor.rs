//! A person with a browser that runs no scripts.

use std::time::{Duration, Instant};

use reqwest::header::{COOKIE, HOST, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, StatusCode};
use url::Url;
use url::form_urlencoded::Serializer;

/// A small model on two slow cores.
const ANSWERED_WITHIN: Duration = Duration::from_mins(2);
const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "engine-of-analysis-1843";

/// A visitor of one platform.
#[derive(Clone)]
pub(crate) struct Visitor {
    host: String,
    port: u16,
    client: Client,
    cookie: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
    /// Where to go next.
    pub(crate) location: String,
    cookie: Option<String>,
}

impl Visitor {
    pub(crate) fn of(site: &str) -> Self {
        let site: Url = site.parse().unwrap();
        let client = Client::builder()
            .timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let (host, port) = (site.host_str().unwrap(), site.port().unwrap());
        Self { host: format!("{host}:{port}"), port, client, cookie: None }
    }

    /// The same person at the same platform, whose port may be another now.
    pub(crate) fn again(self, site: &str) -> Self {
        Self { cookie: self.cookie, ..Self::of(site) }
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.send(Method::GET, path, &[]).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> reqwest::Result<Page> {
        self.send(Method::POST, path, form).await
    }

    /// A page, if it can be had: for those who go on when it cannot.
    pub(crate) async fn try_get(&self, path: &str) -> reqwest::Result<Page> {
        self.send(Method::GET, path, &[]).await
    }

    /// Becomes the platform's owner by the admin link.
    pub(crate) async fn claim(mut self, admin_link: &str) -> Self {
        let link: Url = admin_link.parse().unwrap();
        let form = [("name", "Ada"), ("email", EMAIL), ("password", PASSWORD)];
        let page = self.post(link.path(), &form).await.unwrap();
        assert_eq!((page.status, page.location.as_str()), (StatusCode::SEE_OTHER, "/admin"));
        self.cookie = page.cookie;
        self
    }

    /// Joins the console's organization by the link of `console --email`.
    pub(crate) async fn join(mut self, link: &str) -> Self {
        let link: Url = link.parse().unwrap();
        assert_eq!(self.get(link.path()).await.status, StatusCode::OK);
        let page = self.post(link.path(), &[("name", "Ada"), ("password", PASSWORD)]).await;
        let page = page.unwrap();
        assert_eq!((page.status, page.location.as_str()), (StatusCode::SEE_OTHER, "/o/local"));
        self.cookie = page.cookie;
        self
    }

    /// Comes back as the owner by an admin link.
    pub(crate) async fn enter(mut self, admin_link: &str) -> Self {
        let link: Url = admin_link.parse().unwrap();
        let page = self.post(link.path(), &[]).await.unwrap();
        assert_eq!((page.status, page.location.as_str()), (StatusCode::SEE_OTHER, "/admin"));
        self.cookie = page.cookie;
        self
    }

    /// Signs in as the owner that [`Self::claim`] made.
    pub(crate) async fn sign_in(mut self) -> Self {
        let form = [("email", EMAIL), ("password", PASSWORD)];
        let page = self.post("/signin", &form).await.unwrap();
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
        self.cookie = page.cookie;
        self
    }

    /// Begins a conversation and gives its address.
    pub(crate) async fn talk(&self, text: &str) -> reqwest::Result<String> {
        let page = self.post("/agents/guide/talk", &[("text", text)]).await?;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
        Ok(page.location.split('#').next().unwrap().to_owned())
    }

    /// All that was said in a conversation, as the page shows it, once nobody speaks any more.
    pub(crate) async fn history(&self, conversation: &str) -> String {
        let asked = Instant::now();
        loop {
            let page = self.get(conversation).await;
            assert_eq!(page.status, StatusCode::OK, "{conversation}: {}", page.body);
            if !page.body.contains("<chat-stream") {
                let (_, rest) = page.body.split_once("<ol class=\"messages\"").unwrap();
                return rest.split_once("<div id=\"end\">").unwrap().0.to_owned();
            }
            assert!(asked.elapsed() < ANSWERED_WITHIN, "no answer in {conversation}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
    ) -> reqwest::Result<Page> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let mut request = self.client.request(method.clone(), url).header(HOST, &self.host);
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        if method == Method::POST {
            let body = Serializer::new(String::new()).extend_pairs(form).finish();
            request =
                request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        let response = request.send().await?;
        let header =
            |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        // What is told once comes in another one.
        let cookies = response.headers().get_all(SET_COOKIE).iter();
        let mut cookies = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap());
        let cookie = cookies.find(|cookie| cookie.starts_with("session=")).map(str::to_owned);
        let location = header(LOCATION.as_str()).unwrap_or_default();
        Ok(Page { status: response.status(), location, cookie, body: response.text().await? })
    }
}

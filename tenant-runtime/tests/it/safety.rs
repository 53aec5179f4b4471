//! What must hold for every page and every form, whoever writes what.

use axum::body::Body;
use axum::http::{Method, header};

use crate::browser::request;
use crate::{Simulator, TestPlatform};

#[tokio::test]
async fn every_page_carries_the_policy_and_nothing_inline() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let chat = olive.asks("guide", "# Hello\n\n- one\n- two").await;
    chat.hear().await;
    let agent = olive.get("/admin/agents").await.body;
    let agent = agent.split("href=\"").find(|rest| rest.starts_with("/admin/agents/0")).unwrap();
    let agent = agent.split('"').next().unwrap();
    let pages = [
        "/",
        "/agents/guide",
        "/pages/privacy",
        "/account",
        "/conversations",
        "/conversations?q=nothing",
        &chat.path(),
        "/admin",
        "/admin/agents",
        "/admin/agents/new",
        agent,
        "/admin/people",
        "/admin/brand",
    ];
    // The browser looks each page over: policy, no inline script or style, sound HTML.
    for path in pages {
        let page = olive.get(path).await.expect(200);
        assert!(page.is_page(), "{path}");
        assert_eq!(page.headers["cache-control"], "no-store", "{path}");
    }
    let visitor = platform.visitor();
    for path in ["/signin", "/signup", "/signin?next=%22%3E%3Cscript%3E"] {
        assert!(visitor.get(path).await.expect(200).is_page(), "{path}");
    }
    assert!(visitor.get("/nowhere").await.expect(404).is_page());
}

#[tokio::test]
async fn what_a_page_names_is_there_and_may_be_kept() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let visitor = platform.visitor();
    let page = visitor.get("/").await.expect(200).body;
    let named = page
        .split(['"'])
        .filter(|text| text.starts_with("/assets/") || text.starts_with("/brand/"));
    let mut seen = 0;
    for path in named {
        let file = visitor.get(path).await.expect(200);
        let kept = file.headers["cache-control"].to_str().unwrap();
        assert!(kept.contains("immutable"), "{path}: {kept}");
        seen += 1;
    }
    assert!(seen >= 3, "{seen}");
}

#[tokio::test]
async fn what_an_answer_says_cannot_run() {
    let said = "Hi <script>alert(1)</script> <img src=x onerror=alert(2)>\n\n\
                [a link](javascript:alert(3)) ![p](https://evil.example/pixel.png)\n\n\
                <form action=\"/signout\" method=post><button>x</button></form>\n\n\
                <iframe srcdoc=\"<script>alert(4)</script>\"></iframe>\n\n\
                {{html body}} <style>body{display:none}</style>\n\nThe end";
    let platform = TestPlatform::new(Simulator::saying(said)).await;
    let ada = platform.person("ada").await;
    let chat = ada.asks("guide", "<script>alert(5)</script>").await;
    let heard = chat.hear().await;
    heard.expect(said);
    let shown = chat.page().await.without("<script>alert").with("&lt;script&gt;alert(5)").body;
    let told = heard.done.as_ref().unwrap()["html"].as_str().unwrap();
    for html in [&shown, told, &*heard.html] {
        let html = html.to_lowercase();
        for bad in ["<script>", "<img src=x", "<iframe", "<style", "<form action", "\"javascript:"]
        {
            assert!(!html.contains(bad), "{bad} in {html}");
        }
        assert!(!html.contains("src=\"https://evil.example"), "{html}");
    }
    ada.get("/conversations").await.expect(200).without("<script>alert");
}

#[tokio::test]
async fn a_form_from_another_site_is_refused() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    let from = async |name: &'static str, value: &str| {
        let form = request(Method::POST, "/agents/guide/talk", "text/html")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(name, value);
        ada.send(form, Body::from("text=hi")).await
    };
    for origin in ["https://evil.example", "null", "http://localhost:8080", "http://evil.localhost"]
    {
        from("origin", origin).await.expect(403).with("came from another site");
    }
    for site in ["cross-site", "same-site"] {
        from("sec-fetch-site", site).await.expect(403).with("came from another site");
    }
    ada.get("/conversations").await.expect(200).with("No conversations yet");
    from("origin", platform.app.origin()).await.expect(303);
    from("sec-fetch-site", "same-origin").await.expect(303);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_our_words() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    let large = [("text", &*"x".repeat(200_000))];
    ada.post("/agents/guide/talk", &large).await.expect(413).with("Code: too-large");
    ada.post("/agents/guide/talk", &[]).await.expect(422).with("Code: unreadable");
    // In our words, not in those of whatever could not read it.
    let refused = ada.get("/conversations/not-an-id").await.expect(400);
    assert!(refused.is_page());
    refused.with("Code: unreadable").without("UUID");
    ada.post("/conversations", &[]).await.expect(405).with("Code: not-here");
    let refused = ada.post_by_script("/messages/not-an-id/stop", &[]).await.expect(400);
    assert_eq!(refused.headers["content-type"], "application/problem+json");
}

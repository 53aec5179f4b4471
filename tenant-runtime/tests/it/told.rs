//! Each page says once what came of the last form.

use axum::body::Body;
use axum::http::{Method, header};

use crate::browser::request;
use crate::{Browser, Simulator, TestPlatform};

/// Sends a form; the page it leads to says this, once.
async fn says(browser: &Browser, path: &str, form: &[(&str, &str)], words: &str) -> String {
    let sent = browser.post(path, form).await.expect(303);
    let page = sent.location().to_owned();
    let words = format!("role=\"status\">\n<p>{words}");
    browser.get(&page).await.expect(200).with(&words);
    browser.get(&page).await.expect(200).without(&words);
    page
}

#[tokio::test]
async fn the_page_after_a_form_says_what_came_of_it_and_only_once() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let form = [("name", "Echo"), ("instructions", "Be brief.")];
    let agent = says(&olive, "/admin/agents", &form, "The agent is made.").await;
    says(&olive, &agent, &form, "Nothing was changed").await;
    let form = [("name", "Echo"), ("instructions", "Be long.")];
    says(&olive, &agent, &form, "Saved as a new version.").await;
    says(&olive, &format!("{agent}/publish"), &[("version", "2")], "Published.").await;
    says(&olive, &format!("{agent}/unpublish"), &[], "Taken away from people.").await;

    let ada = platform.person("ada").await;
    let page = olive.get("/admin/people").await.body;
    let person = page.split("action=\"").find(|rest| rest.starts_with("/admin/people/")).unwrap();
    let person = person.split("/role").next().unwrap();
    says(&olive, &format!("{person}/role"), &[("role", "creator")], "The role is changed.").await;
    says(&olive, &format!("{person}/suspend"), &[], "Suspended and signed out everywhere.").await;
    says(&olive, &format!("{person}/activate"), &[], "Let in.").await;

    ada.sign_in("ada").await.expect(303);
    let chat = ada.asks("guide", "hi").await;
    chat.hear().await;
    let delete = format!("{}/delete", chat.path());
    says(&ada, &delete, &[], "The conversation is deleted.").await;
    says(&ada, "/signout", &[], "You are signed out.").await;
}

#[tokio::test]
async fn nobody_else_can_put_words_on_a_page() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let visitor = platform.visitor();
    for cookie in ["done=Send%20money", "done=<b>x</b>", "done=session-ended; done=x"] {
        let asked = request(Method::GET, "/", "text/html").header(header::COOKIE, cookie);
        let page = visitor.send(asked, Body::empty()).await.expect(200);
        page.without("money").without("<b>x");
    }
    visitor.get("/?done=signed-out").await.expect(200).without("You are signed out.");
}

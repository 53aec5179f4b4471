//! Agents: made as drafts, met when published, and never changed under a conversation.

use crate::browser::Answer;
use crate::{Browser, Simulator, TestPlatform};

async fn makes(olive: &Browser, name: &str) -> String {
    let form = [("name", name), ("instructions", "Be brief."), ("starters", "One?\r\n\r\n Two?")];
    let made = olive.post("/admin/agents", &form).await.expect(303);
    made.location().to_owned()
}

async fn saves(olive: &Browser, agent: &str, name: &str) -> Answer {
    olive.post(agent, &[("name", name), ("instructions", "Be long.")]).await
}

async fn publishes(olive: &Browser, agent: &str, version: &str) -> Answer {
    olive.post(&format!("{agent}/publish"), &[("version", version)]).await
}

#[tokio::test]
async fn an_agent_is_a_draft_until_it_is_published() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let (olive, ada) = (platform.owned().await, platform.person("ada").await);
    let agent = makes(&olive, "Bean Counter").await;
    olive.get(&agent).await.expect(200).with("Version 1, a draft nobody meets yet");
    olive.get("/admin/agents").await.expect(200).with("Draft");
    ada.get("/agents/bean-counter").await.expect(404);
    ada.post("/agents/bean-counter/talk", &[("text", "hi")]).await.expect(404);

    publishes(&olive, &agent, "1").await.expect(303);
    olive.get(&agent).await.expect(200).with("Version 1, the one people meet");
    ada.get("/agents/bean-counter").await.expect(200).with("value=\"One?\"").with("value=\"Two?\"");
    ada.get("/").await.expect(200).with("href=\"/agents/bean-counter\"");
    ada.asks("bean-counter", "hello").await.hear().await.expect("hello");

    olive.post(&format!("{agent}/unpublish"), &[]).await.expect(303);
    ada.get("/agents/bean-counter").await.expect(404);
}

#[tokio::test]
async fn a_conversation_stays_on_the_version_it_began_with() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let (olive, ada) = (platform.owned().await, platform.person("ada").await);
    let agent = makes(&olive, "First Name").await;
    publishes(&olive, &agent, "1").await.expect(303);
    let old = ada.asks("first-name", "hello").await;
    old.hear().await;

    saves(&olive, &agent, "Second Name").await.expect(303);
    olive.get(&agent).await.expect(200).with("Version 2; people meet version 1");
    olive.get("/admin/agents").await.expect(200).with("Changes not published");
    ada.get("/agents/first-name").await.expect(200).with("First Name");

    publishes(&olive, &agent, "2").await.expect(303);
    ada.get("/agents/first-name").await.expect(200).with("Second Name");
    let new = ada.asks("first-name", "hello again").await;
    new.page().await.with("Second Name").without("First Name");
    old.say("still there?").await.expect(303);
    old.hear().await.expect("still there?");
    old.page().await.with("First Name").without("Second Name");

    // What nobody can meet any more can still be read, and spoken to.
    olive.post(&format!("{agent}/unpublish"), &[]).await.expect(303);
    old.page().await.with("First Name").without("href=\"/agents/first-name\"");
}

#[tokio::test]
async fn saving_what_is_stored_already_makes_no_version() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let agent = makes(&olive, "Echo").await;
    saves(&olive, &agent, "Echo").await.expect(303);
    saves(&olive, &agent, " Echo ").await.expect(303);
    olive.get(&agent).await.expect(200).with("Version 2");
}

#[tokio::test]
async fn a_model_that_is_not_running_stays_the_agents_own() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let form = [("name", "Old"), ("instructions", "Be brief."), ("model", "gone-7b")];
    let made = olive.post("/admin/agents", &form).await.expect(303);
    let agent = made.location();
    let shown = olive.get(agent).await.expect(200).with("gone-7b (not running now)");
    shown.with("value=\"gone-7b\" selected");
    olive.post(agent, &form).await.expect(303);
    olive.get(agent).await.expect(200).with("Nothing was changed").with("Version 1");
}

#[tokio::test]
async fn what_is_wrong_with_an_agent_is_told_and_what_was_typed_stays() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let form = [("name", ""), ("instructions", "keep <this>"), ("starters", &"a\n".repeat(7))];
    let refused = olive.post("/admin/agents", &form).await.expect(422);
    refused.with("Give it a name").with("At most 6 first questions").with("keep &lt;this&gt;");
    let agent = makes(&olive, "Echo").await;
    let refused = saves(&olive, &agent, &"x".repeat(81)).await.expect(422);
    refused.with("Give it a name of 1 to 80 letters.").with("Version 1");
}

#[tokio::test]
async fn two_agents_of_one_name_have_two_addresses() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let (one, two) = (makes(&olive, "Same Name").await, makes(&olive, "Same Name").await);
    for agent in [&one, &two] {
        publishes(&olive, agent, "1").await.expect(303);
    }
    let home = olive.get("/").await.expect(200).body;
    assert_eq!(home.matches("href=\"/agents/same-name").count(), 2, "{home}");
    assert_eq!(home.matches("href=\"/agents/same-name\"").count(), 1, "{home}");
}

#[tokio::test]
async fn the_version_on_the_page_is_published_or_none() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let agent = makes(&olive, "Echo").await;
    olive.get(&agent).await.expect(200).with("name=\"version\" value=\"1\"");
    // Somebody else saves before the button is pressed.
    saves(&olive, &agent, "Not yet looked at").await.expect(303);
    let refused = publishes(&olive, &agent, "1").await.expect(409);
    refused.with("version 2 was saved meanwhile").with("Not yet looked at").with("value=\"2\"");
    olive.get("/agents/echo").await.expect(404);
    publishes(&olive, &agent, "2").await.expect(303);
    olive.get("/agents/echo").await.expect(200).with("Not yet looked at");
}

#[tokio::test]
async fn the_address_of_all_agents_leads_to_them() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let visitor = platform.visitor();
    assert_eq!(visitor.get("/agents").await.expect(303).location(), "/#agents");
    visitor.get("/").await.expect(200).with("id=\"agents\"");
}

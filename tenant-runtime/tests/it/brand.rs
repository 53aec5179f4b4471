//! The look: what cannot be read is refused, what can be goes through the blueprint's owner.

use blueprint::spec::{Font, Theme};

use crate::browser::Answer;
use crate::{Browser, Simulator, TestPlatform};

/// Fills in the form with other colours left as they are, and sends it.
async fn keeps_and_chooses(olive: &Browser, primary: &str, theme: &str) -> Answer {
    let base = base(olive).await;
    let mut choice = choice(primary, "#7a3b00", theme, &base).to_vec();
    choice.push(("others", "keep"));
    olive.post("/admin/brand", &choice).await
}

/// Fills in the form and sends it.
async fn chooses(olive: &Browser, primary: &str, accent: &str, theme: &str) -> Answer {
    let base = base(olive).await;
    olive.post("/admin/brand", &choice(primary, accent, theme, &base)).await
}

fn choice<'a>(
    primary: &'a str,
    accent: &'a str,
    theme: &'a str,
    base: &'a str,
) -> [(&'static str, &'a str); 6] {
    let [font, radius] = [("font", "slab"), ("radius", "none")];
    [("primary", primary), ("accent", accent), ("theme", theme), font, radius, ("base", base)]
}

async fn base(olive: &Browser) -> String {
    base_in(&olive.get("/admin/brand").await.expect(200).body)
}

/// The state a form was filled from.
fn base_in(form: &str) -> String {
    let base = form.split("name=\"base\" value=\"").nth(1).unwrap();
    base.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_look_that_can_be_read_is_asked_of_the_owner_and_in_effect_at_once() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let sheet = |page: &str| {
        page.split("href=\"").find(|rest| rest.starts_with("/brand/")).unwrap()[..30].to_owned()
    };
    let before = sheet(&olive.get("/").await.body);
    olive.get("/admin").await.expect(200).with("Choose your look");

    chooses(&olive, "#0b5394", "#7a3b00", "light").await.expect(303);
    olive.get("/admin/brand").await.expect(200).with("Everybody sees the new look now.");
    let wishes = platform.owner.wishes();
    assert_eq!(wishes.len(), 1);
    let branding = &wishes[0].spec.identity.branding;
    let palette = branding.palette.as_ref().unwrap();
    assert_eq!((palette.primary.as_str(), palette.accent.as_str()), ("#0b5394", "#7a3b00"));
    assert_eq!((branding.font, branding.theme), (Font::Slab, Theme::Light));
    assert_ne!(sheet(&olive.get("/").await.body), before);
    olive.get("/admin/brand").await.expect(200).with("value=\"#0b5394\"");
}

#[tokio::test]
async fn a_platform_turns_dark_and_light_again_with_its_colours() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    for theme in ["dark", "light", "dark", "auto"] {
        chooses(&olive, "#0b5394", "#7a3b00", theme).await.expect(303);
        assert_eq!(platform.app.site().brand.input().primary.to_string(), "#0b5394", "{theme}");
    }
}

#[tokio::test]
async fn what_becomes_of_the_other_colours_is_said_and_chosen() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let others = |at: usize| {
        let wish = platform.owner.wishes().swap_remove(at);
        wish.spec.identity.branding.palette.unwrap()
    };
    let old = platform.app.site().blueprint.spec.identity.branding.palette.clone().unwrap();
    assert!(old.dark.is_some() && old.background.is_some(), "{old:?}");
    let form = olive.get("/admin/brand").await.expect(200);
    form.with("name=\"others\"").with("Keep those that still fit").with("Keep all of them");

    keeps_and_chooses(&olive, "#0b5394", "light").await.expect(303);
    assert_eq!((&others(0).dark, &others(0).background), (&old.dark, &old.background));
    assert_eq!(others(0).primary.as_str(), "#0b5394");
    // A light background in a platform that is always dark cannot be read; why is told.
    let refused = keeps_and_chooses(&olive, "#0b5394", "dark").await.expect(422);
    refused.with("palette.background cannot be read").with("value=\"keep\" selected");

    chooses(&olive, "#0b5395", "#7a3b00", "light").await.expect(303);
    assert_eq!((&others(1).dark, &others(1).background), (&None, &old.background));
    chooses(&olive, "#0b5395", "#7a3b00", "dark").await.expect(303);
    assert_eq!(others(2).background, None);
    // With no other colours left there is nothing to choose.
    olive.get("/admin/brand").await.expect(200).without("name=\"others\"");
}

#[tokio::test]
async fn colours_nobody_can_read_are_refused_and_nobody_is_asked() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let refused = chooses(&olive, "#fefefe", "#ffffff", "auto").await.expect(422);
    refused
        .with("This was not saved.")
        .with("value=\"#fefefe\"")
        .with("Main colour cannot be read")
        .with("Second colour cannot be read");
    chooses(&olive, "blue", "#000000", "auto").await.expect(422).with("A colour is written like");
    assert!(platform.owner.wishes().is_empty());
}

#[tokio::test]
async fn a_look_chosen_from_an_old_state_is_refused() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let base = base(&olive).await;
    platform.change(|blueprint| {
        blueprint.spec.identity.tagline = Some("New words".parse().unwrap());
    });
    let chosen = choice("#0b5394", "#7a3b00", "light", &base);
    let refused = olive.post("/admin/brand", &chosen).await.expect(422);
    let refused = refused.with("changed meanwhile").with("still has your choice");
    assert!(platform.owner.wishes().is_empty());
    olive.get("/").await.expect(200).with("New words");
    // Who has read that may insist.
    let base = base_in(&refused.with("value=\"#0b5394\"").body);
    let chosen = choice("#0b5394", "#7a3b00", "light", &base);
    olive.post("/admin/brand", &chosen).await.expect(303);
}

#[tokio::test]
async fn another_typeface_keeps_the_dark_palette_where_the_form_shows_mended_colours() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    platform.change(|blueprint| {
        let palette = blueprint.spec.identity.branding.palette.as_mut().unwrap();
        palette.primary = "#fde047".parse().unwrap();
    });
    let before = platform.app.site();
    let dark = before.blueprint.spec.identity.branding.palette.clone().unwrap().dark;
    let shown = before.brand.input();
    let (primary, accent) = (shown.primary.to_string(), shown.accent.to_string());
    assert!(dark.is_some() && primary != "#fde047");
    chooses(&olive, &primary, &accent, "auto").await.expect(303);
    let branding = platform.owner.wishes().swap_remove(0).spec.identity.branding;
    assert_eq!((branding.font, branding.palette.unwrap().dark), (Font::Slab, dark));
}

#[tokio::test]
async fn why_the_owner_refuses_is_told() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    platform.owner.cannot_store("the disk is full");
    let refused = chooses(&olive, "#0b5394", "#7a3b00", "light").await.expect(422);
    refused.with("the disk is full").with("Nothing was changed.").with("value=\"#0b5394\"");
    assert_eq!(platform.owner.wishes().len(), 1);
}

#[tokio::test]
async fn a_choice_is_previewed_and_checked_before_it_is_saved() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let choice = "primary=%23fefefe&accent=%23ffffff&font=mono&theme=auto&radius=large";
    let css = olive.get(&format!("/admin/brand/preview.css?{choice}")).await.expect(200);
    assert!(css.headers["content-type"].to_str().unwrap().starts_with("text/css"));
    let checked = olive.get(&format!("/admin/brand/check?{choice}")).await.expect(200);
    let checked: serde_json::Value = serde_json::from_str(&checked.body).unwrap();
    assert_eq!(checked["problems"][0]["token"], "primary", "{checked}");
    let text = checked["problems"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("Main colour cannot be read: its contrast is "), "{text}");
    olive.get("/admin/brand/check?primary=red").await.expect(400);
}

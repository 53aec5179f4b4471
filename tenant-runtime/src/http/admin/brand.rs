//! The look of the platform: chosen here, kept in the blueprint, in effect at once.

use accounts::sessions::SignedIn;
use axum::extract::{Form, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use blueprint::spec::{Branding, Font, Radius, Theme};
use pages::brand::ContrastProblem;
use pages::parts::Field;
use pages::{Brand, Flash};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::{App, ChangeRefused};
use crate::db;
use crate::error::{Error, Result};
use crate::http::told::{Done, Told};
use crate::http::visitor::{Admin, Jar};
use crate::site::Site;
use crate::view::admin::BrandForm;
use crate::view::brand::{
    ACCENT_LABEL, FONTS, OTHERS, OTHERS_HINT, Others, PRIMARY_LABEL, RADII, THEMES, chosen,
    has_others, input, label,
};
use crate::view::shell;

/// Told when the form was filled with a look that is no longer in effect.
const MEANWHILE: &str = "The blueprint was changed meanwhile, so this page now wears another look. \
     The form still has your choice. Save again to put it over the new look, or open this page \
     anew to begin from that.";
/// The fact that a look was chosen once.
pub const SAVED: &str = "brand-saved";

/// What the form sends, and what a preview is asked with.
#[derive(Debug, Deserialize, Serialize)]
pub struct Sent {
    primary: String,
    accent: String,
    font: Font,
    theme: Theme,
    radius: Radius,
    #[serde(default)]
    others: Others,
    #[serde(default)]
    base: String,
}

impl Sent {
    fn branding(&self, site: &Site) -> Result<Branding> {
        let (old, shown) = (&site.blueprint.spec.identity.branding, site.brand.input());
        let looks = (self.font, self.theme, self.radius);
        chosen(old, shown, &self.primary, &self.accent, looks, self.others)
            .ok_or_else(|| Error::Unusable("A colour is written like #1d4ed8.".to_owned()))
    }
}

/// The form, filled with what is in effect.
pub async fn page(State(app): State<App>, Admin(signed_in): Admin, told: Told) -> Result<Response> {
    let site = app.site();
    let in_effect = site.brand.input();
    let branding = &site.blueprint.spec.identity.branding;
    let sent = Sent {
        primary: in_effect.primary.to_string(),
        accent: in_effect.accent.to_string(),
        font: branding.font,
        theme: branding.theme,
        radius: branding.radius,
        others: Others::default(),
        base: blueprint::hash(&site.blueprint),
    };
    let page = show(&app, &signed_in, StatusCode::OK, &sent, Vec::new(), told.flash())?;
    Ok(told.on(page))
}

/// Keeps the look, unless it cannot be read or somebody changed the blueprint meanwhile.
pub async fn save(
    State(app): State<App>,
    Admin(signed_in): Admin,
    Jar(jar): Jar,
    Form(mut sent): Form<Sent>,
) -> Result<Response> {
    let site = app.site();
    let old = &site.blueprint;
    let branding = sent.branding(&site)?;
    let mut problems = contrast(&old.spec.identity.display_name, &branding);
    let base = blueprint::hash(old);
    if sent.base != base {
        problems.push(MEANWHILE.to_owned());
        sent.base = base;
    }
    if problems.is_empty() {
        let mut wanted = old.clone();
        wanted.spec.identity.branding = branding;
        match app.owner().change(old, &wanted).await {
            Ok(()) => {
                let mut db = app.db().acquire().await?;
                db::facts::put(&mut db, SAVED, &json!(app.now().to_string())).await?;
                return Ok(Done::BrandSaved.and_go(jar, "/admin/brand"));
            }
            Err(ChangeRefused::ChangedMeanwhile) => {
                problems.push(MEANWHILE.to_owned());
                sent.base = blueprint::hash(&app.site().blueprint);
            }
            Err(refused) => problems.push(refused.to_string()),
        }
    }
    show(&app, &signed_in, StatusCode::UNPROCESSABLE_ENTITY, &sent, problems, None)
}

/// The style sheet a choice would give; unreadable colours are shown mended.
pub async fn preview(
    State(app): State<App>,
    Admin(_): Admin,
    Query(sent): Query<Sent>,
) -> Result<Response> {
    let site = app.site();
    let branding = sent.branding(&site)?;
    let brand = Brand::mended(input(site.display_name(), &branding));
    let css = brand.css().to_owned();
    Ok(([(header::CONTENT_TYPE, "text/css; charset=utf-8")], css).into_response())
}

/// What cannot be read in a choice, in words.
pub async fn check(
    State(app): State<App>,
    Admin(_): Admin,
    Query(sent): Query<Sent>,
) -> Result<Response> {
    let site = app.site();
    let branding = sent.branding(&site)?;
    let problems: Vec<_> = pages::brand::check(&input(site.display_name(), &branding))
        .into_iter()
        .map(|problem| Unreadable { text: problem.said_of(label(problem.token)), problem })
        .collect();
    Ok(axum::Json(json!({ "problems": problems })).into_response())
}

/// A colour that cannot be read, and how that is said.
#[derive(Serialize)]
struct Unreadable {
    text: String,
    #[serde(flatten)]
    problem: ContrastProblem,
}

fn contrast(name: &str, branding: &Branding) -> Vec<String> {
    let problems = pages::brand::check(&input(name, branding));
    problems.iter().map(|problem| problem.said_of(label(problem.token))).collect()
}

fn show(
    app: &App,
    signed_in: &SignedIn,
    status: StatusCode,
    sent: &Sent,
    problems: Vec<String>,
    flash: Option<Flash>,
) -> Result<Response> {
    let mut fields = vec![
        Field::input("primary", PRIMARY_LABEL, "color").value(&sent.primary).required(),
        Field::input("accent", ACCENT_LABEL, "color").value(&sent.accent).required(),
        Field::select("font", "Typeface", &FONTS).value(word(&sent.font)).required(),
        Field::select("theme", "Light or dark", &THEMES).value(word(&sent.theme)).required(),
        Field::select("radius", "Corners", &RADII).value(word(&sent.radius)).required(),
    ];
    if has_others(&app.site().blueprint.spec.identity.branding) {
        let others = Field::select("others", "The blueprint’s other colours", &OTHERS);
        fields.push(others.hint(OTHERS_HINT).value(word(&sent.others)).required());
    }
    let body = BrandForm { problems, fields, base: sent.base.clone() };
    let mut page = shell::admin_page(app, signed_in, "/admin/brand", "Brand", body);
    page.flash = flash;
    Ok((status, Html(app.engine().render("admin/brand", &page)?)).into_response())
}

/// A choice as it is stored and sent.
fn word(choice: &impl Serialize) -> String {
    serde_json::to_value(choice)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

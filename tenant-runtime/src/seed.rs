//! What a new platform begins with: the agents of its template. Written once; what people make of
//! them afterwards is theirs.

use blueprint::templates::Template;
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::db;
use crate::domain::agent::Draft;

const FACT: &str = "seed";

/// Brings in the template's agents, unless that has been done.
pub async fn plant(app: &App, template: &Template) -> sqlx::Result<()> {
    let mut tx = app.db().begin().await?;
    if db::facts::get(&mut tx, FACT).await?.is_some() {
        return Ok(());
    }
    let now = app.now();
    for seed in &template.seed.agents {
        let id = Uuid::now_v7();
        if !db::agents::insert(&mut tx, id, &seed.slug, None, now).await? {
            continue;
        }
        let draft = Draft {
            name: seed.name.clone(),
            description: seed.description.clone(),
            instructions: seed.instructions.clone(),
            model: seed.model.clone(),
            starters: seed.starters.clone(),
        };
        let number = db::agents::add_version(&mut tx, id, &draft, None, now).await?;
        db::agents::publish(&mut tx, id, number).await?;
    }
    let origin = json!({"template": template.name, "version": template.version.to_string()});
    db::facts::put(&mut tx, FACT, &origin).await?;
    tx.commit().await
}

//! What people and keys are called, for who reads their ids.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::id::{KeyId, OrganizationId, PersonId};

/// Names by id, of those that were asked for.
#[derive(Clone, Debug, Default)]
pub struct Names(HashMap<String, String>);

impl Names {
    /// The name; the id, where nobody is called so.
    pub fn name(&self, id: &str) -> String {
        self.0.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    /// A name and the id; the id alone, where nobody is called so.
    pub fn of(&self, id: &str) -> String {
        self.0.get(id).map_or_else(|| id.to_owned(), |name| format!("{name} ({id})"))
    }
}

/// Of these, as an audit of this organization names them: its keys, and people who are or were in it.
///
/// # Errors
/// The database.
pub async fn of<'a>(
    conn: &mut PgConnection,
    organization: OrganizationId,
    ids: impl Iterator<Item = &'a str>,
) -> sqlx::Result<Names> {
    let (mut people, mut keys) = (Vec::<Uuid>::new(), Vec::<Uuid>::new());
    for id in ids {
        if let Ok(PersonId(id)) = id.parse() {
            people.push(id);
        } else if let Ok(KeyId(id)) = id.parse() {
            keys.push(id);
        }
    }
    let found = sqlx::query!(
        r#"select id as "id!", display_name as "name!", true as "is_person!"
           from accounts.person where id = any($1)
           union all
           select id, 'key ' || name, false from control.api_key
           where id = any($2) and organization = $3"#,
        &people,
        &keys,
        organization.0,
    );
    let found = found.fetch_all(conn).await?.into_iter().map(|row| {
        let id =
            if row.is_person { PersonId(row.id).to_string() } else { KeyId(row.id).to_string() };
        (id, row.name)
    });
    Ok(Names(found.collect()))
}

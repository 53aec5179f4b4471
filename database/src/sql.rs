//! Names and texts inside SQL that cannot take parameters.

/// A name as SQL: always quoted, so that it means itself whatever it holds.
pub(crate) fn ident(name: &str) -> String {
    format!("\"{}\"", without_nul(name).replace('"', "\"\""))
}

/// `schema.name`, both quoted.
pub(crate) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", ident(schema), ident(name))
}

/// A text as SQL. The `E` form, because then a backslash means the same under every setting.
pub(crate) fn literal(text: &str) -> String {
    format!("E'{}'", without_nul(text).replace('\\', "\\\\").replace('\'', "''"))
}

/// Names, each quoted, with commas between.
pub(crate) fn idents<S: AsRef<str>>(names: &[S]) -> String {
    names.iter().map(|name| ident(name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// Postgres has no NUL in texts: it ends the statement early, so it must never get there.
fn without_nul(text: &str) -> String {
    text.replace('\0', "")
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, PgPool, Row as _};

    use super::*;

    const NASTY: [&str; 7] =
        ["plain", "a\"b", "a'b", "\"; DROP SCHEMA public; --", "\\' OR 1=1", "é ü 界", "SELECT"];

    #[sqlx::test(migrations = false)]
    async fn names_and_texts_mean_themselves(pool: PgPool) -> sqlx::Result<()> {
        for text in NASTY {
            let row =
                sqlx::query(AssertSqlSafe(format!("SELECT {} AS {}", literal(text), ident(text))))
                    .fetch_one(&pool)
                    .await?;
            assert_eq!(row.get::<String, _>(0), text);
            assert_eq!(sqlx::Column::name(&row.columns()[0]), text);
        }
        Ok(())
    }

    #[test]
    fn a_nul_cannot_cut_a_statement() {
        assert_eq!(ident("a\0b"), "\"ab\"");
        assert_eq!(literal("a\0b"), "E'ab'");
        assert_eq!(idents(&["a", "b"]), "\"a\", \"b\"");
    }
}

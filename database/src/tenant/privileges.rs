//! Who may do what in a tenant's database: its owner all, its logins rows, others nothing.

use std::fmt::Write as _;

use sqlx::PgConnection;

use super::names::Names;
use super::steps::reading;
use super::{Error, Steps};
use crate::sql::{ident, qualified};

/// Schemas that are not Postgres' own. `public` is closed in the template and stays empty.
const OURS: &str = "nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')";

/// Connecting: PUBLIC may not, the two logins may.
pub(super) async fn ensure_connect(
    conn: &mut PgConnection,
    steps: &mut Steps,
    names: &Names,
) -> Result<(), Error> {
    let may: Vec<String> = sqlx::query_scalar(
        "SELECT coalesce(r.rolname::text, 'PUBLIC') || ' ' || a.privilege_type
         FROM pg_database d,
              aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
              LEFT JOIN pg_roles r ON r.oid = a.grantee
         WHERE d.datname = $1 AND a.grantee <> d.datdba ORDER BY 1",
    )
    .bind(&names.database)
    .fetch_all(&mut *conn)
    .await
    .map_err(reading("look who may connect"))?;
    let wanted = [format!("{} CONNECT", names.app), format!("{} CONNECT", names.read)];
    if may == wanted {
        return Ok(());
    }
    let [database, app, read] = [&names.database, &names.app, &names.read].map(|n| ident(n));
    let mut sql = format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC, {app}, {read};");
    for other in others(&may, names) {
        let _ = write!(sql, "REVOKE ALL ON DATABASE {database} FROM {};", ident(other));
    }
    let _ = write!(sql, "GRANT CONNECT ON DATABASE {database} TO {app}, {read}");
    steps.write(conn, "close the database to others", sql).await
}

/// Everybody else who was let in by hand.
fn others<'a>(may: &'a [String], names: &Names) -> Vec<&'a str> {
    let known = ["PUBLIC", &names.app, &names.read];
    let mut others: Vec<_> =
        may.iter().filter_map(|entry| Some(entry.rsplit_once(' ')?.0)).collect();
    others.retain(|role| !known.contains(role));
    others.dedup();
    others
}

/// Large objects: whoever may connect may make some, the reading role too, and no export has them.
/// Only a superuser may take that away. `conn` is inside.
pub(super) async fn ensure_no_large_objects(
    conn: &mut PgConnection,
    steps: &mut Steps,
) -> Result<(), Error> {
    let open: bool = sqlx::query_scalar(
        "SELECT rolsuper AND EXISTS (
             SELECT FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
                 AND proname IN ('lo_creat', 'lo_create', 'lo_from_bytea')
                 AND has_function_privilege('public', pg_proc.oid, 'EXECUTE'))
         FROM pg_roles WHERE rolname = current_user",
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(reading("look who may make large objects"))?;
    if !open {
        return Ok(());
    }
    let sql = "REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid),
               pg_catalog.lo_from_bytea(oid, bytea) FROM PUBLIC";
    steps.write(conn, "let nobody make large objects", sql.to_owned()).await
}

/// What the clone brought along becomes the tenant's owner's. `conn` is inside the database.
pub(super) async fn ensure_ownership(
    conn: &mut PgConnection,
    steps: &mut Steps,
    names: &Names,
    from: &str,
) -> Result<(), Error> {
    let left: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
             WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = $1 AND s.deptype = 'o'
               AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))",
    )
    .bind(from)
    .fetch_one(&mut *conn)
    .await
    .map_err(reading("look whose the tables are"))?;
    if !left {
        return Ok(());
    }
    // Schemas first: what is in them can only go to who may create there.
    let schemas: Vec<String> = sqlx::query_scalar(
        "SELECT nspname::text FROM pg_namespace WHERE pg_get_userbyid(nspowner) = $1 ORDER BY 1",
    )
    .bind(from)
    .fetch_all(&mut *conn)
    .await
    .map_err(reading("look whose the schemas are"))?;
    let owner = ident(&names.owner);
    let mut sql = String::new();
    for schema in schemas {
        let _ = write!(sql, "ALTER SCHEMA {} OWNER TO {owner};", ident(&schema));
    }
    let _ = write!(sql, "REASSIGN OWNED BY {} TO {owner}", ident(from));
    steps.write(conn, "hand the tables over", sql).await
}

/// Rows: the runtime reads and writes all but the notes of migrations; the reading role sees
/// the readable schemas. Also for tables that later migrations make. `conn` is inside.
pub(super) async fn ensure_rows(
    conn: &mut PgConnection,
    steps: &mut Steps,
    names: &Names,
    readable: &[&str],
) -> Result<(), Error> {
    let schemas: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT nspname::text FROM pg_namespace WHERE {OURS} ORDER BY 1"
    )))
    .fetch_all(&mut *conn)
    .await
    .map_err(reading("look for schemas"))?;
    let readable: Vec<&str> =
        readable.iter().copied().filter(|name| schemas.iter().any(|s| s == name)).collect();
    if rows_are_right(conn, names, &readable).await? {
        return Ok(());
    }
    let notes: Vec<String> = sqlx::query_scalar(
        "SELECT schemaname::text FROM pg_tables WHERE tablename = '_migrations'",
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(reading("look for notes of migrations"))?;
    steps
        .write(conn, "let the logins at the rows", grants(names, &schemas, &readable, &notes))
        .await
}

async fn rows_are_right(
    conn: &mut PgConnection,
    names: &Names,
    readable: &[&str],
) -> Result<bool, Error> {
    let readable: Vec<String> = readable.iter().map(ToString::to_string).collect();
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "WITH spaces AS (
             SELECT oid, nspname = ANY($4) AS readable FROM pg_namespace WHERE {OURS}
         ), tables AS (
             SELECT c.oid, c.relname, s.readable FROM pg_class c JOIN spaces s
                 ON s.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm')
         ), sequences AS (
             SELECT c.oid, s.readable FROM pg_class c JOIN spaces s
                 ON s.oid = c.relnamespace WHERE c.relkind = 'S'
         )
         SELECT NOT EXISTS (SELECT FROM spaces WHERE
                    NOT has_schema_privilege($1, oid, 'USAGE')
                    OR has_schema_privilege($1, oid, 'CREATE')
                    OR has_schema_privilege($2, oid, 'CREATE')
                    OR has_schema_privilege($2, oid, 'USAGE') <> readable)
            AND NOT EXISTS (SELECT FROM tables WHERE
                    NOT has_table_privilege($1, oid, 'SELECT')
                    OR has_table_privilege($1, oid, 'INSERT') = (relname = '_migrations')
                    OR has_table_privilege($1, oid, 'UPDATE') = (relname = '_migrations')
                    OR has_table_privilege($1, oid, 'DELETE') = (relname = '_migrations')
                    OR has_table_privilege($2, oid, 'SELECT') <> readable
                    OR has_table_privilege($2, oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))
            AND NOT EXISTS (SELECT FROM sequences WHERE
                    NOT has_sequence_privilege($1, oid, 'USAGE')
                    OR NOT has_sequence_privilege($1, oid, 'SELECT'))
            AND (SELECT count(*) FROM pg_default_acl d JOIN pg_roles r ON r.oid = d.defaclrole
                 WHERE r.rolname = $3) = 3 + cardinality($4)"
    )))
    .bind(&names.app)
    .bind(&names.read)
    .bind(&names.owner)
    .bind(&readable)
    .fetch_one(conn)
    .await
    .map_err(reading("look who may read and write"))
}

fn grants(names: &Names, schemas: &[String], readable: &[&str], notes: &[String]) -> String {
    const ROWS: &str = "SELECT, INSERT, UPDATE, DELETE";
    let [owner, app, read] = [&names.owner, &names.app, &names.read].map(|n| ident(n));
    let mut sql = String::new();
    for name in schemas {
        let schema = ident(name);
        let _ = write!(
            sql,
            "REVOKE ALL ON SCHEMA {schema} FROM PUBLIC, {app}, {read};
             REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM PUBLIC, {app}, {read};
             GRANT USAGE ON SCHEMA {schema} TO {app};
             GRANT {ROWS} ON ALL TABLES IN SCHEMA {schema} TO {app};
             GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {app};"
        );
        if readable.contains(&name.as_str()) {
            let _ = write!(
                sql,
                "GRANT USAGE ON SCHEMA {schema} TO {read};
                 GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {read};
                 ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema}
                     GRANT SELECT ON TABLES TO {read};"
            );
        }
    }
    for schema in notes {
        let table = qualified(schema, "_migrations");
        let _ = write!(sql, "REVOKE INSERT, UPDATE, DELETE ON {table} FROM {app};");
    }
    let _ = write!(
        sql,
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT USAGE ON SCHEMAS TO {app};
         ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT {ROWS} ON TABLES TO {app};
         ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT USAGE, SELECT ON SEQUENCES TO {app};"
    );
    sql
}

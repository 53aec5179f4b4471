//! Who may do what, by the catalogs: each line that comes back is one right too many.

use database::Admin;

/// Every database there is, but the one that nobody can connect to by Postgres' own doing.
pub(crate) async fn databases(admin: &Admin) -> Vec<String> {
    let mut conn = admin.connect().await.unwrap();
    let all = "SELECT datname::text FROM pg_database ORDER BY 1";
    sqlx::query_scalar(all).fetch_all(&mut conn).await.unwrap()
}

async fn lines(admin: &Admin, database: &str, queries: &[&'static str]) -> Vec<String> {
    let mut conn = admin.connect_to(database).await.unwrap();
    let mut lines = Vec::new();
    for query in queries {
        let found: Vec<String> = sqlx::query_scalar(*query).fetch_all(&mut conn).await.unwrap();
        lines.extend(found);
    }
    lines
}

/// Of roles and databases. A login's name is its database's and a word.
pub(crate) async fn of_the_server(admin: &Admin) -> Vec<String> {
    const QUERIES: [&str; 5] = [
        "SELECT format('PUBLIC may %s %s', privilege, datname)
         FROM pg_database, unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) privilege
         WHERE datallowconn AND has_database_privilege('public', oid, privilege)",
        "SELECT format('%s may %s %s', rolname, privilege, datname)
         FROM pg_database d, pg_roles r, unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) privilege
         WHERE rolname LIKE 't\\_%' AND datallowconn
             AND has_database_privilege(r.oid, d.oid, privilege)
             AND NOT (rolname = datname || '_owner')
             AND NOT (privilege = 'CONNECT' AND rolname ~ ('^' || datname || '_(app|read)$'))",
        "SELECT format('%s is more than a login', rolname) FROM pg_roles
         WHERE rolname LIKE 't\\_%' AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication
             OR rolbypassrls OR rolcanlogin = (rolname ~ '_owner$'))",
        "SELECT format('%s is in %s', member::regrole, roleid::regrole) FROM pg_auth_members
         WHERE member::regrole::text LIKE 't\\_%' OR roleid::regrole::text LIKE 't\\_%'",
        "SELECT format('%s may %s %s', coalesce(grantee::regrole::text, 'PUBLIC'), privilege_type, parname)
         FROM pg_parameter_acl, aclexplode(paracl)",
    ];
    lines(admin, "postgres", &QUERIES).await
}

/// Of one tenant's database.
pub(crate) async fn inside(admin: &Admin, database: &str) -> Vec<String> {
    const QUERIES: [&str; 6] = [
        "SELECT format('PUBLIC may %s the schema %s', a.privilege_type, nspname)
         FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a
         WHERE a.grantee = 0 AND nspname NOT IN ('pg_catalog', 'information_schema')",
        "SELECT format('PUBLIC may %s %s', a.privilege_type, c.oid::regclass)
         FROM pg_class c, aclexplode(coalesce(relacl, acldefault('r', relowner))) a
         WHERE a.grantee = 0 AND relnamespace::regnamespace::text
             NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND relkind IN ('r', 'p', 'v', 'm', 'S')",
        "SELECT format('%s may make things in %s', rolname, nspname) FROM pg_namespace n, pg_roles r
         WHERE rolname LIKE 't\\_%' AND rolname <> current_database() || '_owner'
             AND has_schema_privilege(r.oid, n.oid, 'CREATE')",
        "SELECT format('%s owns %s %s', r.rolname, s.classid::regclass, s.objid)
         FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
         WHERE s.deptype = 'o' AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
             AND r.rolname <> current_database() || '_owner' AND NOT r.rolsuper",
        "SELECT format('%s may write %s', rolname, c.oid::regclass) FROM pg_class c, pg_roles r
         WHERE rolname = current_database() || '_read' AND relkind IN ('r', 'p', 'v', 'm')
             AND c.oid <> 'pg_settings'::regclass
             AND has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER, REFERENCES, MAINTAIN')",
        "SELECT format('%s may use the language %s', 'PUBLIC', lanname) FROM pg_language
         WHERE lanpltrusted AND lanname NOT IN ('sql', 'plpgsql')",
    ];
    lines(admin, database, &QUERIES).await
}

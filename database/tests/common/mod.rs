//! What the tests on a real server share.
#![allow(dead_code, reason = "each test binary uses a part")]
#![expect(clippy::unwrap_used, reason = "this is a test")]

use std::borrow::Cow;
use std::collections::BTreeMap;

use blueprint::BlueprintName;
use database::Admin;
use database::tenant::{self, TenantSchema};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _};
use work::sealed::RootKey;

pub(crate) const FIRST: &str = "
    CREATE TABLE tenant.person (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, born date,
        weight double precision, photo bytea, shout text GENERATED ALWAYS AS (upper(name)) STORED,
        likes uuid, about jsonb, seen timestamptz DEFAULT now());
    ALTER TABLE tenant.person ADD CONSTRAINT person_likes FOREIGN KEY (likes)
        REFERENCES tenant.person;
    CREATE TABLE tenant.note (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        person uuid NOT NULL REFERENCES tenant.person, text text);
    ALTER TABLE tenant.person ADD COLUMN note bigint REFERENCES tenant.note;
    CREATE TABLE tenant.loose (a int, \"B c\" text[]);
    CREATE TABLE tenant.setting (name text PRIMARY KEY, value text);
    INSERT INTO tenant.setting VALUES ('colour', 'blue');
    CREATE FUNCTION tenant.shorten() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.text := left(NEW.text, 1); RETURN NEW; END $$;";
pub(crate) const SECRETS: &str = "CREATE TABLE accounts.session (id bytea PRIMARY KEY);";
pub(crate) const SECOND: &str = "CREATE TABLE tenant.extra (id int PRIMARY KEY);
    CREATE TRIGGER shorten BEFORE INSERT ON tenant.note
        FOR EACH ROW EXECUTE FUNCTION tenant.shorten();";

/// The schema of one test, so that tests do not share a template.
pub(crate) fn schema(test: &str, version: i32) -> TenantSchema {
    let name: &'static str = format!("{test}_{}", std::process::id()).leak();
    let mut sqls = vec![FIRST];
    if version > 1 {
        sqls.push(SECOND);
    }
    let migrators: &'static [&'static Migrator] =
        vec![migrator("tenant", &sqls), migrator("accounts", &[SECRETS])].leak();
    TenantSchema { name, version, migrators, readable: &["tenant"] }
}

pub(crate) fn migrator(schema: &str, sqls: &[&'static str]) -> &'static Migrator {
    let migrations = (1..).zip(sqls).map(|(version, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(version, Cow::Borrowed("test"), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name(format!("{schema}._migrations"));
    migrator.create_schema(schema.to_owned());
    Box::leak(Box::new(migrator))
}

/// A tenant that is gone when the test is over, however it ends.
pub(crate) struct Stage {
    pub(crate) admin: Admin,
    pub(crate) schema: TenantSchema,
    pub(crate) key: RootKey,
    names: Vec<BlueprintName>,
}

impl Stage {
    pub(crate) fn new(options: PgConnectOptions, test: &str) -> Self {
        let admin = Admin::new(options);
        Self { admin, schema: schema(test, 1), key: RootKey::from_bytes([7; 32]), names: vec![] }
    }

    pub(crate) fn name(&mut self, name: &str) -> BlueprintName {
        let name: BlueprintName = format!("{name}-{}", std::process::id()).parse().unwrap();
        self.names.push(name.clone());
        name
    }

    pub(crate) async fn provision(&self, name: &BlueprintName) -> tenant::TenantDatabase {
        tenant::provision(&self.admin, name, &self.schema, &self.key).await.unwrap()
    }

    pub(crate) async fn inside(&self, name: &BlueprintName) -> PgConnection {
        self.admin.connect_to(&database_of(name)).await.unwrap()
    }

    /// Everything gone, templates too.
    pub(crate) async fn clear(self) {
        for name in &self.names {
            tenant::drop_tenant(&self.admin, name).await.unwrap();
        }
        let mut conn = self.admin.connect().await.unwrap();
        let templates: Vec<String> =
            sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE datname LIKE $1")
                .bind(format!("{}\\_v%", self.schema.name))
                .fetch_all(&mut conn)
                .await
                .unwrap();
        for template in templates {
            run(&mut conn, &format!("ALTER DATABASE {template} IS_TEMPLATE false")).await;
            run(&mut conn, &format!("DROP DATABASE {template}")).await;
        }
        for role in ["template", "builder"] {
            run(&mut conn, &format!("DROP ROLE IF EXISTS {}_{role}", self.schema.name)).await;
        }
    }
}

pub(crate) fn database_of(name: &BlueprintName) -> String {
    format!("t_{}", name.as_str().replace('-', "_"))
}

pub(crate) async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
}

pub(crate) async fn login(url: &SecretString) -> sqlx::Result<PgConnection> {
    PgConnection::connect(url.expose_secret()).await
}

/// Everything that says who may do what, and what is there: equal for equal tenants.
pub(crate) async fn audit(
    admin: &Admin,
    name: &BlueprintName,
) -> BTreeMap<&'static str, Vec<String>> {
    const CLUSTER: [(&str, &str); 4] = [
        (
            "roles",
            "SELECT concat_ws(' ', rolname, rolcanlogin, rolconnlimit, rolsuper, rolinherit,
             rolcreatedb, rolcreaterole, rolconfig::text, shobj_description(oid, 'pg_authid'))
             FROM pg_roles WHERE rolname LIKE $1 ORDER BY 1",
        ),
        (
            "members",
            "SELECT concat_ws(' ', roleid::regrole, member::regrole) FROM pg_auth_members
             WHERE roleid::regrole::text LIKE $1 OR member::regrole::text LIKE $1 ORDER BY 1",
        ),
        (
            "database",
            "SELECT concat_ws(' ', datname, datdba::regrole, datallowconn, datconnlimit,
             datistemplate, datacl::text, shobj_description(oid, 'pg_database'))
             FROM pg_database WHERE datname LIKE $1 ORDER BY 1",
        ),
        (
            "passwords",
            "SELECT concat_ws(' ', rolname, rolpassword) FROM pg_authid
             WHERE rolname LIKE $1 ORDER BY 1",
        ),
    ];
    const INSIDE: [(&str, &str); 4] = [
        (
            "schemas",
            "SELECT concat_ws(' ', nspname, nspowner::regrole, nspacl::text)
             FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast)' ORDER BY 1",
        ),
        (
            "relations",
            "SELECT concat_ws(' ', relnamespace::regnamespace, relname, relkind,
             relowner::regrole, relacl::text) FROM pg_class
             WHERE relnamespace::regnamespace::text IN ('tenant', 'accounts', 'public')
             ORDER BY 1",
        ),
        (
            "defaults",
            "SELECT concat_ws(' ', defaclrole::regrole, defaclnamespace::regnamespace,
             defaclobjtype, defaclacl::text) FROM pg_default_acl ORDER BY 1",
        ),
        (
            "functions",
            "SELECT concat_ws(' ', proname, proowner::regrole, proacl::text)
             FROM pg_proc WHERE pronamespace = to_regnamespace('tenant') ORDER BY 1",
        ),
    ];
    let mut audit = BTreeMap::new();
    let mut conn = admin.connect().await.unwrap();
    let like = format!("{}%", database_of(name).replace('_', "\\_"));
    for (what, sql) in CLUSTER {
        let rows = sqlx::query_scalar(sql).bind(&like).fetch_all(&mut conn).await.unwrap();
        audit.insert(what, rows);
    }
    if audit["database"].len() == 1 {
        let mut conn = admin.connect_to(&database_of(name)).await.unwrap();
        for (what, sql) in INSIDE {
            audit.insert(what, sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap());
        }
    }
    audit
}

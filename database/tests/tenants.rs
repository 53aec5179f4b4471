//! Tenants' databases on a real server: apart from each other, and whole after any crash.

mod common;

use common::{Stage, audit, database_of, login, run};
use database::Admin;
use database::tenant::{self, Error, Migrated, Steps};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use work::sealed::RootKey;

fn code(error: &sqlx::Error) -> String {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .unwrap_or_default()
        .into_owned()
}

#[sqlx::test(migrations = false)]
async fn the_runtime_works_and_cannot_change_tables(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "works");
    let name = stage.name("works");
    let made = stage.provision(&name).await;
    let mut app = login(&made.app).await?;
    for sql in [
        "INSERT INTO tenant.person (name) VALUES ('Ada')",
        "INSERT INTO tenant.note (person, text) SELECT id, 'x' FROM tenant.person",
        "UPDATE tenant.person SET name = 'Bo'",
        "DELETE FROM tenant.note",
        "INSERT INTO accounts.session VALUES ('a')",
        "SELECT * FROM tenant._migrations",
    ] {
        run(&mut app, sql).await;
    }
    for sql in [
        "CREATE TABLE tenant.mine ()",
        "CREATE TABLE public.mine ()",
        "CREATE TEMP TABLE mine ()",
        "CREATE SCHEMA mine",
        "DROP TABLE tenant.person",
        "TRUNCATE tenant.person",
        "ALTER TABLE tenant.person ADD x int",
        "UPDATE tenant._migrations SET success = false",
        "SET ROLE postgres",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "CREATE EXTENSION dblink",
        "COPY tenant.person TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT * FROM pg_authid",
        "ALTER SYSTEM SET work_mem = '1MB'",
    ] {
        let refused = sqlx::raw_sql(sql).execute(&mut app).await.unwrap_err();
        // 3F000: there is not even a schema to make it in.
        assert!(["42501", "3F000"].contains(&code(&refused).as_str()), "{sql}: {refused}");
    }
    let owner = database_of(&name) + "_owner";
    for role in [owner.clone(), database_of(&name) + "_read"] {
        let sql = sqlx::AssertSqlSafe(format!("SET ROLE {role}"));
        assert_eq!(code(&sqlx::raw_sql(sql).execute(&mut app).await.unwrap_err()), "42501");
    }
    let timeout: String = sqlx::query_scalar("SHOW statement_timeout").fetch_one(&mut app).await?;
    assert_eq!(timeout, "30s");
    assert_eq!(tenant::version(&mut app).await?, Some(1));

    let mut read = login(&made.read).await?;
    run(&mut read, "SELECT * FROM tenant.person").await;
    run(&mut read, "SET default_transaction_read_only = off").await;
    for sql in ["SELECT * FROM accounts.session", "DELETE FROM tenant.person"] {
        let refused = sqlx::raw_sql(sql).execute(&mut read).await.unwrap_err();
        assert_eq!(code(&refused), "42501", "{sql}");
    }
    drop((app, read));
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn a_tenant_cannot_connect_to_another(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "apart");
    let names = [stage.name("apart"), stage.name("apart-app"), stage.name("apart-read")];
    let mut made = Vec::new();
    for name in &names {
        made.push(stage.provision(name).await);
    }
    for (from, tenant) in made.iter().enumerate() {
        for (to, other) in made.iter().enumerate() {
            for url in [&tenant.app, &tenant.read] {
                let mut options: PgConnectOptions =
                    secrecy::ExposeSecret::expose_secret(url).parse()?;
                options = options.database(&other.database);
                match sqlx::PgConnection::connect_with(&options).await {
                    Ok(conn) if from == to => conn.close().await?,
                    Err(refused) if from != to => assert_eq!(code(&refused), "42501"),
                    result => panic!("{from} to {to}: {}", result.is_ok()),
                }
            }
        }
    }
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn a_login_is_limited_to_eight_connections(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "limit");
    let name = stage.name("limit");
    let made = stage.provision(&name).await;
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(login(&made.app).await?);
    }
    assert_eq!(code(&login(&made.app).await.unwrap_err()), "53300");
    open.truncate(0);
    let pool = made.pool()?;
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&pool).await?;
    assert_eq!((one, pool.options().get_max_connections()), (1, 4));
    pool.close().await;
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn a_second_run_writes_nothing(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "again");
    let name = stage.name("again");
    let first = stage.provision(&name).await;
    let before = audit(&stage.admin, &name).await;
    let steps = &mut Steps::all();
    let second = tenant::provision_by(steps, &stage.admin, &name, &stage.schema, &stage.key, 0)
        .await
        .unwrap();
    assert_eq!(steps.written(), [""; 0]);
    assert_eq!(
        secrecy::ExposeSecret::expose_secret(&second.app),
        secrecy::ExposeSecret::expose_secret(&first.app)
    );
    assert_eq!(audit(&stage.admin, &name).await, before);

    // The next tenant needs no new template.
    let other = stage.name("again-too");
    let steps = &mut Steps::all();
    tenant::provision_by(steps, &stage.admin, &other, &stage.schema, &stage.key, 0).await.unwrap();
    assert!(!steps.written().iter().any(|step| step.contains("template")), "{steps:?}");
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn provisioning_killed_after_any_statement_converges(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "killed");
    let name = stage.name("killed");
    let mut after = 0;
    let mut whole = None;
    loop {
        let steps = &mut Steps::stop_after(after);
        let stopped =
            tenant::provision_by(steps, &stage.admin, &name, &stage.schema, &stage.key, 0).await;
        let died = match stopped {
            Err(Error::Stopped) => true,
            Ok(_) => false,
            Err(error) => panic!("after {after}: {error}"),
        };
        stage.provision(&name).await;
        let found = audit(&stage.admin, &name).await;
        assert_eq!(whole.get_or_insert_with(|| found.clone()), &found, "died after {after}");
        if !died {
            break;
        }
        // From nothing again, template included.
        let Stage { admin, schema, .. } = &stage;
        tenant::drop_tenant(admin, &name).await.unwrap();
        let mut conn = admin.connect().await.unwrap();
        let template = format!("{}_v1", schema.name);
        run(&mut conn, &format!("ALTER DATABASE {template} IS_TEMPLATE false")).await;
        run(&mut conn, &format!("DROP DATABASE {template}")).await;
        for role in ["template", "builder"] {
            run(&mut conn, &format!("DROP ROLE {}_{role}", schema.name)).await;
        }
        after += 1;
    }
    assert!(after >= 15, "only {after} statements were seen");
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn dropping_killed_after_any_statement_converges(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "dropped");
    let name = stage.name("dropped");
    for after in 0..=5 {
        let made = stage.provision(&name).await;
        // Connected people do not hold it up.
        let _busy = login(&made.app).await?;
        let steps = &mut Steps::stop_after(after);
        let stopped = tenant::drop_by(steps, &stage.admin, &name).await;
        assert_eq!(matches!(stopped, Err(Error::Stopped)), after < 5);
        tenant::drop_tenant(&stage.admin, &name).await.unwrap();
        let left = audit(&stage.admin, &name).await;
        assert!(left.values().all(Vec::is_empty), "{left:?}");
    }
    let steps = &mut Steps::all();
    tenant::drop_by(steps, &stage.admin, &name).await.unwrap();
    assert!(steps.written().is_empty());
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn a_half_dropped_database_is_finished_off_and_made_anew(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "half");
    let name = stage.name("half");
    stage.provision(&name).await;
    let whole = audit(&stage.admin, &name).await;
    // What a server crash inside DROP DATABASE leaves.
    let mut conn = stage.admin.connect().await.unwrap();
    let half = format!(
        "UPDATE pg_database SET datconnlimit = -2 WHERE datname = '{}'",
        database_of(&name)
    );
    run(&mut conn, &half).await;
    stage.provision(&name).await;
    assert_eq!(audit(&stage.admin, &name).await, whole);
    run(&mut conn, &half).await;
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn what_is_not_ours_is_left_alone(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "foreign");
    let mut conn = stage.admin.connect().await.unwrap();
    let name = stage.name("foreign");
    let database = database_of(&name);
    for (make, remove) in [
        (format!("CREATE DATABASE {database}"), format!("DROP DATABASE {database}")),
        (format!("CREATE ROLE {database}_app"), format!("DROP ROLE {database}_app")),
        (format!("CREATE ROLE {database}_owner"), format!("DROP ROLE {database}_owner")),
    ] {
        run(&mut conn, &make).await;
        let refused = tenant::provision(&stage.admin, &name, &stage.schema, &stage.key).await;
        assert!(matches!(refused, Err(Error::Foreign { .. })), "{make}");
        let refused = tenant::drop_tenant(&stage.admin, &name).await;
        assert!(matches!(refused, Err(Error::Foreign { .. })), "{make}");
        run(&mut conn, &remove).await;
        tenant::drop_tenant(&stage.admin, &name).await.unwrap();
    }
    let template = format!("{}_v1", stage.schema.name);
    for suffix in ["", "_building"] {
        run(&mut conn, &format!("CREATE DATABASE {template}{suffix}")).await;
        let refused = tenant::provision(&stage.admin, &name, &stage.schema, &stage.key).await;
        assert!(matches!(refused, Err(Error::Foreign { .. })), "{suffix}");
        run(&mut conn, &format!("DROP DATABASE {template}{suffix}")).await;
    }
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn rows_are_never_dropped_for_want_of_a_marker(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "unmarked");
    let name = stage.name("unmarked");
    let made = stage.provision(&name).await;
    let mut conn = stage.admin.connect().await.unwrap();
    let unmark = format!("COMMENT ON DATABASE {} IS NULL", made.database);
    run(&mut conn, &unmark).await;
    stage.provision(&name).await;

    run(&mut login(&made.app).await?, "INSERT INTO tenant.person (name) VALUES ('Ada')").await;
    run(&mut conn, &unmark).await;
    let refused = tenant::provision(&stage.admin, &name, &stage.schema, &stage.key).await;
    assert!(matches!(refused, Err(Error::Unmarked { .. })), "{refused:?}");
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM tenant.person")
        .fetch_one(&mut stage.inside(&name).await)
        .await?;
    assert_eq!(rows, 1);
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn what_drifted_is_corrected(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "drift");
    let name = stage.name("drift");
    stage.provision(&name).await;
    let whole = audit(&stage.admin, &name).await;
    let database = database_of(&name);
    let mut conn = stage.admin.connect().await.unwrap();
    for drift in [
        format!("ALTER ROLE {database}_app SUPERUSER CREATEDB"),
        format!("ALTER ROLE {database}_app CONNECTION LIMIT -1"),
        format!("ALTER ROLE {database}_read RESET ALL"),
        format!("ALTER ROLE {database}_owner LOGIN"),
        format!("GRANT pg_read_all_data TO {database}_app"),
        format!("GRANT CONNECT ON DATABASE {database} TO PUBLIC"),
        format!("GRANT ALL ON DATABASE {database} TO {database}_app"),
        format!("REVOKE CONNECT ON DATABASE {database} FROM {database}_app"),
    ] {
        run(&mut conn, &drift).await;
        stage.provision(&name).await;
        assert_eq!(audit(&stage.admin, &name).await, whole, "{drift}");
    }
    for drift in [
        format!("GRANT CREATE ON SCHEMA tenant TO {database}_app"),
        format!("GRANT USAGE ON SCHEMA accounts TO {database}_read"),
        format!("REVOKE DELETE ON tenant.person FROM {database}_app"),
        format!("GRANT DELETE ON tenant._migrations TO {database}_app"),
        format!("GRANT INSERT ON tenant.person TO {database}_read"),
    ] {
        run(&mut stage.inside(&name).await, &drift).await;
        stage.provision(&name).await;
        assert_eq!(audit(&stage.admin, &name).await, whole, "{drift}");
    }
    // Another root key: other passwords.
    let key = RootKey::from_bytes([8; 32]);
    tenant::provision(&stage.admin, &name, &stage.schema, &key).await.unwrap();
    assert_ne!(audit(&stage.admin, &name).await["passwords"], whole["passwords"]);
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn an_older_tenant_is_migrated_and_a_newer_one_refused(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "older");
    let name = stage.name("older");
    let missing = tenant::migrate(&stage.admin, &name, &stage.schema).await;
    assert!(matches!(missing, Err(Error::Missing(_))));
    let made = stage.provision(&name).await;
    let mut app = login(&made.app).await?;
    run(&mut app, "INSERT INTO tenant.person (name) VALUES ('Ada')").await;
    let newer = common::schema("older", 2);

    // Provisioning again does not migrate.
    let again = tenant::provision(&stage.admin, &name, &newer, &stage.key).await.unwrap();
    assert_eq!(again.version, 1);

    // A writer in the way: give up soon, change nothing.
    let mut writer = app.begin().await?;
    run(&mut writer, "LOCK TABLE tenant.note IN ROW EXCLUSIVE MODE").await;
    let busy = tenant::migrate(&stage.admin, &name, &newer).await;
    assert!(matches!(busy, Err(Error::Busy { .. })), "{busy:?}");
    writer.rollback().await?;
    assert_eq!(tenant::version(&mut app).await?, Some(1));

    let migrated = tenant::migrate(&stage.admin, &name, &newer).await.unwrap();
    assert_eq!(migrated, Migrated { from: 1, to: 2 });
    let again = tenant::migrate(&stage.admin, &name, &newer).await.unwrap();
    assert_eq!(again, Migrated { from: 2, to: 2 });
    run(&mut app, "INSERT INTO tenant.extra VALUES (1)").await;
    run(&mut login(&made.read).await?, "SELECT * FROM tenant.extra").await;
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM tenant.person").fetch_one(&mut app).await?;
    assert_eq!(rows, 1);
    let refused = tenant::migrate(&stage.admin, &name, &stage.schema).await;
    assert!(matches!(refused, Err(Error::Newer { found: 2, known: 1, .. })));

    // A migrated tenant and a new one have the same rights.
    let fresh = stage.name("older-new");
    tenant::provision(&stage.admin, &fresh, &newer, &stage.key).await.unwrap();
    let [old, new] = [&name, &fresh];
    let (old_audit, new_audit) = (audit(&stage.admin, old).await, audit(&stage.admin, new).await);
    for what in ["schemas", "relations", "defaults", "functions"] {
        let plain: Vec<String> = new_audit[what]
            .iter()
            .map(|line| line.replace(&database_of(new), &database_of(old)))
            .collect();
        assert_eq!(old_audit[what], plain);
    }
    drop(app);
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn two_at_once_make_one(_: PgPoolOptions, options: PgConnectOptions) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "twins");
    let names = [stage.name("twin-a"), stage.name("twin-b")];
    let mut tasks = tokio::task::JoinSet::new();
    for name in names.iter().cycle().take(6) {
        let name = name.clone();
        let (admin, schema) = (stage.admin.clone(), stage.schema);
        tasks.spawn(async move {
            let key = RootKey::from_bytes([7; 32]);
            tenant::provision(&admin, &name, &schema, &key).await.unwrap();
        });
    }
    tasks.join_all().await;
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn an_administrator_need_not_be_superuser(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options.clone(), "modest");
    let mut conn = stage.admin.connect().await.unwrap();
    let modest = format!("modest_{}", std::process::id());
    run(&mut conn, &format!("CREATE ROLE {modest} LOGIN CREATEDB CREATEROLE PASSWORD 'modest'"))
        .await;
    let name = stage.name("modest");
    let superuser = std::mem::replace(
        &mut stage.admin,
        Admin::new(options.username(&modest).password("modest")),
    );
    let made = stage.provision(&name).await;
    run(&mut login(&made.app).await?, "INSERT INTO tenant.person (name) VALUES ('Ada')").await;
    let steps = &mut Steps::all();
    tenant::provision_by(steps, &stage.admin, &name, &stage.schema, &stage.key, 0).await.unwrap();
    assert!(steps.written().is_empty(), "{steps:?}");
    let mut old = login(&made.app).await?;
    let all = &mut Steps::all();
    let next = tenant::provision_by(all, &stage.admin, &name, &stage.schema, &stage.key, 1);
    run(&mut login(&next.await.unwrap().app).await?, "DELETE FROM tenant.person").await;
    tenant::close_old(&stage.admin, &name, 1).await.unwrap();
    assert!(old.ping().await.is_err() && login(&made.app).await.is_err());
    let newer = common::schema("modest", 2);
    tenant::migrate(&stage.admin, &name, &newer).await.unwrap();
    tenant::drop_tenant(&stage.admin, &name).await.unwrap();
    stage.admin = superuser;
    stage.clear().await;
    run(&mut conn, &format!("DROP ROLE {modest}")).await;
    Ok(())
}

//! Exports and imports on a real server: the same data again, or nothing.
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod common;

use std::path::Path;

use common::{Stage, login, run};
use database::export::{self, Error, export, import, restore};
use database::tenant;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};

const ROWS: &str = r#"
    INSERT INTO tenant.person (id, name, born, weight, photo, about, seen) VALUES
        ('00000000-0000-7000-8000-000000000001', E'tab\tline\nback\\slash', '0099-12-31 BC',
         'NaN', '\x00ff0a5c', '{"a": [1, null]}', '2026-01-01 00:00:00.123456+00'),
        ('00000000-0000-7000-8000-000000000002', '\N', NULL, 0.1, '', 'null', 'infinity'),
        ('00000000-0000-7000-8000-000000000003', '界 é', '9999-01-01', 5e-324, NULL, '"x"', NULL);
    INSERT INTO tenant.note (person, text)
        SELECT id, repeat(name, 100) FROM tenant.person, generate_series(1, 50);
    -- Each needs the other: no order of tables would do.
    UPDATE tenant.person SET note = (SELECT min(number) FROM tenant.note),
        likes = '00000000-0000-7000-8000-000000000003';
    INSERT INTO tenant.loose VALUES (1, ARRAY['a,b', '"', NULL]), (1, ARRAY['a,b', '"', NULL]),
        (NULL, NULL);
    INSERT INTO accounts.session VALUES ('\xdead');
    UPDATE tenant.setting SET value = 'red';
"#;

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// The data as a person would compare it.
async fn dump(conn: &mut PgConnection) -> Vec<String> {
    let mut rows = Vec::new();
    for table in
        ["tenant.person", "tenant.note", "tenant.loose", "tenant.setting", "accounts.session"]
    {
        let sql = format!("SELECT t::text FROM {table} t ORDER BY 1");
        let found: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *conn).await.unwrap();
        rows.push(format!("{table}: {}", found.len()));
        rows.extend(found);
    }
    rows
}

fn files_in(folder: &Path) -> usize {
    folder.read_dir().unwrap().count()
}

#[sqlx::test(migrations = false)]
async fn what_comes_back_is_what_went(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "back");
    // With the trigger that would cut each note to one letter.
    stage.schema = common::schema("back", 2);
    let (from, to) = (stage.name("from"), stage.name("to"));
    let made = stage.provision(&from).await;
    run(&mut stage.inside(&from).await, "ALTER TABLE tenant.note DISABLE TRIGGER shorten").await;
    run(&mut login(&made.app).await?, ROWS).await;
    run(&mut stage.inside(&from).await, "ALTER TABLE tenant.note ENABLE TRIGGER shorten").await;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("acme.soulfra");
    let Stage { admin, schema, .. } = &stage;
    let wrote = export(admin, &from, schema, &file, now()).await.unwrap();
    assert_eq!(wrote.tables.iter().map(|table| table.rows).sum::<u64>(), 3 + 150 + 3 + 1 + 1);
    let again = folder.path().join("again.soulfra");
    export(admin, &from, schema, &again, now()).await.unwrap();
    assert_eq!(std::fs::read(&file)?, std::fs::read(&again)?, "same data, same bytes");
    assert_eq!(files_in(folder.path()), 2);
    let mode = std::os::unix::fs::MetadataExt::mode(&file.metadata()?);
    assert_eq!(mode & 0o777, 0o600);

    stage.provision(&to).await;
    assert_eq!(import(admin, &to, schema, &file).await.unwrap(), wrote);
    assert_eq!(files_in(folder.path()), 2);
    let (mut old, mut new) = (stage.inside(&from).await, stage.inside(&to).await);
    assert_eq!(dump(&mut old).await, dump(&mut new).await);
    let back = folder.path().join("back.soulfra");
    let reread = export(admin, &to, schema, &back, now()).await.unwrap();
    assert_eq!((reread.tables, reread.sequences), (wrote.tables.clone(), wrote.sequences.clone()));

    // Keys, triggers and sequences work as before.
    let [old, new] = [&mut old, &mut new];
    for conn in [&mut *old, &mut *new] {
        let keys: Vec<String> = sqlx::query_scalar(
            "SELECT concat_ws(' ', conname, condeferrable, condeferred, convalidated)
             FROM pg_constraint WHERE contype = 'f' ORDER BY 1",
        )
        .fetch_all(&mut *conn)
        .await?;
        assert_eq!(keys.len(), 3);
        assert!(keys.iter().all(|key| key.ends_with(" f f t")), "{keys:?}");
        let orphan = "INSERT INTO tenant.note (person) VALUES (gen_random_uuid())";
        assert!(sqlx::raw_sql(orphan).execute(&mut *conn).await.is_err());
        let (number, text): (i64, String) = sqlx::query_as(
            "INSERT INTO tenant.note (person, text) SELECT id, 'long' FROM tenant.person LIMIT 1
             RETURNING number, text",
        )
        .fetch_one(&mut *conn)
        .await?;
        assert_eq!((number, text.as_str()), (152, "l"));
    }

    let refused = import(admin, &to, schema, &file).await;
    assert!(matches!(refused, Err(Error::NotEmpty(_))), "{refused:?}");
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn people_go_on_working_during_an_export(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "busy");
    let (from, to) = (stage.name("busy"), stage.name("busy-to"));
    let made = stage.provision(&from).await;
    let mut app = login(&made.app).await?;
    run(&mut app, ROWS).await;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("x");
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let writer = tokio::spawn(async move {
        let mut written = 0;
        while stopped.try_recv().is_err() {
            // A person and a note together: half of it in an export would be torn.
            let mut tx = app.begin().await.unwrap();
            run(
                &mut tx,
                "WITH p AS (INSERT INTO tenant.person (name) VALUES ('new') RETURNING id)
                 INSERT INTO accounts.session SELECT uuid_send(id) FROM p",
            )
            .await;
            tx.commit().await.unwrap();
            written += 1;
        }
        written
    });
    let Stage { admin, schema, .. } = &stage;
    for _ in 0..5 {
        export(admin, &from, schema, &file, now()).await.unwrap();
    }
    stop.send(()).unwrap();
    assert!(writer.await.unwrap() > 0);
    stage.provision(&to).await;
    import(admin, &to, schema, &file).await.unwrap();
    let torn: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM tenant.person p FULL JOIN accounts.session s
             ON s.id = uuid_send(p.id)
         WHERE (p.id IS NULL OR s.id IS NULL) AND p.name IS NOT DISTINCT FROM 'new'",
    )
    .fetch_one(&mut stage.inside(&to).await)
    .await?;
    assert_eq!(torn, 0);
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn a_cut_or_changed_file_leaves_nothing(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "damaged");
    let (from, to) = (stage.name("damaged"), stage.name("damaged-to"));
    let made = stage.provision(&from).await;
    run(&mut login(&made.app).await?, ROWS).await;
    stage.provision(&to).await;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("x");
    let Stage { admin, schema, .. } = &stage;
    export(admin, &from, schema, &file, now()).await.unwrap();
    let whole = std::fs::read(&file)?;
    let before = dump(&mut stage.inside(&to).await).await;

    let damage = (0..whole.len(), any::<bool>(), 0_u8..8);
    let mut runner = TestRunner::deterministic();
    let damages = prop::collection::vec(damage, 60).new_tree(&mut runner).unwrap().current();
    let mut refusals = 0;
    for (at, cut, bit) in damages {
        let mut bytes = whole.clone();
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << bit;
        }
        std::fs::write(&file, bytes)?;
        match import(admin, &to, schema, &file).await {
            Err(Error::Damaged { .. } | Error::Io { .. }) => refusals += 1,
            other => panic!("cut {cut} at {at}, bit {bit}: {other:?}"),
        }
    }
    assert_eq!(refusals, 60);
    assert_eq!(dump(&mut stage.inside(&to).await).await, before);
    assert_eq!(files_in(folder.path()), 1);
    std::fs::write(&file, whole)?;
    import(admin, &to, schema, &file).await.unwrap();
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn another_schema_version_is_refused(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "version");
    let (from, to) = (stage.name("version"), stage.name("version-to"));
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("x");
    let missing = export(&stage.admin, &from, &stage.schema, &file, now()).await;
    assert!(matches!(missing, Err(Error::Missing(_))));
    stage.provision(&from).await;
    export(&stage.admin, &from, &stage.schema, &file, now()).await.unwrap();
    stage.schema = common::schema("version", 2);
    stage.provision(&to).await;
    let refused = import(&stage.admin, &to, &stage.schema, &file).await;
    assert!(matches!(refused, Err(export::Error::OtherSchema { .. })), "{refused:?}");
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn of_two_restores_at_once_one_wins_and_keeps_its_data(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "racer");
    let (from, to) = (stage.name("race-from"), stage.name("racer"));
    let made = stage.provision(&from).await;
    run(&mut login(&made.app).await?, ROWS).await;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("x");
    let Stage { admin, schema, key, .. } = &stage;
    export(admin, &from, schema, &file, now()).await.unwrap();
    let rows = dump(&mut stage.inside(&from).await).await;
    let once = async || restore(admin, &to, schema, key, &file, &[]).await.map(drop);
    for _ in 0..3 {
        // And a start of that name in the same moment, which finds it or makes an empty one.
        let (first, second, started) =
            tokio::join!(once(), once(), tenant::provision(admin, &to, schema, key));
        let started = started.unwrap();
        let found = dump(&mut stage.inside(&to).await).await;
        match (&first, &second) {
            (Ok(()), Err(Error::Taken(_))) | (Err(Error::Taken(_)), Ok(())) => {
                assert_eq!(found, rows);
            }
            (Err(Error::Taken(_)), Err(Error::Taken(_))) => {
                assert!(found.contains(&"tenant.person: 0".to_owned()));
            }
            both => panic!("{both:?}"),
        }
        login(&started.app).await?;
        tenant::drop_tenant(admin, &to).await.unwrap();
        let (first, second) = tokio::join!(once(), once());
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        assert_eq!(dump(&mut stage.inside(&to).await).await, rows);
        tenant::drop_tenant(admin, &to).await.unwrap();
    }
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn a_restore_that_fails_drops_what_it_made_and_nothing_else(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "undo");
    let (from, to) = (stage.name("undo-from"), stage.name("undo"));
    let made = stage.provision(&from).await;
    run(&mut login(&made.app).await?, ROWS).await;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("x");
    let Stage { admin, schema, key, .. } = &stage;
    export(admin, &from, schema, &file, now()).await.unwrap();
    let rows = dump(&mut stage.inside(&from).await).await;
    let exists = async || tenant::exists(admin, &to).await.unwrap();

    let taken = restore(admin, &from, schema, key, &file, &[]).await;
    assert!(matches!(taken, Err(Error::Taken(_))), "{taken:?}");
    assert_eq!(dump(&mut stage.inside(&from).await).await, rows);
    // Everything is in, and then a table to leave out is not there.
    let failed = restore(admin, &to, schema, key, &file, &[("tenant", "missing")]).await;
    assert!(matches!(failed, Err(Error::Step { .. })), "{failed:?}");
    assert!(!exists().await);
    // What follows a restore failed.
    let restored = restore(admin, &to, schema, key, &file, &[]).await.unwrap();
    assert!(exists().await);
    restored.undo().await.unwrap();
    assert!(!exists().await);
    stage.clear().await;
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn sessions_stay_behind_in_a_restore(
    _: PgPoolOptions,
    options: PgConnectOptions,
) -> sqlx::Result<()> {
    let mut stage = Stage::new(options, "behind");
    let (from, to) = (stage.name("behind-from"), stage.name("behind"));
    let made = stage.provision(&from).await;
    run(&mut login(&made.app).await?, ROWS).await;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("x");
    let Stage { admin, schema, key, .. } = &stage;
    export(admin, &from, schema, &file, now()).await.unwrap();
    drop(restore(admin, &to, schema, key, &file, &[("accounts", "session")]).await.unwrap());
    let mut rows = dump(&mut stage.inside(&from).await).await;
    let at = rows.iter().position(|row| row == "accounts.session: 1").unwrap();
    rows.truncate(at);
    rows.push("accounts.session: 0".into());
    assert_eq!(dump(&mut stage.inside(&to).await).await, rows);
    stage.clear().await;
    Ok(())
}

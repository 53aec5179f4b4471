//! The people, and the owner who must remain.
use accounts::people::{
    ChangeError, CreateError, activate, by_email, create, get, list, set_role, suspend,
};
use accounts::{Person, Role, Status};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{new_person, noon, seconds};

async fn add(conn: &mut PgConnection, name: &str, role: Role) -> Person {
    let new = accounts::people::NewPerson { role, ..new_person(name) };
    create(conn, &new, noon()).await.unwrap()
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_person_is_found_by_id_and_address(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let jane = add(&mut conn, "jane", Role::Creator).await;
    assert_eq!(jane.created_at, noon());
    assert_eq!(get(&mut conn, jane.id).await.unwrap().as_ref(), Some(&jane));
    let email = "Jane@Example.com".parse().unwrap();
    assert_eq!(by_email(&mut conn, &email).await.unwrap(), Some(jane));
    assert_eq!(get(&mut conn, Uuid::nil()).await.unwrap(), None);
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_taken_address_leaves_the_transaction_usable(db: PgPool) {
    let mut tx = db.begin().await.unwrap();
    let jane = add(&mut tx, "jane", Role::User).await;
    let taken = create(&mut tx, &new_person("jane"), noon()).await;
    assert!(matches!(taken, Err(CreateError::EmailTaken)), "{taken:?}");
    assert!(get(&mut tx, jane.id).await.unwrap().is_some());
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn pages_show_everybody_once_the_newest_first(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let mut expected = Vec::new();
    for number in 0..7_i32 {
        let new = new_person(&format!("person{number}"));
        let now = noon() + seconds(number.into());
        expected.insert(0, create(&mut conn, &new, now).await.unwrap());
    }
    let (mut seen, mut from) = (Vec::new(), None);
    loop {
        let page = list(&mut conn, from, 3).await.unwrap();
        assert!(page.people.len() <= 3);
        seen.extend(page.people);
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(seen, expected);
    let page = list(&mut conn, None, 7).await.unwrap();
    assert_eq!((page.people.len(), page.next), (7, None), "no empty page at the end");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn the_last_owner_cannot_be_demoted_or_suspended(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let ann = add(&mut conn, "ann", Role::Owner).await;
    let error = set_role(&mut conn, Role::Owner, ann.id, Role::Admin).await;
    assert!(matches!(error, Err(ChangeError::LastOwner)), "{error:?}");
    let error = suspend(&mut conn, Role::Owner, ann.id).await;
    assert!(matches!(error, Err(ChangeError::LastOwner)), "{error:?}");
    set_role(&mut conn, Role::Owner, ann.id, Role::Owner).await.unwrap();

    let bob = add(&mut conn, "bob", Role::User).await;
    set_role(&mut conn, Role::Owner, bob.id, Role::Owner).await.unwrap();
    set_role(&mut conn, Role::Owner, ann.id, Role::Admin).await.unwrap();
    let error = set_role(&mut conn, Role::Owner, bob.id, Role::User).await;
    assert!(matches!(error, Err(ChangeError::LastOwner)), "{error:?}");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_suspended_owner_does_not_count_as_one(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let ann = add(&mut conn, "ann", Role::Owner).await;
    let bob = add(&mut conn, "bob", Role::Owner).await;
    suspend(&mut conn, Role::Owner, bob.id).await.unwrap();
    let error = suspend(&mut conn, Role::Owner, ann.id).await;
    assert!(matches!(error, Err(ChangeError::LastOwner)), "{error:?}");
    // The suspended one can be demoted: an owner remains.
    set_role(&mut conn, Role::Owner, bob.id, Role::User).await.unwrap();
    let bob = activate(&mut conn, Role::Owner, bob.id, None).await.unwrap();
    assert_eq!((bob.role, bob.status), (Role::User, Status::Active));
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn of_owners_who_demote_each_other_at_once_one_remains(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let ann = add(&mut conn, "ann", Role::Owner).await;
    let bob = add(&mut conn, "bob", Role::Owner).await;
    for _ in 0..20 {
        let changes: Vec<_> = [ann.id, bob.id, ann.id, bob.id]
            .into_iter()
            .enumerate()
            .map(|(turn, id)| {
                let db = db.clone();
                tokio::spawn(async move {
                    let mut tx = db.begin().await.unwrap();
                    // Demoted by some, suspended by others; some twice.
                    let changed = if turn < 2 {
                        set_role(&mut tx, Role::Owner, id, Role::User).await
                    } else {
                        suspend(&mut tx, Role::Owner, id).await
                    };
                    tx.commit().await.unwrap();
                    match changed {
                        Ok(_) | Err(ChangeError::LastOwner) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                })
            })
            .collect();
        for change in changes {
            change.await.unwrap();
        }
        let owners: i64 = sqlx::query_scalar(
            "select count(*) from accounts.person where role = 'owner' and status = 'active'",
        )
        .fetch_one(&mut *conn)
        .await
        .unwrap();
        assert_eq!(owners, 1);
        for id in [ann.id, bob.id] {
            activate(&mut conn, Role::Owner, id, None).await.unwrap();
            set_role(&mut conn, Role::Owner, id, Role::Owner).await.unwrap();
        }
    }
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn owners_are_changed_by_owners_only(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let ann = add(&mut conn, "ann", Role::Owner).await;
    add(&mut conn, "bob", Role::Owner).await;
    let jane = add(&mut conn, "jane", Role::User).await;
    for error in [
        set_role(&mut conn, Role::Admin, ann.id, Role::User).await,
        suspend(&mut conn, Role::Admin, ann.id).await,
        activate(&mut conn, Role::Admin, ann.id, None).await,
        set_role(&mut conn, Role::Admin, jane.id, Role::Owner).await,
        set_role(&mut conn, Role::Moderator, jane.id, Role::Creator).await,
        suspend(&mut conn, Role::Moderator, jane.id).await,
    ] {
        assert!(matches!(error, Err(ChangeError::NotAllowed)), "{error:?}");
    }
    let jane = set_role(&mut conn, Role::Admin, jane.id, Role::Moderator).await.unwrap();
    assert_eq!(jane.role, Role::Moderator);
    let nobody = suspend(&mut conn, Role::Admin, Uuid::nil()).await;
    assert!(matches!(nobody, Err(ChangeError::NoPerson)), "{nobody:?}");
}

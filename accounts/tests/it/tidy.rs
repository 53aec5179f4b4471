//! What is over is removed, and nothing else.
use accounts::sign_in::sign_in;
use accounts::tidy::{Tidied, tidy};
use accounts::{Role, ownership, sessions};
use sqlx::PgPool;

use crate::{days, noon, passwords, signed_up_as, trying};

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn rows_go_when_they_are_of_no_more_use(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (_, session) = signed_up_as(&mut conn, "jane", Role::User).await;
    ownership::issue(&mut conn, noon()).await.unwrap();
    sign_in(&mut conn, &passwords(), trying("jane", "wrong"), noon()).await.unwrap_err();

    assert_eq!(tidy(&mut conn, noon()).await.unwrap(), Tidied::default());
    assert!(sessions::find(&mut conn, session.token.expose(), noon()).await.unwrap().is_some());

    let after_days = tidy(&mut conn, noon() + days(20)).await.unwrap();
    // Attempts: the account, the address, and the sign-up.
    let expected = Tidied { sessions: 1, links: 1, events: 0, attempts: 3 };
    assert_eq!(after_days, expected);
    let after_months = tidy(&mut conn, noon() + days(91)).await.unwrap();
    assert_eq!(after_months, Tidied { events: 1, ..Tidied::default() });
}

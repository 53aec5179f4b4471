//! Ctrl-C while the host process is still coming up.

use std::net::TcpListener;

use crate::door::Ground;

#[tokio::test]
async fn a_database_that_never_answers_can_be_interrupted() {
    let ground = Ground::new();
    // It accepts, and that is all.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://nobody@{}/postgres", silent.local_addr().unwrap());
    let mut host = ground.spawn_with(&["acme", "--database-url", &url]);
    while host.event("phase").await["name"] != "model" {}
    host.interrupt();
    assert_eq!(host.ended().await, Some(0), "it did not wait until the database was given up");
}

#[tokio::test]
async fn an_interrupt_before_it_is_ready_ends_everything_in_order() {
    let ground = Ground::new();
    let mut host = ground.spawn("acme");
    while host.event("phase").await["name"] != "database" {}
    host.interrupt();
    while !host.event("note").await["text"].to_string().contains("nothing was lost") {}
    assert!(host.told.iter().all(|event| event["event"] != "ready"), "{:?}", host.told);
    assert_eq!(host.ended().await, Some(0));
    ground.quiet().await;
    let host = ground.start("acme").await;
    host.interrupt();
    assert_eq!(host.ended().await, Some(0));
}

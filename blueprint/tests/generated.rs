//! What is generated is committed, and as fresh as the code.

#[test]
fn the_committed_definition_is_the_one_of_this_code() {
    let committed = include_str!("../generated/crd.yaml");
    assert!(committed == blueprint::crd_yaml(), "crd.yaml has drifted: run `cargo xtask generate`");
}

#[test]
fn the_committed_schema_is_the_one_of_this_code() {
    let committed = include_str!("../generated/blueprint.schema.json");
    assert!(
        committed == blueprint::json_schema_text(),
        "blueprint.schema.json has drifted: run `cargo xtask generate`"
    );
}

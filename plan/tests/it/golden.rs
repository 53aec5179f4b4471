//! All objects of each template, and of a blueprint that says everything, as they were looked at.

use blueprint::templates::{self, from_template};
use blueprint::{Overrides, PlatformBlueprint};
use plan::{Plan, Seen};

use crate::generate::{full, installation};

fn golden(name: &str, blueprint: &PlatformBlueprint) {
    let installation = installation();
    let seen = Seen { admin_link: true, ..Seen::default() };
    let objects = Plan::new(blueprint, &installation, seen).unwrap().objects();
    insta::with_settings!({
        snapshot_path => "../golden",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, objects.text());
    });
}

#[test]
fn templates_become_these_objects() {
    for template in templates::all() {
        let overrides = Overrides::named("harbour".parse().unwrap());
        golden(&template.name, &from_template(template, &overrides).unwrap());
    }
}

#[test]
fn a_blueprint_that_says_everything_becomes_these_objects() {
    golden("dedicated", &full());
}

//! What a platform is. Pure: no I/O, no async.
//!
//! ```text
//! blueprint.yaml -> read -> shape (schema) -> rules -> PlatformBlueprint -> write -> blueprint.yaml
//! template + overrides -> merge ----------------------^
//! rules -> CEL in generated/crd.yaml, patterns in generated/blueprint.schema.json
//! ```
//!
//! Reading order: [`spec`] is what a person writes, [`rules`] what may not be written, [`mod@read`]
//! and [`write`](mod@write) the two ways of the text, [`mod@edit`] a change in a person's own text,
//! [`templates`] where most blueprints begin, [`effect`] what changes nothing yet.

pub mod changes;
pub mod edit;
pub mod effect;
pub mod money;
pub mod name;
mod places;
pub mod plan;
pub mod problem;
pub mod read;
pub mod resource;
pub mod rules;
pub mod schema;
mod shape;
pub mod spec;
pub mod status;
pub mod templates;
pub mod text;
pub mod write;

pub use changes::{Change, changes};
pub use edit::edit;
pub use effect::{changed_without_effect, without_effect};
pub use money::{Bps, Currency, Money, MoneyError};
pub use name::{BlueprintName, InvalidName};
pub use plan::{Entitlements, PlanName, entitlement_problems};
pub use problem::Problem;
pub use read::{check, read};
pub use resource::{BlueprintSpec, PlatformBlueprint};
pub use schema::{crd, crd_yaml, json_schema, json_schema_text};
pub use status::BlueprintStatus;
pub use templates::{Overrides, Template, from_template};
pub use text::{Colour, Domain, InvalidText, Slug, Wait};
pub use write::{hash, write, write_with_schema_line};

/// API group of the resource.
pub const GROUP: &str = "soulfra.io";
/// Version of the resource inside [`GROUP`].
pub const VERSION: &str = "v1alpha1";
/// Kind of the resource.
pub const KIND: &str = "PlatformBlueprint";
/// What `apiVersion` says in a file.
pub const API_VERSION: &str = "soulfra.io/v1alpha1";

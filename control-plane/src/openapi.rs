//! What the API's document says of all of it.

use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};

/// Its beginning, without any operation.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Soulfra control plane",
        description = "Organizations and their AI platforms. Whatever goes wrong is told as \
                       `application/problem+json` (RFC 9457), with a `code` that stays. How much more an \
                       organization may ask at the moment is said in `RateLimit` and `RateLimit-Policy`. What has the tag \
                       `inference` is for model servers alone, with keys of their own.",
    ),
    modifiers(&Keys),
    security(("key" = []))
)]
pub struct Documented;

/// What problems are sent as.
const PROBLEM: &str = "application/problem+json";

/// How a caller says who they are.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("key", bearer.clone());
        // Those of model servers, which `control-plane model-server add` makes.
        components.add_security_scheme("modelServer", bearer);
    }
}

/// Says of every operation how it is told that something went wrong, also where it says why.
#[must_use]
pub fn with_problems(mut document: Document) -> Document {
    let components = document.components.get_or_insert_default();
    components.schemas.insert("Problem".to_owned(), problem().into());
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let told = ResponseBuilder::new()
        .description("Why it was not done")
        .content(PROBLEM, content.clone())
        .build();
    for path in document.paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.put, &mut path.post, &mut path.delete];
        for operation in operations.into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            let failures =
                responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5']));
            for (_, failure) in failures {
                if let RefOr::T(failure) = failure {
                    failure
                        .content
                        .entry(PROBLEM.to_owned())
                        .or_insert_with(|| RefOr::T(content.clone()));
                }
            }
            responses.entry("default".to_owned()).or_insert_with(|| RefOr::T(told.clone()));
        }
    }
    document
}

/// As [`web::Problem`] is sent.
fn problem() -> Schema {
    let of =
        |kind: Type, what: &str| ObjectBuilder::new().schema_type(kind).description(Some(what));
    let problem = ObjectBuilder::new()
        .description(Some("Something went wrong (RFC 9457)."))
        .property("title", of(Type::String, "What happened, in a sentence that stays for a code"))
        .required("title")
        .property("status", of(Type::Integer, "The status of the answer"))
        .required("status")
        .property("code", of(Type::String, "What a program can go by"))
        .required("code")
        .property("detail", of(Type::String, "Why, and what to do next"))
        .property("retry_after", of(Type::Integer, "Seconds after which another try makes sense"));
    problem.into()
}

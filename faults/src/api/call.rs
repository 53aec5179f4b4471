//! One call to the API server.

use hyper::{Method, Uri};

/// What a call wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// One object.
    Get,
    /// All objects of a kind.
    List,
    /// What happens to them from now on.
    Watch,
    /// `POST`.
    Create,
    /// `PUT`.
    Update,
    /// `PATCH`; server-side apply is one too.
    Patch,
    /// `DELETE`, of one or of many.
    Delete,
}

/// A call, before it is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What it wants.
    pub verb: Verb,
    /// Where, such as `/api/v1/namespaces/acme/secrets/dsn`.
    pub path: String,
    /// What follows the path, without the question mark; may be empty.
    pub query: String,
}

/// Questions that are asked by `POST` and change nothing.
const QUESTIONS: [&str; 2] = ["/apis/authorization.k8s.io/", "/apis/authentication.k8s.io/"];

impl Call {
    pub(super) fn of(method: &Method, uri: &Uri) -> Self {
        let (path, query) = (uri.path().to_owned(), uri.query().unwrap_or_default().to_owned());
        let is_on = |name: &str| {
            query.split('&').any(|pair| {
                pair.split_once('=').is_some_and(|(key, value)| key == name && value != "false")
            })
        };
        let verb = match *method {
            Method::POST => Verb::Create,
            Method::PUT => Verb::Update,
            Method::PATCH => Verb::Patch,
            Method::DELETE => Verb::Delete,
            _ if is_on("watch") => Verb::Watch,
            _ if names_one(&path) => Verb::Get,
            _ => Verb::List,
        };
        Self { verb, path, query }
    }

    /// Whether it changes anything when it is carried out.
    pub fn has_effect(&self) -> bool {
        let writes = matches!(self.verb, Verb::Create | Verb::Update | Verb::Patch | Verb::Delete);
        let asks = QUESTIONS.iter().any(|group| self.path.starts_with(group));
        writes && !asks && !self.query.split('&').any(|pair| pair.starts_with("dryRun="))
    }

    /// Whether it is about this kind of object, such as `leases`, in whatever namespace.
    pub fn is_about(&self, plural: &str) -> bool {
        self.path.split('/').any(|part| part == plural)
    }
}

/// Whether a path ends with the name of an object, or with a part of it such as `status`.
fn names_one(path: &str) -> bool {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (["api", _, after_group @ ..] | ["apis", _, _, after_group @ ..]) = parts.as_slice() else {
        // Versions, health, schemas.
        return true;
    };
    match after_group {
        // The kinds of a group; a namespace itself.
        [] | ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => true,
        ["namespaces", _, rest @ ..] | rest => rest.len() > 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &Method, uri: &str) -> Call {
        Call::of(method, &uri.parse().unwrap())
    }

    #[test]
    fn one_object_and_all_of_a_kind_are_told_apart() {
        for (uri, verb) in [
            ("/api/v1/namespaces", Verb::List),
            ("/api/v1/namespaces/acme", Verb::Get),
            ("/api/v1/secrets?limit=50", Verb::List),
            ("/api/v1/namespaces/acme/secrets", Verb::List),
            ("/api/v1/namespaces/acme/secrets/dsn", Verb::Get),
            ("/apis/apps/v1/namespaces/acme/deployments/web/status", Verb::Get),
            ("/apis/soulfra.io/v1alpha1/platformblueprints", Verb::List),
            ("/apis/soulfra.io/v1alpha1/platformblueprints?watch=true", Verb::Watch),
            ("/apis/soulfra.io/v1alpha1/platformblueprints/acme", Verb::Get),
            ("/apis/apps/v1", Verb::Get),
            ("/version", Verb::Get),
        ] {
            assert_eq!(call(&Method::GET, uri).verb, verb, "{uri}");
        }
    }

    #[test]
    fn a_trial_and_a_question_have_no_effect() {
        let secrets = "/api/v1/namespaces/acme/secrets";
        assert!(call(&Method::POST, secrets).has_effect());
        assert!(call(&Method::DELETE, &format!("{secrets}/dsn")).has_effect());
        assert!(!call(&Method::GET, secrets).has_effect());
        assert!(!call(&Method::POST, &format!("{secrets}?dryRun=All")).has_effect());
        let review = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        assert!(!call(&Method::POST, review).has_effect());
    }

    #[test]
    fn a_call_is_about_its_kind() {
        let lease = "/apis/coordination.k8s.io/v1/namespaces/soulfra/leases/operator";
        assert!(call(&Method::PUT, lease).is_about("leases"));
        assert!(!call(&Method::PUT, lease).is_about("secrets"));
    }
}

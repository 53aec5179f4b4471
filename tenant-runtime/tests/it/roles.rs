//! Who may do what, route by route: the list is read from the router itself, so that no route is
//! forgotten.

use uuid::Uuid;

use crate::{Simulator, TestPlatform};

const ROUTER: &str = include_str!("../../src/router.rs");
/// What anybody may do.
const OPEN: [&str; 11] = [
    "/",
    "/agents",
    "/agents/{slug}",
    "/pages/{slug}",
    "/assets/{file}",
    "/brand/{file}",
    "/healthz",
    "/readyz",
    "/signin",
    "/signup",
    "/welcome/{token}",
];

/// One thing that can be done at one address.
#[derive(Debug, PartialEq, Eq)]
struct Route {
    path: &'static str,
    writes: bool,
}

/// The part of the router that lists them.
fn list() -> &'static str {
    ROUTER.split_once(".fallback(").unwrap().0
}

fn routes() -> Vec<Route> {
    let routes = list().split(".route(\"").skip(1).flat_map(|rest| {
        let (path, handlers) = rest.split_once("\", ").unwrap();
        let handlers = handlers.lines().next().unwrap();
        [("get(", false), ("post(", true)]
            .into_iter()
            .filter(move |(method, _)| handlers.contains(method))
            .map(move |(_, writes)| Route { path, writes })
    });
    routes.collect()
}

impl Route {
    /// The address with names that fit but name nothing.
    fn somewhere(&self) -> String {
        self.path.replace("{id}", &Uuid::now_v7().to_string()).replace("{slug}", "nobody")
    }
}

#[test]
fn the_list_of_routes_is_whole() {
    let routes = routes();
    assert_eq!(
        routes.len(),
        list().matches("get(").count() + list().matches("post(").count(),
        "a route is written in a way that this list does not read: {routes:?}"
    );
    assert!(routes.contains(&Route { path: "/admin/agents", writes: true }));
    assert!(routes.len() > 35);
}

#[tokio::test]
async fn a_visitor_is_sent_to_sign_in_from_all_that_is_not_open() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let visitor = platform.visitor();
    for route in routes().iter().filter(|route| !OPEN.contains(&route.path)) {
        let path = route.somewhere();
        let answer =
            if route.writes { visitor.post(&path, &[]).await } else { visitor.get(&path).await };
        assert_eq!(answer.status, 303, "{route:?}: {}", answer.body);
        assert!(answer.location().starts_with("/signin?next="), "{route:?}");
    }
}

#[tokio::test]
async fn a_user_is_kept_out_of_the_whole_admin_portal() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    let mut tried = 0;
    for route in routes().iter().filter(|route| route.path.starts_with("/admin")) {
        let path = route.somewhere();
        let answer = if route.writes { ada.post(&path, &[]).await } else { ada.get(&path).await };
        assert_eq!(answer.status, 403, "{route:?}: {}", answer.body);
        assert!(answer.body.contains("Your role does not allow this."), "{route:?}");
        tried += 1;
    }
    assert!(tried >= 16, "{tried}");
    ada.get("/").await.expect(200).without("href=\"/admin\"");
}

#[tokio::test]
async fn what_names_nothing_is_not_found() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let pages = ["/agents/nobody", "/pages/nothing", "/assets/x.css", "/brand/x.css", "/nowhere"];
    for path in pages {
        olive.get(path).await.expect(404).with("There is no such").with("Code: not-found");
    }
    let named = routes();
    for route in named.iter().filter(|route| route.path.contains("{id}")) {
        let form = [
            ("text", "x"),
            ("name", "x"),
            ("instructions", "x"),
            ("role", "user"),
            ("version", "1"),
        ];
        let path = route.somewhere();
        let answer =
            if route.writes { olive.post(&path, &form).await } else { olive.get(&path).await };
        assert_eq!(answer.status, 404, "{route:?}: {}", answer.body);
    }
}

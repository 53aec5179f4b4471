use super::*;

const FREE: &str = "{currency: USD, prompt: 0, cachedPrompt: 0, completion: 0}";

/// What is said of a configuration with these lines.
fn said(lines: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.yaml");
    let text = format!(
        "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nusage: usage\n\
         prices: {{smollm2-135m: {FREE}, mine: {FREE}, large: {FREE}}}\n{lines}\n"
    );
    std::fs::write(&file, text).unwrap();
    Config::read(&file).map_err(|error| error.to_string())
}

fn tenants(tenants: &[&str]) -> Result<Config, String> {
    said(&format!("models: [smollm2-135m]\ntenants: [{}]", tenants.join(", ")))
}

#[test]
fn a_tenant_has_a_class_that_there_is_and_is_named_once() {
    assert!(tenants(&["{name: a, secretFile: s, class: business}"]).is_ok());
    let refused = tenants(&["{name: a, secretFile: s, class: bussiness}"]).unwrap_err();
    assert!(refused.contains("tenant a") && refused.contains("bussiness"), "{refused}");
    assert!(refused.contains("enterprise, business, starter"), "{refused}");
    let a = "{name: a, secretFile: s, class: starter}";
    let refused = tenants(&[a, a]).unwrap_err();
    assert!(refused.contains("tenant a is named twice"), "{refused}");
}

#[test]
fn a_budget_is_in_a_currency_that_something_is_priced_in() {
    let with = |budget: &str| {
        tenants(&[&format!("{{name: a, secretFile: s, class: starter, monthlyBudget: {budget}}}")])
    };
    assert!(with("{amount: 100, currency: USD}").is_ok());
    let refused = with("{amount: 100, currency: EUR}").unwrap_err();
    assert!(refused.contains("tenant a") && refused.contains("EUR"), "{refused}");
}

#[test]
fn a_control_plane_says_the_budgets_and_is_asked_over_tls() {
    let with = |url: &str, tenant: &str| {
        said(&format!(
            "models: [smollm2-135m]\ncontrolPlane: {{url: '{url}', keyFile: k}}\n\
             tenants: [{{name: a, secretFile: s, class: starter{tenant}}}]"
        ))
    };
    let config = with("https://console.example", "").unwrap();
    assert_eq!(config.control_plane.unwrap().key_file, Path::new("k"));
    let refused = with("https://console.example", ", monthlyBudget: {amount: 100, currency: USD}")
        .unwrap_err();
    assert!(refused.contains("tenant a") && refused.contains("blueprint"), "{refused}");

    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, "soulfra_models_x\n").unwrap();
    let asked = |url: &str| ControlPlane { url: url.parse().unwrap(), key_file: key_file.clone() };
    assert!(asked("https://console.example").remote().is_ok());
    let plain = asked("http://console.example").remote().err().unwrap().to_string();
    assert!(plain.contains("controlPlane") && plain.contains("https://"), "{plain}");
}

#[test]
fn a_model_given_by_path_is_priced_by_its_name_and_named_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.gguf");
    let path = file.to_str().unwrap();
    let refused = said(&format!("models: [{path}]")).unwrap_err();
    assert!(refused.contains("there is no such .gguf file"), "{refused}");
    std::fs::write(&file, "GGUF").unwrap();
    assert!(said(&format!("models: [{path}]")).is_ok());
    let refused = said(&format!("models: [{path}, {path}]")).unwrap_err();
    assert!(refused.contains("mine is named twice"), "{refused}");
}

#[test]
fn a_model_may_be_here_and_at_an_upstream_but_at_one_upstream_only_once() {
    let large = "{id: large, upstreamId: l, title: L, contextTokens: 64}";
    let small = "{id: smollm2-135m, upstreamId: s, title: S, contextTokens: 64}";
    let with = |models: &str| {
        let upstream = format!("{{name: u, baseUrl: 'https://example.com', models: [{models}]}}");
        said(&format!("models: [smollm2-135m]\nupstreams: [{upstream}]"))
    };
    assert!(with(&format!("{small}, {large}")).is_ok());
    let refused = with(&format!("{large}, {large}")).unwrap_err();
    assert!(refused.contains("large is named twice"), "{refused}");
}

#[test]
fn the_example_of_the_documentation_can_be_used() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/model-server.yaml");
    let config = Config::read(&docs).unwrap();
    assert_eq!((config.models.len(), config.tenants.len()), (1, 2));
}

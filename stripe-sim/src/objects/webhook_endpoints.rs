//! Who is told of events.

use serde_json::json;

use crate::call::{Call, Outcome};
use crate::state::API_VERSION;
use crate::value::Read;

pub(crate) fn create(call: &mut Call) -> Outcome {
    let secret = format!("whsec_{}", call.state.chance.word(32));
    let is_connect = call.take_flag("connect");
    let version = call.take_text("api_version").unwrap_or_else(|| API_VERSION.to_owned());
    let endpoint = json!({
        "id": call.state.id("we"), "object": "webhook_endpoint", "api_version": version,
        "application": null, "created": call.state.now, "description": call.or_null("description"),
        "enabled_events": call.take_list("enabled_events"), "livemode": false,
        "metadata": call.metadata(), "status": "enabled", "url": call.or_null("url"),
        "_connect": is_connect,
    });
    call.done()?;
    let account = call.account.clone();
    call.state.deliveries.keep_secret(endpoint.text("id"), &secret);
    call.state.put(&account, "webhook_endpoint", endpoint.clone());
    // Told once, and never again.
    let mut told = endpoint;
    told["secret"] = json!(secret);
    Ok(told)
}

pub(crate) fn update(call: &mut Call) -> Outcome {
    let mut endpoint = call.object("webhook_endpoint", "webhook_endpoint")?;
    for name in ["description", "enabled_events", "url"] {
        if let Some(value) = call.take(name) {
            endpoint[name] = value;
        }
    }
    if let Some(disabled) = call.take("disabled") {
        let is_disabled = disabled == json!(true);
        endpoint["status"] = json!(if is_disabled { "disabled" } else { "enabled" });
    }
    if let Some(given) = call.take("metadata") {
        crate::value::merge_metadata(&mut endpoint["metadata"], &given);
    }
    call.done()?;
    let account = call.account.clone();
    call.state.put(&account, "webhook_endpoint", endpoint.clone());
    Ok(endpoint)
}

pub(crate) fn delete(call: &mut Call) -> Outcome {
    call.done()?;
    let endpoint = call.object("webhook_endpoint", "webhook_endpoint")?;
    let account = call.account.clone();
    call.state.of(&account).shelf_mut("webhook_endpoint").remove(endpoint.text("id"));
    Ok(json!({ "id": endpoint["id"], "object": "webhook_endpoint", "deleted": true }))
}

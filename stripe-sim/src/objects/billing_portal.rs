//! Pages on which somebody sees and ends what they pay.

use serde_json::{Value, json};

use crate::call::{Call, Outcome};
use crate::value::Read;

const KIND: &str = "billing_portal.configuration";

fn blank(call: &mut Call, is_default: bool) -> Value {
    let now = call.state.now;
    json!({
        "id": call.state.id("bpc"), "object": KIND, "active": true, "application": null,
        "business_profile": {
            "headline": null, "privacy_policy_url": null, "terms_of_service_url": null,
        },
        "created": now, "default_return_url": null,
        "features": {
            "customer_update": { "allowed_updates": [], "enabled": false },
            "invoice_history": { "enabled": true },
            "payment_method_update": { "enabled": false, "payment_method_configuration": null },
            "subscription_cancel": {
                "cancellation_reason": { "enabled": false, "options": [] }, "enabled": true,
                "mode": "at_period_end", "proration_behavior": "none",
            },
            "subscription_update": {
                "default_allowed_updates": [], "enabled": false, "proration_behavior": "none",
                "schedule_at_period_end": { "conditions": [] },
                "trial_update_behavior": "end_trial",
            },
        },
        "is_default": is_default, "livemode": false,
        "login_page": { "enabled": false, "url": null }, "metadata": {}, "name": null,
        "updated": now,
    })
}

pub(crate) fn configure(call: &mut Call) -> Outcome {
    let mut configuration = blank(call, false);
    for group in ["business_profile", "features"] {
        let given = call.take(group).unwrap_or_default();
        for (name, value) in given.as_object().into_iter().flatten() {
            match (&mut configuration[group][name], value) {
                (Value::Object(known), Value::Object(given)) => {
                    known.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
                }
                (known, value) => *known = value.clone(),
            }
        }
    }
    configuration["default_return_url"] = call.or_null("default_return_url");
    configuration["name"] = call.or_null("name");
    configuration["metadata"] = call.metadata();
    call.done()?;
    Ok(call.create(KIND, configuration))
}

pub(crate) fn open(call: &mut Call) -> Outcome {
    let customer = call.take_text("customer").unwrap_or_default();
    let known = call.state.get(&call.account, "customer", &customer, "customer")?;
    super::customers::check_there(&known)?;
    let wanted = call.take_text("configuration");
    let back = call.or_null("return_url");
    call.done()?;
    let configuration = match wanted {
        Some(id) => call.state.get(&call.account, KIND, &id, "configuration")?,
        None => default(call),
    };
    let id = call.state.id("bps");
    let url = format!("{}/p/session/{id}", call.state.settings.pages);
    let back = if back.is_null() { configuration["default_return_url"].clone() } else { back };
    let session = json!({
        "id": id, "object": "billing_portal.session", "configuration": configuration["id"],
        "created": call.state.now, "customer": customer, "customer_account": null,
        "flow": null, "livemode": false,
        "locale": null, "on_behalf_of": null, "return_url": back, "url": url,
    });
    let account = call.account.clone();
    call.state.put(&account, "billing_portal.session", session.clone());
    call.state.emit(&account, "billing_portal.session.created", &session);
    Ok(session)
}

fn default(call: &mut Call) -> Value {
    let all = call.state.all(&call.account, KIND);
    if let Some(known) = all.into_iter().find(|known| known.flag("is_default")) {
        return known;
    }
    let made = blank(call, true);
    let account = call.account.clone();
    call.state.put(&account, KIND, made.clone());
    made
}

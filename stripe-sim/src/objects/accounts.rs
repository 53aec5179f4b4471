//! Those who sell through the platform.

use serde_json::{Value, json};

use crate::call::{Call, Outcome};
use crate::lists;
use crate::objects::customers;
use crate::refusal::Refusal;
use crate::sim::Sim;
use crate::state::{PLATFORM, State};
use crate::value::{Read, list_of, merge_metadata};

/// The platform's own account, made when it is first asked for.
pub(crate) fn own(call: &mut Call) -> Outcome {
    call.done()?;
    if let Some(account) = call.state.look(PLATFORM, "account", &call.account) {
        return Ok(account.clone());
    }
    let mut account = blank(call.state, PLATFORM, "US");
    account["type"] = json!("standard");
    enable(&mut account);
    call.state.put(PLATFORM, "account", account.clone());
    Ok(account)
}

pub(crate) fn create(call: &mut Call) -> Outcome {
    let country = call.take_text("country").unwrap_or_else(|| "US".to_owned());
    let (kind, controller) = (call.take_text("type"), call.take("controller"));
    let id = call.state.id("acct");
    let mut account = blank(call.state, &id, &country);
    if let Some(controller) = controller {
        account["type"] = json!("none");
        account["controller"] = of_controller(&controller);
    } else {
        let kind = kind.unwrap_or_else(|| "standard".to_owned());
        account["controller"] = of_kind(&kind);
        account["type"] = json!(kind);
    }
    write(call, &mut account)?;
    account["metadata"] = call.metadata();
    call.done()?;
    if call.account != PLATFORM {
        return Err(Refusal::not_simulated("an account that another connected account makes"));
    }
    call.state.put(PLATFORM, "account", account.clone());
    call.state.emit(&id, "account.updated", &account);
    Ok(account)
}

fn of_controller(given: &Value) -> Value {
    let text = |name: &str, inner: &str, default: &str| {
        given[name].maybe(inner).unwrap_or_else(|| default.to_owned())
    };
    let collection = given.maybe("requirement_collection").unwrap_or_else(|| "stripe".to_owned());
    json!({
        "fees": { "payer": text("fees", "payer", "account") },
        "is_controller": true,
        "losses": { "payments": text("losses", "payments", "stripe") },
        "requirement_collection": collection,
        "stripe_dashboard": { "type": text("stripe_dashboard", "type", "full") },
        "type": "application",
    })
}

fn of_kind(kind: &str) -> Value {
    let (payer, losses, collection, dashboard) = match kind {
        "express" => ("application_express", "application", "stripe", "express"),
        "custom" => ("application_custom", "application", "application", "none"),
        _ => ("account", "stripe", "stripe", "full"),
    };
    json!({
        "fees": { "payer": payer }, "is_controller": true, "losses": { "payments": losses },
        "requirement_collection": collection, "stripe_dashboard": { "type": dashboard },
        "type": "application",
    })
}

fn blank(state: &State, id: &str, country: &str) -> Value {
    let missing = ["business_profile.url", "external_account", "tos_acceptance.date"];
    let requirements = |missing: &[&str]| {
        json!({
            "alternatives": [], "current_deadline": null, "currently_due": missing,
            "disabled_reason": (!missing.is_empty()).then_some("requirements.past_due"),
            "errors": [], "eventually_due": missing, "past_due": missing,
            "pending_verification": [],
        })
    };
    json!({
        "id": id, "object": "account",
        "business_profile": {
            "annual_revenue": null, "estimated_worker_count": null, "mcc": null, "name": null,
            "product_description": null, "support_address": null, "support_email": null,
            "support_phone": null, "support_url": null, "url": null,
        },
        "business_type": null, "capabilities": {}, "charges_enabled": false, "country": country,
        "created": state.now, "default_currency": "usd", "details_submitted": false,
        "email": null,
        "external_accounts": list_of(&[], &format!("/v1/accounts/{id}/external_accounts")),
        "future_requirements": requirements(&[]), "metadata": {}, "payouts_enabled": false,
        "requirements": requirements(&missing),
        "settings": {
            "branding": {
                "icon": null, "logo": null, "primary_color": null, "secondary_color": null,
            },
            "card_payments": {
                "decline_on": { "avs_failure": false, "cvc_failure": false },
                "statement_descriptor_prefix": null,
                "statement_descriptor_prefix_kana": null,
                "statement_descriptor_prefix_kanji": null,
            },
            "dashboard": { "display_name": null, "timezone": "Etc/UTC" },
            "payments": {
                "statement_descriptor": null, "statement_descriptor_kana": null,
                "statement_descriptor_kanji": null,
            },
            "payouts": {
                "debit_negative_balances": false,
                "schedule": { "delay_days": 2, "interval": "manual" },
                "statement_descriptor": null,
            },
        },
        "tos_acceptance": { "date": null, "ip": null, "user_agent": null }, "type": "standard",
    })
}

fn write(call: &mut Call, account: &mut Value) -> Result<(), Refusal> {
    for name in ["email", "business_type"] {
        if let Some(value) = call.take(name) {
            account[name] = value;
        }
    }
    if let Some(currency) = call.take_text("default_currency") {
        account["default_currency"] = json!(currency);
    }
    let profile = call.take("business_profile").unwrap_or_default();
    for (name, value) in profile.as_object().into_iter().flatten() {
        let is_address = name == "support_address";
        account["business_profile"][name] =
            if is_address { customers::address(value) } else { value.clone() };
    }
    let is_enabled = account.flag("charges_enabled");
    let capabilities = call.take("capabilities").unwrap_or_default();
    for (name, wanted) in capabilities.as_object().into_iter().flatten() {
        if wanted.flag("requested") {
            let state = if is_enabled { "active" } else { "inactive" };
            account["capabilities"][name] = json!(state);
        }
    }
    let settings = call.take("settings").unwrap_or_default();
    for (group, given) in settings.as_object().into_iter().flatten() {
        let known = &mut account["settings"][group];
        for (name, value) in given.as_object().into_iter().flatten() {
            match (group.as_str(), name.as_str()) {
                ("payouts", "schedule") => {
                    for (name, value) in value.as_object().into_iter().flatten() {
                        if !["interval", "delay_days"].contains(&name.as_str()) {
                            let what = format!("settings[payouts][schedule][{name}]");
                            return Err(Refusal::not_simulated(&what));
                        }
                        known["schedule"][name] = value.clone();
                    }
                }
                ("payouts" | "payments" | "branding" | "dashboard", name) => {
                    known[name] = value.clone();
                }
                ("card_payments", "statement_descriptor_prefix") => known[name] = value.clone(),
                _ => return Err(Refusal::not_simulated(&format!("settings[{group}][{name}]"))),
            }
        }
    }
    Ok(())
}

/// Everything that was missing is there.
fn enable(account: &mut Value) {
    account["details_submitted"] = json!(true);
    account["charges_enabled"] = json!(true);
    account["payouts_enabled"] = json!(true);
    for list in ["currently_due", "eventually_due", "past_due"] {
        account["requirements"][list] = json!([]);
    }
    account["requirements"]["disabled_reason"] = Value::Null;
    for (_, state) in account["capabilities"].as_object_mut().into_iter().flatten() {
        *state = json!("active");
    }
}

pub(crate) fn update(call: &mut Call) -> Outcome {
    let mut account = call.object("account", "account")?;
    let before = account.clone();
    write(call, &mut account)?;
    if let Some(given) = call.take("metadata") {
        merge_metadata(&mut account["metadata"], &given);
    }
    call.done()?;
    call.state.put(PLATFORM, "account", account.clone());
    call.state.emit_change(account.text("id"), "account.updated", &before, &account);
    Ok(account)
}

pub(crate) fn delete(call: &mut Call) -> Outcome {
    call.done()?;
    let account = call.object("account", "account")?;
    let id = account.text("id");
    let now = call.state.now;
    let balance = call.state.of(id).balance(now);
    let lists = [&balance["available"], &balance["pending"]];
    let mut amounts = lists.into_iter().filter_map(Value::as_array).flatten();
    if amounts.any(|amount| amount.int("amount") != 0) {
        let message = "This account has a balance that is not zero, and cannot be deleted.";
        return Err(Refusal::invalid(message));
    }
    call.state.of(PLATFORM).shelf_mut("account").remove(id);
    Ok(json!({ "id": id, "object": "account", "deleted": true }))
}

/// All but the platform's own.
pub(crate) fn list(call: &mut Call) -> Outcome {
    let mut found = call.state.all(PLATFORM, "account");
    found.retain(|account| account.text("id") != PLATFORM);
    found.reverse();
    lists::page(call, &found, "account")
}

pub(crate) fn link(call: &mut Call) -> Outcome {
    let account = call.take_text("account").unwrap_or_default();
    let (kind, back) = (call.take_text("type"), call.take_text("return_url"));
    let again = call.take_text("refresh_url");
    call.take("collection_options");
    call.done()?;
    call.state.get(PLATFORM, "account", &account, "account")?;
    if back.is_none() || again.is_none() {
        let message = "You must provide a return_url and a refresh_url.";
        return Err(Refusal::invalid(message).code("parameter_missing").param("return_url"));
    }
    let token = call.state.id("alink");
    let now = call.state.now;
    let link = json!({
        "id": token, "account": account, "return_url": back, "refresh_url": again,
        "expires_at": now + 300, "type": kind,
    });
    call.state.put(PLATFORM, "_link", link);
    let url = format!("{}/onboarding/{token}", call.state.settings.pages);
    Ok(json!({ "object": "account_link", "created": now, "expires_at": now + 300, "url": url }))
}

impl Sim {
    /// An account tells all that it is asked for, as a person would on the pages of its link.
    pub fn onboard(&self, account: &str) {
        let mut state = self.lock();
        let Some(before) = state.look(PLATFORM, "account", account).cloned() else { return };
        let after = state.change(PLATFORM, "account", account, enable);
        state.emit_change(account, "account.updated", &before, &after);
    }
}

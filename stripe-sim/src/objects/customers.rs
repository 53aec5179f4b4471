//! Who pays.

use serde_json::{Value, json};

use crate::call::{Call, Outcome};
use crate::lists;
use crate::objects::payment_methods;
use crate::refusal::Refusal;
use crate::value::Read;

const FIELDS: [&str; 6] =
    ["name", "email", "description", "phone", "preferred_locales", "tax_exempt"];

pub(crate) fn create(call: &mut Call) -> Outcome {
    let clock = call.take_text("test_clock");
    if let Some(clock) = &clock {
        call.state.get(&call.account, "test_helpers.test_clock", clock, "test_clock")?;
    }
    let created = match &clock {
        Some(clock) => call
            .state
            .get(&call.account, "test_helpers.test_clock", clock, "test_clock")?
            .int("frozen_time"),
        None => call.state.now,
    };
    let prefix = call.state.chance.word(8).to_uppercase();
    let mut customer = json!({
        "id": call.state.id("cus"), "object": "customer", "address": null, "balance": 0,
        "created": created, "currency": null, "default_source": null, "delinquent": false,
        "description": null, "discount": null, "email": null, "invoice_prefix": prefix,
        "invoice_settings": {
            "custom_fields": null, "default_payment_method": null, "footer": null,
            "rendering_options": null,
        },
        "livemode": false, "metadata": call.metadata(), "name": null, "next_invoice_sequence": 1,
        "phone": null, "preferred_locales": [], "shipping": null, "tax_exempt": "none",
        "test_clock": clock,
    });
    customer["balance"] = json!(call.take_int("balance").unwrap_or(0));
    write(call, &mut customer);
    let method = call.take_text("payment_method");
    let default = default_method(call);
    call.done()?;
    let id = customer.text("id").to_owned();
    let account = call.account.clone();
    call.state.put(&account, "customer", customer.clone());
    let attached = attach(call, &id, method.as_deref(), default);
    if let Err(refusal) = attached {
        call.state.of(&account).shelf_mut("customer").remove(&id);
        return Err(refusal);
    }
    let customer = call.state.get(&account, "customer", &id, "customer")?;
    call.state.emit(&account, "customer.created", &customer);
    Ok(customer)
}

fn write(call: &mut Call, customer: &mut Value) {
    for name in FIELDS {
        if let Some(value) = call.take(name) {
            customer[name] = if value == "" { Value::Null } else { value };
        }
    }
    if let Some(given) = call.take("address") {
        customer["address"] = address(&given);
    }
    if let Some(given) = call.take("shipping") {
        let address = address(&given["address"]);
        customer["shipping"] =
            json!({ "address": address, "name": given["name"], "phone": given["phone"] });
    }
}

/// An address with all of its fields.
pub(crate) fn address(given: &Value) -> Value {
    if !given.is_object() {
        return Value::Null;
    }
    let names = ["city", "country", "line1", "line2", "postal_code", "state"];
    names.iter().map(|name| ((*name).to_owned(), given[*name].clone())).collect()
}

fn default_method(call: &mut Call) -> Option<String> {
    let settings = call.take("invoice_settings")?;
    settings.maybe("default_payment_method")
}

fn attach(
    call: &mut Call,
    customer: &str,
    method: Option<&str>,
    default: Option<String>,
) -> Result<(), Refusal> {
    let mut attached = None;
    if let Some(method) = method {
        attached = Some(payment_methods::attach_to(call, method, customer)?.text("id").to_owned());
    }
    let Some(mut default) = default else { return Ok(()) };
    // The same test token twice in a request is the same card.
    if Some(default.as_str()) == method {
        default = attached.unwrap_or(default);
    }
    let method = call.state.get(
        &call.account,
        "payment_method",
        &default,
        "invoice_settings[default_payment_method]",
    )?;
    if method.text("customer") != customer {
        let message = format!(
            "The customer does not have a payment method with the ID {default}. The payment \
             method must be attached to the customer."
        );
        let error = Refusal::invalid(message).code("resource_missing");
        return Err(error.param("invoice_settings[default_payment_method]"));
    }
    let account = call.account.clone();
    call.state.change(&account, "customer", customer, |customer| {
        customer["invoice_settings"]["default_payment_method"] = json!(default);
    });
    Ok(())
}

pub(crate) fn update(call: &mut Call) -> Outcome {
    let mut customer = call.object("customer", "customer")?;
    check_there(&customer)?;
    let before = customer.clone();
    write(call, &mut customer);
    if let Some(balance) = call.take_int("balance") {
        customer["balance"] = json!(balance);
    }
    let default = default_method(call);
    if let Some(given) = call.take("metadata") {
        crate::value::merge_metadata(&mut customer["metadata"], &given);
    }
    call.done()?;
    let (account, id) = (call.account.clone(), customer.text("id").to_owned());
    call.state.put(&account, "customer", customer);
    if let Err(refusal) = attach(call, &id, None, default) {
        call.state.put(&account, "customer", before);
        return Err(refusal);
    }
    let after = call.state.get(&account, "customer", &id, "customer")?;
    Ok(call.save("customer", &before, after))
}

/// A customer that was deleted can be looked at, and no more.
pub(crate) fn check_there(customer: &Value) -> Result<(), Refusal> {
    if customer.flag("deleted") {
        return Err(Refusal::missing("customer", customer.text("id"), "customer"));
    }
    Ok(())
}

/// What is left of it says that it is gone; its subscriptions end.
pub(crate) fn delete(call: &mut Call) -> Outcome {
    call.done()?;
    let customer = call.object("customer", "customer")?;
    check_there(&customer)?;
    let (account, id) = (call.account.clone(), customer.text("id").to_owned());
    crate::objects::subscriptions::end_all_of(call.state, &account, &id);
    let gone = json!({ "id": id, "object": "customer", "deleted": true });
    call.state.put(&account, "customer", gone.clone());
    call.state.emit(&account, "customer.deleted", &customer);
    Ok(gone)
}

pub(crate) fn payment_methods(call: &mut Call) -> Outcome {
    let customer = call.object("customer", "customer")?;
    let kind = call.take_text("type");
    let mut found = call.state.all(&call.account, "payment_method");
    found.reverse();
    found.retain(|method| {
        method.text("customer") == customer.text("id")
            && kind.as_deref().is_none_or(|kind| method.text("type") == kind)
    });
    lists::page(call, &found, "payment_method")
}

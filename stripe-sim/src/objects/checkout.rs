//! Pages on which somebody pays.

use serde_json::{Value, json};

use crate::agenda::Due;
use crate::call::{Call, Outcome};
use crate::lists;
use crate::objects::payment_intents::{self, How};
use crate::objects::{customers, lines, payment_methods, prices, subscriptions};
use crate::refusal::Refusal;
use crate::sim::Sim;
use crate::state::State;
use crate::value::{Fields, Read};

/// How long a session waits, in seconds.
const OPEN: i64 = 24 * 3_600;

pub(crate) fn create(call: &mut Call) -> Outcome {
    let mode = call.take_text("mode").unwrap_or_default();
    if !["payment", "subscription"].contains(&mode.as_str()) {
        return Err(Refusal::not_simulated("a checkout that only keeps a card"));
    }
    let customer = call.take_text("customer");
    if let Some(customer) = &customer {
        let known = call.state.get(&call.account, "customer", customer, "customer")?;
        customers::check_there(&known)?;
    }
    let email = call.take_text("customer_email");
    let now = call.state.now;
    let expires = call.take_int("expires_at").unwrap_or(now + OPEN);
    let wanted = call.take_list("line_items");
    let intent = call.take("payment_intent_data").unwrap_or_default();
    let subscription = call.take("subscription_data").unwrap_or_default();
    let urls = ["success_url", "cancel_url"].map(|name| call.or_null(name));
    let reference = call.or_null("client_reference_id");
    let metadata = call.metadata();
    call.take("payment_method_types");
    call.take("customer_creation");
    call.done()?;
    if urls[0].is_null() {
        let message = "Missing required param: success_url.";
        return Err(Refusal::invalid(message).code("parameter_missing").param("success_url"));
    }
    check_data(&intent, &subscription)?;
    let items = items(call, &wanted, &mode)?;
    let total: i64 = items.iter().map(|item| item.int("amount_total")).sum();
    let id = format!("cs_test_{}", call.state.chance.word(40));
    let url = format!("{}/c/pay/{id}", call.state.settings.pages);
    let session = json!({
        "id": id, "object": "checkout.session", "adaptive_pricing": null,
        "after_expiration": null, "allow_promotion_codes": null, "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": { "enabled": false, "liability": null, "provider": null, "status": null },
        "billing_address_collection": null, "cancel_url": urls[1],
        "client_reference_id": reference, "client_secret": null, "collected_information": null,
        "consent": null, "consent_collection": null, "created": now,
        "currency": items.first().map(|item| item["currency"].clone()),
        "currency_conversion": null, "custom_fields": [],
        "custom_text": {
            "after_submit": null, "shipping_address": null, "submit": null,
            "terms_of_service_acceptance": null,
        },
        "customer": customer, "customer_account": null, "integration_identifier": null,
        "managed_payments": null, "origin_context": null,
        "customer_creation": if mode == "payment" { json!("if_required") } else { Value::Null },
        "customer_details": null, "customer_email": email, "discounts": [],
        "expires_at": expires, "invoice": null, "invoice_creation": null, "livemode": false,
        "locale": null, "metadata": metadata, "mode": mode, "payment_intent": null,
        "payment_link": null, "payment_method_collection": "always",
        "payment_method_configuration_details": null, "payment_method_options": {},
        "payment_method_types": ["card"], "payment_status": "unpaid",
        "permissions": null, "phone_number_collection": { "enabled": false },
        "recovered_from": null, "saved_payment_method_options": null, "setup_intent": null,
        "shipping_address_collection": null, "shipping_cost": null, "shipping_options": [],
        "status": "open", "submit_type": null, "subscription": null, "success_url": urls[0],
        "total_details": { "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 },
        "ui_mode": "hosted_page", "url": url, "wallet_options": null,
        "_line_items": items, "_intent_data": intent, "_subscription_data": subscription,
    });
    let account = call.account.clone();
    call.state.put(&account, "checkout.session", session.clone());
    call.state.agenda.put(None, expires, Due::Session { account, session: id });
    Ok(session)
}

/// What is handed on is known to whoever gets it.
fn check_data(intent: &Value, subscription: &Value) -> Result<(), Refusal> {
    let known = [
        "application_fee_amount",
        "capture_method",
        "description",
        "metadata",
        "on_behalf_of",
        "receipt_email",
        "setup_future_usage",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_data",
        "transfer_group",
    ];
    let of_subscriptions = [
        "application_fee_percent",
        "description",
        "metadata",
        "on_behalf_of",
        "transfer_data",
        "trial_period_days",
    ];
    let groups = [
        ("payment_intent_data", intent, &known[..]),
        ("subscription_data", subscription, &of_subscriptions[..]),
    ];
    for (group, given, known) in groups {
        for name in given.as_object().into_iter().flat_map(Fields::keys) {
            if !known.contains(&name.as_str()) {
                return Err(Refusal::not_simulated(&format!("{group}[{name}]")));
            }
        }
    }
    Ok(())
}

fn items(call: &mut Call, wanted: &[Value], mode: &str) -> Result<Vec<Value>, Refusal> {
    let mut out = Vec::new();
    for (place, given) in wanted.iter().enumerate() {
        let price = match given.maybe("price") {
            Some(price) => {
                let param = format!("line_items[{place}][price]");
                call.state.get(&call.account, "price", &price, &param)?
            }
            None => prices::from(call, &given["price_data"])?,
        };
        if mode == "payment" && !price["recurring"].is_null() {
            let message = "You must provide only one-time prices in `payment` mode.";
            return Err(Refusal::invalid(message).param("line_items"));
        }
        let quantity = given["quantity"].as_i64().unwrap_or(1);
        let is_metered = price["recurring"].text("usage_type") == "metered";
        let amount = if is_metered { 0 } else { lines::amount(&price, quantity) };
        let product = call.state.look(&call.account, "product", price.text("product"));
        let name = product.map(|product| product["name"].clone()).unwrap_or_default();
        out.push(json!({
            "id": call.state.id("li"), "object": "item", "amount_discount": 0,
            "amount_subtotal": amount, "amount_tax": 0, "amount_total": amount,
            "currency": price["currency"], "description": name, "price": price,
            "quantity": quantity,
        }));
    }
    if out.is_empty() {
        let message = "Missing required param: line_items.";
        return Err(Refusal::invalid(message).code("parameter_missing").param("line_items"));
    }
    Ok(out)
}

pub(crate) fn line_items(call: &mut Call) -> Outcome {
    let session = call.object("checkout.session", "session")?;
    let found = session["_line_items"].as_array().cloned().unwrap_or_default();
    lists::page(call, &found, "item")
}

pub(crate) fn expire(call: &mut Call) -> Outcome {
    call.done()?;
    let session = call.object("checkout.session", "session")?;
    if session.text("status") != "open" {
        let message = "Only Checkout Sessions with a status in [\"open\"] can be expired.";
        return Err(Refusal::invalid(message));
    }
    let account = call.account.clone();
    let id = session.text("id");
    close(call.state, &account, id);
    call.state.get(&account, "checkout.session", id, "session")
}

/// Nobody paid.
pub(crate) fn close(state: &mut State, account: &str, id: &str) {
    let is_open = |session: &Value| session.text("status") == "open";
    if !state.look(account, "checkout.session", id).is_some_and(is_open) {
        return;
    }
    let session = state.change(account, "checkout.session", id, |session| {
        session["status"] = json!("expired");
        session["url"] = Value::Null;
    });
    state.emit(account, "checkout.session.expired", &session);
}

/// What a person wrote on the page.
pub(crate) struct Written {
    pub(crate) number: String,
    pub(crate) email: String,
    pub(crate) name: String,
}

/// What a page shows when the card said no.
pub(crate) struct Declined(pub(crate) String);

impl Sim {
    /// The session of a page, and whose it is.
    pub(crate) fn session(&self, id: &str) -> Option<(String, Value)> {
        let state = self.lock();
        state.books.iter().find_map(|(account, books)| {
            Some((account.clone(), books.get("checkout.session", id)?.clone()))
        })
    }

    /// Somebody pays on the page of a session; where they go from there.
    pub(crate) fn check_out(&self, id: &str, written: &Written) -> Result<String, Declined> {
        let gone = || Declined("This page is not open any more.".to_owned());
        let (account, session) = self.session(id).ok_or_else(gone)?;
        if session.text("status") != "open" {
            return Err(gone());
        }
        let mut state = self.lock();
        let mut call = Call::new(&mut state, &account, "", Vec::new(), Fields::new());
        pay(&mut call, &session, written).map_err(|refusal| {
            let error = refusal.error();
            Declined(error.text("message").to_owned())
        })
    }
}

fn pay(call: &mut Call, session: &Value, written: &Written) -> Result<String, Refusal> {
    let account = call.account.clone();
    let billing = json!({ "email": written.email, "name": written.name });
    let method = payment_methods::from_number(call, &written.number, &billing);
    let method = method.ok_or_else(|| Refusal::invalid("This is no test card's number."))?;
    let customer = customer(call, session, written)?;
    let after = if session.text("mode") == "subscription" {
        let customer = customer.unwrap_or_default();
        subscribe(call, session, &customer, &method)?
    } else {
        once(call, session, customer.as_deref(), &method)?
    };
    let id = session.text("id");
    let session = call.state.change(&account, "checkout.session", id, |session| {
        for (name, value) in after.as_object().into_iter().flatten() {
            session[name] = value.clone();
        }
        session["status"] = json!("complete");
        session["payment_status"] = json!("paid");
        session["url"] = Value::Null;
        session["customer_details"] = json!({
            "address": null, "email": written.email, "name": written.name, "phone": null,
            "tax_exempt": "none", "tax_ids": [],
        });
    });
    call.state.emit(&account, "checkout.session.completed", &session);
    Ok(session.text("success_url").replace("{CHECKOUT_SESSION_ID}", id))
}

/// Who pays: who was named, or for a subscription somebody new.
fn customer(
    call: &mut Call,
    session: &Value,
    written: &Written,
) -> Result<Option<String>, Refusal> {
    if let Some(customer) = session.maybe("customer") {
        return Ok(Some(customer));
    }
    if session.text("mode") == "payment" {
        return Ok(None);
    }
    let given = json!({ "email": written.email, "name": written.name });
    let given = crate::value::fields(given);
    let mut inner = Call::new(call.state, &call.account, "", Vec::new(), given);
    Ok(Some(customers::create(&mut inner)?.text("id").to_owned()))
}

fn once(call: &mut Call, session: &Value, customer: Option<&str>, method: &Value) -> Outcome {
    let account = call.account.clone();
    let mut intent = if let Some(intent) = session.maybe("payment_intent") {
        call.state.get(&account, "payment_intent", &intent, "session")?
    } else {
        let total = session.int("amount_total");
        payment_intents::blank(call.state, total, session.text("currency"))
    };
    for (name, value) in session["_intent_data"].as_object().into_iter().flatten() {
        intent[name] = value.clone();
    }
    intent["customer"] = json!(customer);
    intent["payment_method"] = method["id"].clone();
    call.state.put(&account, "payment_intent", intent.clone());
    call.state.change(&account, "checkout.session", session.text("id"), |session| {
        session["payment_intent"] = intent["id"].clone();
    });
    // Its holder is at the page, and says here that it is them.
    intent["_authenticated"] = json!(true);
    let paid = payment_intents::confirmed(call.state, &account, intent, &How::default())?;
    Ok(json!({ "payment_intent": paid["id"], "customer": customer }))
}

fn subscribe(call: &mut Call, session: &Value, customer: &str, method: &Value) -> Outcome {
    payment_methods::attach_to(call, method.text("id"), customer)?;
    let items = session["_line_items"].as_array().cloned().unwrap_or_default();
    let item = |item: &Value| {
        let mut given = json!({ "price": item["price"]["id"] });
        if item["price"]["recurring"].text("usage_type") != "metered" {
            given["quantity"] = item["quantity"].clone();
        }
        given
    };
    if items.iter().any(|item| item["price"]["recurring"].is_null()) {
        return Err(Refusal::not_simulated("a one-time price beside a subscription"));
    }
    let mut given = json!({
        "customer": customer, "items": items.iter().map(item).collect::<Vec<_>>(),
        "default_payment_method": method["id"], "payment_behavior": "error_if_incomplete",
    });
    for (name, value) in session["_subscription_data"].as_object().into_iter().flatten() {
        given[name] = value.clone();
    }
    let given = crate::value::fields(given);
    let mut inner = Call::new(call.state, &call.account, "", Vec::new(), given);
    let made = subscriptions::create(&mut inner)?;
    Ok(json!({
        "subscription": made["id"], "customer": customer, "invoice": made["latest_invoice"],
    }))
}

//! What is used, counted by Stripe.

use serde_json::{Value, json};

use crate::call::{Call, Outcome};
use crate::refusal::Refusal;
use crate::state::State;
use crate::value::{Read, list_of};

/// How old what is told may be, how far ahead, and how long an identifier is known; in seconds.
const PAST: i64 = 35 * 86_400;
const AHEAD: i64 = 300;
const KNOWN: i64 = 24 * 3_600;

pub(crate) fn create(call: &mut Call) -> Outcome {
    let now = call.state.now;
    let (name, event) = (call.or_null("display_name"), call.or_null("event_name"));
    let formula = call.take("default_aggregation").unwrap_or_default();
    let mapping = call
        .take("customer_mapping")
        .unwrap_or_else(|| json!({ "event_payload_key": "stripe_customer_id", "type": "by_id" }));
    let value = call.take("value_settings");
    let value = value.unwrap_or_else(|| json!({ "event_payload_key": "value" }));
    let window = call.or_null("event_time_window");
    call.done()?;
    let is_taken = |meter: &Value| meter["event_name"] == event && meter.text("status") == "active";
    if call.state.all(&call.account, "billing.meter").iter().any(is_taken) {
        let message = "A meter with this event name is active already.";
        return Err(Refusal::invalid(message).param("event_name"));
    }
    let meter = json!({
        "id": call.state.id("mtr"), "object": "billing.meter", "created": now,
        "customer_mapping": mapping, "default_aggregation": formula, "display_name": name,
        "event_name": event, "event_time_window": window, "livemode": false, "status": "active",
        "status_transitions": { "deactivated_at": null }, "updated": now,
        "value_settings": value,
    });
    Ok(call.create("billing.meter", meter))
}

pub(crate) fn update(call: &mut Call) -> Outcome {
    let mut meter = call.object("billing.meter", "id")?;
    meter["updated"] = json!(call.state.now);
    call.update("billing.meter", meter, &["display_name"])
}

pub(crate) fn deactivate(call: &mut Call) -> Outcome {
    switch(call, "inactive")
}

pub(crate) fn reactivate(call: &mut Call) -> Outcome {
    switch(call, "active")
}

fn switch(call: &mut Call, status: &str) -> Outcome {
    call.done()?;
    let before = call.object("billing.meter", "id")?;
    let mut meter = before.clone();
    let since = (status == "inactive").then_some(call.state.now);
    meter["status"] = json!(status);
    meter["status_transitions"]["deactivated_at"] = json!(since);
    Ok(call.save("billing.meter", &before, meter))
}

pub(crate) fn event(call: &mut Call) -> Outcome {
    let name = call.take_text("event_name").unwrap_or_default();
    let payload = call.take("payload").unwrap_or_default();
    let identifier = call.take_text("identifier").unwrap_or_else(|| call.state.id("mev"));
    let now = call.state.now;
    let at = call.take_int("timestamp").unwrap_or(now);
    call.done()?;
    let meters = call.state.all(&call.account, "billing.meter");
    let meter =
        meters.iter().find(|m| m.text("event_name") == name && m.text("status") == "active");
    let Some(meter) = meter else {
        let message = format!("No active meter found with event name: {name}");
        return Err(Refusal::invalid(message).code("resource_missing").param("event_name"));
    };
    let time = call.state.time_of(&call.account, customer_of(meter, &payload));
    if at < time - PAST || at > time.max(now) + AHEAD {
        let message = "The timestamp must be within the past 35 days or up to 5 minutes ahead.";
        return Err(Refusal::invalid(message).code("timestamp_invalid").param("timestamp"));
    }
    let value = payload.text(meter["value_settings"].text("event_payload_key"));
    if meter["default_aggregation"].text("formula") != "count" && value.parse::<f64>().is_err() {
        let message = format!("The payload's value is no number: {value:?}");
        return Err(Refusal::invalid(message).code("meter_event_invalid_value").param("payload"));
    }
    let known = call.state.look(&call.account, "billing.meter_event", &identifier);
    if known.is_some_and(|known| now - known.int("created") < KNOWN) {
        let message = format!("An event already exists with identifier {identifier}.");
        return Err(Refusal::invalid(message).param("identifier"));
    }
    let event = json!({
        "object": "billing.meter_event", "created": now, "event_name": name,
        "identifier": identifier, "livemode": false, "payload": payload, "timestamp": at,
    });
    let mut kept = event.clone();
    // One that is told again after a day counts again.
    let again = known_before(call.state, &call.account, &identifier);
    kept["id"] = json!(identifier);
    if let Some(before) = again {
        let mut before = before;
        before["id"] = json!(call.state.id("mev"));
        let account = call.account.clone();
        call.state.put(&account, "billing.meter_event", before);
    }
    let account = call.account.clone();
    call.state.put(&account, "billing.meter_event", kept);
    Ok(event)
}

fn known_before(state: &State, account: &str, identifier: &str) -> Option<Value> {
    state.look(account, "billing.meter_event", identifier).cloned()
}

fn customer_of<'a>(meter: &Value, payload: &'a Value) -> &'a str {
    payload.text(meter["customer_mapping"].text("event_payload_key"))
}

/// What a customer used in a period, by the meter's own formula, in whole numbers.
pub(crate) fn used(
    state: &State,
    account: &str,
    meter: &str,
    customer: &str,
    period: (i64, i64),
) -> i64 {
    let Some(meter) = state.look(account, "billing.meter", meter) else { return 0 };
    let events = state.all(account, "billing.meter_event");
    let key = meter["value_settings"].text("event_payload_key");
    let values: Vec<f64> = events
        .iter()
        .filter(|event| {
            event["event_name"] == meter["event_name"]
                && customer_of(meter, &event["payload"]) == customer
                && (period.0..period.1).contains(&event.int("timestamp"))
        })
        .map(|event| event["payload"].text(key).parse().unwrap_or_default())
        .collect();
    let used: f64 = match meter["default_aggregation"].text("formula") {
        "count" => return i64::try_from(values.len()).unwrap_or(i64::MAX),
        "last" => values.last().copied().unwrap_or_default(),
        _ => values.iter().sum(),
    };
    #[expect(clippy::cast_possible_truncation, reason = "too much saturates")]
    let whole = used.round() as i64;
    whole
}

pub(crate) fn summaries(call: &mut Call) -> Outcome {
    let meter = call.object("billing.meter", "id")?;
    let customer = call.take_text("customer").unwrap_or_default();
    let (start, end) = (call.take_int("start_time"), call.take_int("end_time"));
    call.take("limit");
    call.done()?;
    let (start, end) = (start.unwrap_or_default(), end.unwrap_or_default());
    let used = used(call.state, &call.account, meter.text("id"), &customer, (start, end));
    let summary = json!({
        "id": call.state.id("mtrsum"), "object": "billing.meter_event_summary",
        "aggregated_value": used, "end_time": end, "livemode": false, "meter": meter["id"],
        "start_time": start,
    });
    Ok(list_of(&[summary], &call.url))
}

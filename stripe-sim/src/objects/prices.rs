//! What it costs.

use serde_json::{Value, json};

use crate::call::{Call, Outcome};
use crate::lists;
use crate::refusal::Refusal;
use crate::value::{Fields, Read};

pub(crate) fn create(call: &mut Call) -> Outcome {
    let data = json!({
        "currency": call.take_text("currency"), "product": call.take_text("product"),
        "product_data": call.take("product_data"), "unit_amount": call.take("unit_amount"),
        "unit_amount_decimal": call.take("unit_amount_decimal"),
        "recurring": call.take("recurring"), "tax_behavior": call.take("tax_behavior"),
        "nickname": call.take("nickname"), "lookup_key": call.take("lookup_key"),
        "billing_scheme": call.take("billing_scheme"), "tiers": call.take("tiers"),
        "tiers_mode": call.take("tiers_mode"), "active": call.take("active"),
        "metadata": call.metadata(),
    });
    call.done()?;
    from(call, &data)
}

/// Makes a price of what a request has, `price_data` among others.
pub(crate) fn from(call: &mut Call, data: &Value) -> Outcome {
    let product = match (&data["product"], &data["product_data"]) {
        (Value::String(id), _) => {
            call.state.get(&call.account, "product", id, "product")?.text("id").to_owned()
        }
        (_, Value::Object(product)) => of_data(call, product),
        _ => {
            let message = "You must specify one of `product` or `product_data`.";
            return Err(Refusal::invalid(message).param("product"));
        }
    };
    let is_tiered = data.text("billing_scheme") == "tiered";
    let amount = amount(data)?;
    if amount.is_none() && data["unit_amount_decimal"].is_null() && !is_tiered {
        let message = "Must provide unit_amount or unit_amount_decimal.";
        return Err(Refusal::invalid(message).code("parameter_missing").param("unit_amount"));
    }
    let recurring = recurring(&data["recurring"]);
    let now = call.state.now;
    let decimal = data.maybe("unit_amount_decimal").or(amount.map(|amount| amount.to_string()));
    let text = |name: &str, default: &str| data.maybe(name).unwrap_or_else(|| default.to_owned());
    let price = json!({
        "id": call.state.id("price"), "object": "price",
        "active": data["active"].as_bool().unwrap_or(true),
        "billing_scheme": text("billing_scheme", "per_unit"),
        "created": now, "currency": data["currency"], "custom_unit_amount": null,
        "livemode": false, "lookup_key": data["lookup_key"],
        "metadata": if data["metadata"].is_object() { data["metadata"].clone() } else { json!({}) },
        "nickname": data["nickname"], "product": product, "recurring": recurring,
        "tax_behavior": text("tax_behavior", "unspecified"),
        "tiers_mode": data["tiers_mode"], "transform_quantity": null,
        "type": if recurring.is_null() { "one_time" } else { "recurring" },
        "unit_amount": amount, "unit_amount_decimal": decimal,
        "_tiers": tiers(&data["tiers"]),
    });
    Ok(call.create("price", price))
}

fn of_data(call: &mut Call, data: &Fields) -> String {
    let now = call.state.now;
    let mut product = json!({
        "id": call.state.id("prod"), "object": "product", "active": true, "created": now,
        "default_price": null, "description": null, "images": [], "livemode": false,
        "marketing_features": [], "metadata": {}, "name": null, "package_dimensions": null,
        "shippable": null, "statement_descriptor": null, "tax_code": null,
        "unit_label": null, "updated": now, "url": null,
    });
    for (name, value) in data {
        product[name] = value.clone();
    }
    call.create("product", product).text("id").to_owned()
}

/// Whole minor units, or none where the price has a part of one.
fn amount(data: &Value) -> Result<Option<i64>, Refusal> {
    if let Some(amount) = data["unit_amount"].as_i64() {
        return Ok(Some(amount));
    }
    let Some(decimal) = data.maybe("unit_amount_decimal") else { return Ok(None) };
    let is_number = decimal.chars().all(|c| c.is_ascii_digit() || c == '.');
    if !is_number || decimal.matches('.').count() > 1 {
        let message = format!("Invalid decimal: {decimal}");
        return Err(Refusal::invalid(message).param("unit_amount_decimal"));
    }
    Ok(decimal.parse().ok())
}

fn recurring(given: &Value) -> Value {
    if given.is_null() {
        return Value::Null;
    }
    let meter = given["meter"].clone();
    let usage = given.maybe("usage_type").unwrap_or_else(|| "licensed".to_owned());
    json!({
        "interval": given["interval"], "meter": meter,
        "interval_count": given["interval_count"].as_i64().unwrap_or(1), "usage_type": usage,
    })
}

fn tiers(given: &Value) -> Value {
    let tier = |tier: &Value| {
        let decimal = |name: &str| {
            let whole = tier[name].as_i64().map(|amount| amount.to_string());
            tier.maybe(&format!("{name}_decimal")).or(whole)
        };
        json!({
            "flat_amount": tier["flat_amount"], "flat_amount_decimal": decimal("flat_amount"),
            "unit_amount": tier["unit_amount"], "unit_amount_decimal": decimal("unit_amount"),
            "up_to": tier["up_to"].as_i64(),
        })
    };
    given.as_array().map(|tiers| tiers.iter().map(tier).collect()).unwrap_or_default()
}

pub(crate) fn list(call: &mut Call) -> Outcome {
    let keys = call.take_list("lookup_keys");
    if keys.is_empty() {
        return lists::list(call, "price", &["active", "currency", "product", "type"]);
    }
    let mut found = call.state.all(&call.account, "price");
    found.retain(|price| keys.contains(&price["lookup_key"]));
    found.reverse();
    lists::page(call, &found, "price")
}

pub(crate) fn update(call: &mut Call) -> Outcome {
    let price = call.object("price", "price")?;
    call.update("price", price, &["active", "nickname", "lookup_key", "tax_behavior"])
}

//! What stands on an invoice, line by line, and what a price comes to.

use jiff::{Span, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use crate::state::State;
use crate::value::Read;

/// A line before it has an id.
pub(crate) struct Line<'a> {
    pub(crate) amount: i64,
    pub(crate) currency: &'a str,
    pub(crate) description: Option<String>,
    pub(crate) period: (i64, i64),
    pub(crate) price: Option<&'a Value>,
    pub(crate) quantity: Option<i64>,
    pub(crate) parent: Value,
    pub(crate) subscription: Option<&'a str>,
    pub(crate) metadata: Value,
}

pub(crate) fn make(state: &mut State, line: &Line) -> Value {
    let pricing = line.price.map(pricing);
    json!({
        "id": state.id("il"), "object": "line_item", "amount": line.amount,
        "currency": line.currency, "description": line.description, "discount_amounts": [],
        "discountable": true, "discounts": [], "invoice": null, "livemode": false,
        "metadata": line.metadata, "parent": line.parent,
        "period": { "start": line.period.0, "end": line.period.1 },
        "pretax_credit_amounts": [], "pricing": pricing, "quantity": line.quantity,
        "quantity_decimal": line.quantity.map(|quantity| quantity.to_string()),
        "subscription": line.subscription, "subtotal": line.amount, "taxes": [],
    })
}

pub(crate) fn pricing(price: &Value) -> Value {
    json!({
        "price_details": { "price": price["id"], "product": price["product"] },
        "type": "price_details", "unit_amount_decimal": price["unit_amount_decimal"],
    })
}

/// The line of an item of a subscription for a period.
pub(crate) fn of_item(
    state: &mut State,
    account: &str,
    item: &Value,
    quantity: i64,
    period: (i64, i64),
) -> Value {
    let price = &item["price"];
    let name = product_name(state, account, price);
    let every = price["recurring"].text("interval");
    let line = Line {
        amount: amount(price, quantity),
        currency: price.text("currency"),
        description: Some(format!("{quantity} × {name} (each {every})")),
        period,
        price: Some(price),
        quantity: Some(quantity),
        parent: parent_of(item, false),
        subscription: Some(item.text("subscription")),
        metadata: item["metadata"].clone(),
    };
    make(state, &line)
}

/// What the product of a price is called.
pub(crate) fn product_name(state: &State, account: &str, price: &Value) -> String {
    let product = state.look(account, "product", price.text("product"));
    product.map(|product| product.text("name").to_owned()).unwrap_or_default()
}

/// What a line says of the item of a subscription that it is of.
pub(crate) fn parent_of(item: &Value, is_proration: bool) -> Value {
    json!({
        "invoice_item_details": null,
        "subscription_item_details": {
            "invoice_item": null, "proration": is_proration,
            "proration_details": { "credited_items": null },
            "subscription": item.text("subscription"), "subscription_item": item["id"],
        },
        "type": "subscription_item_details",
    })
}

/// What a quantity costs, in whole minor units; half of one is one.
pub(crate) fn amount(price: &Value, quantity: i64) -> i64 {
    let quantity_wide = i128::from(quantity);
    if price.text("billing_scheme") != "tiered" {
        return rounded(billionths(price.text("unit_amount_decimal")) * quantity_wide);
    }
    let tiers = price["_tiers"].as_array().cloned().unwrap_or_default();
    let is_graduated = price.text("tiers_mode") == "graduated";
    let (mut sum, mut from) = (0, 0);
    for tier in &tiers {
        let to = tier["up_to"].as_i64().unwrap_or(i64::MAX);
        let (each, flat) = (
            billionths(tier.text("unit_amount_decimal")),
            billionths(tier.text("flat_amount_decimal")),
        );
        if is_graduated {
            let within = quantity.min(to) - from;
            if within > 0 || (from == 0 && quantity == 0) {
                sum += each * i128::from(within.max(0)) + flat;
            }
            from = to;
        } else if quantity <= to {
            sum = each * quantity_wide + flat;
        }
        if quantity <= to {
            break;
        }
    }
    rounded(sum)
}

/// A decimal in billionths; it was checked when the price was made.
fn billionths(decimal: &str) -> i128 {
    let (whole, part) = decimal.split_once('.').unwrap_or((decimal, ""));
    let part: String = part.chars().chain("000000000".chars()).take(9).collect();
    let number = |text: &str| text.parse::<i128>().unwrap_or_default();
    number(whole) * 1_000_000_000 + number(&part)
}

fn rounded(billionths: i128) -> i64 {
    i64::try_from((billionths + 500_000_000).div_euclid(1_000_000_000)).unwrap_or(i64::MAX)
}

/// The end of so many periods since an anchor. From the anchor each time, so that a 31st comes
/// back after a February.
pub(crate) fn end_of(anchor: i64, recurring: &Value, periods: i64) -> i64 {
    let count = recurring.int("interval_count").max(1) * periods;
    let span = match recurring.text("interval") {
        "day" => Span::new().try_days(count),
        "week" => Span::new().try_weeks(count),
        "year" => Span::new().try_years(count),
        _ => Span::new().try_months(count),
    };
    let end = || {
        let anchor = Timestamp::from_second(anchor).ok()?.to_zoned(TimeZone::UTC);
        Some(anchor.checked_add(span.ok()?).ok()?.timestamp().as_second())
    };
    end().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_31st_comes_back_after_a_february() {
        let month = json!({ "interval": "month", "interval_count": 1 });
        let anchor = 1_706_659_200; // 2024-01-31
        let ends: Vec<String> = (1..4)
            .map(|n| Timestamp::from_second(end_of(anchor, &month, n)).unwrap().to_string())
            .collect();
        assert_eq!(ends, ["2024-02-29T00:00:00Z", "2024-03-31T00:00:00Z", "2024-04-30T00:00:00Z"]);
    }

    #[test]
    fn parts_of_a_cent_are_rounded_once() {
        let price = json!({ "unit_amount_decimal": "0.5", "billing_scheme": "per_unit" });
        assert_eq!([1, 2, 3].map(|quantity| amount(&price, quantity)), [1, 1, 2]);
    }

    #[test]
    fn tiers_add_up_or_one_counts_for_all() {
        let tiers = json!([
            { "up_to": 10, "unit_amount_decimal": "100", "flat_amount_decimal": null },
            { "up_to": null, "unit_amount_decimal": "50", "flat_amount_decimal": "5" },
        ]);
        let price =
            |mode: &str| json!({ "billing_scheme": "tiered", "tiers_mode": mode, "_tiers": tiers });
        assert_eq!([10, 12].map(|n| amount(&price("graduated"), n)), [1_000, 1_105]);
        assert_eq!([10, 12].map(|n| amount(&price("volume"), n)), [1_000, 605]);
    }
}

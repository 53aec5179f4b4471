//! What is given back and charged when a subscription changes in the middle of a period.

use serde_json::{Value, json};

use crate::objects::lines::{self, Line};
use crate::state::State;
use crate::value::Read;

/// The credits for what the old items leave unused, and, where the period goes on, what the new
/// ones cost until its end. Both to the second.
pub(crate) fn lines(
    state: &mut State,
    account: &str,
    before: &Value,
    after: &Value,
    at: i64,
    goes_on: bool,
) -> Vec<Value> {
    let (start, end) = super::renewals::period(before);
    let at = at.clamp(start, end);
    let items = |subscription: &Value| {
        subscription["items"]["data"].as_array().cloned().unwrap_or_default()
    };
    let (old, new) = (items(before), items(after));
    let is_same = |item: &Value, others: &[Value]| {
        others.iter().any(|other| {
            other["id"] == item["id"]
                && other["price"]["id"] == item["price"]["id"]
                && other["quantity"] == item["quantity"]
        })
    };
    let left = |item: &Value| {
        let whole = lines::amount(&item["price"], item["quantity"].as_i64().unwrap_or(1));
        part(whole, end - at, end - start)
    };
    let is_licensed = |item: &&Value| item["price"]["recurring"].text("usage_type") != "metered";
    let mut out = Vec::new();
    for item in old.iter().filter(is_licensed) {
        if !goes_on || !is_same(item, &new) {
            out.push(line(state, account, item, -left(item), (at, end), "Unused time on"));
        }
    }
    if goes_on {
        for item in new.iter().filter(is_licensed) {
            if !is_same(item, &old) {
                out.push(line(state, account, item, left(item), (at, end), "Remaining time on"));
            }
        }
    }
    out
}

/// A part of an amount, half of a minor unit being one.
fn part(whole: i64, left: i64, of: i64) -> i64 {
    if of <= 0 {
        return 0;
    }
    let product = i128::from(whole) * i128::from(left);
    let of = i128::from(of);
    i64::try_from((product * 2 + of).div_euclid(of * 2)).unwrap_or_default()
}

fn line(
    state: &mut State,
    account: &str,
    item: &Value,
    amount: i64,
    period: (i64, i64),
    words: &str,
) -> Value {
    let price = &item["price"];
    let quantity = item["quantity"].as_i64().unwrap_or(1);
    let name = lines::product_name(state, account, price);
    let line = Line {
        amount,
        currency: price.text("currency"),
        description: Some(format!("{words} {quantity} × {name}")),
        period,
        price: Some(price),
        quantity: Some(quantity),
        parent: lines::parent_of(item, true),
        subscription: Some(item.text("subscription")),
        metadata: json!({}),
    };
    lines::make(state, &line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_rounded_to_the_nearest() {
        assert_eq!(part(9_900, 15, 30), 4_950);
        assert_eq!(part(100, 1, 3), 33);
        assert_eq!(part(101, 1, 2), 51);
        assert_eq!(part(100, 0, 3), 0);
    }
}

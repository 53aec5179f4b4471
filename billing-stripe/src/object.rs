//! What an answer of Stripe's means. Nothing here asks anybody.

use billing::rail::{Cash, IntentId, Kind, Movement, Object, ObjectRef, SellerId, Standing};
use blueprint::{Currency, Money};
use jiff::Timestamp;
use serde_json::Value;

use crate::request::INTENT;

/// Which of our intents made it.
pub(crate) fn intent(object: &Value) -> Option<IntentId> {
    let of = |metadata: &Value| metadata[INTENT].as_str()?.parse().ok().map(IntentId::new);
    of(&object["metadata"])
        // An invoice is of the subscription whose it is.
        .or_else(|| of(&object["parent"]["subscription_details"]["metadata"]))
}

/// What it is and how it stands.
pub(crate) fn read(object: &Value, on: Option<&str>) -> Result<Object, String> {
    let text = |name: &str| object[name].as_str();
    let word = text("object").ok_or("an object does not say what it is")?;
    let id = text("id").ok_or("an object has no name")?;
    let created = object["created"].as_i64().unwrap_or_default();
    let account = on.map(SellerId::new).transpose().map_err(|error| error.to_string())?;
    let base = Object {
        at_rail: ObjectRef { word: word.to_owned(), id: id.to_owned(), account },
        kind: Kind::Other,
        intent: intent(object),
        standing: Standing::Settled,
        cash: None,
        back: None,
        payment: None,
        link: None,
        at: time(created)?,
    };
    let of = |kind, standing| Object { kind, standing, ..base.clone() };
    Ok(match word {
        "customer" => of(Kind::Customer, Standing::Settled),
        "account" => {
            let is_ready = object["charges_enabled"] == true && object["payouts_enabled"] == true;
            of(Kind::Seller, if is_ready { Standing::Settled } else { Standing::Open })
        }
        "checkout.session" => {
            let standing = match (text("payment_status"), text("status")) {
                (Some("paid"), _) => Standing::Settled,
                (_, Some("expired")) => Standing::Failed("nobody paid in time".to_owned()),
                _ => Standing::Open,
            };
            let link = text("url").map(str::to_owned);
            Object {
                payment: name(&object["payment_intent"]),
                link,
                ..of(Kind::Checkout, standing)
            }
        }
        "payment_intent" => payment(object, base)?,
        "charge" => {
            let (cash, _) = paid(object, on.is_none())?;
            let standing = match text("status") {
                Some("succeeded") => Standing::Settled,
                Some("failed") => {
                    Standing::Failed(text("failure_message").unwrap_or("it failed").to_owned())
                }
                _ => Standing::Open,
            };
            let cash = cash.filter(|_| standing == Standing::Settled);
            Object { cash, payment: Some(id.to_owned()), ..of(Kind::Payment, standing) }
        }
        "subscription" => {
            let standing = match text("status") {
                Some("incomplete") => Standing::Open,
                Some("incomplete_expired") => Standing::Failed("nobody paid in time".to_owned()),
                Some("canceled") => Standing::Ended,
                _ => Standing::Settled,
            };
            let link = object["latest_invoice"]["hosted_invoice_url"].as_str().map(str::to_owned);
            Object { link, ..of(Kind::Subscription, standing) }
        }
        "invoice" => {
            let standing = match text("status") {
                Some("paid") => Standing::Settled,
                Some("void") => Standing::Ended,
                Some("uncollectible") => Standing::Failed("it is given up".to_owned()),
                _ => Standing::Open,
            };
            let by = &object["payments"]["data"][0]["payment"]["payment_intent"];
            let link = text("hosted_invoice_url").map(str::to_owned);
            Object { payment: name(by), link, ..of(Kind::Invoice, standing) }
        }
        "refund" => refund(object, base)?,
        "transfer" => {
            Object { cash: Some(moved(object, -1)?), ..of(Kind::Transfer, Standing::Settled) }
        }
        "transfer_reversal" => {
            Object { cash: Some(moved(object, 1)?), ..of(Kind::TakeBack, Standing::Settled) }
        }
        "payout" => {
            let standing = match text("status") {
                Some("paid") => Standing::Settled,
                Some("failed" | "canceled") => Standing::Failed(
                    text("failure_message").unwrap_or("it was cancelled").to_owned(),
                ),
                _ => Standing::Open,
            };
            let cash = if on.is_none() { Some(moved(object, -1)?) } else { None };
            Object { cash, ..of(Kind::Payout, standing) }
        }
        "dispute" => {
            let standing = match text("status") {
                Some("won" | "warning_closed") => Standing::Ended,
                Some("lost") => Standing::Failed("it was lost".to_owned()),
                _ => Standing::Open,
            };
            // One of what a tenant sold alone is the tenant's.
            let (cash, back) = if on.is_none() { disputed(object)? } else { (None, None) };
            let payment = name(&object["charge"]);
            Object { cash, back, payment, ..of(Kind::Dispute, standing) }
        }
        _ => base,
    })
}

/// What somebody pays, as its charge says.
fn payment(object: &Value, base: Object) -> Result<Object, String> {
    let charge = &object["latest_charge"];
    let (cash, happened) = paid(charge, base.at_rail.account.is_none())?;
    let standing = match object["status"].as_str() {
        Some("succeeded") => Standing::Settled,
        Some("canceled") => Standing::Failed("it was cancelled".to_owned()),
        Some("requires_payment_method") => Standing::Failed(why(&object["last_payment_error"])),
        _ => Standing::Open,
    };
    Ok(Object {
        kind: Kind::Payment,
        cash: cash.filter(|_| standing == Standing::Settled),
        payment: name(charge),
        at: happened.map_or(Ok(base.at), time)?,
        standing,
        ..base
    })
}

fn refund(object: &Value, base: Object) -> Result<Object, String> {
    let standing = match object["status"].as_str() {
        Some("succeeded") => Standing::Settled,
        Some("failed" | "canceled") => {
            let why = object["failure_reason"].as_str().unwrap_or("it was cancelled");
            Standing::Failed(why.to_owned())
        }
        _ => Standing::Open,
    };
    // What a tenant gives back of what it was paid directly is its own.
    let is_ours = base.at_rail.account.is_none();
    let cash = if is_ours { Some(moved(object, -1)?) } else { None };
    Ok(Object { kind: Kind::Refund, standing, cash, payment: name(&object["charge"]), ..base })
}

fn time(second: i64) -> Result<Timestamp, String> {
    Timestamp::from_second(second).map_err(|error| error.to_string())
}

/// What a dispute took from our balance, the rail's fee for it beside, and what of it is there again.
fn disputed(object: &Value) -> Result<(Option<Cash>, Option<Money>), String> {
    let id = object["id"].as_str().ok_or("an object has no name")?;
    let rows = object["balance_transactions"].as_array().map_or(&[][..], Vec::as_slice);
    let read = |row: &Value| Ok::<_, String>((money(row, "amount")?, money(row, "fee")?));
    match rows {
        [] => Ok((None, None)),
        [taken, rest @ ..] if rest.len() < 2 => {
            let (gross, fee) = read(taken)?;
            let back = rest.first().map(read).transpose()?;
            let back =
                back.map(|(back, fee)| Money::new(back.amount() - fee.amount(), back.currency()));
            Ok((Some(Cash { booked_as: id.to_owned(), gross, fee: Some(fee) }), back))
        }
        _ => Err(format!("{id} was taken and given back more than once, which nobody books")),
    }
}

/// What a charge put on our balance, and when it was: all of it where it is ours, and our fee where it is a
/// tenant's own.
fn paid(charge: &Value, is_ours: bool) -> Result<(Option<Cash>, Option<i64>), String> {
    let Some(id) = charge["id"].as_str() else { return Ok((None, None)) };
    let created = charge["created"].as_i64();
    if let Some(fee) = name(&charge["application_fee"]) {
        let gross = money(charge, "application_fee_amount")?;
        let nothing = Money::new(0, gross.currency());
        return Ok((Some(Cash { booked_as: fee, gross, fee: Some(nothing) }), created));
    }
    if !is_ours {
        return Ok((None, created));
    }
    let booked = &charge["balance_transaction"];
    // What is on our balance counts, also where it is in another currency than what was paid.
    let (gross, fee) = if booked.is_object() {
        (money(booked, "amount")?, Some(money(booked, "fee")?))
    } else {
        (money(charge, "amount")?, None)
    };
    Ok((Some(Cash { booked_as: id.to_owned(), gross, fee }), created))
}

fn moved(object: &Value, sign: i64) -> Result<Cash, String> {
    let id = object["id"].as_str().ok_or("an object has no name")?;
    let amount = money(object, "amount")?;
    let gross = Money::new(sign * amount.amount(), amount.currency());
    Ok(Cash { booked_as: id.to_owned(), gross, fee: Some(Money::new(0, amount.currency())) })
}

fn money(object: &Value, field: &str) -> Result<Money, String> {
    let amount = object[field].as_i64().ok_or_else(|| format!("there is no {field}"))?;
    Ok(Money::new(amount, currency(object)?))
}

fn currency(object: &Value) -> Result<Currency, String> {
    let code = object["currency"].as_str().ok_or("there is no currency")?;
    code.to_uppercase().parse().map_err(|_| format!("{code:?} is no currency"))
}

/// What is named, whether it is there whole or by its name alone.
fn name(object: &Value) -> Option<String> {
    object.as_str().or_else(|| object["id"].as_str()).map(str::to_owned)
}

fn why(error: &Value) -> String {
    error["message"].as_str().unwrap_or("nothing was paid").to_owned()
}

/// A row of our balance.
pub(crate) fn movement(row: &Value) -> Result<Movement, String> {
    let id = row["id"].as_str().ok_or("a row of the balance has no name")?;
    // What came back is of the same object, and may be in another payout.
    let part = match (row["type"].as_str(), row["reporting_category"].as_str()) {
        (Some("payout_failure" | "payout_cancel" | "refund_failure"), _) => ":undone",
        (_, Some("dispute_reversal")) => ":back",
        _ => "",
    };
    Ok(Movement {
        id: id.to_owned(),
        // What is of nothing, such as a fee of Stripe's own, is known by its row.
        about: name(&row["source"]).map_or_else(|| id.to_owned(), |of| format!("{of}{part}")),
        currency: currency(row)?,
        gross: money(row, "amount")?.amount(),
        fee: money(row, "fee")?.amount(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn usd(text: &str) -> Money {
        format!("{text} USD").parse().unwrap()
    }

    #[test]
    fn a_payment_is_what_its_charge_put_on_our_balance() {
        let intent = IntentId::of(&["one"]);
        let payment = json!({
            "id": "pi_1", "object": "payment_intent", "status": "succeeded", "created": 1,
            "metadata": {"intent": intent.to_string()},
            "latest_charge": {
                "id": "ch_1", "created": 2, "amount": 1190, "currency": "usd", "application_fee": null,
                "balance_transaction": {"id": "txn_1", "amount": 1190, "fee": 65, "currency": "usd"}
            }
        });
        let object = read(&payment, None).unwrap();
        assert_eq!((object.kind, &object.standing), (Kind::Payment, &Standing::Settled));
        assert_eq!((object.intent, object.at.as_second()), (Some(intent), 2));
        let cash = object.cash.unwrap();
        assert_eq!(
            (cash.booked_as.as_str(), cash.gross, cash.fee),
            ("ch_1", usd("11.90"), Some(usd("0.65")))
        );
        let mut direct = payment.clone();
        direct["latest_charge"]["application_fee"] = json!("fee_1");
        direct["latest_charge"]["application_fee_amount"] = json!(150);
        let cash = read(&direct, Some("acct_1")).unwrap().cash.unwrap();
        assert_eq!((cash.booked_as.as_str(), cash.gross), ("fee_1", usd("1.50")));
        // Without a fee nothing of it is ours.
        assert_eq!(read(&payment, Some("acct_1")).unwrap().cash, None);
    }

    #[test]
    fn what_has_not_moved_has_no_cash() {
        let payment = json!({
            "id": "pi_1", "object": "payment_intent", "status": "requires_payment_method", "created": 1,
            "last_payment_error": {"message": "Your card was declined."},
            "latest_charge": {"id": "ch_1", "created": 2, "amount": 1, "currency": "usd"}
        });
        let object = read(&payment, None).unwrap();
        assert_eq!(object.standing, Standing::Failed("Your card was declined.".to_owned()));
        assert_eq!(object.cash, None);
    }

    #[test]
    fn a_dispute_is_what_it_took_and_what_came_back() {
        let row = |amount: i64, fee: i64| json!({"amount": amount, "fee": fee, "currency": "usd"});
        let dispute = |status: &str, rows: &[Value]| {
            let dispute = json!({
                "id": "du_1", "object": "dispute", "status": status, "created": 1, "charge": "ch_1",
                "balance_transactions": rows
            });
            read(&dispute, None).map(|read| (read.standing, read.cash, read.back))
        };
        let taken =
            Cash { booked_as: "du_1".to_owned(), gross: usd("-12.00"), fee: Some(usd("15.00")) };
        let open = dispute("needs_response", &[row(-1_200, 1_500)]);
        assert_eq!(open, Ok((Standing::Open, Some(taken.clone()), None)));
        let won = dispute("won", &[row(-1_200, 1_500), row(1_200, -1_500)]);
        assert_eq!(won, Ok((Standing::Ended, Some(taken), Some(usd("27.00")))));
        assert_eq!(dispute("warning_closed", &[]), Ok((Standing::Ended, None, None)));
        let twice = [row(-1_200, 1_500), row(1_200, 0), row(-1_200, 0)];
        assert!(dispute("lost", &twice).is_err());
    }

    #[test]
    fn a_row_of_the_balance_is_about_what_it_is_booked_as() {
        let row =
            json!({"id": "txn_1", "source": "tr_1", "amount": -700, "fee": 0, "currency": "usd"});
        let transfer = json!({
            "id": "tr_1", "object": "transfer", "created": 1, "amount": 700, "currency": "usd"
        });
        let (row, cash) = (movement(&row).unwrap(), read(&transfer, None).unwrap().cash.unwrap());
        assert_eq!((row.about, row.gross), (cash.booked_as, cash.gross.amount()));
        let mut back = json!({
            "id": "txn_3", "source": "po_1", "amount": 5, "fee": 0, "currency": "usd",
            "type": "payout_failure", "reporting_category": "payout_reversal"
        });
        assert_eq!(movement(&back).unwrap().about, "po_1:undone");
        back["type"] = json!("adjustment");
        back["reporting_category"] = json!("dispute_reversal");
        assert_eq!(movement(&back).unwrap().about, "po_1:back");
        let own = json!({"id": "txn_2", "source": null, "amount": -5, "fee": 0, "currency": "usd"});
        assert_eq!(movement(&own).unwrap().about, "txn_2");
    }

    #[test]
    fn what_concerns_nobody_is_other_and_what_cannot_be_read_says_so() {
        let balance = json!({"id": "x", "object": "balance"});
        assert_eq!(read(&balance, None).unwrap().kind, Kind::Other);
        assert!(read(&json!({"object": "transfer", "id": "tr_1", "amount": 1}), None).is_err());
        assert!(read(&json!([]), None).is_err());
    }
}

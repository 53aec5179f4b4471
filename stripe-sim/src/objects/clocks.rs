//! Test clocks: the time of some customers, which goes on when it is told to.

use serde_json::json;

use crate::call::{Call, Outcome};
use crate::objects::subscriptions;
use crate::refusal::Refusal;
use crate::value::Read;

const KIND: &str = "test_helpers.test_clock";

/// How long a clock is kept, in seconds.
const KEPT: i64 = 30 * 86_400;

pub(crate) fn create(call: &mut Call) -> Outcome {
    let at = call.take_int("frozen_time").unwrap_or_default();
    let name = call.or_null("name");
    call.done()?;
    let now = call.state.now;
    let clock = json!({
        "id": call.state.id("clock"), "object": KIND, "created": now,
        "deletes_after": now + KEPT, "frozen_time": at, "livemode": false, "name": name,
        "status": "ready", "status_details": {},
    });
    let account = call.account.clone();
    call.state.put(&account, KIND, clock.clone());
    call.state.emit(&account, "test_helpers.test_clock.created", &clock);
    Ok(clock)
}

/// Says that it goes on; it has, when somebody looks again.
pub(crate) fn advance(call: &mut Call) -> Outcome {
    let clock = call.object(KIND, "test_clock")?;
    let until = call.take_int("frozen_time").unwrap_or_default();
    call.done()?;
    if until <= clock.int("frozen_time") {
        let message = "The time to advance to must be after the clock's time.";
        return Err(Refusal::invalid(message).param("frozen_time"));
    }
    let account = call.account.clone();
    check_far(call, clock.text("id"), until)?;
    let mut told = clock.clone();
    told["status"] = json!("advancing");
    told["status_details"] = json!({ "advancing": { "target_frozen_time": until } });
    told["frozen_time"] = json!(until);
    call.state.emit(&account, "test_helpers.test_clock.advancing", &told);
    call.state.advance_clock(&account, clock.text("id"), until);
    let ready = call.state.get(&account, KIND, clock.text("id"), "test_clock")?;
    call.state.emit(&account, "test_helpers.test_clock.ready", &ready);
    Ok(told)
}

/// A clock goes on by at most two of the shortest intervals that its subscriptions have.
fn check_far(call: &Call, clock: &str, until: i64) -> Result<(), Refusal> {
    let state = &call.state;
    let account = &call.account;
    for subscription in state.all(account, "subscription") {
        let is_live = subscription["ended_at"].is_null();
        if subscription.text("test_clock") != clock || !is_live {
            continue;
        }
        let recurring = &subscription["items"]["data"][0]["price"]["recurring"];
        let now = state.time_of(account, subscription.text("customer"));
        if until > super::lines::end_of(now, recurring, 2) {
            let message = "You can only advance a test clock by two intervals of its shortest \
                           subscription at a time.";
            return Err(Refusal::invalid(message).param("frozen_time"));
        }
    }
    Ok(())
}

/// With its customers and what they pay.
pub(crate) fn delete(call: &mut Call) -> Outcome {
    call.done()?;
    let clock = call.object(KIND, "test_clock")?;
    let (account, id) = (call.account.clone(), clock.text("id").to_owned());
    let mut customers = call.state.all(&account, "customer");
    customers.retain(|customer| customer.text("test_clock") == id);
    for customer in customers {
        subscriptions::end_all_of(call.state, &account, customer.text("id"));
        let gone = json!({ "id": customer["id"], "object": "customer", "deleted": true });
        call.state.put(&account, "customer", gone);
    }
    call.state.agenda.forget(&id);
    call.state.of(&account).shelf_mut(KIND).remove(&id);
    Ok(json!({ "id": id, "object": KIND, "deleted": true }))
}

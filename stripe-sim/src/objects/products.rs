//! What is sold.

use serde_json::json;

use crate::call::{Call, Outcome};
use crate::refusal::Refusal;
use crate::value::Read;

const FIELDS: [&str; 9] = [
    "active",
    "description",
    "name",
    "images",
    "marketing_features",
    "shippable",
    "statement_descriptor",
    "unit_label",
    "url",
];

pub(crate) fn create(call: &mut Call) -> Outcome {
    let id = call.take_text("id").unwrap_or_else(|| call.state.id("prod"));
    let now = call.state.now;
    let mut product = json!({
        "id": id, "object": "product", "active": true, "created": now, "default_price": null,
        "description": null, "images": [], "livemode": false, "marketing_features": [],
        "metadata": call.metadata(), "name": null, "package_dimensions": null, "shippable": null,
        "statement_descriptor": null, "tax_code": null, "unit_label": null,
        "updated": now, "url": null,
    });
    for name in FIELDS {
        if let Some(value) = call.take(name) {
            product[name] = value;
        }
    }
    call.done()?;
    if call.state.look(&call.account, "product", product.text("id")).is_some() {
        let message = format!("Product already exists with id {}", product.text("id"));
        return Err(Refusal::invalid(message).code("resource_already_exists").param("id"));
    }
    Ok(call.create("product", product))
}

pub(crate) fn update(call: &mut Call) -> Outcome {
    let mut product = call.object("product", "id")?;
    product["updated"] = json!(call.state.now);
    call.update("product", product, &FIELDS)
}

pub(crate) fn delete(call: &mut Call) -> Outcome {
    call.done()?;
    let product = call.object("product", "id")?;
    let id = product.text("id");
    let prices = call.state.all(&call.account, "price");
    if prices.iter().any(|price| price.text("product") == id) {
        let message = "This product cannot be deleted because it has one or more user-created \
                       prices.";
        return Err(Refusal::invalid(message));
    }
    let account = call.account.clone();
    call.state.of(&account).shelf_mut("product").remove(id);
    call.state.emit(&account, "product.deleted", &product);
    Ok(json!({ "id": id, "object": "product", "deleted": true }))
}

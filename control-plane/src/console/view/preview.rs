//! What a blueprint would do, on a page.

use pages::parts::Field;
use serde::Serialize;

use crate::domain::preview::Preview;

/// What a blueprint would do, with the blueprint itself to be applied or written further.
#[derive(Clone, Debug, Serialize)]
pub struct PreviewPage {
    /// All of it in a few sentences.
    pub summary: String,
    /// Fields that change, a line each.
    pub fields: Vec<String>,
    /// What becomes of data.
    pub data: Vec<String>,
    /// What starts again or stops.
    pub restarts: Vec<String>,
    /// Why it cannot be built.
    pub problems: Vec<String>,
    /// What will not be as it is wished.
    pub notes: Vec<String>,
    /// What it costs.
    pub costs: Vec<String>,
    /// Where it is applied.
    pub apply: String,
    /// What the button says that applies it.
    pub apply_label: &'static str,
    /// Where it is previewed again.
    pub again: String,
    /// Where the reader came from.
    pub back: String,
    /// The blueprint.
    pub blueprint: Field,
    /// The state that it was written over; none of a new one.
    pub seen: Option<String>,
}

/// Where the forms of a page go.
#[derive(Clone, Debug)]
pub struct Ways {
    /// Where it is applied.
    pub apply: String,
    /// Where it is previewed.
    pub again: String,
    /// Where the reader came from.
    pub back: String,
}

impl PreviewPage {
    /// Of this blueprint, which was written over that state.
    pub fn of(preview: Preview, ways: Ways, written: String, seen: Option<String>) -> Self {
        let Preview { is_new, summary, fields, effects, costs, .. } = preview;
        let effects = effects.unwrap_or_default();
        Self {
            summary,
            fields: fields.into_iter().map(|field| field.text).collect(),
            data: effects.data,
            restarts: effects.restarts.into_iter().map(|restart| restart.text).collect(),
            problems: effects.problems,
            notes: effects.notes,
            costs: costs.text,
            apply: ways.apply,
            apply_label: if is_new { "Create platform" } else { "Apply" },
            again: ways.again,
            back: ways.back,
            blueprint: Field::textarea("blueprint", "Blueprint", 24).required().value(written),
            seen,
        }
    }
}

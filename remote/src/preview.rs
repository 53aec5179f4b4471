//! What a file would do there, as the control plane reckons it.

use serde::{Deserialize, Serialize};

use crate::client::{Ask, Client};
use crate::difference::Difference;
use crate::error::Result;
use crate::plain::Plain;

/// What a blueprint would do, were it applied now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// All of it, for who reads no further.
    pub summary: Plain,
    /// What it does to what runs; nothing, where the control plane does not know.
    #[serde(default)]
    pub effects: Option<Effects>,
    /// What it costs.
    pub costs: Costs,
}

/// What it does to what runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effects {
    /// Why it cannot be built.
    #[serde(default)]
    pub problems: Vec<Plain>,
    /// What becomes of data.
    #[serde(default)]
    pub data: Vec<Plain>,
    /// What will not be as it is wished.
    #[serde(default)]
    pub notes: Vec<Plain>,
}

/// What it costs, in sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Costs {
    /// The plan, and what AI costs.
    pub text: Vec<Plain>,
}

impl Preview {
    /// A line each, the most important first.
    pub fn lines(&self) -> Vec<&Plain> {
        let effects = self.effects.iter();
        let effects = effects.flat_map(|it| it.problems.iter().chain(&it.data).chain(&it.notes));
        std::iter::once(&self.summary).chain(effects).chain(&self.costs.text).collect()
    }
}

impl Difference {
    /// What it would do. Changes nothing.
    pub async fn preview(&self, client: &Client) -> Result<Preview> {
        let url = client.at(&["v1", "blueprints", "preview"]);
        client.ask(Ask::look(url, self.yaml())).await?.read()
    }
}

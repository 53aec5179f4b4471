//! Models, safety, and what AI may cost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_default;
use crate::money::{Bps, Money};

/// Models, safety and what AI may cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ai {
    /// The models agents may use; the installation's default one when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub models: Vec<Model>,
    /// The model of agents that name none: an `id` of `models`; the first one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub default_model: Option<String>,
    /// Who may be sent people's messages; only models run here when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 6))]
    pub allowed_providers: Vec<Provider>,
    /// Take the cheapest allowed model that passes the quality gates.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cost_optimization: bool,
    /// What an agent must reach before people meet it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub quality_gates: QualityGates,
    /// How much is held back to be safe. Default: moderate.
    #[serde(default)]
    pub safety: Safety,
    /// What agents are made to be best at. Default: general.
    #[serde(default, skip_serializing_if = "is_default")]
    pub focus: Focus,
    /// Rules for the young; only grown-ups are expected when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_rules: Option<AgeRules>,
    /// What AI may cost in a month; agents say so and stop when it is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_budget: Option<Money>,
    /// Tokens one person may use in a day, read and written together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000_i64))]
    pub per_user_daily_tokens: Option<u64>,
}

/// A model agents may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// The name agents use for it, such as `smollm2-135m`.
    #[schemars(length(max = 128))]
    pub id: String,
    /// Who runs it. Default: local.
    #[serde(default, skip_serializing_if = "is_default")]
    pub provider: Provider,
    /// Where it comes from, such as `hf:HuggingFaceTB/SmolLM2-135M-Instruct`; looked up in the
    /// catalogue by its id when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub source: Option<String>,
}

/// Who runs a model.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// This installation: messages do not leave it.
    #[default]
    Local,
    /// OpenAI.
    Openai,
    /// Anthropic.
    Anthropic,
    /// Google.
    Google,
    /// Mistral AI.
    Mistral,
    /// Another server that speaks the `OpenAI` API.
    OpenaiCompatible,
}

/// What an agent must reach before people meet it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QualityGates {
    /// An agent is tried on its own test questions before it is published.
    #[serde(default, skip_serializing_if = "is_default")]
    pub evaluate_before_publish: bool,
    /// The share of those questions it must answer well, in basis points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_score_bps: Option<Bps>,
    /// Answers from documents must name their source.
    #[serde(default, skip_serializing_if = "is_default")]
    pub require_citations: bool,
    /// The longest answer, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16, max = 131_072))]
    pub max_answer_tokens: Option<u32>,
}

/// How much is held back to be safe.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Safety {
    /// Harm is held back.
    #[default]
    Moderate,
    /// So is what may hurt some.
    High,
    /// So is what is uncertain; a person looks at it.
    Maximum,
}

/// What agents are made to be best at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Focus {
    /// A bit of everything.
    #[default]
    General,
    /// Staying in the character their creator gave them.
    Personality,
    /// Being exact and showing where an answer comes from.
    Accuracy,
    /// Helping people learn rather than answering for them.
    Education,
}

/// Rules for the young.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgeRules {
    /// Nobody younger may have an account, in years.
    #[schemars(range(min = 3, max = 21))]
    pub minimum_age: u8,
    /// Below this age an account needs a parent's recorded consent, in years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 3, max = 21))]
    pub parent_consent_under: Option<u8>,
    /// Agents answer at the level of the person's age.
    #[serde(default, skip_serializing_if = "is_default")]
    pub age_appropriate_answers: bool,
}

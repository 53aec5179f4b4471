//! What the platform can do. What is off has no page, no menu entry and no job.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_default;

/// Declares the switches, each off unless the blueprint turns it on.
macro_rules! features {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What the platform can do; everything is off unless it says `true` here.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct Features {
            $($(#[$doc])* #[serde(default, skip_serializing_if = "is_default")] pub $name: bool,)*
        }
    };
}

features! {
    /// People make agents of their own.
    agent_creation,
    /// People find, rate and buy agents of others.
    agent_marketplace,
    /// Agents and conversations have links to pass on.
    viral_sharing,
    /// Several agents work on one task.
    collaborative_agents,
    /// The owner sees how the platform is used.
    analytics_dashboard,
    /// The owner sees what it earns.
    revenue_reporting,
    /// The owner invites, suspends and removes people.
    user_management,
    /// Programs may use the platform with keys.
    api_access,
    /// People sign in with their company's account.
    sso_integration,
    /// Audit trail and evidence for reviewers.
    compliance_reporting,
    /// Webhooks and connections to other services.
    custom_integrations,
    /// An app for phones under the owner's own name.
    white_label_mobile,
    /// Agents answer from documents given to them, with the source.
    knowledge,
    /// Agents remember what a person told them; the person sees it and can remove it.
    memory,
    /// Courses and programs in steps.
    programs,
    /// Goals, badges and streaks; each person can switch them off.
    gamification,
    /// Parents see what their children do here.
    parent_dashboard,
    /// Agents answer questions about tables, read-only.
    data_agents,
    /// Teams share agents, documents and conversations.
    team_workspaces,
    /// People can give creators a tip.
    tips,
    /// The chat as a part of other web sites.
    widget,
}

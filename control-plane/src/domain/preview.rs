//! What a blueprint would do, told before it is applied: in fields, in words, in money.

use blueprint::plan::price;
use blueprint::{Change, Money, PlanName, PlatformBlueprint, Problem, changes};
use jiff::Timestamp;
use plan::difference::{Manner, Risk};
use plan::{Difference, Installation, Plan, Seen, difference};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a blueprint would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// The platform's name.
    pub name: String,
    /// Whether there is none of that name yet.
    pub is_new: bool,
    /// All of it, for who reads no further.
    pub summary: String,
    /// Fields of the blueprint that change.
    pub fields: Vec<FieldChange>,
    /// What that does to what runs; `null` where this control plane was not told how the installation
    /// is made.
    pub effects: Option<Effects>,
    /// What it costs.
    pub costs: Costs,
}

/// A field of a blueprint that changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// Such as `spec.monetization.tiers[pro].price.amount`.
    pub path: String,
    /// What it is now; `null` where it is not there.
    #[schema(value_type = Object)]
    pub before: serde_json::Value,
    /// What it will be.
    #[schema(value_type = Object)]
    pub after: serde_json::Value,
    /// The same in a line.
    pub text: String,
}

/// What a change does to what runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Effects {
    /// Nothing of it is done until `spec.paused` is false.
    pub paused: bool,
    /// Why it cannot be built, each with its place: what runs stays as it is until that is mended.
    pub problems: Vec<String>,
    /// What starts again, or stops.
    pub restarts: Vec<Restart>,
    /// What becomes of data, each in a sentence.
    pub data: Vec<String>,
    /// What can be done and will not be as it is wished, each in a sentence.
    pub notes: Vec<String>,
}

/// A part of a platform that starts again, or stops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restart {
    /// `runtime`, `inference` or `database`.
    pub part: String,
    /// `rolling`: new copies serve before old ones go; `away`: nobody is served meanwhile; `stopped`.
    pub manner: String,
    /// The same in a sentence.
    pub text: String,
}

/// What a platform costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Costs {
    /// What its plan costs in a month now; `null` of a new one.
    #[schema(value_type = Object)]
    pub before: Option<Money>,
    /// What its plan costs in a month then; for enterprise the least that a contract can say.
    #[schema(value_type = Object)]
    pub after: Money,
    /// What AI may cost in a month now; `null`: as much as is used.
    #[schema(value_type = Object)]
    pub ai_before: Option<Money>,
    /// What AI may cost in a month then.
    #[schema(value_type = Object)]
    pub ai_after: Option<Money>,
    /// From when on, were it applied now.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The same in sentences.
    pub text: Vec<String>,
}

/// What is there now, and what is to be.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// As it is in the cluster; `None` of a new one.
    pub before: Option<&'a PlatformBlueprint>,
    /// As it would be, with the account that it would have.
    pub after: &'a PlatformBlueprint,
    /// What its organization pays for.
    pub pays: PlanName,
}

impl Wish<'_> {
    /// What it would do, were it applied now.
    pub fn preview(&self, installation: Option<&Installation>, now: Timestamp) -> Preview {
        let fields: Vec<_> = self.before.map_or_else(Vec::new, |before| {
            changes(before, self.after).into_iter().filter(is_of_spec).map(told).collect()
        });
        let effects = installation.map(|installation| self.effects(installation));
        let costs = self.costs(now);
        Preview {
            name: self.after.metadata.name.clone().unwrap_or_default(),
            is_new: self.before.is_none(),
            summary: self.summary(&fields, effects.as_ref(), &costs),
            fields,
            effects,
            costs,
        }
    }

    fn effects(&self, installation: &Installation) -> Effects {
        let next = match Plan::new(self.after, installation, Seen::default()) {
            Ok(next) => next,
            Err(problems) => {
                let problems = problems.iter().map(Problem::to_string).collect();
                return Effects { problems, ..Effects::default() };
            }
        };
        let notes: Vec<_> = next.notices.iter().map(|it| it.message.clone()).collect();
        let found = Effects { paused: next.paused(), notes, ..Effects::default() };
        let Some(before) = self.before else { return found };
        let Ok(now) = Plan::new(before, installation, Seen::default()) else {
            // What runs is of an older blueprint, which nobody knows here.
            let note = "As it stands it cannot be built: what runs may all start again.";
            let notes = [found.notes, vec![note.to_owned()]].concat();
            return Effects { notes, ..found };
        };
        let Difference { restarts, risks, .. } = difference(&now, &next);
        Effects {
            restarts: restarts.iter().map(restart).collect(),
            data: risks.iter().map(risk).collect(),
            ..found
        }
    }

    fn costs(&self, now: Timestamp) -> Costs {
        let known = self.before.map(|before| {
            let account = before.status.as_ref().and_then(|status| status.account.as_ref());
            account.map_or(self.pays, |account| account.plan)
        });
        let (before, after) = (known.map(price), price(self.pays));
        let ai = |it: &PlatformBlueprint| it.spec.ai.monthly_budget;
        let (ai_before, ai_after) = (self.before.and_then(ai), ai(self.after));
        let least = if self.pays == PlanName::Enterprise { "at least " } else { "" };
        let plan = match before {
            Some(before) if before == after => {
                format!("Its plan costs what it did: {least}{after} a month.")
            }
            Some(before) => format!(
                "Its plan costs {least}{after} a month instead of {before}, from {} on.",
                day(now)
            ),
            None => format!(
                "The {} plan costs {least}{after} a month for it, from {} on.",
                self.pays,
                day(now)
            ),
        };
        let markup = self.pays.entitlements().ai_markup_bps;
        let of_use = format!("what is used, and {markup} on top");
        let models = match (ai_after, ai_before == ai_after || self.before.is_none()) {
            (Some(most), true) => format!("AI costs {of_use}: {most} a month at most."),
            (Some(most), false) => {
                format!("AI costs {of_use}: {most} a month at most, as soon as this is applied.")
            }
            (None, true) => format!("AI costs {of_use}; `spec.ai.monthlyBudget` bounds it."),
            (None, false) => format!("AI costs {of_use}, without a bound from then on."),
        };
        Costs { before, after, ai_before, ai_after, from: now, text: vec![plan, models] }
    }

    fn summary(&self, fields: &[FieldChange], effects: Option<&Effects>, costs: &Costs) -> String {
        let mut said = vec![match fields.len() {
            _ if self.before.is_none() => "A new platform is made.".to_owned(),
            0 => "Nothing changes.".to_owned(),
            1 => "1 field changes.".to_owned(),
            many => format!("{many} fields change."),
        }];
        match effects {
            None => said.push("What starts again is not known here.".to_owned()),
            Some(effects) if !effects.problems.is_empty() => {
                said.push("It cannot be built so: what runs stays as it is.".to_owned());
            }
            Some(_) if self.before.is_none() || fields.is_empty() => {}
            Some(effects) if effects.paused => {
                said.push("Nothing of it is done while the platform is paused.".to_owned());
            }
            Some(Effects { restarts, data, .. }) => {
                said.push(match restarts.len() {
                    0 => "Nothing starts again.".to_owned(),
                    _ => restarts.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(" "),
                });
                let is_safe = data.is_empty();
                said.push(if is_safe { "Data stays as it is." } else { "Data is at risk." }.into());
            }
        }
        if costs.before != Some(costs.after) {
            said.extend(costs.text.first().cloned());
        }
        said.join(" ")
    }
}

/// Labels and annotations are not written here.
fn is_of_spec(change: &Change) -> bool {
    change.path.starts_with("spec")
}

fn told(change: Change) -> FieldChange {
    let text = change.to_string();
    let Change { path, before, after } = change;
    FieldChange { path, before: before.into(), after: after.into(), text }
}

fn restart(restart: &plan::difference::Restart) -> Restart {
    let (part, called) = match (restart.object.kind, restart.object.name.as_str()) {
        ("Cluster", _) => ("database", "Its database server"),
        (_, "inference") => ("inference", "Its model server"),
        _ => ("runtime", "The platform"),
    };
    let (manner, what) = match restart.manner {
        Manner::Rolling => ("rolling", "starts again; new copies serve before old ones go."),
        Manner::Away => ("away", "starts again, and is away meanwhile."),
        Manner::Stopped => ("stopped", "stops."),
    };
    Restart { part: part.into(), manner: manner.into(), text: format!("{called} {what}") }
}

/// As people read it, who know of no objects.
fn risk(risk: &Risk) -> String {
    let text = match risk {
        Risk::Moves { .. } => {
            "its data goes to another server by an export and an import; nothing is written meanwhile"
                .to_owned()
        }
        Risk::Gone { object } if object.starts_with("Cluster") => {
            "its database server goes with the data that is on it; take an export first".to_owned()
        }
        other => other.to_string(),
    };
    pages::sentence(&text)
}

fn day(at: Timestamp) -> String {
    at.strftime("%-d %B %Y").to_string()
}

#[cfg(test)]
mod tests {
    use blueprint::BlueprintStatus;
    use blueprint::status::{Account, Staff};

    use super::*;

    const NOW: &str = "2026-03-01T12:00:00Z";

    fn written(spec: &str) -> PlatformBlueprint {
        let text = format!(
            "{{apiVersion: soulfra.io/v1alpha1, kind: PlatformBlueprint, metadata: {{name: harbour}}, \
             spec: {{identity: {{displayName: Harbour}}, {spec}}}}}"
        );
        blueprint::read(&text).unwrap()
    }

    fn paid(plan: PlanName, mut blueprint: PlatformBlueprint) -> PlatformBlueprint {
        let account = Account {
            organization: "acme".parse().unwrap(),
            plan,
            entitlements: plan.entitlements(),
            staff: Staff::default(),
        };
        blueprint.status = Some(BlueprintStatus { account: Some(account), ..Default::default() });
        blueprint
    }

    fn installation() -> Installation {
        serde_json::from_str(include_str!("../../../plan/fixtures/installation.json")).unwrap()
    }

    fn between(before: &str, after: &str) -> Preview {
        let pays = PlanName::Business;
        let (before, after) = (paid(pays, written(before)), paid(pays, written(after)));
        let wish = Wish { before: Some(&before), after: &after, pays };
        wish.preview(Some(&installation()), NOW.parse().unwrap())
    }

    #[test]
    fn the_same_again_is_nothing() {
        let preview = between("", "");
        assert_eq!(preview.summary, "Nothing changes.");
        assert_eq!((preview.fields.len(), preview.effects), (0, Some(Effects::default())));
    }

    #[test]
    fn a_new_platform_costs_its_plan_from_now_on() {
        let pays = PlanName::Starter;
        let after = paid(pays, written("ai: {monthlyBudget: {amount: 5000, currency: USD}}"));
        let wish = Wish { before: None, after: &after, pays };
        let preview = wish.preview(Some(&installation()), NOW.parse().unwrap());
        assert_eq!(
            preview.summary,
            "A new platform is made. The starter plan costs 99.00 USD a month for it, from 1 March 2026 \
             on."
        );
        assert_eq!(
            preview.costs.text[1],
            "AI costs what is used, and 40 % on top: 50.00 USD a month at most."
        );
        assert_eq!(preview.costs.from.to_string(), NOW);
    }

    #[test]
    fn who_pays_for_another_plan_by_now_reads_both_prices() {
        let before = paid(PlanName::Starter, written(""));
        let after = paid(PlanName::Business, written(""));
        let wish = Wish { before: Some(&before), after: &after, pays: PlanName::Business };
        let preview = wish.preview(None, NOW.parse().unwrap());
        assert_eq!(
            preview.costs.text[0],
            "Its plan costs 999.00 USD a month instead of 99.00 USD, from 1 March 2026 on."
        );
        assert_eq!(preview.effects, None);
        assert!(preview.summary.contains("not known here"), "{}", preview.summary);
    }

    #[test]
    fn what_stops_and_what_is_at_risk_is_said_in_words() {
        let preview = between("", "suspended: true");
        assert_eq!(preview.summary, "1 field changes. The platform stops. Data stays as it is.");
        let preview = between("", "governance: {dataRetentionDays: 30}");
        assert_eq!(
            preview.effects.unwrap().data,
            ["Conversations older than 30 days are removed for good; so far they stayed."]
        );
        assert!(preview.summary.ends_with("Data is at risk."), "{}", preview.summary);
    }

    #[test]
    fn what_cannot_be_built_is_said_with_its_place() {
        let pays = PlanName::Business;
        let after = paid(pays, written("governance: {dataResidency: moon}"));
        let wish = Wish { before: None, after: &after, pays };
        let preview = wish.preview(Some(&installation()), NOW.parse().unwrap());
        assert!(preview.summary.contains("cannot be built"), "{}", preview.summary);
        let problem = &preview.effects.unwrap().problems[0];
        assert!(problem.starts_with("spec.governance.dataResidency: "), "{problem}");
    }
}

//! What blueprints would do that are not applied yet.

use std::path::PathBuf;

use blueprint::PlatformBlueprint;
use plan::difference::Manner;
use plan::{Difference, Notice, Plan, difference};

use super::known::{AskError, Known, name_of, read};

impl Known {
    /// What applying these files would do, platform by platform.
    ///
    /// # Errors
    /// Where a file is not a blueprint, or cannot be planned: with every problem, and nothing else.
    pub fn preview(&self, files: &[PathBuf]) -> Result<String, AskError> {
        let mut told = Vec::new();
        let mut refused = Vec::new();
        for file in files {
            match read(file).and_then(|wanted| self.preview_one(wanted)) {
                Ok(text) => told.push(text),
                Err(why) => refused.push(why.to_string()),
            }
        }
        if refused.is_empty() {
            Ok(told.join("\n"))
        } else {
            Err(AskError::Not(refused.join("\n")))
        }
    }

    fn preview_one(&self, wanted: PlatformBlueprint) -> Result<String, AskError> {
        let name = name_of(&wanted);
        let known = self.blueprints.get(&name);
        // What is there stays what it is: where its data is, which one of its name it is.
        let after = match known {
            Some(known) => PlatformBlueprint { spec: wanted.spec, ..known.clone() },
            None => wanted,
        };
        let installation = self.installation_for(&self.installation, &after);
        let refused = |why| AskError::Not(format!("{name} would be refused: {why}"));
        let next = self.plan(&after, &installation).map_err(refused)?;
        let Some(known) = known else { return Ok(new(&name, &next)) };
        let before = self.installation_for(&self.installation, known);
        Ok(match self.plan(known, &before) {
            Ok(now) => {
                let difference = difference(&now, &next);
                let mut text = if difference.is_empty() {
                    format!("{name}: nothing changes.\n")
                } else {
                    format!("{name}: {}\n{difference}", in_a_sentence(&difference))
                };
                text.extend(notes(&next).map(|note| note + "\n"));
                text
            }
            Err(why) => format!("{name} is refused as it stands ({why}). {}", new(&name, &next)),
        })
    }
}

/// A platform of which nothing is there.
fn new(name: &str, plan: &Plan<'_>) -> String {
    let objects = plan.objects();
    let mut lines =
        vec![format!("{name} is new: {} objects would be made.", objects.iter().count())];
    lines.extend(notes(plan));
    lines.push("Objects:".to_owned());
    lines.extend(objects.iter().map(|object| format!("  + {}", object.id())));
    lines.join("\n") + "\n"
}

/// What can be done, and is not as it is wished.
fn notes(plan: &Plan<'_>) -> impl Iterator<Item = String> {
    let note = |notice: &Notice| format!("Note ({}): {}", notice.condition, notice.message);
    plan.notices.iter().map(note)
}

/// The whole of it, for who reads no further.
pub(super) fn in_a_sentence(difference: &Difference) -> String {
    let fields = match difference.blueprint.len() {
        1 => "1 field of the blueprint changes".to_owned(),
        n => format!("{n} fields of the blueprint change"),
    };
    let of = |manner| difference.restarts.iter().filter(|it| it.manner == manner).count();
    let restarts = [
        (of(Manner::Rolling), "starts again without a pause"),
        (of(Manner::Away), "starts again and is away meanwhile"),
        (of(Manner::Stopped), "stops"),
    ];
    let restarts = restarts.into_iter().filter(|(count, _)| *count > 0);
    let restarts: Vec<_> = restarts.map(|(count, what)| format!("{count} {what}")).collect();
    let restarts =
        if restarts.is_empty() { "nothing starts again".to_owned() } else { restarts.join(", ") };
    let risks = match difference.risks.len() {
        0 => "no data is at risk",
        _ => "data is at risk",
    };
    format!("{fields}; {restarts}; {risks}.")
}

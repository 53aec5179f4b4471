//! What another image would do to the whole fleet.

use std::collections::BTreeMap;

use plan::difference::ObjectChange;
use plan::{Difference, FleetDifference, Installation, difference};

use super::known::{AskError, Known};

/// Different changes that are told; the rest is counted.
const TOLD: usize = 40;
/// Platforms that are named with a risk.
const NAMED: usize = 20;

/// The same change of several platforms, in words.
type Alike = BTreeMap<String, Vec<String>>;

impl Known {
    /// What all platforms would do under this image.
    ///
    /// # Errors
    /// Where that is not an image with a version.
    pub fn preview_under(&self, image: &str) -> Result<String, AskError> {
        let next = under(&self.installation, image)?;
        let mut fleet = FleetDifference::default();
        let (mut risks, mut restarts, mut objects) = (Alike::new(), Alike::new(), Alike::new());
        let mut refused = Alike::new();
        for (name, why) in &self.unreadable {
            fleet.refuse(name);
            note(&mut refused, name, &[why]);
        }
        for (name, blueprint) in &self.blueprints {
            let (old, new) = (
                self.installation_for(&self.installation, blueprint),
                self.installation_for(&next, blueprint),
            );
            match (self.plan(blueprint, &old), self.plan(blueprint, &new)) {
                (Ok(now), Ok(then)) => {
                    let found = difference(&now, &then);
                    fleet.add(name, &found);
                    note(&mut risks, name, &found.risks);
                    note(&mut restarts, name, &found.restarts);
                    note(&mut objects, name, &lines(&found));
                }
                (_, Err(why)) | (Err(why), Ok(_)) => {
                    fleet.refuse(name);
                    note(&mut refused, name, &[why]);
                }
            }
        }
        let mut lines = vec![fleet.to_string().trim_end().to_owned()];
        lines.extend(section("Data at risk", risks, true));
        lines.extend(section("Starts again", restarts, false));
        lines.extend(section("Objects", objects, false));
        lines.extend(section("Refused as it stands", refused, true));
        Ok(lines.join("\n") + "\n")
    }
}

/// The installation, whose platforms run this image.
fn under(installation: &Installation, image: &str) -> Result<Installation, AskError> {
    let mut next = installation.clone();
    let version = match image.rsplit_once(':') {
        Some((image, version)) if !version.contains('/') => {
            image.clone_into(&mut next.images.runtime);
            version
        }
        _ => image,
    };
    next.version = version.parse().map_err(|_| {
        AskError::Not(format!(
            "{image} names no version such as 1.5.0: give registry.example/runtime:1.5.0, or 1.5.0"
        ))
    })?;
    Ok(next)
}

fn note(alike: &mut Alike, name: &str, words: &[impl ToString]) {
    for word in words {
        alike.entry(word.to_string()).or_default().push(name.to_owned());
    }
}

/// Each object that would change, or each field of it.
fn lines(difference: &Difference) -> Vec<String> {
    let of = |change: &ObjectChange| match change {
        ObjectChange::Changed(id, fields) => {
            fields.iter().map(|field| format!("~ {id} {field}")).collect()
        }
        other => vec![other.to_string()],
    };
    difference.objects.iter().flat_map(of).collect()
}

/// What most platforms have in common first.
fn section(title: &str, alike: Alike, with_names: bool) -> Vec<String> {
    if alike.is_empty() {
        return Vec::new();
    }
    let mut alike: Vec<_> = alike.into_iter().collect();
    alike.sort_by(|(one, some), (other, others)| {
        others.len().cmp(&some.len()).then_with(|| one.cmp(other))
    });
    let mut lines = vec![format!("{title}:")];
    for (words, names) in alike.iter().take(TOLD) {
        let who = match names.len() {
            count if with_names && count <= NAMED => names.join(", "),
            1 => "1 platform".to_owned(),
            count => format!("{count} platforms"),
        };
        lines.push(format!("  {words}: {who}"));
    }
    if alike.len() > TOLD {
        lines.push(format!("  and {} more", alike.len() - TOLD));
    }
    lines
}

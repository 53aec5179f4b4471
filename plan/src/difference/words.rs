//! A difference as people read it.

use std::fmt;

use super::{Difference, FieldChange, FleetDifference, Manner, ObjectChange, Restart, Risk};

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "Nothing changes.");
        }
        if self.paused {
            writeln!(f, "Paused: nothing of this is done until spec.paused is false.")?;
        }
        section(f, "The blueprint", &self.blueprint)?;
        section(f, "Data at risk", &self.risks)?;
        section(f, "Starts again", &self.restarts)?;
        section(f, "Objects", &self.objects)
    }
}

fn section(f: &mut fmt::Formatter<'_>, title: &str, lines: &[impl fmt::Display]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title}:")?;
    lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
}

impl fmt::Display for ObjectChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made(id) => write!(f, "+ {id}"),
            Self::Removed(id) => write!(f, "- {id}"),
            Self::Changed(id, fields) => {
                write!(f, "~ {id}")?;
                fields.iter().try_for_each(|field| write!(f, "\n      {field}"))
            }
        }
    }
}

/// A text of several lines, or a very long one, is not shown whole.
const SHOWN: usize = 100;

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &serde_json::Value| {
            let text = value.to_string();
            if text.len() > SHOWN { format!("a text of {} bytes", text.len()) } else { text }
        };
        let Self { path, origin, .. } = self;
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                write!(f, "{path}: {} -> {} ({origin})", text(before), text(after))
            }
            (None, Some(after)) => write!(f, "{path}: added {} ({origin})", text(after)),
            (Some(before), None) => write!(f, "{path}: removed {} ({origin})", text(before)),
            (None, None) => f.write_str(path),
        }
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let manner = match self.manner {
            Manner::Rolling => "new copies serve before old ones go",
            Manner::Away => "it is away meanwhile",
            Manner::Stopped => "it stops",
        };
        write!(f, "{}: {manner}", self.object)?;
        let mut causes: Vec<_> =
            self.because.iter().map(|field| field.origin.to_string()).collect();
        causes.sort();
        causes.dedup();
        if causes.is_empty() { Ok(()) } else { write!(f, " ({})", causes.join("; ")) }
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moves { from, to } => write!(
                f,
                "the data goes from {from} to {to} by an export and an import; nothing is \
                 written meanwhile"
            ),
            Self::RemovedAfterDeletion => f.write_str(
                "once the platform is deleted, its data is removed 30 days later; so far it stayed",
            ),
            Self::Forgotten { before: None, days } => write!(
                f,
                "conversations older than {days} days are removed for good; so far they stayed"
            ),
            Self::Forgotten { before: Some(before), days } => write!(
                f,
                "conversations older than {days} days are removed for good; so far older than \
                 {before}"
            ),
            Self::Region { before, after } => {
                let before = before.as_deref().unwrap_or("any region");
                write!(
                    f,
                    "data must stay in {after}, and so far could be in {before}: what is not \
                     there yet is moved by an export and an import"
                )
            }
            Self::OlderVersion { before, after } => write!(
                f,
                "version {after} runs on tables that {before} may have changed; take an export \
                 first"
            ),
            Self::Gone { object } => {
                write!(f, "{object} goes with the data that is on it; take an export first")
            }
        }
    }
}

impl fmt::Display for FleetDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { platforms, unchanged, restarted, away, at_risk, refused, look_at } = self;
        let all = if *platforms == 1 { "platform" } else { "platforms" };
        writeln!(
            f,
            "{platforms} {all}: {unchanged} unchanged, {restarted} started again ({away} away \
             meanwhile), {at_risk} with data at risk, {refused} refused"
        )?;
        if look_at.is_empty() { Ok(()) } else { writeln!(f, "Look at: {}", look_at.join(", ")) }
    }
}

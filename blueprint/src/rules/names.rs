//! Names: of the platform, its template, its parts, its domains.

use super::{Rule, cel_list, nearest, pattern, rule};
use crate::{
    name::{RESERVED, is_name_label, suggestion},
    templates::KNOWN,
    text::{is_domain, is_label},
};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        rule(
            &[""],
            "the name is not 1 to 40 lowercase letters, digits and inner hyphens",
            "self.metadata.name.size() <= 40 && !self.metadata.name.startsWith('xn--') && \
             self.metadata.name.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            |here, faults| {
                if let Some(name) = here["metadata"]["name"].as_str()
                    && !is_name_label(name)
                {
                    faults.add("metadata.name", suggestion(name));
                }
            },
        )
        .at("metadata.name"),
        rule(
            &[""],
            "the name is reserved",
            format!("!(self.metadata.name in {})", cel_list(RESERVED)),
            |here, faults| {
                if let Some(name) = here["metadata"]["name"].as_str()
                    && RESERVED.contains(&name)
                {
                    faults.add("metadata.name", format!("another name, such as my-{name}"));
                }
            },
        )
        .at("metadata.name"),
        rule(
            &["spec.template.name"],
            "there is no such template",
            format!("self in {}", cel_list(KNOWN)),
            |here, faults| {
                faults.text(here, |name| KNOWN.contains(&name), |name| one_of(name, &KNOWN));
            },
        ),
        pattern(
            &["spec.organization", "spec.governance.dataResidency", "spec.monetization.tiers[].id"],
            "is not made of lowercase letters, digits and inner hyphens",
            "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
            |here, faults| faults.text(here, is_label, suggestion),
        ),
        rule(
            &["spec.identity.languages", "spec.domains"],
            "is there twice",
            "self.all(item, self.exists_one(other, other == item))",
            |here, faults| faults.unique(here, None),
        ),
        pattern(
            &["spec.domains[]"],
            "is not a lowercase domain name",
            "^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?[.])+[a-z]([-a-z0-9]{0,61}[a-z0-9])$",
            |here, faults| faults.text(here, is_domain, domain),
        ),
    ]
}

/// The nearest of a few words, or all of them.
fn one_of(written: &str, known: &[&str]) -> String {
    let near = nearest(written, known.iter().copied());
    near.map_or_else(|| format!("one of {}", known.join(", ")), ToOwned::to_owned)
}

/// The name inside whatever was pasted: without scheme, path and port, lowercase, in `xn--` form.
fn domain(written: &str) -> String {
    let host = written.trim().rsplit("://").next().unwrap_or_default();
    let host = host.split(['/', ':', '?', '#']).next().unwrap_or_default();
    let host = host.trim_start_matches("*.").trim_end_matches('.');
    match url::Host::parse(host) {
        Ok(url::Host::Domain(name)) if is_domain(&name) => name,
        _ => "a name such as chat.example.com".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_found_in_what_was_pasted() {
        assert_eq!(domain("https://Chat.Example.com:8443/path"), "chat.example.com");
        assert_eq!(domain("*.münchen.de."), "xn--mnchen-3ya.de");
        assert_eq!(domain("localhost"), "a name such as chat.example.com");
    }
}

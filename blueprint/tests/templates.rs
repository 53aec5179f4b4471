//! The templates' content keeps its promises.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use blueprint::{
    BlueprintName, Colour, Overrides, Template, from_template,
    plan::PlanName,
    templates::{self, from_template_with},
};
use serde_json::json;

fn named(name: &str) -> Overrides {
    Overrides::named(name.parse().unwrap())
}

/// Every text of a template, with where it stands.
fn texts(template: &Template) -> Vec<(String, String)> {
    let mut texts = vec![
        ("README.md".to_owned(), template.readme.clone()),
        ("template.yaml".to_owned(), format!("{} {}", template.title, template.summary)),
        ("blueprint.yaml".to_owned(), template.defaults.to_string()),
    ];
    for agent in &template.seed.agents {
        let text = format!("{agent:?}");
        texts.push((agent.slug.clone(), text));
    }
    for page in &template.seed.pages {
        texts.push((page.slug.clone(), format!("{}\n{}", page.title, page.markdown)));
    }
    for file in &template.brand {
        texts.push((file.path.clone(), String::from_utf8(file.bytes.to_vec()).unwrap()));
    }
    texts
}

#[test]
fn they_are_what_the_requirements_ask_for() {
    let made = |name| from_template(templates::get(name).unwrap(), &named("harbour")).unwrap().spec;
    let tiers = |name| -> Vec<_> {
        made(name).monetization.tiers.iter().map(|tier| tier.id.to_string()).collect()
    };
    assert_eq!(tiers("creator"), ["free", "pro", "enterprise"]);
    assert_eq!(tiers("education"), ["basic", "premium", "family"]);
    assert_eq!(made("creator").monetization.creator_share_bps.get(), 7000);
    let safety = |name| serde_json::to_value(made(name).ai.safety).unwrap();
    assert_eq!(
        ["creator", "business", "education"].map(safety),
        ["moderate", "maximum", "maximum"]
    );
    let education = made("education");
    assert!(education.features.parent_dashboard && education.features.gamification);
    assert!(education.ai.age_rules.is_some_and(|rules| rules.age_appropriate_answers));
    let business = made("business");
    assert!(business.features.data_agents && business.features.compliance_reporting);
}

#[test]
fn every_plan_can_begin_with_each_of_them() {
    for template in templates::all() {
        for plan in PlanName::ALL {
            let made = from_template(template, &Overrides { plan: Some(plan), ..named("harbour") })
                .unwrap();
            let asked = blueprint::entitlement_problems(&made, &plan.entitlements());
            assert!(asked.is_empty(), "{} on {plan}: {asked:?}", template.name);
        }
    }
}

#[test]
fn agents_are_short_and_say_that_they_are_an_ai() {
    for template in templates::all() {
        assert!(template.seed.agents.len() >= 3);
        for agent in &template.seed.agents {
            let at = format!("{}/{}", template.name, agent.slug);
            assert!(agent.instructions.contains("You are an AI"), "{at}");
            assert!(agent.instructions.len() < 900, "{at}: too long for a small model");
            assert!((3..=4).contains(&agent.starters.len()), "{at}");
            assert!(!agent.description.is_empty() && !agent.name.is_empty(), "{at}");
        }
    }
}

#[test]
fn pages_begin_with_home_and_have_the_legal_ones() {
    for template in templates::all() {
        let slugs: Vec<_> = template.seed.pages.iter().map(|page| page.slug.as_str()).collect();
        assert_eq!(slugs, ["home", "about", "terms", "privacy"], "{}", template.name);
        for page in &template.seed.pages {
            assert!(!page.title.is_empty() && page.markdown.len() > 200, "{}", page.slug);
        }
    }
}

#[test]
fn nothing_names_the_factory_or_waits_to_be_filled_in() {
    for template in templates::all() {
        for (at, text) in texts(template) {
            let text = text.to_lowercase();
            for word in ["soulfra", "lorem", "todo", "{{", "tbd", "your company name"] {
                assert!(!text.contains(word), "{}/{at} has `{word}`", template.name);
            }
        }
    }
}

#[test]
fn nothing_promises_what_is_not_there_yet() {
    for template in templates::all() {
        for (at, text) in texts(template) {
            let text = text.to_lowercase();
            // Agents of members, shops, documents, trying a draft, progress, a page for parents.
            for promise in [
                "agent of your own",
                "agents of your own",
                "my first agent",
                "sell ",
                "own knowledge",
                "our documents",
                "their source",
                "try it and publish",
                "try them and publish",
                "progress",
                "for parents",
            ] {
                assert!(!text.contains(promise), "{}/{at} has `{promise}`", template.name);
            }
        }
    }
}

#[test]
fn the_logo_is_there_and_has_no_script() {
    for template in templates::all() {
        let made = from_template(template, &named("harbour")).unwrap();
        let logo = made.spec.identity.branding.logo.unwrap();
        let file = template.brand.iter().find(|file| file.path == logo).unwrap();
        let svg = std::str::from_utf8(file.bytes).unwrap();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
        for word in ["script", "href", "style", "foreignObject", "on load"] {
            assert!(!svg.contains(word), "{}: {word}", template.name);
        }
    }
}

/// WCAG 2.2, relative luminance.
fn luminance(colour: &Colour) -> f64 {
    let channel = |at: usize| {
        let value =
            f64::from(u8::from_str_radix(&colour.as_str()[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(a: &Colour, b: &Colour) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn colours_can_be_read_in_light_and_dark() {
    for template in templates::all() {
        let made = from_template(template, &named("harbour")).unwrap();
        let light = made.spec.identity.branding.palette.unwrap();
        let dark = light.dark.unwrap();
        let light = [
            &light.background.unwrap(),
            &light.surface.unwrap(),
            &light.text.unwrap(),
            &light.primary,
            &light.accent,
        ]
        .map(Clone::clone);
        let dark = [dark.background, dark.surface, dark.text, dark.primary, dark.accent]
            .map(Option::unwrap);
        for [background, surface, text, primary, accent] in [light, dark] {
            for behind in [&background, &surface] {
                for front in [&text, &primary, &accent] {
                    let contrast = contrast(front, behind);
                    assert!(
                        contrast >= 4.5,
                        "{}: {front} on {behind} is {contrast:.2}",
                        template.name
                    );
                }
            }
        }
    }
}

#[test]
fn what_a_person_says_goes_over_the_template() {
    let creator = templates::get("creator").unwrap();
    let overrides = Overrides {
        display_name: Some("Harbour".into()),
        plan: Some(PlanName::Business),
        domain: Some("harbour.example".into()),
        model: Some("smollm2-135m".into()),
        ..named("harbour-radio")
    };
    let made = from_template(creator, &overrides).unwrap();
    assert_eq!(made.platform_name(), "harbour-radio".parse());
    let spec = &made.spec;
    assert_eq!(spec.identity.display_name, "Harbour");
    assert_eq!(spec.identity.tagline.as_deref(), Some("AI agents with a voice of their own"));
    assert_eq!(spec.domains, ["harbour.example".parse().unwrap()]);
    assert_eq!(spec.plan, Some(PlanName::Business));
    assert_eq!(spec.ai.default_model.as_deref(), Some("smollm2-135m"));
    let template = spec.template.as_ref().unwrap();
    assert_eq!((template.name.as_str(), &template.version), ("creator", &creator.version));
    assert_eq!(
        from_template(creator, &named("harbour-radio")).unwrap().spec.identity.display_name,
        "Harbour Radio"
    );
}

#[test]
fn what_a_person_says_wrong_is_told_with_its_path() {
    let creator = templates::get("creator").unwrap();
    let overrides = Overrides {
        domain: Some("https://Harbour.example/".into()),
        display_name: Some("  ".into()),
        ..named("harbour")
    };
    let problems = from_template(creator, &overrides).unwrap_err();
    let told: Vec<_> =
        problems.iter().map(|problem| (problem.path.as_str(), problem.instead.as_str())).collect();
    assert_eq!(
        told,
        [("spec.domains[0]", "harbour.example"), ("spec.identity.displayName", "a few words")]
    );
}

#[test]
fn null_takes_a_default_of_the_template_away() {
    let name: BlueprintName = "harbour".parse().unwrap();
    let over = json!({
        "identity": { "displayName": "Harbour", "tagline": null },
        "monetization": { "tiers": null, "pricingStrategy": "custom" },
        "features": { "tips": false },
    });
    let made = from_template_with(templates::get("creator").unwrap(), &name, &over).unwrap().spec;
    assert_eq!(made.identity.tagline, None);
    assert!(made.monetization.tiers.is_empty());
    assert!(!made.features.tips && made.features.memory);
}

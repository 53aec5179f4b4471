//! The icon of a brand that brought none: its first letter on its colour.

use super::Palette;

pub(super) fn svg(name: &str, palette: &Palette, radius_px: u8) -> String {
    let letter = name
        .chars()
        .find(|c| c.is_alphanumeric())
        .map_or_else(|| "•".to_owned(), |c| handlebars::html_escape(&c.to_uppercase().to_string()));
    let radius = f64::from(radius_px.min(24)) * 1.3;
    let (ground, text) = (palette.get("primary"), palette.get("on-primary"));
    format!(
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">"#,
            r#"<rect width="64" height="64" rx="{radius}" fill="{ground}"/>"#,
            r#"<text x="32" y="34" fill="{text}" font-family="system-ui,sans-serif" font-size="36" "#,
            r#"font-weight="600" text-anchor="middle" dominant-baseline="central">{letter}</text></svg>"#,
        ),
        radius = radius,
        ground = ground,
        text = text,
        letter = letter,
    )
}

#[cfg(test)]
mod tests {
    use crate::Color;
    use crate::brand::{Brand, Theme, tests::input};

    #[test]
    fn an_icon_shows_the_first_letter_and_no_markup_of_the_name() {
        let mut brand = input(Color::rgb(29, 78, 216), None, Theme::Auto);
        brand.name = "<b>élan".to_owned();
        assert!(Brand::mended(brand.clone()).icon().contains(">B</text>"));
        brand.name = "✨ \"élan\"".to_owned();
        assert!(Brand::mended(brand).icon().contains(">É</text>"));
    }
}

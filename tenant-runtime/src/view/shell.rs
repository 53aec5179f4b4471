//! What surrounds every page: brand, navigation, who is signed in.

use accounts::sessions::SignedIn;
use accounts::{Permission, Role};
use pages::parts::Avatar;
use pages::{NavItem, Page, Person};
use serde::Serialize;

use crate::app::App;
use crate::site::Picture;

/// A page of the site with its body. `path` is where the reader is.
pub fn page<C: Serialize>(
    app: &App,
    signed_in: Option<&SignedIn>,
    path: &str,
    title: &str,
    body: C,
) -> Page<C> {
    let site = app.site();
    let logo = site.logo.as_ref().map(Picture::href);
    let mut page = Page::new(site.brand.view(logo), title, body).in_language(site.language());
    page.nav.push(NavItem::new("Agents", "/", path));
    if let Some(SignedIn { person, .. }) = signed_in {
        page.nav.push(NavItem::new("Conversations", "/conversations", path));
        let mut menu = vec![NavItem::new("Your account", "/account", path)];
        if person.role.may(Permission::ManagePlatform) {
            menu.push(NavItem::new("Admin", "/admin", path));
        }
        page.person = Some(Person {
            name: person.display_name.to_string(),
            role: role_name(person.role).to_owned(),
            avatar: Avatar::of(person.display_name.as_str()),
            menu,
            sign_out_href: "/signout".to_owned(),
        });
    } else {
        page.sign_in_href = Some("/signin".to_owned());
    }
    page.footer_links = site
        .pages
        .iter()
        .filter(|reading| reading.slug != "home")
        .map(|reading| NavItem::new(&reading.title, &format!("/pages/{}", reading.slug), path))
        .collect();
    if !site.entitlements.white_label {
        page.footer_line = Some("Made with Soulfra".to_owned());
    }
    page
}

/// A page of the admin portal.
pub fn admin_page<C: Serialize>(
    app: &App,
    signed_in: &SignedIn,
    path: &str,
    title: &str,
    body: C,
) -> Page<C> {
    let mut page = page(app, Some(signed_in), path, title, body);
    page.nav = [
        ("Home", "/admin"),
        ("Agents", "/admin/agents"),
        ("People", "/admin/people"),
        ("Brand", "/admin/brand"),
        ("Back to the site", "/"),
    ]
    .map(|(label, href)| {
        let mut item = NavItem::new(label, href, path);
        // The portal's home is current only on itself, not on every page below it.
        item.current &= href != "/admin" || path == "/admin";
        item
    })
    .to_vec();
    page
}

/// A role in words.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner",
        Role::Admin => "Admin",
        Role::Moderator => "Moderator",
        Role::Creator => "Creator",
        Role::User => "User",
        Role::Parent => "Parent",
        Role::Child => "Child",
    }
}

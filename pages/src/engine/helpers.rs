//! The few helpers that templates have beside handlebars' own (`if`, `each`, `with`, `eq`,
//! `and`, `or`, `not`, ...): `asset`, `icon`, `html`, `date`, `moment`, `plural`.

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderErrorReason,
};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

use crate::{assets, html::MARK};

pub(super) fn register(handlebars: &mut Handlebars<'static>) {
    let mut add = |name, write| handlebars.register_helper(name, Box::new(Write(write)));
    add("asset", asset);
    add("icon", icon);
    add("html", html);
    add("date", |values| when(values, "%-d %B %Y"));
    add("moment", |values| when(values, "%-d %B %Y, %H:%M UTC"));
    add("plural", plural);
}

type Written = Result<String, String>;

/// A helper that writes what it makes of its parameters as it is: each sees to escaping.
struct Write(fn(&[&Value]) -> Written);

impl HelperDef for Write {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let values: Vec<_> = helper.params().iter().map(handlebars::PathAndJson::value).collect();
        let text = (self.0)(&values)
            .map_err(|what| RenderErrorReason::Other(format!("{}: {what}", helper.name())))?;
        Ok(out.write(&text)?)
    }
}

/// `{{asset "base.css"}}`: where a file of ours is served.
fn asset(values: &[&Value]) -> Written {
    let [Value::String(name)] = values else { return Err("takes a file's name".to_owned()) };
    assets::href(name).map(str::to_owned).ok_or_else(|| format!("there is no {name}"))
}

/// `{{icon "send"}}`: a drawing beside a word; it says nothing of its own.
fn icon(values: &[&Value]) -> Written {
    let [Value::String(name)] = values else { return Err("takes an icon's name".to_owned()) };
    let path = match name.as_str() {
        "alert" => "M12 8v5m0 3.5v.1M12 3 2.5 20h19z",
        "check" => "m5 12.5 4.5 4.5L19 7.5",
        "chat" => "M4 5h16v11H9l-5 4z",
        "copy" => "M9 9h11v11H9zM5 15H4V4h11v1",
        "down" => "m6 9 6 6 6-6",
        "menu" => "M4 6h16M4 12h16M4 18h16",
        "next" => "m9 6 6 6-6 6",
        "plus" => "M12 5v14M5 12h14",
        "send" => "M12 19V5m-6 6 6-6 6 6",
        "stop" => "M7 7h10v10H7z",
        _ => return Err(format!("there is no icon {name}")),
    };
    Ok(format!(
        concat!(
            r#"<svg class="icon" viewBox="0 0 24 24" width="20" height="20" fill="none" "#,
            r#"stroke="currentColor" stroke-width="2" stroke-linecap="round" "#,
            r#"stroke-linejoin="round" aria-hidden="true" focusable="false"><path d="{}"/></svg>"#,
        ),
        path
    ))
}

/// `{{html body.answer}}`: writes an [`crate::Html`], and nothing else.
fn html(values: &[&Value]) -> Written {
    match values {
        [Value::Object(fields)] if fields.len() == 1 => fields.get(MARK).and_then(Value::as_str),
        _ => None,
    }
    .map(str::to_owned)
    .ok_or_else(|| "takes an Html and nothing else".to_owned())
}

/// `{{date at}}`, `{{moment at}}`: an RFC 3339 time, in UTC.
fn when(values: &[&Value], format: &str) -> Written {
    let [Value::String(text)] = values else { return Err("takes an RFC 3339 time".to_owned()) };
    let at: Timestamp = text.parse().map_err(|error| format!("{error}"))?;
    let at = at.to_zoned(TimeZone::UTC);
    Ok(format!(
        "<time datetime=\"{}\">{}</time>",
        at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        at.strftime(format)
    ))
}

/// `{{plural count "agent" "agents"}}`: the count and the word that fits it.
fn plural(values: &[&Value]) -> Written {
    let [Value::Number(count), Value::String(one), Value::String(many)] = values else {
        return Err("takes a whole number, the word for one and the word for more".to_owned());
    };
    let count = count.as_i64().ok_or_else(|| "takes a whole number".to_owned())?;
    let word = if count == 1 { one } else { many };
    Ok(format!("{} {}", thousands(count), handlebars::html_escape(word)))
}

/// A number with a comma at each thousand.
fn thousands(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = String::from(if count < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

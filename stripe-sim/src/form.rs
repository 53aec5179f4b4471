//! Forms in bracket notation: `items[0][price]=price_1&expand[]=customer`.

use url::form_urlencoded;

/// A form as it was written: everything is text, and what is inside is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text(String),
    /// In the order in which names first came. `[]` is named by the next number.
    Inner(Vec<(String, Form)>),
}

/// Reads a query or a body; the name that makes no sense is the error.
pub(crate) fn parse(text: &[u8]) -> Result<Vec<(String, Form)>, String> {
    let mut form = Form::Inner(Vec::new());
    for (name, value) in form_urlencoded::parse(text) {
        let path = path(&name).ok_or_else(|| name.to_string())?;
        put(&mut form, &path, value.into_owned()).ok_or_else(|| name.to_string())?;
    }
    match form {
        Form::Inner(inner) => Ok(inner),
        Form::Text(_) => Ok(Vec::new()),
    }
}

/// `a[b][]` as `a`, `b` and nothing.
fn path(name: &str) -> Option<Vec<&str>> {
    let Some((first, rest)) = name.split_once('[') else { return Some(vec![name]) };
    if first.is_empty() {
        return None;
    }
    let inner = rest.strip_suffix(']')?;
    let mut path = vec![first];
    path.extend(inner.split("]["));
    path.iter().all(|part| !part.contains(['[', ']'])).then_some(path)
}

fn put(form: &mut Form, path: &[&str], value: String) -> Option<()> {
    let Some((&name, rest)) = path.split_first() else {
        *form = Form::Text(value);
        return Some(());
    };
    let Form::Inner(inner) = form else { return None };
    let name = if name.is_empty() { inner.len().to_string() } else { name.to_owned() };
    let place = inner.iter().position(|(known, _)| *known == name).unwrap_or(inner.len());
    if place == inner.len() {
        inner.push((name, Form::Inner(Vec::new())));
    }
    put(&mut inner.get_mut(place)?.1, rest, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Form {
        Form::Text(value.to_owned())
    }

    fn inner(pairs: &[(&str, Form)]) -> Form {
        let named = |(name, form): &(&str, Form)| ((*name).to_owned(), form.clone());
        Form::Inner(pairs.iter().map(named).collect())
    }

    #[test]
    fn brackets_nest() {
        let form =
            parse(b"items[0][price]=p1&items[0][quantity]=2&items[1][price]=p2&a=1").unwrap();
        let first = inner(&[("price", text("p1")), ("quantity", text("2"))]);
        let second = inner(&[("price", text("p2"))]);
        let items = inner(&[("0", first), ("1", second)]);
        assert_eq!(Form::Inner(form), inner(&[("items", items), ("a", text("1"))]));
    }

    #[test]
    fn empty_brackets_count() {
        let form = parse(b"expand[]=a&expand[]=b%5B").unwrap();
        let expand = inner(&[("0", text("a")), ("1", text("b["))]);
        assert_eq!(Form::Inner(form), inner(&[("expand", expand)]));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for bad in ["a[b", "[a]=1", "a[b[c]]=1", "a=1&a[b]=2"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

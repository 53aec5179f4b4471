//! Lists in pages: each says where the next one begins.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Entries of a page, where nothing is said.
const USUAL: u16 = 50;
/// At most.
const MOST: u16 = 100;
/// The longest text that a page may begin behind.
const LONGEST: usize = 300;

/// Which page of a list is asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// `next` of the page before; left out: the first one.
    pub after: Option<String>,
    /// Entries at most, from 1 to 100; left out: 50.
    pub limit: Option<u16>,
}

/// A page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// In the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; not there: this is the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What is asked for cannot be a page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPage {
    /// Nobody was told of such a beginning.
    #[error("`after` is not what a page before gave as `next`")]
    After,
    /// Too few or too many.
    #[error("`limit` is from 1 to {MOST}")]
    Limit,
}

impl Wanted {
    /// What the page begins behind, and how many entries it has.
    ///
    /// # Errors
    /// [`NoPage`]
    pub fn read(&self) -> Result<(Option<String>, usize), NoPage> {
        let limit = self.limit.unwrap_or(USUAL);
        if limit == 0 || limit > MOST {
            return Err(NoPage::Limit);
        }
        let after = self.after.as_ref().map(|text| {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() <= LONGEST);
            bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(NoPage::After)
        });
        Ok((after.transpose()?, usize::from(limit)))
    }
}

impl<T> Page<T> {
    /// Of entries of which one more was read than there are to be, which tells that there are more.
    pub fn of(mut items: Vec<T>, limit: usize, place: impl Fn(&T) -> String) -> Self {
        let is_last = items.len() <= limit;
        items.truncate(limit);
        let next = items.last().filter(|_| !is_last);
        let next = next.map(|last| URL_SAFE_NO_PAD.encode(place(last)));
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another_to_the_end() {
        let all: Vec<u32> = (0..7).collect();
        let (mut seen, mut wanted) = (Vec::new(), Wanted { after: None, limit: Some(3) });
        for _ in 0..3 {
            let (after, limit) = wanted.read().unwrap();
            let from = after.map_or(0, |after| after.parse::<usize>().unwrap() + 1);
            let read = all.iter().skip(from).take(limit + 1).copied().collect();
            let page = Page::of(read, limit, ToString::to_string);
            seen.extend(page.items);
            wanted.after = page.next;
        }
        assert_eq!((seen, wanted.after), (all, None));
    }

    #[test]
    fn what_can_be_no_page_is_refused() {
        let read =
            |after: Option<&str>, limit| Wanted { after: after.map(str::to_owned), limit }.read();
        assert_eq!(read(Some("%"), None), Err(NoPage::After));
        assert_eq!(read(None, Some(0)), Err(NoPage::Limit));
        assert_eq!(read(None, Some(101)), Err(NoPage::Limit));
        assert_eq!(read(None, None), Ok((None, 50)));
    }
}

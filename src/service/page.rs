//! Page tokens: where a list goes on.
//!
//! A token holds a hash of the list it belongs to and the last item's key, so a token of another
//! list is refused instead of skipping items. Callers must treat it as opaque.

use crate::lang::hex::hex;
use crate::node::{NodeError, hash_digits, shorten};

use super::proto;

/// Items of a page unless the caller says otherwise.
const PAGE_SIZE_DEFAULT: u32 = 50;
/// Most items of a page.
const PAGE_SIZE_MAX: u32 = 200;
const HASH_DIGITS: usize = 8;

/// One page of one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    list: String,
    /// The key of the last item of the page before; none for the first page.
    pub(super) after: Option<String>,
    /// Most items.
    pub(super) limit: usize,
}

impl Page {
    /// Reads the request's page. `list` names the list with everything that decides its items.
    pub(super) fn read(page: Option<proto::PageRequest>, list: &str) -> Result<Self, NodeError> {
        let proto::PageRequest { page_size, page_token } = page.unwrap_or_default();
        if page_size > PAGE_SIZE_MAX {
            return Err(NodeError::OverLimit {
                field: "page.page_size".to_owned(),
                unit: "items",
                limit: to_usize(PAGE_SIZE_MAX),
                actual: to_usize(page_size),
            });
        }
        let limit = to_usize(if page_size == 0 { PAGE_SIZE_DEFAULT } else { page_size });
        let list = hash_digits(list, HASH_DIGITS);
        let after = if page_token.is_empty() {
            None
        } else {
            let after = page_token.strip_prefix(&list).and_then(unhex);
            Some(after.ok_or_else(|| NodeError::BadPageToken { token: shorten(&page_token) })?)
        };
        Ok(Self { list, after, limit })
    }

    /// The number after which the page begins.
    pub(super) fn after_number(&self) -> Result<Option<u64>, NodeError> {
        let Some(after) = &self.after else { return Ok(None) };
        let number = after.parse();
        number.map(Some).map_err(|_| NodeError::BadPageToken { token: shorten(after) })
    }

    /// The token of the page after the one that ends with this key; empty when there is none.
    pub(super) fn token(&self, last: Option<&str>) -> String {
        let Some(last) = last else { return String::new() };
        format!("{}{}", self.list, hex(last.as_bytes()))
    }

    /// One page of items that stand in ascending order of a number.
    pub(super) fn cut<'a, T>(
        &self,
        items: impl Iterator<Item = &'a T>,
        number: impl Fn(&T) -> u64,
    ) -> Result<(Vec<&'a T>, String), NodeError> {
        let after = self.after_number()?;
        let mut later = items.filter(|item| after.is_none_or(|after| number(item) > after));
        let page: Vec<&T> = later.by_ref().take(self.limit).collect();
        let last = page.last().map(|item| number(item).to_string());
        let token = match later.next() {
            Some(_) => self.token(last.as_deref()),
            None => String::new(),
        };
        Ok((page, token))
    }

    /// One page of items that stand in ascending order of a text.
    pub(super) fn cut_by<'a, T>(
        &self,
        items: impl Iterator<Item = &'a T>,
        text: impl Fn(&T) -> &str,
    ) -> (Vec<&'a T>, String) {
        let after = self.after.as_deref();
        let mut later = items.filter(|item| after.is_none_or(|after| text(item) > after));
        let page: Vec<&T> = later.by_ref().take(self.limit).collect();
        let token = match later.next() {
            Some(_) => self.token(page.last().map(|item| text(item))),
            None => String::new(),
        };
        (page, token)
    }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn unhex(hex: &str) -> Option<String> {
    let digits: Option<Vec<u8>> =
        hex.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits?;
    let bytes: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(high << 4 | low),
            _ => None,
        })
        .collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(size: u32, token: &str, list: &str) -> Result<Page, NodeError> {
        let page = proto::PageRequest { page_size: size, page_token: token.to_owned() };
        Page::read(Some(page), list)
    }

    #[test]
    fn a_list_is_cut_into_pages_without_loss() {
        let items: Vec<u64> = (1..=7).collect();
        let mut token = String::new();
        let mut seen = Vec::new();
        loop {
            let page = read(3, &token, "groups 1").unwrap();
            let (found, next) = page.cut(items.iter(), |item| *item).unwrap();
            seen.extend(found.into_iter().copied());
            token = next;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, items);
    }

    #[test]
    fn a_token_of_another_list_or_none_at_all_is_refused() {
        let token = read(3, "", "groups 1").unwrap().token(Some("群"));
        assert_eq!(read(3, &token, "groups 1").unwrap().after.as_deref(), Some("群"));
        for bad in [read(3, &token, "groups 2"), read(3, "zz", "groups 1"), read(3, "群", "x")] {
            assert!(matches!(bad, Err(NodeError::BadPageToken { .. })));
        }
        let text = read(3, "", "l").unwrap().token(Some("x"));
        assert!(read(3, &text, "l").unwrap().after_number().is_err());
        assert!(matches!(read(201, "", "l"), Err(NodeError::OverLimit { limit: 200, .. })));
        assert_eq!(read(0, "", "l").unwrap().limit, 50);
    }
}

//! The items of a list, one at a time, while the answer is still arriving.
//!
//! Only the boundaries of items are looked for here. Each item is handed on as soon as it is complete, and the rest
//! of the document is kept with a placeholder for it; that rest is small, and is parsed in the end. So nothing is held
//! twice, nothing that is malformed is let through, and the parser works on slices, where it is fastest.

use memchr::memchr2;
use serde::{Deserialize, Deserializer};

/// Finds the items in the pieces of a list.
#[derive(Debug, Default)]
pub(crate) struct ItemScanner {
    depth: usize,
    text: Text,
    /// The last string of the document's own level: a key, when a colon follows.
    word: Vec<u8>,
    /// Whether the value that comes now is that of the key `items`.
    at_items: bool,
    in_items: bool,
    /// The beginning of an item whose end has not arrived.
    item: Vec<u8>,
    rest: Vec<u8>,
    count: usize,
}

/// Whether a string is being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Text {
    #[default]
    Outside,
    Inside,
    AfterBackslash,
}

/// Where items are in the document: in a list in an object.
const ITEM_DEPTH: usize = 2;

impl ItemScanner {
    /// Takes the next piece and calls `each` for every item that it completes.
    ///
    /// # Errors
    /// The first of `each`.
    pub(crate) fn feed<E>(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        // From where on the bytes belong to what is being read: an item, or the rest.
        let mut from = 0;
        let mut at = 0;
        while at < piece.len() {
            if self.text != Text::Outside {
                at = self.skip_string(piece, at);
                continue;
            }
            match piece[at] {
                b'"' => {
                    self.text = Text::Inside;
                    self.word.clear();
                }
                open @ (b'{' | b'[') => {
                    if self.in_items && self.depth == ITEM_DEPTH && open == b'{' {
                        self.rest.extend_from_slice(&piece[from..at]);
                        from = at;
                    } else if self.depth == 1 && open == b'[' && self.at_items {
                        self.in_items = true;
                    }
                    self.depth += 1;
                }
                close @ (b'}' | b']') => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.in_items && self.depth == ITEM_DEPTH && close == b'}' {
                        self.complete(&piece[from..=at], &mut each)?;
                        from = at + 1;
                    } else if self.depth < ITEM_DEPTH {
                        self.in_items = false;
                    }
                }
                b':' if self.depth == 1 => self.at_items = self.word == b"items",
                b',' if self.depth == 1 => self.at_items = false,
                _ => {}
            }
            at += 1;
        }
        if self.in_items && self.depth > ITEM_DEPTH {
            self.item.extend_from_slice(&piece[from..]);
        } else {
            self.rest.extend_from_slice(&piece[from..]);
        }
        Ok(())
    }

    /// Goes to the end of the string or of the piece.
    fn skip_string(&mut self, piece: &[u8], from: usize) -> usize {
        let mut at = from;
        if self.text == Text::AfterBackslash {
            self.text = Text::Inside;
            at += 1;
        }
        loop {
            let Some(found) = piece.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) else {
                self.remember(piece, from, piece.len());
                return piece.len();
            };
            at += found;
            if piece[at] == b'"' {
                self.text = Text::Outside;
                self.remember(piece, from, at);
                return at + 1;
            }
            if at + 1 == piece.len() {
                self.text = Text::AfterBackslash;
                self.remember(piece, from, at);
                return at + 1;
            }
            at += 2;
        }
    }

    fn remember(&mut self, piece: &[u8], from: usize, to: usize) {
        if self.depth == 1 {
            self.word.extend_from_slice(&piece[from.min(to)..to]);
        }
    }

    fn complete<E>(&mut self, end: &[u8], each: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.rest.push(b'0');
        self.count += 1;
        if self.item.is_empty() {
            return each(end);
        }
        self.item.extend_from_slice(end);
        let result = each(&self.item);
        self.item.clear();
        result
    }

    /// What the document says besides its items, once all of it has arrived.
    ///
    /// # Errors
    /// The document is no list, is malformed, or is cut off.
    pub(crate) fn finish(self) -> Result<ListEnd, serde_json::Error> {
        let document: Document = serde_json::from_slice(&self.rest)?;
        let placeholders = document.items.unwrap_or_default();
        if placeholders.len() != self.count || placeholders.iter().any(|placeholder| *placeholder != 0) {
            return Err(serde::de::Error::custom(
                "the items of the list are not all objects",
            ));
        }
        let next = document.metadata.and_then(|metadata| metadata.next);
        Ok(ListEnd {
            next: next.filter(|token| !token.is_empty()),
        })
    }
}

/// The rest of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ListEnd {
    /// What to ask for the next page with, when there is one.
    pub(crate) next: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    // Must be there, and may be null: so Go writes an empty list.
    #[serde(deserialize_with = "nullable")]
    items: Option<Vec<u8>>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "continue")]
    next: Option<String>,
}

fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    Option::deserialize(deserializer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The items and the rest, the text arriving in pieces of this size.
    fn read(text: &[u8], size: usize) -> Result<(Vec<serde_json::Value>, ListEnd), serde_json::Error> {
        let mut scanner = ItemScanner::default();
        let mut items = Vec::new();
        for piece in text.chunks(size) {
            scanner.feed(piece, |item| {
                items.push(serde_json::from_slice(item)?);
                Ok::<(), serde_json::Error>(())
            })?;
        }
        Ok((items, scanner.finish()?))
    }

    fn names(text: &str) -> Vec<String> {
        let (items, _) = read(text.as_bytes(), text.len().max(1)).unwrap();
        items
            .into_iter()
            .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn items_are_found_whatever_stands_around_them() {
        let text = r#"{"items":[{"metadata":{"name":"a","x":"}]\"{"}}, {"metadata":{"name":"b"},"items":[{}]}],
                       "kind":"PodList","metadata":{"continue":"next","items":[{}],"note":"items"}}"#;
        assert_eq!(names(text), ["a", "b"]);
        let (_, end) = read(text.as_bytes(), 1).unwrap();
        assert_eq!(end.next.as_deref(), Some("next"));
    }

    #[test]
    fn an_empty_list_is_empty() {
        for text in [
            r#"{"metadata":{"continue":""},"items":null}"#,
            r#"{"items":[],"metadata":null}"#,
            r#" {"items" : [ ] } "#,
        ] {
            let (items, end) = read(text.as_bytes(), 3).unwrap();
            assert_eq!((items.len(), end.next), (0, None), "{text}");
        }
    }

    #[test]
    fn what_is_cut_off_is_an_error_that_says_so() {
        let text = br#"{"kind":"PodList","items":[{"metadata":{"name":"a"}}],"metadata":{"continue":""}}"#;
        for length in 0..text.len() {
            let error = read(&text[..length], 7).unwrap_err();
            assert!(error.is_eof(), "{error} after {length} bytes");
        }
        assert!(read(text, 7).is_ok());
    }

    #[test]
    fn what_is_no_list_of_objects_is_an_error() {
        for text in [
            r#"{"kind":"Status"}"#,
            "[]",
            "null",
            r#"{"items":[1]}"#,
            r#"{"items":[0]}"#,
            r#"{"items":[{},0]}"#,
            r#"{"items":[[{}]]}"#,
            r#"{"items":[{} {}]}"#,
            r#"{"items":[{},]}"#,
            r#"{"items":{}}"#,
            r#"{"items":[{}],"items":[{}]}"#,
            r#"{"items":[{]}"#,
            r#"{"items":[{}]} x"#,
        ] {
            assert!(read(text.as_bytes(), 5).is_err(), "{text}");
        }
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i32>().prop_map(Into::into),
            "[\"\\\\{}\\[\\]:,a-c\u{e9}]{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                proptest::collection::btree_map("(items|metadata|[\"a-c]{0,3})", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_list_is_read_as_a_parser_reads_it(
            items in proptest::collection::vec(proptest::collection::btree_map("[a-c\"]{0,3}", value(), 0..4), 0..6),
            before in value(), after in value(), size in 1_usize..40, pretty in any::<bool>(),
        ) {
            let items: Vec<serde_json::Value> = items.into_iter().map(|map| serde_json::Value::Object(map.into_iter().collect())).collect();
            // Not through a map of serde_json, which would sort the keys.
            let write = |value: &serde_json::Value| if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }.unwrap();
            let text = format!("{{\"before\":{},\"items\":{},\"after\":{}}}", write(&before), write(&items.clone().into()), write(&after));
            let (read, _) = read(text.as_bytes(), size).unwrap();
            prop_assert_eq!(read, items);
        }

        #[test]
        fn no_bytes_make_the_scanner_panic(text in "[\\[\\]{}\",:\\\\a-z0-9 ]{0,60}", size in 1_usize..9) {
            let _ = read(text.as_bytes(), size);
            let _ = read(format!("{{\"items\":[{text}").as_bytes(), size);
        }
    }
}

//! A page of a list: as many items as fit into one answer.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::Value;

/// The JSON of an object with a list, of which each item is written by itself.
#[derive(Debug)]
pub(crate) struct Page {
    name: &'static str,
    items: Vec<String>,
    bytes: usize,
}

impl Page {
    /// The length limit of a list, in bytes. It fits ten thousand rules of the usual length.
    const MAX_BYTES: usize = 8 * 1024 * 1024;

    /// Begins the list of the field `name`.
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            items: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds items until one does not fit. The first always fits.
    pub(crate) fn fill(&mut self, items: impl IntoIterator<Item = Value>) {
        for item in items {
            let item = item.to_string();
            if !self.items.is_empty() && self.bytes + item.len() > Self::MAX_BYTES {
                break;
            }
            self.bytes += item.len() + 1;
            self.items.push(item);
        }
    }

    /// Returns the number of items.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Adds items that come in the reverse order until one does not fit.
    pub(crate) fn fill_from_the_end(&mut self, items: impl IntoIterator<Item = Value>) {
        self.fill(items);
        self.items.reverse();
    }

    /// Ends the list, and adds the fields of the object `rest`.
    pub(crate) fn end(self, rest: &Value) -> Response {
        let (name, items, rest) = (
            Value::from(self.name),
            self.items.join(","),
            rest.to_string(),
        );
        // Without its opening brace.
        let text = format!("{{{name}:[{items}],{}", &rest[1..]);
        ([(header::CONTENT_TYPE, "application/json")], text).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_ends_where_its_bytes_do() {
        let long = || Value::from("x".repeat(Page::MAX_BYTES / 3));
        let read = async |page: Page| -> Value {
            let body = page.end(&serde_json::json!({ "next": 7 })).into_body();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            serde_json::from_slice(&body).unwrap()
        };
        let mut page = Page::new("items");
        page.fill([1.into(), long(), long(), long()]);
        assert_eq!(page.len(), 3);
        let page = read(page).await;
        assert_eq!(
            (page["items"].as_array().unwrap().len(), &page["next"]),
            (3, &7.into())
        );
        let mut page = Page::new("items");
        page.fill_from_the_end([3, 2, 1].map(Value::from));
        assert_eq!(read(page).await["items"], serde_json::json!([1, 2, 3]));
        assert_eq!(read(Page::new("none")).await["none"], serde_json::json!([]));
        let mut huge = Page::new("items");
        huge.fill([Value::from("x".repeat(Page::MAX_BYTES + 1))]);
        assert_eq!(huge.len(), 1);
    }
}

//! Rows of messages in the page's storage.

use futures::future::BoxFuture;
use js_sys::{Array, Uint8Array};
use send_wrapper::SendWrapper;
use warren_shared::error::Result;
use warren_shared::net::direct::{Row, Shelf};
use warren_shared::proto::direct::Change;
use warren_shared::proto::key::{NetworkId, PublicKey};
use wasm_bindgen::prelude::*;

use warren_page::host::{Host, not_stored, on_page, settled};

/// The messages of one author in one network.
pub struct PageShelf {
    host: SendWrapper<Host>,
    /// Precedes every key.
    prefix: String,
}

impl PageShelf {
    pub fn new(host: &SendWrapper<Host>, network: &NetworkId, author: &PublicKey) -> Self {
        PageShelf {
            host: host.clone(),
            prefix: [network.as_str(), "/", &author.to_string(), "/"].concat(),
        }
    }
}

impl Shelf for PageShelf {
    fn last(
        &self,
        beginning: String,
        before: Option<String>,
        most: usize,
    ) -> BoxFuture<'static, Result<Vec<Row>>> {
        let (host, prefix) = (self.host.clone(), self.prefix.clone());
        on_page(async move {
            let from = [prefix.as_str(), &beginning].concat();
            // No key has a character behind this one.
            let end = before.unwrap_or_else(|| [&beginning, "\u{7f}"].concat());
            let end = [prefix.as_str(), &end].concat();
            let rows = settled(host.last_rows(&from, &end, most as u32)).await;
            let rows = Array::from(&rows.map_err(not_stored)?);
            let row = |row: JsValue| {
                let row = Array::from(&row);
                let key = row.get(0).as_string().unwrap_or_default();
                let value = Uint8Array::new(&row.get(1)).to_vec();
                (key.trim_start_matches(&prefix).to_owned(), value)
            };
            Ok(rows.iter().map(row).collect())
        })
    }

    fn write(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<()>> {
        let (host, prefix) = (self.host.clone(), self.prefix.clone());
        on_page(async move {
            let rows = Array::new();
            for Change { key, value } in changes {
                let key = JsValue::from([prefix.as_str(), &key].concat());
                let value = value.map_or(JsValue::UNDEFINED, |value| {
                    Uint8Array::from(value.as_slice()).into()
                });
                rows.push(&Array::of2(&key, &value));
            }
            let written = settled(host.write_rows(rows)).await;
            written.map(drop).map_err(not_stored)
        })
    }
}

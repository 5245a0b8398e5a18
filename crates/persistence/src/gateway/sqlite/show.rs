//! Showing rows that were written, where more is shown of them than their columns.

use bytes::Bytes;
use rusqlite::Connection;
use tidegate_domain::gateway::port::Encoding;

use super::super::rows::related::of_keys;
use super::super::rows::showing::Showing;
use super::run::{Session, now};

/// The document of written rows.
pub(super) fn document(
    connection: &mut Connection,
    showing: Showing<'_>,
    encoding: Encoding,
) -> Result<Bytes, sqlx::Error> {
    match showing {
        Showing::Columns(collected) => Ok(collected.finish()),
        Showing::Keys(keys) => {
            // In the order of the keys, or in that of the node.
            let (child, zone) = (keys.reread().child(), keys.reread().zone());
            let keys = keys.in_order();
            now(of_keys(
                &mut Session(connection),
                child,
                &keys,
                encoding,
                zone,
            ))
        }
    }
}

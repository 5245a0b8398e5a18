//! Showing rows that were written, where more is shown of them than their columns.

use bytes::Bytes;
use sqlx::sqlite::SqliteConnection;
use tidegate_domain::gateway::port::Encoding;
use tidegate_domain::gateway::value::Value;
use tidegate_domain::gateway::zone::Zone;
use tidegate_domain::query::plan::Child;

use super::super::rows::related::of_keys;
use super::super::rows::showing::Showing;
use super::rows::Session;

/// The document of written rows.
pub(super) async fn document(
    connection: &mut SqliteConnection,
    showing: Showing<'_>,
    encoding: Encoding,
) -> Result<Bytes, sqlx::Error> {
    match showing {
        Showing::Columns(collected) => Ok(collected.finish()),
        Showing::Keys(keys) => {
            let (child, zone) = (keys.reread().child(), keys.reread().zone());
            related(connection, child, &keys.in_order(), encoding, zone).await
        }
    }
}

/// Rows with these keys as a document, in the order of the keys, or in that of the node.
async fn related(
    connection: &mut SqliteConnection,
    child: &Child,
    keys: &[Vec<Value>],
    encoding: Encoding,
    zone: Option<Zone>,
) -> Result<Bytes, sqlx::Error> {
    of_keys(&mut Session(connection), child, keys, encoding, zone).await
}

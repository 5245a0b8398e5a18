//! `tidegate inbox`: the client that collects what the webhook inbox holds, and the tables of
//! the older inbox.

pub(crate) mod address;
mod answer;
mod api;
mod backoff;
mod command;
mod forward;
mod key;
mod message;
mod pull;
mod tally;

use tidegate_persistence::inbox::legacy;

use crate::app::App;
use crate::cli::inbox::LegacyTables;
use crate::config::Settings;
use crate::terminal;

pub(crate) use pull::pull;

/// Makes or drops the tables of the older inbox in the own database.
///
/// # Errors
/// A database that refuses, or that has no such tables at all (SQLite).
pub(crate) async fn legacy_tables(
    settings: &Settings,
    app: &App,
    action: LegacyTables,
) -> anyhow::Result<()> {
    let database = app.open_database(settings).await?;
    match action {
        LegacyTables::Create => {
            legacy::create(&database, settings.server.public_url.as_deref()).await?;
            terminal::line("tbluser, tblwhid and tblwh are there");
        }
        LegacyTables::Drop => {
            legacy::drop(&database).await?;
            terminal::line("tbluser, tblwhid and tblwh are gone");
        }
    }
    database.close().await;
    Ok(())
}

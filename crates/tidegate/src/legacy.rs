//! Takes in what the outside writer of the older inbox leaves in its tables, where they are.

use std::time::Duration;

use tidegate_domain::error::StoreError;
use tidegate_persistence::database::Database;
use tidegate_persistence::inbox::legacy;

use crate::wiring::Wired;

/// How often rows are looked for: they are to be seen within a second.
const INTERVAL: Duration = Duration::from_millis(300);

/// How many looks apart users and webhooks are brought up to date, and the tables looked for
/// where they are not there.
const SELDOM: u32 = 10;

/// Takes rows as long as it is polled.
pub(crate) async fn follow(wired: Wired, database: Database) {
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut there, mut answering) = (false, true);
    let mut look = 0_u32;
    loop {
        interval.tick().await;
        let seldom = look.is_multiple_of(SELDOM);
        look = look.wrapping_add(1);
        if !there && !seldom {
            continue;
        }
        match once(&wired, &database, seldom).await {
            Ok(found) => (there, answering) = (found, true),
            Err(error) => {
                // Once, and again only after it went well.
                if answering {
                    tracing::warn!(%error, "the tables of the older inbox cannot be read");
                }
                (there, answering) = (false, false);
            }
        }
    }
}

/// Whether the tables are there.
async fn once(wired: &Wired, database: &Database, seldom: bool) -> Result<bool, StoreError> {
    if seldom {
        if !legacy::exist(database).await? {
            return Ok(false);
        }
        let public_url = wired.settings.server.public_url.as_deref();
        // Two nodes may do it at once. Rows are taken in all the same.
        if let Err(error) = legacy::sync(database, public_url).await {
            tracing::warn!(%error, "tbluser and tblwhid are not up to date");
        }
    }
    while legacy::take(database, &wired.arrivals, wired.clock.now()).await? > 0 {}
    Ok(true)
}

//! What the running program logs, seen and changed by administrators.

use std::sync::Arc;

use serde_json::json;
use tidegate_domain::audit::Action;
use tidegate_domain::error::{InvalidInput, StoreError};
use tidegate_domain::permission::{Administer, Authorized};
use tidegate_domain::system::LogLevel;

use crate::audit::{Actor, Audit, Done};
use crate::error::AppError;

/// The level of the log.
#[derive(Clone)]
pub struct LogControl(Arc<dyn LogLevel>, Audit);

impl LogControl {
    /// Of this log; changes are noted there.
    pub fn new(log: Arc<dyn LogLevel>, audit: Audit) -> Self {
        Self(log, audit)
    }

    /// The level, or a list of directives.
    ///
    /// # Errors
    /// Unsupported, where the program keeps no log of its own.
    pub fn get(&self, _: &Authorized<Administer>) -> Result<String, AppError> {
        self.0.get().ok_or_else(no_log)
    }

    /// Changes it on this node, until it stops.
    ///
    /// # Errors
    /// A text that is no level; unsupported as above.
    pub async fn set(&self, auth: &Authorized<Administer>, level: &str) -> Result<(), AppError> {
        let before = self.0.get();
        match self.0.set(level) {
            Ok(true) => {
                tracing::warn!(
                    level,
                    user = auth.principal().user.0,
                    "the log level was changed"
                );
                let actor = Actor::Principal(auth.principal());
                let done = Done::new(actor, Action::LogLevelChanged, "log", "level")
                    .changed(json!({"level": before}), json!({"level": level}));
                self.1.note(done).await;
                Ok(())
            }
            Ok(false) => Err(no_log()),
            Err(fault) => Err(InvalidInput::member("level", fault).into()),
        }
    }
}

fn no_log() -> AppError {
    let detail = "the log is not this program's: whoever embeds it decides its level";
    StoreError::Unsupported(detail.to_owned()).into()
}

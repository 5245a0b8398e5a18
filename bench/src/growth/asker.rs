//! Clients of whom each asks one question over and over.

use std::sync::Arc;

use anyhow::ensure;

use crate::http::{Connection, request};
use crate::load::Client;
use crate::random::Random;

/// A question, made with a number that looks like chance.
pub(super) type Question = Arc<dyn Fn(u64) -> String + Send + Sync>;

/// Somebody who asks over and over.
pub(super) struct Asker {
    pub(super) connection: Connection,
    pub(super) headers: String,
    pub(super) question: Question,
    pub(super) random: Random,
}

impl Asker {
    /// The length of a good answer that has something in it.
    pub(super) async fn ask(&mut self, path: &str) -> anyhow::Result<u64> {
        let request = request("GET", path, &self.headers, b"");
        self.connection.send(&request).await?;
        let (status, length) = self.connection.skim().await?;
        ensure!((200..300).contains(&status), "{path}: {status}");
        ensure!(length > 2, "{path} finds no rows");
        Ok(length as u64)
    }
}

impl Client for Asker {
    async fn once(&mut self) -> anyhow::Result<()> {
        let path = (self.question)(self.random.next());
        self.ask(&path).await.map(drop)
    }
}

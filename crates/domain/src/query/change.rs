//! What a write asks for beside its rows: what becomes of rows that are there already, and how
//! its transaction ends.

use crate::query::error::QueryError;

/// What becomes of a new row whose key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// The row that is there takes what the new one names.
    Merge,
    /// The row that is there stays, the new one is dropped.
    Ignore,
}

/// An insert that may meet rows that are there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnConflict {
    /// What becomes of these rows.
    pub resolution: Resolution,
    /// The columns of the key; without them those of the primary key.
    pub columns: Option<Vec<String>>,
}

/// How the transaction of a write ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ending {
    /// Whether all is undone although it went well.
    pub rollback: bool,
    /// How many rows it may concern; with more it fails.
    pub most: Option<u64>,
    /// Whether it has to concern exactly one row.
    pub single: bool,
}

impl Ending {
    /// Whether the transaction commits whatever it did.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Checks the number of rows that the write concerned, while it can still be undone.
    ///
    /// # Errors
    /// [`QueryError::TooManyAffected`] and [`QueryError::NotSingle`].
    pub fn check(&self, rows: u64) -> Result<(), QueryError> {
        if self.most.is_some_and(|most| rows > most) {
            return Err(QueryError::TooManyAffected { rows });
        }
        if self.single && rows != 1 {
            return Err(QueryError::NotSingle { rows });
        }
        Ok(())
    }
}

//! Rows on MySQL and MariaDB: one row that is new, or changes the one that is there.
//!
//! A transaction with a search under a lock would be four round trips. A change by a whole key
//! tells by its count whether the row was there, so that one is enough, and two for a new row.

use tidegate_domain::error::{StoreError, ViolationKind};
use tidegate_domain::gateway::port::Written;
use tidegate_domain::query::change::Resolution;
use tidegate_domain::query::plan::InsertPlan;

use super::super::pool::MySqlPool;
use super::super::rows::batch::Row;
use super::super::rows::meeting::{Meeting, Met};
use super::super::sql;
use super::insert::single;
use super::transaction::autocommit_again;

/// Stores the one row of an insert that merges, without a transaction around it: where the row is
/// there it is changed by its key, else it is new. `None` when nothing was done, because that is
/// not enough: without a whole key, or when somebody else has stored the row meanwhile.
pub(super) async fn merged(
    pool: &MySqlPool,
    plan: &InsertPlan,
    row: &Row,
) -> Result<Option<Written>, StoreError> {
    let Some(mut meeting) = Meeting::of(plan) else {
        return Ok(None);
    };
    if meeting.conflict().resolution() != Resolution::Merge {
        return Ok(None);
    }
    let met = meeting.of_rows(std::slice::from_ref(row))?;
    let taken = meeting.taken(row);
    let (Some(Met::Perhaps(key)), false) = (met.first(), taken.is_empty()) else {
        return Ok(None);
    };
    let is = sql::key_is(plan.table(), meeting.conflict().key(), &key.values);
    let update = |engine| sql::update_by(engine, plan.table(), &taken, &is);
    // The driver asks the server to count the rows that were found, whether they changed or not.
    // A change to given values by a key comes to the same when it is made twice.
    if autocommit_again(pool, update).await?.rows_affected() > 0 {
        return Ok(Some(Written {
            rows: 1,
            inserted: 0,
            representation: None,
        }));
    }
    match single(pool, plan, std::slice::from_ref(row)).await {
        Ok(written) => Ok(Some(written)),
        // It came meanwhile, or another key is in the way.
        Err(StoreError::Constraint(violation)) if violation.kind == ViolationKind::Unique => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

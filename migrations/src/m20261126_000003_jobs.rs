//! Jobs: who holds which, and their last runs.

use sea_orm_migration::prelude::*;

use crate::schema::{create_index, create_table, drop_table, id, time, time_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut jobs = Table::create()
            .table("jobs")
            .col(
                ColumnDef::new("name")
                    .string_len(64)
                    .not_null()
                    .primary_key(),
            )
            // The due time that was begun last.
            .col(time_null(manager, "due_at"))
            // The run that holds the lease, and until when.
            .col(ColumnDef::new("run_id").big_integer())
            .col(time_null(manager, "expires_at"))
            .take();
        create_table(manager, &mut jobs).await?;

        let mut runs = Table::create()
            .table("job_runs")
            .col(id())
            .col(ColumnDef::new("job").string_len(64).not_null())
            .col(ColumnDef::new("node").string_len(64).not_null())
            .col(time_null(manager, "due_at"))
            .col(time(manager, "started_at"))
            .col(time_null(manager, "finished_at"))
            .col(ColumnDef::new("state").string_len(16).not_null())
            .col(ColumnDef::new("detail").string_len(500))
            .take();
        create_table(manager, &mut runs).await?;
        create_index(manager, "job_runs", "job_runs_job_idx", &["job", "id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "job_runs").await?;
        drop_table(manager, "jobs").await
    }
}

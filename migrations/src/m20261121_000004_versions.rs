//! API versions: 0.1 to 0.8 are no longer supported, 1.0 is.

use sea_orm_migration::prelude::*;

use crate::schema::{create_table, drop_table, id};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut versions = Table::create()
            .table("versions")
            .col(id())
            .col(ColumnDef::new("version").string_len(10).not_null())
            .col(ColumnDef::new("supported").boolean().not_null())
            .index(
                Index::create()
                    .name("versions_version_key")
                    .col("version")
                    .unique(),
            )
            .take();
        create_table(manager, &mut versions).await?;
        let mut seed = Query::insert()
            .into_table("versions")
            .columns(["version", "supported"])
            .take();
        for old in ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8"] {
            seed.values_panic([old.into(), false.into()]);
        }
        seed.values_panic(["1.0".into(), true.into()]);
        seed.on_conflict(
            OnConflict::column("version")
                .do_nothing_on(["version"])
                .to_owned(),
        );
        manager.execute(seed).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "versions").await
    }
}

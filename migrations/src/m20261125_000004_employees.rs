//! Employees.

use sea_orm_migration::prelude::*;

use crate::schema::{create_index, create_table, drop_table, time, time_null, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let number = Index::create()
            .name("employees_emp_id_key")
            .col("emp_id")
            .unique()
            .take();
        let mut employees = Table::create()
            .table("employees")
            .col(uuid())
            .col(ColumnDef::new("emp_id").big_integer().not_null())
            .col(ColumnDef::new("emp_name").string_len(100).not_null())
            .col(ColumnDef::new("city").string_len(100).not_null())
            .col(ColumnDef::new("country").string_len(100).not_null())
            .col(ColumnDef::new("emp_dob").date().not_null())
            .col(time(manager, "created_at"))
            .col(time_null(manager, "updated_at"))
            .index(&mut number.clone())
            .take();
        create_table(manager, &mut employees).await?;
        for (name, column) in [
            ("employees_name_idx", "emp_name"),
            ("employees_city_idx", "city"),
            ("employees_country_idx", "country"),
            ("employees_dob_idx", "emp_dob"),
        ] {
            // Lists end their order with the id, which SQLite does not keep in every index.
            create_index(manager, "employees", name, &[column, "id"]).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "employees").await
    }
}

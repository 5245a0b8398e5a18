//! Employees.

use sea_orm::Value;
use tidegate_domain::employee::{Employee, EmployeeDraft};

use crate::resource::{Record, Unreadable};

/// The table.
#[allow(unreachable_pub, reason = "sea-orm derives public types beside these")]
mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "employees")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub emp_id: i64,
        pub emp_name: String,
        pub city: String,
        pub country: String,
        pub emp_dob: Date,
        pub created_at: DateTimeUtc,
        pub updated_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use entity::{Column, Entity, Model};

impl Record for Employee {
    type Table = Entity;

    fn values(draft: &EmployeeDraft) -> Vec<(Column, Value)> {
        vec![
            (Column::EmpId, draft.emp_id.get().into()),
            (Column::EmpName, draft.emp_name.as_str().into()),
            (Column::City, draft.city.as_str().into()),
            (Column::Country, draft.country.as_str().into()),
            (Column::EmpDob, draft.emp_dob.get().into()),
        ]
    }

    fn draft(model: Model) -> Result<EmployeeDraft, Unreadable> {
        Ok(EmployeeDraft {
            emp_id: model.emp_id.try_into()?,
            emp_name: model.emp_name.try_into()?,
            city: model.city.try_into()?,
            country: model.country.try_into()?,
            emp_dob: model.emp_dob.try_into()?,
        })
    }
}

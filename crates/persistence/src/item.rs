//! Items.

use sea_orm::Value;
use tidegate_domain::item::{Item, ItemDraft};

use crate::resource::{Record, Unreadable};

/// The table.
#[allow(unreachable_pub, reason = "sea-orm derives public types beside these")]
mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "items")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
        pub description: Option<String>,
        pub user_id: i64,
        pub created_at: DateTimeUtc,
        pub updated_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use entity::{Column, Entity, Model};

impl Record for Item {
    type Table = Entity;

    fn values(draft: &ItemDraft) -> Vec<(Column, Value)> {
        let description = draft.description.as_ref().map(|text| text.as_str());
        vec![
            (Column::Name, draft.name.as_str().into()),
            (Column::Description, description.into()),
        ]
    }

    fn draft(model: Model) -> Result<ItemDraft, Unreadable> {
        Ok(ItemDraft {
            name: model.name.try_into()?,
            description: model.description.map(TryInto::try_into).transpose()?,
        })
    }
}

//! Boats: what they are and how they are stored, in one file.

use sea_orm::Value;
use serde::{Deserialize, Serialize};
use tidegate_domain::resource::{List, Resource, Spec};
use tidegate_domain::text::{Int, Line};
use tidegate_persistence::resource::{Record, Unreadable};
use utoipa::ToSchema;

/// The resource `/boats`.
#[derive(Debug)]
pub(crate) struct Boat;

/// What a client may send of a boat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Tern", "length_cm": 1250}))]
pub(crate) struct BoatDraft {
    /// No two boats of a harbour have the same.
    #[schema(inline)]
    pub name: Line<1, 60>,
    /// From stem to stern, in centimetres.
    #[schema(inline)]
    pub length_cm: Int<1, 50_000>,
}

impl Resource for Boat {
    type Draft = BoatDraft;

    const SPEC: Spec = Spec {
        list: List {
            search: &[("name", "name")],
            sort: &["name", "length_cm"],
            ..List::pages(20, 100)
        },
        unique: &[("name", "boat_name_taken")],
        ..Spec::new("boat", "boats")
    };
}

mod entity {
    #![allow(
        unreachable_pub,
        missing_docs,
        reason = "sea-orm derives public types beside these"
    )]
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "boats")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
        pub length_cm: i64,
        pub created_at: DateTimeUtc,
        pub updated_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Record for Boat {
    type Table = entity::Entity;

    fn values(draft: &BoatDraft) -> Vec<(entity::Column, Value)> {
        vec![
            (entity::Column::Name, draft.name.as_str().into()),
            (entity::Column::LengthCm, draft.length_cm.get().into()),
        ]
    }

    fn draft(model: entity::Model) -> Result<BoatDraft, Unreadable> {
        Ok(BoatDraft {
            name: model.name.try_into()?,
            length_cm: model.length_cm.try_into()?,
        })
    }
}

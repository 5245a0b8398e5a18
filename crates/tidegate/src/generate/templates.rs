//! The files of a generated resource. They are formatted by rustfmt after they are written.

use tidegate_http::resource::type_name;

use super::resource::{Definition, Field, Kind};

impl Field {
    /// The type of the draft's member.
    fn draft_type(&self) -> String {
        let kind = match self.kind {
            Kind::String => "Line<1, 255>",
            Kind::Text => "Text<0, 16000>",
            Kind::Int => "i64",
            Kind::Float => "f64",
            Kind::Bool => "bool",
            Kind::Date => "Day",
            Kind::DateTime => "Moment",
        };
        self.perhaps(kind)
    }

    /// The type of the model's member.
    fn model_type(&self) -> String {
        let kind = match self.kind {
            Kind::String | Kind::Text => "String",
            Kind::Int => "i64",
            Kind::Float => "f64",
            Kind::Bool => "bool",
            Kind::Date => "Date",
            Kind::DateTime => "DateTimeUtc",
        };
        self.perhaps(kind)
    }

    fn perhaps(&self, kind: &str) -> String {
        match self.optional {
            true => format!("Option<{kind}>"),
            false => kind.to_owned(),
        }
    }

    /// The column in the migration.
    fn column(&self) -> String {
        let name = &self.name;
        let kind = match self.kind {
            Kind::DateTime if self.optional => return format!("time_null(manager, \"{name}\")"),
            Kind::DateTime => return format!("time(manager, \"{name}\")"),
            Kind::String => "string_len(255)",
            Kind::Text => "text()",
            Kind::Int => "big_integer()",
            Kind::Float => "double()",
            Kind::Bool => "boolean()",
            Kind::Date => "date()",
        };
        let null = if self.optional { "" } else { ".not_null()" };
        format!("ColumnDef::new(\"{name}\").{kind}{null}")
    }

    /// The draft's member as a value of the column.
    fn stored(&self) -> String {
        let name = &self.name;
        match (self.kind, self.optional) {
            (Kind::String | Kind::Text, false) => format!("draft.{name}.as_str().into()"),
            (Kind::String | Kind::Text, true) => {
                format!("draft.{name}.as_ref().map(|text| text.as_str()).into()")
            }
            (Kind::Date | Kind::DateTime, false) => format!("draft.{name}.get().into()"),
            (Kind::Date | Kind::DateTime, true) => {
                format!("draft.{name}.map(|time| time.get()).into()")
            }
            _ => format!("draft.{name}.into()"),
        }
    }

    /// The draft's member from the model's.
    fn read(&self) -> String {
        let name = &self.name;
        match (self.kind, self.optional) {
            (Kind::Int | Kind::Float | Kind::Bool, _) => format!("model.{name}"),
            (_, false) => format!("model.{name}.try_into()?"),
            (_, true) => format!("model.{name}.map(TryInto::try_into).transpose()?"),
        }
    }

    /// A value, the `number`-th of several.
    fn sample(&self, number: usize) -> String {
        match self.kind {
            Kind::String => format!("\"{} {number}\"", self.name),
            Kind::Text => format!("\"{} {number},\\nwith a second line\"", self.name),
            Kind::Int => (number * 7).to_string(),
            Kind::Float => format!("{number}.5"),
            Kind::Bool => (number % 2 == 1).to_string(),
            Kind::Date => format!("\"2026-01-0{number}\""),
            Kind::DateTime => format!("\"2026-01-0{number}T12:00:00Z\""),
        }
    }
}

impl Definition {
    fn joined(&self, line: impl Fn(&Field) -> String) -> String {
        self.fields.iter().map(line).collect()
    }

    fn json(&self, number: usize) -> String {
        let members =
            self.joined(|field| format!("\"{}\": {}, ", field.name, field.sample(number)));
        format!("{{{}}}", members.trim_end_matches(", "))
    }

    /// The value types of the domain that the draft uses.
    fn value_types(&self) -> String {
        let used = |kind| self.fields.iter().any(|field| field.kind == kind);
        let types = [
            (Kind::Date, "Day"),
            (Kind::String, "Line"),
            (Kind::DateTime, "Moment"),
            (Kind::Text, "Text"),
        ];
        let types: Vec<&str> = types
            .iter()
            .filter(|(kind, _)| used(*kind))
            .map(|(_, name)| *name)
            .collect();
        match types.as_slice() {
            [] => String::new(),
            [one] => format!("use crate::text::{one};\n"),
            types => format!("use crate::text::{{{}}};\n", types.join(", ")),
        }
    }

    /// What one is called in a sentence.
    fn words(&self) -> String {
        self.singular.replace('_', " ")
    }

    /// `Books`.
    fn title(&self) -> String {
        let words = self.plural.replace('_', " ");
        let (first, rest) = words.split_at(1);
        first.to_ascii_uppercase() + rest
    }
}

/// The step of the schema.
pub(super) fn migration(definition: &Definition) -> String {
    let Definition { plural, owned, .. } = definition;
    let title = definition.title();
    let columns = definition.joined(|field| format!(".col({})\n", field.column()));
    let unique = definition.joined(|field| {
        let name = &field.name;
        match field.unique {
            true => format!(
                ".index(Index::create().name(\"{plural}_{name}_key\").col(\"{name}\").unique())\n"
            ),
            false => String::new(),
        }
    });
    let (owner_column, owner_key, owner_import) = match owned {
        true => (
            ".col(ColumnDef::new(\"user_id\").big_integer().not_null())\n",
            format!(".foreign_key(&mut owner(\"{plural}\", \"{plural}_user_fk\", \"user_id\"))\n"),
            "owner, ",
        ),
        false => ("", String::new(), ""),
    };
    let indexed = definition
        .fields
        .iter()
        .filter(|field| field.is_sorted() && !field.unique);
    let mut indexes: Vec<String> = indexed.map(|field| field.name.clone()).collect();
    indexes.extend(owned.then(|| "user_id".to_owned()));
    let index = |name: &String| {
        format!("create_index(manager, \"{plural}\", \"{plural}_{name}_idx\", &[\"{name}\"])")
    };
    let (create, index_import) = match indexes.split_last() {
        None => (format!("create_table(manager, &mut {plural}).await"), ""),
        Some((last, others)) => {
            let others: String = others
                .iter()
                .map(|name| format!("{}.await?;\n", index(name)))
                .collect();
            let first = format!("create_table(manager, &mut {plural}).await?;\n");
            (
                format!("{first}{others}{}.await", index(last)),
                "create_index, ",
            )
        }
    };
    format!(
        r#"//! {title}.

use sea_orm_migration::prelude::*;

use crate::schema::{{{index_import}create_table, drop_table, id, {owner_import}time, time_null}};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {{
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {{
        let mut {plural} = Table::create()
            .table("{plural}")
            .col(id())
            {columns}{owner_column}.col(time(manager, "created_at"))
            .col(time_null(manager, "updated_at"))
            {unique}{owner_key}.take();
        {create}
    }}

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {{
        drop_table(manager, "{plural}").await
    }}
}}
"#
    )
}

/// The resource and its draft.
pub(super) fn domain(definition: &Definition) -> String {
    let Definition {
        plural,
        singular,
        type_name,
        owned,
        ..
    } = definition;
    let (title, words, example) = (definition.title(), definition.words(), definition.json(1));
    let values = definition.value_types();
    let members = definition.joined(|field| {
        let inline = match field.kind {
            Kind::Int | Kind::Float | Kind::Bool => "",
            _ => "#[schema(inline)]\n",
        };
        let (name, kind) = (&field.name, field.draft_type());
        format!("/// Its `{name}`.\n{inline}pub {name}: {kind},\n")
    });
    let list = |names: Vec<String>| names.join(", ");
    let fields = definition.fields.iter();
    let search = list(
        fields
            .clone()
            .filter(|field| field.kind == Kind::String)
            .map(|Field { name, .. }| format!("(\"{name}\", \"{name}\")"))
            .collect(),
    );
    let sort = list(
        fields
            .clone()
            .filter(|field| field.is_sorted())
            .map(|field| format!("\"{}\"", field.name))
            .collect(),
    );
    let unique: String = fields
        .filter(|field| field.unique)
        .map(|Field { name, .. }| format!("(\"{name}\", \"{singular}_{name}_taken\"), "))
        .collect();
    let unique = match unique.trim_end_matches(", ") {
        "" => String::new(),
        unique => format!("unique: &[{unique}],\n"),
    };
    let search = if search.is_empty() {
        String::new()
    } else {
        format!("search: &[{search}],\n")
    };
    let (owner, writers) = match owned {
        true => (
            "owner: Some(\"user_id\"),\nwriters: Writers::Owners,\n",
            ", Writers",
        ),
        false => ("", ""),
    };
    format!(
        r#"//! {title}.

use serde::{{Deserialize, Serialize}};
use utoipa::ToSchema;

use crate::resource::{{List, Resource, Spec{writers}}};
{values}
/// The resource `/{plural}`.
#[derive(Debug)]
pub struct {type_name};

/// What a client may send of a {words}.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({example}))]
pub struct {type_name}Draft {{
{members}}}

impl Resource for {type_name} {{
    type Draft = {type_name}Draft;

    const SPEC: Spec = Spec {{
        {owner}list: List {{
            {search}sort: &[{sort}],
            ..List::pages(20, 100)
        }},
        {unique}..Spec::new("{singular}", "{plural}")
    }};
}}
"#
    )
}

/// The table and how rows and drafts become one another.
pub(super) fn persistence(definition: &Definition) -> String {
    let Definition {
        plural,
        singular,
        type_name: name,
        owned,
        ..
    } = definition;
    let title = definition.title();
    let members = definition.joined(|field| {
        let long = match field.kind {
            Kind::Text => "#[sea_orm(column_type = \"Text\")]\n",
            _ => "",
        };
        format!("{long}pub {}: {},\n", field.name, field.model_type())
    });
    let owner = if *owned { "pub user_id: i64,\n" } else { "" };
    let values = definition.joined(|field| {
        format!(
            "(Column::{}, {}),\n",
            type_name(&field.name),
            field.stored()
        )
    });
    let draft = definition.joined(|field| format!("{}: {},\n", field.name, field.read()));
    format!(
        r#"//! {title}.

use sea_orm::Value;
use tidegate_domain::{singular}::{{{name}, {name}Draft}};

use crate::resource::{{Record, Unreadable}};

/// The table.
#[allow(unreachable_pub, reason = "sea-orm derives public types beside these")]
mod entity {{
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "{plural}")]
    pub struct Model {{
        #[sea_orm(primary_key)]
        pub id: i64,
        {members}{owner}pub created_at: DateTimeUtc,
        pub updated_at: Option<DateTimeUtc>,
    }}

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {{}}

    impl ActiveModelBehavior for ActiveModel {{}}
}}

use entity::{{Column, Entity, Model}};

impl Record for {name} {{
    type Table = Entity;

    fn values(draft: &{name}Draft) -> Vec<(Column, Value)> {{
        vec![
            {values}]
    }}

    fn draft(model: Model) -> Result<{name}Draft, Unreadable> {{
        Ok({name}Draft {{
            {draft}}})
    }}
}}
"#
    )
}

/// The black-box tests.
pub(super) fn tests(definition: &Definition) -> String {
    let Definition {
        plural,
        singular,
        owned,
        ..
    } = definition;
    let (title, words) = (definition.title(), definition.words());
    let (first, second) = (definition.json(1), definition.json(2));
    let required = definition.fields.iter().filter(|field| !field.optional);
    let required: Vec<String> = required
        .map(|field| format!("\"{}\"", field.name))
        .collect();
    let required = required.join(", ");
    let article = if words.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    let writes = match owned {
        true => "let member = app.member(\"member\").await;\n        member.post(\"/PLURAL\", &first()).await.expect(201);",
        false => "let member = app.member(\"member\").await;\n        member.post(\"/PLURAL\", &first()).await.problem(403, \"forbidden\");",
    }
    .replace("PLURAL", plural);
    let unique = definition.joined(|field| match field.unique {
        false => String::new(),
        true => format!(
            r#"
    async fn the_{name}_of_{article}_{singular}_is_unique(engine: TestEngine) {{
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        admin.post("/{plural}", &first()).await.expect(201);
        let mut other = second();
        other["{name}"] = first()["{name}"].clone();
        admin.post("/{plural}", &other).await.problem(409, "{singular}_{name}_taken");
    }}
"#,
            name = field.name,
        ),
    });
    format!(
        r#"//! {title}.

use reqwest::Method;
use serde_json::{{Value, json}};

use crate::support::app::TestApp;
use crate::support::engines::TestEngine;
use crate::support::resource::assert_holds;

fn first() -> Value {{
    json!({first})
}}

fn second() -> Value {{
    json!({second})
}}

on_every_engine! {{
    async fn {article}_{singular}_lives_from_post_to_delete(engine: TestEngine) {{
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        let made = admin.post("/{plural}", &first()).await.expect(201).value();
        assert_holds(&made, &first());
        let path = format!("/{plural}/{{}}", made["id"]);
        assert_eq!(admin.get(&path).await.expect(200).value(), made);
        let put = admin.json(Method::PUT, &path, &second()).await.expect(200).value();
        assert_holds(&put, &second());
        let patched = admin.patch(&path, &first()).await.expect(200).value();
        assert_holds(&patched, &first());
        let list = admin.get("/{plural}").await.expect(200).value();
        assert_eq!((&list["total"], &list["{plural}"]), (&json!(1), &json!([patched])));
        admin.delete(&path).await.expect(204);
        admin.get(&path).await.problem(404, "not_found");
    }}

    async fn who_may_write_{plural}(engine: TestEngine) {{
        let app = TestApp::start(engine).await;
        {writes}
        member.get("/{plural}").await.expect(200);
        app.anonymous().get("/{plural}").await.problem(401, "not_authenticated");
    }}

    async fn {plural}_that_do_not_fit_are_refused(engine: TestEngine) {{
        let app = TestApp::start(engine).await;
        let admin = app.admin();
        for member in [{required}] {{
            let mut body = first();
            body.as_object_mut().expect("an object").remove(member);
            let problem = admin.post("/{plural}", &body).await.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], format!("/{{member}}"));
        }}
        let mut body = first();
        body["unheard_of"] = json!(1);
        admin.post("/{plural}", &body).await.problem(422, "validation_failed");
        assert_eq!(admin.get("/{plural}").await.value()["total"], 0);
    }}
{unique}}}
"#
    )
}

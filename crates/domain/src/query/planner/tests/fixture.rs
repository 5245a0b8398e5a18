//! What the planner's tests share: a small schema, short ways to ask, and plans as text.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::gateway::column_type::ColumnType;
use crate::gateway::name::DatabaseName;
use crate::gateway::schema::{
    BaseColumn, Column, DatabaseSchema, ForeignKey, Index, ReferentialAction, Table, TableKind,
};
use crate::query::ask::{
    Aggregate, Aggregated, Clause, Comparison, Condition, Embed, Filter, IsValue, JoinKind,
    JsonPath, JsonStep, Operand, OrderTerm, Query, SelectItem, Selected,
};
use crate::query::error::QueryError;
use crate::query::plan::{
    ColumnRef, Join, Member, Node, Predicate, ReadPlan, Scalar, ScalarKind, Select, Test,
};
use crate::query::planner::{Limits, Planner};

pub(super) fn int() -> ColumnType {
    ColumnType::Integer {
        bytes: 4,
        unsigned: false,
    }
}

pub(super) fn column(name: &str, column_type: ColumnType, nullable: bool) -> Column {
    Column {
        name: name.to_owned(),
        column_type,
        nullable,
        default: None,
        base: None,
        auto_increment: name == "id",
        generated: None,
        comment: String::new(),
        collation: None,
    }
}

/// A table; its first column is the key.
pub(super) fn table(name: &str, columns: Vec<Column>, foreign_keys: Vec<ForeignKey>) -> Table {
    Table {
        database: DatabaseName::new("cinema", "tidegate").unwrap(),
        name: name.to_owned(),
        kind: TableKind::Table,
        writable: true,
        primary_key: columns.iter().take(1).map(|it| it.name.clone()).collect(),
        columns,
        indexes: vec![],
        foreign_keys,
        checks: vec![],
        comment: String::new(),
        row_estimate: None,
    }
}

pub(super) fn key(name: &str, columns: &[&str], references: &str, to: &[&str]) -> ForeignKey {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    ForeignKey {
        name: name.to_owned(),
        columns: owned(columns),
        references: references.to_owned(),
        referenced_columns: owned(to),
        on_delete: ReferentialAction::NoAction,
        on_update: ReferentialAction::NoAction,
    }
}

pub(super) fn films() -> Arc<Table> {
    let short = ColumnType::Integer {
        bytes: 2,
        unsigned: true,
    };
    Arc::new(table(
        "films",
        vec![
            column("id", int(), false),
            column("title", ColumnType::Varchar(100), false),
            column("length", short, true),
            column("seen", ColumnType::Boolean, true),
            column("extra", ColumnType::Json, true),
            column("director_id", int(), true),
            column("second_id", int(), true),
            column("genre", ColumnType::Varchar(20), true),
            column("sequel_of", int(), true),
        ],
        vec![
            key("films_director", &["director_id"], "people", &["id"]),
            key("films_second", &["second_id"], "people", &["id"]),
            key("", &["genre"], "genres", &["code"]),
            key("films_sequel", &["sequel_of"], "films", &["id"]),
        ],
    ))
}

/// Films with two ways to people, a key that is text, a junction, one row beside another, a
/// composite key.
pub(super) fn schema() -> DatabaseSchema {
    let text = || ColumnType::Varchar(20);
    let people = table(
        "people",
        vec![
            column("id", int(), false),
            column("name", text(), false),
            column("born", ColumnType::Date, true),
        ],
        vec![],
    );
    let genres = table(
        "genres",
        vec![column("code", text(), false), column("label", text(), true)],
        vec![],
    );
    let mut roles = table(
        "roles",
        vec![
            column("film_id", int(), false),
            column("person_id", int(), false),
            column("part", text(), true),
        ],
        vec![
            key("roles_film", &["film_id"], "films", &["id"]),
            key("roles_person", &["person_id"], "people", &["id"]),
        ],
    );
    roles.primary_key.push("person_id".to_owned());
    let mut costs = table(
        "costs",
        vec![
            column("film_id", int(), false),
            column(
                "amount",
                ColumnType::Decimal {
                    precision: 12,
                    scale: 2,
                    unsigned: false,
                },
                true,
            ),
        ],
        vec![key("costs_film", &["film_id"], "films", &["id"])],
    );
    costs.indexes.push(Index {
        name: "of_film".to_owned(),
        columns: vec!["film_id".to_owned()],
        unique: true,
    });
    let prizes = table(
        "prizes",
        vec![
            column("id", int(), false),
            column("film_id", int(), true),
            column("person_id", int(), true),
            column("amount", int(), true),
        ],
        vec![
            key("prizes_film", &["film_id"], "films", &["id"]),
            key(
                "prizes_role",
                &["film_id", "person_id"],
                "roles",
                &["film_id", "person_id"],
            ),
        ],
    );
    let mut tables: Vec<Arc<Table>> = [people, genres, roles, costs, prizes]
        .into_iter()
        .map(Arc::new)
        .collect();
    tables.push(films());
    // Of a view, of a table alone, and of two tables.
    for (name, of, alone) in [
        ("openings", "films", true),
        ("recent", "openings", true),
        ("credits", "films", false),
    ] {
        let shown = ["id", "title", "director_id", "genre"];
        let shown = shown.map(|it| {
            let films = films();
            let at = films.column_index(it).unwrap();
            Column {
                name: format!("the_{it}"),
                base: Some(Box::new(BaseColumn {
                    table: of.to_owned(),
                    column: if name == "recent" {
                        format!("the_{it}")
                    } else {
                        it.to_owned()
                    },
                    alone,
                })),
                ..films.columns[at].clone()
            }
        });
        tables.push(Arc::new(Table {
            kind: TableKind::View,
            writable: false,
            primary_key: vec![],
            ..table(name, shown.into(), vec![])
        }));
    }
    DatabaseSchema::new(DatabaseName::new("cinema", "tidegate").unwrap(), tables)
}

pub(super) fn operand(text: &str) -> Operand {
    let Some((column, path)) = text.split_once("->") else {
        return Operand::column(text);
    };
    let path = format!("->{path}");
    let as_text = path.contains("->>");
    let steps = path
        .replace("->>", "->")
        .split("->")
        .skip(1)
        .map(|step| match step.parse() {
            Ok(index) => JsonStep::Index(index),
            Err(_) => JsonStep::Key(step.to_owned()),
        })
        .collect();
    Operand {
        column: column.to_owned(),
        path: Some(JsonPath { steps, as_text }),
    }
}

/// `a`, `x:a`, `a::int`, `x:a::int`.
pub(super) fn col(text: &str) -> SelectItem {
    let (text, cast) = match text.split_once("::") {
        Some((text, cast)) => (text, Some(cast.to_owned())),
        None => (text, None),
    };
    let (alias, name) = match text.split_once(':') {
        Some((alias, name)) => (Some(alias.to_owned()), name),
        None => (None, text),
    };
    SelectItem::Column(Selected {
        operand: Some(operand(name)),
        cast,
        aggregate: None,
        alias,
    })
}

/// An aggregate of a column (with a cast), or of rows.
pub(super) fn agg(function: Aggregate, text: &str) -> SelectItem {
    let SelectItem::Column(mut selected) = col(text) else {
        unreachable!()
    };
    if text.is_empty() {
        selected.operand = None;
    }
    selected.aggregate = Some(Aggregated {
        function,
        cast: None,
    });
    SelectItem::Column(selected)
}

/// `t`, `x:t`, `t!hint`, `...t`, `t!inner`; its select.
pub(super) fn embed(text: &str, select: Vec<SelectItem>) -> SelectItem {
    embed_by(
        text,
        Query {
            select,
            ..Query::default()
        },
    )
}

pub(super) fn embed_by(text: &str, query: Query) -> SelectItem {
    let (spread, text) = match text.strip_prefix("...") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (alias, text) = match text.split_once(':') {
        Some((alias, text)) => (Some(alias.to_owned()), text),
        None => (None, text),
    };
    let mut words = text.split('!');
    let target = words.next().unwrap().to_owned();
    let (mut hint, mut join) = (None, None);
    for word in words {
        match word {
            "inner" => join = Some(JoinKind::Inner),
            "left" => join = Some(JoinKind::Left),
            word => hint = Some(word.to_owned()),
        }
    }
    SelectItem::Embed(Box::new(Embed {
        target,
        alias,
        hint,
        join,
        spread,
        query,
    }))
}

pub(super) fn select(select: Vec<SelectItem>) -> Query {
    Query {
        select,
        ..Query::default()
    }
}

pub(super) fn filter(name: &str, condition: Condition) -> Filter {
    Filter {
        operand: operand(name),
        negated: false,
        condition,
    }
}

pub(super) fn eq(name: &str, value: &str) -> Filter {
    filter(name, Condition::Compare(Comparison::Eq, value.to_owned()))
}

pub(super) fn is_null(name: &str) -> Filter {
    filter(name, Condition::Is(IsValue::Null))
}

pub(super) fn not(mut filter: Filter) -> Filter {
    filter.negated = true;
    filter
}

pub(super) fn any(filters: Vec<Filter>) -> Clause {
    Clause::Any(filters.into_iter().map(Clause::Column).collect())
}

pub(super) fn by(name: &str) -> OrderTerm {
    let (embed, name) = match name.split_once('.') {
        Some((embed, name)) => (Some(embed.to_owned()), name),
        None => (None, name),
    };
    OrderTerm {
        embed,
        operand: operand(name),
        descending: false,
        nulls: None,
    }
}

pub(super) fn read(of: &str, query: &Query) -> Result<ReadPlan, QueryError> {
    let schema = schema();
    Planner::default().read(Some(&schema), schema.table(of).unwrap(), query)
}

pub(super) fn within(limits: Limits, of: &str, query: &Query) -> Result<ReadPlan, QueryError> {
    let schema = schema();
    Planner::new(limits).read(Some(&schema), schema.table(of).unwrap(), query)
}

/// The plan of a read as text.
pub(super) fn plan(of: &str, query: &Query) -> String {
    described(read(of, query).unwrap().node())
}

pub(super) fn described(node: &Node) -> String {
    let mut text = Text {
        select: node.select(),
    }
    .statement();
    let members: Vec<String> = node.members().iter().map(member).collect();
    write!(text, " => {{{}}}", members.join(", ")).unwrap();
    for (at, child) in node.children().iter().enumerate() {
        let lone = if child.lone() { " lone" } else { "" };
        write!(
            text,
            "\n#{at}{lone} {:?}: {}",
            child.parent(),
            described(child.node()).replace('\n', "\n  ")
        )
        .unwrap();
    }
    text
}

fn member(member: &Member) -> String {
    match member {
        Member::Value { name, column, cast } => {
            let cast = cast.as_ref().map(|cast| format!("::{cast}"));
            format!("{name}: {column}{}", cast.unwrap_or_default())
        }
        Member::Object {
            name,
            present,
            members,
        } => {
            let members: Vec<String> = members.iter().map(self::member).collect();
            format!("{name}: {present}?{{{}}}", members.join(", "))
        }
        Member::Array { name, child } => format!("{name}: [#{child}]"),
        Member::Values {
            name,
            child,
            member,
        } => format!("{name}: [#{child}.{member}]"),
    }
}

struct Text<'a> {
    select: &'a Select,
}

impl Text<'_> {
    fn statement(&self) -> String {
        let select = self.select;
        let list: Vec<String> = select.columns().iter().map(|it| self.scalar(it)).collect();
        let mut text = format!(
            "SELECT {} FROM {}{}",
            list.join(", "),
            self.table(0),
            self.joins(select.joins())
        );
        if !select.predicate().is_empty() {
            write!(text, " WHERE {}", self.predicate(select.predicate())).unwrap();
        }
        if let Some(group) = select.group() {
            write!(text, " GROUP {group:?}").unwrap();
        }
        if !select.order().is_empty() {
            let order: Vec<String> = select
                .order()
                .iter()
                .map(|term| {
                    let way = if term.descending() { " desc" } else { "" };
                    format!("{}{way}", self.scalar(term.value()))
                })
                .collect();
            write!(text, " ORDER {}", order.join(", ")).unwrap();
        }
        if let Some(limit) = select.limit() {
            write!(text, " LIMIT {limit}").unwrap();
        }
        if select.offset() > 0 {
            write!(text, " OFFSET {}", select.offset()).unwrap();
        }
        text
    }

    fn table(&self, source: usize) -> String {
        format!("{} t{source}", self.select.tables()[source].name)
    }

    fn joins(&self, joins: &[Join]) -> String {
        joins.iter().map(|join| self.join(join)).collect()
    }

    fn join(&self, join: &Join) -> String {
        let kind = match join.kind() {
            JoinKind::Left => "LEFT",
            JoinKind::Inner => "INNER",
        };
        format!(" {kind} {}", self.joined(join))
    }

    fn joined(&self, join: &Join) -> String {
        let on: Vec<String> = join
            .on()
            .iter()
            .map(|(one, other)| format!("{} = {}", self.column(*one), self.column(*other)))
            .collect();
        let mut text = format!(
            "({}{} ON {}",
            self.table(join.source()),
            self.joins(join.joins()),
            on.join(" & ")
        );
        if !join.predicate().is_empty() {
            write!(text, " & {}", self.predicate(join.predicate())).unwrap();
        }
        text + ")"
    }

    fn column(&self, at: ColumnRef) -> String {
        let table = &self.select.tables()[at.source];
        format!("t{}.{}", at.source, table.columns[at.column].name)
    }

    fn scalar(&self, scalar: &Scalar) -> String {
        match scalar.kind() {
            ScalarKind::Column(at) => self.column(*at),
            ScalarKind::Json {
                column,
                steps,
                as_text,
            } => {
                let steps: Vec<String> = steps
                    .iter()
                    .map(|step| match step {
                        JsonStep::Key(key) => key.clone(),
                        JsonStep::Index(index) => index.to_string(),
                    })
                    .collect();
                let arrow = if *as_text { "->>" } else { "->" };
                format!("{}{arrow}{}", self.column(*column), steps.join("."))
            }
            ScalarKind::Cast(of) => format!("{}::{}", self.scalar(of), scalar.column_type()),
            ScalarKind::Aggregate(function, of) => {
                let of = of
                    .as_ref()
                    .map_or_else(|| "*".to_owned(), |of| self.scalar(of));
                format!("{}({of}):{}", function.word(), scalar.column_type())
            }
            ScalarKind::Present(at) => format!("{}?", self.column(*at)),
        }
    }

    fn predicate(&self, predicate: &Predicate) -> String {
        let join = |parts: &[Predicate], word: &str| {
            let parts: Vec<String> = parts.iter().map(|part| self.predicate(part)).collect();
            match parts.as_slice() {
                [] => if word == " & " { "TRUE" } else { "FALSE" }.to_owned(),
                [one] => one.clone(),
                parts => format!("({})", parts.join(word)),
            }
        };
        match predicate {
            Predicate::All(parts) => join(parts, " & "),
            Predicate::Any(parts) => join(parts, " | "),
            Predicate::Unknown => "UNKNOWN".to_owned(),
            Predicate::Not(inner) => format!("!{}", self.predicate(inner)),
            Predicate::Test { value, test } => {
                let value = self.scalar(value);
                match test {
                    Test::Compare(comparison, operand) => {
                        format!("{value} {} {operand:?}", comparison.sql())
                    }
                    test => format!("{value} {test:?}"),
                }
            }
            Predicate::Exists(related) => format!("EXISTS{}", self.joined(related.join())),
            Predicate::Present(at) => format!("{}?", self.column(*at)),
        }
    }
}

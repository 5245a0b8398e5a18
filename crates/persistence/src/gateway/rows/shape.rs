//! How the columns of a statement, and the rows that were fetched for them, become the members
//! of an object.

use std::borrow::Cow;
use std::collections::HashMap;

use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::value::Value;
use tidegate_domain::gateway::zone::Zone;
use tidegate_domain::query::ask::Aggregate;
use tidegate_domain::query::error::ValueFault;
use tidegate_domain::query::plan::{Child, Member, Node, Scalar, ScalarKind};

use super::cast::cast;
use super::document::{json, json_text};
use super::exact;
use super::field::{Field, Reader};
use crate::engine::Engine;
use crate::gateway::sql::{self, Finish};

/// A member of a row.
enum Part {
    Value(Shown),
    Object {
        present: usize,
        members: Members,
    },
    /// What was made of the related rows, by the place in [`Shape::children`] and in their wishes.
    Related {
        child: usize,
        wish: usize,
    },
}

/// The members of an object, each with what stands before its value.
struct Members(Vec<(Vec<u8>, Part)>);

/// How one column is shown.
struct Shown {
    name: String,
    column: usize,
    finish: Finish,
    cast: Option<ColumnType>,
    /// Whether it is shown as the engine gives it.
    as_is: bool,
}

/// What is made of related rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Objects.
    Rows,
    /// The values of one of their members.
    Member(usize),
}

/// How rows of a node are written.
pub(crate) struct Shape {
    members: Members,
    /// For each child its key in the rows, and what is made of its rows.
    children: Vec<(Vec<usize>, Vec<Wish>)>,
    zone: Option<Zone>,
    width: usize,
}

/// The key of a row, in a form that is the same for equal ones; and its values.
pub(crate) type Key = (Vec<u8>, Vec<Value>);

/// What was made of one child's rows: for each key, and for keys without any, the insides of
/// the arrays that were wished for.
#[derive(Default)]
pub(crate) struct Found {
    rows: HashMap<Vec<u8>, Vec<Vec<u8>>>,
    none: Vec<Vec<u8>>,
}

impl Shape {
    /// The shape of a node's rows.
    pub(crate) fn new(engine: Engine, node: &Node, zone: Option<Zone>) -> Self {
        let mut children: Vec<_> = node
            .children()
            .iter()
            .map(|child| (child.parent().to_vec(), Vec::new()))
            .collect();
        let columns = node.select().columns();
        Self {
            members: members(engine, columns, node.members(), &mut children),
            children,
            zone,
            width: columns.len(),
        }
    }

    /// How many columns the statement has.
    pub(crate) fn width(&self) -> usize {
        // A select list is never empty.
        self.width.max(1)
    }

    /// The zone in which instants are shown.
    pub(crate) fn zone(&self) -> Option<Zone> {
        self.zone
    }

    /// The key by which a child's rows are related to a row; `None` where it is null.
    pub(crate) fn key<R: Reader>(
        &self,
        child: usize,
        row: &R::Row,
        reader: &mut R,
    ) -> Result<Option<Key>, sqlx::Error> {
        match self.children.get(child) {
            Some((columns, _)) => key(columns.iter().copied(), row, reader),
            None => Ok(None),
        }
    }

    /// Room for what is made of a child's rows.
    pub(crate) fn nothing_found(&self, at: usize, child: &Child) -> Found {
        let wishes = self.children.get(at).map_or(&[][..], |(_, wishes)| wishes);
        let none = wishes.iter().map(|wish| match (child.lone(), wish) {
            (false, _) => Vec::new(),
            (true, Wish::Rows) => alone(child),
            (true, Wish::Member(member)) => alone_member(child, *member),
        });
        Found {
            rows: HashMap::new(),
            none: none.collect(),
        }
    }

    /// Adds a row of a child, whose shape is `inner`, to what is made of its rows.
    #[expect(
        clippy::too_many_arguments,
        reason = "a row, how it is read, and the three places that it goes through"
    )]
    pub(crate) fn add<R: Reader>(
        &self,
        at: usize,
        found: &mut Found,
        key: Vec<u8>,
        inner: &Shape,
        row: &R::Row,
        reader: &mut R,
        below: &[Found],
    ) -> Result<(), sqlx::Error> {
        let wishes = self.children.get(at).map_or(&[][..], |(_, wishes)| wishes);
        let made = found
            .rows
            .entry(key)
            .or_insert_with(|| vec![Vec::new(); wishes.len()]);
        for (wish, out) in wishes.iter().zip(made) {
            if !out.is_empty() {
                out.push(b',');
            }
            match wish {
                Wish::Rows => inner.object(out, row, reader, below)?,
                Wish::Member(member) => {
                    if let Some((_, part)) = inner.members.0.get(*member) {
                        inner.part(out, part, row, reader, below)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes a row as an object.
    pub(crate) fn object<R: Reader>(
        &self,
        out: &mut Vec<u8>,
        row: &R::Row,
        reader: &mut R,
        below: &[Found],
    ) -> Result<(), sqlx::Error> {
        self.members_of(out, &self.members, row, reader, below)
    }

    fn members_of<R: Reader>(
        &self,
        out: &mut Vec<u8>,
        members: &Members,
        row: &R::Row,
        reader: &mut R,
        below: &[Found],
    ) -> Result<(), sqlx::Error> {
        out.push(b'{');
        for (before, part) in &members.0 {
            out.extend_from_slice(before);
            self.part(out, part, row, reader, below)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn part<R: Reader>(
        &self,
        out: &mut Vec<u8>,
        part: &Part,
        row: &R::Row,
        reader: &mut R,
        below: &[Found],
    ) -> Result<(), sqlx::Error> {
        match part {
            Part::Value(shown) if shown.as_is && self.zone.is_none() => {
                reader.json(out, row, shown.column)?;
            }
            Part::Value(shown) => json(out, &self.field(shown, row, reader)?),
            Part::Object { present, members } => match reader.field(row, *present)? {
                Field::Null | Field::Bool(false) | Field::Int(0) | Field::UInt(0) => {
                    out.extend_from_slice(b"null");
                }
                _ => self.members_of(out, members, row, reader, below)?,
            },
            Part::Related { child, wish } => {
                out.push(b'[');
                let columns = self
                    .children
                    .get(*child)
                    .map(|(columns, _)| columns.as_slice());
                let columns = columns.unwrap_or_default().iter().copied();
                let key = key_text(columns, row, reader)?;
                if let Some(found) = below.get(*child) {
                    let made = key.and_then(|key| found.rows.get(&key));
                    if let Some(inside) = made.unwrap_or(&found.none).get(*wish) {
                        out.extend_from_slice(inside);
                    }
                }
                out.push(b']');
            }
        }
        Ok(())
    }

    /// The value of a member of a row that is one; else its JSON, written to `nested`.
    pub(crate) fn member<'r, R: Reader>(
        &self,
        at: usize,
        row: &'r R::Row,
        reader: &mut R,
        below: &[Found],
        nested: &mut Vec<u8>,
    ) -> Result<Option<Field<'r>>, sqlx::Error> {
        match self.members.0.get(at) {
            Some((_, Part::Value(shown))) => self.field(shown, row, reader).map(Some),
            Some((_, part)) => {
                self.part(nested, part, row, reader, below)?;
                Ok(None)
            }
            None => Ok(Some(Field::Null)),
        }
    }

    fn field<'r, R: Reader>(
        &self,
        shown: &Shown,
        row: &'r R::Row,
        reader: &mut R,
    ) -> Result<Field<'r>, sqlx::Error> {
        let mut field = finished(shown, reader.field(row, shown.column)?)?;
        if let Some(to) = &shown.cast {
            field = cast(field, to, &shown.name)?;
        }
        if let (Some(zone), Field::Moment(instant)) = (self.zone, &field)
            && let Some(text) = zone.shown(instant.as_str())
        {
            return Ok(Field::Text(Cow::Owned(text)));
        }
        Ok(field)
    }
}

fn finished<'a>(shown: &Shown, field: Field<'a>) -> Result<Field<'a>, sqlx::Error> {
    let exact = |text: Option<String>| match text {
        Some(digits) => Ok(Field::Decimal(Cow::Owned(digits))),
        // A column of a table made elsewhere holds what is no number.
        None => Err(super::cast::refused(
            &shown.name,
            ValueFault::Malformed,
            "a sum has a term that is no number".to_owned(),
        )),
    };
    match (shown.finish, field) {
        (Finish::Sum, Field::Text(terms)) => exact(exact::sum(&terms)),
        (Finish::Mean, Field::Text(terms)) => exact(exact::mean(&terms)),
        (Finish::Trim, Field::Decimal(digits) | Field::Text(digits)) => Ok(Field::Decimal(
            Cow::Owned(exact::trimmed(&digits).to_owned()),
        )),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the type has this precision"
        )]
        (Finish::Single, Field::Double(number)) => Ok(Field::Float(number as f32)),
        (_, field) => Ok(field),
    }
}

/// The key in these columns of a row.
pub(crate) fn key<R: Reader>(
    columns: impl Iterator<Item = usize>,
    row: &R::Row,
    reader: &mut R,
) -> Result<Option<Key>, sqlx::Error> {
    let (mut bytes, mut values) = (Vec::new(), Vec::new());
    for column in columns {
        let field = reader.field(row, column)?;
        if field == Field::Null {
            return Ok(None);
        }
        json(&mut bytes, &field);
        bytes.push(b',');
        values.push(field.into_value());
    }
    Ok(Some((bytes, values)))
}

/// The key in these columns of a row, without its values.
pub(crate) fn key_text<R: Reader>(
    columns: impl Iterator<Item = usize>,
    row: &R::Row,
    reader: &mut R,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let mut bytes = Vec::with_capacity(24);
    for column in columns {
        let field = reader.field(row, column)?;
        if field == Field::Null {
            return Ok(None);
        }
        json(&mut bytes, &field);
        bytes.push(b',');
    }
    Ok(Some(bytes))
}

fn members(
    engine: Engine,
    columns: &[Scalar],
    members: &[Member],
    children: &mut [(Vec<usize>, Vec<Wish>)],
) -> Members {
    let mut parts = Vec::with_capacity(members.len());
    for (at, member) in members.iter().enumerate() {
        let mut before = if at == 0 { Vec::new() } else { vec![b','] };
        json_text(&mut before, member.name());
        before.push(b':');
        let mut related = |child: usize, asked: Wish| {
            let wishes = children.get_mut(child).map(|(_, wishes)| wishes);
            let wish = wishes.map_or(0, |wishes| {
                wishes
                    .iter()
                    .position(|it| *it == asked)
                    .unwrap_or_else(|| {
                        wishes.push(asked);
                        wishes.len() - 1
                    })
            });
            Part::Related { child, wish }
        };
        let part = match member {
            Member::Value { name, column, cast } => {
                Part::Value(shown(engine, columns, name, *column, cast.as_ref()))
            }
            Member::Object {
                present, members, ..
            } => Part::Object {
                present: *present,
                members: self::members(engine, columns, members, children),
            },
            Member::Array { child, .. } => related(*child, Wish::Rows),
            Member::Values { child, member, .. } => related(*child, Wish::Member(*member)),
        };
        parts.push((before, part));
    }
    Members(parts)
}

fn shown(
    engine: Engine,
    columns: &[Scalar],
    name: &str,
    column: usize,
    cast: Option<&ColumnType>,
) -> Shown {
    let value = columns.get(column);
    // Of an aggregate that is cast the cast is left to be done.
    let within = value.filter(|it| {
        matches!(it.kind(), ScalarKind::Cast(_))
            && matches!(sql::aggregate_of(it).kind(), ScalarKind::Aggregate(..))
    });
    let finish = value.map_or(Finish::None, |it| sql::finish(engine, it));
    let cast = cast.or(within.map(Scalar::column_type));
    Shown {
        name: name.to_owned(),
        column,
        finish,
        as_is: finish == Finish::None && cast.is_none(),
        cast: cast.cloned(),
    }
}

/// The one row of aggregates of nothing.
fn alone(child: &Child) -> Vec<u8> {
    let mut out = vec![b'{'];
    for (at, member) in child.node().members().iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json_text(&mut out, member.name());
        out.push(b':');
        out.extend(alone_member(child, at));
    }
    out.push(b'}');
    out
}

fn alone_member(child: &Child, member: usize) -> Vec<u8> {
    let column = match child.node().members().get(member) {
        Some(Member::Value { column, .. }) => child.node().select().columns().get(*column),
        _ => None,
    };
    let is_count = column.is_some_and(|value| {
        matches!(
            sql::aggregate_of(value).kind(),
            ScalarKind::Aggregate(Aggregate::Count, _)
        )
    });
    if is_count { b"0" } else { &b"null"[..] }.to_vec()
}

//! Where the columns of views come from: which of them are columns of the tables they are made
//! of, by the text of their definition. What is not understood is said to come from nowhere.

use sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, Statement, TableFactor, TableWithJoins,
};
use sqlparser::dialect::Dialect;
use sqlparser::parser::Parser;
use tidegate_domain::gateway::schema::BaseColumn;

/// What a view is made of.
#[derive(Debug, Default)]
pub(crate) struct Lineage {
    /// Its tables: the name in the text, and the table's where it is one of this database.
    sources: Vec<(String, Option<String>)>,
    /// Whether there is one table only, so that none of its rows stands in two of the view's.
    alone: bool,
    items: Vec<Item>,
}

/// What stands in a view's select list.
#[derive(Debug)]
enum Item {
    /// A column: its table's name in the text, where it is told, and its own.
    Column(Option<String>, String),
    /// All columns of one table, or of all.
    All(Option<String>),
    /// Anything else.
    Other,
}

impl Lineage {
    /// Reads a definition: a `CREATE VIEW`, or the query alone.
    pub(crate) fn read(sql: &str, dialect: &dyn Dialect, database: Option<&str>) -> Option<Self> {
        let mut statements = Parser::parse_sql(dialect, sql).ok()?;
        let query = match statements.pop()? {
            Statement::CreateView(view) => view.query,
            Statement::Query(query) => query,
            _ => return None,
        };
        let select = select(*query)?;
        let mut lineage = Self {
            alone: matches!(select.from.as_slice(), [one] if one.joins.is_empty()
                && matches!(one.relation, TableFactor::Table { .. })),
            ..Self::default()
        };
        for table in &select.from {
            lineage.add(table, database)?;
        }
        lineage.items = select.projection.into_iter().map(item).collect();
        Some(lineage)
    }

    fn add(&mut self, tables: &TableWithJoins, database: Option<&str>) -> Option<()> {
        self.add_factor(&tables.relation, database)?;
        for join in &tables.joins {
            // Columns in common stand once in `*`; such a view is not looked into.
            if shares_columns(&join.join_operator) {
                return None;
            }
            self.add_factor(&join.relation, database)?;
        }
        Some(())
    }

    fn add_factor(&mut self, factor: &TableFactor, database: Option<&str>) -> Option<()> {
        match factor {
            TableFactor::Table {
                name, alias, args, ..
            } => {
                let mut names = names(name)?;
                let table = names.pop()?;
                let here = match (names.pop(), database) {
                    (Some(of), Some(database)) => of == database,
                    (Some(of), None) => of.eq_ignore_ascii_case("main"),
                    (None, _) => true,
                };
                let shown = alias
                    .as_ref()
                    .map_or_else(|| table.clone(), |alias| alias.name.value.clone());
                let table = Some(table).filter(|_| here && args.is_none());
                self.sources.push((shown, table));
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => self.add(table_with_joins, database)?,
            TableFactor::Derived { alias, .. } => {
                let shown = alias.as_ref()?.name.value.clone();
                self.sources.push((shown, None));
            }
            _ => return None,
        }
        Some(())
    }

    /// Where each of the view's columns comes from. `columns_of` gives a table's name as it is
    /// spelt, and the names of its columns, where these are known.
    pub(crate) fn bases(
        &self,
        columns: &[String],
        columns_of: impl Fn(&str) -> Option<(String, Vec<String>)>,
    ) -> Vec<Option<BaseColumn>> {
        let found = self.expanded(columns, &columns_of).unwrap_or_default();
        if found.len() == columns.len() {
            found
        } else {
            vec![None; columns.len()]
        }
    }

    fn expanded(
        &self,
        columns: &[String],
        columns_of: &impl Fn(&str) -> Option<(String, Vec<String>)>,
    ) -> Option<Vec<Option<BaseColumn>>> {
        let base = |table: &str, column: &str| {
            let (table, column) = match columns_of(table) {
                Some((table, names)) => {
                    let column = names
                        .into_iter()
                        .find(|it| it.eq_ignore_ascii_case(column))?;
                    (table, column)
                }
                None => (table.to_owned(), column.to_owned()),
            };
            Some(BaseColumn {
                table,
                column,
                alone: self.alone,
            })
        };
        let mut found = Vec::with_capacity(columns.len());
        for item in &self.items {
            match item {
                Item::Other => found.push(None),
                Item::Column(of, column) => {
                    let table = match of {
                        Some(of) => self.source(of),
                        None => self.holder(column, columns_of),
                    };
                    found.push(table.and_then(|table| base(table, column)));
                }
                Item::All(of) => {
                    for (shown, table) in &self.sources {
                        if of
                            .as_ref()
                            .is_some_and(|of| !of.eq_ignore_ascii_case(shown))
                        {
                            continue;
                        }
                        let table = table.as_deref()?;
                        match columns_of(table) {
                            Some((_, names)) => {
                                found.extend(names.iter().map(|column| base(table, column)));
                            }
                            // All there is of one table has its columns' names.
                            None if self.alone && self.items.len() == 1 => {
                                found.extend(columns.iter().map(|column| base(table, column)));
                            }
                            None => return None,
                        }
                    }
                }
            }
        }
        Some(found)
    }

    /// The table that has this name in the text.
    fn source(&self, name: &str) -> Option<&str> {
        let is_it = |(shown, _): &&(String, Option<String>)| shown.eq_ignore_ascii_case(name);
        self.sources.iter().find(is_it)?.1.as_deref()
    }

    /// The table of a column that stands alone.
    fn holder(
        &self,
        column: &str,
        columns_of: &impl Fn(&str) -> Option<(String, Vec<String>)>,
    ) -> Option<&str> {
        if let [(_, table)] = self.sources.as_slice() {
            return table.as_deref();
        }
        let mut holder = None;
        for (_, table) in &self.sources {
            let table = table.as_deref()?;
            let (_, names) = columns_of(table)?;
            if names.iter().any(|it| it.eq_ignore_ascii_case(column)) {
                holder = Some(table);
            }
        }
        holder
    }
}

/// The one SELECT that a query is; a union is none, and what `WITH` names is no table.
fn select(query: Query) -> Option<Select> {
    if query.with.is_some() {
        return None;
    }
    match *query.body {
        SetExpr::Select(select) => Some(*select),
        SetExpr::Query(query) => self::select(*query),
        _ => None,
    }
}

fn item(item: SelectItem) -> Item {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => column(expr),
        SelectItem::Wildcard(_) => Item::All(None),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
            match names(&name).and_then(|mut names| names.pop()) {
                Some(name) => Item::All(Some(name)),
                None => Item::Other,
            }
        }
        _ => Item::Other,
    }
}

fn column(expr: Expr) -> Item {
    match expr {
        Expr::Nested(inner) => column(*inner),
        Expr::Identifier(Ident { value, .. }) => Item::Column(None, value),
        Expr::CompoundIdentifier(mut parts) => {
            let name = parts.pop().map(|it| it.value);
            let of = parts.pop().map(|it| it.value);
            name.map_or(Item::Other, |name| Item::Column(of, name))
        }
        _ => Item::Other,
    }
}

fn names(name: &ObjectName) -> Option<Vec<String>> {
    let parts = name.0.iter();
    parts
        .map(|part| part.as_ident().map(|it| it.value.clone()))
        .collect()
}

/// Whether a join is by columns that both sides have.
fn shares_columns(join: &JoinOperator) -> bool {
    let constraint = match join {
        JoinOperator::Join(it)
        | JoinOperator::Inner(it)
        | JoinOperator::Left(it)
        | JoinOperator::LeftOuter(it)
        | JoinOperator::Right(it)
        | JoinOperator::RightOuter(it)
        | JoinOperator::CrossJoin(it)
        | JoinOperator::FullOuter(it)
        | JoinOperator::StraightJoin(it) => it,
        _ => return true,
    };
    matches!(
        constraint,
        JoinConstraint::Using(_) | JoinConstraint::Natural
    )
}

#[cfg(test)]
mod tests {
    use sqlparser::dialect::{MySqlDialect, SQLiteDialect};

    use super::*;

    fn shown(lineage: Option<Lineage>, columns: &[&str]) -> Vec<String> {
        let columns: Vec<String> = columns.iter().map(|it| (*it).to_owned()).collect();
        let known = |table: &str| {
            let names: &[&str] = match table.to_ascii_lowercase().as_str() {
                "film" => &["id", "title", "by"],
                "person" => &["no", "name"],
                _ => return None,
            };
            let names = names.iter().map(|it| (*it).to_owned()).collect();
            Some((table.to_ascii_lowercase(), names))
        };
        let bases = lineage.unwrap_or_default().bases(&columns, known);
        bases
            .into_iter()
            .map(|base| match base {
                Some(it) => format!(
                    "{}.{}{}",
                    it.table,
                    it.column,
                    if it.alone { "!" } else { "" }
                ),
                None => "-".to_owned(),
            })
            .collect()
    }

    #[test]
    fn plain_columns_come_from_tables() {
        for (sql, columns, expected) in [
            (
                "CREATE VIEW v AS SELECT * FROM Film",
                &["id", "title", "by"][..],
                &["film.id!", "film.title!", "film.by!"][..],
            ),
            (
                "CREATE VIEW v(a, b) AS SELECT f.Id, upper(title) FROM film AS f WHERE by > 1",
                &["a", "b"],
                &["film.id!", "-"],
            ),
            (
                "CREATE TEMP VIEW v AS SELECT \"title\" AS t, (by) FROM main.film LIMIT 3",
                &["t", "by"],
                &["film.title!", "film.by!"],
            ),
            (
                "CREATE VIEW v AS SELECT name, f.*, 1 FROM film f LEFT JOIN person p ON p.no = f.by",
                &["name", "id", "title", "by", "1"],
                &["person.name", "film.id", "film.title", "film.by", "-"],
            ),
            (
                "CREATE VIEW v AS SELECT by, count(*) AS n FROM film GROUP BY by",
                &["by", "n"],
                &["film.by!", "-"],
            ),
            (
                "CREATE VIEW v AS SELECT d.x, f.id FROM film f, (SELECT 1 AS x) d",
                &["x", "id"],
                &["-", "film.id"],
            ),
            // Not looked into, or not understood.
            (
                "CREATE VIEW v AS SELECT id FROM film UNION SELECT no FROM person",
                &["id"],
                &["-"],
            ),
            (
                "CREATE VIEW v AS WITH film AS (SELECT 1 AS id) SELECT id FROM film",
                &["id"],
                &["-"],
            ),
            (
                "CREATE VIEW v AS SELECT * FROM film JOIN person USING (id)",
                &["id"],
                &["-"],
            ),
            (
                "CREATE VIEW v AS SELECT * FROM other, film",
                &["a", "b"],
                &["-", "-"],
            ),
            ("CREATE VIEW v AS nonsense", &["a"], &["-"]),
        ] {
            let lineage = Lineage::read(sql, &SQLiteDialect {}, None);
            assert_eq!(shown(lineage, columns), expected, "{sql}");
        }
    }

    #[test]
    fn definitions_of_servers_are_read() {
        for (sql, columns, expected) in [
            (
                "select `c`.`x`.`a` AS `one`,`c`.`x`.`b` AS `two` from `c`.`x` where (`c`.`x`.`a` > 3)",
                &["one", "two"][..],
                &["x.a!", "x.b!"][..],
            ),
            (
                "select `f`.`id` AS `id`,`p`.`name` AS `name`,(`f`.`by` + 1) AS `n` from (`c`.`film` `f` join `c`.`person` `p` on((`p`.`no` = `f`.`by`)))",
                &["id", "name", "n"],
                &["film.id", "person.name", "-"],
            ),
            // Of another database.
            ("select `d`.`x`.`a` AS `a` from `d`.`x`", &["a"], &["-"]),
        ] {
            let lineage = Lineage::read(sql, &MySqlDialect {}, Some("c"));
            assert_eq!(shown(lineage, columns), expected, "{sql}");
        }
    }
}

//! The data that everything is measured on: employees, each in a department and with five or
//! ten salaries. The same in every run and on every engine.

mod session;

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::random::Random;

pub(crate) use self::session::{Session, introduce};

/// The gateway's database that holds them.
pub(crate) const DATABASE: &str = "bench";

/// Employees of one department.
const DEPARTMENT: u64 = 1000;

/// Rows that one statement brings.
const BATCH: u64 = 5000;

/// The columns of employees that a client gives; `emp_no` numbers itself.
pub(crate) const COLUMNS: &str = "birth_date,first_name,last_name,gender,hire_date,dept_no";

const FIRST: [&str; 16] = [
    "Ada", "Bela", "Carla", "Dario", "Edda", "Frode", "Greta", "Hugo", "Ines", "Jonas", "Karin",
    "Lars", "Mira", "Nils", "Olga", "Piet",
];
const LAST: [&str; 16] = [
    "Abel",
    "Bergman",
    "Castell",
    "Dahl",
    "Ekholm",
    "Falk",
    "Grimaldi",
    "Hansen",
    "Iversen",
    "Jansson",
    "Keller",
    "Lindqvist",
    "Moreau",
    "Nowak",
    "Oster",
    "Petrov",
];

/// How much there is.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) employees: u64,
}

impl Scale {
    /// A multiple of three, so that all of one department have five salaries, or all ten.
    pub(crate) fn departments(self) -> u64 {
        (self.employees / DEPARTMENT / 3).max(1) * 3
    }

    pub(crate) fn salaries(self) -> u64 {
        self.employees * 5 + self.employees / 3 * 5
    }
}

/// How many salaries somebody has.
fn salaries_of(number: u64) -> u64 {
    if number.is_multiple_of(3) { 10 } else { 5 }
}

/// What a client says of somebody, as values between quotes: for SQL, CSV and JSON alike.
pub(crate) struct Person {
    pub(crate) birth: String,
    pub(crate) first: &'static str,
    pub(crate) last: &'static str,
    pub(crate) gender: &'static str,
    pub(crate) hired: String,
    pub(crate) department: u64,
}

/// The employee of a number.
pub(crate) fn person(number: u64, scale: Scale) -> Person {
    let mut random = Random::new(number);
    let mut date = |first: u64| {
        let (year, month, day) = (random.below(30), random.below(12), random.below(28));
        format!("{:04}-{:02}-{:02}", first + year, month + 1, day + 1)
    };
    let (birth, hired) = (date(1950), date(1990));
    let mut one_of = |names: &[&'static str]| {
        let at = random.below(names.len() as u64) as usize;
        names.get(at).copied().unwrap_or_default()
    };
    Person {
        birth,
        first: one_of(&FIRST),
        last: one_of(&LAST),
        gender: one_of(&["F", "M"]),
        hired,
        department: number % scale.departments(),
    }
}

/// Where the data are.
#[derive(Clone)]
pub(crate) enum Database {
    /// On a server: its address, without a database.
    Server(String),
    /// In a file.
    Embedded(PathBuf),
}

impl Database {
    /// The name and version of the engine.
    pub(crate) async fn version(&self) -> anyhow::Result<String> {
        match self {
            Self::Server(url) => {
                let mut conn = Conn::new(Opts::from_url(url)?).await?;
                let version: Option<String> = conn.query_first("SELECT VERSION()").await?;
                let version = version.context("no version")?;
                conn.disconnect().await?;
                Ok(match version.split_once("-MariaDB") {
                    Some((number, _)) => format!("MariaDB {number}"),
                    None => format!("MySQL {version}"),
                })
            }
            Self::Embedded(_) => Ok(format!("SQLite {}", rusqlite::version())),
        }
    }

    /// Makes the tables in the database, which is there, and fills them.
    pub(crate) async fn fill(&self, scale: Scale) -> anyhow::Result<()> {
        let mut session = self.session(DATABASE).await?;
        session.prepare().await?;
        for statement in self.tables() {
            session.run(statement).await?;
        }
        let mut sql = String::new();
        let mut next = 1;
        while next <= scale.employees {
            let end = (next + BATCH).min(scale.employees + 1);
            sql.clear();
            write!(sql, "INSERT INTO employees (emp_no,{COLUMNS}) VALUES ")?;
            for number in next..end {
                let comma = if number == next { "" } else { "," };
                let who = person(number, scale);
                write!(
                    sql,
                    "{comma}({number},'{}','{}','{}','{}','{}',{})",
                    who.birth, who.first, who.last, who.gender, who.hired, who.department
                )?;
            }
            session.run(&sql).await?;
            sql.clear();
            sql.push_str("INSERT INTO salaries (emp_no,from_date,to_date,amount) VALUES ");
            for number in next..end {
                let mut random = Random::new(number + scale.employees);
                for at in 0..salaries_of(number) {
                    let comma = if number == next && at == 0 { "" } else { "," };
                    let (from, amount) = (2010 + at, 30_000 + random.below(90_000));
                    let to = from + 1;
                    write!(
                        sql,
                        "{comma}({number},'{from}-01-01','{to}-01-01',{amount})"
                    )?;
                }
            }
            session.run(&sql).await?;
            next = end;
        }
        session.run(self.analysis()).await?;
        session.finish().await
    }

    fn analysis(&self) -> &'static str {
        match self {
            Self::Server(_) => "ANALYZE TABLE employees, salaries",
            Self::Embedded(_) => "ANALYZE",
        }
    }

    /// Empties a table.
    pub(crate) async fn empty(&self, table: &str) -> anyhow::Result<()> {
        let mut session = self.session(DATABASE).await?;
        let statement = match self {
            Self::Server(_) => format!("TRUNCATE TABLE {table}"),
            Self::Embedded(_) => format!("DELETE FROM {table}"),
        };
        session.run(&statement).await?;
        session.close().await
    }

    /// What a commit costs here, as the settings have it while something is measured.
    pub(crate) async fn durability(&self) -> anyhow::Result<String> {
        let Self::Server(url) = self else {
            return Ok("write-ahead log, `synchronous=FULL`".to_owned());
        };
        let mut conn = Conn::new(Opts::from_url(url)?).await?;
        let mut said = Vec::new();
        for name in [
            "innodb_flush_log_at_trx_commit",
            "innodb_doublewrite",
            "innodb_flush_method",
            "log_bin",
            "sync_binlog",
        ] {
            let asked = format!("SHOW GLOBAL VARIABLES LIKE '{name}'");
            let row: Option<(String, String)> = conn.query_first(asked).await?;
            if let Some((name, value)) = row {
                said.push(format!("`{name}={value}`"));
            }
        }
        conn.disconnect().await?;
        Ok(said.join(", "))
    }

    /// A connection to one of the databases; of a file, whichever it is.
    pub(crate) async fn session(&self, name: &str) -> anyhow::Result<Session> {
        Ok(match self {
            Self::Server(url) => {
                let url = format!("{url}/{name}?prefer_socket=false");
                Session::Server(Conn::new(Opts::from_url(&url)?).await?)
            }
            Self::Embedded(path) => {
                let connection = rusqlite::Connection::open(path)?;
                connection.busy_timeout(Duration::from_secs(60))?;
                Session::Embedded(connection)
            }
        })
    }

    fn tables(&self) -> [&'static str; 5] {
        match self {
            Self::Server(_) => [
                "CREATE TABLE employees (emp_no INT NOT NULL AUTO_INCREMENT PRIMARY KEY, birth_date DATE NOT NULL, \
                 first_name VARCHAR(40) NOT NULL, last_name VARCHAR(40) NOT NULL, gender CHAR(1) NOT NULL, \
                 hire_date DATE NOT NULL, dept_no INT NOT NULL, KEY by_department (dept_no))",
                "CREATE TABLE salaries (emp_no INT NOT NULL, from_date DATE NOT NULL, to_date DATE NOT NULL, \
                 amount INT NOT NULL, PRIMARY KEY (emp_no, from_date), \
                 CONSTRAINT earned_by FOREIGN KEY (emp_no) REFERENCES employees (emp_no) ON DELETE CASCADE)",
                "CREATE TABLE hires LIKE employees",
                "CREATE TABLE labels (id INT NOT NULL PRIMARY KEY, label VARCHAR(40) NOT NULL, number INT NOT NULL)",
                "CREATE TABLE events (id BIGINT AUTO_INCREMENT PRIMARY KEY, body LONGBLOB NOT NULL, received_at DATETIME(6) NOT NULL)",
            ],
            // The types of dates are written as Tidegate itself would declare them.
            Self::Embedded(_) => [
                "CREATE TABLE employees (emp_no INTEGER PRIMARY KEY, birth_date \"date TEXT\" NOT NULL, \
                 first_name VARCHAR(40) NOT NULL, last_name VARCHAR(40) NOT NULL, gender CHAR(1) NOT NULL, \
                 hire_date \"date TEXT\" NOT NULL, dept_no INTEGER NOT NULL); \
                 CREATE INDEX by_department ON employees (dept_no)",
                "CREATE TABLE salaries (emp_no INTEGER NOT NULL, from_date \"date TEXT\" NOT NULL, \
                 to_date \"date TEXT\" NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (emp_no, from_date), \
                 CONSTRAINT earned_by FOREIGN KEY (emp_no) REFERENCES employees (emp_no) ON DELETE CASCADE)",
                "CREATE TABLE hires (emp_no INTEGER PRIMARY KEY, birth_date \"date TEXT\" NOT NULL, \
                 first_name VARCHAR(40) NOT NULL, last_name VARCHAR(40) NOT NULL, gender CHAR(1) NOT NULL, \
                 hire_date \"date TEXT\" NOT NULL, dept_no INTEGER NOT NULL); \
                 CREATE INDEX hires_by_department ON hires (dept_no)",
                "CREATE TABLE labels (id INTEGER PRIMARY KEY, label VARCHAR(40) NOT NULL, number INTEGER NOT NULL)",
                "CREATE TABLE events (id INTEGER PRIMARY KEY, body BLOB NOT NULL, received_at TEXT NOT NULL)",
            ],
        }
    }
}

//! Pages, counts, and documents too large to be kept.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tidegate_domain::gateway::port::Encoding;
use tidegate_domain::gateway::schema::Table;
use tidegate_domain::query::ask::{Comparison, Query};

use super::{
    Fixture, TestEngine, by, column, compare, counted, key, long_text, open, open_with, text,
};

/// A table of so many rows, each with a text of about a hundred bytes.
async fn filled(fixture: &Fixture, rows: u64) -> Arc<Table> {
    fixture
        .sql("CREATE TABLE $t (id INTEGER PRIMARY KEY, s TEXT)")
        .await;
    let table = fixture.table("t", vec![key("id"), column("s", long_text())], &["id"]);
    let json: Vec<_> = (1..=rows)
        .map(|id| serde_json::json!({"id": id, "s": line(id)}))
        .collect();
    for rows in json.chunks(5_000) {
        fixture
            .insert(&table, &serde_json::to_string(rows).unwrap())
            .await
            .unwrap();
    }
    table
}

fn line(id: u64) -> String {
    format!("row {id} \"ü\" {}", "x".repeat(80))
}

fn expected(ids: impl Iterator<Item = u64>) -> String {
    let rows: Vec<_> = ids
        .map(|id| {
            format!(
                r#"{{"id":{id},"s":{}}}"#,
                serde_json::to_string(&line(id)).unwrap()
            )
        })
        .collect();
    format!("[{}]", rows.join(","))
}

fn page(limit: Option<u64>, offset: u64) -> Query {
    Query {
        limit,
        offset,
        order: vec![by("id")],
        ..Query::default()
    }
}

on_every_engine! {
    async fn pages_and_counts_agree(engine: TestEngine) {
        let fixture = open(engine).await;
        let table = filled(&fixture, 30).await;
        let above = |query: Query, id: &str| Query { filters: vec![compare("id", Comparison::Gt, id)], ..query };
        // Query, rows returned, ids, total.
        let cases = [
            (page(None, 0), 1..31, 30),
            (page(Some(10), 0), 1..11, 30),
            (page(Some(10), 25), 26..31, 30),
            (page(None, 29), 30..31, 30),
            (page(Some(30), 0), 1..31, 30),
            (page(Some(10), 30), 0..0, 30),
            (page(Some(0), 0), 0..0, 30),
            (page(None, 99), 0..0, 30),
            (above(page(Some(5), 5), "10"), 16..21, 20),
            (above(page(None, 0), "99"), 0..0, 0),
            (page(Some(u64::MAX), 0), 1..31, 30),
            (page(None, u64::MAX), 0..0, 30),
        ];
        for (query, ids, total) in cases {
            let returned = ids.clone().count() as u64;
            let without = text(fixture.rows(&table, &query, Encoding::Json).await).await;
            assert_eq!(without, (returned, None, expected(ids.clone())), "{query:?}");
            let with = text(fixture.rows(&table, &counted(query.clone()), Encoding::Json).await).await;
            assert_eq!(with, (returned, Some(total), expected(ids)), "{query:?}");
        }
    }

    async fn a_document_too_large_to_be_kept_is_whole(engine: TestEngine) {
        let fixture = open(engine).await;
        let table = filled(&fixture, 20_000).await;
        let cases = [
            (page(None, 0), 1..=20_000),
            (page(Some(9_000), 500), 501..=9_500),
            (page(None, 11_000), 11_001..=20_000),
        ];
        for (query, ids) in cases {
            let returned = ids.clone().count() as u64;
            for (query, total) in [(query.clone(), None), (counted(query), Some(20_000))] {
                let read = fixture.rows(&table, &query, Encoding::Json).await;
                assert_eq!((read.returned, read.total), (returned, total), "{query:?}");
                let pieces: Vec<_> = read.body.map(|piece| piece.unwrap()).collect().await;
                assert!(pieces.len() > 4 && pieces.iter().all(|piece| piece.len() < 128 * 1024));
                assert_eq!(String::from_utf8(pieces.concat()).unwrap(), expected(ids.clone()), "{query:?}");
            }
        }
        // The description says beforehand that there are many.
        let mut told = (*table).clone();
        told.row_estimate = Some(20_000);
        let (returned, _, document) = text(fixture.rows(&Arc::new(told), &page(None, 0), Encoding::Csv).await).await;
        assert_eq!(returned, 20_000);
        assert_eq!(document.lines().count(), 20_001);
    }

    async fn rows_of_a_stream_are_those_that_were_counted(engine: TestEngine) {
        let fixture = open(engine).await;
        let table = filled(&fixture, 20_000).await;
        let read = fixture.rows(&table, &page(None, 0), Encoding::Json).await;
        fixture.sql("DELETE FROM $t WHERE id > 10000").await;
        let (returned, _, document) = text(read).await;
        assert_eq!((returned, document), (20_000, expected(1..=20_000)));
        assert_eq!(fixture.rows(&table, &page(None, 0), Encoding::Json).await.returned, 10_000);
    }

    async fn a_document_that_nobody_reads_frees_its_connection(engine: TestEngine) {
        let fixture = open_with(engine, 1).await;
        let table = filled(&fixture, 20_000).await;
        for pieces in [0, 1, 2] {
            let mut read = fixture.rows(&table, &page(None, 0), Encoding::Json).await;
            for _ in 0..pieces {
                read.body.next().await.unwrap().unwrap();
            }
            drop(read);
            let first = page(Some(1), 0);
            let next = tokio::time::timeout(Duration::from_secs(3), fixture.rows(&table, &first, Encoding::Json));
            assert_eq!(next.await.unwrap().returned, 1);
        }
        // One that is only started keeps its connection, and others wait in bounded time.
        let read = fixture.rows(&table, &page(None, 0), Encoding::Json).await;
        assert_eq!(text(read).await.0, 20_000);
    }
}

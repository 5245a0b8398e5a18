//! Databases and their accounts.

use super::*;

on_every_engine! {
    async fn databases_come_and_go(engine: TestEngine) {
        let schemas = Schemas::new(engine).await;
        for name in ["Odd-Name$", "select", "a_b"] {
            let name = DatabaseName::new(&schemas.room.gateway_name(name), "tidegate").unwrap();
            assert!(schemas.catalog.schema(&name).await.unwrap().is_none());
            schemas.editor.create_database(&name).await.unwrap();
            assert!(matches!(schemas.editor.create_database(&name).await, Err(StoreError::Exists { kind: "database" })));
            assert_eq!(schemas.catalog.schema(&name).await.unwrap().unwrap().tables.len(), 0);
            let draft = table("group by", vec![required("sélect", INT), column("$a b", ColumnType::Varchar(5))], &["sélect"]);
            let made = schemas.editor.create_table(&name, &draft).await.unwrap();
            assert_eq!((made.name.as_str(), made.columns[0].name.as_str()), ("group by", "sélect"));
            let listed = schemas.catalog.databases().await.unwrap();
            let found = listed.iter().find(|summary| summary.name == name).unwrap();
            assert_eq!(found.tables, 1);
            assert!(found.size_bytes > 0);
            assert!(!listed.iter().any(|summary| ["mysql", "sys", "tidegate"].contains(&summary.name.as_str())));
            schemas.editor.drop_database(&name).await.unwrap();
            assert!(schemas.catalog.schema(&name).await.unwrap().is_none());
            assert!(matches!(schemas.editor.drop_database(&name).await, Err(StoreError::Missing { kind: "database" })));
        }
        let draft = table("t", vec![column("a", INT)], &[]);
        let nowhere = DatabaseName::new(&schemas.room.gateway_name("nowhere"), "tidegate").unwrap();
        assert!(matches!(schemas.editor.create_table(&nowhere, &draft).await, Err(StoreError::Missing { kind: "database" })));
    }

    async fn accounts_have_privileges_in_one_database(engine: TestEngine) {
        let schemas = Schemas::new(engine).await;
        let name = unique_name();
        let password = "it's \\ \"a\" `password` ü -- '; DROP";
        let draft = |privileges: &[Privilege]| DatabaseUserDraft {
            username: AccountName::new(&name).unwrap(),
            host: AccountHost::new("%").unwrap(),
            password: Secret::new(password),
            privileges: privileges.to_vec(),
        };
        if engine == TestEngine::Sqlite {
            let refused = schemas.users.create(&schemas.shop, &draft(&[Privilege::Select])).await;
            assert!(matches!(refused, Err(StoreError::Unsupported(_))));
            return;
        }
        // A name that the other would match if the underscore were a wildcard.
        let alike = DatabaseName::new(&schemas.shop.as_str().replace('_', "x"), "tidegate").unwrap();
        schemas.editor.create_database(&alike).await.unwrap();
        let missing = schemas.users.grant(&schemas.shop, &draft(&[Privilege::Select])).await;
        assert!(matches!(missing, Err(StoreError::Missing { kind: "user" })), "{missing:?}");
        schemas.users.create(&schemas.shop, &draft(&[Privilege::Select, Privilege::CreateView])).await.unwrap();
        let again = schemas.users.create(&schemas.shop, &draft(&[Privilege::All])).await;
        assert!(matches!(again, Err(StoreError::Exists { kind: "user" })), "{again:?}");
        let listed = schemas.users.list(&schemas.shop).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].username.as_str(), listed[0].host.as_str()), (name.as_str(), "%"));
        assert_eq!(listed[0].privileges, [Privilege::Select, Privilege::CreateView]);
        assert!(schemas.users.list(&alike).await.unwrap().is_empty());

        schemas.create(&table("t", vec![column("a", INT)], &[])).await;
        let url = schemas.engine.server_url().unwrap();
        let as_user = url.parse::<MySqlConnectOptions>().unwrap().username(&name).password(password);
        let mut connection = as_user.connect().await.unwrap();
        connection.execute(AssertSqlSafe(format!("SELECT * FROM `{}`.t", schemas.shop))).await.unwrap();
        assert!(connection.execute(AssertSqlSafe(format!("INSERT INTO `{}`.t VALUES (1)", schemas.shop))).await.is_err());
        assert!(connection.execute(AssertSqlSafe(format!("SHOW TABLES FROM `{alike}`"))).await.is_err());
        connection.close().await.unwrap();

        schemas.users.grant(&schemas.shop, &draft(&[Privilege::All])).await.unwrap();
        schemas.users.grant(&alike, &draft(&[Privilege::Insert])).await.unwrap();
        assert_eq!(schemas.users.list(&schemas.shop).await.unwrap()[0].privileges, [Privilege::All]);
        assert!(schemas.users.remove(&schemas.shop, &name, "%").await.unwrap());
        assert!(schemas.users.list(&schemas.shop).await.unwrap().is_empty());
        assert_eq!(schemas.users.list(&alike).await.unwrap().len(), 1);
        assert!(!schemas.users.remove(&schemas.shop, &name, "%").await.unwrap());
        assert!(!schemas.users.remove(&alike, &name, "other").await.unwrap());
        assert!(schemas.users.remove(&alike, &name, "%").await.unwrap());
        assert!(as_user_fails(&url, &name, password).await);
        for account in ["root", "mysql.sys", "tidegate", "it's"] {
            assert!(!schemas.users.remove(&schemas.shop, account, "localhost").await.unwrap());
        }
        schemas.editor.drop_database(&alike).await.unwrap();
    }
}

async fn as_user_fails(url: &str, name: &str, password: &str) -> bool {
    url.parse::<MySqlConnectOptions>()
        .unwrap()
        .username(name)
        .password(password)
        .connect()
        .await
        .is_err()
}

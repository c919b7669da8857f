//! The database: SQLite in memory on a dedicated thread, with a site for reads and one for writes.

use chaos_core::inject_async;
use serde::Serialize;
use tokio_rusqlite::{
    Connection, OptionalExtension, Row, params,
    rusqlite::{self, Result as SqlResult},
};

use crate::Error;

const SCHEMA: &str = "
    CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, cents INTEGER NOT NULL);
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY,
        product INTEGER NOT NULL REFERENCES products (id),
        payment TEXT NOT NULL
    );
    INSERT INTO products (name, cents) VALUES
        ('teapot', 2490), ('kettle', 3900), ('cup', 750), ('saucer', 420), ('strainer', 615);
";

/// A product of the shop.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Product {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) cents: i64,
}

impl Product {
    fn from_row(row: &Row<'_>) -> SqlResult<Self> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            cents: row.get(2)?,
        })
    }
}

/// A handle to the database. Clones share one connection.
///
/// All its errors are boxed, injected or not, so the shop handles both alike.
/// [`Injected::find`](chaos_core::Injected::find) tells an injected one from a real one.
#[derive(Clone, Debug)]
pub(super) struct Db(Connection);

impl Db {
    pub(super) async fn open() -> Result<Self, Error> {
        let connection = Connection::open_in_memory().await?;
        connection
            .call(|sqlite| sqlite.execute_batch(SCHEMA))
            .await?;
        Ok(Self(connection))
    }

    pub(super) async fn products(&self) -> Result<Vec<Product>, Error> {
        let query = |sqlite: &rusqlite::Connection| {
            let mut select = sqlite.prepare_cached("SELECT id, name, cents FROM products")?;
            select.query_map([], Product::from_row)?.collect()
        };
        self.read("products", query).await
    }

    pub(super) async fn product(&self, id: i64) -> Result<Option<Product>, Error> {
        let query = move |sqlite: &rusqlite::Connection| {
            let select = "SELECT id, name, cents FROM products WHERE id = ?";
            let mut select = sqlite.prepare_cached(select)?;
            select.query_row([id], Product::from_row).optional()
        };
        self.read("products", query).await
    }

    /// Inserts an order and returns its number.
    pub(super) async fn record_order(&self, product: i64, payment: String) -> Result<i64, Error> {
        let insert = move |sqlite: &rusqlite::Connection| {
            let insert = "INSERT INTO orders (product, payment) VALUES (?, ?)";
            sqlite
                .prepare_cached(insert)?
                .insert(params![product, payment])
        };
        self.write("orders", insert).await
    }

    /// Runs a query. All reads go through this function, so `db.read` covers all of them.
    async fn read<T: Send + 'static>(
        &self,
        table: &str,
        query: impl FnOnce(&rusqlite::Connection) -> SqlResult<T> + Send + 'static,
    ) -> Result<T, Error> {
        inject_async!("db.read", table = table).await?;
        Ok(self.0.call(|sqlite| query(sqlite)).await?)
    }

    async fn write<T: Send + 'static>(
        &self,
        table: &str,
        query: impl FnOnce(&rusqlite::Connection) -> SqlResult<T> + Send + 'static,
    ) -> Result<T, Error> {
        inject_async!("db.write", table = table).await?;
        Ok(self.0.call(|sqlite| query(sqlite)).await?)
    }
}

//! The routes, and the one line that lets faults in: the layer at the end of [`router`].

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::sse::{Event, Sse},
    routing::{get, post},
};
use chaos_tower::InjectLayer;
use futures_util::Stream;
use serde_json::{Value, json};

use crate::{
    shop::{
        db::{Db, Product},
        events::Feed,
        failure::Failure,
        payment::Payments,
    },
    stop::Latch,
};

/// What the handlers work with. Clones share it all.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) db: Db,
    pub(super) payments: Payments,
    pub(super) feed: Feed,
    pub(super) stopping: Latch,
    pub(super) admin: SocketAddr,
}

pub(super) fn router(app: App) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/products", get(products))
        .route("/products/{id}", get(product))
        .route("/checkout/{id}", post(checkout))
        .route("/events", get(events))
        .route("/healthz", get(async || "ok\n"))
        .with_state(app)
        .layer(InjectLayer::new("http.server"))
}

async fn index(State(app): State<App>) -> Json<Value> {
    Json(json!({
        "routes": [
            "GET /products",
            "GET /products/{id}",
            "POST /checkout/{id}",
            "GET /events",
            "GET /healthz",
        ],
        "break it at": format!("http://{}/", app.admin),
    }))
}

async fn products(State(app): State<App>) -> Result<Json<Vec<Product>>, Failure> {
    Ok(Json(app.db.products().await?))
}

async fn product(State(app): State<App>, Path(id): Path<i64>) -> Result<Json<Product>, Failure> {
    let product = app.db.product(id).await?;
    product.map(Json).ok_or(Failure::NoSuchProduct(id))
}

async fn checkout(
    State(app): State<App>,
    Path(id): Path<i64>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let product = app.db.product(id).await?;
    let product = product.ok_or(Failure::NoSuchProduct(id))?;
    let payment = app.payments.charge(product.cents).await?.payment;
    let order = app.db.record_order(id, payment.clone()).await;
    let order = match order {
        Ok(order) => order,
        Err(error) => return Err(Failure::NotRecorded { payment, error }),
    };
    app.feed.ordered(order);
    let order = json!({ "order": order, "product": product.name, "payment": payment });
    Ok((StatusCode::CREATED, Json(order)))
}

async fn events(
    State(app): State<App>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    app.feed.events(&app.stopping)
}

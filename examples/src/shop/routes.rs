//! The routes. The layer around them makes them a site.

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{
        IntoResponse,
        sse::{Event, Sse},
    },
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
        picture,
    },
    stop::Latch,
};

/// The state of the handlers. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) db: Db,
    pub(super) payments: Payments,
    pub(super) feed: Feed,
    pub(super) stopping: Latch,
    pub(super) admin: SocketAddr,
}

pub(super) fn router(app: App, has_layer: bool) -> Router {
    let router = Router::new()
        .route("/", get(index))
        .route("/products", get(products))
        .route("/products/{id}", get(product))
        .route("/products/{id}/picture", get(picture))
        .route("/checkout/{id}", post(checkout))
        .route("/events", get(events))
        .route("/healthz", get(async || "ok\n"))
        .with_state(app);
    match has_layer {
        true => router.layer(InjectLayer::new("http.server")),
        false => router,
    }
}

async fn index(State(app): State<App>) -> Json<Value> {
    Json(json!({
        "routes": [
            "GET /products",
            "GET /products/{id}",
            "GET /products/{id}/picture",
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

async fn picture(
    State(app): State<App>,
    Path(id): Path<i64>,
) -> Result<impl IntoResponse, Failure> {
    let product = app.db.product(id).await?;
    let product = product.ok_or(Failure::NoSuchProduct(id))?;
    let file = picture::bitmap(product.id);
    let headers = [
        (header::CONTENT_TYPE, "image/bmp".to_owned()),
        (header::CONTENT_LENGTH, file.len().to_string()),
    ];
    Ok((headers, picture::in_pieces(file)))
}

/// Buys a product. A non-empty request body is the text of a gift card.
async fn checkout(
    State(app): State<App>,
    Path(id): Path<i64>,
    card: String,
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
    let mut order = json!({ "order": order, "product": product.name, "payment": payment });
    if !card.is_empty() {
        order["card"] = card.into();
    }
    Ok((StatusCode::CREATED, Json(order)))
}

async fn events(
    State(app): State<App>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    app.feed.events(&app.stopping)
}

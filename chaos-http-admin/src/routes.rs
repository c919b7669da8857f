//! The routes: one table that is the router, and that the crate's documentation is checked against.

pub(crate) mod audit;
pub(crate) mod console;
pub(crate) mod difference;
pub(crate) mod events;
pub(crate) mod halt;
pub(crate) mod optimistic_edit;
pub(crate) mod preview;
pub(crate) mod rule;
pub(crate) mod rule_json;
pub(crate) mod rules;
pub(crate) mod status;
pub(crate) mod tokens;

use std::sync::Arc;

use axum::{
    Extension, Router,
    handler::Handler,
    http::{Method, StatusCode, Uri},
    middleware,
    routing::{MethodFilter, MethodRouter, on},
};
use chaos_core::Injector;
use serde_json::Value;

use crate::{
    access::{
        authorize::{self, Door, Lock},
        role::Role,
    },
    followers::Followers,
    metrics,
    openapi::{
        self, Document,
        operation::{Answers, Asks, Given::*, Operation, answers},
    },
    problem::Problem,
    routes::tokens::Signer,
};

struct Route {
    method: Method,
    path: &'static str,
    /// The role that it takes, if it takes any.
    needs: Option<Role>,
    handler: MethodRouter<Injector>,
    /// One line, the same as in the documentation.
    does: &'static str,
    operation: Operation,
}

// One route to a line, whatever its width: it is read as a table.
#[rustfmt::skip]
fn table() -> Vec<Route> {
    const GET: Method = Method::GET;
    const PUT: Method = Method::PUT;
    const PATCH: Method = Method::PATCH;
    const DELETE: Method = Method::DELETE;
    const POST: Method = Method::POST;
    const ANYONE: Option<Role> = None;
    const OBSERVE: Option<Role> = Some(Role::Observe);
    const STOP: Option<Role> = Some(Role::Stop);
    const ARM: Option<Role> = Some(Role::Arm);
    vec![
        route(GET, "/", ANYONE, console::console, "the console page", answers(200, Text("text/html")).refuses(500)),
        route(GET, "/v1/status", OBSERVE, status::status, "idle, armed or halted, by whose reason, and the totals", answers(200, Json("InjectorState"))),
        route(GET, "/v1/sites", OBSERVE, status::sites, "every site, where it stands, and which rules aim at it", answers(200, Json("Sites"))),
        route(GET, "/v1/rules", OBSERVE, rules::list, "the rules in order, with their counts and time left", answers(200, Json("ShownRules")).tagged()),
        route(PUT, "/v1/rules", ARM, rules::replace, "replaces all rules at once; `?dry_run=true` only says what would change", answers(200, Json("Difference")).tagged().to("Rules").refuses(409)),
        route(GET, "/v1/rules/{id}", OBSERVE, rule::show, "one rule", answers(200, Json("ShownRule")).tagged().refuses(404)),
        route(PUT, "/v1/rules/{id}", ARM, rule::put, "makes a rule (201) or replaces it in place (200)", answers(200, Json("ShownRule")).or(201, Json("ShownRule")).tagged().to("Rule").refuses(409)),
        route(PATCH, "/v1/rules/{id}", ARM, rule::patch, "merges into a rule (RFC 7396): `{\"enabled\":false}` turns it off", answers(200, Json("ShownRule")).tagged().to("RulePatch").refuses(404).refuses(409)),
        route(DELETE, "/v1/rules/{id}", ARM, rule::delete, "takes a rule out (204)", answers(204, Nothing).tagged().refuses(404)),
        route(GET, "/v1/rules/{id}/injections", OBSERVE, rule::injections, "the number of its injections so far, as a bare JSON number; `?at_least=3&within=5` waits for them", answers(200, Json("Count")).refuses(404)),
        route(GET, "/v1/rules/{id}/decisions", OBSERVE, preview::decisions, "which calls it has hit since it was armed: a log that can be its `replay`", answers(200, Json("Decisions")).refuses(404).refuses(409)),
        route(POST, "/v1/rules/{id}/release", STOP, rule::release, "lets the calls go that its `pause` holds (204)", answers(204, Nothing).refuses(404)),
        route(POST, "/v1/preview", OBSERVE, preview::preview, "which ordinals or keys a rule would hit; injects nothing", answers(200, Json("Preview")).to("PreviewQuestion").refuses(404)),
        route(POST, "/v1/tokens", ARM, tokens::sign, "signs a token that brings rules to the requests that bear it; needs a key", answers(201, Json("Token")).to("TokenQuestion").refuses(409)),
        route(POST, "/v1/halt", STOP, halt::halt, "stops all injection at once; the body is `{\"reason\":\"…\"}`", answers(200, Json("InjectorState")).tagged().to("Reason")),
        route(POST, "/v1/resume", ARM, halt::resume, "undoes a halt; the body is `{\"reason\":\"…\"}`", answers(200, Json("InjectorState")).tagged().to("Reason").refuses(409)),
        route(POST, "/v1/acknowledge", ARM, halt::acknowledge, "takes note of what guard rails have stopped, so that it may be armed or resumed again; the body is `{\"reason\":\"…\"}`", answers(200, Json("InjectorState")).tagged().to("Reason")),
        route(GET, "/v1/audit", OBSERVE, audit::list, "who did what, when, from where and why, with each rule before and after; `?after=ID`, `?limit=N`", answers(200, Json("Audit"))),
        route(GET, "/v1/events", OBSERVE, events::listen, "server-sent events: injections, and what the audit gains; taken up again by `Last-Event-ID`", answers(200, Events("StreamEvent")).refuses(503)),
        route(GET, "/metrics", OBSERVE, metrics::serve, "the metrics, in Prometheus' text format", answers(200, Text("text/plain"))),
        route(GET, "/healthz", ANYONE, status::health, "`ok`, if the port answers", answers(200, Text("text/plain"))),
        route(GET, openapi::PATH, ANYONE, openapi::show, "this table as an OpenAPI document", answers(200, Json("OpenApiDocument"))),
    ]
}

fn route<H, T>(
    method: Method,
    path: &'static str,
    needs: Option<Role>,
    handler: H,
    does: &'static str,
    answers: Answers,
) -> Route
where
    H: Handler<T, Injector>,
    T: Asks + 'static,
{
    let filter = MethodFilter::try_from(method.clone());
    let filter = filter.expect("the table holds methods that axum knows");
    Route {
        operation: Operation::new::<T>(method.clone(), needs.map(Role::as_str), answers),
        method,
        path,
        needs,
        handler: on(filter, handler),
        does,
    }
}

/// The table as an OpenAPI document, for clients that find the routes under `base`.
pub(crate) fn document(base: &str) -> Value {
    let routes = table().into_iter();
    openapi::document(
        base,
        routes.map(|route| (route.path, route.does, route.operation)),
    )
}

/// The table as a router, behind the door.
pub(crate) fn router(
    injector: Injector,
    door: Door,
    signer: Signer,
    followers: Followers,
) -> Router {
    let door = Arc::new(door);
    let add = |router: Router<Injector>, route: Route| {
        let lock = Lock {
            door: Arc::clone(&door),
            needs: route.needs,
        };
        let pass = middleware::from_fn_with_state(lock, authorize::pass);
        router.route(route.path, route.handler.route_layer(pass))
    };
    table()
        .into_iter()
        .fold(Router::new(), add)
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .with_state(injector)
        .layer(Extension(signer))
        .layer(Extension(Document(document)))
        .layer(Extension(followers))
        .layer(middleware::from_fn_with_state(door, authorize::keep))
}

async fn nothing_here(uri: Uri) -> Problem {
    let detail = format!("there is nothing at {}", uri.path());
    let table = table();
    let routes = table
        .iter()
        .map(|route| format!("{} {}", route.method, route.path));
    let routes: Vec<_> = routes.collect();
    Problem::new(StatusCode::NOT_FOUND, detail).at("path", routes.join(", "))
}

/// axum adds the `Allow` header, from the same table.
async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_routes_are_the_table() {
        let documented: Vec<_> = include_str!("lib.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("//! | `"))
            .map(str::to_owned)
            .collect();
        let served: Vec<_> = table()
            .iter()
            .map(|route| {
                let needs = route.needs.map_or("none", Role::as_str);
                let Route {
                    method, path, does, ..
                } = route;
                format!("{method} {path}` | {needs} | {does} |")
            })
            .collect();
        assert_eq!(documented, served);
    }
}

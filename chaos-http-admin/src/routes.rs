//! The table of routes. The router and the OpenAPI document are generated from it, and a test
//! compares the crate's documentation with it.

pub(crate) mod audit;
pub(crate) mod console;
pub(crate) mod difference;
pub(crate) mod edit_permit;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod halt;
pub(crate) mod optimistic_edit;
pub(crate) mod page;
pub(crate) mod preview;
pub(crate) mod rule;
pub(crate) mod rule_json;
pub(crate) mod rules;
pub(crate) mod status;
pub(crate) mod tokens;
pub(crate) mod warnings;

use std::sync::{Arc, LazyLock};

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
        authorize::{self, Authorizer, Concurrency, RouteAccess},
        role::Role,
    },
    followers::Followers,
    metrics,
    openapi::{
        self, Document,
        operation::{Answers, Asks, Given::*, Operation, answers},
    },
    problem::Problem,
    routes::{console::TokensRequired, tokens::Signer},
};

/// One row of the table.
struct Route {
    method: Method,
    path: &'static str,
    /// The least role that may use the route; `None` if the route requires no access token.
    needs: Option<Role>,
    handler: MethodRouter<Injector>,
    concurrency: Concurrency,
    /// One sentence, which is also in the documentation of the crate.
    does: &'static str,
    operation: Operation,
}

// One route per line, whatever its width, so that it reads as a table.
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
        route(GET, "/", ANYONE, console::console, "Serves the console page.", answers(200, Text("text/html")).refuses(500)),
        route(GET, "/v1/status", OBSERVE, status::status, "Returns whether the injector is idle, armed or halted, the reason of a halt, and the totals.", answers(200, Json("InjectorState"))).unlimited(),
        route(GET, "/v1/whoami", OBSERVE, status::whoami, "Returns the name and the role of who asks.", answers(200, Json("You"))).unlimited(),
        route(GET, "/v1/sites", OBSERVE, status::sites, "Lists the registered sites, where each is in the code, and the rules that match it.", answers(200, Json("Sites"))),
        route(GET, "/v1/sites/{name}/seen", OBSERVE, status::seen, "Returns which methods, routes, hosts and labels the calls of a site had while it was watched, without values.", answers(200, Json("SeenFacts")).refuses(404)),
        route(GET, "/v1/rules", OBSERVE, rules::list, "Lists the rules in order, with their counts and remaining time; `?after=ID`, `?limit=N`.", answers(200, Json("ShownRules")).tagged().refuses(404)),
        route(PUT, "/v1/rules", ARM, rules::replace, "Replaces all rules at once; with `?dry_run=true`, only returns what would change.", answers(200, Json("Difference")).tagged().to("Rules").refuses(409).refuses(503)),
        route(GET, "/v1/rules/{id}", OBSERVE, rule::show, "Returns one rule.", answers(200, Json("ShownRule")).tagged().refuses(404)),
        route(PUT, "/v1/rules/{id}", ARM, rule::put, "Creates a rule (201) or replaces it in place (200); with `?dry_run=true`, only checks it.", answers(200, Json("ShownRule")).or(201, Json("ShownRule")).tagged().to("Rule").refuses(409).refuses(503)),
        route(PATCH, "/v1/rules/{id}", ARM, rule::patch, "Applies a merge patch (RFC 7396) to a rule; `{\"enabled\":false}` disables it; with `?dry_run=true`, only checks it.", answers(200, Json("ShownRule")).tagged().to("RulePatch").refuses(404).refuses(409).refuses(503)),
        route(DELETE, "/v1/rules/{id}", ARM, rule::delete, "Deletes a rule (204); with `?dry_run=true`, only checks whether it could.", answers(204, Nothing).tagged().refuses(404)),
        route(GET, "/v1/rules/{id}/injections", OBSERVE, rule::injections, "Returns the number of a rule's injections as a bare JSON number; `?at_least=3&within=5` waits up to 5 seconds for 3 of them.", answers(200, Json("Count")).refuses(404)).unlimited(),
        route(GET, "/v1/rules/{id}/decisions", OBSERVE, preview::decisions, "Returns which calls a rule has hit since it was armed, in the form of a `replay`.", answers(200, Json("Decisions")).refuses(404).refuses(409)),
        route(GET, "/v1/rules/{id}/why", OBSERVE, rule::why::show, "Tells what becomes of the calls at the watched sites of a rule: how many it does not match and by which condition, does not draw, spares by each limit, and hits. It counts for `?for=2` seconds.", answers(200, Json("Why")).refuses(404).refuses(409)).unlimited(),
        route(GET, "/v1/rules/{id}/outcomes", OBSERVE, rule::outcomes::show, "Returns what an observed rule has done to calls: how many it has hit and spared at each site, how many of them failed, and how long they took. With a token that may arm, it keeps the rule observed for another 60 seconds.", answers(200, Json("Outcomes")).refuses(404)),
        route(PUT, "/v1/rules/{id}/outcomes", ARM, rule::outcomes::put, "Begins to observe a rule, from zero; the body is `{\"sites\":[\"http.server\"]}`. It ends after 60 seconds in which nobody who may arm asks.", answers(200, Json("Outcomes")).to("ObservedSites").refuses(404).refuses(409)),
        route(DELETE, "/v1/rules/{id}/outcomes", ARM, rule::outcomes::delete, "Ends the observation of a rule (204).", answers(204, Nothing).refuses(404)),
        route(POST, "/v1/rules/{id}/extend", ARM, rule::extend::extend, "Moves the deadline of a rule; the body is `{\"by\":\"5m\"}`. Its counts, limits and draws go on.", answers(200, Json("ShownRule")).tagged().to("Extension").refuses(404).refuses(409).refuses(503)),
        route(POST, "/v1/rules/{id}/release", STOP, rule::release, "Releases the calls that a rule's `pause` fault holds (204).", answers(204, Nothing).refuses(404)).unlimited(),
        route(POST, "/v1/preview", OBSERVE, preview::preview, "Returns which ordinals or keys a rule would hit; injects nothing.", answers(200, Json("Preview")).to("PreviewQuestion").refuses(404)),
        route(POST, "/v1/explain", OBSERVE, explain::explain, "Explains what each rule that aims at a site would do with a call, and why; injects nothing.", answers(200, Json("Explanations")).to("ExplainQuestion").refuses(404)),
        route(POST, "/v1/tokens", ARM, tokens::sign, "Signs a rule token, which carries rules with the requests that present it; requires a key.", answers(201, Json("Token")).to("TokenQuestion").refuses(409).refuses(503)),
        route(POST, "/v1/halt", STOP, halt::halt, "Halts all injection at once; the body is `{\"reason\":\"…\"}`.", answers(200, Json("InjectorState")).tagged().to("Reason")).unlimited(),
        route(POST, "/v1/resume", ARM, halt::resume, "Resumes injection after a halt; the body is `{\"reason\":\"…\"}`.", answers(200, Json("InjectorState")).tagged().to("Reason").refuses(409)).unlimited(),
        route(POST, "/v1/acknowledge", ARM, halt::acknowledge, "Acknowledges guard rail breaches, so that what they stopped may be armed or resumed again; the body is `{\"reason\":\"…\"}`.", answers(200, Json("InjectorState")).tagged().to("Reason")).unlimited(),
        route(POST, "/v1/undo", ARM, audit::undo::undo, "Undoes the changes of an audit entry; the body is `{\"entry\":38}`.", answers(200, Json("AuditEntry")).tagged().to("UndoQuestion").refuses(404).refuses(409).refuses(410).refuses(503)),
        route(GET, "/v1/audit", OBSERVE, audit::list, "Lists who did what, when, from where and why, with each rule before and after; `?after=ID`, `?limit=N`.", answers(200, Json("Audit"))),
        route(GET, "/v1/events", OBSERVE, events::listen, "Streams injections and audit entries as server-sent events; `Last-Event-ID` resumes a stream.", answers(200, Events("StreamEvent")).refuses(503)).unlimited(),
        route(GET, "/v1/live", OBSERVE, events::live::follow, "Streams a frame each second with what rules and the sites of `?watch=PATTERN` count, those of the last two minutes first; sites are counted while it is open.", answers(200, Events("LiveEvent")).refuses(503)).unlimited(),
        route(GET, "/metrics", OBSERVE, metrics::serve, "Returns the metrics in Prometheus' text format.", answers(200, Text("text/plain"))),
        route(GET, "/healthz", ANYONE, status::health, "Returns `ok` while the port works.", answers(200, Text("text/plain"))).unlimited(),
        route(GET, openapi::PATH, ANYONE, openapi::show, "Returns the routes as an OpenAPI document.", answers(200, Json("OpenApiDocument"))),
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
        concurrency: Concurrency::PerClient,
        does,
    }
}

impl Route {
    /// Has requests served at once, whatever else their client has asked for: they take little time, and
    /// must get through, or they wait for something that happens.
    fn unlimited(self) -> Self {
        let concurrency = Concurrency::Unlimited;
        Self {
            concurrency,
            ..self
        }
    }
}

/// The document, written once.
static DOCUMENT: LazyLock<Document> = LazyLock::new(|| Document::new(document));

/// Returns the OpenAPI document for clients that find the routes under `base`.
pub(crate) fn document(base: &str) -> Value {
    let routes = table().into_iter();
    openapi::document(
        base,
        routes.map(|route| (route.path, route.does, route.operation)),
    )
}

/// Returns the router, with the checks of `authorizer` in front of every route.
pub(crate) fn router(
    injector: Injector,
    authorizer: Authorizer,
    signer: Signer,
    followers: Followers,
) -> Router {
    let authorizer = Arc::new(authorizer);
    let add = |router: Router<Injector>, route: Route| {
        let lock = RouteAccess {
            authorizer: Arc::clone(&authorizer),
            needs: route.needs,
            concurrency: route.concurrency,
            has_dry_run: route.operation.asks_for("dry_run"),
        };
        let pass = middleware::from_fn_with_state(lock, authorize::authorize);
        router.route(route.path, route.handler.route_layer(pass))
    };
    let required = TokensRequired(authorizer.requires_tokens());
    table()
        .into_iter()
        .fold(console::files(), add)
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .with_state(injector)
        .layer(Extension(required))
        .layer(Extension(signer))
        .layer(Extension(DOCUMENT.clone()))
        .layer(Extension(followers.worker.clone()))
        .layer(Extension(followers))
        .layer(middleware::from_fn_with_state(
            authorizer,
            authorize::check_host,
        ))
}

/// Answers 404, and lists the routes.
async fn nothing_here(uri: Uri) -> Problem {
    let detail = format!("there is no route {}", uri.path());
    static ROUTES: LazyLock<String> = LazyLock::new(|| {
        let table = table();
        let routes = table
            .iter()
            .map(|route| format!("{} {}", route.method, route.path));
        routes.collect::<Vec<_>>().join(", ")
    });
    Problem::new(StatusCode::NOT_FOUND, detail).at("path", ROUTES.clone())
}

/// Answers 405. axum adds the `Allow` header.
async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("the route {} does not have the method {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_routes_are_the_table() {
        let documented: Vec<_> = include_str!("../docs/api.md")
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
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

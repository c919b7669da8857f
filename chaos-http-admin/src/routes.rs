//! The routes: one table that is the router, and that the crate's documentation is checked against.

use axum::{
    Extension, Router,
    handler::Handler,
    http::{Method, StatusCode, Uri},
    middleware,
    routing::{MethodFilter, MethodRouter, on},
};
use chaos_core::Injector;

use crate::{
    all_rules, door, guard::Hosts, halt, one_rule, page, preview, problem::Problem, state, tokens,
    tokens::Signer,
};

struct Route {
    method: Method,
    path: &'static str,
    handler: MethodRouter<Injector>,
    /// One line, the same as in the documentation.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for readers, and for the test below")
    )]
    does: &'static str,
}

// One route to a line, whatever its width: it is read as a table.
#[rustfmt::skip]
fn table() -> Vec<Route> {
    use {all_rules as all, one_rule as one};
    const GET: Method = Method::GET;
    const PUT: Method = Method::PUT;
    const PATCH: Method = Method::PATCH;
    const DELETE: Method = Method::DELETE;
    const POST: Method = Method::POST;
    vec![
        route(GET, "/", page::console, "the console page"),
        route(GET, "/v1/status", state::status, "idle, armed or halted, by whose reason, and the totals"),
        route(GET, "/v1/sites", state::sites, "every site, where it stands, and which rules aim at it"),
        route(GET, "/v1/rules", all::list, "the rules in order, with their counts and time left"),
        route(PUT, "/v1/rules", all::replace, "replaces all rules at once; `?dry_run=true` only says what would change"),
        route(GET, "/v1/rules/{id}", one::show, "one rule"),
        route(PUT, "/v1/rules/{id}", one::put, "makes a rule (201) or replaces it in place (200)"),
        route(PATCH, "/v1/rules/{id}", one::patch, "merges into a rule (RFC 7396): `{\"enabled\":false}` turns it off"),
        route(DELETE, "/v1/rules/{id}", one::delete, "takes a rule out (204)"),
        route(GET, "/v1/rules/{id}/injections", one::injections, "the number of its injections so far, as a bare JSON number; `?at_least=3&within=5` waits for them"),
        route(GET, "/v1/rules/{id}/decisions", preview::decisions, "which calls it has hit since it was armed: a log that can be its `replay`"),
        route(POST, "/v1/rules/{id}/release", one::release, "lets the calls go that its `pause` holds (204)"),
        route(POST, "/v1/preview", preview::preview, "which ordinals or keys a rule would hit; injects nothing"),
        route(POST, "/v1/tokens", tokens::sign, "signs a token that brings rules to the requests that bear it; needs a key"),
        route(POST, "/v1/halt", halt::halt, "stops all injection at once; the body is `{\"reason\":\"…\"}`"),
        route(POST, "/v1/resume", halt::resume, "undoes a halt; the body is `{\"reason\":\"…\"}`"),
        route(POST, "/v1/acknowledge", halt::acknowledge, "takes note of what guard rails have stopped, so that it may be armed or resumed again; the body is `{\"reason\":\"…\"}`"),
        route(GET, "/healthz", state::health, "`ok`, if the port answers"),
    ]
}

fn route<H, T>(method: Method, path: &'static str, handler: H, does: &'static str) -> Route
where
    H: Handler<T, Injector>,
    T: 'static,
{
    let filter = MethodFilter::try_from(method.clone());
    let filter = filter.expect("the table holds methods that axum knows");
    Route {
        method,
        path,
        handler: on(filter, handler),
        does,
    }
}

/// The table as a router, behind the door.
pub(crate) fn router(injector: Injector, hosts: Hosts, signer: Signer) -> Router {
    let add = |router: Router<Injector>, route: Route| router.route(route.path, route.handler);
    table()
        .into_iter()
        .fold(Router::new(), add)
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .with_state(injector)
        .layer(Extension(signer))
        .layer(middleware::from_fn_with_state(hosts, door::keep))
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
            .map(|route| format!("{} {}` | {} |", route.method, route.path, route.does))
            .collect();
        assert_eq!(documented, served);
    }
}

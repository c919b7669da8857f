//! The middleware that checks every request before its handler runs, and records refusals in the
//! audit.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use chaos_core::{Injector, audit::Actor};

use crate::{
    access::{
        caller::{Caller, unauthenticated},
        host_check::Hosts,
        limits::Limits,
        live_tokens::LiveTokens,
        peer::Peer,
        request_limits::{Client, RequestLimits, TooMany},
        role::Role,
    },
    extract::query,
    problem::{Problem, Refused},
};

/// The time limit of a whole request. A handler answers within milliseconds; only a request body
/// can take long to arrive.
const MAX_TIME: Duration = Duration::from_secs(10);

/// What requests are checked against, shared by all routes.
#[derive(Debug)]
pub(crate) struct Authorizer {
    injector: Injector,
    hosts: Hosts,
    /// `None` if the port requires no access token.
    tokens: Option<LiveTokens>,
    limits: Limits,
    request_limits: RequestLimits,
}

/// What one route requires.
#[derive(Clone, Debug)]
pub(crate) struct RouteAccess {
    pub(crate) authorizer: Arc<Authorizer>,
    /// The least role that may use the route; `None` if the route requires no access token.
    pub(crate) needs: Option<Role>,
    pub(crate) concurrency: Concurrency,
    /// Whether a request may ask what it would do.
    pub(crate) has_dry_run: bool,
}

/// How the requests of one client to a route wait for each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Concurrency {
    /// They are served at once, whatever else the client has asked for.
    Unlimited,
    /// A few are under way at a time, until their responses are sent.
    PerClient,
}

/// Checks, for every request, the host that it names and the page that it comes from; then sets the
/// headers that every answer has.
pub(crate) async fn check_host(
    State(authorizer): State<Arc<Authorizer>>,
    request: Request,
    next: Next,
) -> Response {
    let peer = Peer::of(request.extensions());
    let (method, uri) = (request.method(), request.uri());
    let mut response = match authorizer
        .hosts
        .check(method, uri, request.headers(), &peer)
    {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            let response = problem.into_response();
            if !method.is_safe() {
                authorizer.record_unauthenticated(&peer, &RequestLine::of(&request), &response);
            }
            response
        }
    };
    let headers = response.headers_mut();
    // An answer describes the present state and must not be cached, unless it says so, and browsers must
    // not take it for a script.
    let no_store = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(no_store);
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// Checks that the caller of a route has presented an access token whose role suffices, and records
/// refused writes in the audit.
pub(crate) async fn authorize(
    State(lock): State<RouteAccess>,
    mut request: Request,
    next: Next,
) -> Response {
    let RouteAccess {
        authorizer,
        needs,
        concurrency,
        has_dry_run,
    } = lock;
    let credentials = take_credentials(request.headers_mut());
    let Some(needs) = needs else {
        let client = Client::Anyone(Peer::of(request.extensions()).origin());
        return authorizer
            .serve(&client, concurrency, next.run(request))
            .await;
    };
    let (peer, request_line) = (Peer::of(request.extensions()), RequestLine::of(&request));
    let is_write = needs > Role::Observe;
    let is_dry_run = has_dry_run && query::is_dry_run(request.uri());
    let caller = match authorizer.authenticate(credentials.as_ref(), &peer) {
        Ok(caller) => caller,
        Err(failure) => {
            let failed = failure.is_failed_login();
            let response = failure.into_response();
            if failed || is_write {
                authorizer.record_unauthenticated(&peer, &request_line, &response);
            }
            return response;
        }
    };
    let actor = caller.because(None::<&str>);
    let client = caller.client.clone();
    // What a dry run is told by the route is the answer to a question, and no event.
    let is_event = is_write && !(is_dry_run && caller.role >= needs);
    let response = if caller.role < needs {
        wrong_role(&actor, caller.role, needs)
    } else {
        request.extensions_mut().insert(caller);
        authorizer
            .serve(&client, concurrency, next.run(request))
            .await
    };
    // Neither may a client that has a token fill the audit and its file.
    if is_event
        && response.status().is_client_error()
        && let Some(unrecorded) = authorizer.limits.may_record(&client)
    {
        authorizer.record(actor, &request_line, &response, unrecorded);
    }
    response
}

impl Authorizer {
    pub(crate) fn new(injector: Injector, hosts: Hosts, tokens: Option<LiveTokens>) -> Self {
        Self {
            injector,
            hosts,
            tokens,
            limits: Limits::new(),
            request_limits: RequestLimits::new(),
        }
    }

    /// Returns whether clients need an access token.
    pub(crate) fn requires_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Serves a request of `client`, which waits for others of the same client if `concurrency` says so.
    async fn serve(
        &self,
        client: &Client,
        concurrency: Concurrency,
        response: impl Future<Output = Response>,
    ) -> Response {
        if concurrency == Concurrency::Unlimited {
            return in_time(response).await;
        }
        let served = async {
            match self.request_limits.acquire(client).await {
                Ok(permit) => response.await.map(|body| permit.keep_in(body)),
                Err(TooMany) => too_many(),
            }
        };
        in_time(served).await
    }

    /// Returns who sends the request, by the access token that it presents.
    fn authenticate(
        &self,
        credentials: Option<&HeaderValue>,
        peer: &Peer,
    ) -> Result<Caller, AuthenticationError> {
        let Some(tokens) = &self.tokens else {
            return Ok(Caller::anyone(peer));
        };
        let secret = credentials
            .and_then(bearer)
            .ok_or(AuthenticationError::NoToken)?;
        // A valid token is accepted after any number of failures, so nobody can lock an operator
        // out.
        if let Some(accepted) = tokens.find(secret) {
            if let Some(activity) = &peer.activity {
                activity.mark_authenticated();
            }
            return Ok(Caller::with_token(accepted, peer));
        }
        let within = self.limits.record_failure(peer.origin());
        within.map_err(AuthenticationError::TooMany)?;
        Err(AuthenticationError::WrongToken)
    }

    /// Records in the audit that a request without a valid token was refused. The rate of these
    /// records is limited, so that such requests cannot displace the refusals of authenticated
    /// callers from the audit, which is bounded.
    fn record_unauthenticated(&self, peer: &Peer, request_line: &RequestLine, response: &Response) {
        if let Some(unrecorded) = self.limits.may_record_stranger() {
            self.record(unauthenticated(peer), request_line, response, unrecorded);
        }
    }

    fn record(
        &self,
        actor: Actor,
        request_line: &RequestLine,
        response: &Response,
        unrecorded: u64,
    ) {
        let mut what = request_line.refused(response);
        if unrecorded > 0 {
            what += &format!(" ({unrecorded} earlier refusals were not recorded)");
        }
        self.injector.as_actor(actor).refuse(what);
    }
}

/// Removes the credentials from the request, so that no handler can log them. A request with
/// several `Authorization` headers counts as one without.
fn take_credentials(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let is_one = headers.get_all(header::AUTHORIZATION).iter().count() == 1;
    headers.remove(header::AUTHORIZATION).filter(|_| is_one)
}

/// Returns the secret in `Bearer SECRET`.
fn bearer(credentials: &HeaderValue) -> Option<&[u8]> {
    let (scheme, secret) = credentials.as_bytes().split_at_checked(7)?;
    let secret = secret.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !secret.is_empty()).then_some(secret)
}

/// The reason why a request could not be attributed to a token.
enum AuthenticationError {
    NoToken,
    WrongToken,
    /// Too many wrong tokens were presented; the duration is how long to wait before the next
    /// attempt.
    TooMany(Duration),
}

impl AuthenticationError {
    fn is_failed_login(&self) -> bool {
        !matches!(self, Self::NoToken)
    }
}

const ALLOWED: &str = "Bearer and the secret of an access token";

impl IntoResponse for AuthenticationError {
    fn into_response(self) -> Response {
        let (status, challenge, detail) = match self {
            Self::NoToken => (
                StatusCode::UNAUTHORIZED,
                "Bearer",
                "the request has no access token",
            ),
            Self::WrongToken => (
                StatusCode::UNAUTHORIZED,
                "Bearer error=\"invalid_token\"",
                "the access token is not valid",
            ),
            Self::TooMany(wait) => {
                let detail = "too many requests with a wrong access token";
                let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
                let problem = problem.at("Authorization", ALLOWED);
                // Rounded up, so that a client that waits this long does not come too early.
                let seconds = wait.as_secs() + 1;
                let headers = [
                    (header::RETRY_AFTER, seconds.to_string()),
                    // Closing the connection makes each further guess cost a connection.
                    (header::CONNECTION, "close".to_owned()),
                ];
                return (headers, problem).into_response();
            }
        };
        let problem = Problem::new(status, detail).at("Authorization", ALLOWED);
        ([(header::WWW_AUTHENTICATE, challenge)], problem).into_response()
    }
}

/// Returns the 429 for a client that has too many requests under way.
fn too_many() -> Response {
    let detail = "too many requests of this client are under way";
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
    let problem = problem.at("requests", "fewer requests at a time");
    // Closing the connection drops the requests that follow on it.
    let headers = [(header::RETRY_AFTER, "1"), (header::CONNECTION, "close")];
    (headers, problem).into_response()
}

fn wrong_role(actor: &Actor, has: Role, needs: Role) -> Response {
    let detail = format!(
        "the access token `{}` has the role {has}; the route requires {needs}",
        actor.name()
    );
    let problem = Problem::new(StatusCode::FORBIDDEN, detail);
    let allowed = format!("an access token with the role {needs}");
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{needs}\"");
    let headers = [(header::WWW_AUTHENTICATE, challenge)];
    (headers, problem.at("Authorization", allowed)).into_response()
}

/// The method and path of a request, kept for the audit after the request has been consumed. The
/// query is left out, because it may contain secrets.
struct RequestLine {
    method: Method,
    path: String,
}

impl RequestLine {
    /// The number of characters of the path that an audit entry shows.
    const MAX_CHARS: usize = 200;

    fn of(request: &Request) -> Self {
        let path = request.uri().path().chars();
        Self {
            method: request.method().clone(),
            path: path.take(Self::MAX_CHARS).collect(),
        }
    }

    /// Returns the text of the audit entry about this refusal.
    fn refused(&self, response: &Response) -> String {
        let (Self { method, path }, status) = (self, response.status().as_u16());
        match response.extensions().get::<Refused>() {
            Some(Refused(detail)) => format!("{method} {path}: {status}, {detail}"),
            None => format!("{method} {path}: {status}"),
        }
    }
}

async fn in_time(response: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(MAX_TIME, response).await {
        Ok(response) => response,
        Err(_) => {
            let problem = Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "the request was not complete in time",
            );
            let allowed = format!("{} seconds for the whole request", MAX_TIME.as_secs());
            problem.at("body", allowed).into_response()
        }
    }
}

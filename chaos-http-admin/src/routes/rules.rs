//! `/v1/rules`: reads and replaces the whole rule set.

use axum::{
    Extension,
    extract::{OriginalUri, State},
    http::{HeaderName, Uri, header},
    response::{IntoResponse, Response},
};
use chaos_core::{Injector, rule::Change, wire};
use serde_json::json;

use crate::{
    access::caller::Caller,
    extract::{
        body::JsonBody,
        etag::{IfMatch, etag},
        query::{DryRun, RulesPage},
    },
    followers::Followers,
    problem::Problem,
    routes::{
        difference::Difference,
        edit_permit::{Extent, acquire_edit},
        optimistic_edit::edit,
        page::Page,
        rule_json, warnings,
    },
    worker::Worker,
};

/// Lists the rules in order: those that follow `after`, or all, as far as they fit into one answer.
pub(crate) async fn list(
    State(injector): State<Injector>,
    Extension(worker): Extension<Worker>,
    OriginalUri(uri): OriginalUri,
    RulesPage { after, limit }: RulesPage,
) -> Result<Response, Problem> {
    let list = move || {
        let (set, counts) = injector.report();
        let sites = injector.sites();
        let rules = set.rules();
        let first = match &after {
            None => 0,
            Some(after) => {
                let at = rules.iter().position(|rule| rule.id().as_str() == after);
                at.ok_or_else(|| Problem::unknown_rule(after))? + 1
            }
        };
        let shown = &rules[first..rules.len().min(first.saturating_add(limit))];
        let mut warnings = warnings::by_rule(&injector, shown.iter().map(|rule| &**rule));
        let mut page = Page::new("rules");
        let items = shown.iter().zip(&counts[first..]).map(|(rule, counts)| {
            let warnings = warnings.remove(rule.id().as_str()).unwrap_or_default();
            rule_json::rule(rule, Some(counts), &sites, warnings)
        });
        page.fill(items);
        let count = page.len();
        let is_last = first + count == rules.len();
        let last = rules[..first + count].last().filter(|_| !is_last);
        let next = last.map(|rule| rule.id().as_str());
        let generation = set.generation();
        let mut rest = json!({ "generation": generation });
        if let Some(next) = next {
            rest["next"] = next.into();
        }
        let body = page.end(&rest);
        let link = next.map(|next| next_page(&uri, next, limit));
        Ok((etag(generation), link, body).into_response())
    };
    worker.run(list).await
}

/// Returns the `Link` to the page after the rule `after`.
fn next_page(uri: &Uri, after: &str, limit: usize) -> [(HeaderName, String); 1] {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("after", after);
    if limit < RulesPage::MOST {
        query.append_pair("limit", &limit.to_string());
    }
    let link = format!("<{}?{}>; rel=\"next\"", uri.path(), query.finish());
    [(header::LINK, link)]
}

pub(crate) async fn replace(
    State(injector): State<Injector>,
    Extension(followers): Extension<Followers>,
    caller: Caller,
    DryRun { dry_run, because }: DryRun,
    if_match: IfMatch,
    JsonBody(json): JsonBody,
) -> Result<Response, Problem> {
    let permit = match dry_run {
        true => None,
        false => Some(acquire_edit(&followers, Extent::All).await?),
    };
    let replace = move || {
        let _permit = permit;
        let rules = wire::rules_from_json(&json)?;
        injector.check(&rules)?;
        let actor = caller.because(because);
        let (generation, difference) = edit(&injector, &actor, dry_run, |current| {
            if_match.check(current.generation(), true)?;
            let difference = Difference::between(current, &rules);
            Ok((Change::Replace(rules.clone()), difference))
        })?;
        let warnings = warnings::of(&injector, &rules).collect();
        Ok(difference.warned(warnings).made(generation).into_response())
    };
    followers.worker.run(replace).await
}

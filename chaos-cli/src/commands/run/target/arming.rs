//! Arming rules at ports, and ending them.

use chaos_gameday::TargetFate;
use futures_util::future::join_all;
use reqwest::{Method, header};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{
    client::{Client, answer::text, no_answer, request::Request},
    commands::run::{
        cut::Cut,
        target::ports::{
            LAST_CALLS, LONGEST_LOOK, Looks, PACE, Ports, in_use, look_at, observe, put, unobserve,
        },
    },
    failure::{Exit, Failure},
};

impl Ports {
    /// Arms rules that must not be there yet: they are made everywhere, and enabled only if all ports have them. With `sites`,
    /// the calls of these are counted for each rule, from before its first hit.
    ///
    /// If it fails or is dropped, some of the rules may be armed, which [`end`](Self::end) knows.
    pub(super) async fn arm(&self, rules: &[Value], sites: Option<&[String]>) -> Result<(), Cut> {
        let make = async |client: &Client| {
            for rule in rules {
                let mut idle = rule.clone();
                idle["enabled"] = false.into();
                self.make(client, &idle).await?;
                if let Some(sites) = sites {
                    observe(client, text(rule, "id"), sites).await?;
                }
            }
            Ok(())
        };
        let refused = self.failures(self.ask(make).await);
        if !refused.is_empty() {
            return Err(Cut::NotApplied(refused, TargetFate::Withdrawn));
        }
        let enable = async |client: &Client| {
            for rule in rules {
                self.enable(client, text(rule, "id"), true).await?;
            }
            Ok(())
        };
        match self.failures(self.ask(enable).await) {
            refused if refused.is_empty() => Ok(()),
            refused => Err(Cut::NotApplied(refused, TargetFate::Applied)),
        }
    }

    /// Returns the failures among the answers of all ports, by port.
    pub(super) fn failures(&self, answers: Vec<Result<(), Failure>>) -> Vec<(String, Failure)> {
        let answers = self.names().into_iter().zip(answers);
        let failures = answers.filter_map(|(name, answer)| Some((name, answer.err()?)));
        failures.collect()
    }

    /// Makes a rule that must not be there. One that an earlier run has left goes first, with its counts.
    async fn make(&self, client: &Client, rule: &Value) -> Result<(), Failure> {
        let id = text(rule, "id");
        let make = || {
            let request = put(rule).header(header::IF_NONE_MATCH, "*");
            client.send(request.because(Some(&self.reason)))
        };
        // Whether a request without an answer was carried out is not known.
        self.note_made(client, id, true);
        let mut made = make().await.map(drop);
        if made.as_ref().is_err_and(is_there) {
            self.note_made(client, id, false);
            let there = client.get(&["v1", "rules", id]).await?;
            if !self.is_left_over(&there.body) {
                return Err(in_use(id));
            }
            let delete = Request::new(Method::DELETE, &["v1", "rules", id]);
            let delete = delete.if_match(there.etag.as_deref());
            client.send(delete.because(Some(&self.reason))).await?;
            self.note_made(client, id, true);
            made = make().await.map(drop);
        }
        if let Err(failure) = &made
            && failure.status.is_some()
        {
            self.note_made(client, id, false);
        }
        made
    }

    fn note_made(&self, client: &Client, id: &str, is_made: bool) {
        let mut made = self.made.borrow_mut();
        let made = made.entry(client.name()).or_default();
        match is_made {
            true => made.insert(id.to_owned()),
            false => made.remove(id),
        };
    }

    fn made_at(&self, client: &Client) -> Vec<String> {
        let made = self.made.borrow();
        let made = made.get(&client.name()).into_iter().flatten();
        made.cloned().collect()
    }

    async fn enable(&self, client: &Client, id: &str, is_on: bool) -> Result<(), Failure> {
        let request = Request::new(Method::PATCH, &["v1", "rules", id]);
        let request = request.body(json!({ "enabled": is_on }));
        client.send(request.because(Some(&self.reason))).await?;
        Ok(())
    }

    /// Ends the rules that this run has made: disables them, waits until no call is under way that they hit, looks for the last
    /// time, and deletes them. What is left ends at its deadline, and is a failure.
    pub(super) async fn end(&self, observed: &[String]) -> Looks {
        let patience = LONGEST_LOOK * 2 + LAST_CALLS;
        let end = async |client: &Client| {
            let ended = timeout(patience, self.end_at(client, observed)).await;
            ended.unwrap_or_else(|_| match self.made_at(client).is_empty() {
                true => Ok(Default::default()),
                false => Err(no_answer("it took too long")),
            })
        };
        self.ask(end).await
    }

    async fn end_at(
        &self,
        client: &Client,
        observed: &[String],
    ) -> Result<super::PortLook, Failure> {
        let ids = self.made_at(client);
        // A rule that cannot be disabled is deleted.
        join_all(ids.iter().map(|id| self.enable(client, id, false))).await;
        let last_calls = timeout(LAST_CALLS, await_last_calls(client, &ids)).await;
        let last = timeout(LONGEST_LOOK, self.own_look_at(client, &ids, observed)).await;
        let deleted = ids.iter().map(async |id| {
            if observed.contains(id) {
                unobserve(client, id).await;
            }
            self.delete(client, id).await
        });
        let deleted: Result<Vec<()>, _> = join_all(deleted).await.into_iter().collect();
        deleted?;
        if last_calls.is_err() {
            let detail = "calls that were hit have not ended in time";
            return Err(Failure::new(Exit::Refused, detail));
        }
        // The rules are gone, whether the last counts are known or not.
        Ok(last.ok().and_then(Result::ok).unwrap_or_default())
    }

    /// Deletes a rule; one that is gone already is no failure.
    async fn delete(&self, client: &Client, id: &str) -> Result<(), Failure> {
        let request = Request::new(Method::DELETE, &["v1", "rules", id]);
        match client.send(request.because(Some(&self.reason))).await {
            Err(failure) if failure.status == Some(404) && failure.rule.is_some() => {}
            answer => drop(answer?),
        }
        self.note_made(client, id, false);
        Ok(())
    }
}

fn is_there(failure: &Failure) -> bool {
    failure.status == Some(412)
}

/// Waits until no call is under way that the rules have hit. A port that does not answer is not waited for.
async fn await_last_calls(client: &Client, ids: &[String]) {
    while let Ok(look) = look_at(client, ids, &[]).await
        && look.sum("active") > 0
    {
        sleep(PACE).await;
    }
}

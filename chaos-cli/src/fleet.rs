//! Several endpoints that are asked at once, and what their answers come to.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    client::Client,
    failure::{Exit, Failure},
    output::Output,
};

/// The endpoints of a command, and what it may do there.
pub(crate) struct Fleet {
    pub(crate) clients: Vec<Client>,
    /// The endpoints that cannot be asked, each with what is wrong in the operator's words.
    pub(crate) unusable: Vec<(String, Failure)>,
    /// The name of a context that is marked as production.
    pub(crate) production: Option<String>,
    /// Whether questions are answered with yes.
    pub(crate) yes: bool,
}

/// What a command has come to.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) exit: Exit,
    /// An object for each endpoint, for `--json`; `None` if the command has printed all by itself.
    pub(crate) documents: Option<Vec<Value>>,
}

impl Report {
    /// Returns what the first endpoint answered to edits.
    pub(crate) fn answers(&self) -> impl Iterator<Item = &Value> {
        let first = self.documents.iter().flatten().next();
        let answers = first.and_then(|document| document["answers"].as_array());
        answers.into_iter().flatten()
    }

    /// Returns whether an edit may have been made at an endpoint although the command has failed.
    pub(crate) fn is_unknown(&self) -> bool {
        let mut documents = self.documents.iter().flatten();
        documents.any(|it| it["result"] == "unknown" || it["result"] == "not_taken_back")
    }

    /// Returns the report of a command that has printed what it had to.
    pub(crate) fn printed(exit: Exit) -> Self {
        Self {
            exit,
            documents: None,
        }
    }
}

impl Fleet {
    /// Returns an error if an endpoint cannot be asked. With `some`, one that can be asked is enough.
    pub(crate) fn check(&self, some: bool) -> Result<(), Failure> {
        match self.unusable.first() {
            Some((_, failure)) if !some || self.clients.is_empty() => Err(failure.clone()),
            _ => Ok(()),
        }
    }

    /// Asks all endpoints at the same time. None waits for another.
    pub(crate) async fn ask<T>(
        &self,
        ask: impl AsyncFn(&Client) -> Result<T, Failure>,
    ) -> Vec<Result<T, Failure>> {
        let asked = self.clients.iter().map(|client| ask(client));
        join_all(asked).await
    }

    /// Asks before a write that injects faults: in production, where it is written to always.
    pub(crate) fn confirm(&self, out: &Output, what: &str) -> Result<(), Failure> {
        confirm(out, self.production.as_deref(), self.yes, what)
    }

    /// Names the context before a write that only takes faults away.
    pub(crate) fn announce(&self, out: &Output) {
        if let Some(context) = &self.production {
            out.note(format_args!("context {context} (production)"));
        }
    }

    /// Reports the answers: each success by the lines that `show` returns, each failure with its endpoint.
    pub(crate) fn report(
        &self,
        out: &Output,
        answers: Vec<Result<Value, Failure>>,
        show: impl Fn(&str, &Value) -> String,
    ) -> Report {
        let exit = match exit_of(&answers) {
            Exit::Done if !self.unusable.is_empty() => Exit::NotEverywhere,
            exit => exit,
        };
        let answered = self.clients.iter().map(Client::name).zip(answers);
        let documents = answered.map(|(name, answer)| match answer {
            Ok(body) => {
                let line = show(&name, &body);
                if !line.is_empty() {
                    out.text(line);
                }
                document(&name, body)
            }
            Err(failure) => {
                out.failure(Some(&name), &failure);
                refusal(&name, &failure)
            }
        });
        let mut documents: Vec<_> = documents.collect();
        for (name, failure) in &self.unusable {
            out.failure(Some(name), failure);
            documents.push(refusal(name, failure));
        }
        Report {
            exit,
            documents: Some(documents),
        }
    }
}

/// Asks before a write that injects faults, if the context is one of production.
pub(crate) fn confirm(
    out: &Output,
    production: Option<&str>,
    yes: bool,
    what: &str,
) -> Result<(), Failure> {
    let Some(context) = production else {
        return Ok(());
    };
    out.note(format_args!("context {context} (production)"));
    match yes {
        true => Ok(()),
        false => out.confirm(&format!("{what} in {context}?")),
    }
}

/// Returns the exit code for the answers of all endpoints.
pub(crate) fn exit_of<T>(answers: &[Result<T, Failure>]) -> Exit {
    let mut failures = answers.iter().filter_map(|answer| answer.as_ref().err());
    match failures.next() {
        None => Exit::Done,
        Some(first) if failures.count() + 1 == answers.len() => first.exit,
        Some(_) => Exit::NotEverywhere,
    }
}

/// Returns the object of an endpoint for `--json`: its name, and the fields of its answer.
pub(crate) fn document(endpoint: &str, body: Value) -> Value {
    let mut document = json!({ "endpoint": endpoint });
    match (body, document.as_object_mut()) {
        (Value::Object(body), Some(document)) => document.extend(body),
        (other, Some(document)) => {
            document.insert("answer".to_owned(), other);
        }
        (_, None) => {}
    }
    document
}

/// Returns the object of an endpoint that has failed.
pub(crate) fn refusal(endpoint: &str, failure: &Failure) -> Value {
    json!({ "endpoint": endpoint, "error": failure.to_json() })
}

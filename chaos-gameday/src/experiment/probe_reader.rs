//! From a probe as it is written to one that can be asked, and back.

use std::time::Duration;

use super::{
    expectation::{HttpExpect, JsonExpect, Pattern},
    limits,
    probe::{
        Compare, HttpRequest, NumberBounds, Probe, QuantileBound, Question, SiteExpect, Stage,
    },
    probe_document::{CompareDoc, ExpectDoc, LatencyDoc, NumberDoc, ProbeDoc, RatioDoc, SpanDoc},
};
use crate::{error::ExperimentError, span::Span};

impl Probe {
    pub(super) fn read(doc: ProbeDoc, at: &str) -> Result<Self, ExperimentError> {
        limits::text(&format!("{at}.name"), &doc.name, limits::NAME)?;
        let is_site = doc.site.is_some();
        let is_compared = is_site && doc.compare.is_some();
        let every = match doc.every {
            Some(every) => limits::span(&format!("{at}.every"), every, limits::EVERY)?,
            None => Duration::from_secs(1),
        };
        let ask = match doc.ask {
            Some(mut ask) => {
                ask.sort_unstable();
                ask.dedup();
                ask
            }
            None if is_site => vec![Stage::During],
            None => vec![Stage::Before, Stage::During, Stage::After],
        };
        let field = format!("{at}.ask");
        if ask.is_empty() {
            let problem = "the probe is never asked";
            return Err(ExperimentError::new(field, problem, "1 to 3 stages"));
        }
        if is_compared && ask != [Stage::During] {
            let problem = "there is nothing to compare but while calls are hit";
            return Err(ExperimentError::new(field, problem, "[during]"));
        }
        let question = match (doc.http, doc.promql, doc.site) {
            (Some(request), None, None) => {
                request.check(&format!("{at}.http"))?;
                refuse_compare(at, doc.compare)?;
                let expect = doc.expect.unwrap_or_default();
                let expect = expect.http(&format!("{at}.expect"))?;
                Question::Http { request, expect }
            }
            (None, Some(query), None) => {
                limits::url(&format!("{at}.promql.url"), &query.url)?;
                limits::lines(&format!("{at}.promql.query"), &query.query, limits::QUERY)?;
                refuse_compare(at, doc.compare)?;
                let expect = doc.expect.unwrap_or_default();
                let expect = expect.number(&format!("{at}.expect"))?;
                Question::Promql { query, expect }
            }
            (None, None, Some(site)) => {
                limits::text(&format!("{at}.site"), &site, limits::LINE)?;
                match (doc.expect, doc.compare) {
                    (Some(expect), None) => {
                        let expect = expect.site(&format!("{at}.expect"))?;
                        Question::Site { site, expect }
                    }
                    (None, Some(compare)) => {
                        let compare = compare.read(&format!("{at}.compare"))?;
                        Question::Compare { site, compare }
                    }
                    _ => {
                        let problem = "a site's calls are either bounded or compared";
                        let allowed = "exactly one of `expect` and `compare`";
                        return Err(ExperimentError::new(at, problem, allowed));
                    }
                }
            }
            _ => {
                let problem = "a probe asks one thing";
                let allowed = "exactly one of `http`, `promql` and `site`";
                return Err(ExperimentError::new(at, problem, allowed));
            }
        };
        Ok(Self {
            name: doc.name,
            question,
            ask,
            every,
        })
    }

    pub(super) fn document(&self) -> ProbeDoc {
        let doc = ProbeDoc {
            name: self.name.clone(),
            ask: Some(self.ask.clone()),
            every: Some(Span(self.every)),
            ..ProbeDoc::default()
        };
        match self.question.clone() {
            Question::Http { request, expect } => ProbeDoc {
                http: Some(request),
                expect: Some(expect.document()),
                ..doc
            },
            Question::Promql { query, expect } => ProbeDoc {
                promql: Some(query),
                expect: Some(ExpectDoc {
                    at_most: expect.at_most,
                    at_least: expect.at_least,
                    ..ExpectDoc::default()
                }),
                ..doc
            },
            Question::Site { site, expect } => ProbeDoc {
                site: Some(site),
                expect: Some(ExpectDoc {
                    error_ratio: expect.error_ratio.map(|at_most| RatioDoc { at_most }),
                    latency: LatencyDoc::of(&expect.latency),
                    ..ExpectDoc::default()
                }),
                ..doc
            },
            Question::Compare { site, compare } => ProbeDoc {
                site: Some(site),
                compare: Some(CompareDoc {
                    rule: compare.rule,
                    error_ratio: compare.error_ratio.map(|at_most| RatioDoc { at_most }),
                    latency: LatencyDoc::of(&compare.latency),
                }),
                ..doc
            },
        }
    }
}

fn refuse_compare(at: &str, compare: Option<CompareDoc>) -> Result<(), ExperimentError> {
    if compare.is_none() {
        return Ok(());
    }
    let (field, problem) = (format!("{at}.compare"), "only a site's calls are compared");
    Err(ExperimentError::new(
        field,
        problem,
        "`site`, or no `compare`",
    ))
}

impl HttpRequest {
    fn check(&self, at: &str) -> Result<(), ExperimentError> {
        limits::url(&format!("{at}.url"), &self.url)?;
        if self.method.parse::<http::Method>().is_err() {
            let (field, problem) = (format!("{at}.method"), format!("{:?} is none", self.method));
            return Err(ExperimentError::new(field, problem, "an HTTP method"));
        }
        limits::count(
            &format!("{at}.headers"),
            self.headers.len(),
            0,
            limits::LIST,
        )?;
        for (name, value) in &self.headers {
            let is_header = name.parse::<http::HeaderName>().is_ok()
                && value.parse::<http::HeaderValue>().is_ok();
            if !is_header {
                let (field, problem) = (format!("{at}.headers"), format!("{name:?} is no header"));
                let allowed = "a name and a value that HTTP allows";
                return Err(ExperimentError::new(field, problem, allowed));
            }
        }
        limits::span(&format!("{at}.timeout"), self.timeout, limits::TIMEOUT).map(drop)
    }
}

impl ExpectDoc {
    /// Refuses the fields that say nothing of this kind of probe.
    fn only(&self, at: &str, kind: &str, allowed: &[&str]) -> Result<(), ExperimentError> {
        let given = [
            ("status", self.status.is_some()),
            ("body", self.body.is_some()),
            ("json", self.json.is_some()),
            ("latency", self.latency.is_some()),
            ("at_most", self.at_most.is_some()),
            ("at_least", self.at_least.is_some()),
            ("error_ratio", self.error_ratio.is_some()),
        ];
        let mut given = given.iter().filter(|(_, is_given)| *is_given);
        match given.find(|(name, _)| !allowed.contains(name)) {
            None => Ok(()),
            Some((name, _)) => Err(ExperimentError::new(
                format!("{at}.{name}"),
                format!("{kind} has no such thing"),
                allowed.join(", "),
            )),
        }
    }

    fn http(self, at: &str) -> Result<HttpExpect, ExperimentError> {
        let fields = ["status", "body", "json", "latency"];
        self.only(at, "an HTTP response", &fields)?;
        if let Some(status) = self.status
            && !(100..600).contains(&status)
        {
            let (field, problem) = (format!("{at}.status"), format!("{status} is no status"));
            return Err(ExperimentError::new(field, problem, "100 to 599"));
        }
        let body = self
            .body
            .map(|it| Pattern::read(&format!("{at}.body"), &it));
        let json = self
            .json
            .map(|it| JsonExpect::read(&format!("{at}.json"), it));
        let latency = match self.latency {
            None => None,
            Some(LatencyDoc {
                at_most: Some(Span(most)),
                p50: None,
                p90: None,
                p95: None,
                p99: None,
                p999: None,
            }) => Some(most),
            Some(_) => {
                let problem = "one request has no quantiles";
                let field = format!("{at}.latency");
                return Err(ExperimentError::new(field, problem, "`at_most`"));
            }
        };
        Ok(HttpExpect {
            status: self.status,
            body: body.transpose()?,
            json: json.transpose()?,
            latency,
        })
    }

    fn number(self, at: &str) -> Result<NumberBounds, ExperimentError> {
        self.only(at, "a number", &["at_most", "at_least"])?;
        let bounds = NumberDoc {
            at_most: self.at_most,
            at_least: self.at_least,
        };
        let bounds = bounds.read_any(at)?;
        if bounds == NumberBounds::default() {
            let problem = "nothing is expected of the number";
            return Err(ExperimentError::new(at, problem, "`at_most` or `at_least`"));
        }
        Ok(bounds)
    }

    fn site(self, at: &str) -> Result<SiteExpect, ExperimentError> {
        self.only(at, "a site", &["error_ratio", "latency"])?;
        let (error_ratio, latency) = fares(at, self.error_ratio, self.latency)?;
        Ok(SiteExpect {
            error_ratio,
            latency,
        })
    }
}

impl CompareDoc {
    fn read(self, at: &str) -> Result<Compare, ExperimentError> {
        limits::text(&format!("{at}.rule"), &self.rule, limits::LINE)?;
        let (error_ratio, latency) = fares(at, self.error_ratio, self.latency)?;
        Ok(Compare {
            rule: self.rule,
            error_ratio,
            latency,
        })
    }
}

/// Reads how calls have to fare: at least one bound.
fn fares(
    at: &str,
    ratio: Option<RatioDoc>,
    latency: Option<LatencyDoc>,
) -> Result<(Option<f64>, Vec<QuantileBound>), ExperimentError> {
    let ratio = ratio.map(|ratio| ratio.at_most);
    if let Some(ratio) = ratio {
        limits::share(&format!("{at}.error_ratio.at_most"), ratio)?;
    }
    let latency = latency.unwrap_or_default();
    if latency.at_most.is_some() {
        let problem = "many calls have no one latency";
        let (field, allowed) = (format!("{at}.latency"), "p50, p90, p95, p99, p999");
        return Err(ExperimentError::new(field, problem, allowed));
    }
    let latency = latency.bounds();
    if ratio.is_none() && latency.is_empty() {
        let allowed = "`error_ratio`, or `latency` with a quantile";
        return Err(ExperimentError::new(at, "nothing is expected", allowed));
    }
    Ok((ratio, latency))
}

impl LatencyDoc {
    fn bounds(&self) -> Vec<QuantileBound> {
        let each = [
            (0.5, self.p50),
            (0.9, self.p90),
            (0.95, self.p95),
            (0.99, self.p99),
            (0.999, self.p999),
        ];
        let bound = |(quantile, bound): (f64, Option<SpanDoc>)| {
            let Span(at_most) = bound?.at_most;
            Some(QuantileBound { quantile, at_most })
        };
        each.into_iter().filter_map(bound).collect()
    }

    fn of(bounds: &[QuantileBound]) -> Option<Self> {
        let at = |quantile: f64| {
            let mut bounds = bounds.iter().filter(|bound| bound.quantile == quantile);
            let at_most = bounds.next()?.at_most.into();
            Some(SpanDoc { at_most })
        };
        (!bounds.is_empty()).then(|| Self {
            at_most: None,
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
        })
    }
}

impl NumberDoc {
    pub(super) fn read_any(self, at: &str) -> Result<NumberBounds, ExperimentError> {
        limits::finite(&format!("{at}.at_most"), self.at_most)?;
        limits::finite(&format!("{at}.at_least"), self.at_least)?;
        Ok(NumberBounds {
            at_most: self.at_most,
            at_least: self.at_least,
        })
    }
}

impl HttpExpect {
    fn document(&self) -> ExpectDoc {
        ExpectDoc {
            status: self.status,
            body: self.body.as_ref().map(|body| body.as_str().to_owned()),
            json: self.json.as_ref().map(JsonExpect::document),
            latency: self.latency.map(|at_most| LatencyDoc {
                at_most: Some(Span(at_most)),
                ..LatencyDoc::default()
            }),
            ..ExpectDoc::default()
        }
    }
}

//! Warnings: what an accepted rule says that cannot happen at the sites that there are.

use crate::{
    call::site_kind::SiteKind,
    injector::Injector,
    matcher::{Matcher, glob::SiteGlob, text::Text},
    name::RuleId,
    rule::Rule,
    site::Site,
    trigger::key::Key,
};

/// How many unknown names of sites are compared with the known ones, for all rules of one question.
const MOST_COMPARED: usize = 100;
/// How alike two names must be for one to be suggested in place of the other, from 0 to 1.
const ALIKE: f64 = 0.8;
/// How many names a suggestion lists.
const MOST_LISTED: usize = 8;

/// A part of a rule that cannot have an effect at the sites that there are.
///
/// The rule is accepted all the same, because a site may be made later: a layer when its router is built,
/// a function in a crate that is loaded lazily.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// The id of the rule.
    pub rule: RuleId,
    /// The path of the field, such as `faults[0]` or `match.labels.table`.
    pub field: String,
    /// What cannot happen, and why.
    pub detail: String,
    /// What to write instead, or what to do.
    pub suggestion: String,
}

impl Injector {
    /// Returns what the rules say that cannot happen at the sites that this injector knows, in the order
    /// of the rules.
    ///
    /// There is a warning for a site that nobody has made, with the nearest name that there is; for a
    /// fault that none of the rule's sites can have; for a condition or a key on what no call there
    /// has (a path where no request passes, a label that no site declares); for a guard rail at a site
    /// that nobody has made; and for `reset` and the key `peer` at layers whose first call had no
    /// address of its peer.
    ///
    /// ```
    /// use chaos_core::{Fault, Injector, Rule};
    ///
    /// let injector = Injector::new();
    /// let _ = injector.site("http.server");
    /// let rule = Rule::new("slow".parse()?, "http.servr".parse()?, Fault::error("lost"));
    /// let warnings = injector.warnings([&rule]);
    /// assert_eq!(warnings[0].field, "site");
    /// assert_eq!(warnings[0].suggestion, "http.server");
    /// # Ok::<(), chaos_core::RuleError>(())
    /// ```
    #[must_use]
    pub fn warnings<'r>(&self, rules: impl IntoIterator<Item = &'r Rule>) -> Vec<Warning> {
        let book = self.book();
        let (sites, exempt) = (book.sites.clone(), book.exempt.clone());
        drop(book);
        let mut reader = Reader {
            sites,
            exempt,
            compared: 0,
            warnings: Vec::new(),
        };
        for rule in rules {
            reader.read(rule);
        }
        reader.warnings
    }
}

/// Reads rules beside the sites that there are.
struct Reader {
    sites: Vec<&'static Site>,
    exempt: Vec<SiteGlob>,
    compared: usize,
    warnings: Vec<Warning>,
}

impl Reader {
    fn read(&mut self, rule: &Rule) {
        let sites = self.sites_of(&rule.site);
        if sites.is_empty() {
            let nearest = self.nearest(&rule.site);
            let detail = format!("no site is called \"{}\"", rule.site);
            self.warn(rule, "site", detail, nearest);
        } else {
            self.read_aim(rule, &sites);
        }
        for (at, rail) in rule.guards.iter().enumerate() {
            let Some(glob) = &rail.site else { continue };
            if self.sites_of(glob).is_empty() {
                let nearest = self.nearest(glob);
                let detail = format!("no site is called \"{glob}\", so nothing is measured");
                self.warn(rule, format!("guards[{at}].site"), detail, nearest);
            }
        }
    }

    /// Reads what a rule says about the calls at the sites that it matches.
    fn read_aim(&mut self, rule: &Rule, sites: &[&'static Site]) {
        let is_exempt = |site: &&&Site| self.exempt.iter().any(|it| it.matches(site.name()));
        if sites.iter().all(|site| is_exempt(&site)) {
            let detail = format!("{} is exempt from all rules", names(sites));
            self.warn(rule, "site", detail, "a site that is not exempt");
            return;
        }
        for (at, fault) in rule.faults.iter().enumerate() {
            let kinds = fault.site_kinds();
            if !sites.iter().any(|site| kinds.have(site.kind())) {
                let detail = format!("{} cannot happen at {}", fault.name(), names(sites));
                let suggestion = format!("a site where it can: {}", kinds.in_words());
                self.warn(rule, format!("faults[{at}]"), detail, suggestion);
            } else if fault.resets() && lacks_peers(sites) && !self.knows_connections() {
                self.warn_of_peer(rule, format!("faults[{at}]"), sites);
            }
        }
        for (field, fact) in impossible(&rule.matcher) {
            if !has(sites, fact) {
                self.warn_of_fact(rule, field, fact, sites);
            }
        }
        match &rule.trigger.key {
            Some(Key::Peer) if lacks_peers(sites) => self.warn_of_peer(rule, "key", sites),
            Some(key) if !has(sites, Fact::of(key)) => {
                self.warn_of_fact(rule, "key".to_owned(), Fact::of(key), sites);
            }
            _ => {}
        }
    }

    /// Returns whether connections pass a site: then a request may have the handle of its connection.
    fn knows_connections(&self) -> bool {
        let mut sites = self.sites.iter();
        sites.any(|site| site.kind() == SiteKind::Connection)
    }

    fn sites_of(&self, glob: &SiteGlob) -> Vec<&'static Site> {
        let sites = self.sites.iter().copied();
        sites.filter(|site| glob.matches(site.name())).collect()
    }

    /// Returns the name that is most like a pattern that matches none, or what to do if none is.
    fn nearest(&mut self, glob: &SiteGlob) -> String {
        self.compared += 1;
        let names = self.sites.iter().map(|site| site.name());
        let names = names.take_while(|_| self.compared <= MOST_COMPARED);
        let alike = names.map(|name| (strsim::jaro_winkler(name, glob.as_str()), name));
        let nearest = alike.max_by(|(a, _), (b, _)| a.total_cmp(b));
        match nearest {
            Some((alike, name)) if alike >= ALIKE => name.to_owned(),
            _ => {
                "a site that is known; a layer is known once it is made, and code once it is linked or \
                  passed"
                    .to_owned()
            }
        }
    }

    fn warn_of_fact(&mut self, rule: &Rule, field: String, fact: Fact<'_>, sites: &[&Site]) {
        let (detail, suggestion) = match fact {
            Fact::Request => (
                format!("no request passes {}", names(sites)),
                "the site of a layer".to_owned(),
            ),
            Fact::Peer => (
                format!("calls at {} have no peer", names(sites)),
                "the site of a layer or of a listener".to_owned(),
            ),
            Fact::Label(label) => {
                let known = sites.iter().flat_map(|site| labels(site));
                let mut known: Vec<&str> = known.copied().collect();
                known.sort_unstable();
                known.dedup();
                known.truncate(MOST_LISTED);
                let suggestion = match &known[..] {
                    [] => "no label: these sites have none".to_owned(),
                    known => format!("a label that is declared there: {}", known.join(", ")),
                };
                let detail = format!("{} declares no label \"{label}\"", names(sites));
                (detail, suggestion)
            }
        };
        self.warn(rule, field, detail, suggestion);
    }

    fn warn_of_peer(&mut self, rule: &Rule, field: impl Into<String>, sites: &[&Site]) {
        let detail = format!("a call at {} had no address of its peer", names(sites));
        let suggestion = "serve with `into_make_service_with_connect_info::<SocketAddr>()` in axum, or \
                          with `InjectListener`";
        self.warn(rule, field, detail, suggestion);
    }

    fn warn(
        &mut self,
        rule: &Rule,
        field: impl Into<String>,
        detail: String,
        suggestion: impl Into<String>,
    ) {
        self.warnings.push(Warning {
            rule: rule.id.clone(),
            field: field.into(),
            detail,
            suggestion: suggestion.into(),
        });
    }
}

/// What a condition or a key reads of a call.
#[derive(Clone, Copy)]
enum Fact<'r> {
    Request,
    Peer,
    Label(&'r str),
}

impl<'r> Fact<'r> {
    fn of(key: &'r Key) -> Self {
        match key {
            Key::Header(_) | Key::Query(_) | Key::PathParameter(_) | Key::Trace => Self::Request,
            Key::Label(name) => Self::Label(name),
            Key::Peer => Self::Peer,
        }
    }
}

/// Returns the conditions that do not hold on a call without the fact that they read.
fn impossible(matcher: &Matcher) -> impl Iterator<Item = (String, Fact<'_>)> {
    let nothing = || std::iter::empty::<&str>();
    let request = [
        ("method", &matcher.method),
        ("path", &matcher.path),
        ("host", &matcher.host),
        ("grpc", &matcher.grpc),
    ];
    let request = request.into_iter();
    let request = request.filter_map(|(name, text)| Some((name.to_owned(), text.as_ref()?)));
    let headers = matcher.headers.iter();
    let headers = headers.map(|(name, text)| (format!("headers.{name}"), text));
    let query = matcher.query.iter();
    let query = query.map(|(name, text)| (format!("query.{name}"), text));
    let request = request.chain(headers).chain(query);
    let request = request.map(|(name, text)| (name, text, Fact::Request));
    let labels = matcher.labels.iter();
    let labels = labels.map(|(name, text)| (format!("labels.{name}"), text, Fact::Label(name)));
    let conditions: Vec<(String, &Text, Fact<'_>)> = request.chain(labels).collect();
    let conditions = conditions.into_iter();
    conditions
        .filter(move |(_, text, _)| !text.matches(&nothing))
        .map(|(name, _, fact)| (format!("match.{name}"), fact))
}

/// Returns whether calls at one of the sites may have a fact.
fn has(sites: &[&Site], fact: Fact<'_>) -> bool {
    sites.iter().any(|site| match fact {
        Fact::Request => site.kind() == SiteKind::Layer,
        Fact::Peer => matches!(site.kind(), SiteKind::Layer | SiteKind::Connection),
        Fact::Label(label) => labels(site).contains(&label),
    })
}

/// Returns the labels of a site's calls. Those of a connection have the peer as a label.
fn labels(site: &Site) -> &[&'static str] {
    match site.kind() {
        SiteKind::Connection => &["peer"],
        _ => site.labels(),
    }
}

/// Returns whether every site is a layer whose first call had no address of its peer.
fn lacks_peers(sites: &[&Site]) -> bool {
    sites.iter().all(|site| site.lacks_peers())
}

/// Returns the names of sites for a sentence: each once, and not all of many.
fn names(sites: &[&Site]) -> String {
    let mut names: Vec<_> = sites.iter().map(|site| site.name()).collect();
    names.sort_unstable();
    names.dedup();
    let more = names.len().saturating_sub(MOST_LISTED);
    names.truncate(MOST_LISTED);
    match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

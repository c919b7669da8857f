//! Warnings: parts of an accepted rule that cannot have an effect at the known sites.

use crate::{
    call::site_kind::SiteKind,
    fault::Fault,
    injector::{
        Injector,
        needs::{Fact, has, keys, labels, needs},
    },
    matcher::glob::SiteGlob,
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

/// A part of a rule that cannot have an effect at the known sites.
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
    /// The problem: what cannot happen, and why.
    pub detail: String,
    /// A suggestion: what to write instead, or what to do.
    pub suggestion: String,
}

impl Injector {
    /// Returns the parts of the rules that cannot have an effect at the sites that this injector knows,
    /// in the order of the rules.
    ///
    /// There is a warning for a site that does not exist, with the nearest name that does, or that no
    /// rule reaches; for a fault, or an option of a choice, that cannot happen at any of the rule's
    /// sites; for a condition or a key on a fact that no call there has (a path where no request passes,
    /// a label that no site declares); for a guard rail that measures at no layer; and for `reset` and
    /// the key `peer` at layers whose first call had no address of its peer. If a rule aims at several
    /// sites, the calls of at least one of them must have all facts that its conditions and keys read.
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
        let policy = &self.0.hub.bounds.load().policy;
        let reaches = |site: &Site| {
            let name = site.name();
            if book.exempt.iter().any(|exempt| exempt.matches(name)) {
                Reach::Exempt
            } else if policy.reaches(name) {
                Reach::Reached
            } else {
                Reach::OutsideOfPolicy
            }
        };
        let sites = book.sites.iter().map(|site| (site, reaches(site)));
        let sites = sites.collect();
        drop(book);
        let mut reader = Reader {
            sites,
            compared: 0,
            warnings: Vec::new(),
        };
        for rule in rules {
            reader.read(rule);
        }
        reader.warnings
    }
}

/// Whether rules may reach a site.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Reached,
    Exempt,
    OutsideOfPolicy,
}

/// Reads rules beside the sites that there are.
struct Reader {
    /// In order of their names.
    sites: Vec<(&'static Site, Reach)>,
    compared: usize,
    warnings: Vec<Warning>,
}

impl Reader {
    fn read(&mut self, rule: &Rule) {
        if let Some(sites) = self.reached(rule, "site", &rule.site) {
            self.read_aim(rule, &sites);
        }
        for (at, rail) in rule.guards.iter().enumerate() {
            let field = format!("guards[{at}].site");
            let sites = match &rail.site {
                Some(glob) => self.reached(rule, &field, glob),
                // What is wrong with the rule's own site has been said.
                None => Some(self.sites_of(&rule.site, Reach::Reached)).filter(|it| !it.is_empty()),
            };
            let is_layer = |site: &&Site| site.kind() == SiteKind::Layer;
            if let Some(sites) = sites.filter(|sites| !sites.iter().any(is_layer)) {
                let detail = format!("only layers are measured, and none is at {}", names(&sites));
                self.warn(rule, field, detail, "the site of a layer");
            }
        }
    }

    /// Returns the sites that a pattern matches and rules reach, or warns of it if there is none.
    fn reached(&mut self, rule: &Rule, field: &str, glob: &SiteGlob) -> Option<Vec<&'static Site>> {
        let reached = self.sites_of(glob, Reach::Reached);
        if !reached.is_empty() {
            return Some(reached);
        }
        let exempt = self.sites_of(glob, Reach::Exempt);
        let outside = self.sites_of(glob, Reach::OutsideOfPolicy);
        let (detail, suggestion) = if !exempt.is_empty() {
            let detail = format!("{} is exempt from all rules", names(&exempt));
            (detail, "a site that is not exempt".to_owned())
        } else if !outside.is_empty() {
            let detail = format!("the policy keeps rules away from {}", names(&outside));
            (detail, "a site that the policy allows".to_owned())
        } else {
            let detail = format!("no site is called \"{glob}\"");
            (detail, self.nearest(glob))
        };
        self.warn(rule, field, detail, suggestion);
        None
    }

    /// Reads what a rule says about the calls at the sites that it matches.
    fn read_aim(&mut self, rule: &Rule, sites: &[&'static Site]) {
        let needs: Vec<_> = needs(rule).collect();
        let mut fitting = sites.to_vec();
        fitting.retain(|site| needs.iter().all(|(_, fact)| has(site, *fact)));
        if fitting.is_empty() {
            self.warn_of_needs(rule, &needs, sites);
            fitting = sites.to_vec();
        }
        for (at, fault) in rule.faults.iter().enumerate() {
            self.read_fault(rule, format!("faults[{at}]"), fault, &fitting);
        }
        let of_peer = keys(rule).filter(|(_, key)| **key == Key::Peer);
        for (field, _) in of_peer.filter(|_| lacks_peers(&fitting)) {
            self.warn_of_peer(rule, field, &fitting);
        }
    }

    /// Warns of what no call has at any of the sites, or else of all that some of them lack.
    fn warn_of_needs(
        &mut self,
        rule: &Rule,
        needs: &[(String, Fact<'_>)],
        sites: &[&'static Site],
    ) {
        let is_nowhere = |fact| !sites.iter().any(|site| has(site, fact));
        let any_is_nowhere = needs.iter().any(|(_, fact)| is_nowhere(*fact));
        for (field, fact) in needs {
            let mut lacking = sites.to_vec();
            lacking.retain(|site| !has(site, *fact));
            if is_nowhere(*fact) || !any_is_nowhere && !lacking.is_empty() {
                self.warn_of_fact(rule, field.clone(), *fact, &lacking);
            }
        }
    }

    /// Warns of a fault, or of the options of a choice, that none of the sites can have.
    fn read_fault(&mut self, rule: &Rule, field: String, fault: &Fault, sites: &[&Site]) {
        let kinds = fault.site_kinds();
        if !sites.iter().any(|site| kinds.have(site.kind())) {
            let detail = format!("{} cannot happen at {}", fault.name(), names(sites));
            let suggestion = format!("a site where it can: {}", kinds.in_words());
            self.warn(rule, field, detail, suggestion);
        } else if let Fault::OneOf(one_of) = fault {
            for (at, option) in one_of.faults().enumerate() {
                let field = format!("{field}.one_of[{at}].fault");
                self.read_fault(rule, field, option, sites);
            }
        } else if fault.resets() && lacks_peers(sites) && !self.knows_connections() {
            self.warn_of_peer(rule, field, sites);
        }
    }

    /// Returns whether connections pass a site: then a request may have the handle of its connection.
    fn knows_connections(&self) -> bool {
        let mut sites = self.sites.iter();
        sites.any(|(site, _)| site.kind() == SiteKind::Connection)
    }

    fn sites_of(&self, glob: &SiteGlob, reach: Reach) -> Vec<&'static Site> {
        let sites = match glob.exact() {
            None => &self.sites[..],
            Some(name) => {
                let first = self.sites.partition_point(|(site, _)| site.name() < name);
                let end = self.sites.partition_point(|(site, _)| site.name() <= name);
                &self.sites[first..end]
            }
        };
        let sites = sites.iter().filter(|(_, known)| *known == reach);
        let sites = sites.map(|(site, _)| *site);
        sites.filter(|site| glob.matches(site.name())).collect()
    }

    /// Returns the name that is most like a pattern that matches none, or what to do if none is.
    fn nearest(&mut self, glob: &SiteGlob) -> String {
        self.compared += 1;
        let names = self.sites.iter().map(|(site, _)| site.name());
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

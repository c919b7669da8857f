//! The generation as an entity tag, and the preconditions that prevent lost updates.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, StatusCode, header, request::Parts},
};

use crate::{
    openapi::operation::{Asks, Operation},
    problem::Problem,
};

/// Returns the `ETag` header for a generation.
pub(crate) fn etag(generation: u64) -> [(HeaderName, String); 1] {
    [(header::ETAG, format!("\"{generation}\""))]
}

/// The precondition that a write sets on the current rules.
#[derive(Debug, PartialEq)]
pub(crate) enum IfMatch {
    /// There is no precondition.
    Absent,
    /// `*`: the rule that is written to must exist.
    Exists,
    /// The generation must be one of these. Weak tags are left out, because they never match in
    /// `If-Match`.
    OneOf(Vec<String>),
}

impl IfMatch {
    /// Checks the precondition against the current `generation`. `exists` is whether the rule that
    /// is written to exists.
    pub(crate) fn check(&self, generation: u64, exists: bool) -> Result<(), Problem> {
        let holds = match self {
            Self::Absent => true,
            Self::Exists => exists,
            Self::OneOf(tags) => exists && tags.contains(&generation.to_string()),
        };
        match holds {
            true => Ok(()),
            false if exists => Err(Problem::stale(generation)),
            false => {
                let detail = "the rule does not exist, and If-Match requires that it does";
                let problem = Problem::new(StatusCode::PRECONDITION_FAILED, detail);
                Err(problem.at("If-Match", "no If-Match, to create the rule"))
            }
        }
    }

    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(header::IF_MATCH).iter().peekable();
        if lines.peek().is_none() {
            return Some(Self::Absent);
        }
        // Several header lines mean the same as one line with commas between their values.
        let lines: Result<Vec<_>, _> = lines.map(|line| line.to_str()).collect();
        Self::parse(&lines.ok()?.join(","))
    }

    fn parse(list: &str) -> Option<Self> {
        if list.trim() == "*" {
            return Some(Self::Exists);
        }
        let (mut strong, mut any) = (Vec::new(), false);
        // RFC 9110 requires empty list elements to be ignored.
        let mut rest = list.trim_start_matches([' ', '\t', ',']);
        while !rest.is_empty() {
            let (weak, quoted) = match rest.strip_prefix("W/") {
                Some(quoted) => (true, quoted),
                None => (false, rest),
            };
            let (tag, after) = quoted.strip_prefix('"')?.split_once('"')?;
            let after = after.trim_start();
            if tag.contains([' ', '\t']) || !(after.is_empty() || after.starts_with(',')) {
                return None;
            }
            if !weak {
                strong.push(tag.to_owned());
            }
            any = true;
            rest = after.trim_start_matches([' ', '\t', ',']);
        }
        any.then_some(Self::OneOf(strong))
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(&parts.headers).ok_or_else(|| {
            let detail = "If-Match is not a list of entity tags";
            let problem = Problem::new(StatusCode::BAD_REQUEST, detail);
            problem.at("If-Match", "the ETag of an answer, such as \"7\", or *")
        })
    }
}

/// The preconditions that a write of one rule sets: `If-Match`, and `If-None-Match: *` for a rule that is new.
#[derive(Debug)]
pub(crate) struct Preconditions {
    if_match: IfMatch,
    is_new: bool,
}

impl Preconditions {
    /// Checks the preconditions, as [`IfMatch::check`] does.
    pub(crate) fn check(&self, generation: u64, exists: bool) -> Result<(), Problem> {
        self.if_match.check(generation, exists)?;
        match self.is_new && exists {
            true => {
                let detail = "the rule exists, and If-None-Match requires that it does not";
                let problem = Problem::new(StatusCode::PRECONDITION_FAILED, detail);
                Err(problem.at("If-None-Match", "no If-None-Match, to replace the rule"))
            }
            false => Ok(()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Preconditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let if_match = IfMatch::from_request_parts(parts, state).await?;
        let mut lines = parts.headers.get_all(header::IF_NONE_MATCH).iter();
        match (lines.next(), lines.next()) {
            (None, _) => Ok(Self {
                if_match,
                is_new: false,
            }),
            (Some(line), None) if line.as_bytes().trim_ascii() == b"*" => Ok(Self {
                if_match,
                is_new: true,
            }),
            _ => {
                let detail = "If-None-Match is not `*`";
                let problem = Problem::new(StatusCode::BAD_REQUEST, detail);
                Err(problem.at("If-None-Match", "*"))
            }
        }
    }
}

impl Asks for Preconditions {
    fn asks(operation: &mut Operation) {
        IfMatch::asks(operation);
        let does = "Refuses the write if the rule exists.";
        operation.header("If-None-Match", "Any", does);
    }
}

impl Asks for IfMatch {
    fn asks(operation: &mut Operation) {
        let does = "Refuses the write unless the current generation is one of these, or with `*`, unless the rule exists.";
        operation.header("If-Match", "EntityTags", does);
        operation.refuses(412);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of(tags: &[&str]) -> Option<IfMatch> {
        let tags = tags.iter().map(ToString::to_string).collect();
        Some(IfMatch::OneOf(tags))
    }

    #[test]
    fn lists_are_read_as_rfc_9110_writes_them() {
        for (list, expected) in [
            ("*", Some(IfMatch::Exists)),
            (" * ", Some(IfMatch::Exists)),
            (r#""7""#, one_of(&["7"])),
            (r#""7", "8""#, one_of(&["7", "8"])),
            (r#", "7" ,,"8","#, one_of(&["7", "8"])),
            (r#""a,b""#, one_of(&["a,b"])),
            (r#"W/"7""#, one_of(&[])),
            (r#"W/"7", "8""#, one_of(&["8"])),
            (r#""""#, one_of(&[""])),
        ] {
            assert_eq!(IfMatch::parse(list), expected, "{list}");
        }
    }

    #[test]
    fn what_is_no_list_of_tags_is_not_read_as_one() {
        for list in [
            "",
            ",",
            "7",
            r#""7"#,
            r#"7""#,
            r#""7""8""#,
            r#"*, "7""#,
            r#"w/"7""#,
            r#""7 8""#,
        ] {
            assert_eq!(IfMatch::parse(list), None, "{list}");
        }
    }
}

//! The grammar of the short form: parses text into settings, terms and actions, whatever they mean.
//!
//! The parser is written by hand: it only splits at separators outside of parentheses and quotes.

use crate::error::RuleError;

const FORM: &str =
    "site=term->term; site=…, where a term is [p%][n*]fault(argument)+fault(argument)";

/// A site and its terms.
pub(super) struct Setting<'t> {
    pub(super) site: &'t str,
    pub(super) terms: Vec<Term<'t>>,
}

/// One alternative at a site. It becomes one rule.
pub(super) struct Term<'t> {
    /// The share of the calls, 0 to 1.
    pub(super) rate: Option<f64>,
    pub(super) count: Option<u64>,
    pub(super) actions: Vec<TermAction<'t>>,
}

/// A name, with the argument in the parentheses behind it.
pub(super) struct TermAction<'t> {
    pub(super) text: &'t str,
    pub(super) name: &'t str,
    pub(super) argument: Option<&'t str>,
}

impl Term<'_> {
    /// Returns the optional count of an `off` term, or `None` for any other term.
    pub(super) fn off(&self) -> Result<Option<Option<u64>>, RuleError> {
        let Some(off) = self.actions.iter().find(|action| action.name == "off") else {
            return Ok(None);
        };
        let problem = if self.actions.len() > 1 {
            "`off` beside another fault"
        } else if off.argument.is_some() {
            "`off` takes no argument"
        } else if self.rate.is_some() {
            // It would have to be a rule that hits calls and does nothing to them.
            "`off` with a percentage"
        } else {
            return Ok(Some(self.count));
        };
        let allowed = "`off`, or `n*off`; the other terms take percentages";
        Err(RuleError::new("off", problem, allowed))
    }
}

pub(super) fn settings(text: &str) -> Result<Vec<Setting<'_>>, RuleError> {
    let settings = split(text, ";")?.into_iter();
    let settings = settings.filter(|setting| !setting.is_empty());
    settings.map(setting).collect()
}

fn setting(text: &str) -> Result<Setting<'_>, RuleError> {
    let Some((site, terms)) = text.split_once('=') else {
        return Err(RuleError::new(excerpt(text), "no `=` behind a site", FORM));
    };
    let site = site.trim();
    if site.is_empty() {
        return Err(RuleError::new(excerpt(text), "no site before `=`", FORM));
    }
    let terms = split(terms, "->")?.into_iter();
    let terms: Result<_, RuleError> = terms.map(term).collect();
    let terms = terms.map_err(|error| error.in_rule(site))?;
    Ok(Setting { site, terms })
}

fn term(text: &str) -> Result<Term<'_>, RuleError> {
    if text.is_empty() {
        return Err(RuleError::new("", "an empty term", FORM));
    }
    let (mut rate, mut count, mut rest) = (None, None, text);
    while let Some((number, sign, behind)) = modifier(rest) {
        match sign {
            '%' if count.is_some() => {
                let problem = "the percentage stands behind the count";
                return Err(RuleError::new(
                    excerpt(text),
                    problem,
                    "p%n*: the percentage first",
                ));
            }
            '%' if rate.is_none() => rate = Some(percentage(number)?),
            '*' if count.is_none() => count = Some(whole(number)?),
            _ => {
                let problem = format!("`{sign}` occurs twice");
                return Err(RuleError::new(excerpt(text), problem, FORM));
            }
        }
        rest = behind;
    }
    let actions = split(rest, "+")?.into_iter().map(action);
    Ok(Term {
        rate,
        count,
        actions: actions.collect::<Result<_, _>>()?,
    })
}

/// Returns the text before the first `%` or `*`, the sign, and the text behind it, unless the sign stands in
/// an argument.
fn modifier(text: &str) -> Option<(&str, char, &str)> {
    let at = text.find(['%', '*', '(', '"'])?;
    let sign = text[at..]
        .chars()
        .next()
        .filter(|c| ['%', '*'].contains(c))?;
    Some((text[..at].trim(), sign, text[at + 1..].trim_start()))
}

fn percentage(text: &str) -> Result<f64, RuleError> {
    const ALLOWED: &str = "a percentage above 0 and at most 100, such as `5%` or `0.1%`";
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    // The exponent gives the nearest number: 0.7 / 100 is another one.
    let share = is_plain
        .then(|| format!("{text}e-2").parse::<f64>().ok())
        .flatten();
    let refuse = |problem: &str| {
        Err(RuleError::new(
            excerpt(&format!("{text}%")),
            problem,
            ALLOWED,
        ))
    };
    match share {
        Some(share) if share > 0.0 && share <= 1.0 => Ok(share),
        Some(share) if share > 1.0 => refuse("the percentage is more than 100"),
        Some(_) => refuse("the term never happens; leave it out"),
        None => refuse("the number before `%` is not a percentage"),
    }
}

fn whole(text: &str) -> Result<u64, RuleError> {
    const ALLOWED: &str = "a whole number of times, 1 or more, such as `3*`";
    let refuse = |problem: &str| {
        Err(RuleError::new(
            excerpt(&format!("{text}*")),
            problem,
            ALLOWED,
        ))
    };
    match text.parse::<u64>() {
        _ if !text.bytes().all(|b| b.is_ascii_digit()) => {
            refuse("the number before `*` is not a number of times")
        }
        Ok(0) => refuse("the term never happens; leave it out"),
        Ok(count) => Ok(count),
        Err(_) => refuse("the number before `*` is not a number of times"),
    }
}

fn action(text: &str) -> Result<TermAction<'_>, RuleError> {
    let refuse = |problem: &str| Err(RuleError::new(excerpt(text), problem, FORM));
    let Some((name, behind)) = text.split_once('(') else {
        let (name, argument) = (text, None);
        return match name {
            "" => refuse("a term is missing beside `+`, or an action after `%` or `*`"),
            name if modifier(name).is_some() => refuse(LATE),
            _ => Ok(TermAction {
                text,
                name,
                argument,
            }),
        };
    };
    if modifier(name).is_some() {
        return refuse(LATE);
    }
    let mut scan = Scan {
        depth: 1,
        quoted: false,
        escaped: false,
    };
    let end = behind
        .char_indices()
        .find(|(_, c)| scan.next(*c) && scan.depth == 0);
    let Some((end, _)) = end else {
        return refuse("a parenthesis is not closed");
    };
    if !behind[end + 1..].trim().is_empty() {
        return refuse("text follows the closing parenthesis");
    }
    Ok(TermAction {
        text,
        name: name.trim(),
        argument: Some(behind[..end].trim()),
    })
}

const LATE: &str = "a percentage or a count that does not stand before the first fault of its term";

/// The state of a scan: the depth of parentheses, and whether it is in quotes.
struct Scan {
    depth: usize,
    quoted: bool,
    escaped: bool,
}

impl Scan {
    /// Takes one character, and returns `false` if it closes a parenthesis that is not open.
    fn next(&mut self, c: char) -> bool {
        if self.quoted {
            let escaped = std::mem::take(&mut self.escaped);
            match c {
                '\\' => self.escaped = !escaped,
                '"' => self.quoted = escaped,
                _ => {}
            }
            return true;
        }
        match c {
            '"' => self.quoted = true,
            '(' => self.depth += 1,
            ')' if self.depth == 0 => return false,
            ')' => self.depth -= 1,
            _ => {}
        }
        true
    }

    fn is_outside(&self) -> bool {
        self.depth == 0 && !self.quoted
    }
}

/// Splits a text at the separators outside of parentheses and quotes, and trims the parts.
fn split<'t>(text: &'t str, separator: &str) -> Result<Vec<&'t str>, RuleError> {
    let mut scan = Scan {
        depth: 0,
        quoted: false,
        escaped: false,
    };
    let (mut parts, mut start) = (Vec::new(), 0);
    for (at, c) in text.char_indices() {
        if at >= start && scan.is_outside() && text[at..].starts_with(separator) {
            parts.push(text[start..at].trim());
            start = at + separator.len();
        }
        if !scan.next(c) {
            return unclosed(&text[start..], "a parenthesis is closed that is not open");
        }
    }
    match scan {
        Scan { quoted: true, .. } => unclosed(&text[start..], "a quote is not closed"),
        Scan { depth: 1.., .. } => unclosed(&text[start..], "a parenthesis is not closed"),
        _ => {
            parts.push(text[start..].trim());
            Ok(parts)
        }
    }
}

fn unclosed<T>(text: &str, problem: &str) -> Result<T, RuleError> {
    let allowed = "pairs of parentheses; text with any others in quotes, as in return(\"a)b\")";
    Err(RuleError::new(excerpt(text.trim()), problem, allowed))
}

/// Shortens a text to what fits into one line of an error.
pub(super) fn excerpt(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

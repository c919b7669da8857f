//! A weighted choice among faults. It is a child of `fault`, since it holds faults and is one.

use std::sync::Arc;

use super::Fault;
use crate::{dice::Dice, error::RuleError};

const MAX_OPTIONS: usize = 100;
const MAX_WEIGHT: u32 = 1_000_000;

/// Several faults, of which one is injected into each call that is hit.
///
/// Each fault has a weight, and is chosen with the probability of its weight over the sum of all
/// weights. Faults that cannot happen at the site are left out there. A choice takes one draw of
/// the rule's own dice, so with a seed the same call always gets the same fault.
///
/// ```
/// use std::time::Duration;
/// use chaos_core::{Fault, Latency, Rule, fault::OneOf};
///
/// let slow = Latency::fixed(Duration::from_secs(2))?;
/// // Of four calls, three fail and one is slow.
/// let choice = OneOf::new([(3, Fault::status(503)?), (1, Fault::latency(slow))])?;
/// assert_eq!(choice.options()[1].0, 1);
/// let rule = Rule::new("unsteady".parse()?, "http.server".parse()?, Fault::OneOf(choice));
/// # drop(rule);
/// # Ok::<(), chaos_core::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OneOf(Arc<[(u32, Fault)]>);

impl OneOf {
    /// Creates a choice among these faults, each with its weight.
    ///
    /// # Errors
    /// Returns an error with fewer than 2 faults or more than 100, with a weight outside 1 to
    /// 1,000,000, or if one of the faults is itself a choice.
    pub fn new(options: impl IntoIterator<Item = (u32, Fault)>) -> Result<Self, RuleError> {
        let options: Arc<[_]> = options.into_iter().collect();
        if !(2..=MAX_OPTIONS).contains(&options.len()) {
            let problem = match options.len() {
                0 => "the list of options is empty".to_owned(),
                1 => "a single option is not a choice".to_owned(),
                many => format!("{many} options are too many"),
            };
            let allowed = format!("2 to {MAX_OPTIONS} options");
            return Err(RuleError::new("one_of", problem, allowed));
        }
        for (at, (weight, fault)) in options.iter().enumerate() {
            if !(1..=MAX_WEIGHT).contains(weight) {
                let problem = format!("{weight} is not allowed");
                let allowed = format!("a whole number, 1 to {MAX_WEIGHT}");
                let field = format!("one_of[{at}].weight");
                return Err(RuleError::new(field, problem, allowed));
            }
            if matches!(fault, Fault::OneOf(_)) {
                let problem = "a choice within a choice";
                let allowed = "any other fault; give its options weights here";
                let field = format!("one_of[{at}].fault");
                return Err(RuleError::new(field, problem, allowed));
            }
        }
        Ok(Self(options))
    }

    /// Returns the faults in order, each with its weight, which is never 0. There are 2 to 100.
    #[must_use]
    pub fn options(&self) -> &[(u32, Fault)] {
        &self.0
    }

    /// Returns the faults in order.
    pub(crate) fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter().map(|(_, fault)| fault)
    }

    /// Checks each option, and prefixes an error with the path of its option.
    pub(crate) fn check(
        &self,
        check: impl Fn(&Fault) -> Result<(), RuleError>,
    ) -> Result<(), RuleError> {
        self.faults().enumerate().try_for_each(|(at, fault)| {
            check(fault).map_err(|error| error.under(&format!("one_of[{at}].fault")))
        })
    }

    /// Chooses among the options that can happen; `None` if there are none. It takes one draw,
    /// whatever is chosen.
    pub(crate) fn choose(
        &self,
        dice: &mut Dice,
        can_happen: impl Fn(&Fault) -> bool,
    ) -> Option<&Fault> {
        let options = self.0.iter().filter(|(_, fault)| can_happen(fault));
        // Each option is checked once, since a policy may change between two checks.
        let options: Vec<_> = options.collect();
        let total: u64 = options.iter().map(|(weight, _)| u64::from(*weight)).sum();
        // A point on the line of all weights. Scaling uses the high bits, which are good in either
        // generator, and with a total below 2^27 no option is favoured by more than 2^-37.
        let mut point = ((u128::from(dice.draw()) * u128::from(total)) >> 64) as u64;
        for (weight, fault) in options {
            match point.checked_sub(u64::from(*weight)) {
                Some(rest) => point = rest,
                None => return Some(fault),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::site_kind::{SiteKind, SiteKinds};

    fn choice(weights: &[u32]) -> OneOf {
        let faults = weights.iter().zip(500..);
        OneOf::new(faults.map(|(weight, code)| (*weight, Fault::status(code).unwrap()))).unwrap()
    }

    #[test]
    fn a_choice_is_one_draw_whatever_can_happen() {
        let choice = choice(&[1, 2, 3]);
        let mut once = Dice::seeded(1, 2);
        once.draw();
        let next = once.draw();
        for possible in 0..=3 {
            let mut dice = Dice::seeded(1, 2);
            let known: Vec<_> = choice.faults().take(possible).collect();
            let chosen = choice.choose(&mut dice, |fault| known.contains(&fault));
            assert_eq!((chosen.is_some(), dice.draw()), (possible > 0, next));
        }
    }

    /// The sum of the largest weights does not overflow, and both ends of the line belong to an
    /// option.
    #[test]
    fn largest_weights_are_kept() {
        let choice = choice(&[MAX_WEIGHT; MAX_OPTIONS]);
        let mut seen = [false; MAX_OPTIONS];
        for n in 0..10_000 {
            let fault = choice.choose(&mut Dice::seeded(7, n), |_| true).unwrap();
            let at = choice.faults().position(|known| known == fault);
            seen[at.unwrap()] = true;
        }
        assert!(seen.iter().all(|seen| *seen));
    }

    #[test]
    fn what_cannot_happen_is_never_chosen() {
        let choice = choice(&[1_000_000, 1, 1_000_000]);
        let second = Fault::status(501).unwrap();
        for n in 0..100 {
            let mut dice = Dice::seeded(7, n);
            let chosen = choice.choose(&mut dice, |fault| *fault == second);
            assert_eq!(chosen, Some(&second));
            assert_eq!(choice.choose(&mut dice, |_| false), None);
        }
    }

    /// Every caller resolves a choice before it asks for a step; one that does not still gets a
    /// step.
    #[test]
    fn a_choice_has_a_step_even_if_nobody_chose() {
        let fault = Fault::OneOf(choice(&[1, 2]));
        let step = fault.step(
            &"r".parse().unwrap(),
            &Default::default(),
            "s",
            &mut Dice::Thread,
        );
        assert!(step.ends_call_at(SiteKind::Layer));
    }

    #[test]
    fn it_can_happen_where_an_option_can() {
        let bytes = crate::fault::BytesFault::truncate_after(1);
        let body = Fault::Body(bytes, crate::call::direction::Direction::Response);
        let of = |faults: [Fault; 2]| Fault::OneOf(OneOf::new(faults.map(|f| (1, f))).unwrap());
        let kinds = |site_kinds: SiteKinds| {
            [SiteKind::Sync, SiteKind::Layer, SiteKind::Connection]
                .map(|kind| site_kinds.have(kind))
        };
        let status = Fault::status(500).unwrap();
        assert_eq!(kinds(status.site_kinds()), [true, true, false]);
        assert_eq!(kinds(body.site_kinds()), [false, true, true]);
        assert_eq!(kinds(of([status, body.clone()]).site_kinds()), [true; 3]);
        let both = of([body.clone(), body]);
        assert_eq!(kinds(both.site_kinds()), [false, true, true]);
    }
}

//! What the layer costs a whole request: paired rounds of load on a program with its layer and without it.
//!
//! `wrk` loads the shop over HTTP/1, and `h2load` the greeter over HTTP/2. A round loads the three forms of a program
//! in turn, in another order than the round before, and compares their processor time for each request with that of
//! the form without the layer. The programs run all the time, so that a disturbance meets each of them alike.

mod form;
mod load;

use std::path::Path;

use serde::Serialize;

use self::{
    form::{Form, Running},
    load::Load,
};
use crate::Error;

/// What the layer adds to a request, in microseconds of processor time of the program.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// The loaded program.
    pub program: &'static str,
    /// What loads it.
    pub load: &'static str,
    /// The form that is compared with the one without the layer.
    pub form: &'static str,
    /// The median of the form without the layer.
    pub without: f64,
    /// The median of the differences within a round.
    pub added: f64,
    /// The lower quartile of the differences.
    pub low: f64,
    /// The upper quartile of the differences.
    pub high: f64,
    /// The number of rounds.
    pub rounds: usize,
}

impl Figures {
    /// Returns the added share of a request.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.added / self.without
    }
}

/// Starts the programs in the folder `programs`, and loads them for this many rounds after one that is not measured.
///
/// # Errors
/// Returns an error if a program, `wrk` or `h2load` is missing, or if a response is lost or wrong.
pub async fn run(programs: &Path, rounds: usize) -> Result<Vec<Figures>, Error> {
    let mut figures = Vec::new();
    for load in [Load::Wrk, Load::H2load] {
        let mut forms = Vec::new();
        for form in Form::ALL {
            forms.push(Running::start(programs, load, form).await?);
        }
        let mut of_rounds = Vec::new();
        for round in 0..=rounds {
            let mut costs = [0.0; Form::ALL.len()];
            for at in 0..forms.len() {
                let at = (at + round) % forms.len();
                costs[at] = forms[at].cost_of_a_request(load).await?;
            }
            // The first one warms up.
            if round > 0 {
                of_rounds.push(costs);
            }
        }
        for (at, form) in Form::ALL.into_iter().enumerate().skip(1) {
            figures.push(compare(load, form, &of_rounds, at));
        }
    }
    Ok(figures)
}

fn compare(load: Load, form: Form, rounds: &[[f64; Form::ALL.len()]], at: usize) -> Figures {
    let without = rounds.iter().map(|costs| costs[0]).collect();
    let added = rounds.iter().map(|costs| costs[at] - costs[0]).collect();
    let [low, added, high] = quartiles(added);
    Figures {
        program: load.program(),
        load: load.name(),
        form: form.name(),
        without: quartiles(without)[1],
        added,
        low,
        high,
        rounds: rounds.len(),
    }
}

/// Returns the quartiles, to hundredths.
fn quartiles(mut figures: Vec<f64>) -> [f64; 3] {
    figures.sort_unstable_by(f64::total_cmp);
    let last = figures.len().saturating_sub(1);
    [1, 2, 3].map(|quarter| {
        let figure = figures.get(last * quarter / 4);
        (figure.copied().unwrap_or_default() * 100.0).round() / 100.0
    })
}

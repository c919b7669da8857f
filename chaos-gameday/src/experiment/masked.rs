//! An experiment without its secrets, as journals and reports have it: they are kept as artefacts, and mailed.

use super::{Experiment, Question, Target};

/// What stands in the place of a secret.
const MASK: &str = "***";

impl Experiment {
    /// Returns the experiment without the values of headers, and without users and passwords in addresses.
    pub(crate) fn masked(&self) -> Self {
        let mut masked = self.clone();
        for probe in &mut masked.hypothesis.probes {
            match &mut probe.question {
                Question::Http { request, .. } => {
                    request
                        .headers
                        .values_mut()
                        .for_each(|value| MASK.clone_into(value));
                    mask(&mut request.url);
                }
                Question::Promql { query, .. } => mask(&mut query.url),
                Question::Site { .. } | Question::Compare { .. } => {}
            }
        }
        match &mut masked.target {
            Target::Endpoints(endpoints) => endpoints.iter_mut().for_each(mask),
            Target::Fleet(fleet) => fleet.etcd.iter_mut().for_each(mask),
        }
        masked
    }
}

/// Masks the user and the password of an address.
fn mask(url: &mut String) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return;
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if let Some(at) = rest[..end].rfind('@') {
        *url = format!("{scheme}://{MASK}@{}", &rest[at + 1..]);
    }
}

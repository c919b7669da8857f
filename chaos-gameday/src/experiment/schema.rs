//! The JSON Schema of an experiment.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::document::ExperimentDoc;

/// Returns the JSON Schema (draft 2020-12) of an experiment. The definitions of a rule are those of
/// [`chaos_core::wire::schema`].
///
/// The schema accepts every experiment that [`experiment_from`](crate::experiment_from) reads. It does not express which
/// fields exclude each other and which names have to exist: the descriptions say so, and the reader refuses the rest.
#[must_use]
pub fn experiment_schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    generator.into_root_schema_for::<ExperimentDoc>().to_value()
}

//! A time program in JSON: its phases, with numbers and ramps.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};

use crate::{
    error::RuleError,
    trigger::program::{
        PHASES_ALLOWED, Phase, Program, RATE_ALLOWED, Ramp, SCALE_ALLOWED, TIME_ALLOWED,
    },
    wire::{
        document::document,
        form::Object,
        scalar::{DURATION, duration, duration_text, refuse},
        shape::{Documented, Shape},
    },
};

pub(in crate::wire) const PROGRAM: Shape =
    Shape::list(&PhaseDoc::SHAPE, 1, 100).allowing(PHASES_ALLOWED);

/// A ramp from one number to another.
const RAMP: Shape = Shape::text(
    "a ramp such as \"0.01..0.2\"",
    "ramp",
    r"^\s*\+?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?\s*\.\.\s*\+?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?\s*$",
);

/// A program as it is written.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::wire) struct ProgramDoc(Vec<Object<PhaseDoc>>);

document! {
    /// A phase of a program.
    PhaseDoc as "ProgramPhase", "rate, scale or both";
    optional {
        /// How long the phase lasts.
        time as "for": String = DURATION.allowing(TIME_ALLOWED);
        /// The fraction of the matched calls to hit.
        rate: RampDoc = Shape::either(&[Shape::SHARE, RAMP]).allowing(RATE_ALLOWED);
        /// The factor by which delays and sizes are multiplied.
        scale: RampDoc = Shape::either(&[Shape::number(100.0), RAMP]).allowing(SCALE_ALLOWED);
    }
}

/// A number, or a text such as `0.01..0.2`.
pub(in crate::wire) enum RampDoc {
    Number(f64),
    Text(String),
}

impl ProgramDoc {
    pub(in crate::wire) fn into_program(self) -> Result<Program, RuleError> {
        let mut phases = Vec::with_capacity(self.0.len());
        for (at, Object(doc)) in self.0.into_iter().enumerate() {
            let here = |error: RuleError| error.under(&format!("program[{at}]"));
            phases.push(doc.into_phase().map_err(here)?);
        }
        Program::new(phases)
    }
}

impl PhaseDoc {
    fn into_phase(self) -> Result<Phase, RuleError> {
        let rate = match (self.rate, &self.scale) {
            (Some(doc), _) => doc.into_ramp().map_err(Self::within("rate"))?,
            (None, Some(_)) => Ramp::constant(1.0),
            (None, None) => return Err(Self::refuse("rate", "the field is missing")),
        };
        let mut phase = Phase::new(rate);
        if let Some(doc) = self.scale {
            phase = phase.scale(doc.into_ramp().map_err(Self::within("scale"))?);
        }
        if let Some(text) = self.time {
            phase = phase.lasting(duration(&text).map_err(Self::within("for"))?);
        }
        Ok(phase)
    }
}

impl RampDoc {
    fn into_ramp(self) -> Result<Ramp, RuleError> {
        match self {
            Self::Number(number) => Ok(Ramp::constant(number)),
            Self::Text(text) => {
                ramp(&text).ok_or_else(|| refuse(format_args!("{text:?} is no ramp")))
            }
        }
    }
}

fn ramp(text: &str) -> Option<Ramp> {
    let (from, to) = text.split_once("..")?;
    // `0...5` could be read in two ways.
    let number = |text: &str| {
        let text = text.trim();
        let is_plain = !text.starts_with('.') && !text.ends_with('.');
        is_plain.then(|| text.parse().ok())?
    };
    Some(Ramp::between(number(from)?, number(to)?))
}

impl From<&Program> for ProgramDoc {
    fn from(program: &Program) -> Self {
        let phases = program.phases.iter();
        Self(phases.map(|phase| Object(phase.into())).collect())
    }
}

impl From<&Phase> for PhaseDoc {
    fn from(phase: &Phase) -> Self {
        let unless_1 = |ramp: Ramp| (ramp != Ramp::constant(1.0)).then(|| ramp.into());
        let scale = unless_1(phase.scale);
        Self {
            time: phase.time.map(duration_text),
            // Of the two, one is there.
            rate: match scale {
                None => Some(phase.rate.into()),
                Some(_) => unless_1(phase.rate),
            },
            scale,
        }
    }
}

impl From<Ramp> for RampDoc {
    fn from(ramp: Ramp) -> Self {
        if ramp.changes() {
            return Self::Text(format!("{}..{}", ramp.from, ramp.to));
        }
        Self::Number(ramp.from)
    }
}

impl Serialize for RampDoc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // Up to 100: a whole number is written as one.
            Self::Number(number) if number.fract() == 0.0 => {
                serializer.serialize_u64(*number as u64)
            }
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for RampDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;

        impl Visitor<'_> for Forms {
            type Value = RampDoc;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a ramp such as \"0.01..0.2\"")
            }

            fn visit_f64<E>(self, number: f64) -> Result<RampDoc, E> {
                Ok(RampDoc::Number(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<RampDoc, E> {
                Ok(RampDoc::Number(number as f64))
            }

            fn visit_i64<E>(self, number: i64) -> Result<RampDoc, E> {
                Ok(RampDoc::Number(number as f64))
            }

            fn visit_str<E>(self, text: &str) -> Result<RampDoc, E> {
                Ok(RampDoc::Text(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Forms)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::wire::read::read;

    fn program(json: Value) -> Result<Program, RuleError> {
        read::<ProgramDoc, _>(json, &PROGRAM)?.into_program()
    }

    fn back(program: &Program) -> Value {
        serde_json::to_value(ProgramDoc::from(program)).unwrap()
    }

    #[test]
    fn what_was_read_is_written_back() {
        for json in [
            json!([{ "for": "2m", "rate": "0.01..0.2", "scale": "0..1" }, { "for": "30s", "rate": 0 }]),
            json!([{ "rate": 0.25 }]),
            json!([{ "rate": 1 }]),
            json!([{ "scale": 2.5 }]),
            json!([{ "for": "1h 1ns", "scale": "100..0.5" }, { "rate": 0.1, "scale": 0 }]),
            json!([{ "for": "1day", "rate": "1..0.0000001" }]),
        ] {
            let read = program(json.clone()).unwrap();
            assert_eq!(back(&read), json);
            assert_eq!(program(back(&read)).unwrap(), read);
        }
    }

    #[test]
    fn other_spellings_mean_the_same() {
        for (json, plain) in [
            (
                json!([{ "rate": 1.0, "scale": 1.0 }]),
                json!([{ "rate": 1 }]),
            ),
            (json!([{ "scale": 1 }]), json!([{ "rate": 1 }])),
            (json!([{ "rate": 1, "scale": 2 }]), json!([{ "scale": 2 }])),
            (json!([{ "rate": "0.2..0.2" }]), json!([{ "rate": 0.2 }])),
            (
                json!([{ "for": "120s", "rate": " 1e-2 .. 2e-1 " }]),
                json!([{ "for": "2m", "rate": "0.01..0.2" }]),
            ),
        ] {
            assert_eq!(back(&program(json).unwrap()), plain);
        }
    }

    #[test]
    fn it_says_what_code_would_say() {
        let json = json!([{ "for": "2m", "rate": "0.01..0.2", "scale": "0..1" }, { "rate": 0 }]);
        let ramp = Phase::new(Ramp::between(0.01, 0.2)).scale(Ramp::between(0.0, 1.0));
        let ramp = ramp.lasting(Duration::from_secs(120));
        let expected = Program::new([ramp, Phase::new(Ramp::constant(0.0))]);
        assert_eq!(program(json), expected);
    }

    #[test]
    fn a_bad_value_names_its_field_and_what_is_allowed() {
        let phase = |name: &str, value: Value| json!([{ "for": "1s", "rate": 1, (name): value }]);
        let good = json!({ "for": "1s", "rate": 1 });
        let mut cases = vec![
            (json!([]), "program", PHASES_ALLOWED),
            (vec![good.clone(); 101].into(), "program", PHASES_ALLOWED),
            (json!([{ "for": "1s" }]), "program[0].rate", RATE_ALLOWED),
            (
                json!([good, { "rate": 1.5 }]),
                "program[1].rate",
                RATE_ALLOWED,
            ),
            (json!([{ "rate": 1 }, good]), "program[0].for", TIME_ALLOWED),
            (json!([{ "rate": "0..1" }]), "program[0].for", TIME_ALLOWED),
            (json!([{ "scale": "0..1" }]), "program[0].for", TIME_ALLOWED),
        ];
        for rate in [
            json!(1.5),
            json!(-1),
            json!(-0.001),
            json!(u64::MAX),
            json!(""),
            json!(".."),
            json!("0.5"),
            json!("0.."),
            json!("..1"),
            json!("0...5"),
            json!("0...1"),
            json!("0..1..0"),
            json!("a..b"),
            json!("0-1"),
            json!("0..1.5"),
            json!("NaN..1"),
            json!("0..inf"),
            json!("-0.1..1"),
        ] {
            cases.push((phase("rate", rate), "program[0].rate", RATE_ALLOWED));
        }
        for scale in [
            json!(-1),
            json!(100.5),
            json!("0..101"),
            json!("NaN..1"),
            json!("1"),
        ] {
            cases.push((phase("scale", scale), "program[0].scale", SCALE_ALLOWED));
        }
        for time in ["0s", "", "5", "-1s", "366days", "999999999999999years"] {
            cases.push((phase("for", json!(time)), "program[0].for", TIME_ALLOWED));
        }
        for (json, field, allowed) in cases {
            let error = program(json.clone()).expect_err(&json.to_string());
            let found = (error.field(), error.allowed());
            assert_eq!(found, (field, allowed), "{json}: {error}");
        }
    }

    /// An error of serde has the path inside the program.
    #[test]
    fn a_wrong_shape_is_refused() {
        for (json, field) in [
            (json!({ "rate": 1 }), ""),
            (json!([[null, 1]]), "[0]"),
            (json!([{ "rate": 1, "weight": 2 }]), "[0].weight"),
            (json!([{ "rate": true }]), "[0].rate"),
            (json!([{ "rate": [0, 1] }]), "[0].rate"),
            (json!([{ "for": 5, "rate": 1 }]), "[0].for"),
        ] {
            let error = program(json.clone()).expect_err(&json.to_string());
            assert_eq!(error.field(), field, "{json}: {error}");
        }
    }
}

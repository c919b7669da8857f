//! The forms of a program: without its layer, with an idle one, and with a rule that does not fire.

use std::{fs, path::Path};

use serde_json::json;

use super::load::Load;
use crate::{
    Error,
    running::{RunningGreeter, RunningShop},
};

/// A form of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Without the layer.
    Without,
    /// With the layer, and no rule.
    Idle,
    /// With the layer, and a rule that matches each request and does not fire.
    Armed,
}

impl Form {
    /// The first is the one that the others are compared with.
    pub(super) const ALL: [Self; 3] = [Self::Without, Self::Idle, Self::Armed];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Without => "without the layer",
            Self::Idle => "idle",
            Self::Armed => "armed, does not fire",
        }
    }
}

/// A running program of one form.
pub(super) struct Running {
    program: Which,
}

enum Which {
    Shop(RunningShop),
    Greeter(RunningGreeter),
}

impl Running {
    /// Starts the program that `load` is for.
    pub(super) async fn start(programs: &Path, load: Load, form: Form) -> Result<Self, Error> {
        let args: &[&str] = match form {
            Form::Without => &["--no-layer"],
            Form::Idle | Form::Armed => &[],
        };
        let path = programs.join(load.program());
        let program = match load {
            Load::Wrk => {
                let args = [&["--no-traffic"], args].concat();
                Which::Shop(RunningShop::start_with(&path, &args).await?)
            }
            Load::H2load => Which::Greeter(RunningGreeter::start_with(&path, args).await?),
        };
        if form == Form::Armed {
            let (admin, site) = match &program {
                Which::Shop(shop) => (&shop.admin, "http.server"),
                Which::Greeter(greeter) => (&greeter.admin, "grpc.server"),
            };
            let rule = json!({
                "site": site,
                "rate": 1e-18,
                "ttl": "1h",
                "faults": [{ "status": 503 }],
            });
            admin.put_rule("never", &rule).await?;
        }
        Ok(Self { program })
    }

    /// Loads the program once, and returns its processor time for each request, in microseconds.
    pub(super) async fn cost_of_a_request(&self, load: Load) -> Result<f64, Error> {
        let (program, url) = match &self.program {
            Which::Shop(shop) => (&shop.program, shop.url("/")),
            Which::Greeter(greeter) => {
                let method = "greeter.v1.Greeter/SayHello";
                (
                    &greeter.program,
                    format!("http://{}/{method}", greeter.address()),
                )
            }
        };
        let process = program.id()?;
        let before = processor_time(process)?;
        let requests = load.run(&url).await?;
        let spent = processor_time(process)? - before;
        Ok(spent as f64 / 1e3 / requests as f64)
    }
}

/// Returns the nanoseconds that the threads of a process have run, as Linux accounts them.
fn processor_time(process: u32) -> Result<u64, Error> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let path = thread?.path().join("schedstat");
        // A thread may have ended since the folder was read.
        let text = fs::read_to_string(path).unwrap_or_default();
        let first = text.split_whitespace().next();
        sum += first.map_or(Ok(0), str::parse::<u64>)?;
    }
    Ok(sum)
}

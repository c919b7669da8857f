//! Measures what the library adds to the binary of a small service, and to its build: `benches/apart/size`, built from
//! nothing with each of its features.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Serialize;

/// The root of the repository: the program may be run in another folder.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The forms of the service: what it has, and its feature.
const FORMS: [(&str, &str); 4] = [
    ("axum and tracing-subscriber", ""),
    ("with a layer and a site", "layer"),
    ("with these, compiled out", "compile-out"),
    ("with these, and the admin port", "port"),
];

/// What is recorded of a form.
#[derive(Serialize)]
struct Record {
    form: &'static str,
    bytes: u64,
    seconds: f64,
}

/// Builds each form, and writes what it measures.
///
/// # Errors
/// Returns an error if a build fails, or if a file cannot be read or written.
pub(crate) fn write() -> Result<(), String> {
    let record = |&(form, feature): &(&'static str, &str)| {
        let folder = Path::new(ROOT).join("target/sizes");
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(format!("{}: {error}", folder.display()));
            }
            _ => {}
        }
        let seconds = build(feature, &folder)?;
        let binary = folder.join("small/size");
        let file = fs::metadata(&binary);
        let file = file.map_err(|error| format!("{}: {error}", binary.display()))?;
        let bytes = file.len();
        Ok(Record {
            form,
            bytes,
            seconds,
        })
    };
    let records: Result<Vec<_>, String> = FORMS.iter().map(record).collect();
    let lines = records?;
    let lines = lines.iter().map(serde_json::to_string);
    let lines: Result<Vec<_>, _> = lines.collect();
    let lines = lines.map_err(|error| error.to_string())?.join(",\n");
    let path: PathBuf = Path::new(ROOT).join("benches/results/sizes.json");
    fs::write(&path, format!("[\n{lines}\n]\n")).map_err(|error| error.to_string())
}

/// Builds the service, and returns the processor time of all compilers in seconds.
fn build(feature: &str, folder: &Path) -> Result<f64, String> {
    let line = format!(
        "cargo build --quiet --profile small --manifest-path benches/apart/Cargo.toml -p size \
         --features '{feature}' --target-dir '{}' && times",
        folder.display()
    );
    let built = Command::new("sh")
        .args(["-c", &line])
        .current_dir(ROOT)
        .output();
    let built = built.map_err(|error| format!("sh: {error}"))?;
    let said = String::from_utf8_lossy(&built.stdout);
    // The times of the shell itself, and on the second line those of its children: `1m2.3s 0m4.5s`.
    let times = said.lines().nth(1).unwrap_or_default();
    let seconds = times.split_whitespace().map(seconds).sum::<Option<f64>>();
    let failed = || {
        let error = String::from_utf8_lossy(&built.stderr);
        format!("cannot build the service with `{feature}`: {error}{said}")
    };
    match built.status.success() {
        true => seconds.ok_or_else(failed),
        false => Err(failed()),
    }
}

/// Reads a time such as `1m2.3s`.
fn seconds(text: &str) -> Option<f64> {
    let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
    Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
}

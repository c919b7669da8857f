//! The workspace in which the recipe `minimal` builds the packages as they would be published.
//!
//! Cargo takes each direct dependency at the lowest version that the manifests allow, and all others at
//! the highest (`-Z direct-minimal-versions`): the lower bounds of other packages are not ours to raise.

use std::{fs, io, path::Path};

use crate::run;

const PLACE: &str = "target/minimal";
/// It is installed with its lock file, so its lower bounds bind nobody.
const PROGRAM: &str = "chaos-cli";

/// Unpacks what `cargo package` has left in `target/package` into a workspace of its own.
pub(crate) fn workspace() -> io::Result<()> {
    match fs::remove_dir_all(PLACE) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(PLACE)?,
    }
    let mut patches = String::new();
    let suffix = concat!("-", env!("CARGO_PKG_VERSION"), ".crate");
    for package in fs::read_dir("target/package")? {
        let package = package?.path();
        let file = package.file_name().unwrap_or_default().to_string_lossy();
        let Some(name) = file.strip_suffix(suffix).filter(|name| *name != PROGRAM) else {
            continue;
        };
        if !run(&format!("tar -xzf {} -C {PLACE}", package.display())) {
            return Err(io::Error::other("tar failed"));
        }
        let folder = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
        let manifest = Path::new(PLACE).join(&folder).join("Cargo.toml");
        let text = without_development(&fs::read_to_string(&manifest)?);
        fs::write(&manifest, text)?;
        patches += &format!("{name} = {{ path = \"{folder}\" }}\n");
    }
    let workspace = "[workspace]\nresolver = \"3\"\nmembers = [\"chaos-*\"]\n\n[patch.crates-io]\n";
    fs::write(
        Path::new(PLACE).join("Cargo.toml"),
        workspace.to_owned() + &patches,
    )
}

/// A packaged manifest without the tables of development dependencies: their lower bounds bind nobody.
fn without_development(manifest: &str) -> String {
    let mut kept = String::new();
    let mut dropping = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            dropping = line.contains("dev-dependencies");
        }
        if !dropping {
            kept += line;
            kept.push('\n');
        }
    }
    kept
}

//! Runs the commands that the README and the book print, and compares what they answer with what is printed.
//!
//! A block of `sh` has one command to a line, or to several lines. Three-digit numbers in the comment behind a command
//! are the HTTP statuses that it may have, and `name: value` is a header; without a number, the status must be a
//! success. A command without `curl` in it has no status: it must succeed. `chaosctl` asks the admin port of the shop. Where a page sends `$SECRET`, the shop asks for access tokens, and the page's other commands send one, too.
//!
//! A block of `json` or `text` right behind it is what its last command answers; of an object, the fields that are
//! printed.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tokio::process::Command;

use crate::{
    Error,
    running::{RunningGreeter, RunningShop},
};

/// The repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The configuration of curl: the status of each response goes to the standard error.
const CURLRC: &str = "silent\nshow-error\nnoproxy = \"*\"\nmax-time = 20\n\
                      write-out = \"%{stderr}\\nstatus=%{http_code}\\n\"\n";

/// A secret of the role *arm*.
const SECRET: &str = "t9gTZpkXcT0uoBPqM3sPrw";

/// What was run.
#[derive(Debug, Default)]
pub struct Report {
    /// The number of commands.
    pub commands: usize,
    /// A description of each command that did not do what its page says.
    pub wrong: Vec<String>,
}

/// Runs the commands of the README and of each page of the book, each page on programs of its own from the folder
/// `programs`.
///
/// # Errors
/// Returns an error if a program cannot be started.
pub async fn run(programs: &Path) -> Result<Report, Error> {
    let homes = ["curl-home", "curl-home-with-token"].map(|name| programs.join(name));
    let token = format!("header = \"authorization: Bearer {SECRET}\"\n");
    for (home, more) in homes.iter().zip(["", &token]) {
        fs::create_dir_all(home)?;
        fs::write(home.join(".curlrc"), CURLRC.to_owned() + more)?;
    }
    let mut pages = vec![PathBuf::from(ROOT).join("README.md")];
    find(&Path::new(ROOT).join("docs/pages"), &mut pages)?;
    let mut report = Report::default();
    for page in pages {
        let blocks = blocks(&fs::read_to_string(&page)?);
        if !blocks.iter().any(|block| block.language == "sh") {
            continue;
        }
        let session = Session::start(programs, &homes, &blocks).await?;
        let wrong = session.run(&blocks, &mut report.commands).await?;
        let name = page.strip_prefix(ROOT).unwrap_or(&page).display();
        let wrong = wrong.into_iter().map(|wrong| format!("{name}: {wrong}"));
        report.wrong.extend(wrong);
    }
    Ok(report)
}

fn find(folder: &Path, pages: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(())
}

/// A block of code.
struct Block {
    language: String,
    text: String,
    /// Whether nothing but a line break is between this block and the one before.
    follows: bool,
}

fn blocks(page: &str) -> Vec<Block> {
    let parts: Vec<_> = page.split("\n```").collect();
    // What stands between two fences is code, and what follows is not.
    let pairs = parts.chunks_exact(2);
    let block = |pair: &[&str]| {
        let (language, text) = pair[1].split_once('\n').unwrap_or((pair[1], ""));
        Block {
            language: language.to_owned(),
            text: text.to_owned(),
            follows: pair[0].trim().is_empty(),
        }
    };
    pairs.map(block).collect()
}

/// A command, with the comment behind it.
struct Line {
    command: String,
    comment: String,
}

/// Returns the commands of a block. One goes on after a backslash, and while a quote is open.
fn lines(block: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut command = String::new();
    for line in block.lines() {
        command += line;
        command.push('\n');
        if !line.ends_with('\\') && command.matches('\'').count().is_multiple_of(2) {
            let (code, comment) = command.split_once("  # ").unwrap_or((&command, ""));
            if !code.trim().is_empty() && !code.starts_with('#') {
                lines.push(Line {
                    command: code.trim().to_owned(),
                    comment: comment.trim().to_owned(),
                });
            }
            command.clear();
        }
    }
    lines
}

/// A shop and a greeter, and what the commands before have set.
struct Session {
    shop: RunningShop,
    greeter: RunningGreeter,
    asks_for_tokens: bool,
    /// The folders with curl's configuration, without a token and with one.
    homes: [PathBuf; 2],
    /// Where programs are found, these first.
    path: OsString,
}

/// What a command answered.
struct Answer {
    output: String,
    status: u16,
}

impl Session {
    async fn start(programs: &Path, homes: &[PathBuf; 2], blocks: &[Block]) -> Result<Self, Error> {
        let commands = blocks.iter().filter(|block| block.language == "sh");
        let asks_for_tokens = commands
            .into_iter()
            .any(|block| block.text.contains("$SECRET"));
        let tokens = format!("ann:arm:{SECRET}");
        let variables = [("CHAOS_ADMIN_TOKENS", tokens.as_str())];
        let variables = &variables[..usize::from(asks_for_tokens)];
        let shop = programs.join("shop");
        Ok(Self {
            shop: RunningShop::start_in(shop, &["--no-traffic"], variables).await?,
            greeter: RunningGreeter::start(programs.join("greeter")).await?,
            asks_for_tokens,
            homes: homes.clone(),
            path: env::join_paths(
                [programs.to_owned()]
                    .into_iter()
                    .chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())),
            )?,
        })
    }

    async fn run(&self, blocks: &[Block], commands: &mut usize) -> Result<Vec<String>, Error> {
        let mut wrong = Vec::new();
        let mut variables = String::new();
        let mut last = None;
        for block in blocks {
            match &*block.language {
                "sh" => {
                    for line in lines(&block.text) {
                        if is_assignment(&line.command) {
                            variables += &(self.here(&line.command) + "\n");
                            continue;
                        }
                        *commands += 1;
                        match self.ask(&variables, &line.command).await? {
                            Ok(answer) => {
                                wrong.extend(differs(&line, &answer));
                                last = Some((line.command, answer));
                            }
                            Err(error) => wrong.push(format!("{}: {error}", line.command)),
                        }
                    }
                }
                "json" | "text" => {
                    if let Some((command, answer)) = last.take()
                        && block.follows
                        && !is_printed(block, &answer.output)
                    {
                        let output = answer.output;
                        wrong.push(format!("{command}: {}\nit is: {output}", block.text));
                    }
                }
                _ => last = None,
            }
        }
        Ok(wrong)
    }

    /// Returns a command with the addresses of these programs in place of those that are printed.
    fn here(&self, command: &str) -> String {
        [
            ("http://127.0.0.1:3000", self.shop.url("")),
            ("http://127.0.0.1:9900", self.shop.admin.url("")),
            (
                "http://127.0.0.1:3001",
                format!("http://{}", self.greeter.address()),
            ),
            ("http://127.0.0.1:9901", self.greeter.admin.url("")),
        ]
        .into_iter()
        .fold(command.to_owned(), |command, (printed, here)| {
            command.replace(printed, &here)
        })
    }

    async fn ask(&self, variables: &str, command: &str) -> Result<Result<Answer, String>, Error> {
        let script = format!("set -uo pipefail\n{variables}{}", self.here(command));
        let adds_token = self.asks_for_tokens && !command.contains("$SECRET");
        let output = Command::new("bash")
            .args(["-c", &script])
            .env("CURL_HOME", &self.homes[usize::from(adds_token)])
            .env("SECRET", SECRET)
            .env("PATH", &self.path)
            .env("CHAOSCTL_ENDPOINT", self.shop.admin.url(""))
            .env("CHAOSCTL_CONFIG", "/nowhere/config.toml")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let errors = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Ok(Err(format!("{}: {errors}", output.status)));
        }
        let status = errors.rsplit("status=").next().unwrap_or_default();
        Ok(Ok(Answer {
            output: String::from_utf8_lossy(&output.stdout).into_owned(),
            status: status.trim().parse().unwrap_or_default(),
        }))
    }
}

fn is_assignment(command: &str) -> bool {
    let name = command.split('=').next().unwrap_or_default();
    name.len() < command.len() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Returns how an answer differs from what the comment says.
fn differs(line: &Line, answer: &Answer) -> Option<String> {
    let words = line.comment.split(|c: char| !c.is_ascii_alphanumeric());
    let statuses: Vec<u16> = words
        .filter(|word| word.len() == 3)
        .filter_map(|word| word.parse().ok())
        .collect();
    let is_right = match &*statuses {
        [] if !line.command.contains("curl") => true,
        [] => (200..300).contains(&answer.status),
        statuses => statuses.contains(&answer.status),
    };
    let header = line.comment.split(", ").find(|part| part.starts_with("x-"));
    let has_header = header.is_none_or(|header| answer.output.contains(header));
    (!is_right || !has_header).then(|| {
        format!(
            "{} # {}: it is {}",
            line.command, line.comment, answer.status
        )
    })
}

fn is_printed(block: &Block, output: &str) -> bool {
    if block.language == "text" {
        return block.text.trim() == output.trim();
    }
    let printed = serde_json::from_str::<Value>(&block.text);
    let answered = serde_json::from_str::<Value>(output);
    matches!((printed, answered), (Ok(printed), Ok(answered)) if holds(&answered, &printed))
}

/// Returns whether a value has what is printed. `"…"` stands for any value.
fn holds(answered: &Value, printed: &Value) -> bool {
    match (answered, printed) {
        (_, Value::String(any)) if any == "…" => true,
        (Value::Object(answered), Value::Object(printed)) => printed
            .iter()
            .all(|(name, value)| answered.get(name).is_some_and(|found| holds(found, value))),
        (Value::Array(answered), Value::Array(printed)) => {
            answered.len() == printed.len()
                && answered
                    .iter()
                    .zip(printed)
                    .all(|(found, value)| holds(found, value))
        }
        (answered, printed) => answered == printed,
    }
}

//! The program `victim` as a child process, and its clients.

use std::{path::Path, time::Duration};

use reqwest::{Certificate, Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Error, checks::attacks::machine::Processors, program::Program};

/// An access token of each role, and a second one that may arm, with which this program undoes halts.
pub(super) const ARM: &str = "ann-may-do-everything";
const RESUME: &str = "amy-may-do-everything";
const STOP: &str = "bob-may-stop-it-all";
pub(super) const OBSERVE: &str = "eve-may-only-look-at-it";

/// How the victim is started.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    /// Its arguments. `{}` stands for the folder that it may write to.
    pub(super) args: &'static [&'static str],
    pub(super) policy: Option<&'static str>,
    /// Whether its port speaks TLS.
    pub(super) tls: bool,
    /// How many files it may open.
    pub(super) files: Option<u32>,
    /// The rules file that it follows, in its folder.
    pub(super) rules: Option<fn() -> String>,
}

impl Setup {
    /// A service with its port.
    pub(super) const DEFAULT: Self = Self {
        args: &[],
        policy: None,
        tls: false,
        files: None,
        rules: None,
    };
}

/// A running victim. Dropping this kills it.
#[derive(Debug)]
pub(super) struct Victim {
    pub(super) program: Program,
    pub(super) id: u32,
    pub(super) folder: TempDir,
    /// The URL of the service.
    pub(super) service: String,
    /// The address of the port.
    pub(super) port: String,
    pub(super) client: Client,
    admin: Client,
    scheme: &'static str,
}

impl Victim {
    /// Starts the program with a folder, and with arguments besides those of `setup`.
    pub(super) async fn start(
        binary: &Path,
        folder: TempDir,
        setup: &Setup,
        more: &[&str],
        processors: &Processors,
    ) -> Result<Self, Error> {
        let mut words: Vec<String> = Vec::new();
        let mut add = |word: &str| words.push(word.to_owned());
        if let Some(files) = setup.files {
            for word in [
                "sh",
                "-c",
                &format!("ulimit -n {files} && exec \"$@\""),
                "sh",
            ] {
                add(word);
            }
        }
        processors.for_victim().into_iter().for_each(&mut add);
        let text = |path: &Path| path.to_str().map(str::to_owned).ok_or("a path in UTF-8");
        let place = text(folder.path())?;
        add(&text(binary)?);
        for arg in setup.args.iter().chain(more) {
            add(&arg.replace("{}", &place));
        }
        if let Some(rules) = setup.rules {
            let file = folder.path().join("rules.json");
            std::fs::write(&file, rules())?;
            add("--rules");
            add(&text(&file)?);
        }
        let admin = Client::builder().no_proxy().pool_max_idle_per_host(0);
        let mut admin = admin.timeout(Duration::from_secs(30));
        if setup.tls {
            let key = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
            let certificate = key.cert.pem();
            let file = folder.path().join("victim.pem");
            std::fs::write(
                &file,
                certificate.clone() + &key.signing_key.serialize_pem(),
            )?;
            add("--tls");
            add(&text(&file)?);
            let certificate = Certificate::from_pem(certificate.as_bytes())?;
            admin = admin.tls_certs_only([certificate]);
        }
        let tokens =
            format!("ann:arm:{ARM},amy:arm:{RESUME},bob:stop:{STOP},eve:observe:{OBSERVE}");
        let mut variables = vec![("CHAOS_ADMIN_TOKENS", &*tokens)];
        variables.extend(setup.policy.map(|policy| ("CHAOS_POLICY", policy)));
        let mut program = Program::start_in(Path::new(&words[0]), &words[1..], &variables)?;
        let service = program.line("service ").await?;
        let port = match setup.args.contains(&"--no-port") {
            true => String::new(),
            false => program.line("port ").await?,
        };
        Ok(Self {
            id: program.id()?,
            program,
            folder,
            service,
            port,
            client: Client::builder().no_proxy().build()?,
            admin: admin.build()?,
            scheme: if setup.tls { "https" } else { "http" },
        })
    }

    /// Returns the address of the service.
    pub(super) fn address(&self) -> &str {
        self.service.trim_start_matches("http://")
    }

    /// Sends a request to the port on a new connection, and returns the status and the body.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<(u16, String), Error> {
        let address = self.port.replace("127.0.0.1", "localhost");
        let url = format!("{}://{address}{path}", self.scheme);
        let mut request = self.admin.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// Replaces all rules, but for the one that this program looks at.
    pub(super) async fn replace(
        &self,
        rules: impl IntoIterator<Item = Vec<Value>>,
    ) -> Result<(), Error> {
        let rules: Vec<_> = rules.into_iter().flatten().chain([marked()]).collect();
        let rules = json!({ "rules": rules });
        match self
            .ask(Method::PUT, "/v1/rules", ARM, Some(&rules))
            .await?
        {
            (200, _) => Ok(()),
            (status, body) => Err(format!("the rules of the attack: {status}: {body}").into()),
        }
    }

    pub(super) async fn halt(&self) -> Result<(u16, String), Error> {
        self.ask(Method::POST, "/v1/halt", STOP, None).await
    }

    pub(super) async fn resume(&self) -> Result<(u16, String), Error> {
        let reason = json!({ "reason": "the attack goes on" });
        self.ask(Method::POST, "/v1/resume", RESUME, Some(&reason))
            .await
    }

    /// Returns whether the rule [`marked`] hits a call of the service.
    pub(super) async fn is_hit(&self) -> Result<bool, Error> {
        let url = format!("{}/marked", self.service);
        let response = self.client.get(url).send().await?;
        match response.status().as_u16() {
            200 => Ok(false),
            503 => Ok(true),
            status => Err(format!("/marked: {status}").into()),
        }
    }
}

/// The rule that is looked at after each halt and resume. Every set of rules has it.
pub(super) fn marked() -> Value {
    json!({
        "id": "marked", "site": "http.server", "match": { "path": "/marked" }, "ttl": "1h",
        "faults": [{ "status": 503 }],
    })
}

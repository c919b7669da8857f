//! A secret is in no `Debug`, no log, no answer and no audit, and not in a file that all may read.

use std::{fmt::Write as _, fs};

use chaos_core::Injector;
use chaos_http_admin::{AccessTokens, Admin, Role};

use crate::support::{
    alone::is_alone,
    log::Log,
    wire::{ANN, EVE, Running, tokens},
};

const WRONG: &str = "wrong-but-still-nobodys-business";

#[tokio::test]
async fn not_in_debug_nor_in_the_log_nor_in_answers_nor_in_the_audit() {
    const THIS: &str =
        "secrets_stay_secret::not_in_debug_nor_in_the_log_nor_in_answers_nor_in_the_audit";
    // The log of all threads of a process is captured.
    if !is_alone(THIS) {
        return;
    }
    let log = Log::of_the_process();
    let injector = Injector::new();
    let admin = Admin::new(injector.clone()).access_tokens(tokens());
    let mut said = format!("{admin:?} {admin:#?} {:?} {:?}", tokens(), admin.router());
    let server = admin.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    write!(said, "{server:?}").unwrap();
    drop(server);

    let port = Running::start(&injector, admin).await;
    let halt = r#"{"reason":"x"}"#;
    for secret in [ANN, EVE, WRONG] {
        for line in [
            "GET /v1/rules",
            "POST /v1/halt",
            "POST /v1/resume",
            "PUT /v1/rules/a",
            "GET /v1/none",
            "PATCH /healthz",
            "GET / HTTP/1.1\r\nX: ",
        ] {
            let answer = port.ask_as(secret, line, halt).await;
            said += &answer.text();
        }
        // Where people put them by mistake.
        let query = format!("POST /v1/halt?token={secret}");
        let answer = port.ask(&query, "Host: localhost\r\n", halt).await;
        said += &answer.text();
        // As the name of a parameter, by someone who may ask: the answer names it, and nobody else.
        let query = format!("POST /v1/halt?{secret}");
        let answer = port.ask_as(ANN, &query, halt).await;
        assert!(answer.text().contains("400"), "{}", answer.text());
    }
    for entry in injector.audit().after(0).entries {
        write!(said, "{entry:?}").unwrap();
    }
    said += &log.said();
    assert!(said.contains("ann") && said.contains("halted"), "{said}");
    for secret in [ANN, EVE, WRONG] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

/// Whatever a file has become: another list, no list, or a key without line breaks.
#[cfg(unix)]
#[test]
fn not_in_what_is_told_of_files_that_are_followed() {
    use chaos_http_admin::TlsFiles;
    use std::time::Duration;
    const THIS: &str = "secrets_stay_secret::not_in_what_is_told_of_files_that_are_followed";
    if !is_alone(THIS) {
        return;
    }
    let log = Log::of_the_process();
    let injector = Injector::new();
    let list = file(&format!("ann:arm:{ANN}"), 0o600);
    let pair = crate::support::tls::Authority::new().sign(&["localhost"]);
    let (certificate, key) = (file(&pair.certificate, 0o644), file(&pair.key, 0o600));
    let admin = Admin::new(injector.clone())
        .follow_access_tokens(&list)
        .unwrap()
        .follow_tls(TlsFiles::new(&certificate, &key))
        .unwrap();
    let one_line = pair.key.replace('\n', "");
    let audit = injector.audit();
    for (path, text) in [
        (&list, format!("eve:observe:{EVE}\nann:stop:{ANN}")),
        (&list, format!("{ANN}\n")),
        (&list, format!("ann:{ANN}:{EVE}")),
        (&list, format!("ann:arm:{WRONG} {EVE}")),
        (&key, one_line[..one_line.len() - 5].to_owned()),
        (&key, one_line.clone()),
        (&certificate, one_line),
    ] {
        let before = audit.last();
        fs::write(path, text).unwrap();
        assert!(audit.wait_blocking(before, Duration::from_secs(20)));
    }
    let mut said = format!("{admin:?} {admin:#?} {}", admin.metrics().text());
    for entry in audit.after(0).entries {
        write!(said, "{entry:?}").unwrap();
    }
    said += &log.said();
    assert!(
        said.contains("added eve") && said.contains("refused"),
        "{said}"
    );
    // The key as text, or as a list of bytes.
    let body: String = pair.key.lines().skip(1).take(1).collect();
    let bytes = format!("{:?}", body.as_bytes());
    let bytes = bytes.trim_matches(['[', ']']);
    for secret in [ANN, EVE, WRONG, &body, bytes] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

fn file(text: &str, mode: u32) -> tempfile::TempPath {
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    fs::write(&path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = mode;
    path
}

#[test]
fn a_file_that_is_for_its_owner_is_read() {
    let path = file(&format!("# ours\nann:arm:{ANN}\n"), 0o600);
    let tokens = AccessTokens::from_file(&path).unwrap();
    assert_eq!(format!("{tokens:?}"), "[ann:arm:…]");
}

#[cfg(unix)]
#[test]
fn a_file_that_all_may_read_is_refused() {
    for mode in [0o644, 0o604, 0o602, 0o666] {
        let path = file(&format!("ann:arm:{ANN}\n"), mode);
        let error = AccessTokens::from_file(&path).unwrap_err().to_string();
        assert!(error.contains("every user"), "{error}");
        assert!(error.contains(path.to_str().unwrap()) && !error.contains(ANN));
    }
}

#[test]
fn what_cannot_be_read_says_where() {
    let none = AccessTokens::from_file("/none/of/this").unwrap_err();
    assert!(none.to_string().starts_with("/none/of/this: "), "{none}");
    assert!(std::error::Error::source(&none).is_some());
    let unset = AccessTokens::from_env("CHAOS_NO_SUCH_VARIABLE").unwrap_err();
    assert!(unset.to_string().contains("not set"), "{unset}");
    let large = file(&"#".repeat(65 * 1024), 0o600);
    let error = AccessTokens::from_file(&large).unwrap_err();
    assert!(error.to_string().contains("64 KiB"), "{error}");
}

#[test]
fn one_that_is_short_or_there_already_is_refused_by_number() {
    let short = AccessTokens::new()
        .token("ann", Role::Arm, "too-short")
        .unwrap_err();
    assert_eq!(
        short.to_string(),
        "access token 1: the secret is too short; allowed: 16 to 512 bytes"
    );
    let again = tokens().token("dan", Role::Observe, ANN).unwrap_err();
    assert_eq!(
        again.to_string(),
        "access token 4: an earlier access token has the same secret"
    );
    assert!(!format!("{short:?} {again:?}").contains(ANN));
}

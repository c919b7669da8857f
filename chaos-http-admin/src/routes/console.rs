//! The console: a page of this port that loads nothing from elsewhere, with a content security policy that
//! enforces it. Its files are in the folder beside this one.

use std::sync::LazyLock;

use axum::{
    Extension, Router,
    extract::{OriginalUri, Path, rejection::PathRejection},
    http::{HeaderMap, HeaderName, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use chaos_core::Injector;
use sha2::{Digest, Sha256};

use crate::problem::Problem;

const PAGE: &str = include_str!("console/console.html");
const STYLE: &str = include_str!("console/console.css");

macro_rules! scripts {
    ($($name:literal)*) => {
        &[$((concat!($name, ".js"), include_str!(concat!("console/", $name, ".js")))),*]
    };
}

/// The modules of the page, each with the name by which the others import it.
const SCRIPTS: &[(&str, &str)] = scripts! {
    "api" "breach" "charts" "check" "compose" "dialogs" "dom" "edits" "explain" "extras" "filter"
    "form" "halt" "hand_over" "header" "hurting" "live" "login" "lost" "main" "poll" "rule_row"
    "rules" "samples" "sentence" "shadow" "sites" "state" "timeline" "told" "whom" "words"
};

/// Whether clients need an access token. The page asks for one before its first request, so that no request has
/// to be refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokensRequired(pub(crate) bool);

/// Serves the page.
pub(crate) async fn console(
    Extension(TokensRequired(required)): Extension<TokensRequired>,
    OriginalUri(uri): OriginalUri,
) -> Result<impl IntoResponse, Problem> {
    let nonce = nonce()?;
    // Only scripts and styles with the nonce of this answer are loaded, and the modules that these scripts
    // import. They can connect to this port only, and no page can frame this one. `'self'` would allow all
    // that a service serves which has these routes in its own router.
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let headers: [(HeaderName, String); 3] = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_FRAME_OPTIONS, "DENY".to_owned()),
        // With `no-referrer`, browsers would send `Origin: null` with some requests, which the port
        // refuses.
        (header::REFERRER_POLICY, "same-origin".to_owned()),
    ];
    let preload = |(name, _): &(&str, &str)| {
        format!(
            "<link rel=\"modulepreload\" nonce=\"{{nonce}}\" href=\"{{base}}/console/{name}\">\n"
        )
    };
    let page = PAGE
        .replace(
            "{preloads}",
            &SCRIPTS.iter().map(preload).collect::<String>(),
        )
        .replace("{access_token}", if required { "required" } else { "none" })
        .replace("{nonce}", &nonce)
        .replace("{base}", &base(&uri));
    Ok((headers, Html(page)))
}

/// Returns where the routes are, relative to the page, as it stands in an attribute of the page. A proxy may have taken
/// the beginning of the path away, so no more of it is used than its end.
fn base(page: &Uri) -> String {
    let mut base = ".".to_owned();
    let last = page.path().rsplit('/').next();
    if let Some(last) = last.filter(|last| !last.is_empty()) {
        base.push('/');
        for character in last.chars() {
            match character {
                '&' => base.push_str("&amp;"),
                '"' => base.push_str("%22"),
                '<' => base.push_str("%3C"),
                '{' => base.push_str("%7B"),
                other => base.push(other),
            }
        }
    }
    base
}

/// Returns the routes of the files that the page loads. They are the same for everyone, so they require no
/// access token, and they are no part of the API, so they are not in the table.
pub(crate) fn files() -> Router<Injector> {
    let style = async |headers: HeaderMap| File::find("console.css", &headers);
    let script = async |path: Result<Path<String>, PathRejection>, headers: HeaderMap| match path {
        Ok(Path(name)) => File::find(&name, &headers),
        Err(_) => File::find("of this name", &headers),
    };
    Router::new()
        .route("/console.css", get(style))
        .route("/console/{script}", get(script))
}

/// A file of the page, with its entity tag.
struct File {
    name: &'static str,
    media_type: &'static str,
    tag: String,
    text: &'static str,
}

static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let file = |name, media_type, text: &'static str| {
        let hash = Sha256::digest(text);
        let hash: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let tag = format!("\"{hash}\"");
        File {
            name,
            media_type,
            tag,
            text,
        }
    };
    let scripts = SCRIPTS.iter();
    let scripts = scripts.map(|(name, text)| file(name, "text/javascript; charset=utf-8", text));
    let style = file("console.css", "text/css; charset=utf-8", STYLE);
    scripts.chain([style]).collect()
});

impl File {
    /// Answers with the file of this name, or with 304 if the client has it.
    fn find(name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
        let Some(file) = FILES.iter().find(|file| file.name == name) else {
            let detail = format!("the console has no file {name}");
            let problem = Problem::new(StatusCode::NOT_FOUND, detail);
            return Err(problem.at("path", "a file that the console loads"));
        };
        let known = headers.get_all(header::IF_NONE_MATCH).iter();
        let mut known = known.filter_map(|tags| tags.to_str().ok());
        // A client asks each time whether its copy is still the one of this process.
        let kept = [
            (header::ETAG, file.tag.as_str()),
            (header::CACHE_CONTROL, "no-cache"),
        ];
        if known.any(|tags| tags.contains(&file.tag)) {
            return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
        }
        let media_type = [(header::CONTENT_TYPE, file.media_type)];
        Ok((kept, media_type, file.text).into_response())
    }
}

/// Returns 128 unpredictable bits in hexadecimal.
fn nonce() -> Result<String, Problem> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let detail = format!("the system cannot provide random bytes: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_served() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/routes/console");
        let files = fs::read_dir(folder).unwrap();
        let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let files: BTreeSet<_> = files.filter(|file| file != "console.html").collect();
        let served: BTreeSet<_> = FILES.iter().map(|file| file.name.to_owned()).collect();
        assert_eq!(served, files);
    }

    #[test]
    fn the_base_names_no_other_host_and_ends_no_attribute() {
        for (page, expected) in [
            ("/", "."),
            ("/chaos", "./chaos"),
            ("/ops/chaos", "./chaos"),
            ("/ops/chaos/", "."),
            ("//evil.example/", "."),
            ("//evil.example", "./evil.example"),
            ("/a\"b&c", "./a%22b&amp;c"),
        ] {
            assert_eq!(base(&page.parse().unwrap()), expected, "{page}");
        }
    }
}

//! The lines of the tables: which cases of the bench each shows.

/// A row of a table: its text, and the cases of the bench whose figures it shows. Those of several groups are
/// separated by a slash.
pub(super) type Line = (&'static str, &'static [&'static [&'static str]]);

/// The table of the README.
pub(super) const SHORT: &[Line] = &[
    (
        "`inject!` or `inject_async!`, idle, whatever is armed elsewhere",
        &[&[
            "inject!, idle",
            "inject!, 1000 rules elsewhere",
            "inject_async!, idle",
        ]],
    ),
    (
        "layer, idle, around a service / in `Router::layer`",
        &[
            &[
                "layer, idle",
                "layer, idle, over an async fn",
                "layer around the Router, idle",
            ],
            &["Router::layer, idle"],
        ],
    ),
    (
        "`inject!` / layer, one rule armed here, which does not hit",
        &[
            &["inject!, armed, does not fire"],
            &["layer, armed, does not fire"],
        ],
    ),
];

/// The table of the book.
pub(super) const LONG: &[Line] = &[
    (
        "`inject!`, idle, with or without labels",
        &[&[
            "inject!, idle",
            "inject! with labels, idle",
            "inject! with err, idle",
            "#[site] with err, idle",
            "inject!, idle, in such a one",
        ]],
    ),
    (
        "`inject!`, idle, 1,000 rules armed on other sites",
        &[&["inject!, 1000 rules elsewhere"]],
    ),
    (
        "`inject_async!`, idle",
        &[&[
            "inject_async!, idle",
            "inject_async! with labels, idle",
            "inject_async! with err, idle",
        ]],
    ),
    (
        "`inject!` with an explicit injector, idle",
        &[&["inject! with an injector, idle"]],
    ),
    (
        "`inject!` with an explicit injector, 1,000 rules armed on its other sites",
        &[&["inject! with an injector, 1000 rules elsewhere"]],
    ),
    (
        "layer, idle, around an http service, an `async fn`, an axum `Router`",
        &[&[
            "layer, idle",
            "layer, idle, over an async fn",
            "layer around the Router, idle",
        ]],
    ),
    (
        "layer, idle, 1,000 rules armed on other sites",
        &[&["layer, 1000 rules elsewhere"]],
    ),
    (
        "layer, idle, an open overlay with rules on other sites",
        &[&["layer, an overlay elsewhere"]],
    ),
    (
        "layer, idle, with `Router::layer`, compared with tower's `Identity`",
        &[&["Router::layer, idle"]],
    ),
    (
        "layer, idle, with `.boxed_errors()`",
        &[&["layer, idle, errors boxed"]],
    ),
    (
        "layer, idle, with `.wrapped_bodies()`",
        &[&["layer, idle, bodies wrapped"]],
    ),
    (
        "`TokenLayer`, a request without headers",
        &[&["TokenLayer, no header"]],
    ),
    (
        "`TokenLayer`, six headers without a token",
        &[&["TokenLayer, six headers without a token"]],
    ),
    (
        "`inject!`, armed, one rule, does not hit",
        &[&["inject!, armed, does not fire"]],
    ),
    (
        "`inject!` with an explicit injector, armed, one rule, does not hit",
        &[&["inject! with an injector, armed, does not fire"]],
    ),
    (
        "layer, armed, one rule, does not hit",
        &[&["layer, armed, does not fire"]],
    ),
    (
        "layer, armed, one rule with a limit / four rules, none hits",
        &[
            &["layer, armed with a limit, does not fire"],
            &["layer, four rules, none fires"],
        ],
    ),
    (
        "layer, armed, one rule by method / by path, does not match",
        &[
            &["layer, armed, does not match"],
            &["layer, armed, does not match the path"],
        ],
    ),
    (
        "layer, armed, method + path + header match, does not hit",
        &[&["layer, method + path + header match, does not fire"]],
    ),
    (
        "layer, armed, one rule with a key / with a seed, does not hit",
        &[
            &["layer, one rule with a key, does not fire"],
            &["layer, one rule with a seed, does not fire"],
        ],
    ),
    (
        "layer, armed, with a guard rail: more than without",
        &[&["layer, guard rail, not hit"]],
    ),
    (
        "layer, watched by a client of the admin port: more than idle",
        &[&["layer, watched"]],
    ),
    (
        "layer, 10 rules by path, by header, one matches and does not hit",
        &[&["layer, 10 rules by path"], &["layer, 10 rules by header"]],
    ),
    (
        "layer, 10 rules by query, by host, one matches and does not hit",
        &[&["layer, 10 rules by query"], &["layer, 10 rules by host"]],
    ),
    (
        "layer, 10,000 rules by path, header, query, host, one matches and does not hit",
        &[
            &["layer, 10,000 rules by path"],
            &["layer, 10,000 rules by header"],
            &["layer, 10,000 rules by query"],
            &["layer, 10,000 rules by host"],
        ],
    ),
];

/// The table of what a hit costs, in the book.
pub(super) const HITS: &[Line] = &[
    (
        "`inject!`, hit by an error",
        &[&["inject!, hit by an error"]],
    ),
    (
        "layer, hit by a status, without headers / with six",
        &[
            &["layer, hit by a status"],
            &["layer, hit by a status, six headers"],
        ],
    ),
    (
        "layer, hit by an error, without headers / with six",
        &[
            &["layer, hit by an error"],
            &["layer, hit by an error, six headers"],
        ],
    ),
    (
        "`inject!` / layer, a rule in shadow mode would hit",
        &[
            &["inject!, hit by a rule in shadow mode"],
            &["layer, hit by a rule in shadow mode"],
        ],
    ),
    (
        "layer, the limit of the rule is used up",
        &[&["layer, a limit that is used up"]],
    ),
];

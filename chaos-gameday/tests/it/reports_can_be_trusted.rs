//! A report is one safe file that says what the journal has.

use chaos_gameday::{
    AuditNote, Format, Journal, ProbeOutcome, SampleCounts, SiteSample, Stage, experiment_from,
    report_html, report_markdown,
};

use crate::{
    experiments_are_read::{LOST_READS, lost_reads},
    support::{END, comparison, moment, run, whole},
};

/// Whatever a page loads or runs.
fn assert_alone(html: &str) {
    let lower = html.to_lowercase();
    for word in [
        "<script",
        "<link",
        "<iframe",
        "<img",
        "<object",
        "<embed",
        "<base",
        "<form",
        "src=",
        "href=",
        "url(",
        "@import",
        "javascript:",
        "xmlns",
    ] {
        assert!(!lower.contains(word), "{word}");
    }
    // Within a tag, an address would be loaded; as text it is only read.
    let tags = html
        .split('<')
        .skip(1)
        .filter_map(|part| part.split_once('>'))
        .map(|it| it.0);
    for tag in tags {
        let is_named = tag.contains("aria-label");
        assert!(is_named || !tag.contains("://"), "{tag}");
        assert!(!tag.contains(" on"), "{tag}");
    }
}

#[test]
fn a_page_has_no_script_and_asks_no_other_host() {
    let html = report_html(&whole());
    assert_alone(&html);
    assert!(html.len() < 500_000, "{}", html.len());
    for text in [
        "Lost reads do not reach shoppers",
        "deviated",
        "Shoppers see no more than 1 % of errors",
        "the probe &#34;products&#34; did not hold",
        "estimate, nothing injected",
        "95 of 380 (25 %)",
        "190 of 37620 (0.5051 %)",
        "24.49 %, from 20.4",
        "rate: 5 is out of range",
        "write a runbook",
        "--seed 42",
        "armed lost",
    ] {
        assert!(html.contains(text), "{text}");
    }
    let markdown = report_markdown(&whole());
    for text in [
        "# Lost reads do not reach shoppers: deviated",
        "- [ ] write a runbook (team-shop)",
        "95 of 380 (25 %)",
    ] {
        assert!(markdown.contains(text), "{text}: {markdown}");
    }
}

/// Where other than chance decides which calls are hit, a difference is not the fault's.
#[test]
fn what_may_not_be_compared_has_no_interval() {
    for (fields, why) in [
        ("rate: 0.01, ", None),
        ("rate: 0.01, limit: 5, ", Some("has `limit`")),
        ("", Some("hits each call that it matches, and spares none")),
    ] {
        let text = format!(
            r#"{{ title: a, target: {{ endpoint: "http://a:1" }}, hypothesis: {{ title: b, probes: [ {{ name: c, http: {{ url: "http://a:1" }} }} ] }}, phases: [ {{ name: d, for: 1s, rules: [ {{ id: lost, site: db.read, {fields}faults: [ {{ error: lost }} ] }} ] }} ] }}"#
        );
        let experiment = experiment_from(&text, Format::Yaml).unwrap();
        let mut journal = Journal::new(&experiment, moment(0), "Linux", "here");
        journal.details.comparisons.push(comparison("d"));
        let (html, markdown) = (report_html(&journal), report_markdown(&journal));
        assert!(html.contains("95 of 380 (25 %)"));
        for interval in [" %, from 20.4", "Newcombe"] {
            assert_eq!(html.contains(interval), why.is_none(), "{why:?}");
            assert_eq!(markdown.contains(interval), why.is_none(), "{why:?}");
        }
        if let Some(why) = why {
            assert!(html.contains(&format!("not compared: the rule `lost` {why}")));
            assert!(markdown.contains("not compared: the rule"));
        }
    }
}

/// Titles in every alphabet, and those that would be markup.
#[test]
fn texts_are_texts() {
    for title in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "</title></style><svg onload=alert(1)>",
        "{{ page.title }} {% raw %} {# #}",
        "Ωμέγα Жизнь 試験 تجربة परीक्षा 실험 👩‍🚒 \u{202e}txet",
    ] {
        let quoted = serde_json::to_string(title).unwrap();
        let text = LOST_READS
            .replacen(
                "title: Lost reads do not reach shoppers",
                &format!("title: {quoted}"),
                1,
            )
            .replacen("- name: products", &format!("- name: {quoted}"), 1)
            .replacen("name: pause", &format!("name: {quoted}"), 1)
            .replacen("look at the retries", &title.replace('"', "'"), 1)
            .replacen("owner: team-shop\n", &format!("owner: {quoted}\n"), 1);
        let experiment = experiment_from(&text, Format::Yaml).unwrap();
        let mut journal = Journal::new(&experiment, moment(0), title, title);
        journal.enter(Some(Stage::During), title, moment(0));
        for second in 0..10 {
            let outcome = ProbeOutcome::NotHeld(title.into());
            let times = (moment(second), moment(second));
            journal.note_probe(title, Stage::During, &outcome, Some(1.0), times);
            let counts = SampleCounts {
                calls: 1,
                failed: 1,
                p50: Some(1),
                p99: Some(1),
            };
            let at = journal.seconds(moment(second));
            let sample = SiteSample {
                at,
                hit: counts,
                others: counts,
            };
            journal.note_site(title, title, sample);
        }
        journal.details.audit.push(AuditNote {
            at: moment(1).into(),
            target: title.into(),
            actor: title.into(),
            action: title.into(),
            reason: title.into(),
        });
        let html = report_html(&journal);
        for wrong in ["<script", "<img", "<svg onload", "</style><svg"] {
            assert!(!html.contains(wrong), "{title}: {wrong}");
        }
        let escaped = title
            .replace('&', "&#38;")
            .replace('<', "&#60;")
            .replace('>', "&#62;")
            .replace('"', "&#34;");
        // In the head, the heading, the probes, the owner, the plots and so on.
        assert!(html.matches(&escaped).count() > 12, "{title}");
        let markdown = report_markdown(&journal);
        assert!(
            !markdown.contains("<script") && !markdown.contains("<img"),
            "{markdown}"
        );
    }
}

/// The numbers of a column of a table.
fn column(table: &str, at: usize) -> Vec<Option<f64>> {
    let body = table
        .split("<tbody>")
        .nth(1)
        .unwrap()
        .split("</tbody>")
        .next()
        .unwrap();
    let rows = body.split("<tr>").skip(1);
    rows.map(|row| {
        let cell = row.split("<td>").nth(at + 1).unwrap();
        cell.split("</td>").next().unwrap().parse().ok()
    })
    .collect()
}

/// The points of a line of a plot, in pixels from its bottom.
fn heights(svg: &str, colour: &str) -> Vec<f64> {
    let lines = svg.split("<polyline").skip(1);
    let lines = lines.map(|line| line.split("/>").next().unwrap());
    let line = lines
        .filter(|line| line.contains(colour))
        .max_by_key(|line| line.len())
        .unwrap();
    let points = line
        .split("points=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    points
        .split_whitespace()
        .map(|point| -point.split(',').nth(1).unwrap().parse::<f64>().unwrap())
        .collect()
}

/// A plot and its table are made of the same numbers: the heights of the points are those of the table, but for a scale and
/// the size of a pixel.
#[test]
fn plots_have_the_numbers_of_their_tables() {
    let mut journal = Journal::new(&lost_reads(), moment(0), "Linux", "here");
    journal.enter(Some(Stage::During), "all", moment(0));
    for second in 0..100 {
        let at = journal.seconds(moment(second));
        let counts = |failed: u64, millis: u64| SampleCounts {
            calls: 100,
            failed,
            p50: Some(1_000_000),
            p99: Some(millis * 1_000_000),
        };
        let hit = counts(second * 37 % 90, 20 + second * 13 % 70);
        let others = counts(second % 10, 10 + second % 5);
        journal.note_site("http.server", "lost", SiteSample { at, hit, others });
        let value = Some((second * 17 % 60) as f64 / 100.0);
        let times = (moment(second), moment(second));
        journal.note_probe("products", Stage::During, &ProbeOutcome::Held, value, times);
    }
    journal.finish(
        chaos_gameday::Verdict::Held,
        vec!["all".into()],
        moment(100),
    );
    let html = report_html(&journal);
    let figures: Vec<_> = html.split("<figure>").skip(1).collect();
    assert_eq!(figures.len(), 3);
    for (figure, colour, at) in [
        (figures[0], "#005F9E", 5),
        (figures[1], "#B84A00", 3),
        (figures[1], "#005F9E", 6),
        (figures[2], "#B84A00", 2),
        (figures[2], "#005F9E", 4),
    ] {
        let (svg, table) = figure.split_once("</svg>").unwrap();
        let numbers: Vec<_> = column(table, at).into_iter().map(Option::unwrap).collect();
        let heights = heights(svg, colour);
        assert_eq!(numbers.len(), 100);
        assert_eq!(heights.len(), numbers.len());
        let ends = |values: &[f64]| {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (least, most)
        };
        let ((low, high), (bottom, top)) = (ends(&numbers), ends(&heights));
        let scale = (top - bottom) / (high - low);
        for (number, height) in numbers.iter().zip(&heights) {
            let expected = bottom + (number - low) * scale;
            assert!(
                (height - expected).abs() <= 1.01,
                "{number}: {height}, not {expected}"
            );
        }
    }
}

/// A Prometheus that is away for ten seconds has not said that anything is wrong.
#[test]
fn a_probe_that_was_not_answered_is_not_told_as_failed() {
    let figure = |outcome: &ProbeOutcome| {
        let mut journal = Journal::new(&lost_reads(), moment(0), "Linux", "here");
        journal.enter(Some(Stage::During), "all", moment(0));
        for second in 0..20 {
            let times = (moment(second), moment(second));
            let (outcome, value) = match second < 10 {
                true => (&ProbeOutcome::Held, Some(0.5)),
                false => (outcome, None),
            };
            journal.note_probe("slo", Stage::During, outcome, value, times);
        }
        let html = report_html(&journal);
        let figure = html.split("<figure>").nth(1).unwrap();
        let (svg, table) = figure.split_once("</svg>").unwrap();
        let sum = |at| column(table, at).into_iter().flatten().sum::<f64>();
        let columns = [1, 2, 3, 4].map(sum);
        (svg.matches("#B00020").count(), columns, svg.to_owned())
    };
    let why = || "no answer".into();
    let (marks, columns, svg) = figure(&ProbeOutcome::Unanswered(why()));
    assert_eq!((marks, columns), (0, [20.0, 10.0, 10.0, 0.0]));
    assert!(svg.contains("It could not be asked or decided 10 times."));
    let (marks, columns, _) = figure(&ProbeOutcome::Undecided(why()));
    assert_eq!((marks, columns), (0, [20.0, 10.0, 0.0, 10.0]));
    let (marks, columns, svg) = figure(&ProbeOutcome::NotHeld(why()));
    assert_eq!((marks, columns), (10, [20.0, 10.0, 0.0, 0.0]));
    assert!(!svg.contains("could not be asked"));
}

#[test]
fn each_plot_is_named_for_those_who_do_not_see_it() {
    let html = report_html(&whole());
    let plots: Vec<_> = html.split("<svg").skip(1).collect();
    assert_eq!(plots.len(), 3);
    for (n, plot) in plots.iter().enumerate() {
        let named = format!(" role=\"img\" aria-labelledby=\"plot-{n}-title plot-{n}-desc\"");
        assert!(plot.starts_with(&named), "{plot}");
        assert!(plot.contains(&format!("<title id=\"plot-{n}-title\">")));
        assert!(plot.contains(&format!("<desc id=\"plot-{n}-desc\">")));
        // Each phase is shaded: before, estimate, two phases and a pause between, after.
        for shade in ["#E8EEF4", "#EFEAF6", "#FBE3D6", "#FBEFD6", "#E4F1E6"] {
            assert!(plot.contains(shade), "{shade}");
        }
    }
    // When the probe did not hold.
    assert!(plots[0].contains("#B00020") && !plots[1].contains("#B00020"));
}

/// The longest experiment with the most probes, sites, targets and entries.
#[test]
fn a_page_is_bounded() {
    let mut journal = whole();
    for n in 0..64 {
        for second in 0..5000 {
            let at = (moment(second), moment(second));
            let name = format!("probe {n}");
            let value = Some(second as f64 / 7.0);
            journal.note_probe(&name, Stage::During, &ProbeOutcome::Held, value, at);
        }
    }
    let counts = SampleCounts {
        calls: 123_456,
        failed: 12_345,
        p50: Some(12_345_678),
        p99: Some(123_456_789),
    };
    for n in 0..20 {
        for second in 0..5000 {
            let sample = SiteSample {
                at: second as f64,
                hit: counts,
                others: counts,
            };
            journal.note_site(&format!("site.{n}"), "lost", sample);
        }
    }
    let note = journal.details.audit[0].clone();
    journal.details.audit = vec![note; 5000];
    let target = journal.details.targets[0].clone();
    let refused = journal.details.targets[1].clone();
    journal.details.targets = vec![target; 5000];
    journal.details.targets.push(refused);
    journal.note_pairs(96);
    let html = report_html(&journal);
    assert!(html.len() < 500_000, "{}", html.len());
    let left_out = "No series is kept of 32 more pairs of a site and a rule.";
    assert!(html.contains(left_out) && report_markdown(&journal).contains(left_out));
    assert!(html.contains("4800 more are in the journal."));
    assert!(html.contains("The numbers of 67 more plots are in the journal."));
    // What went wrong is not among what was left out.
    assert!(html.contains("rate: 5 is out of range") && html.contains("#B00020"));
    // Long texts that have to be escaped.
    for note in &mut journal.details.audit {
        note.reason = "<".repeat(10_000);
    }
    let html = report_html(&journal);
    assert!(html.len() < 500_000, "{}", html.len());
}

/// A run that was cut off at any moment has a report.
#[test]
fn a_run_that_was_cut_off_has_a_report() {
    let mut journal = Journal::new(&lost_reads(), moment(0), "Linux", "here");
    assert_alone(&report_html(&journal));
    run(|second, change| {
        change(&mut journal);
        if second == 61 {
            let html = report_html(&journal);
            assert_alone(&html);
            assert!(html.contains("the run was cut off in &#34;one in a hundred&#34;"));
        }
    });
    assert_eq!(journal.duration, END as f64);
}

/// Writes the page for those who want to look at it, if they say where.
#[test]
fn a_page_is_whole() {
    let html = report_html(&whole());
    assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
    for (opening, closing) in [
        ("<section", "</section>"),
        ("<table", "</table>"),
        ("<svg", "</svg>"),
        ("<details", "</details>"),
    ] {
        assert_eq!(
            html.matches(opening).count(),
            html.matches(closing).count(),
            "{opening}"
        );
    }
    if let Some(path) = std::env::var_os("WRITE_REPORT") {
        std::fs::write(path, html).unwrap();
    }
}

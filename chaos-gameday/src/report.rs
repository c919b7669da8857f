//! The report of a run: one page that a manager reads and an engineer can run again, made of the journal alone.
//!
//! The shell and the parts of the page are templates of their own, in `templates/report`, for other reports to use.

mod figure;
mod markdown;
mod page;
mod plot;
mod words;

use askama::Template;

use self::page::{Page, Room};
use crate::journal::Journal;

/// The largest page, in bytes.
const LARGEST: usize = 500_000;

/// The page in HTML.
#[derive(Template)]
#[template(path = "report/gameday.html")]
struct HtmlPage<'p> {
    page: &'p Page,
}

/// Returns the report of a run as one HTML file: without script, without anything from another host, with the plots as SVG
/// and a table of the same numbers for each. It is less than 500 kB whatever the journal has: what is longer is cut off, and
/// says so.
///
/// A journal of a run that was cut off has a report, too.
#[must_use]
#[expect(
    clippy::missing_panics_doc,
    reason = "writing to a string does not fail"
)]
pub fn report_html(journal: &Journal) -> String {
    let mut room = Room::USUAL;
    loop {
        let page = Page::of(journal, room);
        let html = HtmlPage { page: &page }.render();
        let html = html.expect("writing to a string does not fail");
        if html.len() < LARGEST || room.rows == 0 {
            return html;
        }
        room = room.half();
    }
}

/// Returns the report of a run in Markdown, for a ticket: what [`report_html`] has, without the plots and their tables.
#[must_use]
pub fn report_markdown(journal: &Journal) -> String {
    markdown::write(&Page::of(journal, Room::USUAL))
}

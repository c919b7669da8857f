//! Every site of the binary is known before its first call, with its place.

use chaos_core::{Injector, SiteKind, global, inject, inject_async};

#[expect(dead_code, reason = "a site is listed though nobody calls it")]
fn never_called() -> Result<(), chaos_core::Injected> {
    inject!("listed.sync", table = "orders", id = %7)
}

#[expect(dead_code, reason = "a site is listed though nobody calls it")]
async fn never_awaited() -> Result<(), chaos_core::Injected> {
    inject_async!("listed.async").await
}

#[test]
fn macro_sites_are_listed_without_a_call() {
    let sites = global().sites();
    let find = |name| sites.iter().find(|site| site.name() == name).unwrap();
    let site = find("listed.sync");
    assert_eq!(
        (site.kind(), site.labels()),
        (SiteKind::Sync, &["table", "id"][..])
    );
    assert!(site.file().ends_with("sites_are_listed.rs"));
    assert_eq!(site.line(), 7);
    assert_eq!(find("listed.async").kind(), SiteKind::Async);
}

#[test]
fn a_site_made_by_name_is_made_once_per_injector() {
    let (a, b) = (Injector::new(), Injector::new());
    let line = line!() + 1;
    let site = a.site("listed.named");
    assert!(std::ptr::eq(site, a.clone().site("listed.named")));
    assert!(!std::ptr::eq(site, b.site("listed.named")));
    assert_eq!((a.sites().len(), b.sites().len()), (1, 1));
    assert_eq!(
        (site.file().ends_with("sites_are_listed.rs"), site.line()),
        (true, line)
    );
}

#[test]
#[should_panic(expected = "a site name is parts of")]
fn a_bad_name_is_refused_where_the_site_is_made() {
    let _ = Injector::new().site("no spaces");
}

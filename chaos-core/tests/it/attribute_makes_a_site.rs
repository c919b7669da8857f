//! `#[site]` is one line at the start of a function, and nothing else.

use std::{
    fmt::Debug,
    io,
    sync::atomic::{AtomicUsize, Ordering},
};

use chaos_core::{Fault, Injected, Injector, Matcher, Rule, Text, global, site};

fn rule(id: &str, site: &str) -> Rule {
    let fault = Fault::error("injected");
    Rule::new(id.parse().unwrap(), site.parse().unwrap(), fault)
}

/// Hits calls at `site` with this label; each test has sites of its own, as the injector is shared.
fn hit(site: &str, label: &str, value: &str) {
    let matcher = Matcher::new().label(label, Text::is(value));
    global().put(rule(site, site).matching(matcher));
}

/// Whether the fault came through.
#[track_caller]
fn assert_hit<T: Debug, E: Debug>(result: Result<T, E>) {
    assert!(result.is_err(), "{result:?}");
}

#[site("attribute.sync", table = table, id = %id, key = ?key)]
fn sync(table: &str, id: u64, key: Option<u8>) -> io::Result<(String, Option<u8>)> {
    Ok((format!("{table}/{id}"), key))
}

#[test]
fn labels_see_the_arguments_and_the_rest_goes_on() {
    assert_eq!(sync("orders", 7, None).unwrap().0, "orders/7");
    hit("attribute.sync", "id", "7");
    assert_hit(sync("orders", 7, None));
    assert_eq!(sync("orders", 8, None).unwrap().0, "orders/8");
    hit("attribute.sync", "key", "Some(1)");
    assert_hit(sync("orders", 8, Some(1)));
    assert_eq!(sync("orders", 7, None).unwrap().0, "orders/7");
}

static EVALUATED: AtomicUsize = AtomicUsize::new(0);

fn evaluated() -> usize {
    EVALUATED.fetch_add(1, Ordering::Relaxed)
}

#[site("attribute.lazy", times = %evaluated())]
fn lazy() -> Result<(), Injected> {
    Ok(())
}

#[test]
fn labels_are_evaluated_only_when_armed() {
    // The first pass of a site makes it known, and may look at it as if it were armed.
    lazy().unwrap();
    let before = EVALUATED.load(Ordering::Relaxed);
    lazy().unwrap();
    assert_eq!(EVALUATED.load(Ordering::Relaxed), before);
    hit("attribute.lazy", "times", "never");
    lazy().unwrap();
    assert_eq!(EVALUATED.load(Ordering::Relaxed), before + 1);
}

struct Shop {
    injector: Injector,
    name: String,
}

trait Buying {
    #[site("attribute.default", what = what)]
    fn default_body(&self, what: &str) -> Result<usize, Box<dyn std::error::Error>> {
        Ok(what.len())
    }
}

impl Buying for Shop {}

impl Shop {
    #[site(injector: &self.injector, "attribute.method", shop = self.name)]
    fn method(&self) -> Result<&str, Injected> {
        Ok(&self.name)
    }

    #[site("attribute.generic", value = ?value)]
    fn generic<'a, 'b: 'a, T, const N: usize>(value: &'b [T; N]) -> Result<&'a T, Injected>
    where
        T: Debug,
    {
        value.first().ok_or_else(|| unreachable!())
    }

    #[site("attribute.opaque")]
    fn opaque(&self) -> Result<impl Iterator<Item = char> + Debug + '_, Injected> {
        Ok(self.name.chars())
    }

    #[site(injector: self.injector, "attribute.async_method", shop = self.name, n = %n)]
    async fn async_method(&mut self, n: usize) -> Result<&mut str, Injected> {
        tokio::task::yield_now().await;
        Ok(&mut self.name[n..])
    }
}

fn shop() -> Shop {
    let (injector, name) = (Injector::new(), "corner".to_owned());
    Shop { injector, name }
}

#[test]
fn methods_generics_and_default_bodies_are_sites() {
    let shop = shop();
    assert_eq!(shop.method().unwrap(), "corner");
    shop.injector.put(rule("r", "attribute.method"));
    assert_hit(shop.method());

    assert_eq!(shop.default_body("bread").unwrap(), 5);
    hit("attribute.default", "what", "bread");
    assert_hit(shop.default_body("bread"));

    assert_eq!(*Shop::generic(&[1, 2]).unwrap(), 1);
    hit("attribute.generic", "value", "[1, 2]");
    assert_hit(Shop::generic(&[1, 2]));

    assert_eq!(shop.opaque().unwrap().count(), 6);
    global().put(rule("attribute.opaque", "attribute.opaque"));
    assert_hit(shop.opaque());
}

/// Its documentation.
#[inline]
#[site("attribute.second")]
#[site("attribute.first")]
pub(crate) extern "Rust" fn decorated() -> Result<u8, Injected> {
    #![expect(unused_variables, reason = "an attribute inside is the function's")]
    let unused = 1;
    Ok(2)
}

#[test]
fn attributes_and_qualifiers_stay_and_of_two_sites_the_lower_is_passed_first() {
    assert_eq!(decorated().unwrap(), 2);
    for site in ["attribute.second", "attribute.first"] {
        global().put(rule(site, site));
        if let Err(injected) = decorated() {
            assert_eq!(injected.site(), site);
        }
        assert_hit(decorated());
    }
}

#[test]
fn a_site_knows_the_line_of_its_attribute() {
    let sites = global().sites();
    let site = sites.iter().find(|site| site.name() == "attribute.sync");
    let site = site.unwrap();
    let line = 1 + include_str!("attribute_makes_a_site.rs")
        .lines()
        .position(|line| line.starts_with("#[site(\"attribute.sync\""))
        .unwrap();
    assert!(site.file().ends_with("attribute_makes_a_site.rs"));
    assert_eq!(site.line() as usize, line);
    assert_eq!(site.labels(), ["table", "id", "key"]);
}

mod elsewhere {
    pub(crate) mod nested {
        pub(crate) use chaos_core as renamed;
    }
}

const NAMED: &str = "attribute.named";

#[site(crate = crate::attribute_makes_a_site::elsewhere::nested::renamed, NAMED, crate_name = "x",)]
fn renamed() -> Result<(), Injected> {
    Ok(())
}

#[test]
fn the_name_may_be_a_constant_and_the_crate_another() {
    renamed().unwrap();
    hit(NAMED, "crate_name", "x");
    assert_hit(renamed());
}

mod asynchronous {
    use super::*;

    use std::{pin::Pin, time::Duration};

    use chaos_core::{Latency, inject_async};

    #[site("attribute.async", table = table, id = %id)]
    async fn waiting(table: &str, id: u64) -> io::Result<String> {
        tokio::task::yield_now().await;
        Ok(format!("{table}/{id}"))
    }

    fn is_send<T: Send>(value: T) -> T {
        value
    }

    #[tokio::test]
    async fn an_async_function_waits_where_it_is_awaited() {
        assert_eq!(is_send(waiting("orders", 7)).await.unwrap(), "orders/7");
        hit("attribute.async", "id", "7");
        assert_hit(waiting("orders", 7).await);
        assert_eq!(waiting("orders", 8).await.unwrap(), "orders/8");
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_gives_the_thread_back() {
        let mut shop = shop();
        let delay = Duration::from_secs(5);
        let fault = Fault::latency(Latency::fixed(delay).unwrap());
        let site = "attribute.async_method".parse().unwrap();
        shop.injector
            .put(Rule::new("r".parse().unwrap(), site, fault));
        let hung = tokio::time::timeout(Duration::from_secs(1), shop.async_method(3)).await;
        assert!(hung.is_err());
        assert_eq!(shop.async_method(3).await.unwrap(), "ner");
    }

    #[site("attribute.impl_future", id = %id)]
    fn impl_future(id: u64) -> impl Future<Output = Result<u64, Injected>> + Send {
        let next = id + 1;
        async move { Ok(next) }
    }

    /// What `#[async_trait]` makes of an `async fn`.
    trait Boxed {
        fn boxed<'a, 'f>(
            &'a self,
            id: u64,
        ) -> Pin<Box<dyn Future<Output = io::Result<u64>> + Send + 'f>>
        where
            'a: 'f,
            Self: 'f;
    }

    impl Boxed for Shop {
        #[site(injector: self.injector, "attribute.boxed", shop = self.name, id = %id)]
        fn boxed<'a, 'f>(
            &'a self,
            id: u64,
        ) -> Pin<Box<dyn Future<Output = io::Result<u64>> + Send + 'f>>
        where
            'a: 'f,
            Self: 'f,
        {
            Box::pin(async move {
                let this = self;
                Ok(id + this.name.len() as u64)
            })
        }
    }

    #[tokio::test]
    async fn a_function_that_returns_a_future_is_hit_when_that_is_polled() {
        assert_eq!(impl_future(7).await.unwrap(), 8);
        let early = impl_future(7);
        hit("attribute.impl_future", "id", "7");
        assert_hit(early.await);

        let shop = shop();
        assert_eq!(shop.boxed(1).await.unwrap(), 7);
        shop.injector.put(rule("r", "attribute.boxed"));
        assert_hit(shop.boxed(1).await);
    }

    #[site("attribute.size", id = %id)]
    async fn attribute(id: u64) -> Result<u64, Injected> {
        std::future::ready(()).await;
        Ok(id)
    }

    async fn by_hand(id: u64) -> Result<u64, Injected> {
        inject_async!("attribute.size_by_hand", id = %id).await?;
        std::future::ready(()).await;
        Ok(id)
    }

    async fn without(id: u64) -> Result<u64, Injected> {
        std::future::ready(()).await;
        Ok(id)
    }

    #[test]
    fn the_future_is_as_large_as_with_the_line_by_hand() {
        assert_eq!(size_of_val(&attribute(1)), size_of_val(&by_hand(1)));
        assert!(size_of_val(&attribute(1)) <= size_of_val(&without(1)) + 8);
    }
}

//! A function whose errors are of a type of its own, from another crate or by thiserror, is a site
//! without a conversion from `Injected`; and a rule can say what it returns.

use std::io;

use chaos_core::{Fault, Injected, Injector, Rule, global, inject, inject_async, site};
use serde::Deserialize;

/// An error type that does not convert from `Injected`, as `sqlx::Error` does not.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the pool: {0}")]
    Pool(#[source] io::Error),
    #[error("there is no order {0}")]
    Unknown(u64),
}

fn pool(injected: Injected) -> Error {
    Error::Pool(injected.into())
}

fn arm(injector: &Injector, site: &str, fault: Fault) {
    injector.put(Rule::new(
        site.parse().unwrap(),
        site.parse().unwrap(),
        fault,
    ));
}

fn assert_from_rule(error: &Error, rule: &str) {
    let injected = Injected::find(error).expect("the error holds the fault");
    assert_eq!(injected.rule().as_str(), rule);
}

#[test]
fn a_macro_makes_the_error() {
    fn read(injector: &Injector, id: u64) -> Result<u64, Error> {
        inject!("own.plain", err = pool)?;
        inject!("own.labels", err = |injected| Error::Pool(injected.into()), id = %id)?;
        inject!(injector: injector, "own.injector", err = |_| Error::Unknown(id), id = %id,)?;
        Ok(id)
    }
    let injector = Injector::new();
    assert_eq!(read(&injector, 1).unwrap(), 1);
    arm(&injector, "own.injector", Fault::error("x"));
    assert!(matches!(read(&injector, 2), Err(Error::Unknown(2))));
    for rule in ["own.labels", "own.plain"] {
        arm(global(), rule, Fault::error("x"));
        assert_from_rule(&read(&injector, 3).unwrap_err(), rule);
    }
}

#[tokio::test]
async fn an_async_macro_makes_the_error_when_it_is_awaited() {
    async fn read(injector: &Injector, id: u64) -> Result<u64, Error> {
        inject_async!("own.async", err = pool, id = %id).await?;
        inject_async!(injector: injector, "own.async_injector", err = |_| Error::Unknown(id))
            .await?;
        Ok(id)
    }
    let injector = Injector::new();
    assert_eq!(read(&injector, 1).await.unwrap(), 1);
    arm(&injector, "own.async_injector", Fault::error("x"));
    assert!(matches!(read(&injector, 2).await, Err(Error::Unknown(2))));
    arm(global(), "own.async", Fault::error("x"));
    assert_from_rule(&read(&injector, 3).await.unwrap_err(), "own.async");
}

#[test]
fn a_pass_with_an_error_of_ones_own_is_no_larger() {
    let pass = inject_async!("own.size", err = pool);
    assert_eq!(size_of_val(&pass), 8);
}

struct Orders {
    injector: Injector,
    name: String,
}

impl Orders {
    #[site(injector: &self.injector, "own.method", err = |_| Error::Unknown(id), of = self.name)]
    fn read(&self, id: u64) -> Result<u64, Error> {
        Ok(id)
    }

    // The order of `err` and the labels is free in the attribute.
    #[site(injector: &self.injector, "own.async_method", of = self.name, err = pool)]
    async fn write(&self, id: u64) -> Result<u64, Error> {
        Ok(id)
    }
}

#[tokio::test]
async fn the_attribute_makes_the_error() {
    let orders = Orders {
        injector: Injector::new(),
        name: "eu".to_owned(),
    };
    assert_eq!(orders.read(1).unwrap() + orders.write(1).await.unwrap(), 2);
    arm(&orders.injector, "own.method", Fault::error("x"));
    arm(&orders.injector, "own.async_method", Fault::error("x"));
    assert!(matches!(orders.read(2), Err(Error::Unknown(2))));
    assert_from_rule(&orders.write(2).await.unwrap_err(), "own.async_method");
}

#[derive(Debug, Deserialize, PartialEq)]
struct Stock {
    product: String,
    left: u32,
}

#[site("own.value", value, product = product)]
fn stock(product: &str) -> io::Result<Stock> {
    Ok(Stock {
        product: product.into(),
        left: 7,
    })
}

#[site("own.value_async", err = pool, value)]
async fn count() -> Result<u64, Error> {
    Ok(7)
}

#[tokio::test]
async fn a_function_returns_the_value_that_a_rule_gives() {
    assert_eq!(stock("tea").unwrap().left, 7);
    let empty = serde_json::json!({"product": "tea", "left": 0});
    arm(global(), "own.value", Fault::value(&empty).unwrap());
    assert_eq!(stock("tea").unwrap().left, 0);

    assert_eq!(count().await.unwrap(), 7);
    arm(global(), "own.value_async", Fault::value(&3).unwrap());
    assert_eq!(count().await.unwrap(), 3);
}

#[tokio::test]
async fn a_value_of_another_type_and_any_other_fault_is_an_error() {
    #[site("own.value_other", value)]
    fn number() -> io::Result<u8> {
        Ok(7)
    }
    arm(global(), "own.value_other", Fault::value(&"seven").unwrap());
    let error = number().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the value of the rule does not fit the site: invalid type: string \"seven\", expected u8 \
         at line 1 column 7 (injected at own.value_other by rule own.value_other)"
    );
    arm(global(), "own.value_other", Fault::error("down"));
    assert!(number().unwrap_err().to_string().starts_with("down "));
}

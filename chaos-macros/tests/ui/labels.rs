use chaos_core::{Injected, Injector, inject, inject_async};

struct Order {
    table: String,
    id: u64,
}

const NAME: &str = "ui.constant";

fn sync(order: &Order, injector: &Injector) -> Result<(), Injected> {
    inject!("ui.none")?;
    inject!("ui.trailing",)?;
    inject!(NAME, table = "orders")?;
    inject!("ui.all", table = order.table, id = %order.id, key = ?Some(order.id),)?;
    inject!(injector: injector, "ui.other", table = &order.table, id = %{ order.id + 1 })
}

async fn waiting(order: Order, injector: Injector) -> std::io::Result<()> {
    inject_async!("ui.none").await?;
    inject_async!("ui.all", table = order.table, id = %order.id).await?;
    inject_async!(injector: injector, "ui.other", id = %format!("{}", order.id)).await?;
    Ok(())
}

fn generic<T: std::fmt::Display>(value: T) -> Result<(), Injected> {
    inject!("ui.generic", value = %value)
}

/// Names that the macro could be thought to use for itself.
fn hygiene() -> Result<(), Injected> {
    const SITE: &str = "ui.site";
    const LISTED: &str = "ui.listed";
    let injector = Injector::new();
    inject!(SITE, site = SITE, listed = LISTED)?;
    inject!(injector: injector, LISTED, injector = SITE)
}

fn is_send(_: impl Send) {}

fn main() {
    let order = || Order { table: "orders".to_owned(), id: 7 };
    sync(&order(), &Injector::new()).unwrap();
    generic(7).unwrap();
    hygiene().unwrap();
    is_send(waiting(order(), Injector::new()));
}

use chaos_core::{Injected, site};

type Pass = Result<(), Injected>;

#[site("ui.text", table = "orders", id = 7)]
fn no_text() -> Pass {
    Ok(())
}

#[site(injector: 7, "ui.injector")]
fn no_injector() -> Pass {
    Ok(())
}

fn main() {
    no_text().unwrap();
    no_injector().unwrap();
}

use chaos_core::inject;

#[derive(Debug)]
enum ShopError {
    NoStock,
}

fn order() -> Result<(), ShopError> {
    inject!("ui.question_mark")?;
    Err(ShopError::NoStock)
}

fn main() {
    order().unwrap_err();
}

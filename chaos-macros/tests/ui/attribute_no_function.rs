use chaos_core::{Injected, site};

#[site("ui.struct")]
pub struct Struct;

#[site("ui.constant")]
const CONSTANT: u8 = 7;

#[site("ui.const_fn")]
pub const fn constant() -> Result<(), Injected> {
    Ok(())
}

trait Trait {
    #[site("ui.no_body")]
    fn no_body(&self) -> Result<(), Injected>;
}

fn main() {
    constant().unwrap();
    let _ = (Struct, CONSTANT);
}

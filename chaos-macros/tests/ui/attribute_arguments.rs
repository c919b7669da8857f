use chaos_core::{Injected, Injector, site};

type Pass = Result<(), Injected>;

#[site]
pub fn bare() -> Pass {
    Ok(())
}

#[site(injector: &_injector)]
pub fn no_name(_injector: Injector) -> Pass {
    Ok(())
}

#[site(name = "ui.name")]
pub fn named() -> Pass {
    Ok(())
}

#[site("ui.value", _table)]
pub fn no_value(_table: &str) -> Pass {
    Ok(())
}

#[site("ui.dotted", order.id = %_order)]
pub fn dotted(_order: u64) -> Pass {
    Ok(())
}

#[site("ui.empty", id = )]
pub fn empty() -> Pass {
    Ok(())
}

#[site("ui.comma" id = "7")]
pub fn no_comma() -> Pass {
    Ok(())
}

#[site("ui.late", crate = chaos_core)]
pub fn late() -> Pass {
    Ok(())
}

#[site("ui.word", valu)]
pub fn word() -> Pass {
    Ok(())
}

#[site("ui.closure", erro = |injected| injected)]
pub fn closure() -> Pass {
    Ok(())
}

fn main() {}

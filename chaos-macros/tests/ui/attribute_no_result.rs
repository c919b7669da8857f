use chaos_core::{Injected, site};

#[site("ui.nothing")]
fn nothing() {}

#[site("ui.unit")]
async fn unit() -> () {}

#[site("ui.number")]
fn number() -> u8 {
    7
}

#[derive(Debug)]
struct Own;

#[site("ui.own", id = %id)]
fn own(id: u8) -> Result<u8, Own> {
    Ok(id)
}

#[site("ui.own_async")]
async fn own_async() -> Result<u8, Own> {
    Ok(7)
}

#[site("ui.stored")]
fn stored() -> std::pin::Pin<Box<dyn Future<Output = Result<(), Injected>>>> {
    let future = Box::pin(async { Ok(()) });
    future
}

fn main() {
    // What is refused is still there: nobody who calls it is told off too.
    nothing();
    drop(unit());
    number();
    own(7).unwrap();
    drop(own_async());
    drop(stored());
}

//! The tests of the attribute, of the macros of chaos-core, and of what the compiler says of chaos-tower's layer.
//! They are compiled here, and not in those packages, because trybuild builds the development dependencies of the
//! package once more, and this one has few.

mod macros_compile;

//! The tests of the attribute, and of the macros of chaos-core. They are compiled here, and not in chaos-core,
//! because trybuild builds the development dependencies of the package once more, and this one has few.

mod macros_compile;

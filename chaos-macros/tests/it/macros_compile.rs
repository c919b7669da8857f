//! What the macros and the layer accept and refuse, as the compiler says it.

#[test]
fn good_uses_compile_and_bad_ones_say_why() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/labels.rs");
    cases.pass("tests/ui/forbid_unsafe.rs");
    cases.compile_fail("tests/ui/bad_name.rs");
    cases.compile_fail("tests/ui/label_without_text.rs");
    cases.pass("tests/ui/attribute_good.rs");
    cases.compile_fail("tests/ui/attribute_arguments.rs");
    cases.compile_fail("tests/ui/attribute_bad_name.rs");
    cases.compile_fail("tests/ui/attribute_no_function.rs");
    cases.compile_fail("tests/ui/attribute_no_result.rs");
    cases.compile_fail("tests/ui/attribute_values.rs");
    cases.compile_fail("tests/ui/own_errors.rs");
    cases.compile_fail("tests/ui/layer_of_other_bodies.rs");
    cases.compile_fail("tests/ui/question_mark.rs");
}

//! The macro that writes the field of a document once: the struct that serde reads and writes, and the
//! description that errors and the JSON Schema are made of.

/// Makes a struct that serde reads and writes, and the `Document` that describes it.
///
/// A field has a doc comment, which is its description in the schema, a type, and the `Shape` of what
/// it accepts. An optional field becomes an `Option`, and `null` is not taken for its absence.
macro_rules! document {
    (
        $(#[doc = $about:literal])+
        $Doc:ident as $name:literal $(, $note:literal)?;
        $(required {$(
            $(#[doc = $r_about:literal])+
            $r_field:ident $(as $r_name:literal)?: $R:ty = $r_shape:expr;
        )+})?
        $(optional {$(
            $(#[doc = $o_about:literal])+
            $o_field:ident $(as $o_name:literal)?: $O:ty = $o_shape:expr;
        )+})?
        $(ignored {$(
            $(#[doc = $i_about:literal])+
            $i_field:ident as $i_name:literal;
        )+})?
        $(rest $rest:expr;)?
        $(examples $examples:literal;)?
    ) => {
        $(#[doc = $about])+
        #[derive(Default, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(in crate::wire) struct $Doc {
            $($(
                $(#[serde(rename = $r_name)])?
                pub(in crate::wire) $r_field: $R,
            )+)?
            $($(
                $(#[serde(rename = $o_name)])?
                #[serde(
                    default,
                    skip_serializing_if = "Option::is_none",
                    deserialize_with = "crate::wire::form::given"
                )]
                pub(in crate::wire) $o_field: Option<$O>,
            )+)?
            $($(
                #[serde(default, rename = $i_name, skip_serializing)]
                $i_field: serde::de::IgnoredAny,
            )+)?
        }

        impl $crate::wire::shape::Documented for $Doc {
            fn document() -> &'static $crate::wire::shape::Document {
                use $crate::wire::shape::{Document, Field, Presence};
                static DOCUMENT: Document = Document {
                    name: $name,
                    about: &[$($about),+],
                    fields: &[
                        $($(Field {
                            name: $crate::wire::document::name!($r_field $($r_name)?),
                            about: &[$($r_about),+],
                            shape: $r_shape,
                            presence: Presence::Required,
                        },)+)?
                        $($(Field {
                            name: $crate::wire::document::name!($o_field $($o_name)?),
                            about: &[$($o_about),+],
                            shape: $o_shape,
                            presence: Presence::Optional,
                        },)+)?
                        $($(Field {
                            name: $i_name,
                            about: &[$($i_about),+],
                            shape: $crate::wire::shape::Shape::ANY
                                .allowing("anything, and ignores it"),
                            presence: Presence::Ignored,
                        },)+)?
                    ],
                    note: concat!($($note)?),
                    rest: $crate::wire::document::rest!($($rest)?),
                    examples: concat!($($examples)?),
                };
                &DOCUMENT
            }
        }
    };
}

macro_rules! name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $name:literal) => {
        $name
    };
}

macro_rules! rest {
    () => {
        None
    };
    ($rest:expr) => {
        Some($rest)
    };
}

pub(super) use {document, name, rest};

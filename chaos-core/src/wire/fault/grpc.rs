//! A gRPC status in JSON: a code, or an object with all of it.

use serde::{Deserialize, Serialize};

use super::{
    direction::{self, DIRECTION, DIRECTIONS},
    headers,
};
use crate::{
    call::direction::Direction,
    error::RuleError,
    fault::Fault,
    plan::{
        answer::AfterMessages,
        grpc::{GrpcCode, GrpcStatus},
    },
    wire::{
        document::document,
        form::{Form, Names, Whole},
        scalar::{meaning, not_zero, refuse},
        shape::{Documented, Shape},
    },
};

/// The code alone: a number or a name.
const CODE: Shape = Shape::either(&[
    Shape::whole(0, 16),
    Shape::word(|| {
        let codes = (0..=u8::MAX).map_while(|code| GrpcCode::new(code).ok());
        codes.map(GrpcCode::name).collect()
    }),
])
.allowing("a gRPC code, 0 to 16, or its name such as \"UNAVAILABLE\"");

pub(super) const GRPC: Shape = Shape::either(&[CODE, GrpcDoc::SHAPE]);

document! {
    /// A gRPC status.
    GrpcDoc as "GrpcFault", "`on` with `after_messages`, and the code OK with it alone";
    required {
        /// The code of the status.
        code: Form<Never> = CODE;
    }
    optional {
        /// The message of the status.
        message: String = Shape::TEXT;
        /// The details of the status.
        details: String = Shape::text(
            "a serialised google.rpc.Status in base64",
            "",
            "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2,3})?=*$",
        );
        /// The metadata that is sent with the status, such as `grpc-retry-pushback-ms`.
        metadata: Names<String> = METADATA;
        /// The number of messages of the stream that pass before the status is sent.
        after_messages: Whole<u32> = Shape::COUNT_32;
        /// The direction of the messages that are counted. The default is `response`.
        on: String = DIRECTION;
    }
}

const METADATA: Shape = Shape::map("^[0-9A-Za-z_.-]+$", &METADATA_VALUE).allowing(
    "an object of header names and values, each printable ASCII or, for a name that ends in `-bin`, base64; \
     none that the status sets itself (grpc-status, grpc-message, grpc-status-details-bin, content-type) or \
     that frames the message",
);

const METADATA_VALUE: Shape = Shape::text("the value of a header", "", "^([!-~]([ -~]*[!-~])?)?$");

/// No object is a code.
#[derive(Serialize, Deserialize)]
pub(in crate::wire) enum Never {}

pub(super) fn fault(doc: Form<GrpcDoc>) -> Result<Fault, RuleError> {
    let plain = |code: GrpcCode| match code {
        GrpcCode::OK => Err(refuse("OK is no failure")),
        code => Ok(Fault::grpc(GrpcStatus::new(code, "injected"))),
    };
    let doc = match doc {
        Form::Text(name) => return plain(by_name(&name)?),
        Form::Number(number) => return plain(by_number(number)?),
        Form::Object(doc) => doc,
    };
    let code = match doc.code {
        Form::Text(name) => by_name(&name),
        Form::Number(number) => by_number(number),
        Form::Object(never) => match never {},
    };
    let message = doc.message.as_deref().unwrap_or("injected");
    let mut status = GrpcStatus::new(code.map_err(GrpcDoc::at("code"))?, message);
    if let Some(details) = &doc.details {
        status = status.details(details).map_err(GrpcDoc::at("details"))?;
    }
    let mut names = Vec::new();
    for (name, value) in doc.metadata.unwrap_or_default().0 {
        let refused = GrpcDoc::within("metadata");
        let name = headers::parsed_name(&name).map_err(&refused)?;
        if names.contains(&name) {
            return Err(refused(refuse(format_args!("{name:?} occurs twice"))));
        }
        names.push(name.clone());
        status = status
            .metadata(name, &value)
            .map_err(|error| refused(refuse(error.problem())))?;
    }
    let on = doc.on.as_deref().map(|on| meaning(DIRECTIONS, on));
    let on = on.transpose().map_err(GrpcDoc::within("on"))?;
    match doc.after_messages {
        None if status.code() == GrpcCode::OK => Err(GrpcDoc::refuse(
            "code",
            "OK is no failure without after_messages",
        )),
        None if on.is_some() => Err(GrpcDoc::refuse("on", "without after_messages")),
        None => Ok(Fault::grpc(status)),
        Some(Whole(count)) => {
            let count = not_zero(count).map_err(GrpcDoc::within("after_messages"))?;
            Ok(Fault::grpc_after(
                status,
                count,
                on.unwrap_or(Direction::Response),
            ))
        }
    }
}

fn by_name(name: &str) -> Result<GrpcCode, RuleError> {
    GrpcCode::from_name(name).map_err(|error| error.at(""))
}

fn by_number(number: u64) -> Result<GrpcCode, RuleError> {
    GrpcCode::new(u8::try_from(number).unwrap_or(u8::MAX))
        .map_err(|_| refuse(format_args!("{number} is no gRPC code")))
}

pub(super) fn doc(status: &GrpcStatus, after: Option<AfterMessages>) -> Form<GrpcDoc> {
    Form::Object(GrpcDoc {
        code: Form::Text(status.code().name().to_owned()),
        message: Some(status.message().to_owned()),
        details: status.details_base64().map(String::from),
        metadata: headers::named(status.metadata_pairs()),
        after_messages: after.map(|after| Whole(after.count.get())),
        on: after.and_then(|after| direction::doc(after.direction)),
    })
}

//! An HTTP answer in JSON: a status, or an object with all of it.

use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;

use super::headers::{HEADERS, VALUE, header_value, named, pairs, text};
use crate::{
    error::RuleError,
    fault::Fault,
    plan::answer::HttpAnswer,
    wire::{
        document::document,
        form::{Form, Names, Whole},
        scalar::refuse,
        shape::{Documented, Shape},
    },
};

const CODE: Shape = Shape::whole(200, 599).allowing("200 to 599");

pub(super) const STATUS: Shape = Shape::either(&[CODE, StatusDoc::SHAPE]);

document! {
    /// An HTTP answer.
    StatusDoc as "StatusFault", "body or json";
    required {
        /// The status of the answer.
        code: Whole<u16> = CODE;
    }
    optional {
        /// The body of the answer, as text.
        body: String = Shape::TEXT;
        /// The body of the answer, as JSON.
        json: Value = Shape::JSON;
        /// The headers of the answer. A header that frames the message is not allowed.
        headers: Names<String> = HEADERS;
        /// The content type of the body.
        content_type: String = VALUE.allowing("a media type");
    }
}

pub(super) fn fault(doc: Form<StatusDoc>) -> Result<Fault, RuleError> {
    let doc = match doc {
        Form::Text(text) => return Err(refuse(format_args!("the text {text:?} is no number"))),
        Form::Number(number) => {
            let code = u16::try_from(number);
            let code =
                code.map_err(|_| refuse(format_args!("{number} is no status of an answer")))?;
            return Fault::status(code).map_err(|error| error.at(""));
        }
        Form::Object(doc) => doc,
    };
    let mut answer = HttpAnswer::new(doc.code.0).map_err(StatusDoc::at("code"))?;
    let content_type = doc.content_type.as_deref().map(header_value);
    let content_type = content_type
        .transpose()
        .map_err(StatusDoc::within("content_type"))?;
    let plain = || HeaderValue::from_static("text/plain; charset=utf-8");
    let json = || HeaderValue::from_static("application/json");
    match (doc.body, doc.json) {
        (Some(_), Some(_)) => return Err(refuse("both body and json")),
        // Some clients write it for a field that is left out.
        (None, Some(Value::Null)) => return Err(StatusDoc::refuse("json", "null is no body")),
        (Some(body), None) => answer = answer.body(body, content_type.unwrap_or_else(plain)),
        (None, Some(value)) => {
            answer = answer.body(value.to_string(), content_type.unwrap_or_else(json));
        }
        (None, None) => {
            if let Some(content_type) = content_type {
                let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]);
                answer = answer.headers(headers)?;
            }
        }
    }
    let mut headers = HeaderMap::new();
    let given = pairs(doc.headers.unwrap_or_default());
    for (name, value) in given.map_err(StatusDoc::within("headers"))? {
        headers.insert(name, value);
    }
    answer.headers(headers).map(Fault::answer)
}

pub(super) fn doc(answer: &HttpAnswer) -> Form<StatusDoc> {
    let code = answer.status.as_u16();
    if answer.header_map().is_empty() && answer.content().is_none() {
        return Form::Number(code.into());
    }
    let mut headers = answer.header_map().clone();
    let content_type = headers.remove(header::CONTENT_TYPE).as_ref().map(text);
    let body = answer.content();
    let body = body.map(|body| String::from_utf8_lossy(body).into_owned());
    // As `json`, where that says the same.
    let is_json = content_type.as_deref() == Some("application/json");
    let value = body.as_deref().filter(|_| is_json);
    let value: Option<Value> = value.and_then(|body| serde_json::from_str(body).ok());
    let value = value.filter(|value| !value.is_null() && Some(value.to_string()) == body);
    let plain = body.is_some() && content_type.as_deref() == Some("text/plain; charset=utf-8");
    Form::Object(StatusDoc {
        code: Whole(code),
        body: body.filter(|_| value.is_none()),
        content_type: content_type.filter(|_| value.is_none() && !plain),
        json: value,
        headers: named(&headers),
    })
}

//! The input of the macro: JSON with expressions, each value with its place.

use chaos_core::{RuleError, wire};
use proc_macro2::{Span, TokenStream};
use syn::{
    Expr, ExprLit, ExprUnary, Lit, LitStr, Token, UnOp, braced, bracketed,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    spanned::Spanned,
    token,
};

/// The fields of a rule.
pub(crate) struct Input {
    /// As they were written, without the braces around them.
    pub(crate) fields: TokenStream,
    pub(crate) object: Object,
}

pub(crate) struct Object(pub(crate) Punctuated<Field, Token![,]>);

pub(crate) struct Field {
    pub(crate) name: LitStr,
    pub(crate) value: Value,
}

pub(crate) struct Value {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    Object(Object),
    List(Punctuated<Value, Token![,]>),
    /// A number, a text, `true`, `false` or `null`, in JSON.
    Literal(String),
    /// What is known at run time.
    Expression,
}

impl Input {
    /// Returns whether the rule names itself.
    fn has_id(&self) -> bool {
        self.object.get("id").is_some()
    }

    /// Returns the id of a rule that does not name itself.
    pub(crate) fn default_id(&self) -> Option<String> {
        (!self.has_id()).then(|| self.place())
    }

    /// Returns the file, line and column of the macro.
    pub(crate) fn place(&self) -> String {
        let place = Span::call_site().unwrap();
        let path = place.file();
        let file = path.rsplit(['/', '\\']).next().unwrap_or_default();
        let is_of_id = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
        let file: String = file.chars().filter(is_of_id).take(64).collect();
        format!("{file}:{}:{}", place.line(), place.column())
    }

    /// Checks a rule of literals, and returns its JSON. Returns `None` if a value is an expression: such a rule is
    /// checked by
    /// [`check_literals`](Self::check_literals) as far as it is known, and again when it is evaluated.
    pub(crate) fn checked(&self) -> syn::Result<Option<String>> {
        let mut json = String::new();
        if !self.object.write(&mut json) {
            return Ok(None);
        }
        let id = self.default_id();
        match wire::rule_from_json(json.as_bytes(), id.as_deref()) {
            Ok(_) => Ok(Some(json)),
            Err(error) => Err(self.at_its_place(&error)),
        }
    }

    /// Returns the error at the value of its field, or of the last one above it that is there.
    pub(crate) fn at_its_place(&self, error: &RuleError) -> syn::Error {
        let span = place(&self.object, error.field()).unwrap_or_else(Span::call_site);
        syn::Error::new(span, error)
    }
}

/// Returns the place of a field such as `faults[0].latency`.
fn place(object: &Object, path: &str) -> Option<Span> {
    let mut found: Option<&Value> = None;
    // A name may have dots, such as that of a header, so the longest name that is there is taken.
    let (mut object, mut path) = (Some(object), path);
    while !path.is_empty() {
        let (value, rest) = match path.strip_prefix('[') {
            Some(rest) => {
                let (index, rest) = rest.split_once(']')?;
                let Some(Kind::List(values)) = found.map(|value| &value.kind) else {
                    break;
                };
                (values.get(index.parse().ok()?), rest)
            }
            None => {
                let fields = object.iter().flat_map(|object| &object.0);
                let named = fields.filter_map(|field| {
                    let rest = path.strip_prefix(&*field.name.value())?;
                    let is_whole = rest.is_empty() || rest.starts_with(['.', '[']);
                    is_whole.then_some((Some(&field.value), rest))
                });
                named.min_by_key(|(_, rest)| rest.len()).unwrap_or_default()
            }
        };
        let Some(value) = value else { break };
        object = match &value.kind {
            Kind::Object(object) => Some(object),
            _ => None,
        };
        found = Some(value);
        path = rest.trim_start_matches('.');
    }
    found.map(|value| value.span)
}

impl Object {
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        let field = self.0.iter().find(|field| field.name.value() == name)?;
        Some(&field.value)
    }

    /// Writes JSON. Returns `false` if a value is known at run time only.
    fn write(&self, json: &mut String) -> bool {
        write_all(json, "{}", &self.0, |field, json| {
            json.push_str(&text(&field.name));
            json.push(':');
            field.value.write(json)
        })
    }
}

impl Value {
    pub(crate) fn write(&self, json: &mut String) -> bool {
        match &self.kind {
            Kind::Object(object) => object.write(json),
            Kind::List(values) => write_all(json, "[]", values, Value::write),
            Kind::Literal(literal) => {
                json.push_str(literal);
                true
            }
            Kind::Expression => false,
        }
    }
}

fn write_all<T>(
    json: &mut String,
    brackets: &str,
    all: &Punctuated<T, Token![,]>,
    write: impl Fn(&T, &mut String) -> bool,
) -> bool {
    let (open, close) = brackets.split_at(1);
    json.push_str(open);
    for (at, one) in all.iter().enumerate() {
        json.push_str(if at > 0 { "," } else { "" });
        if !write(one, json) {
            return false;
        }
    }
    json.push_str(close);
    true
}

pub(crate) fn text(text: &LitStr) -> String {
    serde_json::Value::from(text.value()).to_string()
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let fields: TokenStream = match input.peek(token::Brace) {
            true => {
                let fields;
                braced!(fields in input);
                fields.parse()?
            }
            false => input.parse()?,
        };
        if !input.is_empty() {
            return Err(input.error("unexpected tokens after the rule"));
        }
        Ok(Self {
            object: syn::parse2(fields.clone())?,
            fields,
        })
    }
}

impl Parse for Object {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Punctuated::parse_terminated(input).map(Self)
    }
}

impl Parse for Field {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(LitStr) {
            return Err(input.error("expected the name of a field in quotes, as in JSON"));
        }
        let name = input.parse()?;
        input.parse::<Token![:]>()?;
        let value = input.parse()?;
        Ok(Self { name, value })
    }
}

impl Parse for Value {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(token::Brace) {
            let fields;
            let span = braced!(fields in input).span.join();
            let kind = Kind::Object(fields.parse()?);
            return Ok(Self { span, kind });
        }
        if input.peek(token::Bracket) {
            let values;
            let span = bracketed!(values in input).span.join();
            let kind = Kind::List(Punctuated::parse_terminated(&values)?);
            return Ok(Self { span, kind });
        }
        let expression: Expr = input.parse()?;
        let span = expression.span();
        let literal = match &expression {
            Expr::Path(path) if path.path.is_ident("null") => Some("null".to_owned()),
            Expr::Unary(ExprUnary {
                op: UnOp::Neg(_),
                expr,
                ..
            }) => literal(expr).map(|number| format!("-{number}")),
            _ => literal(&expression),
        };
        let kind = literal.map_or(Kind::Expression, Kind::Literal);
        Ok(Self { span, kind })
    }
}

/// Returns a literal in JSON; `None` if JSON has none of its kind.
fn literal(expression: &Expr) -> Option<String> {
    let Expr::Lit(ExprLit { lit, .. }) = expression else {
        return None;
    };
    match lit {
        Lit::Str(string) => Some(text(string)),
        Lit::Int(number) => Some(number.base10_digits().to_owned()),
        Lit::Float(number) => Some(number.base10_digits().to_owned()),
        Lit::Bool(flag) => Some(flag.value.to_string()),
        _ => None,
    }
}

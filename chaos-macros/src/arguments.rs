//! Parsing of the attribute's arguments: the injector, the name of the site, and its labels.

use proc_macro2::{Group, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{
    Error, Expr, Ident, Path, Result, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream},
};

mod keyword {
    syn::custom_keyword!(injector);
}

const FORM: &str = "`#[site(\"name\")]`, `#[site(\"name\", label = value, …)]` or \
                    `#[site(injector: injector, \"name\", …)]`";

/// The arguments of the attribute. They have the syntax of the `inject!` macro's arguments, to
/// which they are passed on.
pub(crate) struct Arguments {
    /// The path of chaos-core, if the argument `crate = path` gives one.
    krate: Option<Path>,
    passed_on: TokenStream,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut krate = None;
        if input.peek(Token![crate]) && input.peek2(Token![=]) {
            input.parse::<Token![crate]>()?;
            input.parse::<Token![=]>()?;
            krate = Some(input.call(Path::parse_mod_style)?);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        let passed_on = input.fork().parse()?;
        check(input)?;
        Ok(Self { krate, passed_on })
    }
}

/// Checks the syntax of the arguments, so that an error names what is wrong. The error of `inject!`
/// would only be that no rule of the macro matches.
fn check(input: ParseStream<'_>) -> Result<()> {
    if input.peek(keyword::injector) && input.peek2(Token![:]) && !input.peek2(Token![::]) {
        input.parse::<keyword::injector>()?;
        input.parse::<Token![:]>()?;
        input.parse::<Expr>()?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    if input.is_empty() {
        let problem = format!("the site has no name; allowed: {FORM}");
        return Err(Error::new(input.span(), problem));
    }
    let name = input.parse::<Expr>()?;
    if matches!(name, Expr::Assign(_)) {
        let problem = format!("the labels stand before the name of the site; allowed: {FORM}");
        return Err(Error::new_spanned(name, problem));
    }
    while !input.is_empty() {
        input.parse::<Token![,]>()?;
        if input.is_empty() {
            break;
        }
        label(input)?;
    }
    Ok(())
}

/// Checks the syntax of one label.
fn label(input: ParseStream<'_>) -> Result<()> {
    let is_label = input.peek(Ident::peek_any) && input.peek2(Token![=]);
    if !is_label || input.peek2(Token![==]) {
        let forms =
            "this is not a label; allowed: `name = text`, `name = %display` or `name = ?debug`";
        return Err(input.error(forms));
    }
    if input.peek(Token![crate]) {
        return Err(input.error("`crate = path` is not the first argument"));
    }
    input.call(Ident::parse_any)?;
    input.parse::<Token![=]>()?;
    if input.peek(Token![%]) {
        input.parse::<Token![%]>()?;
    } else {
        input.parse::<Option<Token![?]>>()?;
    }
    input.parse::<Expr>()?;
    Ok(())
}

impl Arguments {
    /// Returns a call of the macro called `name` with these arguments.
    ///
    /// The compiler reports errors of a macro at the span of its call. The call spans the arguments
    /// from the first to the last token.
    pub(crate) fn call(&self, name: &str) -> TokenStream {
        let (first, last) = self.ends();
        let name = Ident::new(name, first);
        let krate = match &self.krate {
            Some(path) => path.to_token_stream(),
            None => quote_spanned!(first=> ::chaos_core),
        };
        let delimiter = proc_macro2::Delimiter::Parenthesis;
        let mut brackets = Group::new(delimiter, self.passed_on.clone());
        brackets.set_span(last);
        quote_spanned!(first=> #krate::#name! #brackets)
    }

    /// Returns the spans of the first and the last token, for generated code.
    fn ends(&self) -> (Span, Span) {
        let mut spans = self.passed_on.clone().into_iter().map(|token| token.span());
        let ours = |span| Span::mixed_site().located_at(span);
        let first = spans.next().map_or_else(Span::mixed_site, ours);
        (first, spans.last().map_or(first, ours))
    }
}

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
    syn::custom_keyword!(err);
    syn::custom_keyword!(value);
}

const FORM: &str = "`#[site(\"name\")]` or `#[site(injector: injector, \"name\")]`, and after the name \
                    `err = …`, the word `value`, and labels such as `label = text`";

/// The arguments of the attribute.
pub(crate) struct Arguments {
    /// The path of chaos-core, if the argument `crate = path` gives one.
    krate: Option<Path>,
    /// What is passed on to `inject!`: the injector, the name, `err = …` unless the word `value` is
    /// there, and the labels.
    passed_on: TokenStream,
    /// What makes the error from the injected fault: `err = …`.
    error: Option<Expr>,
    /// The word `value`: the function returns the value of a `value` fault.
    value: Option<keyword::value>,
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
        let mut passed_on = injector_and_name(input)?;
        let mut labels = TokenStream::new();
        let (mut error, mut value) = (None, None);
        while !input.is_empty() {
            let comma = input.parse::<Token![,]>()?;
            if input.peek(keyword::err) && input.peek2(Token![=]) && error.is_none() {
                input.parse::<keyword::err>()?;
                input.parse::<Token![=]>()?;
                error = Some(input.parse()?);
            } else if input.peek(keyword::value) && !input.peek2(Token![=]) && value.is_none() {
                value = Some(input.parse()?);
            } else if !input.is_empty() {
                comma.to_tokens(&mut labels);
                labels.extend(taken(input, label)?);
            }
        }
        if let (Some(error), None) = (&error, &value) {
            passed_on.extend(quote_spanned!(Span::mixed_site()=> , err = #error));
        }
        passed_on.extend(labels);
        Ok(Self {
            krate,
            passed_on,
            error,
            value,
        })
    }
}

/// Parses and returns the injector, if there is one, and the name.
///
/// The syntax is checked here and by [`label`], so that an error names what is wrong. The error of
/// `inject!` would only be that no rule of the macro matches.
fn injector_and_name(input: ParseStream<'_>) -> Result<TokenStream> {
    taken(input, |input| {
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
        Ok(())
    })
}

/// Returns the tokens that `parse` takes.
fn taken(
    input: ParseStream<'_>,
    parse: impl FnOnce(ParseStream<'_>) -> Result<()>,
) -> Result<TokenStream> {
    let all = input.fork().parse::<TokenStream>()?;
    parse(input)?;
    let left = input.fork().parse::<TokenStream>()?.into_iter().count();
    let count = all.clone().into_iter().count() - left;
    Ok(all.into_iter().take(count).collect())
}

/// Checks the syntax of one label.
fn label(input: ParseStream<'_>) -> Result<()> {
    let is_label = input.peek(Ident::peek_any) && input.peek2(Token![=]);
    if input.peek(keyword::value) && !is_label {
        return Err(input.error("`value` is given twice"));
    }
    if !is_label || input.peek2(Token![==]) {
        let forms = "this is not a label; allowed: `name = text`, `name = %display` or `name = ?debug`; \
                     `err = …`, which makes the error; the word `value`";
        return Err(input.error(forms));
    }
    if input.peek(Token![crate]) {
        return Err(input.error("`crate = path` is not the first argument"));
    }
    if input.peek(keyword::err) {
        return Err(input.error("`err = …` is given twice"));
    }
    input.call(Ident::parse_any)?;
    input.parse::<Token![=]>()?;
    if input.peek(Token![%]) {
        input.parse::<Token![%]>()?;
    } else {
        input.parse::<Option<Token![?]>>()?;
    }
    let value = input.parse::<Expr>()?;
    if matches!(value, Expr::Closure(_)) {
        let problem =
            "a label is not a closure; the closure that makes the error is given as `err = …`";
        return Err(Error::new_spanned(value, problem));
    }
    Ok(())
}

impl Arguments {
    /// Returns a statement that returns from the function if `pass`, a call of [`Self::call`],
    /// evaluates to an injected fault.
    ///
    /// If the function's error type does not convert, the compiler reports it at the span `returned`.
    pub(crate) fn return_if_injected(&self, pass: &TokenStream, returned: Span) -> TokenStream {
        let at = Span::mixed_site().located_at(returned);
        let krate = self.krate(at);
        let injected = Ident::new("injected", at);
        let result = match (&self.value, &self.error) {
            (None, None) => quote_spanned!(at=> #krate::__private::error(#injected)),
            // The macro has made the error already.
            (None, Some(_)) => quote_spanned!(at=> ::core::result::Result::Err(#injected)),
            (Some(word), None) => quote_spanned!(word.span=> #krate::__private::value(#injected)),
            (Some(word), Some(map)) => {
                quote_spanned!(word.span=> #krate::__private::value(#injected).map_err(#map))
            }
        };
        quote_spanned! {at=>
            if let ::core::result::Result::Err(#injected) = #pass {
                return #result;
            }
        }
    }

    /// Returns the path of chaos-core, for an error at the span `at`.
    fn krate(&self, at: Span) -> TokenStream {
        match &self.krate {
            Some(path) => path.to_token_stream(),
            None => quote_spanned!(at=> ::chaos_core),
        }
    }

    /// Returns a call of the macro called `name` with these arguments.
    ///
    /// The compiler reports errors of a macro at the span of its call. The call spans the arguments
    /// from the first to the last token.
    pub(crate) fn call(&self, name: &str) -> TokenStream {
        let (first, last) = self.ends();
        let name = Ident::new(name, first);
        let krate = self.krate(first);
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

//! What stands in the brackets: which site, of which injector, with which labels.

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

/// What is handed on to the macro, which has the same syntax.
pub(crate) struct Arguments {
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

/// Says what is wrong in the user's own words; the macro would only find that no rule matches.
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
        let problem = format!("a site has a name: {FORM}");
        return Err(Error::new(input.span(), problem));
    }
    let name = input.parse::<Expr>()?;
    if matches!(name, Expr::Assign(_)) {
        let problem = format!("the name of the site comes before its labels: {FORM}");
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

fn label(input: ParseStream<'_>) -> Result<()> {
    let is_label = input.peek(Ident::peek_any) && input.peek2(Token![=]);
    if !is_label || input.peek2(Token![==]) {
        let forms = "a label is `name = text`, `name = %display` or `name = ?debug`";
        return Err(input.error(forms));
    }
    if input.peek(Token![crate]) {
        return Err(input.error("`crate = path` comes first"));
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
    /// A call of the macro of this name.
    ///
    /// The compiler says of a macro's errors that they are where its call is: from the first to the
    /// last of what the user wrote in the brackets.
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

    /// The spans of the first and the last token, for code that is not the user's.
    fn ends(&self) -> (Span, Span) {
        let mut spans = self.passed_on.clone().into_iter().map(|token| token.span());
        let ours = |span| Span::mixed_site().located_at(span);
        let first = spans.next().map_or_else(Span::mixed_site, ours);
        (first, spans.last().map_or(first, ours))
    }
}

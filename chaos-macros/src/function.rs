//! The function, and where in it the line goes.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Attribute, Block, Error, Expr, Ident, LitStr, Result, ReturnType, Signature, Stmt, Token, Type,
    TypeParamBound, Visibility, braced,
    ext::IdentExt,
    parse::{Parse, ParseStream},
    spanned::Spanned,
    token::Brace,
};

use crate::arguments::Arguments;

/// A function whose body has not been looked into: it is the compiler's to understand.
pub(crate) struct Function {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    signature: Signature,
    brace: Brace,
    inner_attributes: Vec<Attribute>,
    body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        if !is_function(&input.fork()) {
            return Err(input.error("a site is a function; this is none"));
        }
        let signature = input.parse()?;
        if input.peek(Token![;]) {
            let problem = "a site needs a body: put `#[site]` on each function that has one";
            return Err(Error::new_spanned(signature, problem));
        }
        let content;
        Ok(Self {
            attributes,
            visibility,
            signature,
            brace: braced!(content in input),
            inner_attributes: content.call(Attribute::parse_inner)?,
            body: content.parse()?,
        })
    }
}

/// Whether `fn` comes after no more than may stand before it.
fn is_function(input: ParseStream<'_>) -> bool {
    while let Ok(word) = input.call(Ident::parse_any) {
        match word.to_string().as_str() {
            "fn" => return true,
            // Its text is optional.
            "extern" => drop(input.parse::<Option<LitStr>>()),
            "async" | "const" | "unsafe" => {}
            _ => return false,
        }
    }
    false
}

impl Function {
    /// The same function, passing the site first.
    pub(crate) fn passing(self, arguments: &Arguments) -> Result<TokenStream> {
        let signature = &self.signature;
        if let Some(word) = &signature.constness {
            let problem = "a `const fn` cannot be a site: whether a fault happens is not constant";
            return Err(Error::new_spanned(word, problem));
        }
        let returned = match &signature.output {
            ReturnType::Type(_, returned) if !is_unit(returned) => returned,
            ReturnType::Type(_, unit) => return Err(no_result(unit)),
            ReturnType::Default => return Err(no_result(&signature.ident)),
        };
        // An error that does not convert is the return type's; the compiler points at one character.
        let last = returned.to_token_stream().into_iter().last();
        let last = last.map_or_else(|| returned.span(), |token| token.span());
        let question = Span::mixed_site().located_at(last);
        let question = quote_spanned!(question=> ?);
        let asynchronous = || {
            let pass = arguments.call("inject_async");
            quote!(#pass.await #question)
        };
        let body = &self.body;
        let body = if signature.asyncness.is_some() {
            let pass = asynchronous();
            quote!(#pass; #body)
        } else if is_future(returned) {
            in_block(body, returned, asynchronous())?
        } else {
            let pass = arguments.call("inject");
            quote!(#pass #question; #body)
        };
        Ok(self.around(&body))
    }

    fn around(&self, body: &TokenStream) -> TokenStream {
        let (attributes, visibility) = (&self.attributes, &self.visibility);
        let (signature, inner) = (&self.signature, &self.inner_attributes);
        let mut function = quote!(#(#attributes)* #visibility #signature);
        self.brace.surround(&mut function, |content| {
            content.extend(quote!(#(#inner)* #body));
        });
        function
    }
}

fn no_result(at: impl ToTokens) -> Error {
    let problem = "an injected fault is an error of the function: \
                   it must return a `Result<_, E>`, with `E: From<chaos_core::Injected>`";
    Error::new_spanned(at, problem)
}

fn is_unit(returned: &Type) -> bool {
    matches!(returned, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// Whether the function is one that returns a future, by the names that such types have.
fn is_future(returned: &Type) -> bool {
    let last = |path: &syn::Path| {
        path.segments
            .last()
            .map(|segment| segment.ident.to_string())
    };
    match returned {
        Type::Path(path) => matches!(
            last(&path.path).as_deref(),
            Some("Pin" | "BoxFuture" | "LocalBoxFuture")
        ),
        Type::ImplTrait(returned) => returned.bounds.iter().any(|bound| {
            matches!(bound, TypeParamBound::Trait(bound) if last(&bound.path).as_deref() == Some("Future"))
        }),
        _ => false,
    }
}

/// Puts `pass` at the start of the `async` block that the body ends in.
fn in_block(body: &TokenStream, returned: &Type, pass: TokenStream) -> Result<TokenStream> {
    let mut statements = syn::parse::Parser::parse2(Block::parse_within, body.clone())?;
    let block = match statements.last_mut() {
        Some(Stmt::Expr(last, None)) => async_block(last),
        _ => None,
    };
    let Some(block) = block else {
        let problem = "a site that returns a future is an `async fn`, or ends in \
                       `async move { … }` or `Box::pin(async move { … })`";
        return Err(Error::new_spanned(returned, problem));
    };
    let semicolon = Some(Token![;](Span::mixed_site()));
    let pass = Stmt::Expr(Expr::Verbatim(pass), semicolon);
    block.stmts.insert(0, pass);
    Ok(quote!(#(#statements)*))
}

fn async_block(expression: &mut Expr) -> Option<&mut Block> {
    match expression {
        Expr::Async(expression) => Some(&mut expression.block),
        Expr::Call(call) if call.args.len() == 1 => match &*call.func {
            Expr::Path(path) if path.path.segments.last()?.ident == "pin" => {
                async_block(call.args.first_mut()?)
            }
            _ => None,
        },
        Expr::MethodCall(call) if call.method == "boxed" || call.method == "boxed_local" => {
            async_block(&mut call.receiver)
        }
        _ => None,
    }
}

//! Parsing of the function, and insertion of the call that passes the site.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Attribute, Block, Error, Expr, Ident, LitStr, Result, ReturnType, Signature, Stmt, Token, Type,
    TypeParamBound, Visibility, braced,
    ext::IdentExt,
    parse::{Parse, ParseStream},
    spanned::Spanned,
    token::Brace,
};

use crate::arguments::Arguments;

/// A function whose body is kept as tokens. The compiler parses it.
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
            return Err(input.error("`#[site]` is on an item that is not a function"));
        }
        let signature = input.parse()?;
        if input.peek(Token![;]) {
            let problem = "a function without a body cannot be a site; put `#[site]` on the functions that implement it";
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

/// Returns whether the item is a function: whether only qualifiers precede `fn`.
fn is_function(input: ParseStream<'_>) -> bool {
    while let Ok(word) = input.call(Ident::parse_any) {
        match word.to_string().as_str() {
            "fn" => return true,
            // The name of the ABI is optional.
            "extern" => drop(input.parse::<Option<LitStr>>()),
            "async" | "const" | "unsafe" => {}
            _ => return false,
        }
    }
    false
}

impl Function {
    /// Returns the function with a call that passes the site inserted at its start.
    pub(crate) fn passing(self, arguments: &Arguments) -> Result<TokenStream> {
        let signature = &self.signature;
        if let Some(word) = &signature.constness {
            let problem = "a `const fn` cannot be a site, because faults are injected at run time";
            return Err(Error::new_spanned(word, problem));
        }
        let returned = match &signature.output {
            ReturnType::Type(_, returned) if !is_unit(returned) => returned,
            ReturnType::Type(_, unit) => return Err(no_result(unit)),
            ReturnType::Default => return Err(no_result(&signature.ident)),
        };
        // If the error type does not convert, the compiler reports it at this span, which is a
        // token of the return type.
        let last = returned.to_token_stream().into_iter().last();
        let last = last.map_or_else(|| returned.span(), |token| token.span());
        let asynchronous = || {
            let pass = arguments.call("inject_async");
            arguments.return_if_injected(&quote!(#pass.await), last)
        };
        let body = &self.body;
        let body = if signature.asyncness.is_some() {
            let pass = asynchronous();
            quote!(#pass #body)
        } else if is_future(returned) {
            in_block(body, returned, asynchronous())?
        } else {
            let pass = arguments.return_if_injected(&arguments.call("inject"), last);
            quote!(#pass #body)
        };
        Ok(self.around(&body))
    }

    /// Returns the function with another body.
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

/// Returns the error for a function that cannot return an injected fault.
fn no_result(at: impl ToTokens) -> Error {
    let problem = "a site must return `Result<_, E>`, because an injected fault is returned as an error, which \
                   `E: From<chaos_core::Injected>` or `err = …` makes";
    Error::new_spanned(at, problem)
}

fn is_unit(returned: &Type) -> bool {
    matches!(returned, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// Returns whether the return type is a future. It is recognized by the usual names of such types.
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

/// Inserts `pass` at the start of the `async` block with which the body ends.
fn in_block(body: &TokenStream, returned: &Type, pass: TokenStream) -> Result<TokenStream> {
    let mut statements = syn::parse::Parser::parse2(Block::parse_within, body.clone())?;
    let block = match statements.last_mut() {
        Some(Stmt::Expr(last, None)) => async_block(last),
        _ => None,
    };
    let Some(block) = block else {
        let problem = "a site that returns a future must be an `async fn`, or end in \
                       `async move { … }` or `Box::pin(async move { … })`";
        return Err(Error::new_spanned(returned, problem));
    };
    let pass = Stmt::Expr(Expr::Verbatim(pass), None);
    block.stmts.insert(0, pass);
    Ok(quote!(#(#statements)*))
}

/// Returns the `async` block in the last expression of a function, as such or in `Box::pin(…)`,
/// `….boxed()` or `….boxed_local()`.
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

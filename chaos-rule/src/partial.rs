//! The check of a rule with expressions: what does not depend on their values.

use chaos_core::wire;

use crate::json::{Field, Input, Kind, Object, Value, text};

/// A fault that can stand wherever any fault can: before one that ends the call, or behind it, where only what acts on
/// the response can. Of a choice, one option that can happen is enough.
const FAULT: &str =
    r#"{"one_of":[{"fault":{"latency":"0s"}},{"fault":{"latency":"0s","when":"after"}}]}"#;

impl Input {
    /// Checks the names of all fields, and the values of those whose check needs no other field that may be an
    /// expression.
    pub(crate) fn check_literals(&self) -> syn::Result<()> {
        self.object.check_names("", "", "")?;
        let id = self.place();
        let id = (!self.object.get("id").is_some_and(Value::is_literal)).then_some(&*id);
        let checked = wire::rule_from_json(self.with_stand_ins().as_bytes(), id);
        checked.map(drop).map_err(|error| self.at_its_place(&error))
    }

    /// Returns the JSON of the rule with a site, and with faults, in place of expressions.
    ///
    /// Some fields are valid only beside others. So if an expression is in another field than the id and the site,
    /// only the fields are written whose check needs none of the others.
    fn with_stand_ins(&self) -> String {
        let fields = &self.object.0;
        let mut all = fields.iter();
        let knows_all = all.all(|Field { name, value }| {
            matches!(&*name.value(), "id" | "site") || value.is_literal()
        });
        let mut written = Vec::with_capacity(fields.len());
        for Field { name, value } in fields {
            let field = name.value();
            let is_checked = knows_all || matches!(&*field, "id" | "site" | "match" | "faults");
            let json = match (value.literal(), &*field) {
                (Some(json), _) if is_checked => json,
                (None, "site") => r#""stand.in""#.to_owned(),
                (None, "faults") => faults(value),
                _ => continue,
            };
            written.push(format!("{}:{json}", text(name)));
        }
        format!("{{{}}}", written.join(","))
    }
}

/// Returns the JSON of a list of faults, with another in place of each that has an expression.
fn faults(list: &Value) -> String {
    let Kind::List(faults) = &list.kind else {
        return format!("[{FAULT}]");
    };
    let faults = faults.iter();
    let faults = faults.map(|fault| fault.literal().unwrap_or_else(|| FAULT.to_owned()));
    format!("[{}]", faults.collect::<Vec<_>>().join(","))
}

impl Object {
    /// Checks that each name is that of a field. `open` and `close` are the JSON around the object, and `path` says
    /// where it is.
    fn check_names(&self, open: &str, close: &str, path: &str) -> syn::Result<()> {
        for Field { name, value } in &self.0 {
            let path = match path {
                "" => name.value(),
                path => format!("{path}.{}", name.value()),
            };
            let (open, close) = (format!("{open}{{{}:", text(name)), format!("}}{close}"));
            // An unknown field is found before its value is read, and before one that is missing.
            let alone = format!("{open}null{close}");
            if let Err(error) = wire::rule_from_json(alone.as_bytes(), None)
                && error.problem().starts_with("unknown field")
            {
                let (problem, allowed) = (error.problem(), error.allowed());
                let message = format!("{path}: {problem}; allowed: {allowed}");
                return Err(syn::Error::new(value.span, message));
            }
            value.check_names(&open, &close, &path)?;
        }
        Ok(())
    }
}

impl Value {
    fn is_literal(&self) -> bool {
        self.literal().is_some()
    }

    /// Returns the JSON of a value without expressions.
    fn literal(&self) -> Option<String> {
        let mut json = String::new();
        self.write(&mut json).then_some(json)
    }

    fn check_names(&self, open: &str, close: &str, path: &str) -> syn::Result<()> {
        match &self.kind {
            Kind::Object(object) => object.check_names(open, close, path),
            Kind::List(values) => {
                let (open, close) = (format!("{open}["), format!("]{close}"));
                values.iter().enumerate().try_for_each(|(at, value)| {
                    value.check_names(&open, &close, &format!("{path}[{at}]"))
                })
            }
            Kind::Literal(_) | Kind::Expression => Ok(()),
        }
    }
}

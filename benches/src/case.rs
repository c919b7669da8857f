//! A row of the table: what is called, what it is compared with, and what it may cost.

/// Makes so many calls.
pub type Run = Box<dyn FnMut(u64)>;

/// What is called in a row.
#[derive(Debug)]
pub struct Case {
    /// Its name, unlike any other.
    pub name: &'static str,
    /// The same without what is measured. A case without one is shown as it is.
    pub base: Option<&'static str>,
    /// What it may add to its base.
    pub target: Option<Target>,
    /// The size of its future, if it makes one.
    pub future: Option<usize>,
    /// Instructions by which a count may be off.
    pub noise: u32,
    /// How many calls are counted: fewer of those that are many instructions.
    pub calls: u64,
    prepare: fn() -> Run,
}

/// What a case may add to its base. None may allocate.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Instructions per call.
    pub instructions: Limit,
    /// Bytes of future.
    pub future: Option<usize>,
    /// Where the line is held while the target is not met: instructions that `--check` puts up with.
    pub held_at: Option<u32>,
}

/// A number of instructions.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// So many.
    AtMost(u32),
    /// As many as another case.
    As(&'static str),
    /// Twice as many as another case.
    TwiceAs(&'static str),
}

impl Case {
    /// A case that has no base and no target.
    #[must_use]
    pub fn new(name: &'static str, prepare: fn() -> Run) -> Self {
        Self {
            name,
            base: None,
            target: None,
            future: None,
            calls: 100_000,
            noise: 0,
            prepare,
        }
    }

    /// Shows what it adds to the case called `base`.
    #[must_use]
    pub fn over(mut self, base: &'static str) -> Self {
        self.base = Some(base);
        self
    }

    /// May add so many instructions. Compiled out, a site adds none.
    #[must_use]
    pub fn at_most(self, instructions: u32) -> Self {
        self.limit(Limit::AtMost(instructions))
    }

    /// May add what the case called `other` adds.
    #[must_use]
    pub fn same_as(self, other: &'static str) -> Self {
        self.limit(Limit::As(other))
    }

    /// May add twice what the case called `other` adds.
    #[must_use]
    pub fn at_most_twice(self, other: &'static str) -> Self {
        self.limit(Limit::TwiceAs(other))
    }

    fn limit(mut self, instructions: Limit) -> Self {
        let instructions = if chaos_core::COMPILED_OUT {
            Limit::AtMost(0)
        } else {
            instructions
        };
        self.target = Some(Target {
            instructions,
            future: None,
            held_at: None,
        });
        self
    }

    /// Makes a future of `bytes`.
    #[must_use]
    pub fn future(mut self, bytes: usize) -> Self {
        self.future = Some(bytes);
        self
    }

    /// May add `bytes` to the future of its base.
    #[must_use]
    pub fn future_at_most(mut self, bytes: usize) -> Self {
        if let Some(target) = &mut self.target {
            target.future = Some(bytes);
        }
        self
    }

    /// Says that the target is not met, and where the line is held until it is.
    #[must_use]
    pub fn held_at(mut self, instructions: u32) -> Self {
        if let Some(target) = &mut self.target {
            target.held_at = Some(instructions);
        }
        self
    }

    /// Depends on where the heap lies, and by so many instructions even at its best.
    #[must_use]
    pub fn give_or_take(mut self, instructions: u32) -> Self {
        self.noise = instructions;
        self
    }

    /// Counts so many calls.
    #[must_use]
    pub fn calls(mut self, calls: u64) -> Self {
        self.calls = calls;
        self
    }

    /// The case it is compared with.
    ///
    /// # Panics
    /// If there is none of that name.
    #[must_use]
    pub fn base_in<'c>(&self, cases: &'c [Self]) -> Option<&'c Self> {
        let base = self.base?;
        let found = cases.iter().find(|case| case.name == base);
        Some(found.expect("a base is a case of the table"))
    }

    /// Sets it up and makes the first call, in which a site registers and a thread gets its number
    /// and its dice.
    #[must_use]
    pub fn start(&self) -> Run {
        let mut run = (self.prepare)();
        run(1);
        run
    }
}

//! A row of the table: what is called, its base, and its target.

/// A function that makes the given number of calls.
pub type Run = Box<dyn FnMut(u64)>;

/// A benchmark case: one row of the table.
#[derive(Debug)]
pub struct Case {
    /// The case's name, unique in the table.
    pub name: &'static str,
    /// The name of the case that is subtracted: it does the same without the site. The absolute figures of
    /// a case without a base are shown.
    pub base: Option<&'static str>,
    /// What the case may add to its base.
    pub target: Option<Target>,
    /// The size of the case's future in bytes, if it has one.
    pub future: Option<usize>,
    /// The uncertainty of the count, in instructions.
    pub noise: u32,
    /// The number of counted calls; lower for expensive cases.
    pub calls: u64,
    prepare: fn() -> Run,
}

/// What a case may add to its base.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Instructions per call.
    pub instructions: Limit,
    /// Allocations per call.
    pub allocations: u32,
    /// Bytes that the future may grow by.
    pub future: Option<usize>,
    /// Whether it is known that the target is not met. `--check` fails if the case costs more than is recorded.
    pub is_missed: bool,
}

/// A limit on the number of instructions.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// At most this number.
    AtMost(u32),
    /// At most as many as the named case adds.
    As(&'static str),
    /// At most twice as many as the named case adds.
    TwiceAs(&'static str),
}

impl Case {
    /// Creates a case without a base and a target. `prepare` sets it up.
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

    /// Sets the base: the row shows what this case adds to the case named `base`.
    #[must_use]
    pub fn over(mut self, base: &'static str) -> Self {
        self.base = Some(base);
        self
    }

    /// Sets the target to at most `instructions` per call. If the sites are compiled out, the target is 0.
    #[must_use]
    pub fn at_most(self, instructions: u32) -> Self {
        self.limit(Limit::AtMost(instructions))
    }

    /// Sets the target to at most what the case named `other` adds.
    #[must_use]
    pub fn same_as(self, other: &'static str) -> Self {
        self.limit(Limit::As(other))
    }

    /// Sets the target to at most twice what the case named `other` adds.
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
            allocations: 0,
            future: None,
            is_missed: false,
        });
        self
    }

    /// Sets the size of the case's future, in bytes.
    #[must_use]
    pub fn future(mut self, bytes: usize) -> Self {
        self.future = Some(bytes);
        self
    }

    /// Sets the number of bytes by which the future may be larger than that of the base. It has no effect
    /// on a case without a target.
    #[must_use]
    pub fn future_at_most(mut self, bytes: usize) -> Self {
        if let Some(target) = &mut self.target {
            target.future = Some(bytes);
        }
        self
    }

    /// Sets how many allocations the case may make per call. A case with a target may make none by default. It has
    /// no effect on a case without a target.
    #[must_use]
    pub fn allocations_at_most(mut self, allocations: u32) -> Self {
        if let Some(target) = &mut self.target {
            target.allocations = allocations;
        }
        self
    }

    /// Marks the target as not met yet. `--check` fails if the case costs more than is recorded, as each does. It has
    /// no effect on a case without a target.
    #[must_use]
    pub fn not_met_yet(mut self) -> Self {
        if let Some(target) = &mut self.target {
            target.is_missed = true;
        }
        self
    }

    /// Marks the count as dependent on addresses. The case is counted at several offsets of the heap, and
    /// the lowest count may still be too high by `instructions`.
    #[must_use]
    pub fn give_or_take(mut self, instructions: u32) -> Self {
        self.noise = instructions;
        self
    }

    /// Sets the number of counted calls. The default is 100,000.
    #[must_use]
    pub fn calls(mut self, calls: u64) -> Self {
        self.calls = calls;
        self
    }

    /// Returns the base, or `None` if the case has none.
    ///
    /// # Panics
    /// Panics if `cases` has no case of the base's name.
    #[must_use]
    pub fn base_in<'c>(&self, cases: &'c [Self]) -> Option<&'c Self> {
        let base = self.base?;
        let found = cases.iter().find(|case| case.name == base);
        Some(found.expect("a base is a case of the table"))
    }

    /// Sets the case up and makes its first call, in which a site registers itself and the thread gets its
    /// number and its random number generator.
    #[must_use]
    pub fn start(&self) -> Run {
        let mut run = (self.prepare)();
        run(1);
        run
    }
}

//! `HaltHook`: keeps a halt outside the process, and must agree to its end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{audit::actor::Actor, injector::Injector, rule::rule_set::ChangeError};

/// Keeps the halts of an [`Injector`] outside the process, in a file for example, so that they outlive it.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicBool, Ordering::Relaxed}};
///
/// use chaos_core::{HaltHook, Injector, audit::Actor};
///
/// #[derive(Default)]
/// struct Incident(AtomicBool);
///
/// impl HaltHook for Incident {
///     fn halted(&self, _by: &Actor) {}
///
///     fn before_resume(&self) -> Result<(), String> {
///         if self.0.load(Relaxed) { Err("there is an incident".to_owned()) } else { Ok(()) }
///     }
/// }
///
/// let (injector, incident) = (Injector::new(), Arc::new(Incident::default()));
/// let hook: Arc<dyn HaltHook> = incident.clone();
/// injector.add_halt_hook(hook);
/// injector.halt("enough seen");
/// incident.0.store(true, Relaxed);
/// assert!(!injector.resume());
/// incident.0.store(false, Relaxed);
/// assert!(injector.resume());
/// ```
pub trait HaltHook: Send + Sync {
    /// Called after a halt in the name of `by` has taken effect, on the thread that has halted, also if the
    /// injector was halted before. It must not block. It is called again, with the first holder, after a resume
    /// to which this hook has agreed and that was refused nevertheless.
    ///
    /// [`halt_when`](Injector::halt_when) and the environment do not call it: their halts end with the process.
    fn halted(&self, by: &Actor);

    /// Called before a resume, on the thread that resumes. It may block; the injector's locks are free. A halt
    /// that comes meanwhile refuses the resume.
    ///
    /// # Errors
    /// An error refuses the resume: the injector stays halted for the reason in it.
    fn before_resume(&self) -> Result<(), String>;

    /// Called in place of [`before_resume`](Self::before_resume) when it is a fleet that
    /// [resumes](crate::AttributedInjector::resume_for_fleet), which nobody else has halted as far as the injector knows. A
    /// hook that ends a halt of its own when a person resumes has to refuse here instead: a fleet frees nobody whom a person
    /// has stopped. Unless a hook says otherwise, both are alike.
    ///
    /// # Errors
    /// An error refuses the resume: the injector stays halted by the fleet.
    fn before_fleet_resume(&self) -> Result<(), String> {
        self.before_resume()
    }
}

/// The hooks of one injector.
#[derive(Default)]
pub(super) struct HaltHooks(Mutex<Vec<Arc<dyn HaltHook>>>);

impl Injector {
    /// Adds a hook, which is called at each halt and before each resume. It lives as long as the injector, so it
    /// must not own one.
    pub fn add_halt_hook(&self, hook: Arc<dyn HaltHook>) {
        self.0.halt_hooks.lock().push(hook);
    }
}

impl HaltHooks {
    pub(super) fn halted(&self, by: &Actor) {
        self.all().iter().for_each(|hook| hook.halted(by));
    }

    /// Resumes by `go_on` if all hooks agree, whom `ask` asks, and otherwise returns the error of the first that refuses. If
    /// the resume is refused, the hooks that have agreed are told of the `first` holder.
    pub(super) fn resume<T>(
        &self,
        ask: impl Fn(&dyn HaltHook) -> Result<(), String>,
        go_on: impl FnOnce() -> Result<T, ChangeError>,
        first: impl FnOnce() -> Option<Actor>,
    ) -> Result<T, ChangeError> {
        let hooks = self.all();
        let mut agreed = 0;
        let asked = hooks.iter().try_for_each(|hook| {
            ask(&**hook)?;
            agreed += 1;
            Ok(())
        });
        let refused = |reason: String| ChangeError::ResumeRefused {
            reason: reason.into(),
        };
        let resumed = asked.map_err(refused).and_then(|()| go_on());
        if resumed.is_err()
            && let Some(by) = first()
        {
            hooks[..agreed].iter().for_each(|hook| hook.halted(&by));
        }
        resumed
    }

    /// Returns the hooks. They are called without the lock, which they may need.
    fn all(&self) -> Vec<Arc<dyn HaltHook>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<dyn HaltHook>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for HaltHooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HaltHooks")
            .field(&self.lock().len())
            .finish()
    }
}

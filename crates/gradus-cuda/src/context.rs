//! A card in use: its context, its kernels, the first thing that went wrong on it.

use crate::driver::Driver;
use crate::functions::{Functions, Handle, Status};
use crate::libraries::named;
use crate::modules::Module;
use crate::{Card, CudaError, Machine};
use gradus_kernels::BackendFailure;
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::CString;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

thread_local! {
    /// The context that this thread's calls go to.
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// A handle of the driver's, which any thread may use.
#[derive(Clone, Copy)]
pub(crate) struct Shared(pub Handle);

// SAFETY: the driver's handles are numbers to us, and its functions are safe to call from any thread whose
// current context is theirs.
#[allow(unsafe_code, reason = "handles of a foreign library")]
unsafe impl Send for Shared {}
// SAFETY: as above.
#[allow(unsafe_code, reason = "handles of a foreign library")]
unsafe impl Sync for Shared {}

/// A card in use.
pub(crate) struct Context {
    pub functions: Functions,
    pub card: Card,
    handle: Shared,
    modules: Mutex<HashMap<Module, Shared>>,
    kernels: RwLock<HashMap<(Module, &'static str), Shared>>,
    failed: AtomicBool,
    failure: Mutex<Option<BackendFailure>>,
    /// What the functions belong to.
    _driver: Driver,
}

/// Whatever a thread that panicked left.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    /// Takes the card of this number into use.
    #[allow(unsafe_code, reason = "foreign functions")]
    pub fn new(index: usize) -> Result<Self, CudaError> {
        let machine = Machine::find()?;
        let card = machine.card(index)?.clone();
        let driver = Driver::open(&named())?;
        let functions = driver.functions()?;
        let (device, mut handle) = (driver.card(index)?, ptr::null_mut());
        // SAFETY: the driver writes the handle of a context that it keeps.
        let status = unsafe { (functions.retain_context)(&mut handle, device) };
        if status != 0 {
            return Err(CudaError::Refused {
                call: "cuDevicePrimaryCtxRetain",
                code: status,
                message: Driver::words(&functions, status),
                hint: "",
            });
        }
        Ok(Self {
            functions,
            card,
            handle: Shared(handle),
            modules: Mutex::default(),
            kernels: RwLock::default(),
            failed: AtomicBool::new(false),
            failure: Mutex::default(),
            _driver: driver,
        })
    }

    /// Makes it this thread's.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn enter(&self) {
        let own = self.handle.0 as usize;
        if CURRENT.get() != own {
            // SAFETY: the context is never released.
            let status = unsafe { (self.functions.set_context)(self.handle.0) };
            if self.went_well("using the card", status) {
                CURRENT.set(own);
            }
        }
    }

    /// Bytes of the card's memory that nobody has taken.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn memory_left(&self) -> usize {
        self.enter();
        let (mut left, mut all) = (0, 0);
        // SAFETY: the driver writes both.
        let status = unsafe { (self.functions.memory_left)(&mut left, &mut all) };
        match self.went_well("asking for the memory left", status) {
            true => left,
            false => 0,
        }
    }

    /// Keeps the first failure.
    pub fn fail(&self, operation: &'static str, message: String) {
        self.failed.store(true, Ordering::Relaxed);
        lock(&self.failure).get_or_insert(BackendFailure { operation, message });
    }

    /// Whether the driver did what it was asked; keeps the failure where not.
    pub fn went_well(&self, operation: &'static str, status: Status) -> bool {
        if status != 0 {
            let words = Driver::words(&self.functions, status);
            self.fail(
                operation,
                format!("{} (error {status} of the driver)", words),
            );
        }
        status == 0
    }

    /// Whether something went wrong before.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// The first thing that went wrong.
    pub fn failure(&self) -> Option<BackendFailure> {
        match self.has_failed() {
            true => lock(&self.failure).clone(),
            false => None,
        }
    }

    /// A kernel by its name; loads its module first if need be.
    pub fn kernel(&self, module: Module, name: &'static str) -> Option<Handle> {
        let key = (module, name);
        let kernels = self.kernels.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernel) = kernels.get(&key) {
            return Some(kernel.0);
        }
        drop(kernels);
        let kernel = self.load(module, name)?;
        let mut kernels = self.kernels.write().unwrap_or_else(PoisonError::into_inner);
        kernels.insert(key, Shared(kernel));
        Some(kernel)
    }

    #[allow(unsafe_code, reason = "foreign functions")]
    fn load(&self, module: Module, name: &'static str) -> Option<Handle> {
        let mut modules = lock(&self.modules);
        let own = match modules.get(&module) {
            Some(own) => own.0,
            None => {
                let mut own = ptr::null_mut();
                // SAFETY: PTX ends in a zero.
                let status =
                    unsafe { (self.functions.load_module)(&mut own, module.ptx().as_ptr().cast()) };
                if !self.went_well("loading kernels", status) {
                    return None;
                }
                modules.insert(module, Shared(own));
                own
            }
        };
        let mut kernel = ptr::null_mut();
        let text = CString::new(name).ok()?;
        // SAFETY: the module was loaded, and is never unloaded.
        let status = unsafe { (self.functions.function_of)(&mut kernel, own, text.as_ptr()) };
        self.went_well("finding a kernel", status).then_some(kernel)
    }
}

//! NVIDIA's library for products, cuBLASLt, where there is one: what is chosen for a shape, and remembered.

use crate::Machine;
use crate::context::{Context, Shared};
use crate::functions::{Address, Handle};
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::ptr;

type Status = c_int;

/// Types, as CUDA numbers them.
const F32: c_int = 0;
const BF16: c_int = 14;
/// Sums in f32.
const COMPUTE_F32: c_int = 68;
/// Of descriptions of products.
const TRANSPOSE_A: c_int = 3;
const TRANSPOSE_B: c_int = 4;
const EPILOGUE: c_int = 7;
const BIAS_POINTER: c_int = 8;
const WITH_BIAS: u32 = 4;
/// Of what is wanted of an algorithm.
const MOST_WORKSPACE: c_int = 1;
const REDUCTIONS: c_int = 3;
const ALIGNMENTS: [c_int; 4] = [5, 6, 7, 8];
/// Sums over k in parts that are added in order: not in place, whose order is open.
const ORDERED: u32 = 2 | 4;

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Algorithm([u64; 8]);

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Choice {
    algorithm: Algorithm,
    workspace: usize,
    state: Status,
    waves: f32,
    reserved: [c_int; 4],
}

/// Which product: of activations `x`, a weight `W` (`[out, in]`) and gradients `dy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// `x W^T`: `[m, k]` by `[n, k]`.
    Forward,
    /// `dy W`: `[m, k]` by `[k, n]`.
    Input,
    /// `dy^T x`: `[k, m]` by `[k, n]`.
    Weight,
}

/// A product in bf16.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Product {
    pub kind: Kind,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: Address,
    pub b: Address,
    /// In bf16, of n values.
    pub bias: Option<Address>,
    pub c: Address,
    /// The result is bf16, else f32.
    pub half: bool,
    /// The result is added to what there is.
    pub add: bool,
}

macro_rules! functions {
    ($($field:ident = $name:literal ($($type:ty),*);)*) => {
        struct Functions { $($field: unsafe extern "C" fn($($type),*) -> Status,)* }
        impl Functions {
            #[allow(unsafe_code, reason = "a foreign library")]
            fn of(library: &libloading::Library) -> Option<Self> {
                // SAFETY: types are those of cublasLt.h, which are stable.
                unsafe { Some(Self { $($field: *library.get($name.as_bytes()).ok()?),* }) }
            }
        }
    };
}

functions! {
    create = "cublasLtCreate"(*mut Handle);
    description = "cublasLtMatmulDescCreate"(*mut Handle, c_int, c_int);
    describe = "cublasLtMatmulDescSetAttribute"(Handle, c_int, *const c_void, usize);
    layout = "cublasLtMatrixLayoutCreate"(*mut Handle, c_int, u64, u64, i64);
    forget_layout = "cublasLtMatrixLayoutDestroy"(Handle);
    wish = "cublasLtMatmulPreferenceCreate"(*mut Handle);
    wish_for = "cublasLtMatmulPreferenceSetAttribute"(Handle, c_int, *const c_void, usize);
    forget_wish = "cublasLtMatmulPreferenceDestroy"(Handle);
    choose = "cublasLtMatmulAlgoGetHeuristic"(
        Handle, Handle, Handle, Handle, Handle, Handle, Handle, c_int, *mut Choice, *mut c_int
    );
    multiply = "cublasLtMatmul"(
        Handle, Handle, *const c_void, *const c_void, Handle, *const c_void, Handle, *const c_void,
        *const c_void, Handle, *mut c_void, Handle, *const Algorithm, *mut c_void, usize, Handle
    );
}

/// The library, in use.
pub(crate) struct Blas {
    functions: Functions,
    handle: Shared,
    /// As it numbers its versions: 130100 is 13.1.
    pub version: usize,
    /// The card's generation, 9 for Hopper.
    generation: i32,
    /// What the functions belong to.
    _library: libloading::Library,
}

/// What one lane remembers of its products.
#[derive(Default)]
pub(crate) struct Plans {
    descriptions: HashMap<(Kind, bool), Shared>,
    layouts: HashMap<(c_int, usize, usize), Shared>,
    choices: HashMap<Key, Algorithm>,
}

/// What an algorithm is chosen for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    kind: Kind,
    sizes: [usize; 3],
    bias: bool,
    half: bool,
}

/// Numbers of rows that share an algorithm.
fn bucket(rows: usize) -> usize {
    let step = (rows.next_power_of_two() / 8).max(64);
    rows.next_multiple_of(step)
}

impl Product {
    /// For people: what it is of which weight.
    pub fn name(&self) -> String {
        let (rows, cols) = match self.kind {
            Kind::Weight => (self.m, self.n),
            _ => (self.k, self.n),
        };
        format!("{:?} {rows} to {cols}", self.kind)
    }
}

impl Blas {
    /// Memory for sums in parts.
    pub const WORKSPACE: usize = 32 << 20;

    /// The library where it can be had, for a card in use.
    ///
    /// # Errors
    /// Why it cannot be opened; that is none where no file has its name.
    #[allow(unsafe_code, reason = "a foreign library")]
    pub fn open(context: &Context) -> Result<Self, Option<String>> {
        context.enter();
        let path = Machine::libraries()
            .into_iter()
            .find(|own| own.name == "libcublasLt.so")
            .and_then(|own| own.path)
            .ok_or(None)?;
        // SAFETY: opening NVIDIA's library has no other effect.
        let library = unsafe { libloading::Library::new(&path) };
        let library = library.map_err(|e| Some(format!("{}: {e}", path.display())))?;
        let strange = || Some(format!("{}: is no cuBLASLt", path.display()));
        let functions = Functions::of(&library).ok_or_else(strange)?;
        type Version = unsafe extern "C" fn() -> usize;
        // SAFETY: as above.
        let version = unsafe { library.get::<Version>(b"cublasLtGetVersion") };
        // SAFETY: as above.
        let version = version.map(|f| unsafe { f() }).map_err(|_| strange())?;
        let mut handle = ptr::null_mut();
        // SAFETY: the library writes a handle.
        let status = unsafe { (functions.create)(&mut handle) };
        if status != 0 {
            return Err(Some(format!(
                "{}: cublasLtCreate gives {status}",
                path.display()
            )));
        }
        Ok(Self {
            functions,
            handle: Shared(handle),
            version,
            generation: context.card.capability.0,
            _library: library,
        })
    }

    /// Whether it takes such a product: its rows have to be whole groups of eight values. That depends on the
    /// weight alone.
    pub fn takes(p: &Product) -> bool {
        let sizes = match p.kind {
            Kind::Forward | Kind::Input => [p.n, p.k],
            Kind::Weight => [p.n, p.m],
        };
        let addresses = [p.a, p.b, p.c, p.bias.unwrap_or(0)];
        sizes.iter().all(|n| n.is_multiple_of(8)) && addresses.iter().all(|a| a.is_multiple_of(16))
    }

    /// Queues a product, with room for [`Blas::WORKSPACE`]. `None` where the library does not do it.
    #[allow(unsafe_code, reason = "foreign functions")]
    pub fn multiply(
        &self,
        stream: Shared,
        workspace: Address,
        plans: &mut Plans,
        p: &Product,
    ) -> Option<()> {
        self.forget_many(plans);
        let description = self.description(plans, p)?;
        let layouts = self.layouts(plans, p, p.m, p.k)?;
        // A row's sum does not depend on the algorithm on Hopper, as long as it is in one part; on other
        // cards that was not seen, and one algorithm serves all numbers of rows.
        let rows = |n: usize| {
            if self.generation == 9 {
                bucket(n)
            } else {
                4096
            }
        };
        let sizes = match p.kind {
            Kind::Weight => [p.m, p.n, bucket(p.k)],
            _ => [rows(p.m), p.n, p.k],
        };
        let key = Key {
            kind: p.kind,
            sizes,
            bias: p.bias.is_some(),
            half: p.half,
        };
        let known = plans.choices.get(&key).copied();
        let chosen = known.or_else(|| {
            let [m, _, k] = sizes;
            let of = self.layouts(plans, p, m, k)?;
            let own = self.choose(p.kind, description, of);
            // Where the many rows have none, as for sizes that are odd.
            let own = own.or_else(|| self.choose(p.kind, description, layouts))?;
            plans.choices.insert(key, own);
            Some(own)
        })?;
        let run = |algorithm: Algorithm| {
            let (alpha, beta) = (1f32, f32::from(u8::from(p.add)));
            let [b, a, c] = layouts;
            // SAFETY: matrices lie where the product says, in the layouts made of its sizes; the workspace has
            // the size that is said.
            unsafe {
                (self.functions.multiply)(
                    self.handle.0,
                    description,
                    (&raw const alpha).cast(),
                    p.b as *const c_void,
                    b,
                    p.a as *const c_void,
                    a,
                    (&raw const beta).cast(),
                    p.c as *const c_void,
                    c,
                    p.c as *mut c_void,
                    c,
                    &algorithm,
                    workspace as *mut c_void,
                    Self::WORKSPACE,
                    stream.0,
                )
            }
        };
        let done = run(chosen) == 0 || {
            let own = self.choose(p.kind, description, layouts)?;
            run(own) == 0
        };
        done.then_some(())
    }

    /// Forgets layouts where there are many: numbers of rows change with every batch. Before a
    /// product, which has layouts in hand.
    #[allow(unsafe_code, reason = "a foreign function")]
    fn forget_many(&self, plans: &mut Plans) {
        const MOST: usize = 4096;
        if plans.layouts.len() < MOST {
            return;
        }
        for (_, old) in plans.layouts.drain() {
            // SAFETY: nobody has it: layouts are read when a product is queued.
            unsafe { (self.functions.forget_layout)(old.0) };
        }
    }

    /// The library thinks in columns, so it is given everything transposed: `c^T = b^T a^T`.
    #[allow(unsafe_code, reason = "foreign functions")]
    fn description(&self, plans: &mut Plans, p: &Product) -> Option<Handle> {
        let key = (p.kind, p.bias.is_some());
        let handle = match plans.descriptions.get(&key) {
            Some(own) => own.0,
            None => {
                let mut handle = ptr::null_mut();
                // SAFETY: the library writes a handle.
                if unsafe { (self.functions.description)(&mut handle, COMPUTE_F32, F32) } != 0 {
                    return None;
                }
                let first = c_int::from(p.kind == Kind::Forward);
                let second = c_int::from(p.kind == Kind::Weight);
                self.set(handle, TRANSPOSE_A, &first)?;
                self.set(handle, TRANSPOSE_B, &second)?;
                if p.bias.is_some() {
                    self.set(handle, EPILOGUE, &WITH_BIAS)?;
                }
                plans.descriptions.insert(key, Shared(handle));
                handle
            }
        };
        if let Some(bias) = p.bias {
            self.set(handle, BIAS_POINTER, &bias)?;
        }
        Some(handle)
    }

    #[allow(unsafe_code, reason = "a foreign function")]
    fn set<T>(&self, description: Handle, attribute: c_int, value: &T) -> Option<()> {
        let value = ptr::from_ref(value).cast();
        // SAFETY: the value is of the attribute's type, and alive.
        let status =
            unsafe { (self.functions.describe)(description, attribute, value, size_of::<T>()) };
        (status == 0).then_some(())
    }

    /// Of b, a and c, as the library sees them.
    fn layouts(&self, plans: &mut Plans, p: &Product, m: usize, k: usize) -> Option<[Handle; 3]> {
        let (a, b) = match p.kind {
            Kind::Forward => ([k, m], [k, p.n]),
            Kind::Input => ([k, m], [p.n, k]),
            Kind::Weight => ([m, k], [p.n, k]),
        };
        let c = (if p.half { BF16 } else { F32 }, [p.n, m]);
        Some([
            self.matrix(plans, BF16, b)?,
            self.matrix(plans, BF16, a)?,
            self.matrix(plans, c.0, c.1)?,
        ])
    }

    #[allow(unsafe_code, reason = "foreign functions")]
    fn matrix(&self, plans: &mut Plans, kind: c_int, [rows, cols]: [usize; 2]) -> Option<Handle> {
        if let Some(own) = plans.layouts.get(&(kind, rows, cols)) {
            return Some(own.0);
        }
        let mut handle = ptr::null_mut();
        let (r, c, line) = (rows as u64, cols as u64, rows as i64);
        // SAFETY: the library writes a handle.
        let status = unsafe { (self.functions.layout)(&mut handle, kind, r, c, line) };
        if status != 0 {
            return None;
        }
        plans.layouts.insert((kind, rows, cols), Shared(handle));
        Some(handle)
    }

    #[allow(unsafe_code, reason = "foreign functions")]
    fn choose(&self, kind: Kind, description: Handle, [b, a, c]: [Handle; 3]) -> Option<Algorithm> {
        let mut wish = ptr::null_mut();
        // SAFETY: the library writes a handle.
        if unsafe { (self.functions.wish)(&mut wish) } != 0 {
            return None;
        }
        let reductions = if kind == Kind::Weight { ORDERED } else { 0 };
        let (mut choice, mut found) = (Choice::default(), 0);
        let (most, alignment) = (Self::WORKSPACE, 16u32);
        // SAFETY: values are of the attributes' types, and alive over the calls.
        unsafe {
            let set = |attribute, value: *const c_void, size| {
                (self.functions.wish_for)(wish, attribute, value, size);
            };
            set(MOST_WORKSPACE, (&raw const most).cast(), 8);
            set(REDUCTIONS, (&raw const reductions).cast(), 4);
            for attribute in ALIGNMENTS {
                set(attribute, (&raw const alignment).cast(), 4);
            }
            (self.functions.choose)(
                self.handle.0,
                description,
                b,
                a,
                c,
                c,
                wish,
                1,
                &mut choice,
                &mut found,
            );
            (self.functions.forget_wish)(wish);
        }
        (found > 0 && choice.state == 0).then_some(choice.algorithm)
    }
}

/// Why products are made without the library, for people.
pub(crate) fn without(why: Option<String>) -> String {
    let hint = "products are slower without it: install cuBLAS (pip install nvidia-cublas), or name its folder \
                in GRADUS_CUDA_LIBS";
    match why {
        Some(why) => format!("cuBLASLt cannot be used ({why}); {hint}"),
        None => format!("no cuBLASLt; {hint}"),
    }
}
